"""An installation: a database, a topic prefix, a metering calendar and a clock, on the stack that runs."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from balance_chassis.settings import Settings, load
from psycopg import conninfo, sql

from balance_local import paths, services, stack, topics
from balance_local.stack import Say, Stack
from balance_local.supervisor import SERVICES, Service

MAIN = "main"
CLOCKS = ("wall", "packets")
ZONE = "Europe/Chisinau"

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_PASSED_ON = (
    "BALANCE_KAFKA_S",
    "BALANCE_REGISTRY_USERNAME",
    "BALANCE_REGISTRY_PASSWORD",
    "BALANCE_LOG_LEVEL",
    "BALANCE_INGEST_MQTT_",
    "BALANCE_IMBALANCE_WEATHER_",
    "BALANCE_GATEWAY_",
)
"""Beginnings of the variables an installation takes over: TLS, SASL, names and passwords, the log level, the
MQTT broker of an edge, the weather service.
"""


class InstallationError(RuntimeError):
    """An installation is not as it was asked for. The message says what was found and what to do."""


@dataclass(frozen=True)
class Description:
    """What an installation is, wherever its stack runs; kept as `installation.json`."""

    name: str
    zone: str = ZONE
    day_start_hour: int = 0
    clock: str = "wall"

    @property
    def database(self) -> str:
        """Name of its database."""
        return f"balance_{self.name}"

    @property
    def topic_prefix(self) -> str:
        """What goes before its topics and consumer groups: nothing for the main installation."""
        return "" if self.name == MAIN else f"{self.name}."

    @property
    def folder(self) -> Path:
        """Where its description, schema ids and logs lie."""
        return folder_of_all() / self.name


@dataclass(frozen=True)
class Installation:
    """A described installation on a running stack."""

    description: Description
    stack: Stack

    @property
    def name(self) -> str:
        """Its name."""
        return self.description.name

    @property
    def folder(self) -> Path:
        """Where its description, schema ids and logs lie."""
        return self.description.folder

    @property
    def dsn(self) -> str:
        """DSN of its database."""
        return conninfo.make_conninfo(self.stack.postgres_admin_dsn, dbname=self.description.database)

    def environment(self) -> dict[str, str]:
        """Every BALANCE_ variable of its processes, without those of a single process (BALANCE_HTTP_PORT)."""
        passed_on = {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
        return passed_on | {
            "BALANCE_KAFKA_BOOTSTRAP_SERVERS": self.stack.bootstrap_servers,
            "BALANCE_KAFKA_TOPIC_PREFIX": self.description.topic_prefix,
            "BALANCE_REGISTRY_URL": self.stack.registry_url,
            "BALANCE_SCHEMA_IDS": str(self.folder / "schema-ids.json"),
            "BALANCE_POSTGRES_DSN": self.dsn,
            "BALANCE_CALENDAR_ZONE": self.description.zone,
            "BALANCE_CALENDAR_DAY_START_HOUR": str(self.description.day_start_hour),
            "BALANCE_CLOCK": self.description.clock,
            "BALANCE_GATEWAY_SECRET_KEY_FILE": str(_secret_key(self.folder)),
        }

    def settings(self) -> Settings:
        """The same as an object: what each of its processes reads."""
        return load(self.environment())

    def migrate(self) -> None:
        """Bring the schema of every service up to date. Raises InstallationError with the service's words."""
        for service in SERVICES:
            done = subprocess.run(
                [sys.executable, "-m", f"balance_{service}", "migrate"],
                env={**os.environ, **self.environment()},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise InstallationError(f"the migration of {service} failed.\n{done.stdout}{done.stderr}")

    def topics_apply(self, only: Collection[str] | None = None) -> None:
        """Create the catalogue's topics and those of dead letters, register the schemas, keep their ids.

        Raises TopicsError when a topic is there with another number of partitions, RegistryError.
        """
        topics.apply(self.settings(), only)

    def services_up(self, say: Say = lambda _: None, names: Sequence[str] = SERVICES) -> list[Service]:
        """Start its services, unless any run, and return when all are ready. Raises NotStartedError."""
        return services.up(self.folder, self.environment(), say, names)

    def services_down(self) -> bool:
        """Stop its services cleanly; whether they ran."""
        return services.down(self.folder)

    def drop(self) -> None:
        """Stop its services and remove its database, topics and folder. Its schemas stay registered."""
        self.services_down()
        topics.drop(self.settings())
        with psycopg.connect(self.stack.postgres_admin_dsn, autocommit=True) as connection:
            database = sql.Identifier(self.description.database)
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(database))
        shutil.rmtree(self.folder, ignore_errors=True)


