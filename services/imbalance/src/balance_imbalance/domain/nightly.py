"""Results computed once a metering day, when it has fallen due, and again when what they depend on changes.

A day *falls due* when it has ended the grace before the clock (docs/domain.md §4.7). Of each kind it is told
which of its results fall due with a span of days, and which depend on a day that is stored later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from balance_kernel.calendar import Calendar


class Source(Enum):
    """What results of a kind are computed from, and so what marks them and who their subjects are."""

    READING_DAYS = "reading_days"
    """Subjects are usage points."""
    HOMES = "homes"
    """Reading days of homes and their thermometers; subjects are homes (docs/domain.md §7.1)."""
    GROUP_DAYS = "group_days"
    """Subjects are balance groups."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of result. ``name`` is its row of `imbalance.nightly`, ``markers`` its table of markers.

    Days are starts of metering days. A result belongs to one subject and one day.
    """

    name: str
    markers: str
    source: Source
    fallen: Callable[[Calendar, datetime, datetime], Iterable[datetime]]
    """(calendar, after, last): days whose results fall due with the days later than ``after`` up to
    ``last``.
    """
    touched: Callable[[Calendar, datetime, datetime], Iterable[datetime]]
    """(calendar, day, done_to): days up to ``done_to`` whose results depend on what is stored of ``day``."""


def each_day(calendar: Calendar, after: datetime, last: datetime) -> Iterable[datetime]:
    """`Kind.fallen` of a kind with a result for every day."""
    return calendar.days(calendar.next_day(after), calendar.next_day(last))


def days_after(count: int) -> Callable[[Calendar, datetime, datetime], Iterable[datetime]]:
    """`Kind.touched` of a kind whose result of a day depends on that day and ``count`` days before it."""

    def touched(calendar: Calendar, day: datetime, done_to: datetime) -> Iterable[datetime]:
        return calendar.days(day, calendar.next_day(min(calendar.shift(day, count), done_to)))

    return touched


def pairs_touched(
    kind: Kind, calendar: Calendar, days: Iterable[datetime], done_to: datetime
) -> Sequence[tuple[datetime, datetime]]:
    """(day stored, day of a result that depends on it) for all ``days``, none later than ``done_to``."""
    return [(day, touched) for day in days for touched in kind.touched(calendar, day, done_to)]
