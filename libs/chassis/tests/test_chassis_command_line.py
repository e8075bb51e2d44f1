"""The command line every service has."""

from argparse import Namespace
from types import SimpleNamespace
from typing import Any

import pytest
from balance_chassis import command_line
from balance_chassis.command_line import Command
from balance_chassis.lifecycle import EXIT_SETTINGS
from balance_chassis.settings import SettingsError

SETTINGS: Any = SimpleNamespace(installation=object())


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, load: Any = lambda: SETTINGS) -> int:
    monkeypatch.setattr("sys.argv", ["balance_ingest", *arguments])
    return command_line.main(
        "ingest",
        "what it is for",
        load=load,
        roles=("worker", "live"),
        build=lambda settings, role: (settings, role),  # type: ignore[arg-type, return-value] # handed on
        migrate=lambda _: ["0001_create_evidence"],
        further=[Command("weigh", "weigh something", lambda parser: parser.add_argument("what"), weigh)],
    )


def weigh(settings: Any, arguments: Namespace) -> int:
    print(settings is SETTINGS, arguments.what)
    return 3


def test_a_role_is_run_on_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []

    def ended(*given: object) -> int:
        ran.append(given)
        return 70

    monkeypatch.setattr(command_line, "run_process", ended)
    monkeypatch.setattr(command_line, "end_within", lambda _, code: ran.append(code))
    assert run(monkeypatch, "run", "--role", "worker") == 70
    assert ran == [("ingest", "worker", (SETTINGS, "worker"), SETTINGS.installation), 70]


def test_an_unknown_role_is_refused_with_those_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "run", "--role", "other")
    assert "'live', 'worker'" in capsys.readouterr().err


def test_migrate_names_what_it_applied(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "migrate") == 0
    assert capsys.readouterr().out == "applied 0001_create_evidence\n"


def test_check_config_touches_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "check-config") == 0
    assert capsys.readouterr().out == ""


def test_a_further_command_of_a_service_is_run_on_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "weigh", "gold") == 3
    assert capsys.readouterr().out == "True gold\n"


@pytest.mark.parametrize(
    "command", [("check-config",), ("migrate",), ("run", "--role", "live"), ("weigh", "gold")]
)
def test_wrong_settings_are_said_in_words(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong() -> Any:
        raise SettingsError(["BALANCE_REGISTRY_URL is not set"])

    assert run(monkeypatch, *command, load=wrong) == EXIT_SETTINGS
    assert "BALANCE_REGISTRY_URL" in capsys.readouterr().err
