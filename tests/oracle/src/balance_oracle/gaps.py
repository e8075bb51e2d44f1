"""Hours nobody told, between registers that tell their total (domain.md §3.11)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import END, POINT, START, Evidence, Finding
from balance_oracle.fittings import Fitting, Meter, UsagePoint
from balance_oracle.settings import DAY, HOUR, half_up

LONGEST_GAP = 32 * DAY
FARTHEST_MARKS = 62 * DAY
FARTHEST_MARKS = 62 * DAY
FEW_HOURS = 2
REFERENCE_SHIFTS = (-7, 7, -14, 14, -21, 21, -28, 28)
"""Days beside a day, nearest first, of two equally near the earlier first."""
MOST_REFERENCES = 4

Hour = tuple[int | None, str]


@dataclass(frozen=True)
class Before:
    """The hours of a usage point before this section: ``hour`` by start, ``values`` of a reference day."""

    hour: Callable[[int], Hour]
    moved: Callable[[int], bool]
    """Whether hours of the day were moved."""
    reference: Callable[[int], Sequence[int] | None]
    """Values of a day all of whose hours are VALID, none moved, and read by the fitting; else null."""


@dataclass
class Estimated:
    """Values of hours by start, and what was found."""

    hours: dict[int, int] = field(default_factory=dict)
    findings: set[Finding] = field(default_factory=set)


@dataclass(frozen=True)
class Mark:
    """An instant with registers: the one for the time before it and the one for the time after."""

    at: int
    before: int
    after: int


def marks_of(fitting: Fitting, evidence: Evidence, days: MeteringDays) -> list[Mark]:
    """Instants on hour edges inside the fitting whose registers are not in conflict, in order of time."""
    registers = evidence.registers.get(fitting.channel, {})
    marks = []
    for at in sorted({instant for _, instant in registers}):
        if not fitting.fitted <= at < fitting.removed or (at - days.containing(at)) % HOUR != 0:
            continue
        said = {kind: registers[kind, at] for kind in (START, END, POINT) if (kind, at) in registers}
        if any(one.conflict for one in said.values()):
            continue
        before = next(said[kind].low for kind in (END, POINT, START) if kind in said)
        after = next(said[kind].low for kind in (START, POINT, END) if kind in said)
        marks.append(Mark(at, before, after))
    return marks


def close_gaps(
    point: UsagePoint, fitting: Fitting, evidence: Evidence, days: MeteringDays, before: Before
) -> Estimated:
    """The gaps of one channel fitting of a metered usage point."""
    result = Estimated()
    for a, b in pairwise(marks_of(fitting, evidence, days)):
        meter = point.one_meter_over(a.at, b.at)
        missing = _missing_hours(a.at, b.at, days, before)
        if b.at - a.at > FARTHEST_MARKS or meter is None:
            continue
        if not missing or missing[-1] + HOUR - missing[0] > LONGEST_GAP:
            continue
        said = sum(before.hour(hour)[0] or 0 for hour in range(a.at, b.at, HOUR))
        difference = meter.weight * (b.before - a.after) - said
        total, rule = _judge(difference, len(missing), meter)
        if rule:
            span = missing[0], missing[-1] + HOUR
            result.findings.add((rule, point.usage_point_id, *span))
        if total is not None:
            result.hours |= _share_out(total, missing, _weights(missing, days, before))
    return result


def _missing_hours(a: int, b: int, days: MeteringDays, before: Before) -> list[int]:
    """The MISSING hours in [a, b); none when it is no gap: an hour SUSPECT, or on a day that was moved."""
    hours = range(a, b, HOUR)
    if any(before.hour(hour)[1] == "SUSPECT" for hour in hours):
        return []
    if any(before.moved(day) for day in days.overlapping(a, b)):
        return []
    return [hour for hour in hours if before.hour(hour)[1] == "MISSING"]


def _judge(total: int, missing: int, meter: Meter) -> tuple[int | None, str | None]:
    """The total to share out, null when it cannot be; and the rule that found something."""
    most = meter.q_max * missing
    if total < -meter.weight:
        wrapped = total + meter.weight * 10**meter.digits
        return (wrapped if 0 <= wrapped <= most + meter.weight else None), "vee.negative_consumption"
    if total > most + meter.weight:
        return None, "vee.high"
    return max(total, 0), None


def _weights(missing: Sequence[int], days: MeteringDays, before: Before) -> list[int]:
    ones = [1] * len(missing)
    if len(missing) <= FEW_HOURS:
        return ones
    weights = []
    for hour in missing:
        day = days.containing(hour)
        found = (before.reference(days.shifted(day, shift)) for shift in REFERENCE_SHIFTS)
        references = [values for values in found if values is not None][:MOST_REFERENCES]
        if not references:
            return ones
        index = (hour - day) // HOUR
        values = [reference[min(index, len(reference) - 1)] for reference in references]
        weights.append(half_up(sum(values), len(values)))
    return weights if any(weights) else ones


def _share_out(total: int, missing: Sequence[int], weights: Sequence[int]) -> dict[int, int]:
    """Each hour what the running total grows by."""
    sums = [0, *accumulate(weights)]
    shares = [half_up(total * one, sums[-1]) for one in sums]
    return {hour: shares[k + 1] - shares[k] for k, hour in enumerate(missing)}
