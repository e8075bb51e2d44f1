"""Hours and rules of a day with interval evidence (domain.md §3.1 to §3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import END, POINT, START, STEPS, Channel, Evidence, Finding, Said
from balance_oracle.fittings import Fitting, Meter, UsagePoint
from balance_oracle.runs import Jump, alternating
from balance_oracle.settings import DAY, HOUR, half_up

SLACK_PULSES = 2
JUMP_GAP = 7 * DAY + HOUR


@dataclass
class ChannelDay:
    """What the intervals of one channel say of one day: values by hour, and the hours held back."""

    values: dict[int, int] = field(default_factory=dict)
    suspect: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class SpanFault:
    """A span between two registers with what is found about it; a wrap holds nothing back."""

    start: int
    end: int
    rule: str
    wrap: bool = False


def finest_complete(said: Mapping[tuple[int, int], Said], start: int, end: int) -> list[Said] | None:
    """The intervals of the finest step that fills [start, end) without a gap; None when there is none."""
    for step in STEPS:
        found = [said.get((at, step)) for at in range(start, end, step)]
        if all(one is not None for one in found):
            return [one for one in found if one is not None]
    return None


def hours_from_intervals(
    point: UsagePoint,
    channel: Channel,
    day: int,
    evidence: Evidence,
    days: MeteringDays,
    findings: set[Finding],
) -> ChannelDay:
    """§3.1, §3.2, §3.4 and §3.5 for one day of one channel at one usage point."""
    result = ChannelDay()
    name = point.usage_point_id
    for hour in days.hours(day):
        meter = point.meter_at(hour)
        said = finest_complete(evidence.intervals[channel], hour, hour + HOUR)
        if meter is None or said is None or not _reads(point, channel, hour):
            continue
        value = result.values[hour] = _value(said, channel, meter)
        for rule in _broken(said, value, channel, meter):
            findings.add((rule, name, hour))
            result.suspect.add(hour)
    if channel[1] >= 1:
        for fault in sum_checks(point, channel, day, evidence, days):
            touched = {h for h in days.hours(day) if h < fault.end and fault.start < h + HOUR}
            if any(_reads(point, channel, hour) for hour in touched):
                findings.add((fault.rule, name, fault.start))
            if not fault.wrap:
                result.suspect |= touched
    return result


def _reads(point: UsagePoint, channel: Channel, hour: int) -> bool:
    """Whether the channel reads the usage point in that hour, with a meter fitted."""
    fitting = point.fitting_over(hour, hour + HOUR)
    return fitting is not None and fitting.channel == channel and point.meter_at(hour) is not None


def _value(said: list[Said], channel: Channel, meter: Meter) -> int:
    total = sum(one.low for one in said)
    return half_up(total, len(said)) if channel[1] == 0 else total * meter.weight


def _broken(said: list[Said], value: int, channel: Channel, meter: Meter) -> Iterator[str]:
    conflict = any(one.conflict for one in said)
    if conflict:
        yield "vee.conflicting_duplicate"
    if channel[1] >= 1:
        if any(one.low < 0 for one in said):
            yield "vee.negative_consumption"
        if not conflict and value > meter.q_max + meter.weight:
            yield "vee.high"


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
        findings.add((rule, point.usage_point_id, jump.at))
    spans = [(run[0].at, run[-1].at) for run in alternating(jumps, JUMP_GAP)]
    for first, _ in spans:
        findings.add(("vee.two_devices", point.usage_point_id, first))
    return spans
