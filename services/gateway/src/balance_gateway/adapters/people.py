"""Signing in and being signed in, in PostgreSQL. Every step of it is in the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from balance_gateway.adapters import credentials
from balance_gateway.adapters.credentials import Passwords
from balance_gateway.adapters.queries import statement
from balance_gateway.domain.people import (
    LONGEST,
    ONE_TIME_FOR,
    Account,
    Attempts,
    Caller,
    Event,
    PersonError,
    Role,
    check_password,
    is_alive,
)

_SEEN_EVERY = timedelta(minutes=1)


def utc_now() -> datetime:
    """By the wall: a replay of the past signs nobody in."""
    return datetime.now(UTC)


class PostgresPeople:
    """Who signs in, and who is signed in; `pool` is the gateway's."""

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        passwords: Passwords | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Take the pool."""
        self._pool, self._passwords, self._clock = pool, passwords or Passwords(), clock

    def verified(self, login: str, password: str, caller: Caller) -> Account | None:
        """The account whose login and password these are; None, after the same work, if there is none such,
        or it is locked or disabled.
        """
        now = self._clock()
        with self._pool.connection() as conn:
            account = _one_account(conn, "account_by_login", login=login)
            is_admitted = account is not None and _count_attempt(conn, account, now)
            kept = _row(conn, "password_of", id=account.id) if account else None
        is_right = self._passwords.is_right(password, kept["password_hash"] if kept else None)
        if account is None or kept is None:
            self._refuse(None, "unknown login", caller)
            return None
        is_old = account.is_one_time and now - kept["password_at"] >= ONE_TIME_FOR
        if not (is_admitted and is_right and account.is_active and not is_old):
            reasons = {
                "locked": not is_admitted,
                "wrong password": not is_right,
                "disabled": not account.is_active,
            }
            why = [reason for reason, holds in reasons.items() if holds] or ["one-time password is too old"]
            self._refuse(account, why[0], caller)
            return None
        with self._pool.connection() as conn:
            conn.execute(statement("give_attempt_back"), {"id": account.id})
            if self._passwords.is_stale(kept["password_hash"]):
                fresh = self._passwords.hash(password)
                conn.execute(
                    statement("rehash_password"),
                    {"id": account.id, "stale": kept["password_hash"], "fresh": fresh},
                )
        return account

    def is_code_right(self, account: Account, code: str, caller: Caller) -> bool:
        """Whether it is a code of the account's second factor that was not taken before."""
        now = self._clock()
        with self._pool.connection() as conn:
            is_admitted = _count_attempt(conn, account, now)
            kept = _row(conn, "second_factor_of", id=account.id)
            secret = kept["totp_secret"] if kept else None
            step = credentials.step_of(code, secret, now) if secret else None
            is_taken = (
                is_admitted
                and step is not None
                and conn.execute(statement("take_step"), {"id": account.id, "step": step}).rowcount == 1
            )
            if is_taken:
                conn.execute(statement("give_attempt_back"), {"id": account.id})
        if not is_taken:
            self._refuse(account, "wrong code" if is_admitted else "locked", caller)
        return is_taken

    def sign_in(self, account: Account, caller: Caller) -> str:
        """A new session of the account; its token."""
        now, token = self._clock(), credentials.token()
        with self._pool.connection() as conn:
            conn.execute(statement("forget_old_sessions"), {"before": now - LONGEST})
            conn.execute(statement("forget_attempts"), {"id": account.id})
            given = {"token_hash": credentials.token_hash(token), "id": account.id, "now": now}
            conn.execute(statement("open_session"), given)
            log(conn, now, Event.SIGNED_IN, account.login, replace(caller, login=account.login))
        return token

    def signed_in(self, token: str) -> Account | None:
        """Whose session that is, if it goes on."""
        now, hashed = self._clock(), credentials.token_hash(token)
        with self._pool.connection() as conn:
            row = _row(conn, "session_of", token_hash=hashed)
            if row is None:
                return None
            signed_in_at, seen_at = row.pop("signed_in_at"), row.pop("seen_at")
            if not (row["is_active"] and is_alive(signed_in_at, seen_at, now)):
                conn.execute(statement("end_session"), {"token_hash": hashed})
                return None
            if now - seen_at >= _SEEN_EVERY:
                conn.execute(statement("see_session"), {"token_hash": hashed, "now": now})
            return account_of(row)

    def by_id(self, account_id: int) -> Account | None:
        """The account as it now is, if it is active."""
        with self._pool.connection() as conn:
            account = _one_account(conn, "account_by_id", id=account_id)
        return account if account and account.is_active else None

    def sign_out(self, token: str, account: Account, caller: Caller) -> None:
        """End that session."""
        with self._pool.connection() as conn:
            conn.execute(statement("end_session"), {"token_hash": credentials.token_hash(token)})
            log(conn, self._clock(), Event.SIGNED_OUT, account.login, caller)

    def sign_out_everywhere(self, account: Account, caller: Caller) -> None:
        """End all sessions of the account."""
        with self._pool.connection() as conn:
            conn.execute(statement("end_sessions"), {"id": account.id, "but": None})
            log(conn, self._clock(), Event.SIGNED_OUT_EVERYWHERE, account.login, caller)

    def change_password(self, account: Account, current: str, fresh: str, token: str, caller: Caller) -> None:
        """Take another password, and end all other sessions. Raises PersonError."""
        if self.verified(account.login, current, caller) is None:
            raise PersonError("current", "wrong", "expected the password as it is now")
        if current == fresh:
            raise PersonError("password", "same", "expected another password than the one before")
        check_password(fresh, account.login)
        hashed, now = self._passwords.hash(fresh), self._clock()
        with self._pool.connection() as conn:
            given = {"id": account.id, "password_hash": hashed, "now": now, "is_one_time": False}
            conn.execute(statement("keep_password"), given)
            conn.execute(statement("end_sessions"), {"id": account.id, "but": credentials.token_hash(token)})
            log(conn, now, Event.PASSWORD_CHANGED, account.login, caller)

    def choose_locale(self, account: Account, locale: str | None) -> None:
        """Speak another language to them."""
        with self._pool.connection() as conn:
            conn.execute(statement("keep_locale"), {"id": account.id, "locale": locale})

    def enroll(self, account: Account, secret: str, code: str, password: str, caller: Caller) -> None:
        """Ask for codes of that secret from now on. Raises PersonError."""
        if self.verified(account.login, password, caller) is None:
            raise PersonError("current", "wrong", "expected the password as it is now")
        now = self._clock()
        step = credentials.step_of(code, secret, now)
        if step is None:
            raise PersonError("code", "code", "expected the code that the authenticator shows now")
        with self._pool.connection() as conn:
            conn.execute(statement("keep_second_factor"), {"id": account.id, "secret": secret, "step": step})
            log(conn, now, Event.SECOND_FACTOR_ENROLLED, account.login, caller)

    def refused(self, account: Account, what: str, caller: Caller) -> None:
        """Keep in the audit trail that they asked for what they may not."""
        with self._pool.connection() as conn:
            log(conn, self._clock(), Event.REFUSED, account.login, caller, what)

    def _refuse(self, account: Account | None, why: str, caller: Caller) -> None:
        with self._pool.connection() as conn:
            login = account.login if account else None
            log(conn, self._clock(), Event.SIGN_IN_REFUSED, login, caller, why)


