"""What this service is told, translated from the wire.

Instants are seconds since 1970 (UTC), milliseconds cut off (docs/domain.md §1.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from balance_kernel.quantity import Resource, Role

from balance_imbalance.domain.register import Meter


@dataclass(frozen=True, slots=True)
class ReadingDay:
    """One metering day of one usage point.

    ``values`` are base units by hour, 0 where ``qualities`` (codes by hour, None when all are VALID) has no
    value.
    """

    usage_point_id: str
    day_start: int
    step_s: int
    version: int
    values: Sequence[int]
    qualities: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class ReadingDays:
    """Reading days as they now stand, and how far time had come for whoever computed them."""

    clock_at: int
    days: Sequence[ReadingDay]


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """A usage point with its whole history; a deleted one has no meters."""

    usage_point_id: str
    version: int
    meters: Sequence[Meter]


@dataclass(frozen=True, slots=True)
class NamedMembership:
    """A membership by the id of its usage point."""

    usage_point_id: str
    role: Role
    coefficient_ppm: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class Group:
    """A balance group with its whole history; a deleted one has no memberships."""

    group_id: str
    version: int
    resource: Resource
    name: str
    memberships: Sequence[NamedMembership]


Asset = UsagePoint | Group


def newest_days(messages: Iterable[ReadingDays]) -> Sequence[ReadingDay]:
    """The greatest version of each (usage point, day), in the order of both; never merged."""
    newest: dict[tuple[str, int], ReadingDay] = {}
    for message in messages:
        for day in message.days:
            key = (day.usage_point_id, day.day_start)
            held = newest.get(key)
            if held is None or day.version > held.version:
                newest[key] = day
    return [newest[key] for key in sorted(newest)]


def newest_assets(assets: Iterable[Asset]) -> tuple[Sequence[UsagePoint], Sequence[Group]]:
    """The greatest version of each usage point and of each group, by id."""
    points: dict[str, UsagePoint] = {}
    groups: dict[str, Group] = {}
    for asset in sorted(assets, key=lambda asset: asset.version):
        if isinstance(asset, UsagePoint):
            points[asset.usage_point_id] = asset
        else:
            groups[asset.group_id] = asset
    return [points[key] for key in sorted(points)], [groups[key] for key in sorted(groups)]
