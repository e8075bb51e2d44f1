"""Memberships resolved: overlap, nested groups, and what of the register is questionable (domain.md §4.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from balance_oracle.days import MeteringDays
from balance_oracle.groups import MEMBER, SUPPLY, Entry, Group, Membership
from balance_oracle.settings import half_up

MILLION = 10**6
MOST_COEFFICIENT = 10**9
DEEPEST = 8

Groups = Mapping[str, Group]
Way = tuple[int, ...]
"""Places of the entries of a chain in their groups, the outermost first."""


@dataclass(frozen=True)
class Standing:
    """A usage point that belongs to a group at an instant, by a way."""

    way: Way
    usage_point_id: str
    role: str
    coefficient: int


@dataclass(frozen=True)
class Problem:
    """A symbol of GroupProblem, for a time."""

    symbol: str
    start: int
    end: int


def resolved(group_id: str, groups: Groups) -> list[Membership]:
    """Memberships of a group after overlap and nesting: each unbroken span of a way is one."""
    found: list[tuple[Way, Membership]] = []
    running: dict[Way, int] = {}
    instants = _instants(group_id, groups, ())
    for start, end in pairwise(instants):
        still: dict[Way, int] = {}
        for one in standing(group_id, start, groups):
            place = running.get(one.way)
            if place is None:
                place = len(found)
                found.append((one.way, Membership(one.usage_point_id, one.role, one.coefficient, start, end)))
            else:
                way, before = found[place]
                longer = Membership(one.usage_point_id, one.role, one.coefficient, before.valid_from, end)
                found[place] = way, longer
            still[one.way] = place
        running = still
    return [membership for _, membership in sorted(found, key=lambda one: (one[0], one[1].valid_from))]


def standing(group_id: str, instant: int, groups: Groups, above: tuple[str, ...] = ()) -> Iterator[Standing]:
    """Who belongs to a group at an instant, in the order of the register; ``above``: the groups it is in."""
    path = (*above, group_id)
    for place, entry in enumerate(groups[group_id].entries):
        if not _counts(entry, place, instant, groups[group_id].entries):
            continue
        if entry.nested is None:
            yield Standing((place,), entry.usage_point_id, entry.role, entry.coefficient)
        elif question(entry.nested, path, groups) is None:
            inside = list(standing(entry.nested, instant, groups, path))
            supply = [one for one in inside if one.role == SUPPLY]
            for one in supply or [one for one in inside if one.role == MEMBER]:
                product = half_up(entry.coefficient * one.coefficient, MILLION)
                held = max(-MOST_COEFFICIENT, min(product, MOST_COEFFICIENT))
                yield Standing((place, *one.way), one.usage_point_id, entry.role, held)


def question(nested: str, path: Sequence[str], groups: Groups) -> str | None:
    """Why a group named inside others stands for nothing."""
    if nested in path or len(path) > DEEPEST:
        return "NESTED_CYCLE"
    return None if nested in groups else "UNKNOWN_GROUP"


def _counts(entry: Entry, place: int, instant: int, entries: Sequence[Entry]) -> bool:
    """Of the entries valid then that name the same in the same role, the one that began last."""
    rivals = [
        (other.valid_from, number)
        for number, other in enumerate(entries)
        if other.named == entry.named and other.valid_at(instant)
    ]
    return entry.valid_at(instant) and max(rivals) == (entry.valid_from, place)


def _instants(group_id: str, groups: Groups, above: tuple[str, ...]) -> list[int]:
    """When anything may change in a group or what it names."""
    found: set[int] = set()
    for entry in groups[group_id].entries:
        found |= {entry.valid_from, entry.valid_to}
        path = (*above, group_id)
        if entry.nested is not None and question(entry.nested, path, groups) is None:
            found |= set(_instants(entry.nested, groups, path))
    return sorted(found)


def problems_of_register(group_id: str, groups: Groups, above: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Overlaps, cycles and unknown groups among the entries of a group and of all it reaches."""
    path = (*above, group_id)
    entries = groups[group_id].entries
    for place, entry in enumerate(entries):
        if any(
            other.named == entry.named
            and max(other.valid_from, entry.valid_from) < min(other.valid_to, entry.valid_to)
            for number, other in enumerate(entries)
            if number != place
        ):
            yield Problem("OVERLAPPING_MEMBERSHIP", entry.valid_from, entry.valid_to)
        if entry.nested is not None:
            symbol = question(entry.nested, path, groups)
            if symbol is not None:
                yield Problem(symbol, entry.valid_from, entry.valid_to)
            else:
                yield from problems_of_register(entry.nested, groups, path)


def problems_on(
    day: int, memberships: Sequence[Membership], of_register: Sequence[Problem], days: MeteringDays
) -> list[str]:
    """Symbols of a group-day, in the order of the page."""
    end = days.end(day)
    there = {membership.role for membership in memberships if membership.valid_in(day, days)}
    found = {f"NO_{role}" for role in (SUPPLY, MEMBER) if role not in there}
    found |= {one.symbol for one in of_register if max(one.start, day) < min(one.end, end)}
    order = ("NO_SUPPLY", "NO_MEMBER", "OVERLAPPING_MEMBERSHIP", "NESTED_CYCLE", "UNKNOWN_GROUP")
    return [symbol for symbol in order if symbol in found]