def log(
    conn: Connection[Any],
    now: datetime,
    event: Event,
    login: str | None,
    caller: Caller,
    detail: str | None = None,
) -> None:
    """Add a row to the audit trail."""
    given = {"now": now, "event": event, "login": login, "detail": detail}
    conn.execute(statement("log_event"), {**given, "author": caller.login, "address": caller.address})


def account_of(row: dict[str, Any]) -> Account:
    """An account from a row of its columns."""
    return Account(**row | {"role": Role(row["role"]), "subtree": tuple(row["subtree"])})


def _one_account(conn: Connection[Any], name: str, **values: Any) -> Account | None:
    row = _row(conn, name, **values)
    return account_of(row) if row else None


def _row(conn: Connection[Any], name: str, **values: Any) -> dict[str, Any] | None:
    with conn.cursor(row_factory=dict_row) as cur:
        return cur.execute(statement(name), values).fetchone()


def _count_attempt(conn: Connection[Any], account: Account, now: datetime) -> bool:
    """Count an attempt before it is made; whether it is admitted."""
    row = _row(conn, "attempts_of", id=account.id)
    counted = Attempts(**row).another(now) if row else None
    if counted is None:
        return False
    given = {"id": account.id, "failures": counted.failures, "locked_until": counted.locked_until}
    conn.execute(statement("wait_for_no_disk"))
    conn.execute(statement("keep_attempts"), given)
    return True
