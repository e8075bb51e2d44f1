"""Each rule of the figures on days of a few hours, with numbers computed by hand (docs/domain.md §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from balance_imbalance.domain.figures import GroupDay, GroupDayInput, Side, Temperatures
from balance_imbalance.domain.group_day import compute
from balance_imbalance.domain.rules import Coverage, Rules, Verdict
from balance_imbalance.domain.samples import Sample, quantile

SUPPLY = 1000
Rows = Sequence[Sequence[float]]
RISING: Rows = [[10, 20, 0, 0], [20, 30, 0, 0], [30, 10, 0, 0], [40, 40, 0, 8]]
"""Past days: mean 25, 25, 0, 2; the first hour spreads by 12.9099, the last by 4."""
SPREAD = np.sqrt(500 / 3)
FACTOR_OF_4 = 0.5 * 3.1824 * np.sqrt(1.25)


def side(
    first: int,
    *members: Sequence[int],
    qualities: Mapping[int, str] | None = None,
    coefficients: Mapping[int, int] | None = None,
    class_ppm: int = 0,
    pulse: int = 0,
    start: int = 0,
    compensated: Sequence[int] = (),
    hours: int = 0,
) -> Side:
    """Usage points from ``first`` on with their values; qualities as letters V, E, M, all V else. ``hours``
    for none at all.
    """
    values = np.array(members, np.int64).reshape(len(members), hours or len(members[0]))
    points = list(range(first, first + len(members)))
    letters = [list((qualities or {}).get(point, "V" * values.shape[1])) for point in points]
    quality = np.array(letters, "U1").reshape(values.shape)
    return Side(
        usage_points=np.array(points, np.int64),
        coefficients=np.array([(coefficients or {}).get(point, 10**6) for point in points], np.int64),
        valid=np.ones(values.shape, bool),
        values=np.where(quality == "M", 0, values),
        reported=quality == "V",
        estimated=quality == "E",
        errors=np.full(values.shape, class_ppm),
        pulses=np.full(values.shape, pulse),
        starts=np.full(values.shape, start),
        compensated=np.isin(points, compensated).astype(bool),
    )


def figures(
    supply: Side,
    members: Side,
    past: Mapping[int, Rows] | None = None,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    **given: Any,
) -> GroupDay:
    rows = {point: np.array(days, np.float64) for point, days in (past or {}).items()}
    return compute(GroupDayInput(supply.valid.shape[1], supply, members, rows, **given), rules)


def test_quantiles_are_those_of_student() -> None:
    """Up to 14 rows to the last digit of the table, then within 1 %."""
    for count, expected in ((2, 12.7062), (3, 4.3027), (7, 2.4469), (14, 2.1604)):
        assert quantile(count) == expected
    for count, expected in ((15, 2.1448), (20, 2.0930), (40, 2.0227), (60, 2.0010), (1000, 1.9623)):
        assert quantile(count) == pytest.approx(expected, rel=0.01)


def test_the_sample_estimate() -> None:
    sample = Sample(np.array(RISING, np.float64))
    assert sample.expected.tolist() == [25, 25, 0, 2]
    assert sample.uncertain == pytest.approx([FACTOR_OF_4 * SPREAD, FACTOR_OF_4 * SPREAD, 0, FACTOR_OF_4 * 4])
    uncertain, most = sample.over(np.array([[True, True, False, False], [False] * 4]))
    assert uncertain == pytest.approx([FACTOR_OF_4 * np.std([30, 50, 40, 80], ddof=1), 0])
    assert most.tolist() == [80, 0]
    assert Sample(np.array([[1.0], [2.0]])).expected.tolist() == [2]


def test_a_single_row_is_its_own_uncertainty() -> None:
    sample = Sample(np.array([[10.0, -3.0, 5.0]]))
    assert sample.uncertain.tolist() == [10, 3, 5]
    uncertain, most = sample.over(np.array([[True, True, True], [False, True, False]]))
    assert (uncertain.tolist(), most.tolist()) == ([12, 3], [12, -3])


def test_a_silent_member_lies_between_nothing_and_its_usual_maximum() -> None:
    """It enters with 25, 25, 0, 2 and used at most 40, 40, 0, 8 in an hour, 88 on a day."""
    members = side(0, [100] * 4, [0] * 4, qualities={1: "MMMM"})
    result = figures(side(SUPPLY, [130] * 4), members, {1: RISING})
    assert result.hours.members.tolist() == [125, 125, 100, 102]
    assert result.hours.imbalance.tolist() == [5, 5, 30, 28]
    assert result.hours.imbalance_highest is not None
    assert result.hours.imbalance_lowest is not None
    assert result.hours.imbalance_highest.tolist() == [30, 30, 30, 30]
    assert result.hours.imbalance_lowest.tolist() == [-10, -10, 30, 22]
    assert result.hours.members_estimated is not None
    assert result.hours.members_estimated.tolist() == [25, 25, 0, 2]
    assert (result.day.imbalance, result.members_estimated) == (68, 52)
    assert (result.day.imbalance_lowest, result.day.imbalance_highest) == (120 - 88, 120)


def test_bounds_of_what_is_subtracted_lie_the_other_way() -> None:
    """Half of a negative member: 25 enter with -12.5, 40 would be -20; each bound is rounded once."""
    members = side(0, [100], [0], qualities={1: "M"}, coefficients={1: -500_000})
    result = figures(side(SUPPLY, [90]), members, {1: [[row[0]] for row in RISING]})
    assert (result.day.members, result.day.imbalance) == (88, 2)
    assert (result.day.imbalance_lowest, result.day.imbalance_highest) == (2 - 12, 2 + 8)
    assert result.members_estimated == -12


def test_a_value_above_the_usual_maximum_is_possible() -> None:
    result = figures(side(SUPPLY, [90]), side(0, [60], qualities={0: "E"}), {0: [[10.0]] * 4})
    assert (result.day.imbalance, result.day.imbalance_lowest, result.day.imbalance_highest) == (30, 30, 90)
    assert result.hours.imbalance_lowest is not None
    assert result.hours.imbalance_lowest.tolist() == [30]


def test_without_anybody_missing_the_bounds_are_the_imbalance() -> None:
    members = side(0, [5, 5], [7, 7], coefficients={0: 333_333, 1: 333_333})
    result = figures(side(SUPPLY, [10, 10]), members)
    assert result.hours.imbalance_lowest is None
    assert (result.day.imbalance_lowest, result.day.imbalance, result.day.imbalance_highest) == (12, 12, 12)
    closed = figures(side(SUPPLY, [10, 10, 10]), side(0, [5, 5, 5], qualities={0: "VEV"}))
    assert closed.day.imbalance_highest == closed.day.imbalance == closed.day.imbalance_lowest == 15
    assert closed.members_estimated == 0


def test_what_a_day_is_unsure_of_depends_on_the_span_it_is_part_of() -> None:
    """ESTIMATED hours at both edges: a longer span knows those that another of its days completes."""
    members = side(0, [100] * 4, [20] * 4, qualities={1: "EVVE"})
    terms = figures(side(SUPPLY, [120] * 4), members, {1: RISING}).terms
    assert terms is not None
    assert terms.estimate == pytest.approx(FACTOR_OF_4 * np.std([10, 20, 30, 48], ddof=1))
    assert terms.estimate_first == pytest.approx(FACTOR_OF_4 * SPREAD)
    assert terms.estimate_last == pytest.approx(FACTOR_OF_4 * 4)
    assert terms.estimate_inside == 0
    holed = side(0, [100] * 4, [20] * 4, qualities={1: "EVME"})
    holed_terms = figures(side(SUPPLY, [120] * 4), holed, {1: [[1, 0, v, 2] for v in (1, 2, 3, 4)]}).terms
    assert holed_terms is not None
    assert holed_terms.estimate_inside == pytest.approx(FACTOR_OF_4 * np.std([1, 2, 3, 4], ddof=1))


def test_who_lacks_what() -> None:
    qualities = {0: "EEVV", 1: "VVVM", 2: "VEVV", 3: "VVEE", SUPPLY: "VVVE"}
    members = side(0, *([1] * 4 for _ in range(5)), qualities=qualities)
    result = figures(side(SUPPLY, [9] * 4, qualities=qualities), members, unmetered=frozenset({1, 4}))
    assert result.absent.missing == (0, 1, 3, SUPPLY)
    assert result.absent.unmetered == (1,)
    assert result.absent.not_reported == (0, 1, 2, 3, SUPPLY)
    assert result.absent.silent == (1,)
    assert result.absent.gap_from_start == (0,)
    assert result.absent.gap_to_end == (3, SUPPLY)
    assert (result.day.members_due, result.day.members_reported) == (5, 2)


@pytest.mark.parametrize(
    ("past", "uncertain"), [({}, 400), ({SUPPLY: [[90.0] * 4]}, 360), ({SUPPLY: RISING}, 0)]
)
def test_a_day_takes_the_estimates_of_a_supply_meter(past: Mapping[int, Rows], uncertain: float) -> None:
    """By its own past, or for as much as it says; never like homes."""
    supply = side(SUPPLY, [100] * 4, qualities={SUPPLY: "EEEE"})
    result = figures(supply, side(0, [40] * 4, [60] * 4), past)
    assert (result.day.supply, result.day.coverage) == (400, Coverage.ESTIMATED)
    assert not result.hours.computable.any()
    assert result.terms is not None
    expected = uncertain or FACTOR_OF_4 * np.std([30, 50, 40, 88], ddof=1)
    assert result.terms.estimate == pytest.approx(expected)
    assert (result.day.imbalance_lowest, result.day.imbalance_highest) == (0, 0)
    assert result.day.missing_share_ppm == 0


def test_clocks_count_where_the_flow_changes() -> None:
    """δ = 0.05 h of what the hour after exceeds the hour before by, halved."""
    result = figures(side(SUPPLY, [100, 100, 400, 100]), side(0, [100, 100, 400, 100]))
    assert result.hours.tolerance.tolist() == [0, 15, 0, 15]
    assert result.hours.uncertain.tolist() == [0, 0, 0, 0]
    assert (result.day.tolerance, result.supply_first, result.supply_last) == (0, 100, 100)
    steep = figures(side(SUPPLY, [100, 200, 300, 500]), side(0, [100, 200, 300, 500]))
    assert (steep.day.tolerance, steep.terms and steep.terms.clock) == (40, 20.0)
    assert figures(side(SUPPLY, [1, 9]), side(0, [1, 9]), rules=Rules(clock_s=3600)).day.tolerance == 16


def test_the_flow_takes_estimated_hours_and_nothing_for_what_is_missing() -> None:
    qualities = {SUPPLY: "VEMV"}
    supply = side(SUPPLY, [100, 300, 0, 100], [10] * 4, qualities=qualities)
    result = figures(supply, side(0, [100] * 4))
    assert result.hours.computable.tolist() == [True, False, False, True]
    assert result.hours.tolerance.tolist() == [10, 0, 0, 5]


def test_what_idle_meters_do_not_register_excuses_losses_alone() -> None:
    """Starting flow 50: of 0, 20, 60 and -1 the first two are short of it, by 50 and 30; a tenth of that."""
    still = Rules(clock_s=0)
    members = side(0, [0, 20, 60, -1], start=50)
    result = figures(side(SUPPLY, [0, 20, 60, 7]), members, rules=still)
    assert result.hours.unregistered.tolist() == [5, 3, 0, 0]
    assert result.hours.verdict.tolist() == [Verdict.WITHIN_TOLERANCE] * 3 + [Verdict.LOSS]
    assert (result.day.unregistered, result.day.imbalance) == (8, 8)
    assert result.day.verdict == Verdict.WITHIN_TOLERANCE
    assert figures(side(SUPPLY, [0, 20, 60, 8]), members, rules=still).day.verdict == Verdict.LOSS
    assert figures(side(SUPPLY, [0, 20, 60, -2]), members, rules=still).day.verdict == Verdict.SURPLUS
    fivefold = side(0, [0, 0, 0], start=1, coefficients={0: -5_000_000})
    assert figures(side(SUPPLY, [0, 0, 0]), fivefold).hours.unregistered.tolist() == [1, 1, 1]
    assert figures(side(SUPPLY, [0, 0, 0]), fivefold).day.unregistered == 2
    estimated = side(0, [0, 0, 0], start=50, qualities={0: "EME"})
    assert figures(side(SUPPLY, [0, 0, 0]), estimated).day.unregistered == 0


def test_the_night() -> None:
    night = np.array([False, True, True, False])
    result = figures(side(SUPPLY, [9, 8, 7, 6]), side(0, [1, 2, 3, 4]), night=night)
    assert result.night is not None
    assert (result.night.hours, result.night.supply, result.night.members, result.night.imbalance) == (
        2,
        15,
        5,
        10,
    )
    dark = figures(side(SUPPLY, [9, 8, 7, 6], qualities={SUPPLY: "VEVV"}), side(0, [1, 2, 3, 4]), night=night)
    assert dark.night is not None
    assert (dark.night.hours, dark.night.supply, dark.night.members, dark.night.imbalance) == (
        2,
        None,
        5,
        None,
    )
    assert figures(side(SUPPLY, [9]), side(0, [1]), night=np.array([False])).night is None


def test_base_conditions() -> None:
    """4,000 at 0 °C, 2 x 2,000 at 10 °C: the second member has the temperature of the first."""
    supply, members = side(SUPPLY, [1000] * 4), side(0, [500] * 4, [500] * 4)
    known = Temperatures({0: 10.0}, {SUPPLY: 0.0})
    base = figures(supply, members, temperatures=known).base
    assert base is not None
    assert (base.supply, base.members, base.imbalance) == (4293, 4141, 152)
    by_temperature = 4141.266 * 2 / np.sqrt(3) / 283.15
    assert base.tolerance == int(2 * by_temperature + 0.5) == 34
    assert base.verdict == Verdict.LOSS
    with_class = side(SUPPLY, [1000] * 4, class_ppm=60_000)
    u_class = 4000 * 0.06 / np.sqrt(3)
    wider = figures(with_class, members, temperatures=known).base
    assert wider is not None
    assert wider.tolerance == int(2 * np.hypot(u_class, by_temperature) + 0.5)
    assert wider.verdict == Verdict.WITHIN_TOLERANCE
    cool = figures(supply, members, temperatures=known, rules=Rules(base_temperature=0.0)).base
    assert cool is not None
    assert cool.supply == 4000


def test_base_conditions_of_compensated_meters() -> None:
    """Their gas is at base temperature as read, and their temperature is no other meter's."""
    members = side(0, [500] * 4, [500] * 4, [500] * 4, compensated=[0])
    known = Temperatures({0: -40.0, 1: 10.0, SUPPLY: 20.0}, {SUPPLY: 0.0})
    base = figures(side(SUPPLY, [1500] * 4), members, temperatures=known).base
    assert base is not None
    assert (base.supply, base.members) == (6000, 2000 + round(4000 * 293.15 / 283.15))
    only = side(0, [500] * 4, compensated=[0])
    alone = figures(
        side(SUPPLY, [500] * 4, compensated=[SUPPLY]), only, temperatures=Temperatures({}, {})
    ).base
    assert alone is not None
    assert (alone.supply, alone.members, alone.tolerance) == (2000, 2000, 0)


