"""What a home was to use, by its own past and by like homes (docs/domain.md §7.1 to §7.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pytest
from balance_imbalance.domain.inadequacy import (
    NOTHING,
    Expected,
    Found,
    InadequacyRules,
    Past,
    State,
    consumption,
    expectations,
    room_temperature,
)
from balance_kernel.calendar import Calendar
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = InadequacyRules()
VALID, ESTIMATED, EDITED, SUSPECT, MISSING = range(1, 6)


def day(values: list[int], odd: dict[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """One home's hours; odd qualities by hour."""
    qualities = np.ones((1, len(values)), np.int64)
    for hour, quality in (odd or {}).items():
        qualities[0, hour] = quality
    return np.array([values], np.int64), qualities


def past(points: list[tuple[int, int]]) -> Past:
    """The past of one home, of (degrees, consumption) points."""
    return Past.of(
        [
            [
                len(points),
                sum(x for x, _ in points),
                sum(g for _, g in points),
                sum(x * x for x, _ in points),
                sum(x * g for x, g in points),
                sum(g * g for _, g in points),
            ]
        ]
    )


def expected_by(points: list[tuple[int, int]], degrees: int) -> int | None:
    (value,) = past(points).expected(np.array([degrees]), RULES).tolist()
    return None if value == NOTHING else value


def found(consumed: list[int], indoor: list[int], outdoor: int = -5_000) -> Found:
    homes = len(consumed)
    return Found(np.array(consumed), np.array(indoor), np.full(homes, outdoor), np.zeros(homes, bool))


def nobodys_past(homes: int) -> Past:
    return Past.of([(0,) * 6] * homes)


def judge(consumed: list[int], indoor: list[int], buildings: list[int] | None = None) -> Expected:
    homes = found(consumed, indoor)
    counting = int((homes.states(RULES) == State.COUNTS).sum())
    numbers = np.zeros(len(consumed), np.int64) if buildings is None else np.array(buildings)
    return expectations(numbers, homes, nobodys_past(counting), RULES)


def test_consumption_needs_nine_tenths_of_the_hours_and_stands_for_the_day() -> None:
    assert consumption(*day([100] * 24)).tolist() == [2400]
    assert consumption(*day([100] * 24, {3: MISSING, 9: SUSPECT})).tolist() == [2400]
    assert consumption(*day([100] * 24, dict.fromkeys(range(3), MISSING))).tolist() == [NOTHING]
    assert consumption(*day([100] * 23, {0: MISSING, 1: MISSING})).tolist() == [2300]
    assert consumption(*day([100] * 25, {0: EDITED})).tolist() == [2500]


def test_estimated_hours_count_inside_the_day_and_not_at_its_edges() -> None:
    assert consumption(*day([100] * 24, dict.fromkeys(range(5, 20), ESTIMATED))).tolist() == [2400]
    assert consumption(*day([100] * 24, dict.fromkeys(range(3), ESTIMATED))).tolist() == [NOTHING]
    assert consumption(*day([100] * 24, dict.fromkeys(range(21, 24), ESTIMATED))).tolist() == [NOTHING]
    assert consumption(*day([100] * 24, dict.fromkeys(range(24), ESTIMATED))).tolist() == [NOTHING]
    assert consumption(*day([100] * 24, {0: ESTIMATED, 23: ESTIMATED, 7: ESTIMATED})).tolist() == [2400]


@pytest.mark.parametrize("absurd", [-30, 10**9, 10**17, -(10**17)])
def test_what_no_home_uses_is_no_consumption(absurd: int) -> None:
    assert consumption(*day([absurd] * 24)).tolist() == [NOTHING]


