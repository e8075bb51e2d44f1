"""Closed gaps: hours that nobody told, between registers that tell their total (docs/domain.md §3.11)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby, pairwise

import numpy as np

from balance_ingest.domain.channel_days import ChannelEvidence
from balance_ingest.domain.days import DAY_S, HOUR_S, Days, Ints, Span
from balance_ingest.domain.history import Fitting, Meter
from balance_ingest.domain.marks import APART_S, Known, Mark, Marks
from balance_ingest.domain.sheet import ESTIMATED, MISSING, SUSPECT, VALID, Sheet

LONGEST_S = 32 * DAY_S
"""A gap whose missing hours reach farther is not estimated."""
LINEAR_HOURS = 2
"""So few missing hours need no profile."""
REFERENCE_DAYS = (-7, 7, -14, 14, -21, 21, -28, 28)
"""Days beside a day that tell its profile, nearest first, of two equally near the earlier."""
MOST_REFERENCES = 4

Lay = Callable[[int, int], None]
"""Lays out the hours of all days that overlap [start, end), where they are not yet."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing hours of one fitting between two marks; `missing` counts hours of the sheet, `others` is what
    the hours between the marks that are not missing come to, in base units.
    """

    before: Mark
    after: Mark
    meter: Meter
    missing: Ints
    others: int

    @property
    def passable(self) -> int:
        """What Qmax lets through in its missing hours, in base units."""
        return self.meter.q_max * len(self.missing)

    @property
    def total(self) -> int:
        """What its missing hours come to by the registers, in base units; it may be below zero."""
        return self.meter.weight * (self.after.before - self.before.after) - self.others

    @property
    def wrapped(self) -> int:
        """The same when the register passed its last digit once."""
        return self.total + self.meter.weight * self.meter.modulus

    @property
    def kind(self) -> str:
        """Empty for an ordinary one, else wrap, reset, unexplained or high."""
        if self.total < -self.meter.weight:
            if 0 <= self.wrapped <= self.passable + self.meter.weight:
                return "wrap"
            return "reset" if self.after.before * self.meter.weight <= self.passable else "unexplained"
        return "high" if self.total > self.passable + self.meter.weight else ""

    @property
    def estimate(self) -> int | None:
        """The total that is shared out; None when there is none."""
        return {"": max(self.total, 0), "wrap": self.wrapped}.get(self.kind)


def shares(total: int, weights: Sequence[int]) -> Sequence[int]:
    """A total in proportion to weights, each what the rounded running total grows by: nothing is lost."""
    whole = sum(weights)
    grown = [0, *((2 * total * part + whole) // (2 * whole) for part in accumulate(weights))]
    return [after - before for before, after in pairwise(grown)]


@dataclass
class Closing:
    """Finds the gaps of one channel fitting on a sheet, and estimates them.

    `known` is the span of time whose evidence is at hand; `lacks` what would have to be known, once something
    depends on more.
    """

    sheet: Sheet
    fitting: Fitting
    evidence: ChannelEvidence
    calendar: Days
    known: Known
    lay: Lay
    lacks: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the marks."""
        self._marks = Marks(self.fitting, self.evidence, self.calendar, self.known)

    def reach(self, start: int, end: int) -> Span:
        """The span from the first to the last hour that may be estimated otherwise because the days
        [start, end) say something else.
        """
        return self._before(start), self._after(end)

    def _before(self, start: int) -> int:
        first = max(start - APART_S, self.fitting.fitted)
        mark, _ = self._marks.around(start - 1)
        if mark is None or mark.at < first:
            if self.known.start < first:
                return start
            missing = None
        else:
            missing = self._missing(mark.at, start)
            if not len(missing):
                return start
        last = min(start + APART_S, self.fitting.removed)
        told = self._marks.told_in(start, last)
        if not told and last < self.known.end:
            return start
        if missing is None or not told:
            self.lacks.append((first - DAY_S, last + DAY_S))
            return start
        return int(self.sheet.hour[missing[0]])

    def _after(self, end: int) -> int:
        last = min(end + APART_S, self.fitting.removed)
        _, mark = self._marks.around(end)
        if mark is None or mark.at > last:
            if last < self.known.end:
                return end
            missing = None
        else:
            missing = self._missing(end, mark.at)
            if not len(missing):
                return end
        first = max(end - APART_S, self.fitting.fitted)
        told = self._marks.told_in(first, end)
        if not told and self.known.start < first:
            return end
        if missing is None or not told:
            self.lacks.append((first - DAY_S, last + DAY_S))
            return end
        return int(self.sheet.hour[missing[-1]]) + HOUR_S

    def _missing(self, start: int, end: int) -> Ints:
        """Hours in [start, end) that this fitting reads and nobody told."""
        self.lay(start, end)
        hours = self.sheet.hours_in(start, end)
        missing = (self.sheet.settled(hours) == MISSING) & self.sheet.read_by(self.fitting, hours)
        found: Ints = np.flatnonzero(missing) + hours.start
        return found

    def gaps(self, start: int, end: int) -> Iterator[Gap]:
        """The gaps with hours in [start, end), in order of time."""
        done = start
        for position in self._missing(start, end).tolist():
            at = int(self.sheet.hour[position])
            if at < done:
                continue
            before, after = self._marks.around(at)
            if after is None:
                return
            done = after.at
            gap = before and self._gap(before, after)
            if gap:
                yield gap

    def _gap(self, before: Mark, after: Mark) -> Gap | None:
        start, end = before.at, after.at
        meter = self.sheet.point.meter_at(start)
        if meter is None or end > min(meter.removed, start + APART_S):
            return None
        self.lay(start, end)
        hours = self.sheet.hours_in(start, end)
        quality = self.sheet.settled(hours)
        missing = np.flatnonzero(quality == MISSING)
        if (
            not self.sheet.read_by(self.fitting, hours).all()
            or (quality == SUSPECT).any()
            or self.sheet.moved[hours].any()
            or (missing[-1] + 1 - missing[0]) * HOUR_S > LONGEST_S
        ):
            return None
        others = sum(self.sheet.value[hours][quality != MISSING].tolist())
        return Gap(before, after, meter, missing + hours.start, others)

    def weights(self, gap: Gap) -> Sequence[int]:
        """The usual profile of the hours missing; 1 for each where it is not known or not needed."""
        ones = [1] * len(gap.missing)
        if len(gap.missing) <= LINEAR_HOURS:
            return ones
        weights: list[int] = []
        hours = self.sheet.hour[gap.missing]
        days = self.calendar.days_of(hours).tolist()
        for day, group in groupby(zip(days, hours.tolist(), strict=True), key=lambda pair: pair[0]):
            profiles = list(self._profiles(day))
            if not profiles:
                return ones
            for _, hour in group:
                position = (hour - day) // HOUR_S
                told = [profile[min(position, len(profile) - 1)] for profile in profiles]
                weights.append((2 * sum(told) + len(told)) // (2 * len(told)))
        return weights if any(weights) else ones

    def _profiles(self, day: int) -> Sequence[Sequence[int]]:
        """Hours of the nearest of the reference days of a day that are whole and read by this fitting."""
        found: list[Sequence[int]] = []
        for by in REFERENCE_DAYS:
            start = self.calendar.shift(day, by)
            end = self.calendar.end_of(start)
            self.lay(start, end)
            hours = self.sheet.hours_in(start, end)
            whole = (self.sheet.settled(hours) == VALID) & ~self.sheet.moved[hours]
            if (whole & self.sheet.read_by(self.fitting, hours)).all():
                found.append(self.sheet.value[hours].tolist())
        return found[:MOST_REFERENCES]

    def hull(self, gap: Gap) -> Span:
        """The span whose hours a gap's estimate is made of."""
        start, end = gap.before.at, gap.after.at
        if len(gap.missing) > LINEAR_HOURS and gap.estimate is not None:
            first, last = self.calendar.days_of(self.sheet.hour[gap.missing[[0, -1]]]).tolist()
            start = min(start, self.calendar.shift(first, REFERENCE_DAYS[-2]))
            end = max(end, self.calendar.shift(last, REFERENCE_DAYS[-1] + 1))
        return start, end

    def close(self, gap: Gap) -> None:
        """Write the estimate of a gap, if there is one."""
        if gap.estimate is not None:
            self.sheet.value[gap.missing] = shares(gap.estimate, self.weights(gap))
            self.sheet.quality[gap.missing] = ESTIMATED

    def span(self, gap: Gap) -> Span:
        """From the first missing hour to the end of the last."""
        first, last = self.sheet.hour[gap.missing[[0, -1]]].tolist()
        return first, last + HOUR_S
