"""Consumption of a month to its end (domain.md §6), in floating numbers but for what was used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import exp, floor, log, sqrt
from statistics import mean, variance
from typing import Any

from balance_oracle.estimates import Sample, is_reported, is_valued
from balance_oracle.groups import SUPPLY
from balance_oracle.known import HEATED, Known
from balance_oracle.nesting import resolved
from balance_oracle.readings import Hour
from balance_oracle.tolerance import held
from balance_oracle.weather import Path

METERED = ("GAS", "WATER", "HOT_WATER", "HEAT", "ELECTRICITY")
WINDOW, LEAST_DAYS, LEAST_COLD_DAYS, HALF_LIFE = 42, 7, 10, 14
RECENT, AROUND, YEARS, LEAST_AROUND = 14, 7, 3, 12
SPELLS = 3

Key = tuple[str, str, int]
"""``USAGE_POINT`` or ``GROUP``, id, start of the month in seconds."""


@dataclass(frozen=True)
class Subject:
    """What has forecasts: which days count, what its whole days came to, what of a day is used."""

    resource: str
    path: Path | None
    counts: Callable[[int], bool]
    whole: Mapping[int, int]
    use: Callable[[int], Used | None]
    is_heard: Callable[[int], bool]

    @property
    def drift(self) -> float:
        """λ of §6.3."""
        return 0.3 if self.resource in HEATED else 0.12


@dataclass(frozen=True)
class Used:
    """Of a day or of more: what was read, what was estimated beside it, and how uncertain that is."""

    read: int = 0
    estimated: int = 0
    uncertainty: float = 0.0


def all_forecasts(
    known: Known, supplies: Mapping[tuple[str, int], int], now: int
) -> dict[Key, dict[str, Any]]:
    """By subject and month; ``supplies``: S by group and day where it is not null; ``now`` in seconds."""
    days, grace = known.days, known.settings.grace
    if not known.readings:
        return {}
    first = min(day for _, day in known.readings)
    last_due = days.shifted(days.containing(now - grace), -1)
    found: dict[Key, dict[str, Any]] = {}
    subjects = list(_subjects(known, supplies))
    month = days.first_of_month(first)
    while month <= last_due:
        inside = month_of(known, month)
        as_of = min(inside[-1], last_due)
        for (kind, name), subject in subjects:
            figures = forecast(subject, inside, as_of, known)
            if figures is not None:
                found[kind, name, month] = {"as_of": as_of} | figures
        month = days.end(inside[-1])
    return found


def month_of(known: Known, month: int) -> list[int]:
    """Days of the month that begins then."""
    inside = [month]
    while known.days.first_of_month(after := known.days.end(inside[-1])) == month:
        inside.append(after)
    return inside


def _subjects(
    known: Known, supplies: Mapping[tuple[str, int], int]
) -> Iterator[tuple[tuple[str, str], Subject]]:
    readings: dict[str, dict[int, Sequence[Hour]]] = defaultdict(dict)
    for (name, day), hours in known.readings.items():
        readings[name][day] = hours
    whole: dict[str, dict[int, int]] = defaultdict(dict)
    for (name, day), total in supplies.items():
        whole[name][day] = total
    for name, point in known.points.items():
        if point.resource in METERED:
            yield ("USAGE_POINT", name), _usage_point(name, known, readings[name])
    for name, group in known.groups.items():
        if group.resource in METERED:
            yield ("GROUP", name), _group(name, known, whole[name])


def _usage_point(name: str, known: Known, of_point: Mapping[int, Sequence[Hour]]) -> Subject:
    point, days = known.points[name], known.days
    whole = {
        day: sum(value for value, _ in hours if value is not None)
        for day, hours in of_point.items()
        if all(map(is_reported, hours))
    }

    def use(day: int) -> Used | None:
        """What was used on a day; null of a gap."""
        hours = of_point.get(day, [(None, "MISSING")] * len(days.hours(day)))
        silent = [
            place
            for place, start in enumerate(days.hours(day))
            if not is_valued(hours[place]) and point.meter_at(start) is not None
        ]
        sample = Sample(known.own_past(name, day)) if silent else Sample(())
        if silent and not sample.rows:
            return None
        read = sum(value for value, quality in hours if is_valued((value, quality)) and value is not None)
        estimated = sum(map(sample.value, silent))
        return Used(read, estimated, sqrt(sample.variance(silent)) if silent else 0.0)

    return Subject(
        point.resource,
        point.object_path,
        lambda day: any(m.fitted < days.end(day) and day < m.removed for m in point.meters),
        whole,
        use,
        lambda day: any(map(is_valued, of_point.get(day, ()))),
    )


def _group(name: str, known: Known, whole: Mapping[int, int]) -> Subject:
    supply = [one for one in resolved(name, known.groups) if one.role == SUPPLY]
    first = known.points.get(supply[0].usage_point_id) if supply else None

    def counts(day: int) -> bool:
        return any(one.valid_in(day, known.days) for one in supply)

    def use(day: int) -> Used | None:
        if day in whole:
            return Used(whole[day])
        return None if counts(day) else Used()

    path = first.object_path if first is not None else None
    return Subject(known.groups[name].resource, path, counts, whole, use, lambda _: False)


def forecast(subject: Subject, inside: Sequence[int], as_of: int, known: Known) -> dict[str, Any] | None:
    """Figures of a month as of a day; null when there is no such forecast."""
    days = known.days
    past = [day for day in inside if day <= as_of]
    window = [days.shifted(as_of, -age) for age in range(WINDOW)]
    heard = any(day in subject.whole for day in window) or any(map(subject.is_heard, past))
    if not heard or not any(map(subject.counts, past)):
        return None
    uses = {day: subject.use(day) for day in past}
    there = [one for one in uses.values() if one is not None]
    gaps = [day for day, one in uses.items() if one is None]
    read, estimated = sum(one.read for one in there), sum(one.estimated for one in there)
    used = read + estimated
    uncertainty = sum(one.uncertainty for one in there)
    coming = [*gaps, *(day for day in inside if day > as_of and subject.counts(day))]
    figures: dict[str, Any] = {
        "used": held(used),
        "expected": None,
        "lowest": None,
        "highest": None,
        "days_known": sum(day in subject.whole for day in past),
        "days_to_come": len(coming),
        "method": "NONE",
        "reason": "TOO_FEW_DAYS",
    }
    outlook = Outlook(subject, coming, window, known).expect()
    if outlook is None:
        return figures
    method, total, square = outlook
    square += uncertainty**2
    sigma = sqrt(square)
    highest = total + 2 * sigma
    if total > 0:
        highest = max(highest, total * exp(2 * sqrt(log(1 + square / total**2))))
    return figures | {
        "expected": _rounded(used + total),
        "lowest": _rounded(max(min(read, used), used + total - 2 * sigma)),
        "highest": _rounded(used + highest),
        "method": method,
        "reason": "UNSPECIFIED",
    }


def _rounded(value: float) -> int:
    return held(floor(value + 0.5))


@dataclass(frozen=True)
class Outlook:
    """§6.3: the days to come by the whole days of the window, which is given newest first."""

    subject: Subject
    coming: Sequence[int]
    window: Sequence[int]
    known: Known

    def expect(self) -> tuple[str, float, float] | None:
        """Method, E and V without u_used; null when there are too few days."""
        if not self.coming:
            return "MEASURED", 0.0, 0.0
        ages = [age for age, day in enumerate(self.window) if day in self.subject.whole]
        if len(ages) < LEAST_DAYS:
            return None
        return self._by_degree_days(ages) or self._by_mean(ages)

    def _use_and_weight(self, ages: Sequence[int]) -> tuple[list[float], list[float]]:
        return (
            [float(self.subject.whole[self.window[age]]) for age in ages],
            [2 ** (-age / HALF_LIFE) for age in ages],
        )

    def _by_mean(self, ages: Sequence[int]) -> tuple[str, float, float]:
        y, w = self._use_and_weight(ages)
        total, effective = sum(w), sum(w) ** 2 / sum(one**2 for one in w)
        middle = sum(p * q for p, q in zip(w, y, strict=True)) / total
        spread = sum(p * (q - middle) ** 2 for p, q in zip(w, y, strict=True)) / total
        square = spread * effective / (effective - 1)
        count = len(self.coming)
        return (
            "MEAN",
            max(middle, 0.0) * count,
            square * (count + self.subject.drift * count**2 + count**2 / effective),
        )

    def _by_degree_days(self, whole_ages: Sequence[int]) -> tuple[str, float, float] | None:
        ages = [age for age in whole_ages if self._degree_days(self.window[age]) is not None]
        if self.subject.resource not in HEATED or len(ages) < LEAST_COLD_DAYS:
            return None
        z = [float(self._degree_days(self.window[age]) or 0) for age in ages]
        if len(set(z)) == 1:
            return None
        y, w = self._use_and_weight(ages)
        total, effective = sum(w), sum(w) ** 2 / sum(one**2 for one in w)
        mean_z = sum(p * q for p, q in zip(w, z, strict=True)) / total
        mean_y = sum(p * q for p, q in zip(w, y, strict=True)) / total
        spread_z = sum(p * (q - mean_z) ** 2 for p, q in zip(w, z, strict=True))
        b = sum(p * (q - mean_z) * (r - mean_y) for p, q, r in zip(w, z, y, strict=True)) / spread_z
        a = mean_y - b * mean_z
        left = sum(p * (r - a - b * q) ** 2 for p, q, r in zip(w, z, y, strict=True)) / total
        square = left * effective / (effective - 2)
        q = sum((p * (r - mean_z)) ** 2 for p, r in zip(w, z, strict=True)) / spread_z**2
        if b <= 0 or b < 2 * sqrt(square * q):
            return None
        guesses = [self._guess(day, z) for day in self.coming]
        count = len(guesses)
        off = sum(guess - mean_z for guess, _ in guesses)
        days_square = count + self.subject.drift * count**2 + count**2 / effective
        days_square += off**2 * q
        weather = SPELLS * count * b**2 * sum(v for _, v in guesses) / count
        return (
            "DEGREE_DAYS",
            sum(max(0.0, a + b * guess) for guess, _ in guesses),
            square * days_square + weather,
        )

    def _guess(self, day: int, of_fit: Sequence[float]) -> tuple[float, float]:
        """ẑ and v of a day to come; ``of_fit``: degree-days of the days of the fit, newest first."""
        if day <= self.window[0]:
            told = self._degree_days(day)
            if told is not None:
                return float(told), 0.0
        around = [told for one in self._around(day) if (told := self._degree_days(one)) is not None]
        if len(around) >= LEAST_AROUND:
            return float(mean(around)), float(variance(around))
        return mean(of_fit[:RECENT]), variance(of_fit)

    def _around(self, day: int) -> list[int]:
        """The days about the same date in the years before."""
        days = self.known.days
        of_day = days.date_of(day)
        same = [date(of_day.year - back, of_day.month, _no_leap(of_day)) for back in range(1, YEARS + 1)]
        shifts = range(-AROUND, AROUND + 1)
        return [days.start_of(one + timedelta(days=shift)) for one in same for shift in shifts]

    def _degree_days(self, day: int) -> int | None:
        if self.subject.path is None or day > self.window[0]:
            return None
        told = self.known.weather.mean(self.subject.path, day)
        return None if told is None else max(0, self.known.settings.heating_limit - told)


def _no_leap(day: date) -> int:
    return 28 if (day.month, day.day) == (2, 29) else day.day
