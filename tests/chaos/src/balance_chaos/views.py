"""The published read contract of the services, as SQL shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from balance_local.installation import Installation

from balance_chaos.outcome import (
    BASE,
    FIGURES,
    NIGHT,
    Extremes,
    Finding,
    Key,
    Outcome,
    ReadingDay,
    outcome,
    subject,
)

_MS = "(extract(epoch FROM {}) * 1000)::bigint"
_DAY_MS = _MS.format("day_start")
_NUMBERS = """supply, members, imbalance, tolerance, coverage, verdict, members_due, members_reported,
    round(missing_share * 1000000)::int, unregistered, imbalance_lowest, imbalance_highest"""
_READINGS = f"""SELECT usage_point_id, {_DAY_MS}, value, quality, minimum, maximum FROM ingest.v_readings
    ORDER BY usage_point_id, start_at"""
_GROUP_HOURS = (
    f"SELECT group_id, {_DAY_MS}, {_NUMBERS} FROM imbalance.v_group_hours ORDER BY group_id, start_at"
)
_GROUP_DAYS = f"""SELECT group_id, {_DAY_MS}, resource, unit, missing_usage_points, members_estimated,
    unmetered_usage_points, problems, night_hours, night_supply, night_members, night_imbalance,
    base_supply, base_members, base_imbalance, base_tolerance, base_verdict, {_NUMBERS}
    FROM imbalance.v_group_days"""
_FINDINGS = f"""SELECT rule, usage_point_id, module_id, channel, concentrator_id,
    {_MS.format("interval_start_at")}, {_MS.format("interval_end_at")}
    FROM ingest.v_findings WHERE state = 'OPEN'"""


def from_views(made: Installation) -> Outcome:
    """`ingest.v_readings`, `ingest.v_findings`, `imbalance.v_group_days` and `imbalance.v_group_hours`."""
    readings: dict[Key, ReadingDay] = {}
    extremes: dict[Key, Extremes] = {}
    with psycopg.connect(made.dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # hours and days of one moment
        for point, day, value, quality, *extreme in connection.execute(_READINGS):
            values, qualities = readings.setdefault((point, day), ([], []))
            values.append(value)
            qualities.append(quality)
            least, greatest = extreme
            extremes.setdefault((point, day), []).append((least, greatest))
        group_days = group_days_from_views(connection)
        findings: list[Finding] = [
            (rule, subject(*about), start, end) for rule, *about, start, end in connection.execute(_FINDINGS)
        ]
    return outcome(readings, group_days, findings, extremes)


def group_days_from_views(connection: psycopg.Connection[Any]) -> dict[Key, dict[str, Any]]:
    """`imbalance.v_group_days` and `imbalance.v_group_hours`."""
    hours: dict[Key, list[dict[str, Any]]] = {}
    for group, day, *figures in connection.execute(_GROUP_HOURS):
        hours.setdefault((group, day), []).append(dict(zip(FIGURES, figures, strict=True)))
    return {
        (group, day): _group_day(group, day, hours[group, day], columns)
        for group, day, *columns in connection.execute(_GROUP_DAYS)
    }


def _group_day(group: str, day: int, hours: Sequence[Any], columns: Sequence[Any]) -> dict[str, Any]:
    """A row of `_GROUP_DAYS` after its key, in the shape of the contract."""
    resource, unit, missing, estimated, unmetered, problems, *figures = columns
    night, base, figures = figures[:4], figures[4:9], figures[9:]
    return {
        "group_id": group,
        "resource": resource,
        "unit": unit,
        "day_start_at": day,
        "step_s": 3600,
        "day": dict(zip(FIGURES, figures, strict=True)),
        "hours": hours,
        "missing_usage_points": missing,
        "members_estimated": estimated,
        "unmetered_usage_points": unmetered,
        "night": None if night[0] is None else dict(zip(NIGHT, night, strict=True)),
        "base": None if base[0] is None else dict(zip(BASE, base, strict=True)),
        "problems": problems,
    }
