"""The group-days of one transaction of the worker (docs/domain.md §4.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from balance_kernel.calendar import Calendar

from balance_imbalance.computing.surroundings import Day, Surroundings
from balance_imbalance.domain.assembly import GroupHistory, ReadingTable
from balance_imbalance.domain.group_day import compute
from balance_imbalance.domain.rules import Rules
from balance_imbalance.ports import Due, GroupDayWork, Result


@dataclass(frozen=True)
class Computation:
    """Computes what is due; ``last`` is the last day that exists by silence, None while nothing was heard."""

    work: GroupDayWork
    rules: Rules
    calendar: Calendar
    last: datetime | None

    def results(self, due: Sequence[Due]) -> Sequence[Result]:
        """What each group-day came to; first days are remembered on the way."""
        readings = self.work.readings(due)
        days = list(self._days(due, self.work.histories(), readings))
        first_days = self._first_days(days)
        there = [day for day in days if self._exists(day, first_days[day.due.group])]
        inputs = Surroundings(self.work, self.rules, self.calendar).inputs(there, readings)
        figures = {id(day): compute(given, self.rules) for day, given in zip(there, inputs, strict=True)}
        return [Result(day.due, day.hours, figures.get(id(day))) for day in days]

    def _days(
        self, due: Sequence[Due], histories: Mapping[int, GroupHistory], readings: ReadingTable
    ) -> Iterator[Day]:
        for each in due:
            start, hours = int(each.day_start.timestamp()), self.calendar.hours(each.day_start)
            history = histories[each.group]
            sides = (
                history.supply.side(readings, start, hours),
                history.members.side(readings, start, hours),
            )
            points = [point for side in sides for point in side.usage_points.tolist()]
            yield Day(each, start, hours, history, *sides, heard=readings.has_reading_day(points, start))

    def _first_days(self, days: Sequence[Day]) -> Mapping[int, datetime | None]:
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

    def _exists(self, day: Day, first: datetime | None) -> bool:
        """Whether there is such a group-day (§4.7)."""
        silent = first is not None and self.last is not None and first <= day.due.day_start <= self.last
        return day.held and (day.heard or silent)
