"""Readings and findings of a usage point over some days: a pure function of evidence and history
(docs/domain.md §3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from balance_kernel.plans import allowance_at

from balance_ingest.domain import sensors, wording, wording_telemetry
from balance_ingest.domain.channel_days import NO_EVIDENCE, ChannelEvidence
from balance_ingest.domain.circumstances import ORDINARY, Circumstances
from balance_ingest.domain.clocks import ClockDay, MovedHours
from balance_ingest.domain.continuity import EdgeJump, edge_jumps
from balance_ingest.domain.days import Days, Ints, Span
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.from_steps import fill_hours, offered_hours
from balance_ingest.domain.gaps import Closing, Gap
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.intervals import HourCounts, high, hours_from_intervals
from balance_ingest.domain.join import Slots
from balance_ingest.domain.marks import EVER, Known
from balance_ingest.domain.overlay import lay_over, undecided
from balance_ingest.domain.plans import is_due
from balance_ingest.domain.runs import INTERVAL_GAP_S, Jump, two_devices
from balance_ingest.domain.sheet import MISSING, VALID, ReadingDay, Sheet, stretches
from balance_ingest.domain.silence import missing_day, missing_hours
from balance_ingest.domain.steps import Steps, steps_of
from balance_ingest.domain.sums import sum_check

ALGORITHM_VERSION = 3
"""Raised with every change of a rule that changes readings."""

_WEEK = 7
_AROUND_DAYS = 93
"""Beyond a day lie the hours that a gap's estimate is made of: marks 62 days, and reference days 28 more."""
REACH_DAYS = 34
"""How far from a day evidence may lie that its hours depend on, runs of two devices aside (their extent is
told).
"""


@dataclass(frozen=True, slots=True)
class Computed:
    """Readings and findings of successive days. `runs` are the spans of all runs of two devices in the
    evidence seen.

    `estimated` are the days with hours of closed gaps. `lacks` is the span whose evidence must be known
    before gaps can be closed; as long as there is one, none is.
    """

    days: Sequence[int]
    readings: Sequence[ReadingDay]
    findings: Sequence[Finding]
    runs: Sequence[tuple[int, int]]
    estimated: frozenset[int] = frozenset()
    lacks: Span | None = None


def compute(
    point: UsagePoint,
    days: Sequence[int],
    evidence: Mapping[int, ChannelEvidence],
    calendar: Days,
    due_before: int,
    circumstances: Circumstances = ORDINARY,
    known: Known = EVER,
) -> Computed:
    """Readings of successive days that say something else, and of the days whose gaps hang on them; and the
    findings that begin in all these.

    `evidence` holds each fitted channel's evidence from REACH_DAYS before the first day to REACH_DAYS after
    the last (a day on either side where registers and jumps play no part), and as much longer before it as
    allowances last; `known` is the span of which it holds all. Days that end by `due_before`, less their
    allowance, must have been heard of.
    """
    layout = _Layout(point, days, evidence, calendar, circumstances)
    closings = [layout.closing(part, known) for part in layout.parts if part.has_gaps]
    span, gaps = _gaps(closings, days[0], calendar.end_of(days[-1]))
    lacks = _lacking(closings, span, gaps, days, calendar, circumstances, known)
    if lacks is None:
        days = calendar.between(*span)
        layout.lay(*span)
    sheet = layout.sheet
    findings = [finding for part in layout.parts for finding in part.found]
    findings.extend(_silence(sheet, days, evidence, calendar, due_before, circumstances))
    estimated: set[int] = set()
    for closing, gap in gaps if lacks is None else ():
        closing.close(gap)
        if gap.kind:
            findings.append(wording.gap_fault(point, closing.fitting, gap, closing.span(gap)))
        if gap.estimate is not None:
            estimated.update(calendar.days_of(sheet.hour[gap.missing]).tolist())
    start, end = days[0], calendar.end_of(days[-1])
    mine = undecided((f for f in findings if start <= f.start < end), point.decisions)
    lay_over(sheet, start, end)
    runs = [run for part in layout.parts for run in part.runs]
    readings = list(sheet.reading_days(days, calendar))
    return Computed(days, readings, mine, runs, frozenset(estimated), lacks)


