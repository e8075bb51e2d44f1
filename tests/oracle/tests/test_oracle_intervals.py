"""domain.md §3.1 to §3.6 and §3.8, §3.9 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

from balance_oracle import Tables, compute
from balance_oracle.describe import archive, at, fitting, meter, packet, usage_point

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
QUARTERS = [1] * 96


def flat(**meter_changes: Any) -> dict[str, Any]:
    return usage_point("UP-1", [meter(EVER, **meter_changes)], [fitting("R-1", 1, EVER)])


def tables(archives: list[dict[str, Any]], *points: dict[str, Any], days: int = 2) -> Tables:
    received = DAY_1 + days * DAY_MS
    return compute([packet(1, received, archives)], points or [flat()], [], zone="UTC")


def day(result: Tables, number: int = 0) -> tuple[list[int | None], list[str]]:
    return result.readings["UP-1", DAY_1 + number * DAY_MS]


def rules(result: Tables) -> set[str]:
    return {finding[0] for finding in result.findings}


def test_an_hour_is_the_sum_of_its_finest_complete_step_times_the_pulse() -> None:
    quarters = archive("R-1", 1, DAY_1, QUARTERS[:7], step_s=900)
    halves = archive("R-1", 1, DAY_1, [10] * 4, step_s=1800)
    hours = archive("R-1", 1, DAY_1, [100] * 23)
    values, qualities = day(tables([hours, quarters, halves]))
    assert values == [40, 200, *[1000] * 21, None]
    assert qualities == ["VALID"] * 23 + ["MISSING"]


def test_a_temperature_is_the_mean_of_its_intervals() -> None:
    room = usage_point(
        "UP-1", [meter(EVER, pulse_weight=1)], [fitting("R-1", 0, EVER)], resource="TEMPERATURE"
    )
    values, _ = day(tables([archive("R-1", 0, DAY_1, [20_000, 20_001, -3, -4], step_s=1800)], room))
    assert values[:2] == [20_001, -3]


def test_a_day_without_one_complete_hour_is_no_reading_day() -> None:
    result = tables([archive("R-1", 1, DAY_1, [1, 1, 1], step_s=900)], days=3)
    assert not result.readings
    assert ("vee.missing", "UP-1", DAY_1) in result.findings


def test_an_hour_in_conflict_is_suspect() -> None:
    both = [archive("R-1", 1, DAY_1, [5, 5]), archive("R-1", 1, DAY_1, [5, 6])]
    values, qualities = day(tables(both))
    assert (values[:2], qualities[:2]) == ([50, None], ["VALID", "SUSPECT"])


def test_a_negative_count_is_suspect_but_a_temperature_may_fall_below_zero() -> None:
    result = tables([archive("R-1", 1, DAY_1, [3, -1])])
    assert day(result)[1][:2] == ["VALID", "SUSPECT"]
    assert ("vee.negative_consumption", "UP-1", DAY_1 + HOUR_MS) in result.findings


def test_an_hour_above_the_greatest_flow_and_one_pulse_is_suspect() -> None:
    result = tables([archive("R-1", 1, DAY_1, [601, 602])])
    assert day(result)[0][:2] == [6010, None]
    assert ("vee.high", "UP-1", DAY_1 + HOUR_MS) in result.findings


def test_the_fitting_holds_the_whole_hour_and_the_meter_its_start() -> None:
    half_past = DAY_1 + HOUR_MS + HOUR_MS // 2
    point = usage_point(
        "UP-1",
        [meter(EVER, half_past, pulse_weight=10), meter(half_past, pulse_weight=1)],
        [fitting("R-1", 1, half_past - HOUR_MS), fitting("R-2", 1, DAY_1 + 20 * HOUR_MS)],
    )
    point["channels"][0]["removed_at"] = DAY_1 + 20 * HOUR_MS
    values, qualities = day(tables([archive("R-1", 1, DAY_1, [7] * 24)], point))
    assert values[:4] == [None, 70, 7, 7]
    assert qualities[20:] == ["MISSING"] * 4


def test_a_deleted_usage_point_has_no_readings_and_its_channel_nobody() -> None:
    result = tables([archive("R-1", 1, DAY_1, [1])], flat() | {"state": "DELETED"})
    assert not result.readings
    assert result.findings == {("vee.unknown_channel", "R-1/1", DAY_1)}


def test_counts_that_do_not_fit_the_registers_are_suspect_in_the_whole_span() -> None:
    good = archive("R-1", 1, DAY_1, [1] * 24, register_start=100, register_end=126)
    assert day(tables([good]))[1] == ["VALID"] * 24
    bad = archive("R-1", 1, DAY_1, [1] * 24, register_start=100, register_end=127)
    result = tables([bad])
    assert day(result)[1] == ["SUSPECT"] * 24
    assert ("vee.sum_check", "UP-1", DAY_1) in result.findings


def test_only_the_span_between_the_registers_is_suspect() -> None:
    first = archive("R-1", 1, DAY_1, [1] * 10, register_start=100)
    second = archive("R-1", 1, DAY_1 + 10 * HOUR_MS, [1] * 14, register_start=200, register_end=214)
    result = tables([first, second])
    assert day(result)[1] == ["SUSPECT"] * 10 + ["VALID"] * 14


def test_a_register_that_wraps_fits_and_one_that_falls_does_not() -> None:
    wrap = archive("R-1", 1, DAY_1, [1] * 24, register_start=999_990, register_end=14)
    wrapped = tables([wrap], flat(digits=6))
    assert day(wrapped)[1] == ["VALID"] * 24
    assert rules(wrapped) == {"vee.negative_consumption"}
    fall = archive("R-1", 1, DAY_1, [1] * 24, register_start=999_990, register_end=14)
    result = tables([fall], flat(digits=8))
    assert day(result)[1] == ["SUSPECT"] * 24
    assert "vee.negative_consumption" in rules(result)
    assert "vee.sum_check" not in rules(result)


def test_a_meter_exchanged_inside_the_span_ends_the_check() -> None:
    noon = DAY_1 + 12 * HOUR_MS
    point = usage_point("UP-1", [meter(EVER, noon), meter(noon)], [fitting("R-1", 1, EVER)])
    moved = archive("R-1", 1, DAY_1, [1] * 24, register_start=100, register_end=12)
    assert day(tables([moved], point))[1] == ["VALID"] * 24


def whole_days(jumps: list[int]) -> list[dict[str, Any]]:
    """A day each of 24 pulses; each day's START lies ``jump`` off the END before."""
    archives, register = [], 1_000_000
    for number, jump in enumerate(jumps):
        register += jump
        day_start = DAY_1 + number * DAY_MS
        archives.append(
            archive("R-1", 1, day_start, [1] * 24, register_start=register, register_end=register + 24)
        )
        register += 24
    return archives


