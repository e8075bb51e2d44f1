"""Weather days of the contract to what the domain knows, and back (instants are raw milliseconds)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from balance_chassis.errors import BadRecord
from balance_kernel.calendar import HOUR_S, Calendar
from balance_kernel.weather import WEATHER_DAYS, is_temperature, is_weather_day

from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport

WEATHER_DAY = "balance.v1.WeatherDayReported"
MOST_PARTS = 16
MOST_CHARACTERS = 500
"""Of an object path and a name together: more does not fit the index that finds them."""
_EARLIEST_MS = -2_208_988_800_000
_LATEST_MS = 7_258_118_400_000
"""1900 and 2200."""


def from_wire_weather_day(value: Mapping[str, Any], calendar: Calendar) -> WeatherReport:
    """A weather day; what is no temperature is not known. Raises BadRecord for what no source can say."""
    path, name, kind = tuple(value["object_path"]), value["name"], WeatherKind[value["kind"]]
    words = (*path, name)
    if (
        len(path) > MOST_PARTS
        or not all(words)
        or "\x00" in "".join(words)
        or sum(map(len, words)) > MOST_CHARACTERS
    ):
        raise BadRecord(
            f"expected an object path of up to {MOST_PARTS} parts and a name, none empty or with NUL, of up "
            f"to {MOST_CHARACTERS} characters together, found {str(words)[:200]}"
        )
    where = f"weather of {' > '.join(path) or 'everywhere'} by {value['kind']} {name}"
    if kind is WeatherKind.UNSPECIFIED:
        raise BadRecord(f"{where}: expected a kind of LOGGER, SERVICE or FILE, found {value['kind']}")
    for instant in (value["day_start_at"], value["reported_at"]):
        if not _EARLIEST_MS <= instant <= _LATEST_MS:
            raise BadRecord(f"{where}: expected an instant of the years 1900 to 2199, found {instant} ms")
    day_start, hours = _day(value["day_start_at"], calendar)
    values = value["values"]
    if not hours or value["step_s"] != HOUR_S or len(values) != hours:
        found = f"{len(values)} values of {value['step_s']} s at {value['day_start_at']} ms"
        raise BadRecord(
            f"{where}: expected one value an hour of a metering day of {calendar.zone} starting at "
            f"{calendar.day_start_hour}:00{f' ({hours} hours)' if hours else ''}, found {found}; "
            "whoever reports must have the calendar of the installation"
        )
    start, reported = (datetime.fromtimestamp(s, UTC) for s in (day_start, value["reported_at"] // 1000))
    if not is_weather_day(start, reported, calendar):
        found = f"{calendar.date_of(start)} told {calendar.date_of(reported)}"
        raise BadRecord(f"{where}: expected {WEATHER_DAYS}, found {found}")
    known = tuple(value if is_temperature(value) else None for value in values)
    day = WeatherDay(path, kind, name, day_start, known)
    return WeatherReport(day, value["version"], value["reported_at"] // 1000)


def to_wire_weather_day(report: WeatherReport) -> dict[str, Any]:
    """A WeatherDayReported."""
    day = report.day
    return {
        "object_path": list(day.object_path),
        "kind": day.kind.name,
        "name": day.name,
        "day_start_at": day.day_start * 1000,
        "step_s": HOUR_S,
        "values": list(day.values),
        "version": report.version,
        "reported_at": report.reported_at * 1000,
    }


def _day(milliseconds: int, calendar: Calendar) -> tuple[int, int]:
    """Start in seconds and hours of the metering day that starts then; 0 hours when none does."""
    instant = datetime.fromtimestamp(milliseconds // 1000, UTC)
    starts = milliseconds % 1000 == 0 and calendar.day_start(instant) == instant
    return milliseconds // 1000, calendar.hours(instant) if starts else 0
