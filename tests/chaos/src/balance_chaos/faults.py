"""Kill what serves an installation, without a warning, and bring back what nobody watches over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
from balance_local import services, stack, supervisor
from balance_local.broker import Broker
from balance_local.daemon import Daemon
from balance_local.database import Database
from balance_local.installation import Installation
from balance_local.supervisor import Service

from balance_chaos.stage import COMPUTING

Fault = Callable[[Installation, Path], None]


def kill_service(service: str, role: str) -> Fault:
    """kill -9 of one process; its supervisor starts it again."""

    def fault(made: Installation, _root: Path) -> None:
        _killed(psutil.Process(_running(made, service, role).pid))

    fault.__name__ = f"kill {service} {role}"
    return fault


def kill_broker(_made: Installation, root: Path) -> None:
    """kill -9 of the broker; the launcher recovers it."""
    _kill_daemon(Broker(root).daemon)
    stack.ensure()


def kill_database(_made: Installation, root: Path) -> None:
    """kill -9 of the postmaster; the launcher recovers the database."""
    _kill_daemon(Database(root).daemon)
    stack.ensure()


def kill_supervisor_too(made: Installation, _root: Path) -> None:
    """kill -9 of the supervisor and one of its processes; the next `up` takes over what is left."""
    victim = _running(made, "ingest", "worker")
    _kill_daemon(services.daemon(made.folder))
    _killed(psutil.Process(victim.pid))
    made.services_up(names=COMPUTING)


def every_fault() -> Sequence[Fault]:
    """One of each: every role of the services that compute, broker, database, supervisor."""
    roles = [kill_service(service, role) for service, role in supervisor.ALWAYS if service in COMPUTING]
    return [*roles, kill_broker, kill_database, kill_supervisor_too]


def away(part: Broker | Database, seconds: float) -> None:
    """Stop broker or database, as an operator would, for some time."""
    part.stop()
    time.sleep(seconds)  # the length of the absence is what is tested
    stack.ensure()


def pids(made: Installation) -> dict[str, tuple[int, int]]:
    """(pid, restarts) of every service process by title."""
    return {one.title: (one.pid, one.restarts) for one in supervisor.recorded(made.folder)}


def _running(made: Installation, service: str, role: str, patience_s: float = 30.0) -> Service:
    """The process of a role, waited for while its supervisor starts it again."""
    deadline = time.monotonic() + patience_s
    while True:
        for one in supervisor.recorded(made.folder):
            if (one.service, one.role) == (service, role) and one.pid and psutil.pid_exists(one.pid):
                return one
        if time.monotonic() > deadline:
            raise AssertionError(f"{service} {role} was not running within {patience_s:.0f} s")
        time.sleep(0.1)


def _kill_daemon(daemon: Daemon) -> None:
    process = daemon.process()
    if process is None:
        raise AssertionError(f"{daemon.title} was to be killed and does not run")
    _killed(process)


def _killed(process: psutil.Process) -> None:
    process.kill()
    process.wait(10)
