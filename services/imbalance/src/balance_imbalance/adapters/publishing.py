"""Current rows of results as records for the broker: one renderer over a table of the records there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from balance_chassis.outbox import OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing, event_headers
from balance_schemas import catalogue
from balance_schemas.codec import Codec
from psycopg import Connection
from psycopg.rows import dict_row

from balance_imbalance.adapters import wire_onsets
from balance_imbalance.adapters.forecast_rows import FORECAST, to_wire_forecast
from balance_imbalance.adapters.inadequacy_rows import INADEQUACY_DAY, to_wire_inadequacy_day
from balance_imbalance.adapters.queries import statement
from balance_imbalance.adapters.wire_group_days import GROUP_DAY, to_wire_group_day

GROUP_DAY_KEY, ONSET_KEY, HOUR_ALARM_KEY = "group-day", "onset", "hour-alarm"
"""Words that begin the keys of a topic with several records."""


@dataclass(frozen=True, slots=True)
class Published:
    """A record of a topic: how the rows of its keys are read, and what is written of one."""

    record: str
    query: str
    key: tuple[str, ...]
    """Parameters of the query, lists, in the order of a key, which ends with an instant in seconds."""
    to_wire: Callable[[Mapping[str, Any]], dict[str, Any]]
    subject: str
    """Field of the record that is the key on the topic."""
    instant: str
    """Field that with the subject and the version identifies the event."""
    changed_at: str = "computed_at"
    """Column with the time of the event."""


_GROUPS = ("groups", "instants")
ONLY = ""
"""Stands for the one record of a topic, whose keys begin with no word."""
PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    catalogue.IMBALANCE: {
        GROUP_DAY_KEY: Published(
            GROUP_DAY,
            "current_group_days",
            ("groups", "day_starts"),
            to_wire_group_day,
            "group_id",
            "day_start_at",
        ),
        ONSET_KEY: Published(
            wire_onsets.ONSET,
            "current_onsets",
            _GROUPS,
            wire_onsets.to_wire_onset,
            "group_id",
            "alarmed_day_at",
            "changed_at",
        ),
        HOUR_ALARM_KEY: Published(
            wire_onsets.HOUR_ALARM,
            "current_hour_alarms",
            _GROUPS,
            wire_onsets.to_wire_hour_alarm,
            "group_id",
            "start_at",
            "changed_at",
        ),
    },
    catalogue.FORECASTS: {
        ONLY: Published(
            FORECAST,
            "current_forecasts",
            ("kinds", "subjects", "months"),
            to_wire_forecast,
            "subject_id",
            "month_start_at",
        ),
    },
    catalogue.INADEQUACY: {
        ONLY: Published(
            INADEQUACY_DAY,
            "current_inadequacy_days",
            ("usage_points", "day_starts"),
            to_wire_inadequacy_day,
            "usage_point_id",
            "day_start_at",
        ),
    },
}


class Renderer:
    """Renders the keys of outbox rows; ``codec`` takes raw timestamps. A topic that is not of the table, or a
    key that begins with no word of its topic, is a LookupError.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """A record for each key, as its row stands now: topic by topic, record by record."""
        return [
            self._outgoing(topic, word, published, row)
            for topic, keys in keys_by_topic(rows).items()
            for word, (published, own) in _by_record(topic, keys).items()
            for row in _current(conn, published, own)
        ]

    def _outgoing(self, topic: str, word: str, published: Published, row: Mapping[str, Any]) -> Outgoing:
        value = published.to_wire(row)
        subject = value[published.subject]
        event_id = f"{subject}/{value[published.instant]}/{value['version']}"
        if word not in (ONLY, GROUP_DAY_KEY):
            event_id = f"{word}/{event_id}"  # an event of a group-day may have the same instant
        return Outgoing(
            topic,
            key=subject.encode(),
            value=self._codec.encode(published.record, value),
            headers=event_headers("imbalance", published.record, event_id, row[published.changed_at]),
        )


def _by_record(
    topic: str, keys: Sequence[tuple[Any, ...]]
) -> Mapping[str, tuple[Published, Sequence[tuple[Any, ...]]]]:
    """Keys without their word, by word."""
    records = PUBLISHED.get(topic)
    if records is None:
        raise LookupError(f"expected keys of {', '.join(sorted(PUBLISHED))}, found {topic}")
    if ONLY in records:
        return {ONLY: (records[ONLY], keys)}
    unknown = {key[0] for key in keys} - records.keys()
    if unknown:
        raise LookupError(f"{topic}: expected keys of {', '.join(records)}, found {unknown}")
    return {
        word: (published, [key[1:] for key in keys if key[0] == word]) for word, published in records.items()
    }


def _current(
    conn: Connection[Any], published: Published, keys: Sequence[tuple[Any, ...]]
) -> Sequence[Mapping[str, Any]]:
    if not keys:
        return ()
    *numbers, seconds = zip(*keys, strict=True)
    instants = [datetime.fromtimestamp(second, UTC) for second in seconds]
    columns = dict(zip(published.key, [*map(list, numbers), instants], strict=True))
    with conn.cursor(binary=True, row_factory=dict_row) as cur:
        return cur.execute(statement(published.query), columns).fetchall()
