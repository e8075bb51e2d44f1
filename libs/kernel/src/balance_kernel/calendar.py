"""The metering calendar: which metering day an instant belongs to (docs/domain.md §1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

HOUR_S = 3600


@dataclass(frozen=True)
class Calendar:
    """Civil days of one zone, starting at ``day_start_hour`` local time; 23, 24 or 25 hours long.

    >>> moldova = Calendar("Europe/Chisinau")
    >>> start = moldova.day_start(datetime(2026, 3, 29, 12, tzinfo=UTC))
    >>> start.isoformat(), moldova.hours(start)
    ('2026-03-28T22:00:00+00:00', 23)
    """

    zone: str = "Europe/Chisinau"
    day_start_hour: int = 0
    _starts: dict[date, datetime] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    def start_of(self, day: date) -> datetime:
        """Instant (UTC) at which the metering day named ``day`` starts."""
        start = self._starts.get(day)
        if start is None:
            local = datetime(day.year, day.month, day.day, self.day_start_hour, tzinfo=self._zone)
            start = self._starts[day] = local.astimezone(UTC)
        return start

    def date_of(self, instant: datetime) -> date:
        """Name of the metering day that contains ``instant`` (aware)."""
        day = instant.astimezone(self._zone).date()
        return day if self.start_of(day) <= instant else day - timedelta(days=1)

    def day_start(self, instant: datetime) -> datetime:
        """Start (UTC) of the metering day that contains ``instant``."""
        return self.start_of(self.date_of(instant))

    def shift(self, day_start: datetime, days: int) -> datetime:
        """Start of the metering day ``days`` after (or before) the one starting at ``day_start``."""
        return self.start_of(self.date_of(day_start) + timedelta(days=days))

    def next_day(self, day_start: datetime) -> datetime:
        """Start of the next metering day, which is the end of this one."""
        return self.shift(day_start, 1)

    def hours(self, day_start: datetime) -> int:
        """Number of hours of the day: 23, 24 or 25."""
        return int((self.next_day(day_start) - day_start).total_seconds()) // HOUR_S

    def days(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Starts of the days that overlap the half-open span [start, end), oldest first."""
        day = self.date_of(start)
        while (current := self.start_of(day)) < end:
            yield current
            day += timedelta(days=1)
