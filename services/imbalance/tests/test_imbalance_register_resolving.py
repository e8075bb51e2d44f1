"""What entries of the register stand for: overlaps, nested groups, and what is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest
from balance_imbalance.domain.register import FOREVER, GroupProblem, Membership, ProblemSpan, problems_of_day
from balance_imbalance.domain.resolving import DEEPEST, MOST_NAMES, Entry, Resolving
from balance_kernel.quantity import Role
from hypothesis import given
from hypothesis import strategies as st

SUPPLY, MEMBER = Role.SUPPLY, Role.MEMBER
ONE = 1_000_000


def entry(
    of: int | str, start: int = 0, end: int = FOREVER, role: Role = MEMBER, coefficient: int = ONE
) -> Entry:
    point, group = (of, None) if isinstance(of, int) else (None, of)
    return Entry(point, group, role, coefficient, start, end)


def supply(of: int | str, start: int = 0, end: int = FOREVER, coefficient: int = ONE) -> Entry:
    return entry(of, start, end, SUPPLY, coefficient)


def spans(groups: Mapping[str, Sequence[Entry]], group: str = "G") -> list[tuple[int, str, int, int]]:
    found = Resolving(groups).resolve(group).memberships
    return [(m.usage_point, m.role.value, m.valid_from, m.valid_to) for m in found]


def problems(groups: Mapping[str, Sequence[Entry]], group: str = "G") -> list[tuple[str, int, int]]:
    return [(p.problem.name, p.start, p.end) for p in Resolving(groups).resolve(group).problems]


def test_a_plain_group_stands_as_it_is() -> None:
    entries = [supply(1, coefficient=-500_000), entry(2, 5, 9), entry(3)]
    resolved = Resolving({"G": entries}).resolve("G")
    assert resolved.memberships == [
        Membership(1, SUPPLY, -500_000, 0, FOREVER),
        Membership(2, MEMBER, ONE, 5, 9),
        Membership(3, MEMBER, ONE, 0, FOREVER),
    ]
    assert resolved.problems == []


def test_of_overlapping_memberships_the_latest_start_counts_of_equal_ones_the_last() -> None:
    groups = {"G": [entry(1, 0, 100), entry(1, 20, 30), entry(1, 20, 25), entry(1, 90, 120)]}
    assert [(start, end) for _, _, start, end in spans(groups)] == [
        (0, 20),
        (30, 90),
        (25, 30),
        (20, 25),
        (90, 120),
    ]
    assert problems(groups) == [
        ("OVERLAPPING_MEMBERSHIP", *span) for span in [(0, 100), (20, 25), (20, 30), (90, 120)]
    ]


def test_what_only_touches_or_is_empty_or_of_another_role_does_not_overlap() -> None:
    groups = {"G": [entry(1, 0, 10), entry(1, 10, 20), entry(1, 5, 5), entry(1, 8, 3), supply(1, 0, 20)]}
    assert spans(groups) == [(1, "MEMBER", 0, 10), (1, "MEMBER", 10, 20), (1, "SUPPLY", 0, 20)]
    assert problems(groups) == []


def test_a_nested_group_is_its_supply_and_where_it_has_none_its_members() -> None:
    groups = {
        "G": [supply(9), entry("N", 10, 100)],
        "N": [supply(1, 20, 40), supply(2, 30, 50), entry(3), entry(4, 0, 60)],
    }
    assert spans(groups) == [
        (9, "SUPPLY", 0, FOREVER),
        (1, "MEMBER", 20, 40),
        (2, "MEMBER", 30, 50),
        (3, "MEMBER", 10, 20),
        (3, "MEMBER", 50, 100),
        (4, "MEMBER", 10, 20),
        (4, "MEMBER", 50, 60),
    ]
    assert problems(groups) == []


def test_a_nested_supply_takes_the_role_of_who_names_it() -> None:
    groups = {"G": [supply("N"), entry("M")], "N": [entry(1)], "M": [supply("L")], "L": [supply(2), entry(3)]}
    assert spans(groups) == [(1, "SUPPLY", 0, FOREVER), (2, "MEMBER", 0, FOREVER)]


def test_a_usage_point_that_comes_in_by_two_ways_counts_twice() -> None:
    groups = {"G": [entry(1), entry("N"), entry("M")], "N": [entry(1)], "M": [entry(1)]}
    assert spans(groups) == [(1, "MEMBER", 0, FOREVER)] * 3
    assert problems(groups) == []


def test_overlap_of_a_nested_group_named_twice_and_within_it() -> None:
    groups = {
        "G": [entry("N", 0, 50), entry("N", 30, 80, coefficient=2 * ONE)],
        "N": [entry(1), entry(1, 60)],
    }
    found = Resolving(groups).resolve("G").memberships
    assert [(m.valid_from, m.valid_to, m.coefficient_ppm) for m in found] == [
        (0, 30, ONE),
        (30, 60, 2 * ONE),
        (60, 80, 2 * ONE),
    ]
    assert problems(groups) == [
        ("OVERLAPPING_MEMBERSHIP", *span) for span in [(0, 50), (0, FOREVER), (30, 80), (60, FOREVER)]
    ]


@pytest.mark.parametrize(
    ("outer", "inner", "product"),
    [
        (-ONE, 500_000, -500_000),
        (-500_000, -500_000, 250_000),
        (333_333, 333_333, 111_111),
        (1, 500_000, 1),
        (1, 499_999, 0),
        (-1, 500_000, 0),
        (10**9, 10**9, 10**9),
        (10**9, -(10**9), -(10**9)),
        (0, 10**9, 0),
    ],
)
def test_coefficients_multiply_rounded_half_up_and_held(outer: int, inner: int, product: int) -> None:
    groups = {"G": [entry("N", coefficient=outer)], "N": [entry(1, coefficient=inner)]}
    assert [m.coefficient_ppm for m in Resolving(groups).resolve("G").memberships] == [product]


def test_coefficients_multiply_from_the_innermost_out() -> None:
    """10⁹ · (10⁹ · 10⁶ held) · … : held at each step, so that the outer tenth is a tenth of what was held."""
    groups = {
        "G": [entry("N", coefficient=100_000)],
        "N": [entry("M", coefficient=10**9)],
        "M": [entry(1, coefficient=10**9)],
    }
    assert [m.coefficient_ppm for m in Resolving(groups).resolve("G").memberships] == [10**8]


def test_a_group_within_itself_stands_for_nothing() -> None:
    groups = {"G": [supply(1), entry(2), entry("G", 5, 9)]}
    assert spans(groups) == [(1, "SUPPLY", 0, FOREVER), (2, "MEMBER", 0, FOREVER)]
    assert problems(groups) == [("NESTED_CYCLE", 5, 9)]


def test_two_groups_within_each_other_each_have_the_other_once() -> None:
    groups = {"G": [entry(1), entry("N", 5, 90)], "N": [entry(2), entry("G", 0, 20)]}
    assert spans(groups) == [(1, "MEMBER", 0, FOREVER), (2, "MEMBER", 5, 90)]
    assert spans(groups, "N") == [(2, "MEMBER", 0, FOREVER), (1, "MEMBER", 0, 20)]
    assert problems(groups) == [("NESTED_CYCLE", 0, 20)]
    assert problems(groups, "N") == [("NESTED_CYCLE", 5, 90)]


def test_a_cycle_of_entries_that_are_never_valid_together_is_told_all_the_same() -> None:
    groups = {"G": [entry("N", 0, 10)], "N": [entry(2), entry("G", 50, 60)]}
    assert spans(groups) == [(2, "MEMBER", 0, 10)]
    assert problems(groups) == [("NESTED_CYCLE", 50, 60)]


def nested_chain(depth: int) -> dict[str, Sequence[Entry]]:
    """G names N1, N1 names N2 and so on; N<depth> has usage point 7."""
    names = ["G", *(f"N{level}" for level in range(1, depth + 1))]
    chain: dict[str, Sequence[Entry]] = {name: [entry(after)] for name, after in pairwise(names)}
    return {**chain, names[-1]: [entry(7)]}


def test_eight_deep_is_followed_and_nine_is_not() -> None:
    assert spans(nested_chain(DEEPEST)) == [(7, "MEMBER", 0, FOREVER)]
    assert problems(nested_chain(DEEPEST)) == []
    assert spans(nested_chain(DEEPEST + 1)) == []
    assert problems(nested_chain(DEEPEST + 1)) == [("NESTED_CYCLE", 0, FOREVER)]
    assert problems(nested_chain(DEEPEST + 1), "N1") == []


def test_an_unknown_group_stands_for_nothing_until_it_is_described() -> None:
    groups = {"G": [supply("N", 3), entry(1), entry("N", 5, 9)]}
    assert spans(groups) == [(1, "MEMBER", 0, FOREVER)]
    assert problems(groups) == [("UNKNOWN_GROUP", 3, FOREVER), ("UNKNOWN_GROUP", 5, 9)]
    assert problems(groups | {"N": []}) == []
    assert spans(groups | {"N": [entry(4)]}) == [
        (4, "SUPPLY", 3, FOREVER),
        (1, "MEMBER", 0, FOREVER),
        (4, "MEMBER", 5, 9),
    ]


def test_a_supply_of_unknown_groups_is_none() -> None:
    groups = {"G": [entry("N")], "N": [supply("X", 10, 20), entry(4)]}
    assert spans(groups) == [(4, "MEMBER", 0, FOREVER)]


def test_problems_of_a_day() -> None:
    told = [
        ProblemSpan(GroupProblem.UNKNOWN_GROUP, 0, 100),
        ProblemSpan(GroupProblem.NESTED_CYCLE, 50, 60),
        ProblemSpan(GroupProblem.NESTED_CYCLE, 55, 70),
    ]
    assert problems_of_day(told, 40, 60) == [GroupProblem.NESTED_CYCLE, GroupProblem.UNKNOWN_GROUP]
    assert problems_of_day(told, 70, 100) == [GroupProblem.UNKNOWN_GROUP]
    assert problems_of_day(told, 100, 200) == []


def test_groups_that_all_name_each_other_come_to_an_end() -> None:
    names = [f"N{number}" for number in range(60)]
    groups = {name: [*(entry(other) for other in names), entry(n)] for n, name in enumerate(names)}
    begun = time.monotonic()
    resolved = Resolving(groups).resolve("N0")
    assert time.monotonic() - begun < 5
    assert 0 < len(resolved.memberships) <= MOST_NAMES
    assert {span.problem for span in resolved.problems} == {GroupProblem.NESTED_CYCLE}


def test_what_is_nested_beyond_the_most_is_told() -> None:
    many = [entry(point) for point in range(MOST_NAMES)]
    groups: dict[str, Sequence[Entry]] = {"G": [entry("N"), entry("M", 5)], "N": many, "M": [entry(-1)]}
    assert len(spans(groups)) == MOST_NAMES
    assert problems(groups) == [("NESTED_CYCLE", 0, FOREVER)]
    assert len(spans({"G": [*many, *many]})) == MOST_NAMES


def test_a_few_entries_that_stand_in_many_gaps_come_to_an_end() -> None:
    """Each member of N stands in each gap of its supply: entries squared, were they all followed."""
    gaps = 1_500
    sides = [supply(at, 2 * at, 2 * at + 1) for at in range(gaps)], [entry(-1 - at) for at in range(gaps)]
    groups = {"G": [entry("N", 0, 2 * gaps)], "N": [*sides[0], *sides[1]]}
    resolved = Resolving(groups).resolve("G")
    assert len(resolved.memberships) == MOST_NAMES
    full, left = divmod(MOST_NAMES - gaps, gaps)
    found = [m.usage_point for m in resolved.memberships[gaps:]]
    assert found == [-1 - at for at in range(full) for _ in range(gaps)] + [-1 - full] * left
    assert [(p.problem.name, p.start, p.end) for p in resolved.problems] == [("NESTED_CYCLE", 0, FOREVER)]


def test_a_name_is_followed_to_the_last_span_that_counts() -> None:
    """Of N's one supply meter and its members, each in two gaps, the last that fits is followed in one."""
    pairs = (MOST_NAMES - 2) // 2
    members = [entry(point, 0, 100) for point in range(pairs + 1)]
    groups = {"G": [entry("N", 0, 100)], "N": [supply(-1, 40, 60), *members]}
    found = spans(groups)
    assert len(found) == MOST_NAMES
    assert found[-1] == (pairs, "MEMBER", 0, 40)
    assert problems(groups) == [("NESTED_CYCLE", 0, 100)]


