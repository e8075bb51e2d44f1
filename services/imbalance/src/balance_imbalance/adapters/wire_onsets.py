"""Onsets and hourly alarms as records of the contract, and what of a group-day starts them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from balance_chassis.errors import BadRecord
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource

from balance_imbalance.domain.messages import ChangedGroupDay
from balance_imbalance.domain.onset import Side

ONSET = "balance.v1.GroupOnsetChanged"
HOUR_ALARM = "balance.v1.GroupHourAlarmChanged"


def from_wire_group_day(value: Mapping[str, Any], calendar: Calendar) -> ChangedGroupDay:
    """Which group-day changed. Raises BadRecord for a day that cannot be of this installation."""
    day_start = datetime.fromtimestamp(value["day_start_at"] / 1000, UTC)
    if calendar.day_start(day_start) != day_start:
        raise BadRecord(
            f"group-day of {value['group_id']}: expected the start of a metering day of {calendar.zone} "
            f"starting at {calendar.day_start_hour}:00, found {day_start.isoformat()}"
        )
    return ChangedGroupDay(value["group_id"], day_start)


def to_wire_onset(row: Mapping[str, Any]) -> dict[str, Any]:
    """A GroupOnsetChanged of a row of the query `current_onsets`."""
    return {
        **_head(row),
        "alarmed_day_at": _milliseconds(row["alarmed_day"]),
        "state": _state(row, row["ended_day"]),
        "side": Side(row["side"]).name,
        "since_day_at": _milliseconds(row["since_day"]),
        "ended_day_at": row["ended_day"] and _milliseconds(row["ended_day"]),
        "size_per_day": row["size_per_day"],
        "size_per_hour": row["size_per_hour"],
        "baseline_constant": row["baseline_constant"],
        "baseline_slope_ppm": row["baseline_slope_ppm"],
        "baseline_spread_ppm": row["baseline_spread_ppm"],
        "baseline_days": row["baseline_days"],
    }


def to_wire_hour_alarm(row: Mapping[str, Any]) -> dict[str, Any]:
    """A GroupHourAlarmChanged of a row of the query `current_hour_alarms`."""
    start_at = _milliseconds(row["start_at"])
    return {
        **_head(row),
        "start_at": start_at,
        "state": _state(row, row["ended_at"]),
        "confirmed_at": start_at + 2 * 3_600_000,
        "ended_at": row["ended_at"] and _milliseconds(row["ended_at"]),
        "hours_above": row["hours_above"],
        "excess_per_hour": row["excess_per_hour"],
    }


def _head(row: Mapping[str, Any]) -> dict[str, Any]:
    resource = list(Resource)[row["resource"]]
    return {
        "group_id": row["group_id"],
        "resource": resource.value,
        "unit": resource.unit.value,
        "version": row["version"],
        "is_recomputation": row["is_recomputation"],
        "algorithm_version": row["algorithm_version"],
        "settings_hash": row["settings_hash"],
        "changed_at": _milliseconds(row["changed_at"]),
    }


def _state(row: Mapping[str, Any], ended: datetime | None) -> str:
    if row["withdrawn"]:
        return "WITHDRAWN"
    return "OPEN" if ended is None else "ENDED"


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
