"""What group-days say together: a span of days of a balance group, as a manager reads it.

Amounts are sums of the decided days. The tolerance is the one of docs/domain.md §4.5 over days: class and
estimate terms add linearly, for a meter errs alike every day; the pulse term enters once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import hypot
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

DECIDED = ("WITHIN_TOLERANCE", "LOSS", "SURPLUS")
LEAST_DECIDED_SHARE = 0.7
"""A span fewer of whose days are decided is not judged."""

_QUERY = """
select group_id, day_start, supply, members, imbalance, tolerance, coverage, verdict, members_due,
    members_reported, missing_usage_points, unit, u_supply_class, u_members_class, u_pulse, u_estimate
from imbalance.v_group_days where day_start >= %s and day_start < %s order by group_id, day_start
"""


@dataclass(frozen=True)
class GroupDay:
    """A row of imbalance.v_group_days."""

    group_id: str
    day_start: datetime
    supply: int | None
    members: int | None
    imbalance: int | None
    tolerance: int | None
    coverage: str
    verdict: str
    members_due: int
    members_reported: int
    missing_usage_points: list[str]
    unit: str
    u_supply_class: float | None
    u_members_class: float | None
    u_pulse: float | None
    u_estimate: float | None


@dataclass(frozen=True)
class GroupSpan:
    """Some days of one group, oldest first; never empty."""

    group_id: str
    days: Sequence[GroupDay]
    zone: str

    @property
    def decided(self) -> list[GroupDay]:
        """Days with a verdict."""
        return [day for day in self.days if day.verdict in DECIDED]

    @property
    def judged(self) -> bool:
        """Whether enough days are decided."""
        return len(self.decided) >= LEAST_DECIDED_SHARE * len(self.days)

    @property
    def unit(self) -> str:
        """Base unit of all amounts."""
        return self.days[0].unit

    @property
    def supply(self) -> int | None:
        """Supply of the decided days; of all days when the span is not judged; None when no day has any."""
        values = [day.supply for day in self._counted if day.supply is not None]
        return sum(values) if values else None

    @property
    def members(self) -> int | None:
        """Consumption of the members on the same days, missing ones estimated; None if nobody was heard."""
        if not any(day.members or day.members_reported for day in self._counted):
            return None
        return sum(day.members or 0 for day in self._counted)

    @property
    def not_computable(self) -> bool:
        """Whether the span is not judged for want of a supply."""
        open_days = [day for day in self.days if day.verdict not in DECIDED]
        return not self.judged and all(day.coverage == "NOT_COMPUTABLE" for day in open_days)

    @property
    def imbalance(self) -> int | None:
        """Supply less members; None when the span is not judged."""
        return sum(day.imbalance or 0 for day in self.decided) if self.judged else None

    @property
    def tolerance(self) -> float | None:
        """Expanded uncertainty (k = 2) of the imbalance; None when the span is not judged."""
        if not self.judged:
            return None
        supply, members, estimate = (
            sum(getattr(day, name) or 0.0 for day in self.decided)
            for name in ("u_supply_class", "u_members_class", "u_estimate")
        )
        return 2 * hypot(supply, members, estimate, max(day.u_pulse or 0.0 for day in self.decided))

    @property
    def verdict(self) -> str:
        """LOSS, SURPLUS, WITHIN_TOLERANCE, or UNDECIDED: by the sums, or since a day that it lasts from."""
        return self.since.verdict if self.since else self._by_sum

    @property
    def since(self) -> GroupDay | None:
        """First day of a loss (or surplus) that came and stays.

        Two days or more to the end of the span are lost, and the days before them together are not.
        """
        run: list[GroupDay] = []
        for day in reversed(self.decided):
            if day.verdict == "WITHIN_TOLERANCE" or (run and day.verdict != run[-1].verdict):
                break
            run.append(day)
        before = self.decided[: len(self.decided) - len(run)]
        calm = bool(before) and replace(self, days=before)._by_sum == "WITHIN_TOLERANCE"
        return run[-1] if self.judged and len(run) > 1 and calm else None

    @property
    def _by_sum(self) -> str:
        if self.imbalance is None or self.tolerance is None:
            return "UNDECIDED"
        if abs(self.imbalance) <= self.tolerance:
            return "WITHIN_TOLERANCE"
        return "LOSS" if self.imbalance > 0 else "SURPLUS"

    @property
    def due(self) -> int:
        """Members, at most at once."""
        return max(day.members_due for day in self.days)

    @property
    def missing(self) -> list[str]:
        """Usage points that missed at least an hour, sorted."""
        return sorted({name for day in self.days for name in day.missing_usage_points})

    @property
    def incomplete(self) -> list[GroupDay]:
        """Days on which something was missing."""
        return [day for day in self.days if day.missing_usage_points]

    def local(self, day: GroupDay) -> datetime:
        """Start of a day on the clock of the installation."""
        return day.day_start.astimezone(ZoneInfo(self.zone))

    @property
    def _counted(self) -> Sequence[GroupDay]:
        return self.decided if self.judged else self.days


def read(dsn: str, zone: str, start: datetime, end: datetime) -> list[GroupSpan]:
    """The spans of all groups with days that start in [start, end), by group."""
    groups: dict[str, list[GroupDay]] = defaultdict(list)
    with psycopg.connect(dsn) as connection, connection.cursor(row_factory=class_row(GroupDay)) as cursor:
        parameters: Any = (start, end)
        for day in cursor.execute(_QUERY, parameters):
            groups[day.group_id].append(day)
    return [GroupSpan(name, days, zone) for name, days in sorted(groups.items())]


def months(of: GroupSpan) -> Iterator[GroupSpan]:
    """The span by calendar month."""
    parts: dict[tuple[int, int], list[GroupDay]] = defaultdict(list)
    for day in of.days:
        local = of.local(day)
        parts[local.year, local.month].append(day)
    for part in parts.values():
        yield GroupSpan(of.group_id, part, of.zone)
