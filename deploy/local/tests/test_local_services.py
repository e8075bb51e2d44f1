"""The services of an installation together: started, started again, stopped; by stand-ins."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from balance_local import services, supervisor
from balance_local.daemon import NotStartedError

STAND_IN = """
import http.server, os, signal, sys

class Door(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = not os.environ.get("STAND_IN_WAITS_FOR")
        self.send_response(200 if ready else 503)
        self.end_headers()
        self.wfile.write(b"sink: ready\\n" if ready else b"sink: waits: database away\\n")
    def log_message(self, *_): pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.HTTPServer(("127.0.0.1", int(os.environ["BALANCE_HTTP_PORT"])), Door).serve_forever()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    services.down(tmp_path)


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    for service in supervisor.SERVICES:
        package = tmp_path / "stand-ins" / f"balance_{service}"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(STAND_IN)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path / "stand-ins"), os.environ.get("PYTHONPATH", "")])}


def eventually(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = monotonic() + seconds
    while not true():
        assert monotonic() < deadline, "it never came true"
        sleep(0.02)


def pids(folder: Path) -> set[int]:
    return {service.pid for service in supervisor.recorded(folder)}


def test_they_are_started_once_and_stopped_in_reverse(folder: Path, environment: Mapping[str, str]) -> None:
    first = services.up(folder, environment)
    assert [service.title for service in first] == [
        f"{service} {role}" for service, role in supervisor.ALWAYS
    ]
    assert services.up(folder, environment) == first
    running = [psutil.Process(service.pid) for service in first]
    assert services.down(folder)
    assert not any(process.is_running() for process in running)
    stopped = [
        line for line in services.daemon(folder).log.read_text().splitlines() if " stopped with " in line
    ]
    assert [line.split(" ", 1)[1] for line in stopped] == [
        f"{service.title} stopped with 0" for service in reversed(first)
    ]
    assert not services.down(folder)


def test_one_that_is_killed_comes_back(folder: Path, environment: Mapping[str, str]) -> None:
    killed = services.up(folder, environment)[1]
    psutil.Process(killed.pid).kill()
    eventually(
        lambda: supervisor.recorded(folder)[1].restarts == 1 and supervisor.recorded(folder)[1].pid != 0
    )
    eventually(lambda: services.state(supervisor.recorded(folder)[1]) == "ready")
    assert [service.restarts for service in supervisor.recorded(folder)] == [
        int(position == 1) for position in range(len(supervisor.ALWAYS))
    ]


def test_what_a_killed_supervisor_left_is_ended_before_a_new_start(
    folder: Path, environment: Mapping[str, str]
) -> None:
    services.up(folder, environment)
    orphans = [psutil.Process(pid) for pid in pids(folder)]
    keeper = services.daemon(folder).process()
    assert keeper is not None
    keeper.kill()
    keeper.wait(20)
    services.up(folder, environment)
    assert not any(orphan.is_running() for orphan in orphans)
    assert len(pids(folder)) == len(supervisor.ALWAYS)


def test_other_addresses_start_them_anew(folder: Path, environment: Mapping[str, str]) -> None:
    services.up(folder, environment)
    before = pids(folder)
    services.up(folder, {**environment, "BALANCE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"})
    assert not before & pids(folder)


def test_what_is_not_ready_is_named_with_what_it_waits_for(
    folder: Path, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "READY_WITHIN_S", 2.0)
    with pytest.raises(NotStartedError, match=r"ingest worker: sink: waits: database away"):
        services.up(folder, {**environment, "STAND_IN_WAITS_FOR": "the database"})
