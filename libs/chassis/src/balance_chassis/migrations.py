"""Migrations: SQL files of a service, each applied once, in order, and never changed afterwards.

`migrate` runs `sql/migrations/NNNN_verb_object.sql` of the service's package, after those of the chassis
(outbox, markers) in the same schema. Files may hold blocks for one storage engine only:

    -- if timescaledb
    SELECT create_hypertable(…);
    -- if plain
    …
    -- end
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from balance_kernel.calendar import Calendar
from psycopg import sql

from balance_chassis.postgres import connect, identifier

_FILE = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_LOCK = 0x62616C6D
_READER = "balance_reader"
_log = logging.getLogger(__name__)

_LEDGER = """
CREATE TABLE IF NOT EXISTS public.balance_installation (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    storage text NOT NULL CHECK (storage IN ('timescaledb', 'plain')),
    calendar_zone text NOT NULL,
    calendar_day_start_hour smallint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS public.balance_migration (
    service text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service, name)
);
"""


class MigrationRefused(Exception):  # noqa: N818 - it is a refusal, said in words
    """The database and the files do not go together; the text says what was found and what to do."""


@dataclass(frozen=True)
class Migration:
    """A file of SQL and where it comes from, e.g. `chassis/0001_create_outbox.sql`."""

    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(dsn: str, service: str, package: str | None, calendar: Calendar) -> Sequence[str]:
    """Bring the schema `service` up to date and give the names of what was applied.

    Without a package the schema has outbox and markers alone.

    Several processes may do this at once: one works, the others wait. All of it is one transaction. The
    storage engine is chosen by the first migration of a database: TimescaleDB if its extension is there or
    can be created. Raises MigrationRefused if an applied file has changed or is missing, or if the metering
    calendar is another one.
    """
    with connect(dsn, f"{service}-migrate") as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        conn.execute(_LEDGER)
        storage = _installation(conn, calendar)
        schema = sql.Identifier(identifier(service))
        conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
        conn.execute(sql.SQL("SET LOCAL search_path TO {}, public").format(schema))
        _ensure_reader(conn)
        found = [*_found("chassis/", "balance_chassis"), *(_found("", package) if package else ())]
        pending = _pending(conn, service, found)
        for migration in pending:
            _apply(conn, service, migration, storage)
        conn.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, sql.Identifier(_READER)))
    return [migration.name for migration in pending]


def for_storage(text: str, storage: str) -> str:
    """The text without the blocks meant for another storage engine."""
    kept: list[str] = []
    block: str | None = None
    for line in text.splitlines():
        if found := re.fullmatch(r"\s*-- if (timescaledb|plain)\s*", line):
            block = found[1]
        elif re.fullmatch(r"\s*-- end\s*", line):
            block = None
        elif block in (None, storage):
            kept.append(line)
    return "\n".join(kept)


def _found(prefix: str, package: str) -> Iterator[Migration]:
    folder = files(package) / "sql" / "migrations"
    if not folder.is_dir():
        raise MigrationRefused(
            f"{package}: expected files in sql/migrations, found none: it is packed wrongly"
        )
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if not _FILE.fullmatch(file.name):
            raise MigrationRefused(f"{package}: expected a name like 0001_create_days.sql, found {file.name}")
        yield Migration(prefix + file.name, file.read_text("utf-8"))


def _installation(conn: psycopg.Connection[Any], calendar: Calendar) -> str:
    row = conn.execute(
        "SELECT storage, calendar_zone, calendar_day_start_hour FROM public.balance_installation"
    ).fetchone()
    if row is None:
        storage = _choose_storage(conn)
        conn.execute(
            "INSERT INTO public.balance_installation (storage, calendar_zone, calendar_day_start_hour) "
            "VALUES (%s, %s, %s)",
            [storage, calendar.zone, calendar.day_start_hour],
        )
        return storage
    if row[1:] != (calendar.zone, calendar.day_start_hour):
        raise MigrationRefused(
            f"this database was made for metering days of {row[1]} starting at {row[2]}:00, and the settings "
            f"say {calendar.zone} at {calendar.day_start_hour}:00. Stored days cannot move to another: set "
            "BALANCE_CALENDAR_ZONE and BALANCE_CALENDAR_DAY_START_HOUR back, or replay into a new database"
        )
    return str(row[0])


def _choose_storage(conn: psycopg.Connection[Any]) -> str:
    # Installed is not enough: a server that did not preload it refuses CREATE EXTENSION.
    usable = conn.execute(
        "SELECT 1 FROM pg_available_extensions e, pg_settings s WHERE e.name = 'timescaledb'"
        " AND s.name = 'shared_preload_libraries' AND s.setting LIKE '%timescaledb%'"
    ).fetchone()
    if not usable:
        return "plain"
    conn.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return "timescaledb"


def _ensure_reader(conn: psycopg.Connection[Any]) -> None:
    """Roles belong to the whole server, so another database's migration may have made it, even just now."""
    conn.execute(
        sql.SQL(
            "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN "
            "CREATE ROLE {role} NOLOGIN; END IF; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        ).format(name=sql.Literal(_READER), role=sql.Identifier(_READER))
    )


def _pending(conn: psycopg.Connection[Any], service: str, found: Sequence[Migration]) -> Sequence[Migration]:
    applied = dict(
        conn.execute(
            "SELECT name, checksum FROM public.balance_migration WHERE service = %s", [service]
        ).fetchall()
    )
    for name in sorted(set(applied) - {migration.name for migration in found}):
        raise MigrationRefused(
            f"{service}: the database has had {name}, which this version does not know: a newer one migrated "
            "it. Run that version or a later one"
        )
    for migration in found:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise MigrationRefused(
                f"{service}: {migration.name} was changed after it was applied. Restore the file and put the "
                "change into a new migration"
            )
    return [migration for migration in found if migration.name not in applied]


def _apply(conn: psycopg.Connection[Any], service: str, migration: Migration, storage: str) -> None:
    text = for_storage(migration.text, storage)
    try:
        conn.execute(text.encode())
    except psycopg.Error as error:
        error.add_note(f"in the migration {migration.name} of {service}")
        raise
    conn.execute(
        "INSERT INTO public.balance_migration (service, name, checksum) VALUES (%s, %s, %s)",
        [service, migration.name, migration.checksum],
    )
    _log.info("applied %s of %s", migration.name, service)
