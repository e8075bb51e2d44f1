"""Outdoor temperatures as they are told: what is one, whose they are, and their hourly means (docs/domain.md
§5).

Temperatures are thousandths of a degree Celsius.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeGuard

from balance_kernel.calendar import HOUR_S, Calendar

COLDEST, HOTTEST = -70_000, 60_000
"""What lies outside is no temperature (§5.1): 85 °C is a thermometer that was just switched on."""
EARLIEST_YEAR = 1990
_AHEAD = timedelta(days=1)
WEATHER_DAYS = f"a day from {EARLIEST_YEAR} to one day after it is told"
"""Of which weather may be told, in words (§5.1)."""


def is_temperature(value: int | None) -> TypeGuard[int]:
    """Whether that is a temperature of the air (§5.1)."""
    return value is not None and COLDEST <= value <= HOTTEST


def is_weather_day(day_start: datetime, reported_at: datetime, calendar: Calendar) -> bool:
    """Whether weather may be told then of the metering day that starts at ``day_start`` (§5.1)."""
    return calendar.date_of(day_start).year >= EARLIEST_YEAR and day_start <= reported_at + _AHEAD


def source_key(object_path: Sequence[str], kind: str, name: str) -> bytes:
    """Key on the topic of all weather days of one source.

    >>> source_key(["Town"], "FILE", "winter")
    b'[["Town"],"FILE","winter"]'
    """
    return json.dumps([list(object_path), kind, name], ensure_ascii=False, separators=(",", ":")).encode()


def hourly_means(
    observations: Iterable[tuple[int, int]], calendar: Calendar
) -> Mapping[datetime, list[int | None]]:
    """By metering day, the mean of the observations in each of its hours, rounded half up; None without any.

    Observations are (seconds since 1970, temperature) in any order. What is no temperature says nothing, but
    its day is there.
    """
    hours: defaultdict[tuple[datetime, int], list[int]] = defaultdict(list)
    days: dict[datetime, list[int | None]] = {}
    for at, temperature in observations:
        instant = datetime.fromtimestamp(at, UTC)
        day = calendar.day_start(instant)
        if day not in days:
            days[day] = [None] * calendar.hours(day)
        if is_temperature(temperature):
            hours[day, int((instant - day).total_seconds()) // HOUR_S].append(temperature)
    for (day, hour), told in hours.items():
        days[day][hour] = (2 * sum(told) + len(told)) // (2 * len(told))
    return days
