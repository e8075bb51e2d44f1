"""The life of a process: order, signals, exit codes."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from balance_chassis.errors import Fatal
from balance_chassis.lifecycle import Process, Runnable, refuse_uvloop, run_process
from balance_chassis.migrations import for_storage
from balance_chassis.patience import Progress
from balance_chassis.settings import Settings, load

HERE = Path(__file__).parent


@pytest.fixture
def settings(unused_port: int) -> Iterator[Settings]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield load(
        {
            "BALANCE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{unused_port}",
            "BALANCE_REGISTRY_URL": "http://127.0.0.1",
            "BALANCE_POSTGRES_DSN": "host=127.0.0.1",
        }
    )
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


class Part:
    def __init__(self, name: str, told: list[str], error: Exception | None = None) -> None:
        self.name = name
        self.progress = Progress(name)
        self._told = told
        self._error = error

    async def run(self, stop: asyncio.Event) -> None:
        if self._error:
            raise self._error
        await stop.wait()
        self._told.append(self.name)


def test_a_signal_stops_the_last_first_and_then_closes(settings: Settings) -> None:
    told: list[str] = []

    def build(process: Process) -> Sequence[Runnable]:
        process.closing.callback(told.append, "closed")
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
        return [Part("publisher", told), Part("worker", told), Part("sink", told)]

    assert run_process("trial", "live", build, settings) == 0
    assert told == ["sink", "worker", "publisher", "closed"]


@pytest.mark.parametrize(
    ("error", "code"), [(Fatal("no more"), 70), (Fatal("stalled", 75), 75), (ZeroDivisionError(), 70)]
)
def test_an_error_of_one_stops_the_others_and_gives_the_exit_code(
    settings: Settings, error: Exception, code: int
) -> None:
    told: list[str] = []

    def build(_: Process) -> Sequence[Runnable]:
        return [Part("publisher", told), Part("sink", told, error)]

    assert run_process("trial", "live", build, settings) == code
    assert told == ["publisher"]


@pytest.mark.parametrize(
    ("left", "how", "code"),
    [
        ("task", "stop", 0),
        ("task", "fail", 71),
        ("thread", "stop", 0),
        ("thread", "fail", 71),
        ("part", "stop", 75),
        ("part", "fail", 71),
    ],
)
def test_what_never_ends_does_not_keep_a_process_from_ending(
    settings: Settings, left: str, how: str, code: int
) -> None:
    """`asyncio.run` waits for a task that swallows its cancellation, Python for a thread, we for parts."""
    environment = {
        "BALANCE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "BALANCE_REGISTRY_URL": "http://127.0.0.1",
        "BALANCE_POSTGRES_DSN": "host=127.0.0.1",
    }
    program = [sys.executable, str(HERE / "stubborn_process.py"), left, how]
    ended = subprocess.run(program, env={**os.environ, **environment}, timeout=30, capture_output=True)
    assert ended.returncode == code
    assert b"did not end within 0.5 s, and is ended" in ended.stdout


def test_wrong_settings_are_said_in_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("BALANCE_")]:
        monkeypatch.delenv(name)
    assert run_process("trial", "live", lambda _: []) == 78
    assert "BALANCE_POSTGRES_DSN is not set" in capsys.readouterr().err


def test_uvloop_is_refused() -> None:
    loop = type("Loop", (), {"__module__": "uvloop.loop"})()
    with pytest.raises(Fatal, match="uvloop"):
        refuse_uvloop(loop)


def test_blocks_of_a_migration_for_the_other_storage_are_left_out() -> None:
    text = "a\n-- if timescaledb\nb\n-- if plain\nc\n  -- end\nd"
    assert for_storage(text, "plain") == "a\nc\nd"
    assert for_storage(text, "timescaledb") == "a\nb\nd"
