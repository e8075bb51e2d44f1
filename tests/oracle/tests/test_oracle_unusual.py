"""domain.md §3.15 and §3.16 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

from balance_oracle import compute
from balance_oracle.describe import archive, at, fitting, meter, packet, usage_point

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ORDINARY = [5, 6] * 12


def found(days: list[list[int]], resource: str = "GAS", **changes: Any) -> set[tuple[str, int, int]]:
    """(rule, first hour, end) of the unusual; a pulse is 10 mL, Qmax 6,000 mL an hour."""
    point = usage_point("UP-1", [meter(EVER, **changes)], [fitting("R-1", 1, EVER)], resource=resource)
    archives = [archive("R-1", 1, DAY_1 + n * DAY_MS, values) for n, values in enumerate(days) if values]
    result = compute([packet(1, DAY_1 + len(days) * DAY_MS, archives)], [point], [], zone="UTC")
    return {
        (rule, (start - DAY_1) // HOUR_MS, (end - DAY_1) // HOUR_MS)
        for rule, _, start, end in result.spans
        if rule in ("vee.zero", "vee.stuck", "vee.above_usual", "vee.spike")
    }


def test_two_weeks_of_nothing_are_found_once_and_only_after_use() -> None:
    nothing = [[0] * 24]
    assert found([ORDINARY] * 14 + nothing * 16) == {("vee.zero", 14 * 24, 28 * 24)}
    assert not found([ORDINARY] * 14 + nothing * 13)
    assert not found([ORDINARY] * 13 + nothing * 14)  # the past is too short
    # Of 20 whole days 18 were used: nine tenths. Of 19 days 17: less.
    assert found([*nothing * 2, *[ORDINARY] * 18, *nothing * 14]) == {("vee.zero", 20 * 24, 34 * 24)}
    assert not found([*nothing * 2, *[ORDINARY] * 17, *nothing * 14])


def test_electricity_and_large_meters_are_missed_sooner() -> None:
    days = [ORDINARY] * 14 + [[0] * 24] * 7
    assert found(days, "ELECTRICITY") == {("vee.zero", 14 * 24, 21 * 24)}
    assert found(days, q_max=25 * 10**6) == {("vee.zero", 14 * 24, 17 * 24)}
    assert not found(days, q_max=25 * 10**6 - 1)


def test_a_day_of_one_value_is_stuck() -> None:
    stuck = [*ORDINARY[:12], *[3] * 12]
    assert found([stuck, [*[3] * 12, *ORDINARY[:12]]]) == {("vee.stuck", 12, 36)}
    assert not found([stuck, [*[3] * 11, *ORDINARY[:13]]])
    assert not found([[2] * 24])  # below three pulses


def test_three_times_the_greatest_of_the_past_is_above_the_usual() -> None:
    past = [[10, *[0] * 23]] * 14  # the greatest hour is 100 mL, ten pulses
    assert found([*past, [0, 31, 31, 30, *[0] * 20]]) == {("vee.above_usual", 14 * 24 + 1, 14 * 24 + 3)}
    assert not found([*past[1:], [0, 31, *[0] * 22]])
    assert not found([*past[1:], *[[0] * 24] * 3, [0, 31, *[0] * 22]])  # days of nothing do not count
    assert not found([[9, *[0] * 23]] * 14 + [[0, 31, *[0] * 22]])  # usual hours below ten pulses


def test_a_spike_is_above_half_the_flow_and_almost_all_hours_of_the_past() -> None:
    # 84 days are 2,016 hours; ⌈0.999 · 2,016⌉ = 2,014th: the third from above, 310 pulses here.
    past = [[300, *[100] * 23], *[[310, *[100] * 23]], *[[320, *[100] * 23]] * 2]
    past += [[300, *[101, 100] * 11, 99]] * 80
    assert found([*past, [*[100] * 5, 311, 310, *[99] * 17]]) == {
        ("vee.spike", 84 * 24 + 5, 84 * 24 + 6),
    }
    assert not found([*past[1:], [*[100] * 5, 311, *[99] * 18]])
