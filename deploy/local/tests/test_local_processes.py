"""Daemons, ports and the keeper of services, with processes of the test's own."""

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from balance_local import ports, stack
from balance_local.daemon import Daemon, NotStartedError
from balance_local.supervisor import Keeper, Service, log_of, recorded

SLEEPS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
FAKE_SERVICE = "import sys, time; print(sys.argv[1:], flush=True); time.sleep(600)"


def eventually(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon("the sleeper", tmp_path / "sleeper")
    yield made
    made.stop()


def test_a_daemon_is_found_again_and_stopped(daemon: Daemon) -> None:
    daemon.start(SLEEPS)
    again = Daemon("the sleeper", daemon.folder)
    again.wait(lambda: "here" in again.log.read_text(), 20)
    assert again.process() == daemon.process()
    assert again.stop()
    assert daemon.process() is None
    assert not daemon.stop()


def test_a_daemon_is_known_although_its_variables_show_late(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, asked = psutil.Process.environ, []

    def late(process: psutil.Process) -> dict[str, str]:
        asked.append(process)
        return shown(process) if len(asked) > 3 else {}

    monkeypatch.setattr(psutil.Process, "environ", late)
    daemon.start(SLEEPS)
    assert daemon.process() is not None


def test_a_killed_daemon_is_known_to_be_gone(daemon: Daemon) -> None:
    daemon.start(SLEEPS)
    process = daemon.process()
    assert process is not None
    process.kill()
    eventually(lambda: daemon.process() is None)


def test_a_pid_that_belongs_to_another_by_now_is_left_alone(daemon: Daemon) -> None:
    daemon.folder.mkdir()
    (daemon.folder / "pid").write_text(str(psutil.Process().pid))
    assert daemon.process() is None
    assert not daemon.stop()  # or this test would have ended here


@pytest.mark.parametrize("garbage", ["", "not a pid", "-1", "99999999"])
def test_a_garbled_pid_file_means_not_running(daemon: Daemon, garbage: str) -> None:
    daemon.folder.mkdir()
    (daemon.folder / "pid").write_text(garbage)
    assert daemon.process() is None


def test_what_ends_while_starting_is_reported_with_its_last_words(daemon: Daemon) -> None:
    daemon.start([sys.executable, "-c", "raise SystemExit('no disk left')"])
    with pytest.raises(NotStartedError, match=r"the sleeper ended while starting(.|\n)*no disk left"):
        daemon.wait(lambda: False, 20)


def test_what_takes_too_long_is_reported(daemon: Daemon) -> None:
    daemon.start(SLEEPS)
    with pytest.raises(NotStartedError, match=r"not ready after 0 s"):
        daemon.wait(lambda: False, 0)


def test_a_port_is_kept_until_another_takes_it(tmp_path: Path) -> None:
    first = ports.choose(tmp_path, "broker")
    assert ports.choose(tmp_path, "broker") == first
    assert ports.choose(tmp_path, "database") != first
    with socket.create_server(("127.0.0.1", first)):
        assert ports.answers(first)
        second = ports.choose(tmp_path, "broker")
        assert second != first
    assert ports.recorded_port(tmp_path, "broker") == second
    assert not ports.answers(first)


def test_a_garbled_list_of_ports_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    port = ports.choose(tmp_path, "broker")
    assert ports.recorded_port(tmp_path, "broker") == port


def test_given_addresses_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in stack.GIVEN:
        monkeypatch.setenv(name, f"their {name}")
    found = stack.ensure()
    assert found.given
    assert found.bootstrap_servers == "their BALANCE_KAFKA_BOOTSTRAP_SERVERS"


def test_half_of_the_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in stack.GIVEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BALANCE_REGISTRY_URL", "http://registry.example")
    with pytest.raises(
        stack.AddressesError, match="found no BALANCE_KAFKA_BOOTSTRAP_SERVERS, BALANCE_POSTGRES_DSN"
    ):
        stack.ensure()


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeper]:
    (tmp_path / "balance_fake.py").write_text(FAKE_SERVICE)
    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = Keeper(Service("fake", "live", port=1), tmp_path)
    yield made
    made.stop()


def test_a_service_that_dies_is_started_again_after_a_pause_that_grows(keeper: Keeper) -> None:
    assert keeper.look(now=0.0)
    now = 0.0
    for restart, pause in enumerate((0.5, 1.0, 2.0), 1):
        dead = keeper.service.pid
        psutil.Process(dead).kill()
        eventually(lambda now=now: keeper.look(now))  # type: ignore[misc]
        assert (keeper.service.pid, keeper.service.restarts) == (0, restart)
        assert not keeper.look(now + pause - 0.1)
        now += pause
        assert keeper.look(now)
        assert keeper.service.pid not in (0, dead)


def test_a_service_is_run_with_its_role_and_port(keeper: Keeper, tmp_path: Path) -> None:
    keeper.look(now=0.0)
    log = log_of(tmp_path, keeper.service)
    eventually(lambda: "['run', '--role', 'live']" in log.read_text())
    assert psutil.Process(keeper.service.pid).environ()["BALANCE_HTTP_PORT"] == "1"


def test_no_record_of_services_means_none(tmp_path: Path) -> None:
    assert recorded(tmp_path) == []


class Part:
    """A part of the stack that runs and answers only after some waits, or never."""

    daemon = Daemon("the part", Path("part"))

    def __init__(self, waits_that_fail: int) -> None:
        self.done: list[str] = []
        self._waits_that_fail = waits_that_fail

    def is_up(self) -> bool:
        return False

    def start(self) -> None:
        self.done.append("start")

    def stop(self) -> bool:
        self.done.append("stop")
        return True

    def wait(self) -> None:
        self.done.append("wait")
        if self.done.count("wait") <= self._waits_that_fail:
            raise NotStartedError("not ready")


def test_what_is_only_busy_is_left_running() -> None:
    part = Part(waits_that_fail=0)
    assert not stack._restart_unless_it_answers(part)
    assert part.done == ["wait"]


def test_what_hangs_is_started_anew() -> None:
    part = Part(waits_that_fail=1)
    assert stack._restart_unless_it_answers(part)
    assert part.done == ["wait", "stop", "start", "wait"]
