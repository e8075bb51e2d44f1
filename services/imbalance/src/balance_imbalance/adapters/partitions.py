"""Partitions of a table of days, made when a day first needs one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from balance_chassis.postgres import ensure_partitions
from psycopg import Connection
from psycopg_pool import ConnectionPool


class Partitions:
    """Days whose partition is there are remembered for the life of the process."""

    def __init__(self, pool: ConnectionPool[Connection[Any]], table: str) -> None:
        self._pool = pool
        self._table = table
        self._known: set[datetime] = set()

    def ensure(self, day_starts: Iterable[datetime]) -> None:
        """Make what lacks, in a transaction of its own: making one locks the whole table until the end."""
        new = set(day_starts) - self._known
        if new:
            with self._pool.connection() as conn:
                ensure_partitions(conn, self._table, new)
            self._known |= new
