"""Current rows of onsets and hourly alarms as records for the broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.outbox import OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing, Render
from balance_schemas.codec import Codec
from psycopg import Connection
from psycopg.rows import dict_row

from balance_imbalance.adapters import wire_onsets as wire
from balance_imbalance.adapters.queries import statement

ONSET_KEY, HOUR_ALARM_KEY = "onset", "hour-alarm"
_RECORDS: Mapping[str, tuple[str, str, Callable[[Mapping[str, Any]], dict[str, Any]], str]] = {
    ONSET_KEY: ("current_onsets", wire.ONSET, wire.to_wire_onset, "alarmed_day_at"),
    HOUR_ALARM_KEY: ("current_hour_alarms", wire.HOUR_ALARM, wire.to_wire_hour_alarm, "start_at"),
}


class OnsetRenderer:
    """Renders the (kind, group, instant) keys of outbox rows, and no others; ``codec`` takes raw
    timestamps.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """A record for each key, as its row stands now."""
        return [
            self._outgoing(topic, kind, row)
            for topic, keys in keys_by_topic(rows).items()
            for kind in _RECORDS
            for row in _current(conn, kind, [key[1:] for key in keys if key[0] == kind])
        ]

    def _outgoing(self, topic: str, kind: str, row: Mapping[str, Any]) -> Outgoing:
        _, record, to_wire, identity = _RECORDS[kind]
        value = to_wire(row)
        headers = (
            ("ce_specversion", "1.0"),
            ("ce_id", f"{kind}/{value['group_id']}/{value[identity]}/{value['version']}"),
            ("ce_source", "balance/imbalance"),
            ("ce_type", record),
            ("ce_time", row["changed_at"].isoformat()),
        )
        return Outgoing(
            topic,
            key=value["group_id"].encode(),
            value=self._codec.encode(record, value),
            headers=[(name, text.encode()) for name, text in headers],
        )


def together(*renderers: Render) -> Render:
    """What several make of the same rows, each of the keys that are its own."""
    return lambda conn, rows: [outgoing for render in renderers for outgoing in render(conn, rows)]


def _current(
    conn: Connection[Any], kind: str, keys: Sequence[tuple[int, int]]
) -> Iterator[Mapping[str, Any]]:
    if not keys:
        return
    columns = {
        "groups": [group for group, _ in keys],
        "instants": [datetime.fromtimestamp(seconds, UTC) for _, seconds in keys],
    }
    with conn.cursor(binary=True, row_factory=dict_row) as cur:
        yield from cur.execute(statement(_RECORDS[kind][0]), columns)
