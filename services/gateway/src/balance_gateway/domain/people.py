"""Who may sign in: accounts, roles, subtrees, and the rules of passwords, attempts and sessions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LOCALES = ("en", "ro", "ru")
MOST_FAILURES = 5
LOCKED_FOR = timedelta(minutes=15)
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
ONE_TIME_FOR = timedelta(days=7)
SHORTEST_PASSWORD, LONGEST_PASSWORD = 12, 128
_LONG_LOGIN = 4
"""Shorter ones are in many a good password by chance."""
_LOGIN = re.compile(r"[\w.@+-]{2,64}")


class Role(StrEnum):
    """What somebody is there for."""

    CONSUMER = "consumer"
    TECHNICIAN = "technician"
    INSPECTOR = "inspector"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Event(StrEnum):
    """What the audit trail tells."""

    SIGNED_IN = "signed in"
    SIGN_IN_REFUSED = "sign-in refused"
    SIGNED_OUT = "signed out"
    SIGNED_OUT_EVERYWHERE = "signed out everywhere"
    REFUSED = "refused"
    ADDED = "account added"
    CHANGED = "account changed"
    DISABLED = "account disabled"
    ENABLED = "account enabled"
    PASSWORD_CHANGED = "password changed"
    PASSWORD_RESET = "password reset"
    SECOND_FACTOR_ENROLLED = "second factor enrolled"


class PersonError(ValueError):
    """What was asked for cannot be; `reason` is a word of it, `field` where to mend it."""

    def __init__(self, field: str, reason: str, words: str) -> None:
        """Keep all; `words` are English, for the command line."""
        super().__init__(words)
        self.field, self.reason = field, reason


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sign in. An empty subtree holds every object."""

    id: int
    login: str
    role: Role
    subtree: tuple[str, ...] = ()
    locale: str | None = None
    is_active: bool = True
    is_one_time: bool = False
    has_second_factor: bool = False

    def may_see(self, path: Sequence[str]) -> bool:
        """Whether an object of that path lies in the subtree."""
        return tuple(path[: len(self.subtree)]) == self.subtree


@dataclass(frozen=True, slots=True)
class Attempts:
    """Attempts to sign in that did not succeed, in succession, and until when none is admitted."""

    failures: int = 0
    locked_until: datetime | None = None

    def another(self, now: datetime) -> Attempts | None:
        """With one more, counted before it is made, so that many at once are no more; None if refused."""
        if self.locked_until is not None and now < self.locked_until:
            return None
        failures = 1 if self.locked_until else self.failures + 1
        return Attempts(failures, now + LOCKED_FOR if failures >= MOST_FAILURES else None)


def is_alive(signed_in_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Whether a session goes on: neither idle for too long nor too old."""
    return now - seen_at < IDLE and now - signed_in_at < LONGEST


def check_login(login: str) -> str:
    """The login, if it can be one. Raises PersonError."""
    if not _LOGIN.fullmatch(login):
        raise PersonError("login", "login", "expected 2 to 64 letters, digits or . @ + - _ as a login")
    return login


def check_password(password: str, login: str) -> str:
    """The password, if it is good enough. Raises PersonError."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        words = f"expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
        raise PersonError("password", "length", words)
    has_login = len(login) >= _LONG_LOGIN and login.casefold() in password.casefold()
    if has_login or len(set(password)) < SHORTEST_PASSWORD // 2:
        raise PersonError("password", "guessable", "expected a password that is not easily guessed")
    return password


def path_of(text: str) -> tuple[str, ...]:
    """An object path as people write it: `Region > Street > House`."""
    return tuple(part.strip() for part in text.split(">") if part.strip())


@dataclass(frozen=True, slots=True)
class Caller:
    """Who does something to accounts, and from which IP address; None before signing in, or without one."""

    login: str | None = None
    address: str | None = None
