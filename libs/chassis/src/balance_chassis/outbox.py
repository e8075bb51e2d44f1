"""The outbox: what is to be published is written in the transaction that changed it, and sent afterwards.

A row names keys, not contents: the publisher sends their rows as they stand when it reads them. It takes
whatever is there. A cursor over ids would skip a row whose transaction committed after a later one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from balance_chassis.lanes import LIVE
from balance_chassis.postgres import identifier


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Keys whose current rows are to be sent to a topic of the catalogue."""

    id: int
    topic: str
    keys: Sequence[Any]
    lane: int


class Outbox:
    """Writes to `<schema>.outbox`."""

    def __init__(self, schema: str) -> None:
        self._table = f"{identifier(schema)}.outbox"

    def add(self, conn: Connection[Any], topic: str, keys: Sequence[Any], lane: int = LIVE) -> None:
        """Name keys (anything JSON can hold) to be published once this transaction has committed."""
        if keys:
            conn.execute(
                f"INSERT INTO {self._table} (lane, topic, keys) VALUES (%s, %s, %s)",
                [lane, topic, Jsonb(list(keys))],
            )

    def claim(self, conn: Connection[Any], limit: int) -> Sequence[OutboxRow]:
        """Rows nobody else has in hand, held to the end of this transaction; live first, then the oldest."""
        rows = conn.execute(
            f"SELECT id, topic, keys, lane FROM {self._table} "
            "ORDER BY lane, id LIMIT %s FOR UPDATE SKIP LOCKED",
            [limit],
        )
        return [OutboxRow(*row) for row in rows]

    def forget(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> None:
        """Delete what was published."""
        conn.execute(f"DELETE FROM {self._table} WHERE id = ANY (%s)", [[row.id for row in rows]])


def keys_by_topic(rows: Sequence[OutboxRow]) -> dict[str, list[Any]]:
    """Keys to publish by topic, each once; lists of JSON become tuples."""
    found: dict[str, dict[Any, None]] = {}
    for row in rows:
        keys = (tuple(key) if isinstance(key, list) else key for key in row.keys)
        found.setdefault(row.topic, {}).update(dict.fromkeys(keys))
    return {topic: list(keys) for topic, keys in found.items()}
