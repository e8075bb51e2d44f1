"""Metering days in seconds since 1970 (domain.md §1.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from balance_oracle.settings import HOUR


class MeteringDays:
    """Civil days of ``zone`` beginning at ``start_hour`` local time; a day is named by its first second."""

    def __init__(self, zone: str, start_hour: int) -> None:
        self._zone = ZoneInfo(zone)
        self._start_hour = start_hour
        self._start = cache(self._start_of)
        self._date = cache(self._date_of)

    def __reduce__(self) -> tuple[type[MeteringDays], tuple[str, int]]:
        """Without what is remembered, so that it goes to another process."""
        return MeteringDays, (self._zone.key, self._start_hour)

    def _start_of(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, self._start_hour, tzinfo=self._zone).timestamp())

    def _date_of(self, instant: int) -> date:
        day = datetime.fromtimestamp(instant, UTC).astimezone(self._zone).date()
        return day if self._start(day) <= instant else day - timedelta(days=1)

    def date_of(self, day: int) -> date:
        """The date of a metering day."""
        return self._date(day)

    def start_of(self, day: date) -> int:
        """When the metering day of a date starts."""
        return self._start(day)

    def local(self, instant: int) -> datetime:
        """What clocks on the wall show."""
        return datetime.fromtimestamp(instant, UTC).astimezone(self._zone)

    def containing(self, instant: int) -> int:
        """The day ``instant`` lies in."""
        return self._start(self._date(instant))

    def first_of_month(self, day: int) -> int:
        """The first metering day of the calendar month of a day."""
        return self._start(self._date(day).replace(day=1))

    def shifted(self, day: int, by: int) -> int:
        """The day ``by`` days later (earlier when negative)."""
        return self._start(self._date(day) + timedelta(days=by))

    def end(self, day: int) -> int:
        """The instant the day ends, which is where the next one starts."""
        return self.shifted(day, 1)

    def hours(self, day: int) -> range:
        """Starts of its hours: 23, 24 or 25."""
        return range(day, self.end(day), HOUR)

    def is_start(self, instant: int) -> bool:
        """Whether a day starts at ``instant``."""
        return self.containing(instant) == instant

    def overlapping(self, start: int, end: int) -> Iterator[int]:
        """Days that overlap the half-open span [start, end), oldest first."""
        day = self.containing(start)
        while day < end:
            yield day
            day = self.end(day)
