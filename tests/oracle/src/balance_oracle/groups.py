"""Balance groups, their entries in the register, their days (domain.md §4, §4.7). Instants in seconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.fittings import seconds

SUPPLY, MEMBER = "SUPPLY", "MEMBER"

UNITS = {
    "GAS": "MILLILITRE",
    "WATER": "MILLILITRE",
    "HOT_WATER": "MILLILITRE",
    "HEAT": "WATT_HOUR",
    "ELECTRICITY": "WATT_HOUR",
    "TEMPERATURE": "MILLIDEGREE_CELSIUS",
    "SENSOR": "THOUSANDTH",
    "UNSPECIFIED": "UNSPECIFIED",
}


@dataclass(frozen=True)
class Membership:
    """A usage point in a group for a time, as supply meter or member, with a coefficient in millionths."""

    usage_point_id: str
    role: str
    coefficient: int
    valid_from: int
    valid_to: int

    def valid_at(self, instant: int) -> bool:
        return self.valid_from <= instant < self.valid_to

    def valid_in(self, day: int, days: MeteringDays) -> bool:
        """Whether it is valid in an hour of the day."""
        return any(self.valid_at(hour) for hour in days.hours(day))


@dataclass(frozen=True)
class Entry:
    """What the register says of a usage point, or of a nested group, in a group for a time."""

    usage_point_id: str
    nested: str | None
    role: str
    coefficient: int
    valid_from: int
    valid_to: int

    @property
    def named(self) -> tuple[bool, str, str]:
        """What it names, in which role: two of a group that agree in this may overlap."""
        return self.nested is not None, self.nested or self.usage_point_id, self.role

    def valid_at(self, instant: int) -> bool:
        return self.valid_from <= instant < self.valid_to


@dataclass(frozen=True)
class Group:
    """A balance group with its whole history; a deleted one has no entries."""

    group_id: str
    resource: str
    entries: tuple[Entry, ...]


def group(described: Mapping[str, Any]) -> Group:
    """From the shape of BalanceGroupDescribed."""
    members = [] if described["state"] == "DELETED" else described["members"]
    return Group(
        described["group_id"],
        described["resource"],
        tuple(
            Entry(
                m["usage_point_id"],
                m.get("group_id"),
                m["role"],
                m["coefficient_ppm"],
                seconds(m["valid_from"]),
                seconds(m["valid_to"]),
            )
            for m in members
            if m["role"] in (SUPPLY, MEMBER)
        ),
    )


def group_days(
    memberships: Sequence[Membership],
    reading_days: Mapping[str, set[int]],
    days: MeteringDays,
    ended_by: int,
) -> list[int]:
    """§4.7: days with a reading of a valid usage point, and every day after the first that ended by then."""
    found = {
        day
        for membership in memberships
        for day in reading_days.get(membership.usage_point_id, set())
        if membership.valid_in(day, days)
    }
    if not found:
        return []
    day = min(found)
    while days.end(day) <= ended_by:
        if any(membership.valid_in(day, days) for membership in memberships):
            found.add(day)
        day = days.end(day)
    return sorted(found)
