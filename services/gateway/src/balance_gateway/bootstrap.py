"""Puts the service together: the only module that names concrete adapters. Nothing connects at import."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from balance_chassis.errors import Fatal
from balance_chassis.framing import make_codec
from balance_chassis.kafka import make_producer
from balance_chassis.lifecycle import EXIT_SETTINGS, Process, Runnable
from balance_chassis.migrations import migrate as migrate_schema
from balance_chassis.postgres import make_pool
from balance_chassis.publisher import Publisher
from balance_chassis.worker import Worker
from balance_kernel.calendar import Calendar
from balance_schemas import avsc
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_gateway.adapters import files
from balance_gateway.adapters.accounts import PostgresAccounts
from balance_gateway.adapters.people import PostgresPeople
from balance_gateway.adapters.postgres import PostgresRegister
from balance_gateway.adapters.publishing import Renderer
from balance_gateway.adapters.queries import SCHEMA
from balance_gateway.adapters.reads import PostgresReads
from balance_gateway.adapters.uploads import PostgresUploads
from balance_gateway.adapters.web_server import WebServer
from balance_gateway.domain.kinds import KINDS, Kind
from balance_gateway.domain.reading import Reader
from balance_gateway.entrypoints import console
from balance_gateway.entrypoints.desk import Rooms
from balance_gateway.entrypoints.http import make_app
from balance_gateway.handlers import Importing, Readers, Registering
from balance_gateway.metrics import GatewayMetrics
from balance_gateway.settings import GatewaySettings

SERVICE = "gateway"
_COUNTED_EVERY_S = 60.0
_WEB_THREADS = 8


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


def person(settings: GatewaySettings, arguments: Namespace) -> int:
    """Do what the command `person` says; the exit code."""
    with make_pool(settings.installation.postgres, SERVICE, size=1) as pool:
        return console.person(PostgresAccounts(pool), arguments)


class Assembly:
    """Makes the runnables of each role for one process."""

    def __init__(self, settings: GatewaySettings, process: Process) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        self._process = process

    def worker(self) -> Sequence[Runnable]:
        """Publishes, and counts; one process an installation."""
        installation = self._settings.installation
        metrics = GatewayMetrics(self._process.metrics.registry)
        pool = self._pool()
        register = PostgresRegister(pool)

        def count() -> int:
            found = register.counts()
            for kind in KINDS:
                metrics.entities.labels(kind.word).set(found.get(kind.word, 0))
            return 0

        return [
            Publisher(
                pool,
                SCHEMA,
                make_producer(installation.kafka),
                Renderer(make_codec(installation.registry)),
                kafka=installation.kafka,
                metrics=self._process.metrics,
            ),
            Worker("wording", register.give_words, metrics=self._process.metrics, idle_s=_COUNTED_EVERY_S),
            Worker("counting", count, metrics=self._process.metrics, idle_s=_COUNTED_EVERY_S),
        ]

    def web(self) -> Sequence[Runnable]:
        """Serves the pages; any number an installation. Raises Fatal without a secret key."""
        settings, calendar = self._settings, self._settings.installation.calendar
        if settings.secret_key is None:
            raise Fatal("BALANCE_GATEWAY_SECRET_KEY is not set: the pages need it", EXIT_SETTINGS)
        pool = self._pool(_WEB_THREADS)
        registering = Registering(PostgresRegister(pool), readers(calendar), calendar)
        rooms = Rooms(
            registering=registering,
            reads=PostgresReads(pool),
            people=PostgresPeople(pool),
            accounts=PostgresAccounts(pool),
            calendar=calendar,
            importing=Importing(registering, PostgresUploads(pool), files.read),
        )
        app = make_app(rooms, settings.secret_key, is_secure=settings.is_secure)
        # Without HTTPS a password is anybody's who listens: then nobody but this machine is answered.
        host = "*" if settings.is_secure else "127.0.0.1"
        return [WebServer(app, host, settings.web_port, _WEB_THREADS)]

    def _pool(self, size: int | None = None) -> ConnectionPool[Connection]:
        pool = make_pool(self._settings.installation.postgres, SERVICE, size)
        self._process.closing.callback(pool.close)
        return pool


ROLES: dict[str, Callable[[Assembly], Sequence[Runnable]]] = {"worker": Assembly.worker, "web": Assembly.web}


def build(settings: GatewaySettings, role: str) -> Callable[[Process], Sequence[Runnable]]:
    """What `run_process` calls to make the runnables of a role. Raises KeyError for an unknown role."""
    make = ROLES[role]
    return lambda process: make(Assembly(settings, process))
