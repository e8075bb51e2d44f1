"""Hours made of intervals, moved by the clock where need be, and judged one by one
(domain.md §3.1, §3.2, §3.5, §3.13, §3.14).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import MAXIMA, MINIMA, STEPS, Channel, Evidence, Finding, Said
from balance_oracle.fittings import Meter, UsagePoint
from balance_oracle.registers_of_days import sum_checks
from balance_oracle.sensors import value_range
from balance_oracle.settings import HOUR, Settings, half_up

Intervals = Mapping[tuple[int, int], Said]


@dataclass(frozen=True)
class Made:
    """The intervals an hour is made of, each with its start and the seconds of it that count."""

    step: int
    parts: tuple[tuple[int, Said, int], ...]
    weight: int | None
    """Base units a pulse; null of a mean."""

    @property
    def conflict(self) -> bool:
        return any(said.conflict for _, said, _ in self.parts)

    @property
    def negative(self) -> bool:
        return self.weight is not None and any(said.low < 0 for _, said, _ in self.parts)

    def value(self, *, largest: bool = False) -> int:
        """Of intervals in conflict the smallest each, or the largest."""
        total = sum((said.high if largest else said.low) * seconds for _, said, seconds in self.parts)
        return half_up(total, HOUR) if self.weight is None else half_up(total * self.weight, self.step)


@dataclass
class ChannelDay:
    """What the intervals of one channel say of one day, by hour; ``suspect`` hours are held back."""

    hours: dict[int, Made] = field(default_factory=dict)
    suspect: set[int] = field(default_factory=set)


def channel_day(
    point: UsagePoint,
    channel: Channel,
    day: int,
    moved_by: int,
    evidence: Evidence,
    days: MeteringDays,
    settings: Settings,
    findings: set[Finding],
) -> ChannelDay:
    """§3.1 to §3.5 and §3.14 for one day with interval evidence of a channel that reads the usage point."""
    result = ChannelDay()
    broken: dict[str, list[int]] = defaultdict(list)
    for hour in days.hours(day):
        meter = point.meter_at(hour)
        if meter is None or not reads(point, channel, hour):
            continue
        averaged = channel[1] == 0 or point.is_sensor
        made = _make(
            evidence.intervals[channel], hour, day, days, moved_by, None if averaged else meter.weight
        )
        if made is None:
            continue
        result.hours[hour] = made
        for rule in _broken(made, point, channel, meter, settings):
            broken[rule].append(hour)
            result.suspect.add(hour)
    for rule, hours in broken.items():
        findings |= {(rule, point.usage_point_id, *span) for span in successive(hours)}
    if channel[1] >= 1 and not point.is_sensor:
        for fault in sum_checks(point, channel, day, evidence, days):
            touched = {h for h in days.hours(day) if h < fault.end and fault.start < h + HOUR}
            if any(reads(point, channel, hour) for hour in touched):
                findings.add((fault.rule, point.usage_point_id, fault.start, fault.end))
            if not fault.wrap:
                result.suspect |= touched
    return result


def reads(point: UsagePoint, channel: Channel, hour: int) -> bool:
    """Whether the channel reads the usage point in that hour, with a meter fitted."""
    fitting = point.fitting_over(hour, hour + HOUR)
    return fitting is not None and fitting.channel == channel and point.meter_at(hour) is not None


def successive(hours: Iterable[int]) -> list[tuple[int, int]]:
    """Spans of hours that follow each other."""
    spans: list[tuple[int, int]] = []
    for hour in sorted(hours):
        if spans and spans[-1][1] == hour:
            spans[-1] = spans[-1][0], hour + HOUR
        else:
            spans.append((hour, hour + HOUR))
    return spans


def _make(
    said: Intervals, hour: int, day: int, days: MeteringDays, moved_by: int, weight: int | None
) -> Made | None:
    """The intervals of one hour; None when one is absent."""
    if moved_by == 0:
        return next((made for step in STEPS if (made := _filled(said, hour, day, step, weight))), None)
    present = [step for step in STEPS if any((at, step) in said for at in range(day, days.end(day), step))]
    return _filled(said, hour + moved_by, day, present[0], weight) if present else None


def _filled(said: Intervals, start: int, day: int, step: int, weight: int | None) -> Made | None:
    """The intervals of a step that [start, start + 1 h) overlaps, when all are there."""
    end = start + HOUR
    parts = []
    for at in range(start - (start - day) % step, end, step):
        one = said.get((at, step))
        if one is None:
            return None
        parts.append((at, one, min(at + step, end) - max(at, start)))
    return Made(step, tuple(parts), weight)


def _broken(
    made: Made, point: UsagePoint, channel: Channel, meter: Meter, settings: Settings
) -> Iterator[str]:
    if made.conflict:
        yield "vee.conflicting_duplicate"
    if point.is_sensor:
        limits = value_range(point) if settings.applies("sensors") else None
        if limits and not made.conflict and not limits[0] <= made.value() <= limits[1]:
            yield "vee.out_of_range"
        return
    if channel[1] >= 1:
        if made.negative:
            yield "vee.negative_consumption"
        if not made.conflict and made.value() > meter.q_max + meter.weight:
            yield "vee.high"


def extremes(made: Made, channel: Channel, evidence: Evidence) -> tuple[int | None, int | None]:
    """§3.14: the least and the greatest value of an hour."""
    least = _others(made, evidence.intervals.get((channel[0], channel[1] + MINIMA), {}))
    greatest = _others(made, evidence.intervals.get((channel[0], channel[1] + MAXIMA), {}))
    return (min(least) if least else None), (max(greatest) if greatest else None)


def _others(made: Made, said: Intervals) -> Sequence[int] | None:
    found = [said.get((at, made.step)) for at, _, _ in made.parts]
    if any(one is None or one.conflict for one in found):
        return None
    return [one.low for one in found if one is not None]