def create(
    name: str, zone: str = ZONE, day_start_hour: int = 0, clock: str = "wall", say: Say = lambda _: None
) -> Installation:
    """The installation of that name, made if it is not there; the stack is started when it does not run.

    Its database is empty and its topics are missing until `migrate` and `topics_apply`. Raises
    InstallationError for a wrong name, calendar or clock, and when it is there with another one.
    """
    wanted = Description(name, zone, day_start_hour, clock)
    _check(wanted)
    found = described(name)
    if found not in (None, wanted):
        raise InstallationError(
            f"expected installation {name} to be {_words(wanted)}, found {_words(found)}; "
            f"take another name, or drop it first: balance --installation {name} drop"
        )
    running = stack.ensure(say)
    wanted.folder.mkdir(parents=True, exist_ok=True)
    (wanted.folder / "installation.json").write_text(json.dumps(asdict(wanted), indent=2) + "\n")
    _create_database(running, wanted.database)
    return Installation(wanted, running)


def opened(name: str, say: Say = lambda _: None) -> Installation:
    """An installation that is there, as it was described; the stack is started when it does not run."""
    found = described(name)
    if found is None:
        raise missing(name)
    return create(**asdict(found), say=say)


def described(name: str) -> Description | None:
    """How an installation was described; None if there is none of that name."""
    try:
        return Description(**json.loads((folder_of_all() / name / "installation.json").read_text()))
    except FileNotFoundError:
        return None


def missing(name: str) -> InstallationError:
    """What to say of an installation that is not there."""
    others = ", ".join(one.name for one in everyone())
    there = f" (there is {others})" if others else ""
    return InstallationError(
        f"there is no installation {name}{there}; make it: balance --installation {name} up"
    )


def everyone() -> Iterator[Description]:
    """All installations of this machine."""
    for file in sorted(folder_of_all().glob("*/installation.json")):
        description = described(file.parent.name)
        if description:
            yield description


def folder_of_all() -> Path:
    """Folder of the installations' folders."""
    return paths.local_root() / "installations"


def check_name(name: str) -> None:
    """Raise InstallationError for a name that no installation can have."""
    if not _NAME.fullmatch(name):
        raise InstallationError(
            "expected an installation's name of lower-case letters, digits and _ that begins with a letter, "
            f"at most 40, found {name!r}"
        )


def _check(wanted: Description) -> None:
    check_name(wanted.name)
    try:
        ZoneInfo(wanted.zone)
    except (ZoneInfoNotFoundError, OSError, ValueError):  # a folder, or nothing that a name of a zone can be
        raise InstallationError(
            f"expected a time zone such as {ZONE} or UTC, found {wanted.zone!r}"
        ) from None
    if not 0 <= wanted.day_start_hour <= 23:
        raise InstallationError(
            f"expected an hour from 0 to 23 at which the day starts, found {wanted.day_start_hour}"
        )
    if wanted.clock not in CLOCKS:
        raise InstallationError(f"expected a clock of {', '.join(CLOCKS)}, found {wanted.clock!r}")


def _words(description: Description | None) -> str:
    if description is None:
        return "nothing"
    hour = f"{description.day_start_hour:02}:00"
    return f"in {description.zone}, days from {hour}, clock {description.clock}"


def _secret_key(folder: Path) -> Path:
    """The file with what sessions of people are signed with, made once."""
    path = folder / "secret.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(path, "x", opener=_secretly) as file:
            file.write(secrets.token_urlsafe(48))
    return path


def _secretly(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _create_database(running: Stack, name: str) -> None:
    with psycopg.connect(running.postgres_admin_dsn, autocommit=True) as connection:
        there = connection.execute("select from pg_database where datname = %s", [name]).fetchone()
        if there is None:
            with suppress(psycopg.errors.UniqueViolation, psycopg.errors.DuplicateDatabase):  # made meanwhile
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