@pytest.mark.parametrize(
    ("qualities", "known"),
    [
        ({}, Temperatures({}, {SUPPLY: 0.0})),
        ({}, Temperatures({SUPPLY: 3.0}, {})),
        ({SUPPLY: "VM"}, Temperatures({0: 3.0}, {SUPPLY: 3.0})),
        ({}, None),
    ],
)
def test_no_base_conditions_without_temperatures(
    qualities: Mapping[int, str], known: Temperatures | None
) -> None:
    result = figures(side(SUPPLY, [10, 10], qualities=qualities), side(0, [5, 5]), temperatures=known)
    assert result.base is None


def test_a_supply_meter_without_a_temperature_has_that_of_the_members() -> None:
    base = figures(side(SUPPLY, [1000]), side(0, [1000]), temperatures=Temperatures({0: 20.0}, {})).base
    assert base is not None
    assert (base.supply, base.members) == (1000, 1000)


def test_problems_are_passed_through() -> None:
    assert figures(side(SUPPLY, [1]), side(0, [1]), problems=(3, 5)).problems == (3, 5)


# Bad input: each a plain answer.


def test_a_group_of_one_member() -> None:
    alone = figures(side(SUPPLY, [10] * 4), side(0, [0] * 4, qualities={0: "MMMM"}), {0: RISING})
    assert (alone.day.members, alone.day.coverage) == (52, Coverage.UNRELIABLE)
    assert alone.day.missing_share_ppm == 1_000_000


