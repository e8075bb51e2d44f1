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


class MovedHours(NamedTuple):
    """By hour of a day: Σ count · seconds of overlap; what is there and what is wrong. `step` in seconds."""

    amount: Ints
    step: int
    there: Bools
    conflict: Bools
    negative: Bools


def moved_hours(evidence: ChannelEvidence, day: int, offset: int, calendar: Days) -> MovedHours | None:
    """Hours of a day made of the intervals that lie in them by true time; None without intervals."""
    told = evidence.days.get(day)
    step = told.finest if told else None
    if step is None:
        return None
    end = calendar.end_of(day)
    start, slots = _slots_around(evidence, day, end, step, calendar)
    hours = (end - day) // HOUR_S
    begins = day + offset - start + HOUR_S * np.arange(hours, dtype=np.int64)
    parts = HOUR_S // step + 1
    touched = (begins // step)[:, None] + np.arange(parts)
    overlap = np.minimum((touched + 1) * step, begins[:, None] + HOUR_S) - np.maximum(
        touched * step, begins[:, None]
    )
    counts = overlap > 0
    here = slots.at(np.minimum(touched, len(slots.low) - 1))
    return MovedHours(
        (here.low * np.where(counts, overlap, 0)).sum(axis=1),
        step,
        (here.there | ~counts).all(axis=1),
        (here.conflict & counts).any(axis=1),
        ((here.low < 0) & counts).any(axis=1),
    )


def _slots_around(
    evidence: ChannelEvidence, day: int, end: int, step: int, calendar: Days
) -> tuple[int, Slots]:
    """Slots of one step from the start of the day before to the end of the day after."""
    first, after = calendar.shift(day, -1), calendar.end_of(end)
    parts: list[Slots] = []
    for one in (first, day, end):
        told = evidence.days.get(one)
        length = (calendar.end_of(one) - one) // step
        parts.append((told.steps.get(step) if told else None) or Slots.absent(length))
    joined = Slots(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    assert len(joined.low) == (after - first) // step
    return first, joined
