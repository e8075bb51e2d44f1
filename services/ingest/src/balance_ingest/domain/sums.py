"""`vee.sum_check`: counts against registers of one day (docs/domain.md §3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from balance_ingest.domain.channel_days import ChannelEvidence, DayEvidence, Register
from balance_ingest.domain.days import HOUR_S
from balance_ingest.domain.history import Meter, UsagePoint


class SpanFault(NamedTuple):
    """A span [start, end) whose counts and registers do not go together; `kind` is wrap, reset, unexplained
    or sum.
    """

    kind: str
    start: int
    end: int
    counted: int
    moved: int
    tolerance: int

    @property
    def quarantines(self) -> bool:
        """A register that wrapped explains itself; nothing else does."""
        return self.kind != "wrap"


def sum_check(point: UsagePoint, evidence: ChannelEvidence, day: int, hours: int) -> Iterator[SpanFault]:
    """`vee.sum_check`: between successive registers the counts add up to their difference (docs/domain.md
    §3.4).
    """
    found = evidence.days[day]
    finest = found.finest
    if finest is None:
        return
    slots = found.steps[finest]
    usable = slots.there & ~slots.conflict & (slots.low >= 0)
    registers = _registers(evidence, found, day, hours, finest)
    for (start, before), (end, after) in pairwise(registers):
        span = slice((start - day) // finest, (end - day) // finest)
        meter = point.meter_at(start)
        if not meter or not usable[span].all() or point.meter_edge_inside(start, end):
            continue
        counted, moved = int(slots.low[span].sum()), after - before
        kind = _kind(counted, moved, after, meter)
        if kind:
            yield SpanFault(kind, start, end, counted, moved, meter.sum_tolerance)


def _kind(counted: int, moved: int, after: int, meter: Meter) -> str | None:
    if abs(counted - moved) <= meter.sum_tolerance:
        return None
    if moved >= 0:
        return "sum"
    if abs(counted - moved - meter.modulus) <= meter.sum_tolerance:
        return "wrap"
    return "reset" if after <= counted + meter.sum_tolerance else "unexplained"


def _registers(
    evidence: ChannelEvidence, found: DayEvidence, day: int, hours: int, step: int
) -> Sequence[tuple[int, int]]:
    """(instant, value) of START, the POINTs strictly inside the day on edges of the step, and END; no
    conflicts.
    """
    end = day + hours * HOUR_S
    points = [(t, r) for t, r in evidence.points_in(day + 1, end) if (t - day) % step == 0]
    listed: list[tuple[int, Register | None]] = [(day, found.start), *points, (end, found.end)]
    return [(t, r.value) for t, r in listed if r is not None and r.value is not None]
