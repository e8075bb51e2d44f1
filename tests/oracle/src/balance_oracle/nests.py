"""Balance groups for random worlds: nested, overlapping, in circles, of nobody."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from balance_oracle.describe import Described, balance_group, membership, nested
from balance_oracle.fleets import HOUR_MS, Place, instant_of

COEFFICIENTS = (1_000_000,) * 8 + (-1_000_000, 333_333, 1_250_000, 0, 10**9, -(10**9))
GROUPS = ("G-1", "G-2", "G-3", "G-4")


def make_groups(
    random: Random, place: Place, resource: str, supplies: Sequence[str], homes: Sequence[str]
) -> list[Described]:
    """A plain group, and up to three that name others; sometimes a chain too deep to follow."""
    groups = [_plain(random, place, resource, supplies, homes)]
    for group_id in GROUPS[1 : random.randint(1, 4)]:
        some = random.sample(homes, random.randint(0, len(homes)))
        members = [_member(random, place, name, "MEMBER") for name in some]
        if supplies and random.random() < 0.8:
            members.append(_member(random, place, random.choice(supplies), "SUPPLY"))
        for _ in range(random.choice((0, 1, 1, 2))):
            name = random.choice((*GROUPS, "G-1", "G-1", "G-nobody"))
            role = random.choice(("SUPPLY", "MEMBER", "MEMBER"))
            one = nested(name, role, *_span(random, place), random.choice(COEFFICIENTS))
            members.append(one)
            if random.random() < 0.2:
                members.append(one | {"valid_from": instant_of(random, place), "valid_to": None})
        random.shuffle(members)
        groups.append(balance_group(group_id, members, resource=resource))
    if random.random() < 0.1:
        groups += _chain(random, place, resource)
    return groups


def _plain(
    random: Random, place: Place, resource: str, supplies: Sequence[str], homes: Sequence[str]
) -> Described:
    members = [_member(random, place, name, "SUPPLY") for name in supplies]
    members += [_member(random, place, name, "MEMBER") for name in homes]
    for one in list(members):
        if random.random() < 0.1:
            span = _span(random, place)
            members.append(one | {"valid_from": span[0], "valid_to": span[1], "coefficient_ppm": 500_000})
    return balance_group("G-1", members, resource=resource)


def _member(random: Random, place: Place, name: str, role: str) -> Described:
    coefficient = random.choice(COEFFICIENTS) if random.random() < 0.3 else 1_000_000
    return membership(name, role, *_span(random, place), coefficient)


def _span(random: Random, place: Place) -> tuple[int, int | None]:
    """From long before, mostly for ever; here and there another span, an empty one too."""
    start = instant_of(random, place) if random.random() < 0.15 else place.start_ms - 30 * 24 * HOUR_MS
    end = instant_of(random, place) if random.random() < 0.15 else None
    return start, end


def _chain(random: Random, place: Place, resource: str) -> list[Described]:
    """Ten groups, each in the one before, the last the plain one."""
    names = [f"C-{number}" for number in range(random.choice((7, 8, 9)))]
    start = place.start_ms
    return [
        balance_group(name, [nested(inner, "MEMBER", start)], resource=resource)
        for name, inner in zip(names, [*names[1:], "G-1"], strict=True)
    ]
