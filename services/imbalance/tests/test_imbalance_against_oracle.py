"""Group-days equal those of the batch oracle, which is written from docs/domain.md alone: the rules and what
gathers for them, on stored things held in memory.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
import pytest
from balance_chaos.alike import is_alike, unlike
from balance_imbalance.adapters import wire_assets, wire_weather
from balance_imbalance.computing.group_days import Computation
from balance_imbalance.domain.assembly import CompleteDays, GroupHistory, ReadingTable
from balance_imbalance.domain.days import last_ended, silent_days
from balance_imbalance.domain.equipment import (
    Equipment,
    FittedThermometer,
    allowances_of_point,
    thermometers_of_point,
)
from balance_imbalance.domain.figures import GroupDay, Hours, Span
from balance_imbalance.domain.register import DescribedPoint, GroupProblem
from balance_imbalance.domain.resolving import Entry, Resolving
from balance_imbalance.domain.rules import Coverage, Rules, Verdict
from balance_imbalance.domain.weather import ObjectPath, Weather, WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import newest_reports
from balance_imbalance.ports import Due, Result, Spans
from balance_kernel.calendar import Calendar
from balance_kernel.plans import allowances_of, packet_spans, session_spans
from balance_kernel.quantity import Quality, Resource
from balance_oracle.balance_worlds import BalanceWorld, make_balance_world
from balance_oracle.fleets import latest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("BALANCE_ORACLE_EXAMPLES", "25"))
CODES = {quality.value: quality.code for quality in Quality}
WHOLE = {CODES["VALID"], CODES["EDITED"]}
WITH_VALUE = WHOLE | {CODES["ESTIMATED"]}
HOUR_FIGURES = (
    "supply",
    "members",
    "imbalance",
    "tolerance",
    "members_due",
    "members_reported",
    "missing_share_ppm",
    "unregistered",
)
ONLY_COMPUTABLE = ("supply", "imbalance", "tolerance", "imbalance_lowest", "imbalance_highest")

# A seed says all; smaller seeds make no smaller worlds, so there is nothing to shrink.
often = settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])


@often
@given(st.integers(0, 2**32))
def test_group_days_of_a_world(seed: int) -> None:
    world = make_balance_world(Random(seed))
    ours, theirs = InMemory(world).figures(), world.figures()
    assert ours.keys() == theirs.keys()
    unlike_days = {
        key: unlike(theirs[key], ours[key]) for key in theirs if not is_alike(theirs[key], ours[key])
    }
    assert unlike_days == {}


@pytest.mark.parametrize(("hours", "last"), [(-1, "2026-03-08"), (0, "2026-03-09"), (23, "2026-03-09")])
def test_the_last_day_that_ended_36_hours_before_the_clock(hours: int, last: str) -> None:
    """The 9th ends on the 9th at 22:00 UTC; 36 hours later it is the 11th, 10:00."""
    calendar = Calendar("Europe/Chisinau", 0)
    clock = datetime.fromtimestamp(datetime(2026, 3, 11, 10, tzinfo=UTC).timestamp() + 3600 * hours, UTC)
    assert calendar.date_of(last_ended(calendar, clock, Rules().grace_s)).isoformat() == last


class InMemory:
    """Implements `ports.GroupDayWork` on what a world comes to in the end."""

    def __init__(self, world: BalanceWorld) -> None:
        self.calendar = Calendar(world.place.zone, world.place.day_start_hour)
        self.rules = Rules()
        points = [
            wire_assets.from_wire_usage_point(one) for one in latest(world.usage_points, "usage_point_id")
        ]
        self.names = [point.usage_point_id for point in points]
        self._numbers = {name: number for number, name in enumerate(self.names)}
        self._points = dict(enumerate(points))
        self.groups = [wire_assets.from_wire_group(one) for one in latest(world.groups, "group_id")]
        self._read(world)
        self._weather = [wire_weather.from_wire_weather_day(one, self.calendar) for one in world.weather]
        sessions = {
            one.concentrator_id: session_spans(one.settings)
            for one in map(wire_assets.from_wire_concentrator, latest(world.concentrators, "concentrator_id"))
        }
        self._allowances = {
            one.module_id: allowances_of(packet_spans(one.settings, sessions))
            for one in map(wire_assets.from_wire_module, latest(world.modules, "module_id"))
        }
        self._clock = datetime.fromtimestamp(world.clock / 1000, UTC)

    def bear(self, due: Sequence[Due], do: Callable[[Sequence[Due]], None]) -> None:
        """See the port: nothing is borne here."""
        do(due)

    def _read(self, world: BalanceWorld) -> None:
        self._rows: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
        for one in sorted(world.readings, key=lambda one: int(one["version"])):
            codes = [CODES[quality] for quality in one["qualities"] or ["VALID"] * len(one["values"])]
            shown = [
                value if code in WITH_VALUE else 0 for value, code in zip(one["values"], codes, strict=True)
            ]
            self._rows[self._numbers[one["usage_point_id"]], one["day_start_at"] // 1000] = shown, codes

    def figures(self) -> dict[tuple[str, int], dict[str, Any]]:
        """By group and day start in milliseconds, in the shape of the contract."""
        last = last_ended(self.calendar, self._clock, self.rules.grace_s)
        histories = self.histories()
        days = {datetime.fromtimestamp(start, UTC) for _, start in self._rows}
        for number in histories:
            first = self.first_days()[number]
            days.update(silent_days(self.calendar, self._memberships(number), first, last))
        due = [Due(number, day, 0) for number in histories for day in sorted(days)]
        computation = Computation(self, self.rules, self.calendar, last)
        return {
            (
                self.groups[result.due.group].group_id,
                int(result.due.day_start.timestamp()) * 1000,
            ): self._told(result, result.figures)
            for result in computation.results(due)
            if result.figures is not None
        }

    def _memberships(self, number: int) -> Sequence[Any]:
        history = self.histories()[number]
        return [*history.supply.memberships, *history.members.memberships]

    def histories(self) -> Mapping[int, GroupHistory]:
        """See the port; groups are numbered in their order."""
        return self._histories

    @cached_property
    def _histories(self) -> Mapping[int, GroupHistory]:
        described = {
            group.group_id: [
                Entry(
                    None if one.group_id else self._numbers[one.usage_point_id],
                    one.group_id,
                    one.role,
                    one.coefficient_ppm,
                    one.valid_from,
                    one.valid_to,
                )
                for one in group.memberships
            ]
            for group in self.groups
        }
        resolving = Resolving(described)
        meters = {number: point.meters for number, point in self._points.items()}
        found = {}
        for number, group in enumerate(self.groups):
            resolved = resolving.resolve(group.group_id)
            found[number] = GroupHistory.of(resolved.memberships, meters, group.resource, resolved.problems)
        return found

    def described(self, usage_points: Iterable[int]) -> Mapping[int, DescribedPoint]:
        """See the port."""
        chosen = {number: self._points[number] for number in usage_points}
        return {
            number: DescribedPoint(one.usage_point_id, one.resource, one.object_path, one.is_outdoor)
            for number, one in chosen.items()
        }

    def equipment(self, usage_points: Iterable[int]) -> Equipment:
        """See the port."""
        fitted: dict[str, list[FittedThermometer]] = defaultdict(list)
        for number, point in self._points.items():
            for channel in point.channels if point.resource is Resource.TEMPERATURE else ():
                span = channel.fitted_at, channel.removed_at
                fitted[channel.module_id].append(FittedThermometer(point.usage_point_id, number, *span))
        channels = {number: self._points[number].channels for number in usage_points}
        return Equipment(
            {number: allowances_of_point(some, self._allowances) for number, some in channels.items()},
            {number: thermometers_of_point(some, fitted) for number, some in channels.items()},
        )

    def first_days(self) -> Mapping[int, datetime | None]:
        """See the port: as the readings have it."""
        return self._first_days

    @cached_property
    def _first_days(self) -> Mapping[int, datetime | None]:
        found: dict[int, datetime | None] = {}
        for number in range(len(self.groups)):
            heard = [
                start
                for (point, start), (_, codes) in self._rows.items()
                if set(codes) != {CODES["MISSING"]}
                and any(
                    one.usage_point == point
                    and any(
                        one.valid_from <= start + 3600 * hour < one.valid_to for hour in range(len(codes))
                    )
                    for one in self._memberships(number)
                )
            ]
            found[number] = datetime.fromtimestamp(min(heard), UTC) if heard else None
        return found

    def readings(self, due: Sequence[Due]) -> ReadingTable:  # noqa: ARG002
        """See the port."""
        return ReadingTable.of(
            [
                (point, datetime.fromtimestamp(start, UTC), values, codes)
                for (point, start), (values, codes) in self._rows.items()
            ]
        )

    def complete_days(self, spans: Spans) -> CompleteDays:
        """See the port."""
        found: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        for (point, start), (values, codes) in sorted(self._rows.items(), key=lambda item: -item[0][1]):
            if point in spans and _within(start, spans[point]) and set(codes) <= WHOLE:
                found[point].append((start, np.array(values)))
        return found

    def valued_days(self, spans: Spans) -> Mapping[int, Sequence[datetime]]:
        """See the port."""
        found: dict[int, list[datetime]] = defaultdict(list)
        for (point, start), (_, codes) in self._rows.items():
            if point in spans and _within(start, spans[point]) and set(codes) & WITH_VALUE:
                found[point].append(datetime.fromtimestamp(start, UTC))
        return found

    def weather(self, object_paths: Iterable[ObjectPath], day_starts: Iterable[datetime]) -> Weather:  # noqa: ARG002
        """See the port: of all objects on all days."""
        loggers = [
            WeatherDay(
                self._points[point].object_path,
                WeatherKind.LOGGER,
                self.names[point],
                start,
                [value if code in WHOLE else None for value, code in zip(values, codes, strict=True)],
            )
            for (point, start), (values, codes) in self._rows.items()
            if self._points[point].is_outdoor and self._points[point].resource is Resource.TEMPERATURE
        ]
        told = [report.day for report in newest_reports(self._weather)]
        return Weather.of([*loggers, *told], self.rules.heating_base)

    def settle_first_days(self, groups: Sequence[int]) -> Mapping[int, datetime | None]:
        """See the port; they are what they are."""
        known = self.first_days()
        return {group: known[group] for group in groups}

    def remember_first_days(self, first_days: Mapping[int, datetime]) -> None:
        """See the port."""
        assert first_days == {}

    def write(self, results: Sequence[Result]) -> int:
        """See the port; nothing is kept."""
        return len(results)

    def _told(self, result: Result, found: GroupDay) -> dict[str, Any]:
        group = self.groups[result.due.group]
        names = sorted(self.names[point] for point in found.absent.missing)
        unmetered = sorted(self.names[point] for point in found.absent.unmetered)
        return {
            "group_id": group.group_id,
            "resource": group.resource.value,
            "unit": group.resource.unit.value,
            "day_start_at": int(result.due.day_start.timestamp()) * 1000,
            "step_s": 3600,
            "day": _of_day(found.day),
            "hours": [_of_hour(found.hours, hour) for hour in range(result.hours)],
            "missing_usage_points": names,
            "members_estimated": found.members_estimated,
            "unmetered_usage_points": unmetered,
            "night": _fields(found.night, ("hours", "supply", "members", "imbalance")),
            "base": _fields(found.base, ("supply", "members", "imbalance", "tolerance", "verdict")),
            "problems": [GroupProblem(problem).name for problem in found.problems],
        }


def _within(start: int, span: tuple[datetime, datetime]) -> bool:
    return span[0].timestamp() <= start < span[1].timestamp()


def _of_day(found: Span) -> dict[str, Any]:
    figures = {name: getattr(found, name) for name in Span.__slots__}
    return figures | {"coverage": Coverage(found.coverage).name, "verdict": Verdict(found.verdict).name}


def _of_hour(found: Hours, hour: int) -> dict[str, Any]:
    span: dict[str, Any] = {name: int(getattr(found, name)[hour]) for name in HOUR_FIGURES}
    for name in ("imbalance_lowest", "imbalance_highest"):
        bounds = getattr(found, name)
        span[name] = span["imbalance"] if bounds is None else int(bounds[hour])
    if not found.computable[hour]:
        span |= dict.fromkeys(ONLY_COMPUTABLE)
    span["coverage"] = Coverage(int(found.coverage[hour])).name
    span["verdict"] = Verdict(int(found.verdict[hour])).name
    return span


def _fields(found: Any, names: Sequence[str]) -> dict[str, Any] | None:
    if found is None:
        return None
    fields = {name: getattr(found, name) for name in names}
    if "verdict" in fields:
        fields["verdict"] = Verdict(fields["verdict"]).name
    return fields
