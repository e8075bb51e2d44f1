"""Outdoor temperatures of a CSV to the topic of weather (docs/domain.md §5.1, docs/how-tos/weather.md).

A day that is in the file replaces what a file of the same name said of it; other days stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from balance_kernel.calendar import HOUR_S
from balance_kernel.weather import hourly_means, source_key
from balance_schemas import catalogue

from balance_local.installation import Installation
from balance_local.stack import Say
from balance_local.versioning import Told, publish_changed
from balance_local.weather_file import KIND, ObjectPath, WeatherFile, path_text

WEATHER_DAY = "balance.v1.WeatherDayReported"
_MOST_NAMED = 5


@dataclass(frozen=True)
class Loaded:
    """Weather days sent, and how many were as sent before."""

    sent: int
    unchanged: int


def load(installation: Installation, file: WeatherFile, say: Say) -> Loaded:
    """Publish the days of a file that changed, each in its next version; what is odd about them is said.

    Raises InstallationError when the topics were not applied.
    """
    calendar = installation.settings().calendar
    days: list[Told] = []
    for path in sorted(file.observations):
        hourly = hourly_means(file.observations[path], calendar)
        days.extend(_entity(path, file.name, day, values) for day, values in sorted(hourly.items()))
        _say_gaps(path, hourly, say)
    say(f"weather days: {len(days):,}, objects: {len(file.observations):,}")

    with psycopg.connect(installation.dsn) as connection:
        for path in file.observations:
            _say_if_nobodys(connection, path, say)
    published = publish_changed(installation, catalogue.WEATHER, days, _message)
    return Loaded(len(published.sent), published.unchanged)


def _entity(path: ObjectPath, name: str, day: datetime, values: Sequence[int | None]) -> Told:
    value = {
        "object_path": list(path),
        "kind": KIND,
        "name": name,
        "day_start_at": round(day.timestamp() * 1000),
        "step_s": HOUR_S,
        "values": list(values),
    }
    return Told(f"{source_key(path, KIND, name).decode()} {day.isoformat()}", WEATHER_DAY, value)


def _message(value: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    key = source_key(value["object_path"], value["kind"], value["name"])
    return key, {**value, "reported_at": round(datetime.now(UTC).timestamp() * 1000)}


def _say_gaps(path: ObjectPath, hourly: Mapping[datetime, Sequence[int | None]], say: Say) -> None:
    """Hours between the first and the last known of which nothing is, also on days that are not there."""
    known = [
        round(day.timestamp()) // HOUR_S + hour
        for day, values in hourly.items()
        for hour, value in enumerate(values)
        if value is not None
    ]
    if not known:
        say(f"{path_text(path)}: no temperature at all")
        return
    there = set(known)
    gaps = [hour for hour in range(min(known), max(known)) if hour not in there]
    if gaps:
        first = datetime.fromtimestamp(gaps[0] * HOUR_S, UTC)
        say(f"{path_text(path)}: hours not known: {len(gaps):,}, the first {first:%Y-%m-%d %H:%M} UTC")


def _say_if_nobodys(connection: psycopg.Connection, path: ObjectPath, say: Say) -> None:
    """Say when no usage point that was described lies in the object, and who lies beside it."""
    rows = connection.execute(
        "select distinct value->'object_path' from gateway.v_entities where kind = 'usage-point'"
    )
    paths = {tuple(found) for (found,) in rows}
    if not paths:
        say("no usage points are on the register yet: weather counts for those beneath its object")
        return
    if any(found[: len(path)] == path for found in paths):
        return
    beside = sorted({path_text(found[: len(path)]) for found in paths})[:_MOST_NAMED]
    say(
        f"no usage point that was described lies in {path_text(path)}, found {', '.join(beside) or 'none'}: "
        "it is loaded, and counts as soon as one does"
    )
