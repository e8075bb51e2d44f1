"""Forecasts of many subjects at once, from what is stored to their figures (docs/domain.md §6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
from balance_kernel.calendar import Calendar

from balance_imbalance.computing.forecast_filling import Filling, Reported, is_valued
from balance_imbalance.domain.assembly import CompleteDays
from balance_imbalance.domain.days import last_ended
from balance_imbalance.domain.figures import Flags, Floats
from balance_imbalance.domain.forecast import MOST_DAYS, WINDOW_DAYS, Coming, Past, expect, month_end
from balance_imbalance.domain.forecast_days import month_end as end_of_month
from balance_imbalance.domain.forecast_days import month_start
from balance_imbalance.domain.forecast_subjects import Forecast, Subject, counting, drifts, figures_of
from balance_imbalance.domain.forecast_weather import WeatherDays, nearest
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.weather import ObjectPath, Weather
from balance_imbalance.ports import ForecastStore, ForecastWork


@dataclass(frozen=True)
class Forecasting:
    """Computes on one transaction. ``fills``: hours not reported are estimated, which a group's supply is
    not; ``lookback_days`` is how far back their past is looked for.
    """

    work: ForecastWork
    calendar: Calendar
    fills: bool
    lookback_days: int

    def forecasts(self, due: Iterable[tuple[int, datetime]]) -> Sequence[Forecast]:
        """One for each subject and month of these (subject, day it is as of): of several days the last."""
        newest: dict[tuple[int, datetime], datetime] = {}
        for subject, as_of in due:
            key = subject, month_start(self.calendar, as_of)
            newest[key] = max(as_of, newest.get(key, as_of))
        by_day: defaultdict[datetime, list[int]] = defaultdict(list)
        for (subject, _), as_of in newest.items():
            by_day[as_of].append(subject)
        return [
            forecast for as_of in sorted(by_day) for forecast in self._as_of(as_of, sorted(by_day[as_of]))
        ]

    def _as_of(self, as_of: datetime, numbers: Sequence[int]) -> Sequence[Forecast]:
        subjects = self.work.subjects(numbers)
        month = month_start(self.calendar, as_of)
        found = dict.fromkeys(numbers, Forecast(0, month, as_of, None))
        if subjects:
            found.update(_Day(self, as_of, subjects).forecasts())
        return [Forecast(number, month, as_of, each.figures) for number, each in found.items()]


@dataclass
class _Day:
    """Subjects with forecasts as of one day; arrays have a row a subject."""

    given: Forecasting
    as_of: datetime
    subjects: Sequence[Subject]
    days: WeatherDays = field(init=False)
    used: Floats = field(init=False)
    read: Floats = field(init=False)
    uncertain: Floats = field(init=False)
    gaps: Flags = field(init=False)

    def __post_init__(self) -> None:
        self.days = WeatherDays(self.given.calendar, self.as_of)
        count = len(self.subjects)
        self.used, self.read, self.uncertain = (np.zeros(count) for _ in range(3))
        self.gaps = np.zeros((count, MOST_DAYS), np.bool_)

    def forecasts(self) -> Mapping[int, Forecast]:
        """By number; those that exist."""
        totals, whole = self._window()
        counts = counting(self.subjects, self.days.month, self._month_end)
        gone = self.days.month.index(self.as_of) + 1
        month_whole = np.zeros_like(counts)
        month_whole[:, :gone] = whole[:, :gone][:, ::-1]
        month_totals = np.zeros(counts.shape)
        month_totals[:, :gone] = totals[:, :gone][:, ::-1]
        self.used += np.where(month_whole, month_totals, 0.0).sum(axis=1)
        self.read += self.used
        lacking = counts & ~month_whole
        lacking[:, gone:] = False
        weather = self._weather(lacking)
        valued = self._fill(lacking, weather)
        exists = counts[:, :gone].any(axis=1) & (whole.any(axis=1) | valued)

        to_come = counts.copy()
        to_come[:, :gone] = self.gaps[:, :gone]
        of_window, of_month, variance = self._degree_days(weather)
        past, coming = Past(totals, whole, of_window), Coming(to_come, of_month, variance)
        expected = expect(past, coming, drifts(self.subjects))
        end = month_end(self.used, self.read, self.uncertain, expected)
        figures = figures_of(end, expected, month_whole.sum(axis=1), to_come.sum(axis=1))
        month = self.days.month[0]
        return {
            subject.number: Forecast(subject.number, month, self.as_of, each)
            for subject, each, there in zip(self.subjects, figures, exists.tolist(), strict=True)
            if there
        }

    @cached_property
    def _rows(self) -> Mapping[int, int]:
        return {subject.number: row for row, subject in enumerate(self.subjects)}

    @cached_property
    def _month_end(self) -> datetime:
        return end_of_month(self.given.calendar, self.as_of)

    @cached_property
    def _edges(self) -> Sequence[tuple[int, int, int]]:
        """Of each day of the month its start, where the past begins that may tell of it, and its hours."""
        return [
            (int(day.timestamp()), int(self._earliest(day).timestamp()), self.given.calendar.hours(day))
            for day in self.days.month
        ]

    def _window(self) -> tuple[Floats, Flags]:
        totals = np.zeros((len(self.subjects), WINDOW_DAYS))
        whole = np.zeros(totals.shape, np.bool_)
        found = self.given.work.whole_days(list(self._rows), self.days.window[-1], self.as_of)
        columns = {int(day.timestamp()): age for age, day in enumerate(self.days.window)}
        # A stored day may begin when none begins any more: zones change their rules.
        known = [(self._rows[n], columns[at], total) for n, at, total in found if at in columns]
        if known:
            rows, ages, sums = map(list, zip(*known, strict=True))
            totals[rows, ages] = sums
            whole[rows, ages] = True
        return totals, whole

    def _weather(self, lacking: Flags) -> Weather:
        told = self.given.work.told_paths()
        paths = {self._path(subject, told) for subject in self.subjects if subject.by_weather} - {None}
        days = set(self.days.wanted())
        if self.given.fills and lacking.any():
            days.update(self.given.calendar.days(self._earliest(self.days.month[0]), self.as_of))
        self._told = told
        return self.given.work.weather({path for path in paths if path is not None}, days)

    def _path(self, subject: Subject, told: frozenset[ObjectPath]) -> ObjectPath | None:
        return nearest(subject.object_path, told) if subject.by_weather else None

    def _earliest(self, day: datetime) -> datetime:
        return self.given.calendar.shift(day, -self.given.lookback_days)

    def _fill(self, lacking: Flags, weather: Weather) -> Flags:
        """Add what days that are not whole came to; gives who has an hour with a value on one of them."""
        valued = np.zeros(len(self.subjects), np.bool_)
        if not self.given.fills:
            self.gaps |= lacking
            return valued
        parts: defaultdict[int, dict[int, Reported]] = defaultdict(dict)
        for number, start, values, qualities in self.given.work.part_days(
            list(self._rows), self.days.month[0], self.as_of
        ):
            parts[number][start] = values, qualities
            valued[self._rows[number]] |= is_valued((values, qualities))
        rows = set(np.flatnonzero(lacking.any(axis=1)).tolist()) | {self._rows[number] for number in parts}
        complete = self._complete(rows)
        for row in sorted(rows):
            self._fill_subject(row, lacking[row], parts[self.subjects[row].number], complete, weather)
        return valued

    def _complete(self, rows: Iterable[int]) -> CompleteDays:
        span = self._earliest(self.days.month[0]), self.as_of
        numbers = [self.subjects[row].number for row in sorted(rows)]
        return self.given.work.complete_days(dict.fromkeys(numbers, span)) if numbers else {}

    def _fill_subject(
        self,
        row: int,
        lacking: Flags,
        parts: Mapping[int, Reported],
        complete: CompleteDays,
        weather: Weather,
    ) -> None:
        subject = self.subjects[row]
        path = self._path(subject, self._told)

        def degree_days(_: int, start: int, hours: int) -> int | None:
            return None if path is None else weather.degree_days(path, start, hours)

        filling = Filling(subject, complete.get(subject.number, ()), degree_days)
        for column, (start, earliest, hours) in enumerate(self._edges):
            if not lacking[column] and start not in parts:
                continue
            filled = filling.day(start, earliest, hours, parts.get(start))
            self.used[row] += filled.used
            self.read[row] += filled.read
            self.uncertain[row] += filled.uncertain
            self.gaps[row, column] = filled.is_gap

    def _degree_days(self, weather: Weather) -> tuple[Floats, Floats, Floats]:
        """Of the window, and of the month with their variance; NaN for whom weather does not count."""
        window = np.full((len(self.subjects), WINDOW_DAYS), np.nan)
        month = np.full((2, len(self.subjects), MOST_DAYS), np.nan)
        rows: defaultdict[ObjectPath, list[int]] = defaultdict(list)
        for row, subject in enumerate(self.subjects):
            path = self._path(subject, self._told)
            if path is not None:
                rows[path].append(row)
        for path, those in rows.items():
            window[those] = self.days.of_window(weather, path)
            month[0, those], month[1, those] = self.days.of_month(weather, path)
        return window, month[0], month[1]


@dataclass
class Forecasts:
    """The steps of the worker that keep forecasts of one kind. ``computed`` is told (computed, changed) of
    each transaction.
    """

    store: ForecastStore
    clock: Callable[[], datetime | None]
    calendar: Calendar
    rules: Rules
    fills: bool
    limit: int
    computed: Callable[[int, int], None]
    recompute_from: datetime | None = None
    """First day that other settings or a newer algorithm recompute; None for all."""
    _settings_seen: bool = False

    def step(self) -> int:
        """Mark what fell due or changed with the register, and compute some of what is marked; gives how
        much.
        """
        if not self._settings_seen:
            self.store.mark_other_settings(self.recompute_from)
            self._settings_seen = True
        done = self.store.follow_register()
        clock = self.clock()
        if clock is not None:
            done += self.store.fall_due(last_ended(self.calendar, clock, self.rules.grace_s))
        return done + self.compute()

    def compute(self, quiet_s: float = 5.0) -> int:
        """Compute some of what is marked, one transaction; gives how many."""
        with self.store.work(self.limit, quiet_s) as (work, due):
            if not due:
                return 0
            forecasting = Forecasting(work, self.calendar, self.fills, self.rules.lookback_days)

            def compute(some: Sequence[tuple[int, datetime]]) -> None:
                forecasts = forecasting.forecasts(some)
                self.computed(len(forecasts), work.write(forecasts))

            work.bear(compute)
        return len(due)
