"""The figures equal those of the batch oracle, which is written from docs/domain.md alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from balance_imbalance.domain.assembly import GroupHistory, ReadingTable, day_input
from balance_imbalance.domain.days import last_ended, silent_days
from balance_imbalance.domain.figures import GroupDay, Hours, Span
from balance_imbalance.domain.group_day import compute
from balance_imbalance.domain.register import FOREVER, Membership, Meter
from balance_imbalance.domain.rules import Coverage, Rules, Verdict
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Role
from balance_oracle import fittings, groups, imbalance
from balance_oracle.days import MeteringDays
from balance_oracle.settings import Settings
from hypothesis import given, settings
from hypothesis import strategies as st

ZONE = "Europe/Chisinau"
CALENDAR, DAYS = Calendar(ZONE, 0), MeteringDays(ZONE, 0)
CLOCK_CHANGES = [datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)]
"""Starts of the days of 23 and of 25 hours."""

Hour = tuple[int | None, str]
Given = Mapping[tuple[str, int], Sequence[Hour]]
Figures = dict[str, object]


@st.composite
def reading_days(draw: st.DrawFn, day: int, points: Sequence[str]) -> Given:
    """The day itself, runs of qualities in it, and some days before."""
    found: dict[tuple[str, int], list[Hour]] = {}
    for point in points:
        largest = draw(st.sampled_from([0, 10, 100_000]))
        for back in draw(st.sets(st.sampled_from([0, 0, 1, 2, 7, 27, 28, 29, 30]))):
            start = DAYS.shifted(day, -back)
            hours: list[Hour] = []
            while len(hours) < len(DAYS.hours(start)):
                quality = draw(
                    st.sampled_from(
                        ["VALID"] * (9 if back else 4) + ["EDITED", "ESTIMATED", "SUSPECT", "MISSING"]
                    )
                )
                values = st.integers(0, largest) if quality in ("VALID", "EDITED", "ESTIMATED") else st.none()
                run = draw(st.integers(1, 25))
                hours.extend((draw(values), quality) for _ in range(run))
            found[point, start] = hours[: len(DAYS.hours(start))]
    return found


@st.composite
def instants(draw: st.DrawFn, day: int) -> int:
    """Around the day, on the hour and off it."""
    return day + draw(st.integers(-30, 30)) * 3600 + draw(st.sampled_from([-1, 0, 0, 1]))


@st.composite
def spans(draw: st.DrawFn, day: int) -> tuple[int, int]:
    """All the time, or a part of it."""
    if draw(st.booleans()):
        return 0, FOREVER
    start, end = sorted((draw(instants(day)), draw(instants(day))))
    return start, end


@st.composite
def worlds(draw: st.DrawFn) -> tuple[int, list[Membership], dict[int, list[Meter]], Given]:
    """A day, memberships, meters and readings; usage point n is called Pn."""
    changing = int(draw(st.sampled_from(CLOCK_CHANGES)).timestamp())
    day = DAYS.shifted(changing, draw(st.sampled_from([-5, 0, 1, 5])))
    count = draw(st.integers(1, 6))
    memberships = []
    for point in range(count):
        for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
            role = (
                Role.SUPPLY if point == 0 else draw(st.sampled_from([Role.MEMBER, Role.MEMBER, Role.SUPPLY]))
            )
            coefficient = draw(st.sampled_from([1_000_000, 1_000_000, -1_000_000, 333_333, 1_250_000]))
            memberships.append(Membership(point, role, coefficient, *draw(spans(day))))
    meters = {
        point: [
            Meter(
                start, end, draw(st.sampled_from([0, 10_000, 15_000])), draw(st.sampled_from([1, 10, 1000]))
            )
            for start, end in draw(
                st.sampled_from([[], [(0, FOREVER)], [(0, day + 7200), (day + 7201, FOREVER)]])
            )
        ]
        for point in range(count)
    }
    return day, memberships, meters, draw(reading_days(day, [f"P{point}" for point in range(count)]))


@settings(max_examples=200, deadline=None)
@given(world=worlds(), factor=st.sampled_from([1, 2]), rho=st.sampled_from([0, 1]))
def test_figures_of_a_group_day(
    world: tuple[int, list[Membership], dict[int, list[Meter]], Given], factor: int, rho: int
) -> None:
    day, memberships, meters, readings = world
    rules = Rules(in_service_factor=float(factor), batch_correlation=float(rho))
    ours = figures_of(computed(day, memberships, meters, readings, rules))
    theirs = imbalance.GroupDay(
        oracle_group(memberships),
        day,
        {f"P{point}": oracle_point(point, of_point) for point, of_point in meters.items()},
        readings,
        DAYS,
        Settings(
            in_service_factor=Settings().in_service_factor * factor,
            batch_correlation=Settings().in_service_factor * rho,
        ),
    ).figures()
    assert ours["day"] == theirs["day"]
    assert ours["hours"] == theirs["hours"]
    assert ours["missing_usage_points"] == theirs["missing_usage_points"]


@settings(max_examples=100, deadline=None)
@given(world=worlds(), clock=st.integers(-100, 100))
def test_days_of_a_group(
    world: tuple[int, list[Membership], dict[int, list[Meter]], Given], clock: int
) -> None:
    day, memberships, _, readings = world
    now = day + clock * 3600
    heard: dict[str, set[int]] = {}
    for point, start in readings:
        heard.setdefault(point, set()).add(start)
    theirs = groups.group_days(oracle_group(memberships), heard, DAYS, now - Settings().grace)
    by_reading = {
        start
        for membership in memberships
        for start in heard.get(f"P{membership.usage_point}", ())
        if any(membership.valid_from <= hour < membership.valid_to for hour in DAYS.hours(start))
    }
    first = datetime.fromtimestamp(min(by_reading), UTC) if by_reading else None
    last = last_ended(CALENDAR, datetime.fromtimestamp(now, UTC), Rules().grace_s)
    silent = {int(each.timestamp()) for each in silent_days(CALENDAR, memberships, first, last)}
    assert sorted(silent | by_reading) == theirs


@pytest.mark.parametrize(("hours", "last"), [(-1, "2026-03-08"), (0, "2026-03-09"), (23, "2026-03-09")])
def test_the_last_day_that_ended_36_hours_before_the_clock(hours: int, last: str) -> None:
    """The 9th ends on the 9th at 22:00 UTC; 36 hours later it is the 11th, 10:00."""
    clock = datetime.fromtimestamp(datetime(2026, 3, 11, 10, tzinfo=UTC).timestamp() + 3600 * hours, UTC)
    assert CALENDAR.date_of(last_ended(CALENDAR, clock, Rules().grace_s)).isoformat() == last


def computed(
    day: int,
    memberships: Sequence[Membership],
    meters: Mapping[int, Sequence[Meter]],
    readings: Given,
    rules: Rules,
) -> GroupDay:
    codes = {quality.value: quality.code for quality in Quality}
    rows = [
        (int(point[1:]), start, [value or 0 for value, _ in hours], [codes[quality] for _, quality in hours])
        for (point, start), hours in readings.items()
    ]
    table = ReadingTable.of([(p, datetime.fromtimestamp(s, UTC), values, q) for p, s, values, q in rows])
    whole = {codes["VALID"], codes["EDITED"]}
    complete: dict[int, list[tuple[int, npt.NDArray[np.int64]]]] = {}
    for point, start, values, qualities in sorted(rows, key=lambda row: -row[1]):
        if set(qualities) <= whole:
            complete.setdefault(point, []).append((start, np.array(values)))
    history, hours = GroupHistory.of(memberships, meters), len(DAYS.hours(day))
    sides = (history.supply.side(table, day, hours), history.members.side(table, day, hours))
    return compute(day_input(*sides, complete, day, DAYS.shifted(day, -28), hours), rules)


def figures_of(result: GroupDay) -> Figures:
    return {
        "day": span(result.day),
        "hours": [span(hour(result.hours, index)) for index in range(len(result.hours.supply))],
        "missing_usage_points": sorted(f"P{point}" for point in result.missing),
    }


def hour(hours: Hours, index: int) -> Span:
    there = bool(hours.computable[index])
    return Span(
        supply=int(hours.supply[index]) if there else None,
        members=int(hours.members[index]),
        imbalance=int(hours.imbalance[index]) if there else None,
        tolerance=int(hours.tolerance[index]) if there else None,
        coverage=int(hours.coverage[index]),
        verdict=int(hours.verdict[index]),
        members_due=int(hours.members_due[index]),
        members_reported=int(hours.members_reported[index]),
        missing_share_ppm=int(hours.missing_share_ppm[index]),
    )


def span(given: Span) -> Figures:
    figures: Figures = {name: getattr(given, name) for name in Span.__slots__}
    return figures | {"coverage": Coverage(given.coverage).name, "verdict": Verdict(given.verdict).name}


def oracle_group(memberships: Sequence[Membership]) -> groups.Group:
    return groups.Group(
        "G",
        "GAS",
        tuple(
            groups.Membership(f"P{m.usage_point}", m.role.value, m.coefficient_ppm, m.valid_from, m.valid_to)
            for m in memberships
        ),
    )


def oracle_point(point: int, meters: Sequence[Meter]) -> fittings.UsagePoint:
    fitted = tuple(
        fittings.Meter(m.fitted_at, m.removed_at, m.class_ppm, m.pulse_weight, 9, 10**9, None, None)
        for m in meters
    )
    return fittings.UsagePoint(f"P{point}", "GAS", fitted, ())
