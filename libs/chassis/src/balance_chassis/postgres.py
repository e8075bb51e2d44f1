"""PostgreSQL: the pool, binary COPY, monthly partitions."""

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection, Cursor, conninfo, sql
from psycopg_pool import ConnectionPool

from balance_chassis.settings import PostgresSettings

_CONNECT = {
    "connect_timeout": 10,
    # A database that went away without a word is noticed within a minute instead of two hours.
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
# A plan that is kept was made for tables as they were then: one made while a table of markers was empty reads
# the whole of it for each of 60,000 rows.
_OPTIONS = "-c plan_cache_mode=force_custom_plan"
_POOL_WAIT_S = 3.0
_PARTITION_LOCK = 0x62616C70
_log = logging.getLogger(__name__)


def _connection_string(dsn: str, application_name: str) -> str:
    """The DSN with our time-outs and no plans kept, where it does not say otherwise itself."""
    given = conninfo.conninfo_to_dict(dsn)
    options = f"{_OPTIONS} {given.pop('options', '')}".strip()
    return conninfo.make_conninfo(
        "", **{**_CONNECT, "application_name": application_name, **given, "options": options}
    )


def make_pool(
    settings: PostgresSettings, service: str, size: int | None = None
) -> ConnectionPool[Connection]:
    """A pool whose connections are checked, in UTC, and named after the service; `close()` it at the end.

    It opens though the database is away. Asking it for a connection then raises psycopg_pool.PoolTimeout
    after 3 s, which is transient.
    """
    return ConnectionPool(
        _connection_string(settings.dsn, service),
        min_size=1,
        max_size=size or settings.pool_size,
        timeout=_POOL_WAIT_S,
        # The pool's own back-off doubles without end; ours ends at 5 s. So it tries once, when it is asked.
        reconnect_timeout=0.0,
        configure=_configure,
        check=ConnectionPool.check_connection,
        open=True,
        name=service,
    )


def connect(dsn: str, application_name: str) -> Connection[Any]:
    """A connection such as those of a pool, not checked. Raises psycopg.OperationalError."""
    conn = psycopg.connect(_connection_string(dsn, application_name))
    _configure(conn)
    return conn


def copy_binary(
    cur: Cursor[Any],
    table: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    """COPY rows into a table (`schema.table` or `table`) in binary form; `types` as in SQL, e.g. `int8[]`.

    Values are what psycopg dumps to these types: numpy scalars too, but arrays as lists (`array.tolist()`,
    which costs less than a list of numpy scalars). Binary COPY converts nothing: a wrong type is an error
    of the server.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with cur.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def storage_engine(conn: Connection[Any]) -> str:
    """`timescaledb` or `plain`, as chosen when the database was first migrated."""
    row = conn.execute("SELECT storage FROM public.balance_installation").fetchone()
    if row is None:
        raise LookupError("the database was never migrated: run `balance migrate`")
    return str(row[0])


def ensure_partitions(conn: Connection[Any], table: str, instants: Iterable[datetime]) -> None:
    """Create the monthly partitions (UTC) of `schema.table` that these instants need, in this transaction.

    TimescaleDB makes its own chunks, and nothing is done. The table is one PARTITION BY RANGE of a
    timestamptz.
    """
    months = {
        instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for instant in instants
    }
    if not months or storage_engine(conn) != "plain":
        return
    schema, name = table.split(".")
    wanted = {f"{name}_{month:%Y_%m}": month for month in months}
    missing = set(wanted) - _existing(conn, schema, wanted)
    if not missing:
        return
    # One at a time, and looked up again: two processes may want the same month, and CREATE … IF NOT EXISTS
    # races.
    conn.execute("SELECT pg_advisory_xact_lock(%s)", [_PARTITION_LOCK])
    for partition in sorted(missing - _existing(conn, schema, missing)):
        start = wanted[partition]
        end = (start + timedelta(days=32)).replace(day=1)
        conn.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(schema, partition),
                sql.Identifier(schema, name),
                sql.Literal(start),
                sql.Literal(end),
            )
        )
        _log.info("made the partition %s.%s", schema, partition)


def identifier(schema: str) -> str:
    """A schema's name that may stand in SQL as it is. Raises ValueError for any other text."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", schema):
        raise ValueError(f"expected a schema's name such as ingest, found {schema!r}")
    return schema


def _existing(conn: Connection[Any], schema: str, names: Iterable[str]) -> set[str]:
    rows = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relname = ANY (%s)",
        [schema, list(names)],
    )
    return {row[0] for row in rows}


def _configure(conn: Connection[Any]) -> None:
    """In UTC, whatever PGTZ, role and database say: hours added to an instant of another zone leap with its
    clocks. A late packet into a compressed chunk must not fail on how much it unpacks.
    """
    conn.execute("SET TimeZone = 'UTC'")
    if conn.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone():
        conn.execute("SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    conn.commit()
