"""Forecasts of real homes, day by day as they would have been told, beside what then was used.

The service's own computation on readings held in memory; nothing later than the day a forecast is as of is
read from them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
from balance_imbalance.computing.forecasting import Forecasting
from balance_imbalance.domain.forecast_days import month_days, month_start
from balance_imbalance.domain.forecast_subjects import Forecast, Subject
from balance_imbalance.domain.register import FOREVER
from balance_imbalance.domain.weather import ObjectPath, Weather, WeatherDay, WeatherKind
from balance_kernel.calendar import HOUR_S, Calendar
from balance_kernel.quantity import Quality, Resource
from balance_local import replay

SEED = 20261121
HEATING_MONTHS = frozenset({10, 11, 12, 1, 2, 3, 4})
_PLACE = ("place",)
_FIRST_DAY = 3
_LEAST_KNOWN = 0.8
"""Share of the days after that a month must be known of to be judged."""
_SILENT_DAYS = 5
_VALID, _MISSING = Quality.VALID.code, Quality.MISSING.code


@dataclass(frozen=True)
class Home:
    """Base units by hour of the days read, None in hours that lack; outdoor temperatures where known."""

    name: str
    resource: Resource
    calendar: Calendar
    days: Mapping[date, Sequence[int | None]]
    temperatures: Mapping[date, Sequence[int | None]] = field(default_factory=dict)

    @cached_property
    def whole(self) -> Mapping[date, int]:
        """Totals of the days read whole."""
        return {
            day: sum(hour for hour in hours if hour is not None)
            for day, hours in self.days.items()
            if None not in hours
        }


@dataclass(frozen=True)
class Told:
    """A forecast and the truth; ``used`` is the truth up to its day. Base units."""

    home: str
    month: date
    day: int
    days: int
    used: int
    actual: int
    expected: int
    lowest: int
    highest: int

    @property
    def is_inside(self) -> bool:
        """Whether the interval holds the truth."""
        return self.lowest <= self.actual <= self.highest

    @property
    def error(self) -> float:
        """Of the forecast, as a share of the truth."""
        return abs(self.expected - self.actual) / self.actual

    @property
    def error_pro_rata(self) -> float:
        """Of what was used so far stretched to the month."""
        return abs(self.used * self.days / self.day - self.actual) / self.actual


def british_home(column: str, resource: Resource, *, weather: bool) -> Home:
    """The home of `uk_home_gas_elec_temp_hourly_2020_2022.csv`: ``column`` in kWh."""
    calendar = Calendar("Europe/London")
    used: defaultdict[date, dict[int, int]] = defaultdict(dict)
    warm: defaultdict[date, dict[int, int]] = defaultdict(dict)
    with (replay.real_data() / "uk_home_gas_elec_temp_hourly_2020_2022.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            at = datetime.fromisoformat(row["t"])
            day = calendar.date_of(at)
            hour = int((at - calendar.start_of(day)).total_seconds()) // HOUR_S
            if row[column]:
                used[day][hour] = round(1000 * float(row[column]))
            if row["tempC"]:
                warm[day][hour] = round(1000 * float(row["tempC"]))
    return Home(
        column, resource, calendar, _by_hour(calendar, used), _by_hour(calendar, warm) if weather else {}
    )


def spanish_homes() -> Sequence[Home]:
    """The 25 homes of `water_daiad_district25_hourly_2016Q4.csv`, litres."""
    calendar = Calendar("Europe/Madrid")
    with (replay.real_data() / "water_daiad_district25_hourly_2016Q4.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    homes: defaultdict[str, defaultdict[date, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        at = datetime.fromisoformat(row["local_time"]).replace(tzinfo=ZoneInfo(calendar.zone)).astimezone(UTC)
        day = calendar.date_of(at)
        hour = int((at - calendar.start_of(day)).total_seconds()) // HOUR_S
        for name, litres in row.items():
            if name != "local_time" and litres:
                homes[name][day][hour] = round(1000 * float(litres))
    return [
        Home(name, Resource.WATER, calendar, _by_hour(calendar, days)) for name, days in sorted(homes.items())
    ]


def _by_hour(
    calendar: Calendar, found: Mapping[date, Mapping[int, int]]
) -> Mapping[date, Sequence[int | None]]:
    return {
        day: [hours.get(hour) for hour in range(calendar.hours(calendar.start_of(day)))]
        for day, hours in found.items()
    }


def told(
    home: Home, days: Collection[int] = range(_FIRST_DAY, 31), *, silent: bool = False
) -> Iterator[Told]:
    """A forecast as of each of these days of every month that can be judged, the last day aside.

    A day that was not read whole is one without a meter, so that the truth is known. With ``silent`` the home
    is silent on the last days up to each forecast, one to five by chance.
    """
    chance = Random(SEED)
    months = sorted({day.replace(day=1) for day in home.whole})
    for month in months[1:]:
        start = home.calendar.start_of(month)
        dates = [home.calendar.date_of(day) for day in month_days(home.calendar, start)]
        known = [day for day in dates if day in home.whole]
        for number in (day for day in days if day < len(dates)):
            after = [day for day in dates[number:] if day in home.whole]
            if len(after) < _LEAST_KNOWN * (len(dates) - number):
                continue
            silence = chance.randint(1, _SILENT_DAYS) if silent else 0
            forecast = _forecast(home, dates[number - 1], frozenset(dates[max(0, number - silence) : number]))
            figures = forecast.figures if forecast else None
            if (
                figures is None
                or figures.expected is None
                or figures.lowest is None
                or figures.highest is None
            ):
                continue
            totals = {day: home.whole[day] for day in known}
            yield Told(
                home.name,
                month,
                number,
                len(dates),
                sum(total for day, total in totals.items() if day <= dates[number - 1]),
                sum(totals.values()),
                figures.expected,
                figures.lowest,
                figures.highest,
            )


def _forecast(home: Home, as_of: date, silent: frozenset[date]) -> Forecast | None:
    work = _Readings(home, as_of, silent)
    start = home.calendar.start_of(as_of)
    [forecast] = Forecasting(work, home.calendar, fills=True, lookback_days=28).forecasts([(1, start)])
    return forecast


@dataclass(frozen=True)
class _Readings:
    """Implements `balance_imbalance.ports.ForecastWork` for one home, as of one day."""

    home: Home
    as_of: date
    silent: frozenset[date]

    def bear(self, do: Callable[[Sequence[tuple[int, datetime]]], None]) -> None:
        """See the port: nothing is borne here."""
        do([(1, self.home.calendar.start_of(self.as_of))])

    def subjects(self, _: Sequence[int]) -> Sequence[Subject]:
        """The home, metered on the days of which the truth is known."""
        month = self.home.calendar.start_of(self.as_of)
        days = month_days(self.home.calendar, month_start(self.home.calendar, month))
        spans = [
            (self._seconds(day), int(self.home.calendar.next_day(start).timestamp()))
            for start in days
            if (day := self.home.calendar.date_of(start)) in self.home.whole
        ]
        if len(spans) == len(days):
            spans = [(0, FOREVER)]
        return [Subject(1, self.home.resource, _PLACE, spans)]

    def whole_days(self, _: Sequence[int], first: datetime, last: datetime) -> Sequence[tuple[int, int, int]]:
        """See the port."""
        return [(1, self._seconds(day), self.home.whole[day]) for day in self._heard(first, last)]

    def part_days(self, *_: object, **__: object) -> Sequence[tuple[int, int, Sequence[int], Sequence[int]]]:
        """See the port: a day of which the truth is not known is left out whole."""
        return []

    def complete_days(
        self, spans: Mapping[int, tuple[datetime, datetime]]
    ) -> Mapping[int, Sequence[tuple[int, np.ndarray[tuple[int], np.dtype[np.int64]]]]]:
        """See the port."""
        [(first, end)] = spans.values()
        days = reversed(list(self._heard(first, end)))
        return {1: [(self._seconds(day), np.array(self.home.days[day], np.int64)) for day in days]}

    def told_paths(self) -> frozenset[ObjectPath]:
        """See the port."""
        return frozenset({_PLACE} if self.home.temperatures else ())

    def weather(self, object_paths: Iterable[ObjectPath], day_starts: Iterable[datetime]) -> Weather:
        """See the port; nothing later than the day is there."""
        dates = {self.home.calendar.date_of(start) for start in day_starts} if list(object_paths) else set()
        if dates and max(dates) > self.as_of:
            raise LookupError(f"the forecast as of {self.as_of} asked for the weather of {max(dates)}")
        return Weather.of(
            WeatherDay(_PLACE, WeatherKind.FILE, "file", self._seconds(day), self.home.temperatures[day])
            for day in sorted(dates)
            if day in self.home.temperatures
        )

    def write(self, forecasts: Sequence[Forecast]) -> int:
        """Nothing is kept."""
        return len(forecasts)

    def _heard(self, first: datetime, last: datetime) -> Iterator[date]:
        if self.home.calendar.date_of(last) > self.as_of:
            raise LookupError(f"the forecast as of {self.as_of} asked for readings up to {last}")
        for start in self.home.calendar.days(first, self.home.calendar.next_day(last)):
            day = self.home.calendar.date_of(start)
            if day in self.home.whole and day not in self.silent:
                yield day

    def _seconds(self, day: date) -> int:
        return int(self.home.calendar.start_of(day).timestamp())
