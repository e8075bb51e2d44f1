"""Figures of one group-day (docs/domain.md §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from balance_imbalance.domain.assembly import GroupHistory, ReadingTable, own_past
from balance_imbalance.domain.figures import Flags, Floats, GroupDay, GroupDayInput
from balance_imbalance.domain.group_day import compute
from balance_imbalance.domain.register import FOREVER, Membership, Meter
from balance_imbalance.domain.rules import Coverage, Rules, Verdict
from balance_imbalance.domain.samples import Sample
from balance_kernel.quantity import Quality, Role

DAY = 1_760_000_400
V, E, S, M = (q.code for q in (Quality.VALID, Quality.ESTIMATED, Quality.SUSPECT, Quality.MISSING))
SUPPLY_POINT = 1000
CLASS_15 = [Meter(0, FOREVER, 15_000, 0)]


def group_day(
    supply: Sequence[Sequence[int]],
    members: Sequence[Sequence[int | None] | Sequence[int]],
    *,
    rules: Rules = Rules(),  # noqa: B008 - frozen
    meters: Sequence[Meter] = CLASS_15,
    qualities: Mapping[int, Sequence[int]] | None = None,
    past: Mapping[int, Sequence[Sequence[int]]] | None = None,
    coefficients: Mapping[int, int] | None = None,
    valid: Mapping[int, tuple[int, int]] | None = None,
) -> GroupDay:
    """The day of supply meters 1000, 1001, … and members 0, 1, …; None is MISSING; past days newest first."""
    given = {SUPPLY_POINT + i: values for i, values in enumerate(supply)} | dict(enumerate(members))
    hours = len(next(iter(given.values())))
    days: list[tuple[int, datetime, Sequence[int], Sequence[int] | None]] = []
    for point, values in given.items():
        quality = (qualities or {}).get(point, [M if v is None else V for v in values])
        days.append((point, datetime.fromtimestamp(DAY, UTC), [v or 0 for v in values], quality))
    memberships = [
        Membership(
            point,
            Role.SUPPLY if point >= SUPPLY_POINT else Role.MEMBER,
            (coefficients or {}).get(point, 1_000_000),
            *(valid or {}).get(point, (0, FOREVER)),
        )
        for point in given
    ]
    history, table = GroupHistory.of(memberships, dict.fromkeys(given, meters)), ReadingTable.of(days)
    complete = {
        point: [(DAY - 86_400 * (n + 1), np.array(values)) for n, values in enumerate(before)]
        for point, before in (past or {}).items()
    }
    sides = (history.supply.side(table, DAY, hours), history.members.side(table, DAY, hours))
    own = own_past(sides, complete, DAY, DAY - 28 * 86_400, hours)
    return compute(GroupDayInput(hours, *sides, own), rules)


def test_members_silent_alike_are_summed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    summed: list[int] = []
    over = Sample.over

    def counted(sample: Sample, spans: Flags) -> tuple[Floats, Floats]:
        summed.append(len(sample.rows))
        return over(sample, spans)

    monkeypatch.setattr(Sample, "over", counted)
    half: list[int | None] = [7] * 12 + [None] * 12
    silent: list[int | None] = [None] * 24
    heard: list[int | None] = [1_000_000] * 24
    members = [heard] * 30 + [silent] * 20 + [half] * 10
    result = group_day([[100] * 24], members)
    assert summed == [30, 30]
    assert result.day.members_due - result.day.members_reported == 30


def flats(count: int, litres: int = 1_000_000) -> list[list[int]]:
    return [[litres] * 24 for _ in range(count)]


@pytest.mark.parametrize(
    ("rules", "percent"),
    [(Rules(), 1.75), (Rules(batch_correlation=1.0), 2.45), (Rules(in_service_factor=2.0), 3.49)],
)
def test_sixty_flats_of_class_one_and_a_half(rules: Rules, percent: float) -> None:
    result = group_day([[60_000_000] * 24], flats(60), rules=rules)
    assert result.day.tolerance is not None
    assert result.day.supply == 60 * 24 * 1_000_000
    assert round(100 * result.day.tolerance / result.day.supply, 2) == percent
    assert np.round(100 * result.hours.tolerance / result.hours.supply, 2).tolist() == [percent] * 24


def test_a_dead_concentrator_never_becomes_a_theft() -> None:
    """Half of the homes fall silent and nothing is lost: no LOSS, whether their past is known or not."""
    members: list[Sequence[int | None] | Sequence[int]] = [*flats(30), *([None] * 24 for _ in range(30))]
    supply = [[60_000_000] * 24]
    for past in ({}, {i: flats(7) for i in range(30, 60)}):
        result = group_day(supply, members, past=past)
        assert result.day.imbalance == 0
        assert result.day.coverage == Coverage.UNRELIABLE
        assert result.day.verdict == Verdict.UNDECIDED
        assert result.day.missing_share_ppm == 500_000
        assert result.absent.missing == tuple(range(30, 60))
    assert (result.day.members_due, result.day.members_reported) == (60, 30)


def test_a_few_silent_members_widen_the_tolerance() -> None:
    members: list[list[int | None]] = [[1000] * 24 for _ in range(9)]
    whole = group_day([[10_000] * 24], [*members, [1000] * 24])
    past = [[900] * 24, [1100] * 24, [900] * 24, [1100] * 24]
    result = group_day([[10_000] * 24], [*members, [None] * 24], past={9: past})
    assert result.day.coverage == Coverage.ESTIMATED
    assert result.day.verdict == Verdict.WITHIN_TOLERANCE
    assert result.terms is not None
    spread = 24 * 200 / np.sqrt(3)
    assert result.terms.estimate == pytest.approx(0.5 * 3.1824 * spread * np.sqrt(1 + 1 / 4))
    assert result.day.tolerance > whole.day.tolerance  # type: ignore[operator]


def test_leak_and_slow_supply_meter() -> None:
    assert group_day([[62_000_000] * 24], flats(60)).day.verdict == Verdict.LOSS
    assert group_day([[58_000_000] * 24], flats(60)).day.verdict == Verdict.SURPLUS
    assert group_day([[61_000_000] * 24], flats(60)).day.verdict == Verdict.WITHIN_TOLERANCE


def test_a_silent_supply_meter_is_not_computable_and_not_a_surplus() -> None:
    silent = {SUPPLY_POINT: [V] * 23 + [M]}
    result = group_day([[5000] * 24], [[4900] * 24], qualities=silent)
    assert (result.day.supply, result.day.imbalance, result.day.tolerance) == (None, None, None)
    assert result.day.members == 24 * 4900
    assert (result.day.coverage, result.day.verdict) == (Coverage.NOT_COMPUTABLE, Verdict.UNDECIDED)
    assert result.hours.computable.tolist() == [True] * 23 + [False]
    assert result.absent.missing == (SUPPLY_POINT,)
    assert result.terms is None


@pytest.mark.parametrize("sides", [([], [[5] * 24]), ([[5] * 24], [])])
def test_a_group_without_one_side_is_not_computable(sides: tuple[list[list[int]], list[list[int]]]) -> None:
    result = group_day(*sides)
    assert result.day.coverage == Coverage.NOT_COMPUTABLE
    assert result.day.members == sum(map(sum, sides[1]))
    assert not result.hours.computable.any()
    assert result.day.missing_share_ppm == 0


def test_one_member_larger_than_its_supply() -> None:
    result = group_day([[1000] * 24], [[2000] * 24])
    assert result.day.imbalance == -24_000
    assert (result.day.coverage, result.day.verdict) == (Coverage.COMPLETE, Verdict.SURPLUS)


@pytest.mark.parametrize("hours", [23, 25])
def test_days_on_which_the_clocks_change(hours: int) -> None:
    past = [list(range(24)), *([3] * 24 for _ in range(3))]
    result = group_day([[20] * hours], [[10] * hours, [None] * hours], past={1: past})
    hour = min(hours, 24) - 1
    assert len(result.hours.supply) == hours
    assert result.hours.members[hour] == 10 + (hour + 9 + 2) // 4
    if hours == 25:
        assert result.hours.members[24] == result.hours.members[23]


def test_an_estimated_hour_is_missing_for_the_hour_and_reported_for_the_day_that_holds_its_gap() -> None:
    gap = {0: [V] * 5 + [E] * 3 + [V] * 16}
    result = group_day([[300] * 24], [[100] * 24] * 3, qualities=gap)
    assert result.day.coverage == Coverage.COMPLETE
    assert result.absent.missing == ()
    assert result.absent.not_reported == (0,)
    assert (
        result.hours.coverage.tolist()
        == [Coverage.COMPLETE] * 5 + [Coverage.UNRELIABLE] * 3 + [Coverage.COMPLETE] * 16
    )
    assert result.hours.missing_share_ppm[5] == 333_333
    open_gap = {0: [V] * 21 + [E] * 3}
    result = group_day([[290] * 24], [[100] * 24, [100] * 24, [90] * 24], qualities=open_gap)
    assert result.day.coverage == Coverage.ESTIMATED
    assert result.day.missing_share_ppm == round(300 / (24 * 290) * 1e6)
    assert result.terms is not None
    assert result.terms.estimate == pytest.approx(0.5 * 12.7062 * 30 / np.sqrt(2) * np.sqrt(1.5))


def test_an_estimated_supply_hour_counts_for_the_day_alone() -> None:
    result = group_day([[300] * 24], [[100] * 24] * 3, qualities={SUPPLY_POINT: [V] * 5 + [E] * 3 + [V] * 16})
    assert result.day.supply == 7200
    assert result.hours.computable.tolist() == [True] * 5 + [False] * 3 + [True] * 16


def test_a_suspect_value_is_no_reading() -> None:
    result = group_day(
        [[200] * 24], [[100] * 24, [9_999_999] * 24], qualities={1: [S] * 24}, past={1: [[100] * 24]}
    )
    assert result.day.members == 4800
    assert result.hours.imbalance.tolist() == [0] * 24


def test_estimates_by_rank() -> None:
    """Four days of its own past; else like homes; else fewer days, of which one is its own uncertainty;
    else nothing.
    """
    four = group_day([[500] * 24], [[100] * 24, [None] * 24], past={1: [[50] * 24] * 4})
    assert (four.day.members, four.terms and four.terms.estimate) == (3600, 0.0)
    like = group_day([[500] * 24], [[100] * 24, [201] * 24, [None] * 24], past={2: [[50] * 24] * 3})
    spread = 24 * 101 / np.sqrt(2)
    assert like.day.members == 24 * (301 + 151)
    assert like.terms is not None
    assert like.terms.estimate == pytest.approx(0.5 * 12.7062 * spread * np.sqrt(1.5))
    one_home = group_day([[500] * 24], [[100] * 24, [None] * 24])
    assert (one_home.day.members, one_home.terms and one_home.terms.estimate) == (4800, 2400.0)
    few = group_day([[500] * 24], [[None] * 24], past={0: [[50] * 24]})
    assert (few.day.members, few.terms and few.terms.estimate) == (1200, 1200.0)
    alone = group_day([[500] * 24], [[None] * 24])
    assert (alone.day.members, alone.terms and alone.terms.estimate) == (0, 0.0)
    assert (alone.day.missing_share_ppm, alone.day.coverage) == (1_000_000, Coverage.UNRELIABLE)


def test_only_the_newest_fourteen_days_of_the_past_count() -> None:
    past = [[10] * 24] * 14 + [[1000] * 24] * 3
    assert group_day([[500] * 24], [[100] * 24, [None] * 24], past={1: past}).day.members == 24 * 110


def test_days_beyond_the_lookback_do_not_count() -> None:
    long_ago = [[10] * 24] * 40
    result = group_day([[500] * 24], [[100] * 24, [None] * 24], past={1: long_ago})
    assert result.terms is not None
    assert result.terms.estimate == 0.0
    assert result.day.members == 24 * 110


def test_coefficients_and_validity() -> None:
    result = group_day(
        [[1000] * 24, [1000] * 24],
        [[700] * 24, [301] * 24],
        coefficients={SUPPLY_POINT + 1: -500_000, 1: 500_000},
        valid={0: (0, DAY + 12 * 3600), 1: (DAY + 1, FOREVER)},
    )
    assert result.hours.supply.tolist() == [500] * 24
    assert result.hours.members.tolist() == [700] + [851] * 11 + [151] * 12
    assert result.hours.members_due.tolist() == [1] + [2] * 11 + [1] * 12
    assert (result.day.members_due, result.day.members_reported) == (2, 2)


def test_the_pulse_term_enters_a_day_once() -> None:
    exact = [Meter(0, FOREVER, 0, 6000)]
    result = group_day([[6000] * 24], [[6000] * 24], meters=exact)
    assert result.terms is not None
    assert result.terms.pulse == pytest.approx(np.sqrt(2 * 6000**2 / 6))
    assert result.day.tolerance == round(2 * np.sqrt(2 * 6000**2 / 6))
    assert result.hours.tolerance[0] == result.day.tolerance
    assert result.supply_pulse == 6000


def test_a_meter_exchanged_within_the_day_counts_by_the_hour() -> None:
    exchanged = [Meter(0, DAY + 6 * 3600, 0, 10), Meter(DAY + 6 * 3600, FOREVER, 30_000, 100)]
    result = group_day([[1000] * 24], [[1000] * 24], meters=exchanged)
    assert result.hours.tolerance[5] == round(2 * np.sqrt(2 * 10**2 / 6))
    assert result.hours.tolerance[6] == round(2 * np.sqrt(2 * 30.0**2 / 3 + 2 * 100**2 / 6))
    assert result.terms is not None
    assert result.terms.members_class == pytest.approx(18 * 30.0 / np.sqrt(3))
    assert result.supply_pulse == 100


def test_sums_beyond_64_bits_are_exact() -> None:
    huge = 9 * 10**14
    result = group_day(
        [[2 * huge] * 24], [[huge] * 24, [None] * 24], coefficients={0: 2_000_000}, past={1: [[huge] * 24]}
    )
    assert result.day.supply == 48 * huge
    assert result.day.members == 24 * (2 * huge + huge)
    assert result.day.missing_share_ppm == 500_000


@pytest.mark.parametrize("count", [3, 20, 900])
def test_sums_that_no_network_carries_are_held_within_64_bits(count: int) -> None:
    """Values and coefficients as great as the wire lets through."""
    most, coefficients = 10**13, dict.fromkeys([SUPPLY_POINT, *range(count)], 10**9)
    pulse = [Meter(0, FOREVER, 2**31 - 1, most)]
    found = group_day([[-most] * 24], [[most] * 24] * count, coefficients=coefficients, meters=pulse)
    members = 24 * min(count * 10**16, 10**17)
    assert (found.day.supply, found.day.members) == (-24 * 10**16, members)
    assert found.day.imbalance == -24 * 10**16 - members
    assert found.day.tolerance == 10**17
    assert found.hours.tolerance.tolist() == [10**17] * 24
