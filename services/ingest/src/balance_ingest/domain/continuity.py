"""Registers at the edges of days (docs/domain.md §3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from balance_ingest.domain.channel_days import ChannelEvidence
from balance_ingest.domain.days import Days
from balance_ingest.domain.history import Fitting, Meter, UsagePoint


class EdgeJump(NamedTuple):
    """START of a day less END of the day before, more than one pulse in size."""

    day: int
    size: int
    before: int
    after: int
    meter: Meter


def edge_jumps(
    point: UsagePoint, fitting: Fitting, evidence: ChannelEvidence, days: Days
) -> Iterator[EdgeJump]:
    """Jumps at the starts of days, in order of time (docs/domain.md §3.3).

    Only where both registers are there and no meter or channel begins or ends within the two days.
    """
    for day in sorted(evidence.days):
        start = evidence.days[day].start
        previous = days.shift(day, -1)
        eve = evidence.days.get(previous)
        if start is None or start.value is None or eve is None or eve.end is None or eve.end.value is None:
            continue
        size = start.value - eve.end.value
        end = days.end_of(day)
        meter = point.meter_at(day)
        if (
            abs(size) > 1
            and meter
            and fitting.contains(previous, end)
            and not point.meter_edge_inside(previous, end)
            and not point.channel_edge_inside(previous, end)
        ):
            yield EdgeJump(day, size, eve.end.value, start.value, meter)


def falling_edge(jump: EdgeJump) -> str:
    """Class of a fall at a day's edge: wrap, reset or unexplained (docs/domain.md §3.3)."""
    if 0 <= jump.size + jump.meter.modulus <= 1:
        return "wrap"
    return "reset" if jump.after <= 1 else "unexplained"
