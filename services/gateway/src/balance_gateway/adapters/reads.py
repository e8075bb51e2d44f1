"""What pages show: rows of views of every service, read as the role that may only read them."""

from __future__ import annotations

from typing import Any

from balance_chassis.queries import statements
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

_READER = "balance_reader"
_LONGEST_MS = 10_000


class PostgresReads:
    """Statements of `sql/*.sql` by name; `pool` is the gateway's."""

    def __init__(self, pool: ConnectionPool[Connection[Any]]) -> None:
        """Take the pool."""
        self._pool = pool

    def rows(self, name: str, /, **values: Any) -> list[dict[str, Any]]:
        """All rows, by column. Raises psycopg.errors.QueryCanceled when it takes longer than 10 s."""
        with self._pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            cur.execute(f"SET LOCAL ROLE {_READER}")
            cur.execute(f"SET LOCAL statement_timeout = {_LONGEST_MS}")
            return cur.execute(statements("balance_gateway")[name], values).fetchall()

    def row(self, name: str, /, **values: Any) -> dict[str, Any] | None:
        """The first row, None without one."""
        found = self.rows(name, **values)
        return found[0] if found else None
