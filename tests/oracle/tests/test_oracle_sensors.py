"""domain.md §2.6 and §3.14 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

from balance_oracle import Tables, compute
from balance_oracle.describe import at, fitting, measurements, meter, packet, usage_point

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
DAY_MS = 86_400_000


def tables(*elements: dict[str, Any], kind: str | None = "03", resource: str = "SENSOR") -> Tables:
    point = usage_point(
        "UP-1",
        [meter(EVER, pulse_weight=1)],
        [fitting("R-L", 2, EVER)],
        resource=resource,
        sensor_kind=kind,
    )
    return compute([packet(1, DAY_1 + 2 * DAY_MS, measurements=elements)], [point], [], zone="UTC")


def hours(result: Tables) -> list[tuple[int | None, str]]:
    values, qualities = result.readings["UP-1", DAY_1]
    return list(zip(values, qualities, strict=True))


def told(averages: list[int], *extremes: list[int], **changes: Any) -> dict[str, Any]:
    return measurements("R-L", 2, DAY_1, averages, *extremes, **changes)


def test_an_hour_is_the_mean_and_has_the_least_and_the_greatest_of_its_intervals() -> None:
    result = tables(told([10, 13, 7, 8], [9, 1, 7, 8], [20, 13, 30, 8], step_s=1800))
    assert hours(result)[:3] == [(12, "VALID"), (8, "VALID"), (None, "MISSING")]  # 11.5 and 7.5
    assert result.extremes["UP-1", DAY_1][:3] == [(1, 20), (7, 30), (None, None)]


def test_what_is_not_a_number_says_nothing() -> None:
    result = tables(told([10, 13, 7], [9, 1, 7], [10, 13, 7], missing=[1]))
    assert [quality for _, quality in hours(result)[:3]] == ["VALID", "MISSING", "VALID"]
    assert result.extremes["UP-1", DAY_1][:2] == [(9, 10), (None, None)]


def test_extremes_of_a_part_of_an_hour_are_none() -> None:
    whole = told([10, 10], step_s=1800)
    half = told([10], [5], [15], step_s=1800, kind="CURRENT")
    assert ("UP-1", DAY_1) not in tables(whole, half).extremes


def test_a_mean_out_of_range_is_suspect() -> None:
    # Methane: 0 to 5,000 ppm, that is 5,000,000 thousandths.
    result = tables(told([5_000_000, 5_000_001, 5_000_001, -1, 0], [0] * 5, [0] * 5))
    assert [quality for _, quality in hours(result)[:5]] == ["VALID", *["SUSPECT"] * 3, "VALID"]
    assert result.extremes["UP-1", DAY_1][:2] == [(0, 0), (None, None)]
    span = "vee.out_of_range", "UP-1", DAY_1 + 3_600_000, DAY_1 + 4 * 3_600_000
    assert span in result.spans


def test_a_sensor_of_an_unknown_kind_has_no_range() -> None:
    for kind in (None, "nobody-knows"):
        result = tables(told([10**9]), kind=kind)
        assert hours(result)[0] == (10**9, "VALID")
        assert ("vee.unknown_sensor_kind", "UP-1", EVER) in result.findings


def test_a_temperature_is_that_of_the_built_in_thermometer() -> None:
    result = tables(told([60_000, 60_001]), kind=None, resource="TEMPERATURE")  # −40 to 60 °C
    assert [quality for _, quality in hours(result)[:2]] == ["VALID", "SUSPECT"]
    assert "vee.unknown_sensor_kind" not in {rule for rule, *_ in result.findings}


def test_extremes_must_be_as_many_as_averages() -> None:
    result = tables(told([1, 2], [1]))
    assert not result.readings
    assert ("vee.absurd_value", "R-L/2", DAY_1) in result.findings
