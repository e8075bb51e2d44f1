"""One function a message: what is to be done when it arrives; and what the worker does when something is
due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from balance_kernel.calendar import Calendar

from balance_imbalance.domain.assembly import GroupHistory, ReadingTable, day_input, silent_members
from balance_imbalance.domain.days import last_ended
from balance_imbalance.domain.figures import Side
from balance_imbalance.domain.group_day import compute
from balance_imbalance.domain.messages import Asset, ReadingDays, newest_assets, newest_days
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.weather_reports import WeatherReport, newest_reports
from balance_imbalance.ports import (
    Due,
    GroupDayStore,
    GroupDayWork,
    ReadingDayStore,
    Register,
    Result,
    WeatherMarks,
    WeatherStore,
)

_GROUPS_A_SWEEP = 100


def handle_reading_days(messages: Sequence[ReadingDays], store: ReadingDayStore) -> int:
    """Keep the greatest version of each reading day and mark what it touches; gives how many days changed."""
    return store.store(newest_days(messages), max(message.clock_at for message in messages))


def handle_assets(assets: Sequence[Asset], register: Register) -> int:
    """Keep the greatest version of each entity and mark what it touches; gives how many group-days were
    marked.
    """
    return register.describe(newest_assets(assets)) if assets else 0


def handle_weather(reports: Sequence[WeatherReport], store: WeatherStore) -> int:
    """Keep the greatest version of each weather day; gives how many changed."""
    return store.store(newest_reports(reports))


class MarkingWeather:
    """Marks what depends on weather that changed, and lets the views know the heating base."""

    def __init__(self, marks: WeatherMarks, heating_base: int) -> None:
        self._marks = marks
        self._heating_base = heating_base
        self._base_told = False

    def step(self) -> int:
        """Mark for some of what changed, one transaction; gives how much."""
        if not self._base_told:
            self._marks.set_heating_base(self._heating_base)
            self._base_told = True
        return self._marks.mark()


@dataclass(frozen=True)
class Computing:
    """Computes what is marked. ``computed`` is told (group-days computed, changed) of each transaction."""

    store: GroupDayStore
    rules: Rules
    calendar: Calendar
    limit_days: int
    computed: Callable[[int, int], None]

    def step(self) -> int:
        """Compute what is marked and due, one transaction; gives how many group-days it were."""
        with self.store.work(self.limit_days) as (work, due):
            if not due:
                return 0
            # The clock is read after the markers: one set by a later clock must not meet an earlier one here.
            last = _last_ended(self.store, self.rules, self.calendar)
            results = _Computation(work, self.rules, self.calendar, last).results(due)
            self.computed(len(due), work.write(results))
        return len(due)


class Sweep:
    """Marks what no message marks: days that exist without readings (§4.7), and, once, days of other
    settings.
    """

    def __init__(
        self, store: GroupDayStore, rules: Rules, calendar: Calendar, recompute_from: date | None = None
    ) -> None:
        self._store = store
        self._rules = rules
        self._calendar = calendar
        self._recompute_from = recompute_from
        self._settings_seen = False

    def step(self) -> int:
        """Look at some groups, one transaction; gives how many."""
        if not self._settings_seen:
            since = self._calendar.start_of(self._recompute_from) if self._recompute_from else None
            self._store.mark_other_settings(since)
            self._settings_seen = True
        last = _last_ended(self._store, self._rules, self._calendar)
        return 0 if last is None else self._store.fill(last, _GROUPS_A_SWEEP)


def _last_ended(store: GroupDayStore, rules: Rules, calendar: Calendar) -> datetime | None:
    clock = store.clock()
    return None if clock is None else last_ended(calendar, clock, rules.grace_s)


@dataclass(frozen=True, slots=True)
class _Day:
    due: Due
    start: int
    hours: int
    supply: Side
    members: Side
    heard: bool
    """Whether a usage point valid that day has a reading day."""

    @property
    def held(self) -> bool:
        """Whether a membership is valid in an hour of it."""
        return bool(len(self.supply.usage_points) or len(self.members.usage_points))


@dataclass(frozen=True)
class _Computation:
    """The group-days of one transaction."""

    work: GroupDayWork
    rules: Rules
    calendar: Calendar
    last: datetime | None

    def results(self, due: Sequence[Due]) -> Sequence[Result]:
        days = list(self._days(due, self.work.histories(), self.work.readings(due)))
        first_days = self._first_days(days)
        there = [day for day in days if self._exists(day, first_days[day.due.group])]
        complete = self.work.complete_days(self._past_wanted(there))
        figures = {
            id(day): compute(
                day_input(day.supply, day.members, complete, day.start, self._earliest(day.due), day.hours),
                self.rules,
            )
            for day in there
        }
        return [Result(day.due, day.hours, figures.get(id(day))) for day in days]

    def _days(
        self, due: Sequence[Due], histories: Mapping[int, GroupHistory], readings: ReadingTable
    ) -> Iterator[_Day]:
        for each in due:
            start, hours = int(each.day_start.timestamp()), self.calendar.hours(each.day_start)
            history = histories[each.group]
            sides = (
                history.supply.side(readings, start, hours),
                history.members.side(readings, start, hours),
            )
            points = [point for side in sides for point in side.usage_points.tolist()]
            yield _Day(each, start, hours, *sides, heard=readings.has_reading_day(points, start))

    def _first_days(self, days: Sequence[_Day]) -> Mapping[int, datetime | None]:
        """First days as these readings make them: earlier ones remembered, one that fell silent looked up."""
        known = dict(self.work.first_days())
        earlier: dict[int, datetime] = {}
        fallen: set[int] = set()
        for day in days:
            first = known[day.due.group]
            if day.heard and (first is None or day.due.day_start < first):
                known[day.due.group] = earlier[day.due.group] = day.due.day_start
        for day in days:
            if not day.heard and known[day.due.group] == day.due.day_start:
                fallen.add(day.due.group)
        self.work.remember_first_days(earlier)
        return {**known, **self.work.settle_first_days(sorted(fallen))}

    def _exists(self, day: _Day, first: datetime | None) -> bool:
        """Whether there is such a group-day (§4.7)."""
        silent = first is not None and self.last is not None and first <= day.due.day_start <= self.last
        return day.held and (day.heard or silent)

    def _past_wanted(self, days: Sequence[_Day]) -> Mapping[int, tuple[datetime, datetime]]:
        """By usage point, the span of past days from which it is to be estimated on some of these days."""
        spans: dict[int, tuple[datetime, datetime]] = {}
        for day in days:
            earliest = self.calendar.shift(day.due.day_start, -self.rules.lookback_days)
            for point in silent_members(day.members):
                start, end = spans.get(point, (earliest, day.due.day_start))
                spans[point] = (min(start, earliest), max(end, day.due.day_start))
        return spans

    def _earliest(self, due: Due) -> int:
        return int(self.calendar.shift(due.day_start, -self.rules.lookback_days).timestamp())
