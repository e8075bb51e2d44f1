"""Accounts of people as administrators keep them, and the audit trail, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from balance_gateway.adapters import credentials
from balance_gateway.adapters.credentials import Passwords
from balance_gateway.adapters.people import account_of, log, utc_now
from balance_gateway.adapters.queries import statement
from balance_gateway.domain.people import LOCALES, Account, Caller, Event, PersonError, Role, check_login

_MOST_EVENTS = 200


class PostgresAccounts:
    """Accounts, and what happened to them; `pool` is the gateway's."""

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        passwords: Passwords | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Take the pool."""
        self._pool, self._passwords, self._clock = pool, passwords or Passwords(), clock

    def all(self) -> Sequence[Account]:
        """Every account, by login."""
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            return [account_of(row) for row in cur.execute(statement("all_accounts"))]

    def one(self, login: str) -> Account | None:
        """The account of that login, however it is capitalised."""
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            row = cur.execute(statement("account_by_login"), {"login": login}).fetchone()
        return account_of(row) if row else None

    def add(self, login: str, role: str, subtree: Sequence[str], locale: str | None, caller: Caller) -> str:
        """Let somebody sign in; the password they do it with the first time. Raises PersonError."""
        check_login(login)
        password, now = credentials.one_time_password(), self._clock()
        given = {
            "login": login,
            "role": _role(role),
            "subtree": list(subtree),
            "locale": _locale(locale),
            "password_hash": self._passwords.hash(password),
            "now": now,
        }
        with self._pool.connection() as conn:
            if conn.execute(statement("add_account"), given).fetchone() is None:
                raise PersonError("login", "taken", f"expected a login that nobody has, found {login}")
            log(conn, now, Event.ADDED, login, caller, _told(role, subtree))
        return password

    def change(self, account: Account, role: str, subtree: Sequence[str], caller: Caller) -> None:
        """Give them another role or subtree; who is signed in is so with it at once. Raises PersonError."""
        given = {"id": account.id, "role": _role(role), "subtree": list(subtree)}
        if (account.role, account.subtree) == (role, tuple(subtree)):
            return
        _check_other(account, caller, "role")
        told = f"{_told(account.role, account.subtree)} → {_told(role, subtree)}"
        with self._pool.connection() as conn:
            conn.execute(statement("keep_role"), given)
            log(conn, self._clock(), Event.CHANGED, account.login, caller, told)

    def disable(self, account: Account, caller: Caller) -> None:
        """Sign them out and in no more. Raises PersonError."""
        _check_other(account, caller, "login")
        with self._pool.connection() as conn:
            conn.execute(statement("keep_state"), {"id": account.id, "is_active": False})
            conn.execute(statement("end_sessions"), {"id": account.id, "but": None})
            log(conn, self._clock(), Event.DISABLED, account.login, caller)

    def enable(self, account: Account, caller: Caller) -> None:
        """Let them sign in again."""
        with self._pool.connection() as conn:
            conn.execute(statement("keep_state"), {"id": account.id, "is_active": True})
            log(conn, self._clock(), Event.ENABLED, account.login, caller)

    def reset(self, account: Account, caller: Caller) -> str:
        """Sign them out, forget password, second factor and lock; the password for the next time.

        Raises PersonError for one's own: a session that was stolen must not become a password.
        """
        _check_other(account, caller, "login")
        password, now = credentials.one_time_password(), self._clock()
        given = {"id": account.id, "password_hash": self._passwords.hash(password), "now": now}
        with self._pool.connection() as conn:
            conn.execute(statement("keep_password"), {**given, "is_one_time": True})
            conn.execute(statement("keep_second_factor"), {"id": account.id, "secret": None, "step": None})
            conn.execute(statement("end_sessions"), {"id": account.id, "but": None})
            log(conn, now, Event.PASSWORD_RESET, account.login, caller)
        return password

    def trail(self, login: str | None = None, before: int | None = None) -> Sequence[dict[str, Any]]:
        """The last 200 events, newest first: of that account or by it, before the number if any is given."""
        given = {"login": login, "before": before, "most": _MOST_EVENTS}
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            return cur.execute(statement("audit_trail"), given).fetchall()


def _role(found: str) -> Role:
    if found not in set(Role):
        raise PersonError("role", "role", f"expected one of {', '.join(Role)}, found {found}")
    return Role(found)


def _locale(found: str | None) -> str | None:
    if found and found not in LOCALES:
        raise PersonError("locale", "locale", f"expected one of {', '.join(LOCALES)}, found {found}")
    return found or None


def _check_other(account: Account, caller: Caller, field: str) -> None:
    """Raise PersonError for the caller's own account: nobody shuts themselves out, or lifts themselves up."""
    if caller.login is not None and account.login.casefold() == caller.login.casefold():
        raise PersonError(field, "own", "expected somebody else's account, found your own")


def _told(role: str, subtree: Sequence[str]) -> str:
    return f"{role}, {' > '.join(subtree) or 'all'}"
