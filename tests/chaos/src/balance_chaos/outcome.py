"""What an installation comes to in the end, in one shape for oracle, views and topics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from balance_local.installation import Installation
from balance_oracle import Tables
from balance_oracle.days import MeteringDays

Key = tuple[str, int]
"""(id, day start in ms)."""
ReadingDay = tuple[list[int | None], list[str]]
Finding = tuple[str, str, int | None]
"""(rule, usage point or channel, start in ms); without a start for those about channels."""

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
)


@dataclass(frozen=True)
class Outcome:
    """Reading days and group-days, those withdrawn left out, and open findings.

    A finding stands for all of its rule and usage point on its day, or channel: how many is wording.
    """

    readings: Mapping[Key, ReadingDay]
    group_days: Mapping[Key, Mapping[str, Any]]
    findings: frozenset[Finding]


def outcome(
    made: Installation,
    readings: Mapping[Key, ReadingDay],
    group_days: Mapping[Key, Mapping[str, Any]],
    findings: Iterable[Finding],
) -> Outcome:
    """§3: a day all of whose hours are MISSING is none; §4.7: nor is one with nobody due."""
    days = MeteringDays(made.description.zone, made.description.day_start_hour)
    return Outcome(
        {key: (list(v), list(q)) for key, (v, q) in readings.items() if set(q) != {"MISSING"}},
        {key: one for key, one in group_days.items() if not _is_withdrawn(one)},
        frozenset(
            (rule, name, None if at is None else days.containing(at // 1000) * 1000)
            for rule, name, at in findings
        ),
    )


def expected(tables: Tables, made: Installation) -> Outcome:
    """The oracle's tables, for an installation of the same calendar."""
    findings = (
        (rule, name, at if name in tables.usage_points else None) for rule, name, at in tables.findings
    )
    return outcome(made, tables.readings, tables.group_days, findings)


def finding(rule: str, point: str | None, module: str | None, channel: int | None, start_ms: int) -> Finding:
    """As services tell it: about a usage point, or else about a channel."""
    return (rule, point, start_ms) if point is not None else (rule, f"{module}/{channel}", None)


def differences(wanted: Outcome, found: Outcome, most: int = 5) -> list[str]:
    """The first differences in words; none when the two are equal."""
    words = [*_differences("reading", wanted.readings, found.readings)]
    words += _differences("group-day", wanted.group_days, found.group_days)
    words += [f"finding {one} is not there" for one in sorted(wanted.findings - found.findings, key=str)]
    words += [
        f"finding {one} should not be there" for one in sorted(found.findings - wanted.findings, key=str)
    ]
    return [*words[:most], f"… {len(words)} in all"] if len(words) > most else words


def _is_withdrawn(one: Mapping[str, Any]) -> bool:
    day = one["day"]
    return day["supply"] is None and day["members_due"] == 0 and not one["missing_usage_points"]


def _differences(what: str, wanted: Mapping[Key, Any], found: Mapping[Key, Any]) -> Iterable[str]:
    for key in sorted(wanted.keys() | found.keys()):
        if key not in found:
            yield f"{what} {key} is not there"
        elif key not in wanted:
            yield f"{what} {key} should not be there: {str(found[key])[:200]}"
        elif wanted[key] != found[key]:
            yield f"{what} {key}: expected {_unlike(wanted[key], found[key])}"


def _unlike(wanted: Any, found: Any) -> str:
    """Only the parts that differ."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        parts = [f"{k}: {_unlike(wanted[k], found.get(k))}" for k in wanted if wanted[k] != found.get(k)]
        return "{" + "; ".join(parts) + "}"
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple) and len(wanted) == len(found):
        pairs = enumerate(zip(wanted, found, strict=True))
        return ", ".join([f"[{i}] {_unlike(w, f)}" for i, (w, f) in pairs if w != f][:3])
    return f"{wanted!r}, found {found!r}"
