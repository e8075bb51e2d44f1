"""Current rows of inadequacy days as records for the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.outbox import OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing
from balance_schemas.codec import Codec
from psycopg import Connection
from psycopg.rows import dict_row

from balance_imbalance.adapters.inadequacy_rows import INADEQUACY_DAY, to_wire_inadequacy_day
from balance_imbalance.adapters.queries import statement


class InadequacyRenderer:
    """Renders the (usage point, day start) keys of outbox rows; ``codec`` takes raw timestamps."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """A record for each key, as its row stands now."""
        return [
            self._outgoing(topic, row)
            for topic, keys in keys_by_topic(rows).items()
            for row in _current(conn, keys)
        ]

    def _outgoing(self, topic: str, row: Mapping[str, Any]) -> Outgoing:
        value = to_wire_inadequacy_day(row)
        headers = (
            ("ce_specversion", "1.0"),
            ("ce_id", f"{value['usage_point_id']}/{value['day_start_at']}/{value['version']}"),
            ("ce_source", "balance/imbalance"),
            ("ce_type", INADEQUACY_DAY),
            ("ce_time", row["computed_at"].isoformat()),
        )
        return Outgoing(
            topic,
            key=value["usage_point_id"].encode(),
            value=self._codec.encode(INADEQUACY_DAY, value),
            headers=[(name, text.encode()) for name, text in headers],
        )


def _current(conn: Connection[Any], keys: Sequence[tuple[int, int]]) -> Sequence[Mapping[str, Any]]:
    columns = {
        "usage_points": [point for point, _ in keys],
        "day_starts": [datetime.fromtimestamp(start, UTC) for _, start in keys],
    }
    with conn.cursor(binary=True, row_factory=dict_row) as cur:
        return cur.execute(statement("current_inadequacy_days"), columns).fetchall()
