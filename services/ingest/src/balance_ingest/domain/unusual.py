"""What is unusual about readings that pass every other rule (docs/domain.md §3.15). Nothing here changes a
reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from balance_kernel.quantity import Quality

from balance_ingest.domain import findings
from balance_ingest.domain.days import HOUR_S, Days, Ints
from balance_ingest.domain.findings import Finding, Severity, span_text
from balance_ingest.domain.history import Meter, UsagePoint
from balance_ingest.domain.join import Bools
from balance_ingest.domain.parameters import METERED, USUAL_DAYS, Parameters, ParameterTable
from balance_ingest.domain.sheet import stretches
from balance_ingest.domain.wording import unit_text

FEWEST_WHOLE = 14
FEWEST_PULSES = 10
STUCK_PULSES = 3
SPIKE_DAYS = 365
FEWEST_HOURS = 2000

_GOOD = (Quality.VALID.code, Quality.EDITED.code)


@dataclass(frozen=True, slots=True)
class DayHours:
    """Hours of one reading day: values int64[n], 0 where not `good` (VALID or EDITED), bool[n]."""

    values: Ints
    good: Bools

    @classmethod
    def of(cls, values: Sequence[int | None], qualities: Sequence[int] | None) -> DayHours:
        """From a row: values, None for none, and quality codes, None when all are VALID."""
        numbers = np.array([value or 0 for value in values], np.int64)
        good = np.ones(len(numbers), bool) if qualities is None else np.isin(qualities, _GOOD)
        return cls(np.where(good, numbers, 0), good)

    @property
    def total(self) -> int | None:
        """Consumption of a whole day; None of one that is not whole."""
        return int(self.values.sum()) if self.good.all() else None

    @property
    def greatest(self) -> int | None:
        """Greatest hour of a whole day."""
        return int(self.values.max()) if self.good.all() else None


@dataclass(frozen=True, slots=True)
class Usual:
    """Of the 28 days before a day: how many are whole with an hour above 0, and the greatest hour of them."""

    used: int
    greatest: int

    @classmethod
    def of(cls, before: Iterable[DayHours | None]) -> Usual:
        """From these days, None for what is no reading day."""
        greatest = [one.greatest or 0 for one in before if one is not None]
        return cls(sum(most > 0 for most in greatest), max(greatest, default=0))


Hours = Callable[[int], DayHours | None]
"""Hours of the usage point on a day, None when it is no reading day."""


@dataclass(frozen=True)
class Past:
    """What came before the judged days of one usage point."""

    hours: Hours
    usual: Callable[[int], Usual]


class Judge:
    """Judges days of usage points, one at a time."""

    def __init__(self, days: Days, table: ParameterTable) -> None:
        """Take the calendar and the parameters."""
        self._days = days
        self._table = table

    def judge(self, point: UsagePoint, day: int, past: Past) -> Iterator[Finding]:
        """Findings that are about this day, or are completed on it."""
        hours = past.hours(day)
        if hours is None or point.resource not in METERED:
            return
        yield from self._zero(point, day, hours, past)
        yield from self._stuck(point, day, hours, past)
        meters = [point.meter_at(day + HOUR_S * i) for i in range(len(hours.values))]
        yield from self._above_usual(point, day, hours, meters, past)
        yield from self._spike(point, day, hours, meters, past)

    def _parameters(self, point: UsagePoint, meter: Meter) -> Parameters:
        return self._table.of(point.resource, meter.q_max)

    def _zero(self, point: UsagePoint, day: int, hours: DayHours, past: Past) -> Iterator[Finding]:
        meter = point.meter_at(day)
        if meter is None or hours.total != 0:
            return
        count = self._parameters(point, meter).zero_days
        run = [self._days.shift(day, -back) for back in range(1, count)]
        if any(_total(past, one) != 0 for one in run):
            return
        first = run[-1] if run else day
        if _total(past, self._days.shift(first, -1)) == 0:
            return
        before = [_total(past, self._days.shift(first, -back)) for back in range(1, USUAL_DAYS + 1)]
        whole = [total for total in before if total is not None]
        used = sum(total > 0 for total in whole)
        if len(whole) >= FEWEST_WHOLE and used * 10 >= 9 * len(whole):
            yield _finding(
                point,
                findings.ZERO,
                Severity.WARNING,
                (first, self._days.end_of(day)),
                f"some consumption within {count} days, as on {used} of the {len(whole)} whole days before",
                "none",
                "nobody at home, or a meter or module that counts no more: look at it",
            )

    def _stuck(self, point: UsagePoint, day: int, hours: DayHours, past: Past) -> Iterator[Finding]:
        for position in range(len(hours.values)):
            end = day + HOUR_S * (position + 1)
            meter = point.meter_at(end - HOUR_S)
            value = int(hours.values[position])
            if meter is None or value <= 0 or not hours.good[position]:
                continue
            count = self._parameters(point, meter).stuck_hours
            start = end - HOUR_S * count
            first = point.meter_at(start)
            if first is None or value < STUCK_PULSES * first.weight:
                continue
            if (
                count > 1
                and position
                and not (hours.good[position - 1] and hours.values[position - 1] == value)
            ):
                continue  # as nearly always; no need to look back
            if self._run_is(start, end, value, past):
                unit = unit_text(point.resource)
                yield _finding(
                    point,
                    findings.STUCK,
                    Severity.WARNING,
                    (start, end),
                    f"hours that differ within {count} h",
                    f"{value:,} {unit} in each of them",
                    "a constant draw, such as a leak, or a faulty meter or module: look at it",
                )

    def _run_is(self, start: int, end: int, value: int, past: Past) -> bool:
        """Whether all hours of [start, end) are good and of this value, and the hour before is not."""
        return all(
            self._hour(instant, past) == value for instant in range(end - HOUR_S, start - 1, -HOUR_S)
        ) and (self._hour(start - HOUR_S, past) != value)

    def _hour(self, instant: int, past: Past) -> int | None:
        day = self._days.day_of(instant)
        hours = past.hours(day)
        position = (instant - day) // HOUR_S
        return None if hours is None or not hours.good[position] else int(hours.values[position])

    def _above_usual(
        self, point: UsagePoint, day: int, hours: DayHours, meters: Sequence[Meter | None], past: Past
    ) -> Iterator[Finding]:
        floor = np.array([FEWEST_PULSES * m.weight if m else 2**62 for m in meters], np.int64)
        flags = hours.good & (hours.values > floor)
        if not flags.any():
            return
        usual = past.usual(day)
        if usual.used < FEWEST_WHOLE:
            return
        factor = np.array([self._parameters(point, m).usual_factor if m else 1.0 for m in meters])
        flags &= (usual.greatest >= floor) & (hours.values > factor * usual.greatest)
        unit = unit_text(point.resource)
        for first, after in stretches(flags):
            yield _finding(
                point,
                findings.ABOVE_USUAL,
                Severity.WARNING,
                (day + HOUR_S * first, day + HOUR_S * after),
                f"at most {factor[first]:g} times {usual.greatest:,} {unit}, "
                f"the greatest hour of {usual.used} days with consumption before",
                f"up to {int(hours.values[first:after].max()):,} {unit} an hour",
                "a burst, a new appliance or a wrong pulse weight: ask, or look at it",
            )

    def _spike(
        self, point: UsagePoint, day: int, hours: DayHours, meters: Sequence[Meter | None], past: Past
    ) -> Iterator[Finding]:
        share = np.array([self._parameters(point, m).spike_share * m.q_max if m else np.inf for m in meters])
        flags = hours.good & (hours.values > share)
        if not flags.any():
            return
        before = [past.hours(self._days.shift(day, -back)) for back in range(1, SPIKE_DAYS + 1)]
        known = np.concatenate([np.zeros(0, np.int64), *(one.values[one.good] for one in before if one)])
        if len(known) < FEWEST_HOURS:
            return
        rare = int(np.sort(known)[-(-999 * len(known) // 1000) - 1])
        unit = unit_text(point.resource)
        for first, after in stretches(flags & (hours.values > rare)):
            yield _finding(
                point,
                findings.SPIKE,
                Severity.INFORMATION,
                (day + HOUR_S * first, day + HOUR_S * after),
                f"hours of at most {rare:,} {unit}, as 999 of 1,000 in the year before",
                f"up to {int(hours.values[first:after].max()):,} {unit} an hour",
                "rare, but possible: nothing need be done",
            )


@dataclass(frozen=True, slots=True)
class Shown:
    """Days of one length, n of them: values int64[n, hours], 0 where not `good`.

    The hour before each day, 0 for none; the least weight and Qmax of any meter of each usage point, and the
    usual, all int64[n]. `completes_zero`, bool[n]: N days without consumption may be complete.
    """

    values: Ints
    good: Bools
    before: Ints
    weight: Ints
    q_max: Ints
    usual: Ints
    completes_zero: Bools


def worth_judging(shown: Shown, table: ParameterTable) -> Bools:
    """Days of which `Judge` may say anything: a quick look at thousands, wrong only to the safe side."""
    greatest = shown.values.max(axis=1)
    first = shown.values[:, 0]
    zero = shown.completes_zero & shown.good.all(axis=1) & (greatest == 0)
    stuck = (first >= STUCK_PULSES * shown.weight) & ((first == shown.values[:, 1]) | (first == shown.before))
    above = (greatest > FEWEST_PULSES * shown.weight) & (greatest > table.least_factor * shown.usual)
    worth: Bools = zero | stuck | above | (greatest > table.least_share * shown.q_max)
    return worth


def _total(past: Past, day: int) -> int | None:
    hours = past.hours(day)
    return None if hours is None else hours.total


def _finding(
    point: UsagePoint,
    rule: str,
    severity: Severity,
    span: tuple[int, int],
    expected: str,
    found: str,
    advice: str,
) -> Finding:
    return Finding(
        rule=rule,
        about="readings",
        severity=severity,
        start=span[0],
        end=span[1],
        expected=expected,
        found=found,
        message=f"Usage point {point.name}, {span_text(*span)}: expected {expected}, found {found}; "
        f"{advice}.",
        usage_point=point.name,
    )