def test_no_supply() -> None:
    result = figures(side(SUPPLY, hours=4), side(0, [5] * 4))
    assert (result.day.coverage, result.day.verdict) == (Coverage.NOT_COMPUTABLE, Verdict.UNDECIDED)
    assert (result.day.supply, result.day.members, result.day.imbalance_lowest) == (None, 20, None)


def test_two_supplies_one_dead() -> None:
    supply = side(SUPPLY, [50] * 4, [0] * 4, qualities={SUPPLY + 1: "MMMM"})
    result = figures(supply, side(0, [100] * 4), {SUPPLY + 1: [[50.0] * 4] * 4})
    assert (result.day.supply, result.day.coverage) == (None, Coverage.NOT_COMPUTABLE)
    assert result.day.verdict == Verdict.UNDECIDED
    assert result.absent.missing == (SUPPLY + 1,)


def test_a_member_larger_than_its_supply_is_a_surplus() -> None:
    result = figures(side(SUPPLY, [10] * 4), side(0, [500] * 4))
    assert (result.day.imbalance, result.day.verdict) == (-1960, Verdict.SURPLUS)


def test_negative_coefficients() -> None:
    supply = side(SUPPLY, [100] * 2, [30] * 2, coefficients={SUPPLY + 1: -1_000_000})
    members = side(0, [50] * 2, [20] * 2, coefficients={1: -1_500_000})
    result = figures(supply, members)
    assert (result.day.supply, result.day.members, result.day.imbalance) == (140, 40, 100)


