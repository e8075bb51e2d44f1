"""Current rows of reading days and findings as records for the broker."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.outbox import OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing, event_headers
from balance_schemas import catalogue
from balance_schemas.codec import Codec
from psycopg import Connection
from psycopg.rows import dict_row

from balance_ingest.adapters import columnar, rendering_telemetry, wire
from balance_ingest.adapters.outcomes import CLOCK_ALONE
from balance_ingest.adapters.plain_readings import PlainRows, parts
from balance_ingest.adapters.queries import statement
from balance_ingest.domain.days import as_datetime
from balance_ingest.domain.readings import ALGORITHM_VERSION

MAX_VALUES = 40_000
"""Values a message holds at most: about 256 KiB."""


class Renderer:
    """Renders the keys of outbox rows; `codec` takes raw timestamps."""

    def __init__(self, codec: Codec) -> None:
        """Take the codec."""
        self._codec = codec
        self._plain = PlainRows()
        self._renderers: Mapping[str, Callable[..., Iterator[Outgoing]]] = {
            catalogue.READINGS: self._readings,
            catalogue.READINGS_BACKLOG: self._readings,
            catalogue.FINDINGS: self._findings,
            catalogue.MODULE_EVENTS: self._telemetry,
        }

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """Records of the keys as their rows stand now."""
        outgoing: list[Outgoing] = []
        for topic, keys in keys_by_topic(rows).items():
            outgoing.extend(self._renderers[topic](conn, topic, keys))
        return outgoing

    def _telemetry(
        self, conn: Connection[Any], topic: str, keys: Sequence[tuple[str, ...]]
    ) -> Iterator[Outgoing]:
        for told in rendering_telemetry.current(conn, keys):
            framed = self._codec.encode(told.record, told.value)
            yield _outgoing(topic, told.key, told.record, framed, told.event_id)

    def _findings(self, conn: Connection[Any], topic: str, keys: Sequence[str]) -> Iterator[Outgoing]:
        with conn.cursor(binary=True, row_factory=dict_row) as cur:
            cur.execute(statement("current_findings"), {"ids": list(keys)})
            for row in cur:
                value = wire.to_wire_finding(row)
                event = f"{value['finding_id']}/{value['version']}"
                framed = self._codec.encode(wire.FINDING, value)
                yield _outgoing(topic, value["finding_id"], wire.FINDING, framed, event)

    def _readings(
        self, conn: Connection[Any], topic: str, keys: Sequence[tuple[int, int]]
    ) -> Iterator[Outgoing]:
        clock_at = (conn.execute(statement("clock")).fetchone() or (0,))[0] * 1000
        now = int(datetime.now(UTC).timestamp() * 1000)
        partitions = catalogue.load().topics[topic].partitions
        told = 0
        for algorithm, readings in self._plain.current(conn, keys):
            told += len(readings)
            head = b"".join(map(columnar.long, (now, clock_at, algorithm)))
            for part in parts(readings, partitions, MAX_VALUES):
                avro = self._codec.framed(wire.READINGS, head + part.days)
                yield _outgoing(
                    topic, part.shard, wire.READINGS, avro, _event(*part.first, part.count), part.shard
                )
        found = dict(_by_shard(_current(conn, keys), partitions)) if told < len(keys) else {}
        if CLOCK_ALONE in keys and not found and not told:
            found[0, ALGORITHM_VERSION] = []
        for (shard, algorithm), days in found.items():
            for one in _parts(days):
                value = {
                    "computed_at": now,
                    "clock_at": clock_at,
                    "algorithm_version": algorithm,
                    "days": one,
                }
                event = _event_of(one) if one else f"clock/{clock_at}"
                avro = self._codec.encode(wire.READINGS, value)
                yield _outgoing(topic, shard, wire.READINGS, avro, event, shard)


def _outgoing(
    topic: str, key: object, record: str, framed: bytes, event_id: str, partition: int | None = None
) -> Outgoing:
    return Outgoing(
        topic,
        key=str(key).encode(),
        value=framed,
        partition=partition,
        headers=event_headers("ingest", record, event_id, datetime.now(UTC)),
    )


Rows = Mapping[tuple[int, int], Sequence[dict[str, Any]]]


def _current(conn: Connection[Any], keys: Sequence[tuple[int, int]]) -> Iterator[Sequence[Any]]:
    by_day: dict[int, list[int]] = defaultdict(list)
    for point, day in keys:
        by_day[day].append(point)
    with conn.cursor(binary=True) as cur:
        for day, points in sorted(by_day.items()):
            cur.execute(
                statement("current_readings"), {"day": as_datetime(day), "points": points}, prepare=True
            )
            yield from cur


def _by_shard(rows: Iterator[Sequence[Any]], partitions: int) -> Rows:
    """Days by (shard of the usage point, algorithm version): all versions of a day go to one partition."""
    found: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for *row, algorithm in rows:
        shard = zlib.crc32(row[0].encode()) % partitions
        found[shard, algorithm].append(wire.to_wire_reading_day(row))
    return found


def _parts(days: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    """Days cut into messages of a bearable size."""
    first, values = 0, 0
    for position, day in enumerate(days):
        if values + len(day["values"]) > MAX_VALUES:
            yield days[first:position]
            first, values = position, 0
        values += len(day["values"])
    if first < len(days) or not days:
        yield days[first:]


def _event_of(days: Sequence[Mapping[str, Any]]) -> str:
    first = days[0]
    return _event(first["usage_point_id"], first["day_start_at"] // 1000, first["version"], len(days))


def _event(name: str, day: int, version: int, count: int) -> str:
    """Identity of a message of so many reading days, by its first one."""
    return f"{name}/{day * 1000}/{version}/{count}"