def test_a_thermometer_just_switched_on_tells_no_room() -> None:
    assert [part.tolist() for part in room_temperature(*day([21_000] * 24))] == [[21_000], [False]]
    assert [part.tolist() for part in room_temperature(*day([85_000] * 24))] == [[NOTHING], [True]]
    mostly = [85_000] * 6 + [21_000] * 18
    assert [part.tolist() for part in room_temperature(*day(mostly))] == [[21_000], [False]]
    mostly[6] = -10_001
    assert [part.tolist() for part in room_temperature(*day(mostly))] == [[NOTHING], [True]]
    silent = day([21_000] * 24, dict.fromkeys(range(7), MISSING))
    assert [part.tolist() for part in room_temperature(*silent)] == [[NOTHING], [False]]


def test_the_first_reason_against_a_day_is_its_state() -> None:
    homes = Found(
        np.array([NOTHING, NOTHING, NOTHING, 5, 5, 5, 5]),
        np.array([NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, 20_000, 20_000]),
        np.array([NOTHING, 8_000, 7_999, 0, 0, 0, NOTHING]),
        np.array([True, True, True, True, False, False, False]),
    )
    assert homes.states(RULES).tolist() == [
        State.NO_OUTDOOR_TEMPERATURE,
        State.NOT_COLD,
        State.TOO_FEW_READINGS,
        State.ABSURD_INDOOR_TEMPERATURE,
        State.NO_INDOOR_TEMPERATURE,
        State.COUNTS,
        State.NO_OUTDOOR_TEMPERATURE,
    ]
    assert homes.degrees(RULES).tolist() == [0, 0, 0, 0, 0, 17_000, 0]


def line(days: int, scatter: int = 0) -> list[tuple[int, int]]:
    """g = 1,000 + 2 x, scattered to both sides by turns."""
    return [
        (x, 1_000 + 2 * x + (scatter if n % 2 else -scatter))
        for n, x in enumerate(range(0, 1000 * days, 1000))
    ]


def test_a_clear_past_tells_what_to_expect() -> None:
    assert expected_by(line(14), 20_000) == 41_000
    assert expected_by(line(40, scatter=2_000), 20_000) == pytest.approx(41_000, rel=0.01)


@pytest.mark.parametrize(
    ("why", "points"),
    [
        ("too short", line(13)),
        ("no past", []),
        ("one temperature", [(5_000, 9_000)] * 40),
        ("no gas for months", [(x, 0) for x in range(0, 40_000, 1_000)]),
        ("the same in any weather", [(x, 700) for x in range(0, 40_000, 1_000)]),
        ("less in the cold", [(x, 90_000 - x) for x in range(0, 40_000, 1_000)]),
        ("nothing but chance", [(x, (x * 7_919) % 1_000) for x in range(0, 40_000, 1_000)]),
    ],
)
def test_a_past_that_does_not_tell(why: str, points: list[tuple[int, int]]) -> None:
    assert expected_by(points, 20_000) is None, why


def test_a_past_of_mild_days_does_not_tell_of_the_cold() -> None:
    """Clear enough where it was, but ten times as far away any slope would do."""
    mild = [(x, 10_000 + x + (6_000 if x % 2_000 else -6_000)) for x in range(0, 14_000, 1_000)]
    assert expected_by(mild, 12_000) is not None
    assert expected_by(mild, 120_000) is None


@given(
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 10**9)), max_size=60),
    st.integers(0, 112_000),
)
def test_the_line_is_that_of_least_squares(points: list[tuple[int, int]], degrees: int) -> None:
    """Against the textbook, in fractions."""
    assert expected_by(points, degrees) == _textbook(points, degrees)


def _textbook(points: list[tuple[int, int]], degrees: int) -> int | None:
    n = len(points)
    if n < 14 or len({x for x, _ in points}) == 1:
        return None
    mean_x, mean_g = Fraction(sum(x for x, _ in points), n), Fraction(sum(g for _, g in points), n)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    b = sum((x - mean_x) * (g - mean_g) for x, g in points) / spread
    a = mean_g - b * mean_x
    variance = sum((g - a - b * x) ** 2 for x, g in points) / (n - 2)
    expected = a + b * degrees
    error = variance * (Fraction(1, n) + (degrees - mean_x) ** 2 / spread)
    if b <= 0 or b * b < 4 * variance / spread or expected <= 0 or 16 * error > expected**2:
        return None
    rounded = int(expected + Fraction(1, 2))
    return rounded if rounded <= 10**9 else None


