"""The small numbers that stand for usage points in this service's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.queries import statement


class UsagePointNumbers:
    """Numbers never change, so what was seen once is remembered for the life of the process."""

    def __init__(self, pool: ConnectionPool[Connection[Any]]) -> None:
        self._pool = pool
        self._known: dict[str, int] = {}

    def of(self, usage_point_ids: Iterable[str]) -> Mapping[str, int]:
        """Numbers of at least these, new ones made in a transaction of their own.

        Their own, because what a transaction that fails later made must not be remembered.
        """
        missing = sorted(set(usage_point_ids) - self._known.keys())
        if missing:
            with self._pool.connection() as conn:
                conn.execute(statement("number_usage_points"), {"ids": missing})
                rows = conn.execute(statement("numbers_of_usage_points"), {"ids": missing}).fetchall()
            self._known.update(rows)
        return self._known