def _gaps(closings: Sequence[Closing], start: int, end: int) -> tuple[Span, Sequence[tuple[Closing, Gap]]]:
    """The span of what hangs on the days [start, end), and the gaps with hours in it."""
    reaches = [(start, end), *(closing.reach(start, end) for closing in closings)]
    span = min(first for first, _ in reaches), max(last for _, last in reaches)
    return span, [(closing, gap) for closing in closings for gap in closing.gaps(*span)]


def _lacking(
    closings: Sequence[Closing],
    span: Span,
    gaps: Sequence[tuple[Closing, Gap]],
    days: Sequence[int],
    calendar: Days,
    circumstances: Circumstances,
    known: Known,
) -> Span | None:
    """What must be known for all of that beside the days themselves; None when it is."""
    lacks = [lack for closing in closings for lack in closing.lacks]
    hulls = lacks or [span, *(closing.hull(gap) for closing, gap in gaps)]
    first = calendar.day_of(min(start for start, _ in hulls))
    last = calendar.day_of(max(end for _, end in hulls) - 1)
    needed = (
        calendar.shift(first, -REACH_DAYS - 1 - circumstances.longest_allowance),
        calendar.shift(last, REACH_DAYS + 2),
    )
    within = not lacks and days[0] <= first and last <= days[-1]
    return None if within or known.holds(*needed) else (first, calendar.end_of(last))


def _silence(
    sheet: Sheet,
    days: Sequence[int],
    evidence: Mapping[int, ChannelEvidence],
    calendar: Days,
    due_before: int,
    circumstances: Circumstances,
) -> Iterator[Finding]:
    allowances = circumstances.allowances
    for day in days:
        end = calendar.end_of(day)
        fittings = [f for f in sheet.point.fittings if f.overlaps(day, end)]
        if not all(is_due(allowances.get(f.channel_id, ()), day, end, due_before) for f in fittings):
            continue
        hours = sheet.hours_in(day, end)
        quality = sheet.settled(hours)
        if any(evidence.get(f.channel_id, NO_EVIDENCE).has_any(day, end) for f in fittings):
            missing = (quality == MISSING) & sheet.covered[hours]
            if missing.any():
                yield missing_hours(sheet.point, day, end, np.flatnonzero(missing).tolist())
        elif (quality == MISSING).all():
            for fitting in fittings:
                allowed = allowance_at(allowances.get(fitting.channel_id, ()), day)
                since = calendar.shift(day, -_WEEK - allowed)
                heard = evidence.get(fitting.channel_id, NO_EVIDENCE)
                if fitting.contains(day, end) and heard.has_any_between(since, day):
                    yield missing_day(sheet.point, fitting, day, end)
                    break


class _Layout:
    """The hours of a usage point before gaps are closed, laid out a day at a time as they are asked for."""

    def __init__(
        self,
        point: UsagePoint,
        days: Sequence[int],
        evidence: Mapping[int, ChannelEvidence],
        calendar: Days,
        circumstances: Circumstances,
    ) -> None:
        self._calendar = calendar
        self._laid: set[int] = set()
        around = 0 if point.is_sensed else _AROUND_DAYS
        first, after = calendar.shift(days[0], -around), calendar.shift(days[-1], around + 1)
        self.sheet = Sheet(point, calendar.between(first, after), calendar)
        self.parts = [
            _Part(self.sheet, fitting, evidence, calendar, circumstances) for fitting in point.fittings
        ]
        self.lay(days[0], calendar.end_of(days[-1]))

    def lay(self, start: int, end: int) -> None:
        """Lay out the days that overlap [start, end)."""
        for day in self._calendar.between(start, end):
            if day not in self._laid:
                self._laid.add(day)
                for part in self.parts:
                    part.lay(day)

    def closing(self, part: _Part, known: Known) -> Closing:
        """What closes the gaps of one of the parts."""
        return Closing(self.sheet, part.fitting, part.evidence, self._calendar, known, self.lay)


