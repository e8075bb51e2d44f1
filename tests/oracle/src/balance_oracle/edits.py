"""What operators decided about readings (domain.md §3.12). Instants in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import Finding
from balance_oracle.settings import HOUR


@dataclass(frozen=True)
class Decision:
    """What counts for one hour: a value to put in place, or null to confirm what evidence says."""

    value: int | None
    largest: bool | None
    """CONFIRM: of reports in conflict the largest, the smallest, or null when it does not say."""


Decisions = Mapping[int, Decision]


def decisions_by_point(edits: Iterable[Mapping[str, Any]]) -> dict[str, dict[int, Decision]]:
    """By usage point and hour, of the greatest version of each edit the one that was decided last."""
    newest: dict[str, Mapping[str, Any]] = {}
    for edit in edits:
        known = newest.get(edit["edit_id"])
        if known is None or known["version"] < edit["version"]:
            newest[edit["edit_id"]] = edit
    decided: dict[str, dict[int, Decision]] = {}
    for edit in sorted(newest.values(), key=lambda one: (one["decided_at"] // 1000, one["edit_id"])):
        if edit["state"] == "STANDING":
            decided.setdefault(edit["usage_point_id"], {}).update(_by_hour(edit))
    return decided


def _by_hour(edit: Mapping[str, Any]) -> dict[int, Decision]:
    hours = range(edit["start_at"] // 1000, edit["end_at"] // 1000, HOUR)
    if edit["action"] == "EDIT":
        return {hour: Decision(value, None) for hour, value in zip(hours, edit["values"], strict=True)}
    largest = {"SMALLEST": False, "LARGEST": True}.get(edit["of_conflict"])
    return {hour: Decision(None, largest) for hour in hours}


def is_decided(finding: Finding, decisions: Decisions, days: MeteringDays) -> bool:
    """Whether all of the span of a finding lies in hours for which a decision counts."""
    _, _, start, end = finding
    first = start - (start - days.containing(start)) % HOUR
    return start < end and all(hour in decisions for hour in range(first, end, HOUR))