def test_overlaps_by_the_ten_thousand_are_settled_at_once() -> None:
    entries = [entry(1, at, 50_000 - at) for at in range(20_000)]
    begun = time.monotonic()
    resolved = Resolving({"G": entries}).resolve("G")
    assert time.monotonic() - begun < 10
    assert len(resolved.memberships) == 2 * 20_000 - 1


NAMES = ("G", "H", "K", "L")
ENTRIES = st.builds(
    lambda of, role, start, length, coefficient: entry(of, start, start + length, role, coefficient),
    st.one_of(st.integers(1, 3), st.sampled_from([*NAMES, "X"])),
    st.sampled_from([SUPPLY, MEMBER]),
    st.integers(0, 12),
    st.integers(-1, 8),
    st.sampled_from([ONE, -ONE, 500_000, 10**9]),
)
REGISTERS = st.fixed_dictionaries({name: st.lists(ENTRIES, max_size=4) for name in NAMES})


@given(REGISTERS, st.integers(0, 20))
def test_at_each_instant_a_group_is_what_the_page_says(groups: dict[str, Any], instant: int) -> None:
    """The definition of §4.0 word by word at one instant, against spans."""

    def there(group: str, above: tuple[str, ...]) -> list[tuple[int, Role, int]]:
        found: list[tuple[int, Role, int]] = []
        for position, one in enumerate(groups[group]):
            rivals = [
                (other.valid_from, place)
                for place, other in enumerate(groups[group])
                if (other.usage_point, other.group, other.role) == (one.usage_point, one.group, one.role)
                and other.valid_from <= instant < other.valid_to
            ]
            if not one.valid_from <= instant < one.valid_to or max(rivals)[1] != position:
                continue
            if one.group is None:
                found.append((one.usage_point, one.role, one.coefficient_ppm))
            elif one.group in groups and one.group not in above and len(above) <= DEEPEST:
                inner = there(one.group, (*above, one.group))
                taken = [each for each in inner if each[1] is SUPPLY] or inner
                for point, _, coefficient in taken:
                    product = (2 * one.coefficient_ppm * coefficient + ONE) // (2 * ONE)
                    found.append((point, one.role, max(-(10**9), min(10**9, product))))
        return found

    resolving = Resolving(groups)
    for name in NAMES:
        memberships = resolving.resolve(name).memberships
        held = [
            (m.usage_point, m.role, m.coefficient_ppm)
            for m in memberships
            if m.valid_from <= instant < m.valid_to
        ]
        assert sorted(held) == sorted(there(name, (name,)))
        assert all(m.valid_from < m.valid_to for m in memberships)