def test_a_jump_over_midnight_is_a_finding_and_changes_no_value() -> None:
    result = tables(whole_days([0, 1, 50, -50]), days=4)
    assert ("vee.register_continuity", "UP-1", DAY_1 + 2 * DAY_MS) in result.findings
    assert ("vee.negative_consumption", "UP-1", DAY_1 + 3 * DAY_MS) in result.findings
    assert len(result.findings) == 2
    assert {quality for _, q in result.readings.values() for quality in q} == {"VALID"}


def test_four_alternating_jumps_are_two_devices() -> None:
    result = tables(whole_days([0, 500, -480, 500, -510, 0]), days=6)
    assert ("vee.two_devices", "UP-1", DAY_1 + DAY_MS) in result.findings
    assert [day(result, n)[1][0] for n in range(6)] == [
        "VALID",
        "SUSPECT",
        "SUSPECT",
        "SUSPECT",
        "VALID",
        "VALID",
    ]


def test_a_day_nobody_reported_is_not_suspect_amid_two_devices() -> None:
    archives = whole_days([0, 500, -500, 0, 0, 500, -500, 0])
    result = tables(archives[:3] + archives[4:], days=8)
    assert ("vee.two_devices", "UP-1", DAY_1 + DAY_MS) in result.findings
    assert set(day(result, 3)[1]) == {"ESTIMATED"}  # between the registers of the days beside it
    assert [day(result, n)[1][0] for n in (2, 4, 5, 6)] == ["SUSPECT", "SUSPECT", "SUSPECT", "VALID"]


def test_three_jumps_or_unlike_ones_are_not_two_devices() -> None:
    assert "vee.two_devices" not in rules(tables(whole_days([0, 500, -480, 500]), days=4))
    assert "vee.two_devices" not in rules(tables(whole_days([0, 500, -440, 500, -500]), days=5))


def test_a_long_silence_after_a_day_is_a_finding_once_it_is_36_hours_old() -> None:
    result = compute(
        [packet(1, DAY_1 + 4 * DAY_MS, [archive("R-1", 1, DAY_1, [1] * 24)])], [flat()], [], zone="UTC"
    )
    assert result.findings == {("vee.missing", "UP-1", DAY_1 + DAY_MS)}


def test_intervals_make_a_day_of_25_hours() -> None:
    start = at("2026-10-24 21:00")
    result = compute(
        [packet(1, start + 2 * DAY_MS, [archive("R-1", 1, start, [1] * 25)])],
        [flat()],
        [],
        zone="Europe/Chisinau",
    )
    assert result.readings["UP-1", start] == ([10] * 25, ["VALID"] * 25)
