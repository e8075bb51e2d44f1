"""The statements of `sql/queries.sql`, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from balance_chassis.queries import statements
from psycopg import Connection


def statement(name: str) -> LiteralString:
    """One of them. Raises KeyError for a name that the file does not have."""
    return statements("balance_ingest")[name]


def rows_of(conn: Connection[Any], name: str, **values: Any) -> Sequence[Any]:
    """All rows of a query that is asked often: prepared, and in binary."""
    with conn.cursor(binary=True) as cur:
        cur.execute(statement(name), values, prepare=True)
        return cur.fetchall()
