"""Puts the service together: the only module that names concrete adapters. Nothing connects at import."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from balance_chassis.framing import make_codec
from balance_chassis.kafka import make_producer
from balance_chassis.lifecycle import Process, Runnable
from balance_chassis.migrations import migrate as migrate_schema
from balance_chassis.postgres import make_pool
from balance_chassis.publisher import Publisher
from balance_chassis.worker import Worker
from balance_kernel.calendar import Calendar
from balance_schemas import avsc

from balance_gateway.adapters.postgres import PostgresRegister
from balance_gateway.adapters.publishing import Renderer
from balance_gateway.adapters.queries import SCHEMA
from balance_gateway.domain.kinds import KINDS, Kind
from balance_gateway.domain.reading import Reader
from balance_gateway.handlers import Readers, Registering
from balance_gateway.metrics import GatewayMetrics
from balance_gateway.settings import GatewaySettings

SERVICE = "gateway"
_COUNTED_EVERY_S = 60.0


def migrate(settings: GatewaySettings) -> Sequence[str]:
    """Bring the schema up to date; gives the names of what was applied."""
    installation = settings.installation
    return migrate_schema(installation.postgres.dsn, SCHEMA, "balance_gateway", installation.calendar)


def readers(calendar: Calendar) -> Readers:
    """A reader of each kind, for instants of that calendar."""

    @cache
    def reader(kind: Kind) -> Reader:
        return Reader(kind, avsc.newest(kind.record), calendar)

    return reader


@contextmanager
def opened(settings: GatewaySettings) -> Iterator[tuple[Registering, PostgresRegister]]:
    """The register for somebody at the installation's machine: what changes it, and where it stands."""
    installation = settings.installation
    with make_pool(installation.postgres, SERVICE, size=1) as pool:
        register = PostgresRegister(pool)
        calendar = installation.calendar
        yield Registering(register, readers(calendar), calendar), register


class Assembly:
    """Makes the runnables of each role for one process."""

    def __init__(self, settings: GatewaySettings, process: Process) -> None:
        """Open the pool and find the schema ids."""
        self._settings = settings
        self._process = process
        self._pool = make_pool(settings.installation.postgres, SERVICE)
        process.closing.callback(self._pool.close)

    def worker(self) -> Sequence[Runnable]:
        """Publishes, and counts; one process an installation."""
        installation = self._settings.installation
        metrics = GatewayMetrics(self._process.metrics.registry)
        register = PostgresRegister(self._pool)

        def count() -> int:
            found = register.counts()
            for kind in KINDS:
                metrics.entities.labels(kind.word).set(found.get(kind.word, 0))
            return 0

        return [
            Publisher(
                self._pool,
                SCHEMA,
                make_producer(installation.kafka),
                Renderer(make_codec(installation.registry)),
                kafka=installation.kafka,
                metrics=self._process.metrics,
            ),
            Worker("counting", count, metrics=self._process.metrics, idle_s=_COUNTED_EVERY_S),
        ]


ROLES: dict[str, Callable[[Assembly], Sequence[Runnable]]] = {"worker": Assembly.worker}


def build(settings: GatewaySettings, role: str) -> Callable[[Process], Sequence[Runnable]]:
    """What `run_process` calls to make the runnables of a role. Raises KeyError for an unknown role."""
    make = ROLES[role]
    return lambda process: make(Assembly(settings, process))
