"""domain.md §3.11 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

from balance_oracle import Tables, compute
from balance_oracle.describe import archive, at, fitting, meter, packet, registers, usage_point

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def flat(**meter_changes: Any) -> dict[str, Any]:
    return usage_point("UP-1", [meter(EVER, **meter_changes)], [fitting("R-1", 1, EVER)])


def tables(archives: list[dict[str, Any]], point: dict[str, Any] | None = None) -> Tables:
    return compute([packet(1, DAY_1 + 60 * DAY_MS, archives)], [point or flat()], [], zone="UTC")


def hours(result: Tables, day: int = 0) -> list[tuple[int | None, str]]:
    values, qualities = result.readings["UP-1", DAY_1 + day * DAY_MS]
    return list(zip(values, qualities, strict=True))


def found(result: Tables) -> set[tuple[str, int, int]]:
    """(rule, first hour, end) from the first day on, of everything but silence."""
    return {
        (rule, (start - DAY_1) // HOUR_MS, (end - DAY_1) // HOUR_MS)
        for rule, name, start, end in result.spans
        if name == "UP-1" and rule not in ("vee.missing", "vee.stuck")
    }


def test_the_hours_of_a_short_gap_are_alike_and_their_sum_is_exact() -> None:
    one = archive("R-1", 1, DAY_1, [1] * 24, missing=[3, 4], register_start=100, register_end=127)
    # (127 − 100) · 10 mL = 270, 22 hours have 220: 50 are left, 25 for each of two hours
    result = tables([one])
    assert hours(result)[2:6] == [(10, "VALID"), (25, "ESTIMATED"), (25, "ESTIMATED"), (10, "VALID")]
    assert ("vee.missing", "UP-1", DAY_1) in result.findings


def test_a_total_that_does_not_divide_is_spread_by_running_sums() -> None:
    one = archive("R-1", 1, DAY_1, [0] * 24, missing=[0, 1, 2, 3], register_start=0, register_end=7)
    # 7 pulses of 1 mL over 4 hours: up to each hour round(1.75), round(3.5), round(5.25), 7 = 2, 4, 5, 7
    result = tables([one], flat(pulse_weight=1))
    assert [value for value, _ in hours(result)[:4]] == [2, 2, 1, 2]


def test_a_day_nobody_told_takes_the_shape_of_the_week_before() -> None:
    shape = [0] * 12 + [2] * 12
    before = archive("R-1", 1, DAY_1, shape, register_start=0, register_end=24)
    eve = archive("R-1", 1, DAY_1 + 6 * DAY_MS, [0] * 24, register_start=24, register_end=24)
    after = archive("R-1", 1, DAY_1 + 8 * DAY_MS, [0] * 24, register_start=72, register_end=72)
    # day 7 lies between END 24 of day 6 and START 72 of day 8: 48 pulses = 480 mL, by weights 0 and 20: the
    # last twelve hours have 40 each; the days 1 to 5 nobody told hang between 24 and 24, all 0
    result = tables([before, eve, after])
    assert hours(result, 7) == [(0, "ESTIMATED")] * 12 + [(40, "ESTIMATED")] * 12
    assert hours(result, 3) == [(0, "ESTIMATED")] * 24


def test_of_reference_days_the_four_nearest_count_of_equally_near_ones_the_earlier_first() -> None:
    # Day 35 is lost. Its nearest weeks are the days 28, 42, 21 and 49; day 14, of 1,000 pulses, is the fifth.
    told = {28: [3] + [0] * 23, 42: [0, 1] + [0] * 22, 21: [0] * 24, 49: [0] * 24, 14: [1000] * 24}
    archives = [archive("R-1", 1, DAY_1 + n * DAY_MS, values) for n, values in told.items()]
    edges = [
        archive("R-1", 1, DAY_1 + 34 * DAY_MS, [0] * 24, register_end=50),
        archive("R-1", 1, DAY_1 + 36 * DAY_MS, [0] * 24, register_start=54),
    ]
    # Means of (30, 0, 0, 0) and (0, 10, 0, 0): 8 (of 7.5) and 3 (of 2.5); of 40 mL round(40 · 8 / 11) = 29
    result = tables([*archives, *edges], flat(q_max=10**6))
    assert hours(result, 35)[:3] == [(29, "ESTIMATED"), (11, "ESTIMATED"), (0, "ESTIMATED")]


def test_without_a_reference_day_hours_are_alike() -> None:
    edges = [
        archive("R-1", 1, DAY_1, [0] * 24, register_end=0),
        archive("R-1", 1, DAY_1 + 2 * DAY_MS, [0] * 24, register_start=24),
    ]
    assert hours(tables(edges), 1) == [(10, "ESTIMATED")] * 24


def gap_of(after: int, **meter_changes: Any) -> Tables:
    """Two hours without values between a register of 500 and another."""
    one = archive("R-1", 1, DAY_1, [0] * 24, missing=[5, 6], register_start=500, register_end=after)
    return tables([one], flat(**meter_changes))


def test_a_pulse_less_is_nothing_used_and_more_is_a_fall() -> None:
    assert hours(gap_of(499))[5] == (0, "ESTIMATED")
    # Two pulses less: no wrap (10^8 − 2 is too much), and the register is far from zero.
    assert hours(gap_of(498))[5] == (None, "MISSING")
    assert found(gap_of(498)) == {("vee.negative_consumption", 5, 7)}


def test_a_register_that_wrapped_still_tells_the_total() -> None:
    one = archive("R-1", 1, DAY_1, [0] * 24, missing=[5, 6], register_start=9_990, register_end=4)
    result = tables([one], flat(digits=4))  # 4 + 10,000 − 9,990 = 14 pulses, 70 mL an hour
    assert hours(result)[5:7] == [(70, "ESTIMATED")] * 2
    assert found(result) == {("vee.negative_consumption", 5, 7)}


def test_more_than_the_meter_passes_is_not_shared_out() -> None:
    most = gap_of(500 + 21, q_max=100)  # 210 mL ≤ 2 h · 100 mL + 10 mL
    assert hours(most)[5:7] == [(105, "ESTIMATED")] * 2
    more = gap_of(500 + 22, q_max=100)
    assert hours(more)[5] == (None, "MISSING")
    assert found(more) == {("vee.high", 5, 7)}


def test_a_gap_with_a_suspect_hour_or_a_change_of_meters_stays_open() -> None:
    negative = archive("R-1", 1, DAY_1, [-1] + [0] * 23, missing=[5], register_start=500, register_end=500)
    assert hours(tables([negative]))[5] == (None, "MISSING")
    when = DAY_1 + 3 * HOUR_MS
    meters = [meter(EVER, when), meter(when)]
    one = archive("R-1", 1, DAY_1, [0] * 24, missing=[5], register_start=500, register_end=500)
    exchanged = usage_point("UP-1", meters, [fitting("R-1", 1, EVER)])
    assert hours(tables([one], exchanged))[5] == (None, "MISSING")


def test_points_inside_a_day_are_marks_when_they_lie_on_hours() -> None:
    values = archive("R-1", 1, DAY_1, [1] * 12, missing=[2, 8])
    entry = registers("R-1", 1, DAY_1, [0, 6 * 3600, 8 * 3600 + 1800, 12 * 3600], [0, 7, 50, 15])
    result = compute([packet(1, DAY_1 + 60 * DAY_MS, [values], [entry])], [flat()], [], zone="UTC")
    # Hours 0 to 5: 7 − 5 = 2 pulses in hour 2; hours 6 to 11: 15 − 7 − 5 = 3 in hour 8; 08:30 is no mark
    assert (hours(result)[2], hours(result)[8]) == ((20, "ESTIMATED"), (30, "ESTIMATED"))
    assert hours(result)[12] == (None, "MISSING")


def test_more_than_32_days_missing_are_too_many() -> None:
    def lost(days: int) -> Tables:
        edges = [
            archive("R-1", 1, DAY_1, [0] * 24, register_end=0),
            archive("R-1", 1, DAY_1 + (days + 1) * DAY_MS, [0] * 24, register_start=0),
        ]
        return tables(edges)

    assert hours(lost(32), 5) == [(0, "ESTIMATED")] * 24
    assert ("UP-1", DAY_1 + 5 * DAY_MS) not in lost(33).readings
