"""Passwords, tokens and codes: Argon2id, random tokens, time-based one-time codes (RFC 6238)."""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from unicodedata import normalize

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

_ISSUER = "BALANCE"
_STEP_S = 30
_ONE_TIME_GROUPS = 4


class Passwords:
    """Hashes of passwords. A changed `hasher` takes old hashes and says that they are stale."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """By OWASP's parameters unless told otherwise: 19 MiB, so that eight at once are borne."""
        self._hasher = hasher or PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    def hash(self, password: str) -> str:
        """Argon2id, with salt and parameters."""
        return self._hasher.hash(normalize("NFKC", password))

    def is_right(self, password: str, stored: str | None) -> bool:
        """Whether it is the password of that hash; None (nobody's) costs as much and is never right."""
        try:
            self._hasher.verify(stored or self._of_nobody, normalize("NFKC", password))
        except VerifyMismatchError:
            return False
        return stored is not None

    def is_stale(self, stored: str) -> bool:
        """Whether it was hashed by other parameters."""
        return self._hasher.check_needs_rehash(stored)

    @cached_property
    def _of_nobody(self) -> str:
        return self._hasher.hash(secrets.token_urlsafe())


def one_time_password() -> str:
    """Four groups of letters and digits that people can read aloud, of 80 bits."""
    letters = pyotp.random_base32(32)[: _ONE_TIME_GROUPS * 4].lower()
    return "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))


def token() -> str:
    """Of a session: 256 bits."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()


def new_secret() -> str:
    """Of a second factor, in base 32."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, login: str) -> str:
    """What an authenticator takes, as `otpauth://totp/…`."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=_ISSUER)


def step_of(code: str, secret: str, now: datetime) -> int | None:
    """The 30 s step whose code it is, at most one away from now; None if it is none."""
    at = int(now.timestamp()) // _STEP_S
    totp = pyotp.TOTP(secret)
    typed = "".join(code.split()).encode()
    codes = {step: totp.generate_otp(step).encode() for step in (at - 1, at, at + 1)}
    return max((step for step, right in codes.items() if hmac.compare_digest(right, typed)), default=None)
