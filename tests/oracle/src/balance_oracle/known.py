"""What group-days follow from (domain.md §4.1, §4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from balance_oracle.days import MeteringDays
from balance_oracle.estimates import ENOUGH_DAYS, Readings, full_days_before, is_valued
from balance_oracle.fittings import UsagePoint
from balance_oracle.groups import Group
from balance_oracle.plans import Plans
from balance_oracle.settings import Settings
from balance_oracle.weather import Row, Weather, scaled

HEATED = ("GAS", "HEAT")


@dataclass(frozen=True)
class Known:
    """The register, the readings and the weather of an installation."""

    groups: Mapping[str, Group]
    points: Mapping[str, UsagePoint]
    plans: Plans
    readings: Readings
    weather: Weather
    days: MeteringDays
    settings: Settings = field(default_factory=Settings)
    _past: dict[tuple[str, int], list[Row]] = field(default_factory=dict, repr=False, compare=False)

    def own_past(self, usage_point_id: str, day: int) -> list[Row]:
        """§4.2, rule 1 or 3: own days before, scaled to the weather of the day."""
        key = usage_point_id, day
        if key not in self._past:
            self._past[key] = self._own_past(usage_point_id, day)
        return self._past[key]

    def _own_past(self, usage_point_id: str, day: int) -> list[Row]:
        rows = full_days_before(self.readings, usage_point_id, day, self.days)
        point = self.points.get(usage_point_id)
        if point is None or point.resource not in HEATED or len(rows) < ENOUGH_DAYS:
            return [row for _, row in rows]
        path = point.object_path
        today = self.weather.mean(path, day)
        return scaled(
            rows,
            len(self.days.hours(day)),
            today,
            lambda before: self.weather.mean(path, before),
            self.settings.heating_limit,
        )

    def allowance(self, usage_point_id: str, day: int) -> int:
        """§4.1: the longest its modules may be silent by plan at the day's start, in days."""
        point = self.points.get(usage_point_id)
        modules = point.modules_at(day) if point is not None else set()
        return max((self.plans.module_allowance(module, day) for module in modules), default=0)

    def silent_since(self, usage_point_id: str, day: int) -> int | None:
        """§4.1: first of the days whose silence makes it unmetered; null when one of them has a value."""
        count = self.settings.unmetered_days + self.allowance(usage_point_id, day)
        span = [self.days.shifted(day, -back) for back in range(count)]
        for one in span:
            hours = self.readings.get((usage_point_id, one))
            if hours is not None and any(is_valued(hour) for hour in hours):
                return None
        return span[-1]
