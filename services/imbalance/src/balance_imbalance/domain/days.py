"""Which group-days there are (docs/domain.md §4.7)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from balance_kernel.calendar import HOUR_S, Calendar

from balance_imbalance.domain.figures import Flags
from balance_imbalance.domain.register import Membership

_NIGHT = (2, 3)


def holds_in_day(membership: Membership, day_start: int, hours: int) -> bool:
    """Whether a membership is valid at the start of an hour of the day that starts at ``day_start``
    (seconds).
    """
    late = max(membership.valid_from - day_start, 0)
    first_hour = -(-late // HOUR_S)
    return first_hour < hours and day_start + first_hour * HOUR_S < membership.valid_to


def last_ended(calendar: Calendar, clock: datetime, grace_s: int) -> datetime:
    """Start of the last metering day that ended ``grace_s`` or more before the clock."""
    return calendar.shift(calendar.day_start(clock - timedelta(seconds=grace_s)), -1)


def silent_days(
    calendar: Calendar, memberships: Sequence[Membership], first: datetime | None, last: datetime
) -> Sequence[datetime]:
    """Days that exist though nobody may have reported: ``first`` to ``last`` with a membership valid,
    ascending.
    """
    if first is None:
        return []
    return [
        day
        for day in calendar.days(first, calendar.next_day(last))
        if any(holds_in_day(m, int(day.timestamp()), calendar.hours(day)) for m in memberships)
    ]


def out_of_place(
    silent: Iterable[datetime], existing: Iterable[datetime], first: datetime | None, last: datetime
) -> set[datetime]:
    """Days to be looked at: those of ``silent`` that do not exist yet, and those that exist without being of
    it.

    A day after ``last`` exists by its readings alone and is left to them.
    """
    wanted, there = set(silent), set(existing)
    return (wanted - there) | {day for day in there - wanted if first is None or day <= last}


@lru_cache(maxsize=1024)
def night_hours(calendar: Calendar, day_start: datetime) -> Flags:
    """Which hours of the day begin at 02:00 or later and before 04:00 by the local clock, (h,)."""
    zone = ZoneInfo(calendar.zone)
    hours = (day_start + timedelta(hours=hour) for hour in range(calendar.hours(day_start)))
    return np.array([instant.astimezone(zone).hour in _NIGHT for instant in hours])
