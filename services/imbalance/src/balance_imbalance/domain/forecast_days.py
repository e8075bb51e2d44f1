"""Months of the metering calendar, and the day that a month's forecast is as of (docs/domain.md §6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from balance_kernel.calendar import Calendar

WINDOW_DAYS = 42
"""How many days before the one a forecast is as of it is computed from, beside those of its month."""


def month_start(calendar: Calendar, day: datetime) -> datetime:
    """Start of the first metering day of the month that ``day`` (a start of a day) belongs to."""
    return calendar.start_of(calendar.date_of(day).replace(day=1))


def month_end(calendar: Calendar, day: datetime) -> datetime:
    """Start of the first metering day of the month after that of ``day``."""
    first = calendar.date_of(day).replace(day=1)
    return calendar.start_of((first + timedelta(days=31)).replace(day=1))


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
    """The forecasts of the month of ``day``, and of later ones as of a day in the window after it."""
    until = min(calendar.shift(day, WINDOW_DAYS), done_to)
    return (as_of for as_of in as_of_days(calendar, day, until, done_to))


def years_before(day: date, years: int) -> date:
    """The same day of the calendar so many years before; the 28th for a 29th of February."""
    if day.month == 2 and day.day == 29:
        day = day.replace(day=28)
    return day.replace(year=day.year - years)
