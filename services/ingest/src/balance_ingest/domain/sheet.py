"""A sheet of hours: what is being made of a usage point's evidence over successive days (docs/domain.md
§3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from balance_kernel.quantity import Quality
from numpy.typing import NDArray

from balance_ingest.domain.days import HOUR_S, Days, Ints
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.join import Bools

VALID = Quality.VALID.code
ESTIMATED = Quality.ESTIMATED.code
EDITED = Quality.EDITED.code
SUSPECT = Quality.SUSPECT.code
MISSING = Quality.MISSING.code
_WITH_VALUE = (VALID, ESTIMATED, EDITED)
NOTHING = -(2**62)
"""Stands for no least or greatest value; evidence of an interval has 32 bits."""


ALL = slice(None)


@dataclass(frozen=True, slots=True)
class ReadingDay:
    """One metering day of a usage point: a value (base units) or None by hour, and a quality code by hour.

    A day all of whose hours are MISSING is no reading day; it is never made.
    """

    day: int
    values: Sequence[int | None]
    qualities: Sequence[int]
    minima: Sequence[int | None] = ()
    maxima: Sequence[int | None] = ()
    """Least and greatest value of each VALID hour, of a sensor that keeps them; else empty."""


class Offers:
    """What evidence gives hours without their quarantine, for confirmations (docs/domain.md §3.12).

    `low` and `high`: with the smallest and the largest of intervals in conflict; those hours `differ`.
    """

    def __init__(self, hours: int) -> None:
        """Nothing yet."""
        self.low, self.high = np.zeros(hours, np.int64), np.zeros(hours, np.int64)
        self.there, self.differ = np.zeros(hours, bool), np.zeros(hours, bool)
        self.mean = np.zeros(hours, bool)
        """Hours that may be below zero."""

    def put(
        self, hours: slice, mine: Bools, low: Ints, high: Ints, differ: Bools | bool, mean: bool = False
    ) -> None:
        """Take what is offered for `mine` among some hours."""
        for held, told in ((self.low, low), (self.high, high), (self.differ, differ), (self.mean, mean)):
            held[hours] = np.where(mine, told, held[hours])
        self.there[hours] |= mine


class Sheet:
    """Hours of the successive days of `days`, as arrays; hours without channel or meter stay MISSING."""

    def __init__(self, point: UsagePoint, days: Sequence[int], calendar: Days) -> None:
        """Lay out the hours and what is fitted in each."""
        self.point = point
        self.days = days
        self.start = days[0]
        self.end = calendar.end_of(days[-1])
        hours = (self.end - self.start) // HOUR_S
        self.hour = self.start + HOUR_S * np.arange(hours, dtype=np.int64)
        self.meter = self._meters()
        self.fitting = self._fittings()
        self.value = np.zeros(hours, np.int64)
        self.quality = np.full(hours, MISSING, np.int16)
        self.suspect = np.zeros(hours, bool)
        self.moved = np.zeros(hours, bool)
        """Hours that a clock's offset moved (docs/domain.md §3.13): no part of a gap, nor of a profile."""
        self._extremes: tuple[Ints, Ints] | None = None
        confirmed = any(edit.values is None for edit in point.decisions)
        self.offers = Offers(hours) if confirmed else None
        self._decided: NDArray[np.int16] | None = None

    def _meters(self) -> Ints:
        found = np.full(len(self.hour), -1, np.int64)
        for index, meter in enumerate(self.point.meters):
            found[(meter.fitted <= self.hour) & (self.hour < meter.removed)] = index
        return found

    def _fittings(self) -> Ints:
        found = np.full(len(self.hour), -1, np.int64)
        for index, fitting in enumerate(self.point.fittings):
            found[(fitting.fitted <= self.hour) & (self.hour + HOUR_S <= fitting.removed)] = index
        return found

    def hours_in(self, start: int, end: int) -> slice:
        """Positions of the hours that a span touches."""
        first = max(0, (start - self.start) // HOUR_S)
        after = min(len(self.hour), -((self.start - end) // HOUR_S))
        return slice(first, max(first, after))

    def read_by(self, fitting: Fitting, hours: slice) -> Bools:
        """Which of some hours a fitting reads, with a meter there."""
        index = self.point.fittings.index(fitting)
        found: Bools = (self.fitting[hours] == index) & (self.meter[hours] >= 0)
        return found

    def by_meter(self, hours: slice, field: str) -> Ints:
        """A number of the meter of each hour; 0 without one."""
        numbers = np.array([*(getattr(meter, field) for meter in self.point.meters), 0], np.int64)
        found: Ints = numbers[self.meter[hours]]
        return found

    def put_extremes(self, hours: slice, mine: Bools, least: Ints, greatest: Ints) -> None:
        """Take the least and greatest values of `mine` among some hours, NOTHING where there is none."""
        if self._extremes is None:
            none = np.full(len(self.hour), NOTHING, np.int64)
            self._extremes = none, none.copy()
        for held, told in zip(self._extremes, (least, greatest), strict=True):
            held[hours] = np.where(mine, told, held[hours])

    def _extremes_of(self, hours: slice, qualities: Sequence[int]) -> Iterator[Sequence[int | None]]:
        """Minima and maxima of a day's VALID hours; empty when there is none."""
        for held in self._extremes or ():
            told = [
                value if quality == VALID and value != NOTHING else None
                for value, quality in zip(held[hours].tolist(), qualities, strict=True)
            ]
            yield told if any(value is not None for value in told) else ()

    def decide(self, positions: Ints, quality: int, values: Ints) -> None:
        """Let hours have a value and a quality, whatever else is said of them."""
        if self._decided is None:
            self._decided = np.zeros(len(self.hour), np.int16)
        self._decided[positions] = quality
        self.value[positions] = values

    @property
    def covered(self) -> Bools:
        """Hours with a channel and a meter."""
        found: Bools = (self.fitting >= 0) & (self.meter >= 0)
        return found

    def settled(self, hours: slice = ALL) -> NDArray[np.int16]:
        """Quality of each of some hours: what was decided, else MISSING without fittings, else SUSPECT before
        all.
        """
        settled = np.where(self.suspect[hours], np.int16(SUSPECT), self.quality[hours])
        found = np.where((self.fitting[hours] >= 0) & (self.meter[hours] >= 0), settled, np.int16(MISSING))
        return found if self._decided is None else np.where(self._decided[hours], self._decided[hours], found)

    def reading_days(self, days: Sequence[int], calendar: Days) -> Iterator[ReadingDay]:
        """Those of some days that have more than MISSING hours."""
        for day in days:
            hours = self.hours_in(day, calendar.end_of(day))
            qualities = self.settled(hours).tolist()
            if any(code != MISSING for code in qualities):
                values = self.value[hours].tolist()
                yield ReadingDay(
                    day,
                    [v if q in _WITH_VALUE else None for v, q in zip(values, qualities, strict=True)],
                    qualities,
                    *self._extremes_of(hours, qualities),
                )


def stretches(flags: Bools) -> Iterator[tuple[int, int]]:
    """Successive true positions as (first, one after the last)."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
