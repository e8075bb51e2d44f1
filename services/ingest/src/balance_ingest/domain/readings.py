"""Readings and findings of a usage point over some days: a pure function of evidence and history
(docs/domain.md §3).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balance_ingest.domain import sensors, wording
from balance_ingest.domain.channel_days import NO_EVIDENCE, ChannelEvidence
from balance_ingest.domain.circumstances import ORDINARY, Circumstances
from balance_ingest.domain.continuity import EdgeJump, edge_jumps
from balance_ingest.domain.days import Days, Ints
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.from_steps import fill_hours
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.intervals import high, hour_values, hours_from_intervals
from balance_ingest.domain.plans import allowance_at, is_due
from balance_ingest.domain.runs import INTERVAL_GAP_S, Jump, two_devices
from balance_ingest.domain.sheet import MISSING, VALID, ReadingDay, Sheet, stretches
from balance_ingest.domain.silence import missing_day, missing_hours
from balance_ingest.domain.steps import Steps, steps_of
from balance_ingest.domain.sums import sum_check

ALGORITHM_VERSION = 1
"""Raised with every change of a rule that changes readings."""

_WEEK = 7
REACH_DAYS = 30
"""How far from a day evidence may lie that its hours depend on, runs of two devices aside (their extent is
told).
"""


@dataclass(frozen=True, slots=True)
class Computed:
    """Readings and findings of successive days. `runs` are the spans of all runs of two devices in the
    evidence seen.
    """

    days: Sequence[int]
    readings: Sequence[ReadingDay]
    findings: Sequence[Finding]
    runs: Sequence[tuple[int, int]]


def compute(
    point: UsagePoint,
    days: Sequence[int],
    evidence: Mapping[int, ChannelEvidence],
    calendar: Days,
    due_before: int,
    circumstances: Circumstances = ORDINARY,
) -> Computed:
    """Readings of successive days, and the findings that begin in them.

    `evidence` holds each fitted channel's evidence from REACH_DAYS before the first day to REACH_DAYS after
    the last (a day on either side where registers and jumps play no part), and as much longer before it as
    allowances last. Days that end by `due_before`, less their allowance, must have been heard of.
    """
    sheet = Sheet(point, days, calendar)
    findings: list[Finding] = []
    runs: list[tuple[int, int]] = []
    for fitting in point.fittings:
        seen = evidence.get(fitting.channel_id, NO_EVIDENCE)
        part = _Part(sheet, fitting, seen, calendar, evidence)
        findings.extend(part.findings())
        runs.extend(part.runs)
    readings = list(sheet.reading_days())
    read = {reading.day for reading in readings}
    findings.extend(_silence(sheet, evidence, calendar, due_before, circumstances, read))
    mine = [f for f in findings if sheet.start <= f.start < sheet.end]
    return Computed(days, readings, mine, runs)


def _silence(
    sheet: Sheet,
    evidence: Mapping[int, ChannelEvidence],
    calendar: Days,
    due_before: int,
    circumstances: Circumstances,
    read: set[int],
) -> Iterator[Finding]:
    quality = sheet.settled()
    allowances = circumstances.allowances
    for day in sheet.days:
        end = calendar.end_of(day)
        fittings = [f for f in sheet.point.fittings if f.overlaps(day, end)]
        if not all(is_due(allowances.get(f.channel_id, ()), day, end, due_before) for f in fittings):
            continue
        if any(evidence.get(f.channel_id, NO_EVIDENCE).has_any(day, end) for f in fittings):
            hours = sheet.hours_in(day, end)
            missing = (quality[hours] == MISSING) & sheet.covered[hours]
            if missing.any():
                yield missing_hours(sheet.point, day, end, np.flatnonzero(missing).tolist())
        elif day not in read:
            for fitting in fittings:
                allowed = allowance_at(allowances.get(fitting.channel_id, ()), day)
                since = calendar.shift(day, -_WEEK - allowed)
                heard = evidence.get(fitting.channel_id, NO_EVIDENCE)
                if fitting.contains(day, end) and heard.has_any_between(since, day):
                    yield missing_day(sheet.point, fitting, day, end)
                    break


class _Part:
    """What one fitting of a channel gives to a sheet."""

    def __init__(
        self,
        sheet: Sheet,
        fitting: Fitting,
        evidence: ChannelEvidence,
        calendar: Days,
        beside: Mapping[int, ChannelEvidence],
    ) -> None:
        self._beside = beside
        self._averaged = fitting.number == 0 or sheet.point.is_sensed
        self._sheet = sheet
        self._point = sheet.point
        self._fitting = fitting
        self._evidence = evidence
        self._calendar = calendar
        self._spoken: list[int] = []
        self.runs: list[tuple[int, int]] = []

    def findings(self) -> Iterator[Finding]:
        """Fill the sheet; what was found on the way."""
        fitting, sheet = self._fitting, self._sheet
        if not (self._evidence.days or self._evidence.instants):
            return
        steps = Steps([], []) if self._averaged else steps_of(self._point, fitting, self._evidence)
        for day in sheet.days:
            end = self._calendar.end_of(day)
            if not fitting.overlaps(day, end):
                continue
            touched = any(step.used and step.start < end and day < step.end for step in steps.steps)
            if touched or self._evidence.has_any(day, end):
                self._spoken.append(day)
            if self._evidence.has_intervals(day):
                yield from self._interval_day(day, end)
            else:
                self._register_day(steps, day, end)
        if not self._averaged:
            yield from self._steps_told(steps)
            yield from self._edges()

    def _interval_day(self, day: int, end: int) -> Iterator[Finding]:
        sheet, fitting = self._sheet, self._fitting
        hours = sheet.hours_in(day, end)
        counts = hours_from_intervals(self._evidence.days[day].steps, hours.stop - hours.start)
        mine = sheet.read_by(fitting, hours)
        weight = sheet.by_meter(hours, "weight")
        values = hour_values(counts, weight, self._averaged)
        here = mine & counts.there
        sheet.value[hours] = np.where(here, values, sheet.value[hours])
        sheet.quality[hours] = np.where(here, VALID, sheet.quality[hours])
        faults = {"conflict": counts.conflict & here}
        if self._averaged:
            faults["range"] = sensors.out_of_range(self._point, values) & here & ~counts.conflict
            if fitting.minima_id is not None or fitting.maxima_id is not None:
                sheet.put_extremes(hours, here, *sensors.extremes(fitting, self._beside, day, counts.parts))
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

    def _told(self, fault: str, hours: slice, values: Ints) -> Finding:
        sheet, point, fitting = self._sheet, self._point, self._fitting
        if fault == "range" and point.kind:
            return sensors.range_fault(point, fitting, point.kind, int(sheet.hour[hours][0]), values)
        return wording.hours_fault(fault, sheet, fitting, hours, values)

    def _sums(self, day: int, hours: slice) -> Iterator[Finding]:
        for fault in sum_check(self._point, self._evidence, day, hours.stop - hours.start):
            touched = self._sheet.hours_in(fault.start, fault.end)
            mine = self._sheet.read_by(self._fitting, touched)
            if mine.any():
                self._sheet.suspect[touched] |= mine & fault.quarantines
                yield wording.sum_fault(self._point, self._fitting, fault)

    def _register_day(self, steps: Steps, day: int, end: int) -> None:
        sheet = self._sheet
        hours = sheet.hours_in(day, end)
        mine = sheet.read_by(self._fitting, hours)
        if mine.any():
            fill_hours(sheet, steps.steps, day, hours, mine)

    def _steps_told(self, steps: Steps) -> Iterator[Finding]:
        """Findings of steps and of runs among them (§3.6, §3.7)."""
        for step in steps.steps:
            if step.tells:
                yield wording.step_fault(self._point, self._fitting, step)
        for first, last in steps.runs:
            span = steps.steps[first].start, steps.steps[last].end
            self.runs.append(span)
            sizes = [s.size for s in steps.steps[first : last + 1] if s.is_jump]
            yield wording.two_devices(self._point, self._fitting, "registers", *span, sizes)

    def _edges(self) -> Iterator[Finding]:
        jumps: list[EdgeJump] = list(edge_jumps(self._point, self._fitting, self._evidence, self._calendar))
        for jump in jumps:
            yield wording.edge_fault(self._point, self._fitting, jump)
        for run in two_devices([Jump(jump.day, jump.size) for jump in jumps], INTERVAL_GAP_S):
            first, last = jumps[run[0]].day, jumps[run[-1]].day
            self.runs.append((first, last))
            self._quarantine(first, last)
            sizes = [jumps[position].size for position in run]
            yield wording.two_devices(self._point, self._fitting, "edges", first, last, sizes)

    def _quarantine(self, first: int, last: int) -> None:
        """Days from the first jump of a run to its last are SUSPECT whole, however their hours come; but not
        those of which nothing was said (§3.6).
        """
        for day in self._spoken:
            if first <= day < last:
                hours = self._sheet.hours_in(day, self._calendar.end_of(day))
                self._sheet.suspect[hours] |= self._sheet.read_by(self._fitting, hours)
