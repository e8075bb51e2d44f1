"""domain.md §4.0 by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.describe import at, balance_group, membership, nested
from balance_oracle.groups import Membership, group
from balance_oracle.nesting import problems_of_register, problems_on, resolved

EVER = at("2020-01-01 00:00")
DAY = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAYS = MeteringDays("UTC", 0)


def of(described: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {one.group_id: one for one in map(group, described)}


def told(memberships: Sequence[Membership]) -> list[tuple[str, str, int, int | None, int | None]]:
    """(usage point, role, coefficient, from, to), in hours from the day; null far off."""

    def hours(instant: int) -> int | None:
        found = (instant - DAY // 1000) // 3600
        return found if abs(found) < 1000 else None

    return [
        (one.usage_point_id, one.role, one.coefficient, hours(one.valid_from), hours(one.valid_to))
        for one in memberships
    ]


def problems(described: Sequence[dict[str, Any]], name: str = "G", day: int = DAY) -> list[str]:
    groups = of(described)
    found = list(problems_of_register(name, groups))
    return problems_on(day // 1000, resolved(name, groups), found, DAYS)


def test_of_overlapping_entries_the_latest_counts_and_cuts_the_other_in_two() -> None:
    long = membership("A", "MEMBER", EVER, None, 2_000_000)
    short = membership("A", "MEMBER", DAY + 2 * HOUR_MS, DAY + 5 * HOUR_MS)
    again = membership("A", "MEMBER", DAY + 2 * HOUR_MS, DAY + 3 * HOUR_MS, 3_000_000)
    other_role = membership("A", "SUPPLY", EVER)
    described = [balance_group("G", [long, short, again, other_role])]
    assert told(resolved("G", of(described))) == [
        ("A", "MEMBER", 2_000_000, None, 2),
        ("A", "MEMBER", 2_000_000, 5, None),
        ("A", "MEMBER", 1_000_000, 3, 5),
        ("A", "MEMBER", 3_000_000, 2, 3),
        ("A", "SUPPLY", 1_000_000, None, None),
    ]
    assert problems(described) == ["OVERLAPPING_MEMBERSHIP"]


def test_a_nested_group_stands_for_its_supply_and_where_it_has_none_for_its_members() -> None:
    inner = balance_group(
        "N",
        [
            membership("S", "SUPPLY", DAY + HOUR_MS, DAY + 4 * HOUR_MS, 500_000),
            membership("A", "MEMBER", EVER, None, -1_000_000),
        ],
    )
    outer = balance_group("G", [nested("N", "MEMBER", EVER, DAY + 10 * HOUR_MS, 333_333)])
    assert told(resolved("G", of([inner, outer]))) == [
        ("S", "MEMBER", 166_667, 1, 4),
        ("A", "MEMBER", -333_333, None, 1),
        ("A", "MEMBER", -333_333, 4, 10),
    ]
    assert problems([inner, outer]) == ["NO_SUPPLY"]


def test_a_usage_point_that_comes_by_two_ways_counts_twice() -> None:
    inner = balance_group("N", [membership("A", "MEMBER", EVER)])
    outer = balance_group("G", [membership("A", "MEMBER", EVER), nested("N", "MEMBER", EVER)])
    assert [one.usage_point_id for one in resolved("G", of([inner, outer]))] == ["A", "A"]


def test_circles_and_strangers_stand_for_nothing() -> None:
    g = balance_group("G", [nested("N", "MEMBER", EVER), nested("nobody", "SUPPLY", EVER, DAY)])
    n = balance_group("N", [membership("A", "MEMBER", EVER), nested("G", "MEMBER", EVER)])
    assert told(resolved("G", of([g, n]))) == [("A", "MEMBER", 1_000_000, None, None)]
    assert problems([g, n]) == ["NO_SUPPLY", "NESTED_CYCLE"]
    assert problems([g, n], day=DAY - 24 * HOUR_MS) == ["NO_SUPPLY", "NESTED_CYCLE", "UNKNOWN_GROUP"]
    assert problems([g], "G") == ["NO_SUPPLY", "NO_MEMBER", "UNKNOWN_GROUP"]


def test_eight_deep_is_deep_enough() -> None:
    chain = [balance_group(f"C-{n}", [nested(f"C-{n + 1}", "MEMBER", EVER)]) for n in range(9)]
    chain.append(balance_group("C-9", [membership("A", "MEMBER", EVER)]))
    assert resolved("C-0", of(chain)) == []
    assert problems(chain, "C-0") == ["NO_SUPPLY", "NO_MEMBER", "NESTED_CYCLE"]
    assert [one.usage_point_id for one in resolved("C-1", of(chain))] == ["A"]


def test_products_are_held_and_deleted_groups_stand_for_nothing() -> None:
    inner = balance_group("N", [membership("A", "MEMBER", EVER, None, -(10**9))])
    outer = balance_group("G", [nested("N", "MEMBER", EVER, None, 2_000_000)])
    assert [one.coefficient for one in resolved("G", of([inner, outer]))] == [-(10**9)]
    assert problems([inner | {"state": "DELETED"}, outer]) == ["NO_SUPPLY", "NO_MEMBER"]
