"""What this service is told, translated from the wire.

Instants are seconds since 1970 (UTC), milliseconds cut off (docs/domain.md §1.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from balance_kernel.plans import SessionSetting, Setting
from balance_kernel.quantity import Resource, Role

from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.figures import Ints
from balance_imbalance.domain.register import Meter


@dataclass(frozen=True, slots=True)
class ReadingDay:
    """One metering day of one usage point.

    ``values`` (h,) are base units by hour, 0 where ``qualities`` (codes by hour, None when all are VALID) has
    no value.
    """

    usage_point_id: str
    day_start: int
    step_s: int
    version: int
    values: Ints
    qualities: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class ReadingDays:
    """Reading days as they now stand, and how far time had come for whoever computed them."""

    clock_at: int
    days: Sequence[ReadingDay]


@dataclass(frozen=True, slots=True)
class UsagePoint:
    """A usage point with its whole history; a deleted one has no meters and no channels."""

    usage_point_id: str
    version: int
    meters: Sequence[Meter]
    resource: Resource = Resource.UNSPECIFIED
    object_path: tuple[str, ...] = ()
    is_outdoor: bool = False
    channels: Sequence[ChannelFitting] = ()


@dataclass(frozen=True, slots=True)
class NamedMembership:
    """A membership by the id of its usage point, or, that empty, of the group nested here."""

    usage_point_id: str
    role: Role
    coefficient_ppm: int
    valid_from: int
    valid_to: int
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A balance group with its whole history; a deleted one has no memberships."""

    group_id: str
    version: int
    resource: Resource
    name: str
    memberships: Sequence[NamedMembership]


@dataclass(frozen=True, slots=True)
class Module:
    """A module with its settings in order of time; a deleted one has none."""

    module_id: str
    version: int
    settings: Sequence[Setting]


@dataclass(frozen=True, slots=True)
class Concentrator:
    """A concentrator with its settings in order of time; a deleted one has none."""

    concentrator_id: str
    version: int
    settings: Sequence[SessionSetting]


@dataclass(frozen=True, slots=True)
class ChangedGroupDay:
    """A group-day of which a new version was published."""

    group_id: str
    day_start: datetime


_Entity = TypeVar("_Entity")
Asset = UsagePoint | Group | Module | Concentrator


class Assets(NamedTuple):
    """Descriptions of each kind, each entity once, by id."""

    points: Sequence[UsagePoint] = ()
    groups: Sequence[Group] = ()
    modules: Sequence[Module] = ()
    concentrators: Sequence[Concentrator] = ()


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


def newest_assets(assets: Iterable[Asset]) -> Assets:
    """The greatest version of each entity, by id."""
    points: dict[str, UsagePoint] = {}
    groups: dict[str, Group] = {}
    modules: dict[str, Module] = {}
    concentrators: dict[str, Concentrator] = {}
    for asset in sorted(assets, key=lambda asset: asset.version):
        match asset:
            case UsagePoint():
                points[asset.usage_point_id] = asset
            case Group():
                groups[asset.group_id] = asset
            case Module():
                modules[asset.module_id] = asset
            case Concentrator():
                concentrators[asset.concentrator_id] = asset
    return Assets(_in_order(points), _in_order(groups), _in_order(modules), _in_order(concentrators))


def _in_order(entities: dict[str, _Entity]) -> Sequence[_Entity]:
    return [entities[key] for key in sorted(entities)]
