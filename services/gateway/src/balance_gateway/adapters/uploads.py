"""Files between a proposed import and its decision, in PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_gateway.adapters.queries import statement
from balance_gateway.ports import Upload


class PostgresUploads:
    """Keeps them; `pool` is the gateway's."""

    def __init__(self, pool: ConnectionPool[Connection[Any]]) -> None:
        """Take the pool."""
        self._pool = pool

    def keep(self, token: str, author: str, upload: Upload, lasting: timedelta) -> None:
        """Keep a file for its author, so long; those whose time is over are deleted."""
        given = {"token": token, "author": author, "lasting": lasting, **upload._asdict()}
        with self._pool.connection() as conn:
            conn.execute(statement("forget_uploads"))
            conn.execute(statement("keep_upload"), given)

    def kept(self, token: str, author: str) -> Upload | None:
        """The file of that token, if it is that author's and its time is not over."""
        with self._pool.connection() as conn:
            row = conn.execute(statement("kept_upload"), {"token": token, "author": author}).fetchone()
        return Upload(*row) if row else None

    def drop(self, token: str) -> None:
        """Delete a file."""
        with self._pool.connection() as conn:
            conn.execute(statement("drop_upload"), {"token": token})
