"""domain.md §3.7 and the registers of §3.6 by hand-computed cases."""

from __future__ import annotations

from typing import Any

from balance_oracle import Tables, compute
from balance_oracle.describe import archive, at, fitting, meter, packet, registers, usage_point

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR = 3600
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def flat(**meter_changes: Any) -> dict[str, Any]:
    return usage_point("UP-1", [meter(EVER, **meter_changes)], [fitting("R-1", 1, EVER)])


def tables(hours_and_registers: list[tuple[float, int]], point: dict[str, Any] | None = None) -> Tables:
    offsets = [int(hour * HOUR) for hour, _ in hours_and_registers]
    entry = registers("R-1", 1, DAY_1, offsets, [register for _, register in hours_and_registers])
    return compute([packet(1, DAY_1 + 40 * DAY_MS, [], [entry])], [point or flat()], [], zone="UTC")


def day(result: Tables, number: int = 0) -> list[tuple[int | None, str]]:
    values, qualities = result.readings["UP-1", DAY_1 + number * DAY_MS]
    return list(zip(values, qualities, strict=True))


def falls(result: Tables) -> list[int]:
    """Hours at which a fall was found."""
    return sorted((f[2] - DAY_1) // HOUR_MS for f in result.findings if f[0] == "vee.negative_consumption")


def test_a_step_is_shared_out_evenly_and_rounded_at_hour_edges() -> None:
    result = tables([(0.5, 100), (2.5, 105), (4, 106)])
    # 50 mL over 2 h from 00:30: up to 01:00 round(12.5) = 13, up to 02:00 round(37.5) = 38
    # 10 mL over 1.5 h from 02:30: up to 03:00 round(3.33) = 3
    assert day(result)[:5] == [
        (None, "MISSING"),
        (25, "VALID"),
        (12 + 3, "VALID"),
        (7, "VALID"),
        (None, "MISSING"),
    ]


def test_a_step_of_more_than_two_hours_gives_estimates() -> None:
    assert day(tables([(0, 100), (3, 103)]))[:4] == [(10, "ESTIMATED")] * 3 + [(None, "MISSING")]


def test_a_step_of_more_than_32_days_is_not_used() -> None:
    assert not tables([(0, 100), (32 * 24 + 1, 200)]).readings
    assert tables([(0, 100), (32 * 24, 100 + 32 * 24)]).readings["UP-1", DAY_1][0] == [10] * 24


def test_jitter_of_a_pulse_is_silent() -> None:
    result = tables([(0, 100), (1, 101), (2, 100), (3, 103)])
    assert day(result)[:3] == [(10, "VALID"), (0, "VALID"), (20, "VALID")]
    assert not falls(result)


def test_two_readings_a_pulse_below_each_other_leave_no_negative_step() -> None:
    assert day(tables([(0, 100), (1, 99), (2, 98), (3, 98)]))[:3] == [(0, "VALID")] * 3


def test_a_wrap_is_consumption_and_an_information() -> None:
    result = tables([(0, 999_999), (1, 4)], flat(digits=6))
    assert day(result)[0] == (50, "VALID")
    assert falls(result) == [0]


def test_a_fall_is_quarantined() -> None:
    result = tables([(0, 10_000), (1, 5_000), (2, 5_001)])
    assert day(result)[:2] == [(None, "SUSPECT"), (10, "VALID")]
    assert falls(result) == [0]


def test_a_high_step_is_quarantined() -> None:
    result = tables([(0, 0), (1, 601), (2, 1203)])
    assert day(result)[:2] == [(6010, "VALID"), (None, "SUSPECT")]
    assert ("vee.high", "UP-1", DAY_1 + HOUR_MS) in result.findings


def test_an_excursion_and_its_way_back_are_quarantined_together() -> None:
    result = tables([(0, 10_000), (1, 5_000), (2, 5_001), (3, 10_002), (4, 10_003)])
    assert [quality for _, quality in day(result)[:4]] == ["SUSPECT"] * 3 + ["VALID"]
    assert falls(result) == [0]
    assert not [f for f in result.findings if f[0] == "vee.high"]


def test_a_way_back_after_24_hours_is_no_excursion() -> None:
    result = tables([(0, 10_000), (1, 5_000), (2, 5_001), (24.5, 10_002)])
    assert [quality for _, quality in day(result)[:3]] == ["SUSPECT", "VALID", "ESTIMATED"]


def test_registers_that_alternate_are_two_devices() -> None:
    result = tables([(0, 900), (1, 90_000), (2, 901), (3, 90_001), (4, 902), (5, 903)])
    assert {f for f in result.findings if f[0] != "vee.missing"} == {("vee.two_devices", "UP-1", DAY_1)}
    assert [quality for _, quality in day(result)[:5]] == ["SUSPECT"] * 4 + ["VALID"]


def exchanged(**registers_known: Any) -> dict[str, Any]:
    """Exchanged at 01:30; the new meter has a pulse of 1."""
    when = DAY_1 + 3 * HOUR_MS // 2
    new = meter(when, pulse_weight=1, initial=registers_known.get("initial"))
    old = meter(EVER, when, pulse_weight=10, final=registers_known.get("final"))
    return usage_point("UP-1", [old, new], [fitting("R-1", 1, EVER)])


def test_a_declared_exchange_counts_both_parts_with_their_own_pulse() -> None:
    result = tables([(0, 500), (1, 501), (2, 7), (3, 8)], exchanged(final=504, initial=5))
    assert day(result)[:3] == [(10, "VALID"), (3 * 10 + 2 * 1, "VALID"), (1, "VALID")]
    assert not falls(result)


def test_an_exchange_without_its_registers_is_quarantined() -> None:
    result = tables([(0, 500), (1, 501), (2, 7), (3, 8)], exchanged(final=504))
    assert [quality for _, quality in day(result)[:3]] == ["VALID", "SUSPECT", "VALID"]
    assert falls(result) == [1]


def test_readings_outside_the_fitting_are_another_story() -> None:
    point = usage_point(
        "UP-1",
        [meter(EVER)],
        [fitting("R-1", 1, DAY_1 + 2 * HOUR_MS), fitting("R-2", 1, DAY_1 + 9 * HOUR_MS)],
    )
    point["channels"][0]["removed_at"] = DAY_1 + 9 * HOUR_MS
    result = tables([(0, 9_000), (2, 10), (3, 11), (9, 12)], point)
    assert [quality for _, quality in day(result)[:4]] == ["MISSING", "MISSING", "VALID", "MISSING"]
    assert not falls(result)


def test_a_day_with_intervals_takes_nothing_from_registers() -> None:
    entry = registers("R-1", 1, DAY_1, [0, 2 * HOUR, 26 * HOUR], [0, 2, 26])
    counted = archive("R-1", 1, DAY_1, [5])
    result = compute([packet(1, DAY_1 + 2 * DAY_MS, [counted], [entry])], [flat()], [], zone="UTC")
    assert day(result)[:2] == [(50, "VALID"), (None, "MISSING")]
    assert day(result, 1)[:3] == [(10, "ESTIMATED")] * 2 + [(None, "MISSING")]


def test_days_between_two_readings_are_computed() -> None:
    result = tables([(0, 0), (72, 72)])
    assert sorted(result.readings) == [("UP-1", DAY_1 + n * DAY_MS) for n in range(3)]
    assert day(result, 1) == [(10, "ESTIMATED")] * 24


def test_a_conflict_of_registers_counts_as_no_register() -> None:
    result = tables([(0, 100), (1, 150), (1, 151), (2, 102)])
    assert day(result)[:2] == [(10, "VALID")] * 2
    assert ("vee.conflicting_duplicate", "R-1/1", DAY_1 + HOUR_MS) in result.findings
