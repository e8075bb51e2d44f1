"""What the days of a balance group tell: who is missing since when, what was computed again, charts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Silence:
    """A usage point that is missing on the newest day, and since which; longer if `is_at_least`.

    `is_unmetered`: for so long that it counts as having no meter.
    """

    usage_point_id: str
    since: datetime
    is_at_least: bool
    is_unmetered: bool


def silences(days: Sequence[Row]) -> list[Silence]:
    """Of rows of `group_days`, the oldest first; who is silent longest first."""
    if not days:
        return []
    newest = days[-1]
    unmetered = set(newest["unmetered_usage_points"])
    found = []
    for point in newest["missing_usage_points"]:
        since, is_at_least = newest["day_start"], True
        for day in reversed(days):
            if point not in day["missing_usage_points"]:
                is_at_least = False
                break
            since = day["day_start"]
        found.append(Silence(point, since, is_at_least, point in unmetered))
    return sorted(found, key=lambda one: (one.since, one.usage_point_id))


@dataclass(frozen=True, slots=True)
class Again:
    """How often the days shown were computed again, and when last."""

    times: int
    days: int
    last_at: datetime | None


def computed_again(days: Iterable[Row]) -> Again:
    """Of rows of `group_days`."""
    again = [day for day in days if day["version"] > 1]
    return Again(
        sum(day["version"] - 1 for day in again),
        len(again),
        max((day["computed_at"] for day in again), default=None),
    )


_SERIES = ("imbalance", "supply", "members")
_UNITS = {"MILLILITRE": (1e6, "m³"), "WATT_HOUR": (1e3, "kWh")}


def in_units(value: float | None, unit: str | None) -> tuple[float | None, str]:
    """Base units in what people count in, and its name."""
    scale, name = _UNITS.get(unit or "", (1.0, unit or ""))
    return None if value is None else value / scale, name


def figures(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """Columns for a chart of days, hours or months: instants in s, m³ or kWh, null where unknown."""
    unit = rows[0]["unit"] if rows else None

    def scaled(value: int | None) -> float | None:
        return in_units(value, unit)[0]

    columns: dict[str, list[Any]] = {name: [scaled(row[name]) for row in rows] for name in _SERIES}
    columns["start"] = [int(row["start_at"].timestamp()) for row in rows]
    columns["end"] = [int(row["end_at"].timestamp()) for row in rows]
    columns["lower"] = [scaled(_negative(row["tolerance"])) for row in rows]
    columns["upper"] = [
        scaled(None if row["tolerance"] is None else row["tolerance"] + row["unregistered"]) for row in rows
    ]
    columns["verdict"] = [row["verdict"] for row in rows]
    columns["coverage"] = [row["coverage"] for row in rows]
    return columns


def _negative(value: int | None) -> int | None:
    return None if value is None else -value


@dataclass(frozen=True, slots=True)
class Member:
    """A membership that holds, with what its usage point used on the days shown; shares 0 to 1 or None.

    `share` is of all members (of all supply meters for one of these), `heard` of the hours there were.
    """

    usage_point_id: str
    nested_group_id: str | None
    coefficient: float
    object_path: Sequence[str]
    meter_number: str
    used: int | None
    share: float | None
    heard: float | None
    findings: int
    has_error: bool
    newest_finding: str
    silence: Silence | None


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of usage points besides the register, by id: consumption, findings, silence."""

    used: Mapping[str, Row]
    findings: Mapping[str, Row]
    silences: Mapping[str, Silence]
    hours: int


def holding(rows: Iterable[Row], role: str, at: datetime) -> list[Row]:
    """Rows of `group_members` of that role that hold at an instant."""
    at_ms = at.timestamp() * 1000
    return [
        row
        for row in rows
        if row["role"] == role
        and row["valid_from"] <= at_ms
        and (row["valid_to"] is None or at_ms < row["valid_to"])
    ]


def members(rows: Sequence[Row], told: Told, at: datetime) -> list[Member]:
    """Of rows that hold at an instant; the silent first, then by what they used."""
    found = [_member(row, told, at) for row in rows]
    total = sum((one.used or 0) * one.coefficient for one in found)
    shared = [
        one if not total or one.used is None else replace(one, share=one.used * one.coefficient / total)
        for one in found
    ]
    return sorted(shared, key=lambda one: (one.silence is None, -(one.used or 0), one.usage_point_id))


def _member(row: Row, told: Told, at: datetime) -> Member:
    point = row["usage_point_id"] or ""
    used, findings = told.used.get(point), told.findings.get(point)
    return Member(
        usage_point_id=point,
        nested_group_id=row["nested_group_id"],
        coefficient=row["coefficient_ppm"] / 1e6,
        object_path=row["object_path"] or (),
        meter_number=_meter_number(row["meters"] or (), at),
        used=used["used"] if used else None,
        share=None,
        heard=(used["hours_reported"] if used else 0) / told.hours if told.hours else None,
        findings=findings["findings"] if findings else 0,
        has_error=bool(findings and findings["has_error"]),
        newest_finding=findings["newest"] if findings else "",
        silence=told.silences.get(point),
    )


def _meter_number(meters: Iterable[Mapping[str, Any]], at: datetime) -> str:
    at_ms = at.timestamp() * 1000
    for meter in meters:
        if meter["fitted_at"] <= at_ms and (meter["removed_at"] is None or at_ms < meter["removed_at"]):
            return str(meter["meter_number"])
    return ""
