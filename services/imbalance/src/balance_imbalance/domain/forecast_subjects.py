"""Who has forecasts, and what they came to (docs/domain.md §6.1, §6.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from balance_kernel.calendar import HOUR_S
from balance_kernel.quantity import Resource

from balance_imbalance.domain.figures import Flags, Floats, Ints
from balance_imbalance.domain.forecast import (
    DRIFT,
    DRIFT_HEATING,
    MOST_DAYS,
    Expected,
    Method,
    MonthEnd,
    Reason,
)
from balance_imbalance.domain.weather import ObjectPath

CONSUMED = frozenset({Resource.GAS, Resource.WATER, Resource.HOT_WATER, Resource.HEAT, Resource.ELECTRICITY})
_BY_WEATHER = frozenset({Resource.GAS, Resource.HEAT})


@dataclass(frozen=True, slots=True)
class Subject:
    """A usage point with the spans in which a meter is fitted, or a group with those of its supply
    memberships, in the order of the register; seconds, [start, end).

    ``by_hours``: a span counts in an hour that begins in it, as that of a membership does (§4).
    """

    number: int
    resource: Resource
    object_path: ObjectPath
    spans: Sequence[tuple[int, int]]
    by_hours: bool = False

    @property
    def by_weather(self) -> bool:
        """Whether degree-days count for it."""
        return self.resource in _BY_WEATHER

    @property
    def drift(self) -> float:
        """λ (§6.3)."""
        return DRIFT_HEATING if self.by_weather else DRIFT

    def hours(self, day_start: int, hours: int) -> Flags:
        """The hours of a day at whose start it is metered, (h,)."""
        starts = day_start + HOUR_S * np.arange(hours)
        metered = np.zeros(hours, np.bool_)
        for start, end in self.spans:
            metered |= (start <= starts) & (starts < end)
        return metered


@dataclass(frozen=True, slots=True)
class ForecastFigures:
    """Base units; ``expected``, ``lowest`` and ``highest`` are None when not computable."""

    used: int
    expected: int | None
    lowest: int | None
    highest: int | None
    days_known: int
    days_to_come: int
    method: int
    reason: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of a subject for a month, as of a day; ``figures`` is None when there is none (any more)."""

    subject: int
    month_start: datetime
    as_of: datetime
    figures: ForecastFigures | None


def counting(subjects: Sequence[Subject], month: Sequence[datetime], month_end: datetime) -> Flags:
    """Which days of the month count for each subject (§6.1), (n, 31)."""
    edges = [int(day.timestamp()) for day in (*month, month_end)]
    starts, ends = np.array(edges[:-1]), np.array(edges[1:])
    found = np.zeros((len(subjects), MOST_DAYS), np.bool_)
    for row, subject in enumerate(subjects):
        for start, end in subject.spans:
            if start <= edges[0] and end >= edges[-1]:
                found[row, : len(month)] = True
                break
            first = np.maximum(starts, start)
            if subject.by_hours:
                first = starts - (starts - first) // HOUR_S * HOUR_S
            found[row, : len(month)] |= first < np.minimum(ends, end)
    return found


def figures_of(end: MonthEnd, expected: Expected, known: Ints, to_come: Ints) -> Sequence[ForecastFigures]:
    """As values, one a subject; ``known`` and ``to_come`` are counts of days."""
    columns = (end.used, end.expected, end.lowest, end.highest, known, to_come, expected.method)
    return [
        ForecastFigures(used, None, None, None, days, coming, method, int(Reason.TOO_FEW_DAYS))
        if method == Method.NONE
        else ForecastFigures(used, most, low, high, days, coming, method, int(Reason.UNSPECIFIED))
        for used, most, low, high, days, coming, method in zip(*(c.tolist() for c in columns), strict=True)
    ]


def drifts(subjects: Sequence[Subject]) -> Floats:
    """λ of each, (n,)."""
    return np.array([subject.drift for subject in subjects], np.float64)
