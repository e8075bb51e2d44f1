"""Group-days as records of the contract (schemas: instants are raw milliseconds)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from balance_kernel.quantity import Resource

from balance_imbalance.domain.register import GroupProblem
from balance_imbalance.domain.rules import Coverage, Verdict

GROUP_DAY = "balance.v1.GroupDayComputed"

_COVERAGES = tuple(coverage.name for coverage in Coverage)
_VERDICTS = tuple(verdict.name for verdict in Verdict)
_SPAN = (
    "supply",
    "members",
    "imbalance",
    "tolerance",
    "coverage",
    "verdict",
    "members_due",
    "members_reported",
    "missing_share_ppm",
    "unregistered",
    "imbalance_lowest",
    "imbalance_highest",
)


def to_wire_group_day(row: Mapping[str, Any]) -> dict[str, Any]:
    """A GroupDayComputed of a row of the query `current_group_days`."""
    resource = list(Resource)[row["resource"]]
    return {
        "group_id": row["group_id"],
        "resource": resource.value,
        "unit": resource.unit.value,
        "day_start_at": _milliseconds(row["day_start"]),
        "step_s": row["step_s"],
        "version": row["version"],
        "algorithm_version": row["algorithm_version"],
        "settings_hash": row["settings_hash"],
        "computed_at": _milliseconds(row["computed_at"]),
        "day": _span([row[name] for name in _SPAN]),
        "hours": _hours(row),
        "missing_usage_points": row["missing_usage_points"],
        "missing_not_listed": len(row["missing"]) - len(row["missing_usage_points"]),
        "members_estimated": row["members_estimated"],
        "unmetered_usage_points": row["unmetered_usage_points"],
        "unmetered_not_listed": len(row["unmetered"]) - len(row["unmetered_usage_points"]),
        "night": None if row["night_hours"] is None else _night(row),
        "base": None if row["base_verdict"] is None else _base(row),
        "problems": [GroupProblem(problem).name for problem in row["problems"]],
        "is_recomputation": row["is_recomputation"],
        "previous": row["previous"] and _previous(row["previous"]),
    }


def _span(figures: Sequence[int | None]) -> dict[str, Any]:
    named = dict(zip(_SPAN, figures, strict=True))
    return {
        **named,
        "coverage": _COVERAGES[named["coverage"] or 0],
        "verdict": _VERDICTS[named["verdict"] or 0],
    }


def _hours(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Hours of the row, with what it leaves out: no flow unregistered, and bounds that are the imbalance."""
    imbalance = row["hour_imbalance"]
    left_out = {
        "unregistered": [0] * len(imbalance),
        "imbalance_lowest": imbalance,
        "imbalance_highest": imbalance,
    }
    columns = (left_out.get(name) if row[f"hour_{name}"] is None else row[f"hour_{name}"] for name in _SPAN)
    return [_span(hour) for hour in zip(*columns, strict=True)]


def _night(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[f"night_{name}"] for name in ("hours", "supply", "members", "imbalance")}


def _base(row: Mapping[str, Any]) -> dict[str, Any]:
    quantities = {name: row[f"base_{name}"] for name in ("supply", "members", "imbalance", "tolerance")}
    return {**quantities, "verdict": _VERDICTS[row["base_verdict"]]}


def _previous(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **figures,
        "coverage": _COVERAGES[figures["coverage"]],
        "verdict": _VERDICTS[figures["verdict"]],
    }


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
