"""Reading days of meters with all hours VALID, from their rows to Avro, whole columns at a time."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import psycopg
from balance_chassis.copying import Numbers, NumbersLoader
from balance_kernel.quantity import Resource
from psycopg import Connection, Cursor

from balance_ingest.adapters import columnar
from balance_ingest.adapters.queries import statement
from balance_ingest.domain.days import HOUR_S, Ints, as_datetime

_SYMBOLS = np.array([(resource.code, resource.unit.code) for resource in Resource])
_NOTHING_ODD = b"\x00\x00\x00\x00"
"""No qualities, minima or maxima, and no sensor_kind."""
_ARRAYS = [psycopg.adapters.types[name].array_oid for name in ("int2", "int4", "int8")]


@dataclass(frozen=True, slots=True)
class PlainReadings:
    """n reading days, n > 0: name of the usage point, resource, day and version of each, and `values`
    int64[n, hours].
    """

    names: Sequence[str]
    resource: Ints
    day: Ints
    version: Ints
    values: Ints

    def __len__(self) -> int:
        return len(self.names)

    def at(self, rows: Ints) -> PlainReadings:
        """Some of them."""
        names = [self.names[row] for row in rows.tolist()]
        return PlainReadings(
            names, self.resource[rows], self.day[rows], self.version[rows], self.values[rows]
        )

    def encoded(self) -> tuple[bytes, Ints]:
        """Avro of each as a ReadingDay, in succession, and where each ends."""
        fields = [
            columnar.texts([name.encode() for name in self.names]),
            columnar.longs(_SYMBOLS[self.resource]),
            columnar.longs(self.day * 1000),
            columnar.same(columnar.long(HOUR_S), len(self)),
            columnar.longs(self.version),
            columnar.optional_longs(self.values),
            columnar.same(_NOTHING_ODD, len(self)),
        ]
        return columnar.written(columnar.together(fields))


@dataclass(frozen=True, slots=True)
class Part:
    """Reading days of one message: Avro of their array, how many they are, and what the first one is."""

    shard: int
    days: bytes
    count: int
    first: tuple[str, int, int]


def parts(readings: PlainReadings, partitions: int, most_values: int) -> Iterator[Part]:
    """Reading days by shard of the usage point, cut into messages of at most so many values."""
    shards = np.array([zlib.crc32(name.encode()) % partitions for name in readings.names])
    order = np.argsort(shards, kind="stable")
    readings, shards = readings.at(order), shards[order]
    data, ends = readings.encoded()
    starts = [0, *ends.tolist()]
    most = max(1, most_values // readings.values.shape[1])
    edges = np.searchsorted(shards, np.arange(partitions + 1)).tolist()
    for shard, (begin, end) in enumerate(pairwise(edges)):
        for first in range(begin, end, most):
            after = min(first + most, end)
            days = columnar.long(after - first) + data[starts[first] : starts[after]] + b"\x00"
            told = readings.names[first], int(readings.day[first]), int(readings.version[first])
            yield Part(shard, days, after - first, told)


class PlainRows:
    """Reads the plain ones of reading days; remembers the names of usage points, which never change."""

    def __init__(self) -> None:
        """Know no names yet."""
        self._names: dict[int, str] = {}

    def current(
        self, conn: Connection[Any], keys: Sequence[tuple[int, int]]
    ) -> Iterator[tuple[int, PlainReadings]]:
        """(algorithm version, days) of the plain ones of some (usage point, day), as they stand now."""
        by_day: dict[int, list[int]] = defaultdict(list)
        for point, day in keys:
            by_day[day].append(point)
        found: dict[tuple[int, int], list[PlainReadings]] = defaultdict(list)
        with conn.cursor(binary=True) as cur:
            for oid in _ARRAYS:
                cur.adapters.register_loader(oid, NumbersLoader)
            for day, points in sorted(by_day.items()):
                wanted = {"day": as_datetime(day), "points": Numbers(points)}
                cur.execute(statement("current_plain_readings"), wanted, prepare=True)
                for algorithm, hours, these, resource, version, values in cur.fetchall():
                    days = np.full(len(these), day, np.int64)
                    names = self._names_of(cur, these.tolist())
                    found[algorithm, hours].append(PlainReadings(names, resource, days, version, values))
        for (algorithm, _), several in found.items():
            yield algorithm, _joined(several)

    def _names_of(self, cur: Cursor[Any], points: Sequence[int]) -> list[str]:
        unknown = [point for point in points if point not in self._names]
        if unknown:
            cur.execute(statement("names_of_usage_points"), {"points": Numbers(unknown)}, prepare=True)
            self._names.update(cur.fetchall())
        return [self._names[point] for point in points]


def _joined(several: Sequence[PlainReadings]) -> PlainReadings:
    return PlainReadings(
        [name for one in several for name in one.names],
        *(
            np.concatenate([getattr(one, field) for one in several])
            for field in ("resource", "day", "version", "values")
        ),
    )