class _Part:
    """What one fitting of a channel gives to a sheet."""

    def __init__(
        self,
        sheet: Sheet,
        fitting: Fitting,
        evidence: Mapping[int, ChannelEvidence],
        calendar: Days,
        circumstances: Circumstances,
    ) -> None:
        self._beside = evidence
        self._faults = circumstances.faults.get(fitting.channel_id, ())
        self._clocks = circumstances.clocks.get(fitting.channel_id, {})
        self._averaged = fitting.number == 0 or sheet.point.is_sensed
        self._sheet = sheet
        self._point = sheet.point
        self.fitting = fitting
        self.evidence = evidence.get(fitting.channel_id, NO_EVIDENCE)
        self._calendar = calendar
        self._quarantines: list[Span] = []
        self._steps = Steps([], [])
        self.runs: list[Span] = []
        self.found: list[Finding] = []
        if self._heard and not self._averaged:
            self._steps = steps_of(self._point, fitting, self.evidence)
            self.found.extend(self._steps_told(self._steps))
            self.found.extend(self._edges())
        self.found.extend(
            wording_telemetry.sensor_fault(self._point, fitting, fault)
            for fault in self._faults
            if fault.overlaps(fitting.fitted, fitting.removed)
        )

    @property
    def _heard(self) -> bool:
        return bool(self.evidence.days or self.evidence.instants)

    @property
    def has_gaps(self) -> bool:
        """Whether registers may close gaps of it."""
        return self._heard and not self._averaged

    def lay(self, day: int) -> None:
        """Fill a day of the sheet, and keep what was found on the way."""
        end = self._calendar.end_of(day)
        if not self._heard or not self.fitting.overlaps(day, end):
            return
        if self.evidence.has_intervals(day):
            self.found.extend(self._interval_day(day, end))
        else:
            self._register_day(self._steps, day, end)
        faults = [fault for fault in self._faults if fault.overlaps(day, end)]
        if faults and self._is_spoken(day, end):
            for fault in faults:
                hours = self._sheet.hours_in(max(fault.start, day), min(fault.end, end))
                self._sheet.suspect[hours] |= self._sheet.read_by(self.fitting, hours)
        if any(first <= day < last for first, last in self._quarantines) and self._is_spoken(day, end):
            hours = self._sheet.hours_in(day, end)
            self._sheet.suspect[hours] |= self._sheet.read_by(self.fitting, hours)

    def _is_spoken(self, day: int, end: int) -> bool:
        """Whether anything was said of a day: evidence, or a step of a register (§3.6, §3.10)."""
        touched = (step.used and step.start < end and day < step.end for step in self._steps.steps)
        return self.evidence.has_any(day, end) or any(touched)

    def _interval_day(self, day: int, end: int) -> Iterator[Finding]:
        sheet, fitting = self._sheet, self.fitting
        hours = sheet.hours_in(day, end)
        mine = sheet.read_by(fitting, hours)
        weight = sheet.by_meter(hours, "weight")
        clock = self._clocks.get(day)
        if clock and mine.any():
            yield wording_telemetry.clock_drift(self._point, fitting, day, end, clock)
        counts = self._counts(day, hours, clock)
        values = counts.values(weight, self._averaged)
        sheet.moved[hours] |= isinstance(counts, MovedHours) and mine.any()
        here = mine & counts.there
        sheet.value[hours] = np.where(here, values, sheet.value[hours])
        sheet.quality[hours] = np.where(here, VALID, sheet.quality[hours])
        if sheet.offers:
            largest = self._largest(day, counts, weight)
            sheet.offers.put(hours, here, values, largest, counts.conflict, self._averaged)
        faults = {"conflict": counts.conflict & here}
        if self._averaged:
            faults["range"] = sensors.out_of_range(self._point, values) & here & ~counts.conflict
            if fitting.minima_id is not None or fitting.maxima_id is not None:
                sheet.put_extremes(hours, here, *self._extremes(day, counts))
        else:
            faults["negative"] = counts.negative & here
            faults["high"] = high(values, weight, sheet.by_meter(hours, "q_max")) & here & ~counts.conflict
        for kind, flags in faults.items():
            sheet.suspect[hours] |= flags
            for first, after in stretches(flags):
                shown = slice(hours.start + first, hours.start + after)
                yield self._told(kind, shown, values[first:after])
        if not self._averaged:
            yield from self._sums(day, hours)

    def _counts(self, day: int, hours: slice, clock: ClockDay | None) -> HourCounts | MovedHours:
        """What intervals come to by hour of a day, by true time where the clock's offset is known."""
        if clock and clock.moves:
            return MovedHours(self.evidence, day, clock.offset, self._calendar)
        return hours_from_intervals(self.evidence.days[day].steps, hours.stop - hours.start)

    def _extremes(self, day: int, counts: HourCounts | MovedHours) -> tuple[Ints, Ints]:
        """Least and greatest value of each hour of a day."""
        if isinstance(counts, MovedHours):
            return sensors.moved_extremes(self.fitting, self._beside, counts)
        return sensors.extremes(self.fitting, self._beside, day, counts.parts)

    def _largest(self, day: int, counts: HourCounts | MovedHours, weight: Ints) -> Ints:
        """Values of a day's hours with the largest of intervals in conflict."""
        if isinstance(counts, MovedHours):
            return counts.values(weight, self._averaged, largest=True)
        steps = self.evidence.days[day].steps
        largest = {step: Slots(told.revision, told.high, told.high) for step, told in steps.items()}
        return hours_from_intervals(largest, len(weight)).values(weight, self._averaged)

    def _told(self, fault: str, hours: slice, values: Ints) -> Finding:
        sheet, point, fitting = self._sheet, self._point, self.fitting
        if fault == "range" and point.kind:
            return sensors.range_fault(point, fitting, point.kind, int(sheet.hour[hours][0]), values)
        return wording.hours_fault(fault, sheet, fitting, hours, values)

    def _sums(self, day: int, hours: slice) -> Iterator[Finding]:
        for fault in sum_check(self._point, self.evidence, day, hours.stop - hours.start):
            touched = self._sheet.hours_in(fault.start, fault.end)
            mine = self._sheet.read_by(self.fitting, touched)
            if mine.any():
                self._sheet.suspect[touched] |= mine & fault.quarantines
                yield wording.sum_fault(self._point, self.fitting, fault)

    def _register_day(self, steps: Steps, day: int, end: int) -> None:
        sheet = self._sheet
        hours = sheet.hours_in(day, end)
        mine = sheet.read_by(self.fitting, hours)
        if mine.any():
            fill_hours(sheet, steps.steps, day, hours, mine)
            if sheet.offers:
                values, offered = offered_hours(steps.steps, day, hours.stop - hours.start)
                sheet.offers.put(hours, mine & offered, values, values, False)

    def _steps_told(self, steps: Steps) -> Iterator[Finding]:
        """Findings of steps and of runs among them (§3.6, §3.7)."""
        for step in steps.steps:
            if step.tells:
                yield wording.step_fault(self._point, self.fitting, step)
        for first, last in steps.runs:
            span = steps.steps[first].start, steps.steps[last].end
            self.runs.append(span)
            sizes = [s.size for s in steps.steps[first : last + 1] if s.is_jump]
            yield wording.two_devices(self._point, self.fitting, "registers", *span, sizes)

    def _edges(self) -> Iterator[Finding]:
        jumps: list[EdgeJump] = list(edge_jumps(self._point, self.fitting, self.evidence, self._calendar))
        for jump in jumps:
            yield wording.edge_fault(self._point, self.fitting, jump)
        for run in two_devices([Jump(jump.day, jump.size) for jump in jumps], INTERVAL_GAP_S):
            first, last = jumps[run[0]].day, jumps[run[-1]].day
            self.runs.append((first, last))
            self._quarantines.append((first, last))
            sizes = [jumps[position].size for position in run]
            yield wording.two_devices(self._point, self.fitting, "edges", first, last, sizes)
