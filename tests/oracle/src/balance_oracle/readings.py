"""Reading days of usage points and their findings (domain.md §3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import END, Channel, Evidence, Finding, channel_name
from balance_oracle.fittings import Fitting, UsagePoint
from balance_oracle.intervals import ChannelDay, hours_from_intervals, judge_continuity
from balance_oracle.registers import Step, hour_from_steps, steps_of
from balance_oracle.settings import HOUR, Settings

Hour = tuple[int | None, str]
MISSING: Hour = (None, "MISSING")
SUSPECT: Hour = (None, "SUSPECT")
PAST_DAYS = 7


@dataclass(frozen=True)
class EvidenceDays:
    """Days with interval evidence, and days with evidence of any kind, by channel."""

    with_intervals: Mapping[Channel, set[int]]
    with_any: Mapping[Channel, set[int]]


def evidence_days(evidence: Evidence, days: MeteringDays) -> EvidenceDays:
    """An END belongs to the day it ends; everything else to the day its instant lies in."""
    with_intervals: dict[Channel, set[int]] = defaultdict(set)
    with_any: dict[Channel, set[int]] = defaultdict(set)
    for channel, intervals in evidence.intervals.items():
        for start, _ in intervals:
            with_intervals[channel].add(days.containing(start))
    for channel, found in with_intervals.items():
        with_any[channel] |= found
    for channel, registers in evidence.registers.items():
        for kind, at in registers:
            with_any[channel].add(days.containing(at - 1 if kind == END else at))
    return EvidenceDays(with_intervals, with_any)


class PointReadings:
    """Everything about one usage point: compute its days one by one with ``hours``."""

    def __init__(
        self, point: UsagePoint, evidence: Evidence, known: EvidenceDays, days: MeteringDays
    ) -> None:
        self._point = point
        self._evidence = evidence
        self._known = known
        self._days = days
        self.findings: set[Finding] = set()
        self._steps: dict[Fitting, list[Step]] = {}
        self._spoilt: dict[Fitting, list[tuple[int, int]]] = {}
        for fitting in point.fittings:
            self._steps[fitting] = steps_of(point, fitting, evidence, self.findings)
            self._spoilt[fitting] = judge_continuity(point, fitting, evidence, days, self.findings)

    def days(self) -> list[int]:
        """Days to compute, oldest first."""
        found: set[int] = set()
        for fitting in self._point.fittings:
            with_intervals = self._known.with_intervals.get(fitting.channel, set())
            evident = self._known.with_any.get(fitting.channel, set())
            found |= {d for d in evident if fitting.fitted < self._days.end(d) and d < fitting.removed}
            for step in self._steps[fitting]:
                if step.used or step.quarantined:
                    found |= set(self._days.overlapping(step.start, step.end)) - with_intervals
        return sorted(found)

    def hours(self, day: int) -> list[Hour]:
        """(value, quality) of each hour of the day."""
        from_intervals = {
            channel: hours_from_intervals(
                self._point, channel, day, self._evidence, self._days, self.findings
            )
            for channel in {fitting.channel for fitting in self._point.fittings}
            if day in self._known.with_intervals.get(channel, set())
        }
        return [self._hour(day, start, from_intervals) for start in self._days.hours(day)]

    def _hour(self, day: int, start: int, from_intervals: Mapping[Channel, ChannelDay]) -> Hour:
        fitting = self._point.fitting_over(start, start + HOUR)
        if fitting is None or self._point.meter_at(start) is None:
            return MISSING
        if any(first <= day < last for first, last in self._spoilt[fitting]):
            return SUSPECT
        of_day = from_intervals.get(fitting.channel)
        if of_day is None:
            return hour_from_steps(self._steps[fitting], start, start + HOUR)
        if start in of_day.suspect:
            return SUSPECT
        return (of_day.values[start], "VALID") if start in of_day.values else MISSING


def compute_readings(
    points: Iterable[UsagePoint], evidence: Evidence, days: MeteringDays, settings: Settings, clock: int
) -> tuple[dict[tuple[str, int], list[Hour]], set[Finding]]:
    """All reading days by (usage point, day), and all findings of validation."""
    known = evidence_days(evidence, days)
    readings: dict[tuple[str, int], list[Hour]] = {}
    findings: set[Finding] = set()
    fitted: set[Channel] = set()
    for point in points:
        fitted |= {fitting.channel for fitting in point.fittings}
        one = PointReadings(point, evidence, known, days)
        for day in one.days():
            hours = one.hours(day)
            if any(hour != MISSING for hour in hours):
                readings[point.usage_point_id, day] = hours
            if _lacks_hours(point, day, hours, days):
                findings.add(("vee.missing", point.usage_point_id, day))
        findings |= one.findings
        findings |= _silent_days(point, known, set(one.days()), days, clock - settings.grace)
    for channel in set(known.with_any) - fitted:
        findings.add(("vee.unknown_channel", channel_name(channel), min(known.with_any[channel])))
    return readings, findings


def _lacks_hours(point: UsagePoint, day: int, hours: list[Hour], days: MeteringDays) -> bool:
    """§3.8: an hour inside the fittings is MISSING."""
    return any(
        hour == MISSING
        and point.fitting_over(start, start + HOUR) is not None
        and point.meter_at(start) is not None
        for start, hour in zip(days.hours(day), hours, strict=True)
    )


def _silent_days(
    point: UsagePoint, known: EvidenceDays, computed: set[int], days: MeteringDays, ended_by: int
) -> set[Finding]:
    """§3.8: days long over without evidence, within a week of evidence of the channel fitted all day."""
    silent: set[Finding] = set()
    for fitting in point.fittings:
        for day in known.with_any.get(fitting.channel, set()):
            for later in (days.shifted(day, n) for n in range(1, PAST_DAYS + 1)):
                evident = later in known.with_any[fitting.channel] or later in computed
                if not evident and fitting.holds(later, days.end(later)) and days.end(later) <= ended_by:
                    silent.add(("vee.missing", point.usage_point_id, later))
    return silent
