"""Metering days in epoch seconds, for arrays (docs/domain.md §1.1, §1.5)."""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
from balance_kernel.calendar import Calendar
from numpy.typing import NDArray

HOUR_S = 3600
DAY_S = 86_400
_FIRST = datetime(1995, 1, 1, tzinfo=UTC)
_LAST = datetime(2103, 1, 1, tzinfo=UTC)

Ints = NDArray[np.int64]
Span = tuple[int, int]
"""[start, end) in seconds since 1970."""
EARLIEST, LATEST = -62_000_000_000, 250_000_000_000
"""What a date and a timestamptz certainly hold; what devices say may be any number."""


class Days:
    """All metering days that evidence may lie in. An instant is an int of seconds since 1970, UTC.

    A day is named by its start. Evidence lies within 1,100 days of a receipt in 2000 … 2100 (§2.5), so the
    days from 1995 to 2103 are all there are.
    """

    def __init__(self, calendar: Calendar) -> None:
        """Take the days of this calendar."""
        self.calendar = calendar

    @cached_property
    def starts(self) -> Ints:
        """Start of every day, rising."""
        first, last = self.calendar.date_of(_FIRST).toordinal(), self.calendar.date_of(_LAST).toordinal()
        starts = (self.calendar.start_of(date.fromordinal(n)) for n in range(first, last + 1))
        return np.fromiter((int(start.timestamp()) for start in starts), np.int64)

    @cached_property
    def _list(self) -> list[int]:
        """The same for one at a time: numpy takes ten times as long to find one."""
        found: list[int] = self.starts.tolist()
        return found

    @cached_property
    def hours_by_start(self) -> dict[int, int]:
        """Hours (23, 24 or 25) of every day, by its start."""
        hours = np.diff(self.starts) // HOUR_S
        return dict(zip(self.starts[:-1].tolist(), hours.tolist(), strict=True))

    def index(self, instant: int) -> int:
        """Position in `starts` of the day that holds an instant."""
        return bisect_right(self._list, instant) - 1

    def day_of(self, instant: int) -> int:
        """Start of the day that holds an instant."""
        return self._list[self.index(instant)]

    def days_of(self, instants: Ints) -> Ints:
        """Start of the day of each instant."""
        found: Ints = self.starts[np.searchsorted(self.starts, instants, side="right") - 1]
        return found

    def shift(self, day: int, days: int) -> int:
        """Start of the day so many days after (or before) a day."""
        return self._list[self.index(day) + days]

    def shifted(self, days: Ints, by: int) -> Ints:
        """Start of the day so many days after each day."""
        found: Ints = self.starts[np.searchsorted(self.starts, days) + by]
        return found

    def end_of(self, day: int) -> int:
        """End of a day, the start of the next."""
        return day + HOUR_S * self.hours_by_start[day]

    def between(self, start: int, end: int) -> list[int]:
        """Days that overlap [start, end)."""
        if end <= start:
            return []
        return self._list[self.index(start) : self.index(end - 1) + 1]


def as_datetime(instant: int) -> datetime:
    """Aware datetime of an instant in seconds."""
    return datetime.fromtimestamp(instant, UTC)
