"""Longer spans of balance groups as the database adds them up, and since when a loss lasts.

The figures are those of imbalance.v_group_rolling and v_group_months (docs/domain.md §4.8); nothing is added
up here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

MOST_DAYS = 30
"""A span of days has no more; what is longer is also told by month."""

_DAYS = """
select group_id, day_start, supply, imbalance, verdict, missing_usage_points
from imbalance.v_group_days where day_start >= %s and day_start < %s order by group_id, day_start
"""
_FIGURES = """
select f.group_id, f.start_at, f.supply, f.members, f.imbalance, f.tolerance, f.coverage, f.verdict,
    f.days_due, f.days_computable, f.members_due, f.members_reported, f.unit"""
_ROLLING = f"""{_FIGURES}
from unnest(%s::text[], %s::timestamptz[]) as wanted (group_id, day_start)
cross join lateral (
    select * from imbalance.v_group_rolling r
    where r.group_id = wanted.group_id and r.day_start = wanted.day_start and r.span = '30 d'
    offset 0 -- a look-up for each of them
) f
"""
_MONTHS = f"""{_FIGURES}, f.month
from imbalance.v_group_months f
where f.day_start >= %s - interval '31 days' and f.day_start < %s and f.group_id = any (%s)
order by f.group_id, f.month
"""


@dataclass(frozen=True)
class GroupDay:
    """A row of imbalance.v_group_days: amounts in base units."""

    group_id: str
    day_start: datetime
    supply: int | None
    imbalance: int | None
    verdict: str
    missing_usage_points: list[str]


@dataclass(frozen=True)
class Figures:
    """What group-days come to together: a row of a view of longer spans, in base units."""

    group_id: str
    start_at: datetime
    supply: int | None
    members: int | None
    imbalance: int | None
    tolerance: int | None
    coverage: str
    verdict: str
    days_due: int
    days_computable: int
    members_due: int
    members_reported: int
    unit: str


@dataclass(frozen=True)
class Month(Figures):
    """A calendar month of a group."""

    month: date


@dataclass(frozen=True)
class GroupSpan:
    """The last days of one group, 30 at most."""

    figures: Figures
    days: Sequence[GroupDay]
    """They, oldest first; never empty."""
    since: GroupDay | None
    """First day of a loss (or surplus) that came and stays."""
    zone: str
    months: Sequence[Month] = ()
    """All its months, when there are more days than these."""

    @property
    def group_id(self) -> str:
        """Which group."""
        return self.figures.group_id

    @property
    def verdict(self) -> str:
        """LOSS, SURPLUS, WITHIN_TOLERANCE or UNDECIDED: by the sums, or since a day that it lasts from."""
        return self.since.verdict if self.since else self.figures.verdict

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


def read(dsn: str, zone: str, start: datetime, end: datetime) -> list[GroupSpan]:
    """The last days of all groups among those that start in [start, end), by group."""
    with psycopg.connect(dsn) as connection:
        days: dict[str, list[GroupDay]] = defaultdict(list)
        for day in connection.cursor(row_factory=class_row(GroupDay)).execute(_DAYS, (start, end)):
            days[day.group_id].append(day)
        figures = _rolling(connection, [of[-1] for of in days.values()])
        since = _lasting(connection, {name: figures[name].verdict != "UNDECIDED" for name in figures}, days)
        long = [name for name, of in days.items() if len(of) > MOST_DAYS]
        months: dict[str, list[Month]] = defaultdict(list)
        for month in connection.cursor(row_factory=class_row(Month)).execute(_MONTHS, (start, end, long)):
            months[month.group_id].append(month)
    return [
        GroupSpan(
            figures[name],
            [day for day in of if day.day_start >= figures[name].start_at],
            since.get(name),
            zone,
            months[name],
        )
        for name, of in sorted(days.items())
    ]


def changed_since(days: Sequence[GroupDay]) -> tuple[GroupDay, GroupDay] | None:
    """The first day of two or more that are all lost (or all surplus) to the end, and the day before it.

    Undecided days tell nothing.
    """
    run: list[GroupDay] = []
    for day in reversed([day for day in days if day.verdict != "UNDECIDED"]):
        if day.verdict == "WITHIN_TOLERANCE" or (run and day.verdict != run[-1].verdict):
            break
        run.append(day)
    before = [day for day in days if run and day.day_start < run[-1].day_start]
    return (run[-1], before[-1]) if len(run) > 1 and before else None


def _lasting(
    connection: psycopg.Connection, judged: Mapping[str, bool], days: Mapping[str, Sequence[GroupDay]]
) -> Mapping[str, GroupDay]:
    """By group, since when it loses: a run of lost days after a span that was within tolerance."""
    runs = {name: run for name, of in days.items() if judged[name] and (run := changed_since(of))}
    calm = _rolling(connection, [before for _, before in runs.values()])
    return {name: run[0] for name, run in runs.items() if calm[name].verdict == "WITHIN_TOLERANCE"}


def _rolling(connection: psycopg.Connection, last: Sequence[GroupDay]) -> dict[str, Figures]:
    """What the 30 days come to that end with each of these, by group."""
    keys = [day.group_id for day in last], [day.day_start for day in last]
    rows = connection.cursor(row_factory=class_row(Figures)).execute(_ROLLING, keys)
    return {row.group_id: row for row in rows}