def test_all_members_silent() -> None:
    members = side(0, [0] * 2, [0] * 2, qualities={0: "MM", 1: "MM"})
    unknown = figures(side(SUPPLY, [100] * 2), members)
    assert (unknown.day.members, unknown.day.imbalance) == (0, 200)
    assert (unknown.day.coverage, unknown.day.verdict) == (Coverage.UNRELIABLE, Verdict.UNDECIDED)
    assert (unknown.day.imbalance_lowest, unknown.day.imbalance_highest) == (200, 200)
    assert unknown.terms is not None
    assert unknown.terms.estimate == 0


def test_nothing_flows() -> None:
    still = figures(side(SUPPLY, [0] * 4, pulse=10), side(0, [0] * 4, [0] * 4, pulse=10, class_ppm=15_000))
    assert (still.day.imbalance, still.day.verdict) == (0, Verdict.WITHIN_TOLERANCE)
    assert still.day.tolerance == int(2 * np.sqrt(3 * 100 / 6) + 0.5)
    assert still.day.missing_share_ppm == 0


def test_three_pulses_are_within_what_pulses_leave_open() -> None:
    """Three pulses of 1,000 went in, one came out: 2 √(2/6) pulses are open."""
    result = figures(side(SUPPLY, [1000, 0, 2000], pulse=1000), side(0, [1000, 0, 0], pulse=1000))
    assert (result.day.imbalance, result.day.verdict) == (2000, Verdict.LOSS)
    assert result.day.tolerance == int(2 * np.hypot(np.sqrt(1 / 3) * 1000, 0.05 * 1000) + 0.5)
    near = figures(side(SUPPLY, [1000, 0, 1000], pulse=1000), side(0, [1000, 0, 0], pulse=1000))
    assert (near.day.imbalance, near.day.verdict) == (1000, Verdict.WITHIN_TOLERANCE)
