"""The order of arrival does not matter: any permutation, duplication and interleaving gives the same
tables.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

VALID, ESTIMATED, SUSPECT, MISSING = 1, 2, 4, 5
POINTS = ("S", "A", "B")
DAYS = st.sampled_from([26, 27, 28, 29, 32])
"""Around the change of clocks, which is on day 28."""

Stated = tuple[str, int, int, Sequence[int]]


@st.composite
def stated(draw: st.DrawFn) -> Stated:
    """(usage point, day, value of its hours, qualities of its first hours)."""
    qualities = st.lists(st.sampled_from([VALID, ESTIMATED, SUSPECT, MISSING]), max_size=4)
    point, day, value = draw(st.sampled_from(POINTS)), draw(DAYS), draw(st.integers(0, 5))
    return point, day, value, draw(st.one_of(st.just([]), st.just([MISSING] * 25), qualities))


Members = dict[str, tuple[int, int]]
SPANS = st.tuples(st.integers(25, 29), st.integers(28, 34))
MEMBERS = st.dictionaries(st.sampled_from(POINTS), st.one_of(st.just((0, 0)), SPANS), min_size=1)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    readings=st.lists(stated(), min_size=1, max_size=14),
    histories=st.lists(MEMBERS, min_size=1, max_size=3),
    classes=st.lists(st.integers(0, 50_000), max_size=2),
    clocks=st.lists(st.integers(27, 36), min_size=1, max_size=3),
    seed=st.integers(0, 2**32),
)
def test_tables_are_a_function_of_what_was_told(
    house: House,
    readings: Sequence[Stated],
    histories: Sequence[Members],
    classes: Sequence[int],
    clocks: Sequence[int],
    seed: int,
) -> None:
    told: list[tuple[str, Any]] = [("clock", clock) for clock in clocks]
    for version, (point, day, value, qualities) in enumerate(readings, start=1):
        told.append(("reading", reading_day(house, point, day, value, qualities, version)))
    for version, members in enumerate(histories, start=1):
        supply = {point: span for point, span in members.items() if point == "S"}
        others = {point: span for point, span in members.items() if point != "S"}
        told.append(("asset", house.group_of("G", supply, others, version)))
    for version, class_ppm in enumerate(classes, start=1):
        told.append(("asset", house.meter_of("A", version, class_ppm)))

    house.empty()
    for each in told:
        tell(house, *each)
    house.settle()
    in_order = house.figures()

    shuffler = random.Random(seed)
    house.empty()
    again = [*told, *shuffler.choices(told, k=len(told) // 2)]
    shuffler.shuffle(again)
    for each in again:
        tell(house, *each)
        if shuffler.random() < 0.3:
            house.settle()
    house.settle()
    assert house.figures() == in_order


def reading_day(
    house: House, point: str, day: int, value: int, qualities: Sequence[int], version: int
) -> Any:
    hours = len(house.reading(point, day, 0).values)
    codes = [*qualities, *[VALID] * hours][:hours]
    values = [0 if code in (SUSPECT, MISSING) else value for code in codes]
    codes_given = None if set(codes) == {VALID} else codes
    return house.reading(point, day, values, version, qualities=codes_given)


def tell(house: House, kind: str, what: Any) -> None:
    if kind == "clock":
        house.hear(clock_day=what)
    elif kind == "asset":
        house.describe(what)
    else:
        house.hear(what, clock_day=25)
