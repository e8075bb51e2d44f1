"""Clocks of modules: how far each is ahead on a day, and hours made of intervals that are moved by it
(docs/domain.md §3.13).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from balance_ingest.domain.channel_days import ChannelEvidence
from balance_ingest.domain.days import HOUR_S, Days, Ints
from balance_ingest.domain.join import Bools, Slots

TOLERANCE_S = 120
"""An offset of at most this is none; observations that spread more are no evidence."""
LIMIT_S = 6 * HOUR_S
"""An offset above this moves nothing."""
SURE_S = TOLERANCE_S // 2
"""Observations all at most this in size neither spread nor add up to an offset."""
AFTER_S = 36 * HOUR_S
"""So long after its end observations still tell of a day."""

REACH_S = AFTER_S + 26 * HOUR_S
"""Observations farther apart than this never tell of one day."""

Observation = tuple[int, int]
"""(true instant, seconds ahead of true time)."""


def is_wrong(offset: int) -> bool:
    """Whether an observation may make a day's clock wrong: without one in reach, none is."""
    return abs(offset) > SURE_S


def is_odd(observed: int, heard: int, offset: int) -> bool:
    """Whether an observation has to be looked for: it is wrong, or its true instant is another one."""
    return is_wrong(offset) or heard != observed


class ClockDay(NamedTuple):
    """A day on which a module's clock is wrong: the offset, and the span of what was observed; seconds."""

    offset: int
    least: int
    greatest: int

    @property
    def unsure(self) -> bool:
        """The observations contradict one another."""
        return self.greatest - self.least > TOLERANCE_S

    @property
    def moves(self) -> bool:
        """Whether the day's hours are moved."""
        return not self.unsure and abs(self.offset) <= LIMIT_S


def clock_days(
    observed: Iterable[Observation], days: Sequence[int], calendar: Days
) -> Mapping[int, ClockDay]:
    """Those of the days on which the clock is wrong, or may be (docs/domain.md §3.13.2, §3.13.3)."""
    pairs = sorted(observed)
    instants = [instant for instant, _ in pairs]
    found: dict[int, ClockDay] = {}
    for day in days:
        first, after = np.searchsorted(instants, [day, calendar.end_of(day) + AFTER_S]).tolist()
        offsets = sorted(offset for _, offset in pairs[first:after])
        if not offsets:
            continue
        clock = ClockDay(offsets[(len(offsets) - 1) // 2], offsets[0], offsets[-1])
        if clock.unsure or abs(clock.offset) > TOLERANCE_S:
            found[day] = clock
    return found


def days_told_of(instant: int, calendar: Days) -> Sequence[int]:
    """The days whose offset an observation at a true instant bears on."""
    first, last = int(calendar.starts[0]), int(calendar.starts[-2])
    return calendar.between(max(instant - AFTER_S, first), min(instant, last) + 1)


class MovedHours:
    """Hours of a day with interval evidence, made of the intervals that lie in them by true time.

    They are of the finest step of which the day has any interval, of the days beside it too. Arrays are by
    hour of the day.
    """

    def __init__(self, evidence: ChannelEvidence, day: int, offset: int, calendar: Days) -> None:
        """Find the intervals. Raises ValueError for a day without interval evidence."""
        step = evidence.days[day].finest
        if step is None:
            raise ValueError(f"expected a day with intervals, found none on {day}")
        self.step = step
        self._calendar = calendar
        self._days = [calendar.shift(day, -1), day, calendar.shift(day, 1)]
        hours = calendar.hours_by_start[day]
        begins = day + offset - self._days[0] + HOUR_S * np.arange(hours, dtype=np.int64)[:, None]
        touched = begins // step + np.arange(HOUR_S // step + 1)
        overlap = np.minimum((touched + 1) * step, begins + HOUR_S) - np.maximum(touched * step, begins)
        self._touched = touched
        self._seconds: Ints = np.maximum(overlap, 0)
        self._slots = self._of(evidence)

    @property
    def there(self) -> Bools:
        """Hours all of whose intervals are there."""
        return self._all(self._slots.there)

    @property
    def conflict(self) -> Bools:
        """Hours with an interval in conflict."""
        return ~self._all(~self._slots.conflict)

    @property
    def negative(self) -> Bools:
        """Hours with an interval below zero."""
        return ~self._all(self._slots.low >= 0)

    def values(self, weight: Ints, averaged: bool, largest: bool = False) -> Ints:
        """Values in base units, rounded half up; of those in conflict the smallest or the largest each."""
        counts = self._slots.high if largest else self._slots.low
        amounts = (counts * self._seconds).sum(axis=1).tolist()
        weights = [1] * len(amounts) if averaged else weight.tolist()
        whole = HOUR_S if averaged else self.step
        # Python's numbers: a count by its seconds and its weight may be above 64 bits, the value is not.
        exact = [(2 * n * w + whole) // (2 * whole) for n, w in zip(amounts, weights, strict=True)]
        return np.array(exact, np.int64)

    def extreme(self, kept: ChannelEvidence, least: bool, nothing: int) -> Ints:
        """Least or greatest of the same intervals in another channel; `nothing` where one is not sound."""
        slots = self._of(kept)
        far = np.iinfo(np.int64).max if least else np.iinfo(np.int64).min
        values = np.where(self._seconds > 0, slots.low, far)
        found = values.min(axis=1) if least else values.max(axis=1)
        return np.where(self._all(slots.there & ~slots.conflict), found, nothing)

    def _all(self, flags: Bools) -> Bools:
        found: Bools = (flags | (self._seconds == 0)).all(axis=1)
        return found

    def _of(self, evidence: ChannelEvidence) -> Slots:
        """The intervals of each hour in a channel: arrays [hours, intervals]."""
        parts: list[Slots] = []
        for day in self._days:
            told = evidence.days.get(day)
            length = self._calendar.hours_by_start[day] * HOUR_S // self.step
            slots = told.steps.get(self.step) if told else None
            parts.append(slots if slots is not None else Slots.absent(length))
        row = Slots(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        return row.at(np.minimum(self._touched, len(row.low) - 1))