def test_like_homes_expect_the_median_a_degree_of_the_others() -> None:
    """x is 22 degrees, of the last 24; a degree the others use 1, 2, 3, 4, 5 and 100."""
    seen = judge([22, 44, 66, 88, 110, 2200, 12], [20_000] * 6 + [22_000])
    assert seen.like_homes.tolist() == [6] * 7
    assert seen.by_like_homes.tolist()[6] == round(24 * 3.5)
    assert seen.by_like_homes.tolist()[0] == round(22 * (3 + 4) / 2)
    assert seen.like_homes_indoor.tolist()[6] == 20_000
    assert seen.own.tolist() == [NOTHING] * 7


def test_homes_of_other_buildings_without_one_or_not_counting_are_not_like() -> None:
    """Two lie elsewhere, one in no building, one is as cold as outdoors, one has no readings."""
    consumed = [100, 200, 300, 400, 500, 600, 900, 900, 900, 900, NOTHING]
    indoor = [20_000] * 9 + [-4_000, 20_000]
    seen = judge(consumed, indoor, [0] * 6 + [1, 1, -1, 0, 0])
    assert seen.like_homes.tolist() == [5] * 6 + [1, 1, 0, 0, 0]
    assert seen.by_like_homes.tolist() == [400, 400, 400, 300, 300, 300] + [NOTHING] * 5
    assert seen.like_homes_indoor.tolist() == [20_000] * 8 + [NOTHING] * 3


def test_fewer_than_five_like_homes_or_none_that_uses_anything_tell_nothing() -> None:
    assert judge([100] * 5, [20_000] * 5).by_like_homes.tolist() == [NOTHING] * 5
    assert judge([100], [20_000]).like_homes.tolist() == [0]
    assert judge([100, 0, 0, 0, 0, 0], [20_000] * 6).by_like_homes.tolist() == [NOTHING] * 6
    assert judge([], []).by_like_homes.tolist() == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 10**9), st.integers(-10, 45)), max_size=40))
def test_medians_without_oneself_are_those_of_the_others(homes: list[tuple[int, int, int]]) -> None:
    consumed, indoor = [g for _, g, _ in homes], [t * 1_000 for *_, t in homes]
    buildings = [b - 1 for b, _, _ in homes]
    seen = judge(consumed, indoor, buildings)
    degrees = [max(0, t + 5_000 - 3_000) for t in indoor]
    for home, building in enumerate(buildings):
        others = [
            consumed[i] / degrees[i]
            for i in range(len(homes))
            if i != home and building >= 0 and buildings[i] == building and degrees[i] > 0
        ]
        expected = float(np.median(others)) * degrees[home] if len(others) >= 5 and degrees[home] else 0
        if 1 < expected < 9e8:
            assert abs(seen.by_like_homes.tolist()[home] - expected) <= 1 + 1e-9 * expected
        elif expected < 0.4 or expected > 1.1e9:
            assert seen.by_like_homes.tolist()[home] == NOTHING


def test_a_day_learns_from_a_year_that_ends_a_month_before_it() -> None:
    calendar = Calendar("Europe/Chisinau", 0)
    today = calendar.day_start(datetime(2026, 1, 31, 12, tzinfo=UTC))
    first, end = RULES.past_of(calendar, today)
    assert (calendar.date_of(first).isoformat(), calendar.date_of(end).isoformat()) == (
        "2025-01-01",
        "2026-01-01",
    )
    last = calendar.shift(end, -1)
    learners = RULES.learners_of(calendar, last)
    assert learners[0] == today
    assert RULES.learners_of(calendar, first)[1] == calendar.next_day(today)
