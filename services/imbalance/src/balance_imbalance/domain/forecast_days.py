"""Months of the metering calendar, and the day that a month's forecast is as of (docs/domain.md §6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from balance_kernel.calendar import Calendar

_TOUCHED_DAYS = 59
"""How many days after a day a forecast may be as of that depends on it: it is a row of an estimate on a day
up to 28 days later (§4.2), and the month of that day has 31.
"""
_YEARS = (1, 2, 3)
_AROUND_DAYS = 8


def month_start(calendar: Calendar, day: datetime) -> datetime:
    """Start of the first metering day of the month that ``day`` (a start of a day) belongs to."""
    return calendar.start_of(calendar.date_of(day).replace(day=1))


def month_end(calendar: Calendar, day: datetime) -> datetime:
    """Start of the first metering day of the month after that of ``day``."""
    first = calendar.date_of(day).replace(day=1)
    return calendar.start_of((first + timedelta(days=31)).replace(day=1))


def month_days(calendar: Calendar, day: datetime) -> Sequence[datetime]:
    """All days of the month of ``day``, in order."""
    return list(calendar.days(month_start(calendar, day), month_end(calendar, day)))


def as_of_days(calendar: Calendar, first: datetime, last: datetime, done_to: datetime) -> Iterator[datetime]:
    """For each month with a day in ``first`` … ``last``: its last day, or ``done_to`` if that is before."""
    month = month_start(calendar, first)
    while first <= last and month <= last:
        following = month_end(calendar, month)
        yield min(calendar.shift(following, -1), done_to)
        month = following


def fallen(calendar: Calendar, after: datetime, last: datetime) -> Iterator[datetime]:
    """The day a forecast is then as of, for each month in which a day fell due."""
    return as_of_days(calendar, calendar.next_day(after), last, last)


def touched(calendar: Calendar, day: datetime, done_to: datetime) -> Iterator[datetime]:
    """The forecasts of the month of ``day``, and of later ones as of a day up to two months after it."""
    until = min(calendar.shift(day, _TOUCHED_DAYS), done_to)
    return (as_of for as_of in as_of_days(calendar, day, until, done_to))


def touched_by_register(
    calendar: Calendar, first: datetime, last: datetime, done_to: datetime
) -> Iterator[datetime]:
    """The forecasts that a subject with days from ``first`` to ``last`` can have."""
    return as_of_days(calendar, first, min(calendar.shift(last, _TOUCHED_DAYS), done_to), done_to)


def touched_by_weather(
    calendar: Calendar, first: datetime, last: datetime, done_to: datetime
) -> set[datetime]:
    """The forecasts that depend on the weather of a day in ``first`` … ``last``, those of later years too."""
    found = set(as_of_days(calendar, first, min(calendar.shift(last, _TOUCHED_DAYS), done_to), done_to))
    for years in _YEARS:
        start, end = (
            calendar.shift(calendar.start_of(years_before(calendar.date_of(day), -years)), around)
            for day, around in ((first, -_AROUND_DAYS), (last, _AROUND_DAYS))
        )
        found.update(as_of_days(calendar, start, min(end, done_to), done_to))
    return found


def years_before(day: date, years: int) -> date:
    """The same day of the calendar so many years before; the 28th for a 29th of February."""
    if day.month == 2 and day.day == 29:
        day = day.replace(day=28)
    return day.replace(year=day.year - years)
