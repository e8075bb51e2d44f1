"""The local stack: broker, database and registry, started once and used by everybody of this checkout."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from balance_local.broker import Broker
from balance_local.daemon import Daemon, NotStartedError
from balance_local.database import Database
from balance_local.mosquitto import Mosquitto
from balance_local.paths import local_root
from balance_local.registry import SchemaRegistry

GIVEN = ("BALANCE_KAFKA_BOOTSTRAP_SERVERS", "BALANCE_REGISTRY_URL", "BALANCE_POSTGRES_DSN")

Say = Callable[[str], None]


class Part(Protocol):
    """Broker, database, registry or MQTT broker."""

    @property
    def daemon(self) -> Daemon:
        """Its process."""

    def is_up(self) -> bool:
        """Whether it runs and answers."""

    def start(self) -> None:
        """Start it; `wait` tells when it serves."""

    def wait(self) -> None:
        """Return when it serves. Raises NotStartedError."""

    def stop(self) -> bool:
        """Stop it cleanly; whether it ran."""


class AddressesError(RuntimeError):
    """Some addresses are given in the environment and some are not."""


@dataclass(frozen=True)
class Stack:
    """Addresses of what runs. `given`: they come from the environment, and nothing here is ours to stop."""

    bootstrap_servers: str
    registry_url: str
    postgres_admin_dsn: str = field(repr=False)
    given: bool = False


def ensure(say: Say = lambda _: None) -> Stack:
    """Start what does not run and return the addresses. May be called by many at once, at any time.

    Addresses in the environment win: all three of GIVEN, or none. The DSN is one that may create databases.
    What was killed is started again on its data; a port that another program took meanwhile is replaced.
    Raises NotStartedError with the end of the log of what did not start, AddressesError.
    """
    given = _given()
    if given:
        return given
    root = local_root()
    with locked(root, say):
        return _ensure(root, say)


def ensure_mosquitto(say: Say = lambda _: None) -> Mosquitto:
    """Start the MQTT broker when it does not run: nobody but an edge needs it, so `ensure` does not.

    Raises NotStartedError.
    """
    root = local_root()
    with locked(root, say):
        broker = Mosquitto(root)
        if not broker.is_up():
            broker.stop()
            broker.start()
            broker.wait()
            say(f"Mosquitto started on port {broker.port}")
    return broker


def down(say: Say = lambda _: None) -> None:
    """Stop all of them cleanly. What is given in the environment is left alone."""
    if _given():
        say("the stack is given in the environment: left running")
        return
    root = local_root()
    with locked(root, say):
        parts: tuple[Part, ...] = (Mosquitto(root), SchemaRegistry(root), Broker(root), Database(root))
        stopped = [part for part in parts if part.stop()]
        for part in stopped:
            say(f"{part.daemon.title} stopped")
        if not stopped:
            say("the stack did not run")


def running() -> Stack | None:
    """The addresses if everything runs, without starting anything."""
    given = _given()
    if given:
        return given
    root = local_root()
    parts = (Database(root), Broker(root), SchemaRegistry(root))
    return _addresses(root) if all(part.is_up() for part in parts) else None


@contextmanager
def locked(root: Path, say: Say) -> Iterator[None]:
    """Start or stop parts of this root alone. The kernel frees the lock of a process that dies."""
    with (root / "stack.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another command that starts or stops the stack")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _given() -> Stack | None:
    values = [os.environ.get(name) for name in GIVEN]
    if not any(values):
        return None
    servers, registry, dsn = values
    if not (servers and registry and dsn):
        missing = [name for name, value in zip(GIVEN, values, strict=True) if not value]
        raise AddressesError(f"expected all of {', '.join(GIVEN)} or none, found no {', '.join(missing)}")
    return Stack(servers, registry, dsn, given=True)


def _ensure(root: Path, say: Say) -> Stack:
    database, broker, registry = Database(root), Broker(root), SchemaRegistry(root)
    begun = time.monotonic()

    def ready(part: Part) -> None:
        say(f"{part.daemon.title} started after {time.monotonic() - begun:.1f} s")

    # Broker and database start side by side; the registry needs the database.
    started: list[Part] = [part for part in (database, broker) if part.daemon.process() is None]
    for part in started:
        part.start()
    for part in (database, broker):
        if part in started:
            part.wait()
            ready(part)
        elif _restart_unless_it_answers(part):
            started.append(part)
            ready(part)
    if database in started:
        if database.folder.parent != root:
            say(f"user postgres cannot reach {root}: the database lies in {database.folder}")
        registry.stop()  # its connections went with the database
    if registry.daemon.process() is None:
        registry.start()
        registry.wait()
        ready(registry)
    elif _restart_unless_it_answers(registry):
        ready(registry)
    return _addresses(root)


def _restart_unless_it_answers(part: Part) -> bool:
    """Whether it had to be restarted. One that is only busy is given time: others may be using it."""
    try:
        if not part.is_up():
            part.wait()
    except NotStartedError:
        part.stop()
        part.start()
        part.wait()
        return True
    return False


def _addresses(root: Path) -> Stack:
    return Stack(Broker(root).bootstrap_servers, SchemaRegistry(root).url, Database(root).admin_dsn)
