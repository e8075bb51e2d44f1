"""Reading days of usage points and their findings (domain.md §3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from balance_oracle.clocks import drift_on
from balance_oracle.days import MeteringDays
from balance_oracle.edits import Decision, Decisions, is_decided
from balance_oracle.evidence import END, MINIMA, Channel, Evidence, Finding, channel_name
from balance_oracle.faults import Fault, fault_findings, faults_of
from balance_oracle.fittings import Fitting, UsagePoint
from balance_oracle.gaps import Before, Estimated, close_gaps
from balance_oracle.intervals import ChannelDay, Made, channel_day, extremes, reads
from balance_oracle.plans import Plans
from balance_oracle.registers import Step, hour_from_steps, released_from_steps, steps_of
from balance_oracle.registers_of_days import judge_continuity
from balance_oracle.sensors import unknown_kind
from balance_oracle.settings import HOUR, Settings
from balance_oracle.telemetry import Telemetry
from balance_oracle.unusual import PointHistory

Hour = tuple[int | None, str]
Extreme = tuple[int | None, int | None]
MISSING: Hour = (None, "MISSING")
SUSPECT: Hour = (None, "SUSPECT")
PAST_DAYS = 7


@dataclass(frozen=True)
class EvidenceDays:
    """Days with interval evidence, and days with evidence of any kind, by channel."""

    with_intervals: Mapping[Channel, set[int]]
    with_any: Mapping[Channel, set[int]]


def evidence_days(evidence: Evidence, days: MeteringDays) -> EvidenceDays:
    """An END belongs to the day it ends; everything else to the day its instant lies in.

    Minima and maxima are of the channel of their averages, which are there when they are.
    """
    with_intervals: dict[Channel, set[int]] = defaultdict(set)
    with_any: dict[Channel, set[int]] = defaultdict(set)
    for channel, intervals in evidence.intervals.items():
        if channel[1] < MINIMA:
            for start, _ in intervals:
                with_intervals[channel].add(days.containing(start))
    for channel, found in with_intervals.items():
        with_any[channel] |= found
    for channel, registers in evidence.registers.items():
        for kind, at in registers:
            with_any[channel].add(days.containing(at - 1 if kind == END else at))
    return EvidenceDays(with_intervals, with_any)


@dataclass(frozen=True)
class Everything:
    """What readings follow from, beside the usage point itself."""

    evidence: Evidence
    telemetry: Telemetry
    plans: Plans
    known: EvidenceDays
    days: MeteringDays
    settings: Settings
    clock: int


class PointReadings:
    """Everything about one usage point: its hours as evidence says, with gaps closed, with edits."""

    def __init__(self, point: UsagePoint, given: Everything, decisions: Decisions) -> None:
        self._point = point
        self._given = given
        self._evidence = given.evidence
        self._days = given.days
        self._settings = given.settings
        self._decisions = decisions if given.settings.applies("edits") else {}
        self._found: set[Finding] = set()
        self._steps: dict[Fitting, list[Step]] = {}
        self._spoilt: dict[Fitting, list[tuple[int, int]]] = {}
        self._faults: dict[Fitting, list[Fault]] = {}
        for fitting in point.fittings:
            metered = fitting.channel[1] >= 1 and not point.is_sensor
            self._steps[fitting] = steps_of(point, fitting, given.evidence, self._found) if metered else []
            self._spoilt[fitting] = (
                judge_continuity(point, fitting, given.evidence, given.days, self._found) if metered else []
            )
            faults = faults_of(fitting.channel, given.telemetry) if self._settings.applies("faults") else []
            self._faults[fitting] = faults
            self._found |= fault_findings(point, fitting, faults)
        if self._settings.applies("sensors"):
            self._found |= unknown_kind(point)
        self._told_by = cache(self._told_by_fitting)
        self._channel_days = cache(self._channel_day)
        self._judged = cache(self._judge_day)

    @cached_property
    def told_days(self) -> set[int]:
        """Days of which something was said: evidence, or a step of §3.7."""
        return set().union(*map(self._told_by, self._point.fittings))

    def _told_by_fitting(self, fitting: Fitting) -> set[int]:
        with_intervals = self._given.known.with_intervals.get(fitting.channel, set())
        evident = self._given.known.with_any.get(fitting.channel, set())
        found = {d for d in evident if fitting.fitted < self._days.end(d) and d < fitting.removed}
        for step in self._steps[fitting]:
            if step.used or step.quarantined:
                found |= set(self._days.overlapping(step.start, step.end)) - with_intervals
        return found

    @cached_property
    def readings(self) -> dict[int, list[Hour]]:
        """(value, quality) by day and hour, of the days that are reading days."""
        estimated = self._gaps.hours
        days = self.told_days | {self._days.containing(hour) for hour in (*estimated, *self._edited_hours)}
        found = {}
        for day in sorted(days):
            hours = [self._final(hour) for hour in self._days.hours(day)]
            if any(hour != MISSING for hour in hours):
                found[day] = hours
        return found

    @cached_property
    def extremes(self) -> dict[int, list[Extreme]]:
        """(least, greatest) by day and hour, of a sensor's reading days with any."""
        found = {}
        for day, hours in self.readings.items() if self._point.is_sensor else ():
            pairs = [
                self._extreme(day, hour) if quality == "VALID" else (None, None)
                for hour, (_, quality) in zip(self._days.hours(day), hours, strict=True)
            ]
            if any(pair != (None, None) for pair in pairs):
                found[day] = pairs
        return found

    @property
    def findings(self) -> set[Finding]:
        """All of them, after everything was computed; those that were decided about left out."""
        for day in self.told_days:
            self._judged(day)
        found = self._found | self._gaps.findings | self._lacking()
        kept = {one for one in found if not is_decided(one, self._decisions, self._days)}
        if self._settings.applies("unusual") and not self._point.is_sensor:
            kept |= PointHistory(self._point, self.readings, self._days).findings()
        return kept

    @property
    def _edited_hours(self) -> list[int]:
        return [hour for hour, decision in self._decisions.items() if decision.value is not None]

    # As evidence says

    def _judge(self, hour: int) -> Hour:
        """The hour before §3.11 and §3.12."""
        day = self._days.containing(hour)
        if day not in self.told_days:
            return MISSING
        return self._judged(day)[(hour - day) // HOUR]

    def _judge_day(self, day: int) -> list[Hour]:
        return [self._judge_hour(day, hour) for hour in self._days.hours(day)]

    def _judge_hour(self, day: int, start: int) -> Hour:
        fitting = self._point.fitting_over(start, start + HOUR)
        if fitting is None or self._point.meter_at(start) is None:
            return MISSING
        of_day = self._channel_days(day, fitting.channel)  # what it finds stands beside other rules'
        if any(first <= day < last for first, last in self._spoilt[fitting]):
            return SUSPECT
        told = day in self._told_by(fitting)
        if told and any(fault.overlaps(start, start + HOUR) for fault in self._faults[fitting]):
            return SUSPECT
        if of_day is None:
            return hour_from_steps(self._steps[fitting], start, start + HOUR)
        if start in of_day.suspect:
            return SUSPECT
        return (of_day.hours[start].value(), "VALID") if start in of_day.hours else MISSING

    def _channel_day(self, day: int, channel: Channel) -> ChannelDay | None:
        """What intervals say; null on a day without interval evidence of the channel."""
        if day not in self._given.known.with_intervals.get(channel, set()):
            return None
        drift = drift_on(channel[0], day, self._given.telemetry, self._days, self._settings)
        if drift.found and self._reads_on(channel, day):
            self._found.add(("vee.clock_drift", self._point.usage_point_id, day, self._days.end(day)))
        return channel_day(
            self._point,
            channel,
            day,
            drift.moved_by,
            self._evidence,
            self._days,
            self._settings,
            self._found,
        )

    def _reads_on(self, channel: Channel, day: int) -> bool:
        return any(reads(self._point, channel, hour) for hour in self._days.hours(day))

    # Gaps

    @cached_property
    def _gaps(self) -> Estimated:
        result = Estimated()
        if self._settings.applies("gaps") and not self._point.is_sensor:
            for fitting in self._point.fittings:
                if fitting.channel[1] >= 1:
                    before = Before(self._judge, self._was_moved, self._reference_of(fitting))
                    found = close_gaps(self._point, fitting, self._evidence, self._days, before)
                    result.hours |= found.hours
                    result.findings |= found.findings
        return result

    def _was_moved(self, day: int) -> bool:
        """Whether hours of the day were moved by the clock of a module."""
        return any(
            day in self._given.known.with_intervals.get(channel, set())
            and self._reads_on(channel, day)
            and drift_on(channel[0], day, self._given.telemetry, self._days, self._settings).moved_by != 0
            for channel in {fitting.channel for fitting in self._point.fittings}
        )

    def _reference_of(self, fitting: Fitting) -> _Reference:
        return _Reference(self, fitting)

    def values_for_reference(self, day: int, fitting: Fitting) -> Sequence[int] | None:
        """Values of a day all of whose hours are VALID, none moved, and read by the fitting."""
        if day not in self.told_days or self._was_moved(day):
            return None
        if not fitting.holds(day, self._days.end(day)):
            return None
        hours = self._judged(day)
        if any(quality != "VALID" for _, quality in hours):
            return None
        return [value for value, _ in hours if value is not None]

    # Edits

    def _final(self, hour: int) -> Hour:
        """The hour as it stands."""
        decision = self._decisions.get(hour)
        if decision is not None and decision.value is not None:
            return decision.value, "EDITED"
        if hour in self._gaps.hours:
            return self._gaps.hours[hour], "ESTIMATED"
        judged = self._judge(hour)
        if judged == SUSPECT and decision is not None:
            released = self._released(hour, decision)
            if released is not None and released <= 10**15:
                return released, "VALID"
        return judged

    def _released(self, hour: int, decision: Decision) -> int | None:
        """§3.12, CONFIRM: what evidence says of a SUSPECT hour without the quarantine."""
        fitting = self._point.fitting_over(hour, hour + HOUR)
        if fitting is None:
            return None
        of_day = self._channel_days(self._days.containing(hour), fitting.channel)
        if of_day is None:
            return released_from_steps(self._steps[fitting], hour, hour + HOUR)
        made = of_day.hours.get(hour)
        if made is None or (made.conflict and decision.largest is None):
            return None
        value = made.value(largest=bool(decision.largest))
        return None if made.weight is not None and value < 0 else value

    def _extreme(self, day: int, hour: int) -> Extreme:
        fitting = self._point.fitting_over(hour, hour + HOUR)
        of_day = self._channel_days(day, fitting.channel) if fitting is not None else None
        made: Made | None = of_day.hours.get(hour) if of_day is not None else None
        if fitting is None or made is None:
            return None, None
        return extremes(made, fitting.channel, self._evidence)

    # §3.8

    def _lacking(self) -> set[Finding]:
        """Days that are due with hours MISSING, and days that are due of which nothing was said."""
        days = {day for day in self.told_days if self._lacks_hours(day) and self._is_due(day)}
        days |= {day for fitting in self._point.fittings for day in self._silent_days(fitting)}
        return {("vee.missing", self._point.usage_point_id, day, self._days.end(day)) for day in days}

    def _lacks_hours(self, day: int) -> bool:
        """An hour inside the fittings is MISSING."""
        return any(
            hour == MISSING
            and self._point.fitting_over(start, start + HOUR) is not None
            and self._point.meter_at(start) is not None
            for start, hour in zip(self._days.hours(day), self._judged(day), strict=True)
        )

    def _is_due(self, day: int) -> bool:
        """§3.17: for every channel fitted in a part of the day."""
        end = self._days.end(day)
        return not self._settings.applies("due") or all(
            self._given.plans.due_at(fitting.channel[0], day, end, self._settings.grace) <= self._given.clock
            for fitting in self._point.fittings
            if fitting.fitted < end and day < fitting.removed
        )

    def _silent_days(self, fitting: Fitting) -> set[int]:
        """Days long over without evidence, soon after evidence of the channel fitted all day."""
        found = set()
        evident = self._given.known.with_any.get(fitting.channel, set())
        longest = PAST_DAYS + 31
        for day in {self._days.shifted(d, n) for d in evident for n in range(1, longest + 1)}:
            end = self._days.end(day)
            allowed = self._given.plans.module_allowance(fitting.channel[0], day)
            if not self._settings.applies("due"):
                allowed = 0
            if (
                day not in evident
                and day not in self.told_days
                and fitting.holds(day, end)
                and end + self._settings.grace + allowed * 24 * HOUR <= self._given.clock
                and any(self._days.shifted(day, -n) in evident for n in range(1, PAST_DAYS + allowed + 1))
            ):
                found.add(day)
        return found


@dataclass(frozen=True)
class _Reference:
    """Reference days of one fitting."""

    of: PointReadings
    fitting: Fitting

    def __call__(self, day: int) -> Sequence[int] | None:
        return self.of.values_for_reference(day, self.fitting)


@dataclass(frozen=True)
class Readings:
    """By (usage point, day): hours, and least and greatest values of sensors; and all findings."""

    hours: dict[tuple[str, int], list[Hour]]
    extremes: dict[tuple[str, int], list[Extreme]]
    findings: set[Finding]


def compute_readings(
    points: Iterable[UsagePoint], given: Everything, decided: Mapping[str, Decisions]
) -> Readings:
    """All reading days, and all findings of validation."""
    result = Readings({}, {}, set())
    fitted: set[Channel] = set()
    for point in points:
        fitted |= {fitting.channel for fitting in point.fittings}
        one = PointReadings(point, given, decided.get(point.usage_point_id, {}))
        result.hours.update({(point.usage_point_id, day): hours for day, hours in one.readings.items()})
        result.extremes.update({(point.usage_point_id, day): pairs for day, pairs in one.extremes.items()})
        result.findings.update(one.findings)
    for channel in set(given.known.with_any) - fitted:
        told = given.known.with_any[channel]
        span = min(told), given.days.end(max(told))
        result.findings.add(("vee.unknown_channel", channel_name(channel), *span))
    return result
