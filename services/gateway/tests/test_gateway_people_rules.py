"""Who may sign in, how often it may be tried, how long it lasts; passwords, codes and settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyotp
import pytest
from argon2 import PasswordHasher
from balance_chassis.errors import Fatal
from balance_chassis.lifecycle import EXIT_SETTINGS
from balance_chassis.settings import SettingsError
from balance_gateway import bootstrap, settings
from balance_gateway.adapters import credentials
from balance_gateway.adapters.credentials import Passwords
from balance_gateway.domain.people import (
    Account,
    Attempts,
    PersonError,
    Role,
    check_login,
    check_password,
    is_alive,
    path_of,
)
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NODES = st.lists(st.sampled_from(["Moldova", "Ialoveni", "Crasescu"]), max_size=4)


@given(NODES, NODES)
def test_a_subtree_holds_the_paths_that_begin_with_it(subtree: list[str], path: list[str]) -> None:
    account = Account(1, "anna", Role.OPERATOR, tuple(subtree))
    assert account.may_see(path) == (" > ".join([*path, ""]).startswith(" > ".join([*subtree, ""])))


@given(st.lists(st.integers(0, 1200), max_size=40))
def test_no_more_than_five_attempts_are_admitted_in_any_quarter_of_an_hour(pauses: list[int]) -> None:
    attempts, now, admitted = Attempts(), NOW, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        if (counted := attempts.another(now)) is not None:
            attempts = counted
            admitted.append(now)
    for number, first in enumerate(admitted):
        within = [one for one in admitted[number:] if one - first < timedelta(minutes=15)]
        assert len(within) <= 9  # four, and after the lock that a fifth before them made, five
    assert attempts.failures <= 5


def test_the_fifth_attempt_locks_for_a_quarter_of_an_hour() -> None:
    attempts = Attempts()
    for _ in range(5):
        found = attempts.another(NOW)
        assert found
        attempts = found
    assert attempts.another(NOW + timedelta(minutes=15, seconds=-1)) is None
    assert attempts.another(NOW + timedelta(minutes=15)) == Attempts(1)


@pytest.mark.parametrize(
    ("signed_in", "seen", "goes_on"),
    [(29, 29, True), (30, 30, False), (719, 1, True), (720, 1, False)],
)
def test_a_session_ends_idle_or_old(signed_in: int, seen: int, goes_on: bool) -> None:
    at = (NOW - timedelta(minutes=signed_in), NOW - timedelta(minutes=seen))
    assert is_alive(*at, NOW) is goes_on


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("eleven char", "length"),
        ("x" * 129, "length"),
        ("ababababababab", "guessable"),
        ("iwasborn-Anna-1980", "guessable"),
    ],
)
def test_a_poor_password_is_refused(password: str, reason: str) -> None:
    with pytest.raises(PersonError) as caught:
        check_password(password, "anna")
    assert caught.value.reason == reason


def test_a_short_login_may_be_in_a_password_by_chance() -> None:
    assert check_password("seven wet gloves", "we") == "seven wet gloves"


@pytest.mark.parametrize("login", ["", "a", "<b>anna</b>", "anna ion", "a\nb", "x" * 65, "anna\n"])
def test_a_login_is_a_word(login: str) -> None:
    with pytest.raises(PersonError):
        check_login(login)


def test_a_path_is_written_as_people_do() -> None:
    assert path_of(" Moldova > Ialoveni >") == ("Moldova", "Ialoveni")
    assert path_of("") == ()


def test_a_password_is_known_by_its_hash_however_it_was_typed() -> None:
    passwords = Passwords(WEAK)
    stored = passwords.hash("ștrand galben 7")
    assert stored.startswith("$argon2id$")
    assert passwords.is_right("s\u0326trand galben 7", stored)
    assert not passwords.is_right("strand galben 7", stored)
    assert not passwords.is_right("ștrand galben 7", None)
    assert not passwords.is_stale(stored)
    assert Passwords().is_stale(stored)


def test_a_one_time_password_is_long_and_another_each_time() -> None:
    first, second = credentials.one_time_password(), credentials.one_time_password()
    assert first != second
    assert len(first.replace("-", "")) == 16
    assert check_password(first, "anna") == first


def test_a_code_is_of_now_or_one_step_away() -> None:
    secret = credentials.new_secret()
    code = pyotp.TOTP(secret).at(NOW)
    step = int(NOW.timestamp()) // 30
    assert credentials.step_of(f" {code[:3]} {code[3:]}", secret, NOW) == step
    assert credentials.step_of(code, secret, NOW + timedelta(seconds=30)) == step
    assert credentials.step_of(code, secret, NOW + timedelta(seconds=60)) is None
    assert credentials.step_of("", secret, NOW) is None
    assert credentials.step_of("ă" * 6, secret, NOW) is None


ENVIRONMENT = {
    "BALANCE_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
    "BALANCE_REGISTRY_URL": "http://localhost:8080",
    "BALANCE_POSTGRES_DSN": "dbname=balance",
}


def test_a_short_key_is_refused_and_never_shown(tmp_path: Any) -> None:
    key = tmp_path / "secret.key"
    key.write_text("correct horse battery staple xx\n")
    with pytest.raises(SettingsError, match="at least 32 characters, found 31"):
        settings.load(ENVIRONMENT | {"BALANCE_GATEWAY_SECRET_KEY_FILE": str(key)})
    found = settings.load(ENVIRONMENT | {"BALANCE_GATEWAY_SECRET_KEY": "k" * 32})
    assert "k" * 32 not in repr(found)


def test_pages_are_not_served_without_a_key() -> None:
    process: Any = SimpleNamespace()
    with pytest.raises(Fatal, match="BALANCE_GATEWAY_SECRET_KEY is not set") as caught:
        bootstrap.build(settings.load(ENVIRONMENT), "web")(process)
    assert caught.value.exit_code == EXIT_SETTINGS
