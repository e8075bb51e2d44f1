"""What a group-day takes from beyond its own readings (docs/domain.md §4.1, §4.2, §4.5): the past of those
missing, how long they were silent, temperatures, and problems of the register.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource

from balance_imbalance.domain.assembly import GroupHistory, ReadingTable, never_valued, not_reported, own_past
from balance_imbalance.domain.days import night_hours
from balance_imbalance.domain.equipment import Equipment
from balance_imbalance.domain.figures import GroupDayInput, Side, Temperatures
from balance_imbalance.domain.register import DescribedPoint, GroupProblem, problems_of_day
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.weather import COLDEST, HOTTEST, Weather
from balance_imbalance.ports import Due, GroupDayWork, Spans

_BY_WEATHER = frozenset({Resource.GAS, Resource.HEAT})
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Day:
    """A group-day that is due, with what was read on it."""

    due: Due
    start: int
    hours: int
    history: GroupHistory
    supply: Side
    members: Side
    heard: bool
    """Whether a usage point valid that day has a reading day."""

    @property
    def sides(self) -> tuple[Side, Side]:
        """Supply and members."""
        return self.supply, self.members

    @property
    def held(self) -> bool:
        """Whether a membership is valid in an hour of it."""
        return bool(len(self.supply.usage_points) or len(self.members.usage_points))

    @property
    def is_gas(self) -> bool:
        """Whether it has base conditions."""
        return self.history.resource is Resource.GAS

    @property
    def points(self) -> Sequence[int]:
        """Usage points of both sides."""
        return [point for side in self.sides for point in side.usage_points.tolist()]


_Points = tuple[Day, Sequence[int]]
"""A day, and usage points of which something lacks on it."""


@dataclass(frozen=True)
class Surroundings:
    """Gathers for all group-days of a transaction at once; a group-day whose members all reported asks for
    nothing but temperatures.
    """

    work: GroupDayWork
    rules: Rules
    calendar: Calendar

    def inputs(self, days: Sequence[Day], readings: ReadingTable) -> Iterator[GroupDayInput]:
        """What each of the days is computed from."""
        lacking = [(day, points) for day in days if (points := _of_sides(not_reported, day))]
        silent = [(day, points) for day, _ in lacking if (points := _of_sides(never_valued, day))]
        gas = [day for day in days if day.is_gas]
        equipment = self._equipment(silent, gas)
        unmetered = self._unmetered(silent, equipment)
        past = ((point, self._past(day), day.due.day_start) for day, points in lacking for point in points)
        complete = self.work.complete_days(_spans(past))
        described = self._described(lacking, gas)
        weather = self._weather(lacking, gas, described)

        def degree_days(point: int, start: int, hours: int) -> int | None:
            known = described.get(point)
            if known is None or known.resource not in _BY_WEATHER:
                return None
            return weather.degree_days(known.object_path, start, hours)

        for day in days:
            earliest = int(self._past(day).timestamp())
            yield GroupDayInput(
                day.hours,
                *day.sides,
                past=own_past(day.sides, complete, day.start, earliest, day.hours, degree_days),
                unmetered=unmetered.get(id(day), frozenset()),
                night=night_hours(self.calendar, day.due.day_start),
                temperatures=_temperatures(day, readings, equipment, described, weather),
                problems=tuple(_problems(day)),
            )

    def _back(self, day: Day, days: int) -> datetime:
        return self.calendar.shift(day.due.day_start, -days)

    def _past(self, day: Day) -> datetime:
        """Start of the first day that counts as the past of this one."""
        return self._back(day, self.rules.lookback_days)

    def _equipment(self, silent: Sequence[_Points], gas: Sequence[Day]) -> Equipment:
        points = {point for _, points in silent for point in points}
        points.update(point for day in gas for point in day.points)
        return self.work.equipment(points) if points else Equipment()

    def _unmetered(self, silent: Sequence[_Points], equipment: Equipment) -> Mapping[int, frozenset[int]]:
        """By id of the day, who had no value on it and the days before, and was of the group then already."""
        since = [
            (day, point, self._silent_since(day, point, equipment))
            for day, points in silent
            for point in points
        ]
        asked = [
            (day, point, first)
            for day, point, first in since
            if day.history.begun.get(point, _NEVER) <= first.timestamp()
        ]
        before = ((point, first, day.due.day_start) for day, point, first in asked)
        valued = self.work.valued_days(_spans(before))
        found: defaultdict[int, set[int]] = defaultdict(set)
        for day, point, first in asked:
            if not any(first <= start < day.due.day_start for start in valued.get(point, ())):
                found[id(day)].add(point)
        return {day: frozenset(points) for day, points in found.items()}

    def _silent_since(self, day: Day, point: int, equipment: Equipment) -> datetime:
        """Start of the first of the days that a usage point must be silent to count as unmetered."""
        return self._back(day, self.rules.unmetered_days - 1 + equipment.allowance_days(point, day.start))

    def _described(self, lacking: Sequence[_Points], gas: Sequence[Day]) -> Mapping[int, DescribedPoint]:
        points = {point for _, points in lacking for point in points}
        points.update(point for day in gas for point in day.supply.usage_points.tolist())
        return self.work.described(points) if points else {}

    def _weather(
        self, lacking: Sequence[_Points], gas: Sequence[Day], described: Mapping[int, DescribedPoint]
    ) -> Weather:
        """The weather of the days, and of the days before where the past is scaled by it."""
        starts = {day.due.day_start for day in gas}
        for day, points in lacking:
            if any(point in described and described[point].resource in _BY_WEATHER for point in points):
                end = self.calendar.next_day(day.due.day_start)
                starts.update(self.calendar.days(self._past(day), end))
        paths = {known.object_path for known in described.values()}
        return self.work.weather(paths, starts) if paths and starts else Weather(self.rules.heating_base)


def _of_sides(asked: Callable[[Side], Sequence[int]], day: Day) -> Sequence[int]:
    """Usage points of both sides, each once, ascending."""
    return sorted({point for side in day.sides for point in asked(side)})


def _spans(given: Iterable[tuple[int, datetime, datetime]]) -> Spans:
    """By usage point, the span that holds all of its spans."""
    spans: dict[int, tuple[datetime, datetime]] = {}
    for point, start, end in given:
        first, last = spans.get(point, (start, end))
        spans[point] = (min(first, start), max(last, end))
    return spans


def _problems(day: Day) -> Iterator[int]:
    if not len(day.supply.usage_points):
        yield int(GroupProblem.NO_SUPPLY)
    if not len(day.members.usage_points):
        yield int(GroupProblem.NO_MEMBER)
    end = int(day.due.day_start.timestamp()) + day.hours * 3600
    yield from map(int, problems_of_day(day.history.problems, day.start, end))


def _temperatures(
    day: Day,
    readings: ReadingTable,
    equipment: Equipment,
    described: Mapping[int, DescribedPoint],
    weather: Weather,
) -> Temperatures | None:
    """What is known of the temperature of gas; None for all but gas."""
    if not day.is_gas:
        return None
    thermometers = {
        point: thermometer
        for point in (day.points if equipment.thermometers else ())
        if (thermometer := equipment.thermometer_of(point, day.start)) is not None
    }
    outdoor = {
        point: mean / 1000
        for point in day.supply.usage_points.tolist()
        if point in described
        if (mean := weather.mean(described[point].object_path, day.start, day.hours)) is not None
    }
    return Temperatures(_day_means(thermometers, readings, day), outdoor)


def _day_means(thermometers: Mapping[int, int], readings: ReadingTable, day: Day) -> Mapping[int, float]:
    """°C by usage point: mean of the VALID and EDITED hours of its thermometer that are temperatures."""
    if not thermometers:
        return {}
    rows = readings.find(list(thermometers.values()), day.start)
    values, qualities = readings.values[rows, : day.hours], readings.qualities[rows, : day.hours]
    known = (qualities == Quality.VALID.code) | (qualities == Quality.EDITED.code)
    known &= (values >= COLDEST) & (values <= HOTTEST)
    counts, totals = known.sum(axis=1), np.where(known, values, 0).sum(axis=1)
    return {
        point: total / count / 1000
        for point, total, count in zip(thermometers, totals.tolist(), counts.tolist(), strict=True)
        if count
    }
