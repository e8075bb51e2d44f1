"""Degree-days of the window and of the days to come, by object, without any temperature of the future
(docs/domain.md §6.3).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from functools import cached_property

import numpy as np
from balance_kernel.calendar import Calendar

from balance_imbalance.domain.figures import Floats
from balance_imbalance.domain.forecast import MOST_DAYS, WINDOW_DAYS
from balance_imbalance.domain.forecast_days import month_days, years_before
from balance_imbalance.domain.weather import ObjectPath, Weather

_YEARS = (1, 2, 3)
_AROUND = range(-7, 8)
_LEAST_KNOWN = 12


class WeatherDays:
    """The metering days that the forecasts as of one day look at."""

    def __init__(self, calendar: Calendar, as_of: datetime) -> None:
        self._calendar = calendar
        self._as_of = as_of
        self.window = [calendar.shift(as_of, -age) for age in range(WINDOW_DAYS)]
        self.month = month_days(calendar, as_of)

    def wanted(self) -> Iterator[datetime]:
        """Every day whose weather takes part; none is later than the day the forecasts are as of."""
        yield from self.window
        yield from (day for days in self._around for day in days)

    def of_window(self, weather: Weather, path: ObjectPath) -> Floats:
        """(42,) by age; NaN where unknown."""
        return np.array([self._degree_days(weather, path, day) for day in self.window])

    def of_month(self, weather: Weather, path: ObjectPath) -> tuple[Floats, Floats]:
        """Degree-days and their variance of the days of the month, (31,) each; NaN where not even past years
        know them.
        """
        found = np.full((2, MOST_DAYS), np.nan)
        for column, (day, around) in enumerate(zip(self.month, self._around, strict=True)):
            known = self._degree_days(weather, path, day) if day <= self._as_of else np.nan
            if not np.isnan(known):
                found[:, column] = known, 0.0
                continue
            sample = np.array([self._degree_days(weather, path, other) for other in around])
            sample = sample[~np.isnan(sample)]
            if len(sample) >= _LEAST_KNOWN:
                found[:, column] = sample.mean(), sample.var(ddof=1)
        return found[0], found[1]

    @cached_property
    def _around(self) -> list[list[datetime]]:
        """By day of the month, the days around the same date in the years before."""
        dates = [self._calendar.date_of(day) for day in self.month]
        return [
            [
                self._calendar.start_of(years_before(date, years) + timedelta(days=days))
                for years in _YEARS
                for days in _AROUND
            ]
            for date in dates
        ]

    def _degree_days(self, weather: Weather, path: ObjectPath, day: datetime) -> float:
        known = weather.degree_days(path, int(day.timestamp()), self._calendar.hours(day))
        return np.nan if known is None else float(known)


def nearest(path: ObjectPath, told: Collection[ObjectPath]) -> ObjectPath | None:
    """The longest path of those of which weather is told that begins this one: they have the same weather."""
    for length in range(len(path), -1, -1):
        if path[:length] in told:
            return path[:length]
    return None
