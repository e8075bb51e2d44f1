"""domain.md §4 by hand-computed cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import pytest
from balance_oracle import Settings, compute
from balance_oracle.describe import (
    archive,
    at,
    balance_group,
    fitting,
    membership,
    meter,
    packet,
    registers,
    usage_point,
)
from balance_oracle.estimates import Sample, reported_for_day, t_quantile

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

Counts = Mapping[str, Sequence[int]]


def fleet(names: Sequence[str], **meter_changes: Any) -> list[dict[str, Any]]:
    """A usage point each, read by channel 1 of a module of the same name; a pulse is one base unit."""
    settings = {"pulse_weight": 1, "q_max": 10**9} | meter_changes
    return [usage_point(name, [meter(EVER, **settings)], [fitting(name, 1, EVER)]) for name in names]


def of_day(number: int, counts: Counts) -> dict[str, Any]:
    """The packet that brings one day of hourly counts."""
    archives = [archive(name, 1, DAY_1 + number * DAY_MS, values) for name, values in counts.items()]
    return packet(number + 1, DAY_1 + (number + 1) * DAY_MS, archives)


def house(*flats: str, supply: Sequence[str] = ("S",)) -> dict[str, Any]:
    return balance_group(
        "G-1",
        [membership(name, "SUPPLY", EVER) for name in supply]
        + [membership(name, "MEMBER", EVER) for name in flats],
    )


def group_days(
    packets: Sequence[dict[str, Any]],
    group: dict[str, Any],
    names: Sequence[str] = ("S", "A", "B"),
    **options: Any,
) -> dict[int, dict[str, Any]]:
    """Figures by day number."""
    result = compute(packets, fleet(names), [group], zone="UTC", **options)
    return {(day - DAY_1) // DAY_MS: figures for (_, day), figures in result.group_days.items()}


def test_a_complete_day_is_the_sum_of_its_hours() -> None:
    counts = {"S": [100] * 24, "A": [60] * 24, "B": [39] * 24}
    figures = group_days([of_day(0, counts)], house("A", "B"))[0]
    assert figures["unit"] == "MILLILITRE"
    assert figures["missing_usage_points"] == []
    hour = figures["hours"][0]
    assert (hour["supply"], hour["members"], hour["imbalance"]) == (100, 99, 1)
    # 2u of one hour: 2·sqrt(0.015²/3·(100² + 60² + 39²) + 3/6) = 2.59
    assert (hour["tolerance"], hour["verdict"], hour["coverage"]) == (3, "WITHIN_TOLERANCE", "COMPLETE")
    day = figures["day"]
    assert (day["supply"], day["members"], day["imbalance"]) == (2400, 2376, 24)
    assert (day["members_due"], day["members_reported"], day["missing_share_ppm"]) == (2, 2, 0)
    # 2·sqrt(0.015²/3·(2400² + 1440² + 936²) + 3/6) = 51.05
    assert day["tolerance"] == 51


def test_coefficients_count_in_millionths() -> None:
    group = balance_group(
        "G-1",
        [membership("S", "SUPPLY", EVER, None, 500_000), membership("A", "MEMBER", EVER, None, 2_000_000)],
    )
    hour = group_days([of_day(0, {"S": [5] * 24, "A": [1] * 24})], group)[0]["hours"][0]
    assert (hour["supply"], hour["members"]) == (3, 2)


@pytest.mark.parametrize(
    ("settings", "percent"),
    [
        (Settings(), 1.75),
        (Settings(batch_correlation=Fraction(1)), 2.45),
        (Settings(in_service_factor=Fraction(2)), 3.49),
    ],
)
def test_sixty_flats_and_one_common_meter_of_class_1_5(settings: Settings, percent: float) -> None:
    names = [f"F-{n}" for n in range(60)]
    counts: Counts = {name: [10**6] * 24 for name in names} | {"S": [60 * 10**6] * 24}
    day = group_days([of_day(0, counts)], house(*names), ["S", *names], settings=settings)[0]["day"]
    assert 100 * day["tolerance"] / day["supply"] == pytest.approx(percent, abs=0.005)


def test_the_pulse_term_enters_once_a_day() -> None:
    names = ["S", "A"]
    points = fleet(names, class_ppm=0, pulse_weight=1000)
    counts = {"S": [1] * 24, "A": [1] * 24}
    result = compute([of_day(0, counts)], points, [house("A")], zone="UTC").group_days["G-1", DAY_1]
    # 2·sqrt((1000² + 1000²) / 6) = 1154.7, for an hour as for the day
    assert result["hours"][5]["tolerance"] == result["day"]["tolerance"] == 1155


def test_without_the_supply_nothing_can_be_said() -> None:
    figures = group_days([of_day(0, {"S": [9] * 23, "A": [9] * 24})], house("A"))[0]
    last, day = figures["hours"][23], figures["day"]
    for span in (last, day):
        assert (span["supply"], span["imbalance"], span["tolerance"]) == (None, None, None)
        assert (span["coverage"], span["verdict"]) == ("NOT_COMPUTABLE", "UNDECIDED")
    assert (last["members"], day["members"]) == (9, 216)
    assert figures["hours"][22]["coverage"] == "COMPLETE"
    assert figures["missing_usage_points"] == ["S"]


def test_a_group_without_members_is_not_computable() -> None:
    day = group_days([of_day(0, {"S": [9] * 24})], house())[0]["day"]
    assert (day["coverage"], day["members"], day["members_due"]) == ("NOT_COMPUTABLE", 0, 0)


def test_a_member_is_estimated_from_its_own_past() -> None:
    past = [of_day(n, {"S": [100] * 24, "A": [80] * 24, "B": [10 + n] * 24}) for n in range(9)]
    today = of_day(9, {"S": [100] * 24, "A": [80] * 24})
    figures = group_days([*past, today], house("A", "B"))[9]
    # nine days: 10 … 18, mean 14, s = sqrt(60/8), u = ½·2.306·s·sqrt(10/9) = 3.328
    hour = figures["hours"][0]
    assert (hour["members"], hour["imbalance"], hour["coverage"]) == (94, 6, "ESTIMATED")
    # share 14 / 94; 2·sqrt(0.000075·(100² + 80² + 14²) + 3/6 + 3.328²) = 7.16
    assert hour["missing_share_ppm"] == 148_936
    assert hour["tolerance"] == 7
    # had B used nothing, or its most: 18
    assert (hour["imbalance_lowest"], hour["imbalance_highest"]) == (2, 20)
    day = figures["day"]
    # 2·sqrt(0.000075·24²·(100² + 80² + 14²) + 3/6 + (24·3.328)²) = 168.50
    assert (day["tolerance"], day["imbalance"], day["verdict"]) == (169, 144, "WITHIN_TOLERANCE")
    assert (day["imbalance_lowest"], day["imbalance_highest"]) == (48, 480)
    assert figures["members_estimated"] == 24 * 14
    assert (day["members_due"], day["members_reported"]) == (2, 1)
    assert figures["missing_usage_points"] == ["B"]


def test_one_like_home_is_as_uncertain_as_it_is_large() -> None:
    packets = [
        of_day(0, {"S": [100] * 24, "A": [80] * 24, "B": [20] * 24}),
        of_day(1, {"S": [100] * 24, "A": [80] * 24}),
    ]
    hour = group_days(packets, house("A", "B"))[1]["hours"][0]
    # one own day is too few: B is like A; 2·sqrt(0.000075·(100² + 80² + 80²) + 0.5 + 80²) = 160.02
    assert (hour["members"], hour["tolerance"]) == (160, 160)


def test_a_single_home_is_estimated_from_its_only_day() -> None:
    packets = [of_day(0, {"S": [100] * 24, "B": [90] * 24}), of_day(1, {"S": [100] * 24})]
    hour = group_days(packets, house("B"))[1]["hours"][0]
    # 2·sqrt(0.000075·(100² + 90²) + 2/6 + 90²) = 180.02
    assert (hour["members"], hour["tolerance"], hour["coverage"]) == (90, 180, "UNRELIABLE")


def test_rows_of_a_sample() -> None:
    two = Sample([[1] * 23, [4] * 24])
    assert two.value(23) == 3
    # ½·12.7062·s·sqrt(3/2), s of the sums 1 and 4 is sqrt(4.5)
    assert two.variance([23]) == Fraction("12.7062") ** 2 / 4 * Fraction("4.5") * Fraction(3, 2)
    assert [two.most(hours) for hours in ([0, 23], [])] == [8, 0]
    one = Sample([[5, -2]])
    assert [one.variance([0, 1]), one.most([0, 1])] == [9, 3]
    none = Sample([])
    assert [none.value(3), none.variance([3]), none.most([3])] == [0, 0, 0]


@pytest.mark.parametrize(("rows", "quantile"), [(2, "12.7062"), (14, "2.1604"), (15, "2.131429"), (61, "2")])
def test_students_t(rows: int, quantile: str) -> None:
    assert float(t_quantile(rows)) == pytest.approx(float(quantile), abs=1e-6)


def test_more_than_thirty_percent_missing_is_unreliable() -> None:
    counts = {"S": [100] * 24, "A": [69] * 24, "B": [31] * 24}
    packets = [*(of_day(n, counts) for n in range(4)), of_day(4, {"S": [100] * 24, "A": [69] * 24})]
    figures = group_days(packets, house("A", "B"))[4]
    day = figures["day"]
    assert (day["coverage"], day["verdict"], day["missing_share_ppm"]) == ("UNRELIABLE", "UNDECIDED", 310_000)
    assert (day["supply"], day["imbalance"]) == (2400, 0)


def test_nobody_used_anything_so_the_share_goes_by_count() -> None:
    packets = [
        of_day(0, {"S": [0] * 24, "A": [0] * 24, "B": [0] * 24}),
        of_day(1, {"S": [0] * 24, "A": [0] * 12}),
    ]
    figures = group_days(packets, house("A", "B"))[1]
    assert figures["day"]["missing_share_ppm"] == 750_000
    assert [figures["hours"][i]["missing_share_ppm"] for i in (0, 12)] == [500_000, 1_000_000]


def test_a_closed_run_of_estimates_counts_for_the_day() -> None:
    hours: list[tuple[int | None, str]] = [(1, "VALID"), (1, "ESTIMATED"), (1, "ESTIMATED"), (1, "VALID")]
    assert [reported_for_day(hours, i) for i in range(4)] == [True] * 4
    assert [reported_for_day(hours[1:], i) for i in range(3)] == [False, False, True]
    assert not reported_for_day([(None, "MISSING")], 0)
    assert not reported_for_day(None, 0)


def test_estimated_hours_count_in_the_day_and_not_in_the_hour() -> None:
    offsets = [hour * 3600 for hour in range(25) if hour not in (10, 11)]
    entries = [
        registers(name, 1, DAY_1, offsets, [offset // 3600 * flow for offset in offsets])
        for name, flow in (("S", 100), ("A", 100))
    ]
    figures = group_days([packet(1, DAY_1 + DAY_MS, [], entries)], house("A"))[0]
    hour, day = figures["hours"][10], figures["day"]
    assert (hour["coverage"], hour["supply"], hour["members"]) == ("NOT_COMPUTABLE", None, 100)
    assert (day["coverage"], day["supply"], day["members"]) == ("COMPLETE", 2400, 2400)
    assert figures["missing_usage_points"] == []


def test_estimates_at_the_edge_of_the_day_stay_estimates() -> None:
    flat = registers("A", 1, DAY_1, [0, *range(3 * 3600, 25 * 3600, 3600)], [0, *range(300, 2500, 100)])
    supply = archive("S", 1, DAY_1, [100] * 24)
    figures = group_days([packet(1, DAY_1 + DAY_MS, [supply], [flat])], house("A"))[0]
    day = figures["day"]
    assert (day["coverage"], day["members"], day["missing_share_ppm"]) == ("ESTIMATED", 2400, 125_000)
    # 2·sqrt(0.000075·(2400² + 2400²) + 2/6 + 300²) = 602.87
    assert day["tolerance"] == 603


def test_memberships_count_in_the_hours_they_are_valid_at_the_start_of() -> None:
    late = DAY_1 + 6 * HOUR_MS - 1
    group = balance_group(
        "G-1",
        [membership("S", "SUPPLY", EVER), membership("A", "MEMBER", EVER), membership("B", "MEMBER", late)],
    )
    counts = {"S": [10] * 24, "A": [5] * 24, "B": [5] * 24}
    figures = group_days([of_day(0, counts)], group)[0]
    assert [figures["hours"][i]["members_due"] for i in (5, 6)] == [1, 2]
    assert (figures["day"]["members"], figures["day"]["members_due"]) == (5 * 24 + 5 * 18, 2)


def test_silence_is_computed_once_it_is_36_hours_old() -> None:
    packets = [of_day(0, {"S": [100] * 24, "A": [80] * 24})]
    clock = DAY_1 + 3 * DAY_MS + DAY_MS // 2
    figures = group_days(packets, house("A"), clock=clock)
    assert sorted(figures) == [0, 1]
    assert figures[1]["day"]["members"] == 24 * 80
    assert figures[1]["day"]["coverage"] == "NOT_COMPUTABLE"
    assert sorted(group_days(packets, house("A"), clock=clock - 1000)) == [0]


def test_a_day_without_a_valid_membership_and_a_deleted_group_have_no_group_day() -> None:
    counts = {"S": [1] * 24, "A": [1] * 24}
    packets = [of_day(n, counts) for n in range(5)]
    group = balance_group(
        "G-1", [membership(n, r, EVER, DAY_1 + DAY_MS) for n, r in (("S", "SUPPLY"), ("A", "MEMBER"))]
    )
    assert sorted(group_days(packets, group)) == [0]
    assert not group_days(packets, house("A") | {"state": "DELETED"})


def test_a_surplus_is_an_imbalance_below_the_tolerance() -> None:
    day = group_days([of_day(0, {"S": [80] * 24, "A": [100] * 24})], house("A"))[0]["day"]
    assert (day["imbalance"], day["verdict"]) == (-480, "SURPLUS")
