"""Reading days with all hours VALID, from Avro, whole columns at a time: no Python value for each hour.

Most days are such, and ingest sends them apart from others. What is not of this form is left to the reader of
every form (`wire.from_wire_reading_days`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from balance_kernel.calendar import HOUR_S
from balance_kernel.quantity import Resource, Unit
from numpy.typing import NDArray

from balance_imbalance.domain.figures import Ints

_HEAD = 4
"""Numbers before the days: computed_at, clock_at, algorithm_version, how many days."""
_RESOURCE, _UNIT, _DAY_START_AT, _STEP_S, _VERSION, _COUNT, _FIRST = range(7)
"""Numbers of a day behind its usage point. From _FIRST on each value comes behind a 1: it is not null."""
_LAST = 5
"""Numbers of a day behind its values, all 0: their end, no qualities, minima and maxima, no sensor_kind."""
_LONGEST = 9
"""Bytes of a number below 2^62."""
_HOURS = range(23, 26)


@dataclass(frozen=True, slots=True)
class PlainDays:
    """n > 0 reading days of h hours of 3600 s each: ``day_starts_ms`` and ``versions`` (n,), ``values``
    (n, h).
    """

    clock_at_ms: int
    usage_point_ids: Sequence[str]
    day_starts_ms: Ints
    versions: Ints
    values: Ints


def plain_days(avro: bytes) -> PlainDays | None:
    """A ReadingDaysComputed of the newest schema; None when a day is not plain, or of another length."""
    numbers = _Numbers(avro)
    if len(numbers) <= _HEAD + _FIRST:
        return None
    head = numbers.at(np.arange(_HEAD))
    found = None if head is None else _found(numbers, int(head[3]))
    if head is None or found is None:
        return None
    ids, places, hours = found
    fields = numbers.at(places + np.arange(_FIRST))
    rest = numbers.at(places + np.arange(_FIRST, _FIRST + 2 * hours + _LAST))
    if fields is None or rest is None or not _are_plain(fields, rest, hours):
        return None
    values = rest[:, 1 : 2 * hours : 2]
    return PlainDays(int(head[1]), ids, fields[:, _DAY_START_AT], fields[:, _VERSION], values)


class _Numbers:
    """The numbers that bytes hold when all of them are numbers; a letter of ASCII counts as one."""

    def __init__(self, avro: bytes) -> None:
        self.avro = avro
        self._data = np.frombuffer(avro, np.uint8)
        self.ends = np.concatenate([[-1], np.flatnonzero(self._data < 0x80)])
        """Of number i the last byte is ``ends[i + 1]``."""

    def __len__(self) -> int:
        return len(self.ends) - 1

    def at(self, which: NDArray[np.int64]) -> Ints | None:
        """Some of them; None when one is longer than any of ours."""
        first, last = self.ends[which] + 1, self.ends[which + 1]
        longest = int((last - first).max()) + 1
        if longest > _LONGEST:
            return None
        zigzag = np.zeros(which.shape, np.int64)
        for place in range(longest):
            at = first + place
            septet = self._data[np.minimum(at, last)].astype(np.int64) & 0x7F
            zigzag |= np.where(at <= last, septet, 0) << (7 * place)
        found: Ints = (zigzag >> 1) ^ -(zigzag & 1)
        return found


def _found(numbers: _Numbers, count: int) -> tuple[Sequence[str], Ints, int] | None:
    """Usage points of the days, where their other numbers begin, (n, 1), and how many hours all have."""
    avro, ends, hours = numbers.avro, numbers.ends, 0
    ids, places, at = [], [], _HEAD
    for _ in range(count):
        if at >= len(numbers):
            return None
        begin = int(ends[at + 1]) + 1
        twice = avro[begin - 1]
        place = at + 1 + twice // 2
        # Of one byte, and before letters of ASCII: else numbers are not where they are looked for.
        if ends[at] != begin - 2 or twice % 2 or place + _COUNT >= len(numbers):
            return None
        if ends[place] != begin - 1 + twice // 2:
            return None
        hours = hours or avro[ends[place + _COUNT + 1]] // 2
        ids.append(avro[begin : begin + twice // 2].decode())
        places.append(place)
        at = place + _FIRST + 2 * hours + _LAST
    if not ids or hours not in _HOURS or at != len(numbers) - 1 or avro[-2:-1] + avro[-1:] != b"\0\0":
        return None
    return ids, np.array(places, np.int64)[:, None], hours


def _are_plain(fields: Ints, rest: Ints, hours: int) -> bool:
    symbols = fields[:, _RESOURCE : _UNIT + 1]
    return bool(
        ((symbols >= 0) & (symbols < (len(Resource), len(Unit)))).all()
        and (fields[:, _STEP_S] == HOUR_S).all()
        and (fields[:, _COUNT] == hours).all()
        and (rest[:, : 2 * hours : 2] == 1).all()
        and not rest[:, 2 * hours :].any()
    )
