"""The `balance` command refuses in words what cannot be, before anything is started or made."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from balance_local import installation, stack
from balance_local.cli import app
from balance_local.stack import GIVEN
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BALANCE_LOCAL_ROOT", str(tmp_path))
    return tmp_path


def refused(*words: str) -> str:
    """What a command says that ends with 1 and has started nothing."""
    result = CliRunner().invoke(app, list(words))
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output
    assert list(installation.everyone()) == []
    return result.output


@pytest.mark.parametrize("name", ["", "Bloc-7", "../../x", "7th", "a\tb", "café", "x" * 41])
@pytest.mark.parametrize("command", ["status", "up", "down", "psql"])
def test_a_name_that_cannot_be_is_refused(name: str, command: str) -> None:
    assert f"found {name!r}" in refused("-i", name, command)


@pytest.mark.parametrize("command", [["status"], ["down"], ["drop"], ["dlq", "list"]])
def test_an_installation_that_is_not_there_is_not_made(command: list[str]) -> None:
    assert "there is no installation nobody; make it: balance --installation nobody up" in refused(
        "-i", "nobody", *command
    )


@pytest.mark.parametrize(
    "command", [["psql"], ["drop", "--yes"], ["dlq", "list"], ["weather", "load", "w.csv"]]
)
def test_nor_is_the_main_one_by_a_command_that_only_uses_it(
    command: list[str], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root / "w.csv").write_text("object;time;temperature\n;2025-11-01T00:00;4.0\n")
    assert "there is no installation main; make it: balance --installation main up" in refused(*command)


def test_sql_is_in_the_zone_of_the_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A date is the start of its metering day then, where days start at midnight."""
    found: list[str] = []
    made = SimpleNamespace(dsn="dbname=x", description=installation.Description("main", "Europe/Madrid"))
    monkeypatch.setattr(installation, "opened", lambda *_: made)
    monkeypatch.setattr(os, "execvpe", lambda *given: found.append(given[2]["PGTZ"]))
    monkeypatch.delenv("PGTZ", raising=False)
    CliRunner().invoke(app, ["psql"])
    monkeypatch.setenv("PGTZ", "UTC")
    CliRunner().invoke(app, ["psql"])
    assert found == ["Europe/Madrid", "UTC"]


def test_accounts_are_the_gateways_own_command(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[list[str]] = []
    made = SimpleNamespace(environment=dict)
    monkeypatch.setattr(installation, "opened", lambda *_: made)

    def run(command: list[str], **_: object) -> SimpleNamespace:
        found.append(command[1:])
        return SimpleNamespace(returncode=3)

    monkeypatch.setattr(subprocess, "run", run)
    words = ["person", "add", "anna", "--role", "administrator"]
    assert CliRunner().invoke(app, ["-i", "demo", *words]).exit_code == 3
    assert found == [["-m", "balance_gateway", *words]]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--zone", "Mars/Olympus"), ("--zone", "../etc"), ("--day-start-hour", "77"), ("--clock", "sundial")],
)
def test_a_calendar_that_cannot_be_is_refused_before_anything_is_made(option: str, value: str) -> None:
    assert value in refused("-i", "made", "up", option, value)


def test_another_calendar_than_it_was_made_with_is_refused(root: Path) -> None:
    folder = root / "installations" / "made"
    folder.mkdir(parents=True)
    (folder / "installation.json").write_text('{"name": "made", "zone": "Europe/Madrid"}')
    result = CliRunner().invoke(app, ["-i", "made", "up", "--zone", "Europe/Bucharest"])
    assert result.exit_code == 1
    assert "expected installation made to be in Europe/Bucharest" in result.output
    assert "found in Europe/Madrid" in result.output


def test_down_says_that_nothing_ran() -> None:
    result = CliRunner().invoke(app, ["down"])
    assert result.exit_code == 0
    assert "the stack did not run" in result.output


def test_an_interrupted_command_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stack, "down", interrupt)
    result = CliRunner().invoke(app, ["down"])
    assert result.exit_code == 130
    assert "stop all: balance down --all" in result.output


@pytest.mark.parametrize("scenario", ["nowhere.yaml", "nowhere", "."])
def test_a_scenario_that_is_no_file_is_refused(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"{scenario} cannot be played:\n- the scenario: expected a YAML file" in refused(
        "replay", scenario
    )
