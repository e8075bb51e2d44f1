"""What an installation comes to in the end, in one shape for oracle, views and topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import eq
from typing import Any

from balance_oracle import Tables

from balance_chaos.alike import is_alike, unlike

Key = tuple[str, int]
"""(id, day start in ms)."""
ReadingDay = tuple[list[int | None], list[str]]
Extremes = list[tuple[int | None, int | None]]
Finding = tuple[str, str, int, int]
"""(rule, usage point, or else module/channel, or else module, or else concentrator, start and end in ms)."""
_REFUSALS = ("vee.future_time", "vee.stale_time", "vee.absurd_value")
"""Of a refused element only the start: it may be too absurd to have an end."""
_EARLIEST_MS, _LATEST_MS = -62_000_000_000_000, 250_000_000_000_000
"""What is farther off than a database may hold is told as this (docs/domain.md §2.5)."""

FIGURES = (
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
NIGHT = ("hours", "supply", "members", "imbalance")
BASE = ("supply", "members", "imbalance", "tolerance", "verdict")


@dataclass(frozen=True)
class Outcome:
    """Reading days and group-days, those withdrawn left out, and open findings.

    `extremes`: (least, greatest) by hour of the reading days of sensors that have any.
    """

    readings: Mapping[Key, ReadingDay]
    group_days: Mapping[Key, Mapping[str, Any]]
    findings: frozenset[Finding]
    extremes: Mapping[Key, Extremes]


def outcome(
    readings: Mapping[Key, ReadingDay],
    group_days: Mapping[Key, Mapping[str, Any]],
    findings: Iterable[Finding],
    extremes: Mapping[Key, Extremes],
) -> Outcome:
    """§3: a day all of whose hours are MISSING is none; §4.7: nor is one with nobody due."""
    return Outcome(
        {key: (list(v), list(q)) for key, (v, q) in readings.items() if set(q) != {"MISSING"}},
        {key: one for key, one in group_days.items() if not _is_withdrawn(one)},
        frozenset(map(_told, findings)),
        {key: pairs for key, pairs in extremes.items() if set(pairs) != {(None, None)}},
    )


def _told(finding: Finding) -> Finding:
    rule, about, start, end = finding
    if rule in _REFUSALS:
        start = end = min(max(start, _EARLIEST_MS), _LATEST_MS)
    return rule, about, start, end


def expected(tables: Tables) -> Outcome:
    """The oracle's tables."""
    return outcome(tables.readings, tables.group_days, tables.spans, tables.extremes)


def subject(point: str | None, module: str | None, channel: int | None, concentrator: str | None) -> str:
    """What a finding is about, as the oracle names it."""
    if point is not None or module is None:
        return point or concentrator or ""
    return module if channel is None else f"{module}/{channel}"


def differences(wanted: Outcome, found: Outcome, most: int = 5) -> list[str]:
    """The first differences in words; none when the two are equal."""
    words = [*_differences("reading", wanted.readings, found.readings)]
    words += _differences("extremes", wanted.extremes, found.extremes)
    words += _differences("group-day", wanted.group_days, found.group_days, is_alike)
    words += [f"finding {one} is not there" for one in sorted(wanted.findings - found.findings, key=str)]
    words += [
        f"finding {one} should not be there" for one in sorted(found.findings - wanted.findings, key=str)
    ]
    return [*words[:most], f"… {len(words)} in all"] if len(words) > most else words


def _is_withdrawn(one: Mapping[str, Any]) -> bool:
    day = one["day"]
    return day["supply"] is None and day["members_due"] == 0 and not one["missing_usage_points"]


def _differences(
    what: str,
    wanted: Mapping[Key, Any],
    found: Mapping[Key, Any],
    alike: Callable[[Any, Any], bool] = eq,
) -> Iterable[str]:
    for key in sorted(wanted.keys() | found.keys()):
        if key not in found:
            yield f"{what} {key} is not there"
        elif key not in wanted:
            yield f"{what} {key} should not be there: {str(found[key])[:200]}"
        elif not alike(wanted[key], found[key]):
            yield f"{what} {key}: expected {unlike(wanted[key], found[key])}"
