"""Current rows of group-days as records for the broker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.outbox import OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing
from balance_schemas.codec import Codec
from psycopg import Connection
from psycopg.rows import dict_row

from balance_imbalance.adapters import wire_group_days as wire
from balance_imbalance.adapters.queries import statement


class GroupDayRenderer:
    """Renders the (group, day start) keys of outbox rows, and no others; ``codec`` takes raw timestamps."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """A record for each key, as its row stands now."""
        return [
            self._outgoing(topic, row)
            for topic, keys in keys_by_topic(rows).items()
            for row in _current(conn, [key for key in keys if len(key) == 2])
        ]

    def _outgoing(self, topic: str, row: Mapping[str, Any]) -> Outgoing:
        value = wire.to_wire_group_day(row)
        event_id = f"{value['group_id']}/{value['day_start_at']}/{value['version']}"
        headers = (
            ("ce_specversion", "1.0"),
            ("ce_id", event_id),
            ("ce_source", "balance/imbalance"),
            ("ce_type", wire.GROUP_DAY),
            ("ce_time", row["computed_at"].isoformat()),
        )
        return Outgoing(
            topic,
            key=value["group_id"].encode(),
            value=self._codec.encode(wire.GROUP_DAY, value),
            headers=[(name, text.encode()) for name, text in headers],
        )


def _current(conn: Connection[Any], keys: Sequence[tuple[int, int]]) -> Iterator[Mapping[str, Any]]:
    columns = {
        "groups": [group for group, _ in keys],
        "day_starts": [datetime.fromtimestamp(start, UTC) for _, start in keys],
    }
    with conn.cursor(binary=True, row_factory=dict_row) as cur:
        yield from cur.execute(statement("current_group_days"), columns)
