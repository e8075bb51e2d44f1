"""The published read contract of the services, as SQL shows it."""

from __future__ import annotations

from typing import Any

import psycopg
from balance_local.installation import Installation

from balance_chaos.outcome import FIGURES, Extremes, Finding, Key, Outcome, ReadingDay, outcome, subject

_MS = "(extract(epoch FROM {}) * 1000)::bigint"
_DAY_MS = _MS.format("day_start")
_NUMBERS = """supply, members, imbalance, tolerance, coverage, verdict, members_due, members_reported,
    round(missing_share * 1000000)::int"""
_READINGS = f"""SELECT usage_point_id, {_DAY_MS}, value, quality, minimum, maximum FROM ingest.v_readings
    ORDER BY usage_point_id, start_at"""
_GROUP_HOURS = (
    f"SELECT group_id, {_DAY_MS}, {_NUMBERS} FROM imbalance.v_group_hours ORDER BY group_id, start_at"
)
_GROUP_DAYS = f"""SELECT group_id, {_DAY_MS}, resource, unit, missing_usage_points, {_NUMBERS}
    FROM imbalance.v_group_days"""
_FINDINGS = f"""SELECT rule, usage_point_id, module_id, channel, concentrator_id,
    {_MS.format("interval_start_at")}, {_MS.format("interval_end_at")}
    FROM ingest.v_findings WHERE state = 'OPEN'"""


def from_views(made: Installation) -> Outcome:
    """`ingest.v_readings`, `ingest.v_findings`, `imbalance.v_group_days` and `imbalance.v_group_hours`."""
    readings: dict[Key, ReadingDay] = {}
    extremes: dict[Key, Extremes] = {}
    hours: dict[Key, list[dict[str, Any]]] = {}
    group_days: dict[Key, dict[str, Any]] = {}
    with psycopg.connect(made.dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # hours and days of one moment
        for point, day, value, quality, *extreme in connection.execute(_READINGS):
            values, qualities = readings.setdefault((point, day), ([], []))
            values.append(value)
            qualities.append(quality)
            least, greatest = extreme
            extremes.setdefault((point, day), []).append((least, greatest))
        for group, day, *figures in connection.execute(_GROUP_HOURS):
            hours.setdefault((group, day), []).append(dict(zip(FIGURES, figures, strict=True)))
        for group, day, resource, unit, missing, *figures in connection.execute(_GROUP_DAYS):
            group_days[group, day] = {
                "group_id": group,
                "resource": resource,
                "unit": unit,
                "day_start_at": day,
                "step_s": 3600,
                "day": dict(zip(FIGURES, figures, strict=True)),
                "hours": hours[group, day],
                "missing_usage_points": missing,
            }
        findings: list[Finding] = [
            (rule, subject(*about), start, end) for rule, *about, start, end in connection.execute(_FINDINGS)
        ]
    return outcome(readings, group_days, findings, extremes)
