"""All group-days of an installation (domain.md §4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.estimates import Readings
from balance_oracle.fittings import UsagePoint, usage_point
from balance_oracle.groups import group, group_days
from balance_oracle.imbalance import GroupDay
from balance_oracle.known import Known
from balance_oracle.nesting import problems_of_register, resolved
from balance_oracle.plans import Plans
from balance_oracle.settings import Settings
from balance_oracle.weather import make_weather

Described = Mapping[str, Any]


def make_known(
    balance_groups: Iterable[Described],
    points: Mapping[str, UsagePoint],
    plans: Plans,
    readings: Readings,
    weather: Iterable[Described],
    days: MeteringDays,
    settings: Settings,
) -> Known:
    """From what was described, told and read; assets in their final version, weather days in any."""
    groups = {one.group_id: one for one in map(group, balance_groups)}
    told = make_weather(weather, points.values(), readings, days)
    return Known(groups, points, plans, readings, told, days, settings)


def all_group_days(known: Known, now: int) -> Iterator[GroupDay]:
    """Every group-day there is by the clock ``now``, in seconds."""
    reading_days: dict[str, set[int]] = defaultdict(set)
    for usage_point_id, day in known.readings:
        reading_days[usage_point_id].add(day)
    for group_id, one in known.groups.items():
        memberships = resolved(group_id, known.groups)
        problems = list(problems_of_register(group_id, known.groups))
        for day in group_days(memberships, reading_days, known.days, now - known.settings.grace):
            yield GroupDay(one, day, memberships, problems, known)


def described_points(usage_points: Iterable[Described]) -> dict[str, UsagePoint]:
    """By id, from the shapes of UsagePointDescribed."""
    return {point.usage_point_id: point for point in map(usage_point, usage_points)}
