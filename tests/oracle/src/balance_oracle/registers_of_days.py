"""Registers at the edges of days and inside them, against the counts and each other
(domain.md §3.3, §3.4, §3.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import END, POINT, START, STEPS, Channel, Evidence, Finding, Said
from balance_oracle.fittings import Fitting, Meter, UsagePoint
from balance_oracle.runs import Jump, alternating
from balance_oracle.settings import DAY, HOUR

SLACK_PULSES = 2
JUMP_GAP = 7 * DAY + HOUR


@dataclass(frozen=True)
class SpanFault:
    """A span between two registers with what is found about it; a wrap holds nothing back."""

    start: int
    end: int
    rule: str
    wrap: bool = False


def sum_checks(
    point: UsagePoint, channel: Channel, day: int, evidence: Evidence, days: MeteringDays
) -> Iterator[SpanFault]:
    """§3.4: spans between successive registers whose counts do not fit, or fit by a wrap."""
    said = evidence.intervals[channel]
    end_of_day = days.end(day)
    present = [step for step in STEPS if any((at, step) in said for at in range(day, end_of_day, step))]
    if not present:
        return
    step = present[0]
    registers = _registers_of_day(evidence.registers[channel], day, end_of_day, step)
    for (start, before), (end, after) in pairwise(registers):
        counts = [said.get((at, step)) for at in range(start, end, step)]
        if any(one is None or one.conflict or one.low < 0 for one in counts):
            continue
        if point.meter_edge_inside(start, end):
            continue
        total = sum(one.low for one in counts if one is not None)
        if abs(total - (after - before)) <= SLACK_PULSES:
            continue
        if after >= before:
            yield SpanFault(start, end, "vee.sum_check")
        else:
            wrap = _wraps(total, after - before, point.meter_at(start))
            yield SpanFault(start, end, "vee.negative_consumption", wrap)


def _wraps(total: int, difference: int, meter: Meter | None) -> bool:
    return meter is not None and abs(total - (difference + 10**meter.digits)) <= SLACK_PULSES


def _registers_of_day(
    registers: Mapping[tuple[str, int], Said], day: int, end_of_day: int, step: int
) -> list[tuple[int, int]]:
    """(instant, register) of START, the POINTs on slot edges strictly inside, and END; conflicts left out."""
    chosen = [(START, day)]
    chosen += [(POINT, at) for at in range(day + step, end_of_day, step)]
    chosen += [(END, end_of_day)]
    found = [(key[1], registers.get(key)) for key in chosen]
    return [(at, one.low) for at, one in found if one is not None and not one.conflict]


def continuity_jumps(
    point: UsagePoint, fitting: Fitting, evidence: Evidence, days: MeteringDays
) -> list[Jump]:
    """§3.3: the jumps of more than a pulse between a day's end and the next day's start, in order of time."""
    registers = evidence.registers[fitting.channel]
    jumps = []
    for kind, at in sorted(registers):
        start, end = registers.get((START, at)), registers.get((END, at))
        if kind != START or start is None or end is None or start.conflict or end.conflict:
            continue
        first, last = days.shifted(at, -1), days.end(at)
        if not fitting.holds(first, last) or point.fitting_edge_inside(first, last):
            continue
        size = start.low - end.low
        if abs(size) > 1 and not point.meter_edge_inside(first, last):
            jumps.append(Jump(at, size))
    return jumps


def judge_continuity(
    point: UsagePoint, fitting: Fitting, evidence: Evidence, days: MeteringDays, findings: set[Finding]
) -> list[tuple[int, int]]:
    """§3.3 and §3.6: findings for the jumps; returns spans [first, last) of days two devices spoil."""
    jumps = continuity_jumps(point, fitting, evidence, days)
    for jump in jumps:
        rule = "vee.register_continuity" if jump.size > 0 else "vee.negative_consumption"
        findings.add((rule, point.usage_point_id, jump.at, jump.at))
    spans = [(run[0].at, run[-1].at) for run in alternating(jumps, JUMP_GAP)]
    for first, last in spans:
        findings.add(("vee.two_devices", point.usage_point_id, first, last))
    return spans
