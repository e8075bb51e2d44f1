"""Marks: instants on hour edges whose registers bound gaps (docs/domain.md §3.11.1)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from balance_ingest.domain.channel_days import ChannelEvidence, Register
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.history import FOREVER, Fitting

APART_S = 62 * DAY_S
"""Marks farther apart bound no gap."""


class Known(NamedTuple):
    """The span of time in which all evidence of some channels is at hand."""

    start: int
    end: int

    def holds(self, start: int, end: int) -> bool:
        """Whether all of a span is known."""
        return self.start <= start and end <= self.end


EVER = Known(-FOREVER, FOREVER)


class Mark(NamedTuple):
    """An instant with its register for the time before it and that for the time after it, in pulses."""

    at: int
    before: int
    after: int


class Marks:
    """All marks of one fitting in the evidence known, and the instants that a conflict keeps from it."""

    def __init__(self, fitting: Fitting, evidence: ChannelEvidence, calendar: Days, known: Known) -> None:
        """Find them. Nothing is said of the edges of what is known: what lies beyond may contradict it."""
        told = defaultdict[int, list[Register]](list)
        for instant, register in _in_order(evidence, calendar):
            if max(fitting.fitted, known.start + 1) <= instant < min(fitting.removed, known.end):
                told[instant].append(register)
        self._told = sorted(told)
        self._marks = [
            Mark(at, told[at][0].low, told[at][-1].low)
            for at in self._told
            if all(register.value is not None for register in told[at])
        ]
        self._at = [mark.at for mark in self._marks]

    def around(self, instant: int) -> tuple[Mark | None, Mark | None]:
        """The last mark at or before an instant, and the first after it."""
        position = bisect_right(self._at, instant)
        return (
            self._marks[position - 1] if position else None,
            self._marks[position] if position < len(self._marks) else None,
        )

    def told_in(self, start: int, end: int) -> bool:
        """Whether there are registers, be they in conflict, at an hour's edge in [start, end]."""
        return bisect_left(self._told, start) < bisect_right(self._told, end)


def _in_order(evidence: ChannelEvidence, calendar: Days) -> Iterator[tuple[int, Register]]:
    """Registers on hour edges, of one instant END before POINT before START."""
    for day, one in evidence.days.items():
        if one.end is not None:
            yield calendar.end_of(day), one.end
    instants = np.array(evidence.instants, np.int64)
    on_edge = (instants - calendar.days_of(instants)) % HOUR_S == 0
    for position in np.flatnonzero(on_edge).tolist():
        yield evidence.instants[position], evidence.points[position]
    for day, one in evidence.days.items():
        if one.start is not None:
            yield day, one.start
