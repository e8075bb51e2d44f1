"""The order in which the register is told does not matter: any permutation and duplication, with readings in
between, gives the same resolved tables and the same figures.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.messages import (
    Asset,
    Concentrator,
    Group,
    Module,
    NamedMembership,
    UsagePoint,
)
from balance_imbalance.domain.register import FOREVER, Meter
from balance_kernel.plans import SessionSetting, Setting
from balance_kernel.quantity import Resource, Role
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

POINTS, GROUPS, MODULES, CONCENTRATORS = ("S", "A", "B"), ("G", "H", "K"), ("D", "E"), ("J",)
FIRST, LAST = 0, 6

Day = int
Span = tuple[Day, Day | None]
SPANS = st.tuples(st.integers(FIRST, LAST), st.one_of(st.none(), st.integers(FIRST, LAST)))
PLANS = st.lists(st.tuples(st.integers(FIRST, LAST), st.sampled_from(["DAILY", "WEEKLY"])), max_size=2)

TABLES = {
    "memberships": """
        SELECT g.group_id, m.ordinal, u.usage_point_id, m.role, m.coefficient_ppm, m.valid_from, m.valid_to
        FROM imbalance.memberships m JOIN imbalance.groups g USING (balance_group)
        JOIN imbalance.usage_points u USING (usage_point)""",
    "problems": """
        SELECT g.group_id, p.problem, p.valid_from, p.valid_to
        FROM imbalance.group_problems p JOIN imbalance.groups g USING (balance_group)""",
    "allowances": """
        SELECT u.usage_point_id, a.valid_from, a.valid_to, a.days
        FROM imbalance.allowances a JOIN imbalance.usage_points u USING (usage_point)""",
    "thermometers": """
        SELECT u.usage_point_id, t.valid_from, t.valid_to, w.usage_point_id AS thermometer
        FROM imbalance.thermometers t JOIN imbalance.usage_points u USING (usage_point)
        JOIN imbalance.usage_points w ON w.usage_point = t.thermometer""",
    "points": """
        SELECT usage_point_id, version, resource, object_path, is_outdoor FROM imbalance.usage_points""",
}


@st.composite
def groups(draw: st.DrawFn, house: House) -> Sequence[tuple[str, Sequence[NamedMembership]]]:
    """Versions of groups, of usage points and each other."""
    told = []
    for name in draw(st.lists(st.sampled_from(GROUPS), min_size=2, max_size=5)):
        memberships = []
        for of in draw(st.lists(st.sampled_from([*POINTS, *POINTS, *GROUPS, "X"]), max_size=4)):
            role = draw(st.sampled_from([Role.SUPPLY, Role.MEMBER]))
            coefficient = draw(st.sampled_from([1_000_000, -500_000]))
            point, nested = (of, None) if of in POINTS else ("", of)
            span = instants(house, draw(SPANS))
            memberships.append(NamedMembership(point, role, coefficient, *span, nested))
        told.append((name, memberships))
    return told


@st.composite
def devices(draw: st.DrawFn, house: House) -> Sequence[Asset]:
    """Usage points on modules, and settings of modules and concentrators; versions by their order."""
    told: list[Asset] = []
    for version in range(1, draw(st.integers(2, 6))):
        kind = draw(st.sampled_from(["point", "point", "thermometer", "module", "concentrator"]))
        if kind in ("point", "thermometer"):
            name = draw(st.sampled_from(POINTS)) if kind == "point" else draw(st.sampled_from(["T", "U"]))
            resource = Resource.GAS if kind == "point" else Resource.TEMPERATURE
            channels = [
                ChannelFitting(draw(st.sampled_from(MODULES)), 1, *instants(house, draw(SPANS)))
                for _ in range(draw(st.integers(0, 2)))
            ]
            path = ("town",) if draw(st.booleans()) else ()
            meters = [Meter(0, FOREVER, 15_000, 10, draw(st.sampled_from([0, 500])))]
            told.append(UsagePoint(name, version, meters, resource, path, False, channels))
        elif kind == "module":
            plans = sorted(draw(PLANS))
            caller = draw(st.sampled_from([None, "J"]))
            given = [Setting(house.day_start(day), mode, caller) for day, mode in plans]
            told.append(Module(draw(st.sampled_from(MODULES)), version, given))
        else:
            calls = [SessionSetting(house.day_start(day), plan) for day, plan in sorted(draw(PLANS))]
            told.append(Concentrator("J", version, calls))
    return told


def instants(house: House, span: Span) -> tuple[int, int]:
    start, end = span
    return house.day_start(start), FOREVER if end is None else house.day_start(end)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_what_is_told_in_any_order_comes_to_the_same(house: House, data: st.DataObject, seed: int) -> None:
    versions: Counter[str] = Counter()
    told: list[tuple[str, Any]] = [("asset", each) for each in data.draw(devices(house))]
    for name, memberships in data.draw(groups(house)):
        versions[name] += 1
        told.append(("asset", Group(name, versions[name], Resource.GAS, name, memberships)))
    for point in ("S", "A", "T"):
        days = data.draw(st.sets(st.integers(FIRST, LAST), max_size=3))
        told.extend(("reading", house.reading(point, day, 20_000 + day)) for day in sorted(days))
    told.append(("clock", LAST + 3))

    in_order = outcome(house, told, None)
    shuffler = random.Random(seed)
    again = [*told, *shuffler.choices(told, k=len(told) // 2)]
    shuffler.shuffle(again)
    assert outcome(house, again, shuffler) == in_order


def outcome(
    house: House, told: Sequence[tuple[str, Any]], shuffler: random.Random | None
) -> Mapping[str, Any]:
    """Resolved tables and figures after all was told, in parts or at once."""
    house.empty()
    house.describe(UsagePoint("S", 0, []), UsagePoint("A", 0, []), UsagePoint("B", 0, []))
    for kind, what in told:
        if kind == "clock":
            house.hear(clock_day=what)
        elif kind == "asset":
            house.describe(what)
        else:
            house.hear(what, clock_day=FIRST)
        if shuffler and shuffler.random() < 0.3:
            house.settle()
    house.settle()
    tables = {
        name: sorted(house.rows(query), key=lambda row: repr(sorted(row.items())))
        for name, query in TABLES.items()
    }
    there = {row["usage_point_id"] for row in tables["points"] if row["version"] is not None}
    tables["points"] = [row for row in tables["points"] if row["usage_point_id"] in there]
    return {**tables, "figures": house.figures()}
