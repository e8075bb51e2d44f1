"""Compares what the tables of the demo show with the truth that went in, and with the batch oracle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import balance_oracle
import psycopg
from balance_simulator.street import DAYS
from balance_simulator.truth import GroupTruth, Truth

from balance_local import screen
from balance_local.group_spans import GroupSpan
from balance_local.installation import Installation

_WORDS = {
    "WITHIN_TOLERANCE": "within tolerance",
    "LOSS": "a loss",
    "SURPLUS": "a surplus",
    "UNDECIDED": "unreliable",
}


@dataclass(frozen=True)
class Check:
    """One comparison in words, and whether it holds."""

    holds: bool
    words: str


def oracle(
    packets: Sequence[Mapping[str, Any]],
    usage_points: Sequence[Mapping[str, Any]],
    groups: Sequence[Mapping[str, Any]],
    zone: str,
) -> balance_oracle.Tables:
    """The tables as the batch oracle computes them from everything sent."""
    return balance_oracle.compute(packets, usage_points, groups, zone=zone)


def against_oracle(place: Installation, tables: balance_oracle.Tables) -> list[Check]:
    """Every reading, group hour and group day, value for value, in the views and on the topics."""
    # That package tests whole installations, and so imports this one.
    from balance_chaos import outcome, published, views

    wanted = outcome.expected(tables)
    values = sum(len(values) for values, _ in wanted.readings.values())
    hours = sum(len(day["hours"]) for day in wanted.group_days.values())
    size = f"{values:,} readings, {hours:,} group hours, {len(wanted.group_days)} group days, findings"
    checks = []
    for where, found in (
        ("the views", views.from_views(place)),
        ("the topics", published.from_topics(place)),
    ):
        unlike = outcome.differences(wanted, found)
        words = f"{where} equal the batch oracle value for value: {size}"
        checks.append(Check(not unlike, words if not unlike else f"{words}: {'; '.join(unlike)}"))
    return checks


def against_truth(
    place: Installation, truth: Truth, before: Sequence[GroupSpan], after: Sequence[GroupSpan]
) -> list[Check]:
    """What a manager reads in the tables, against what really happened."""
    spans = {span.group_id: span for span in after}
    checks = [_groups_are_there(truth, spans)]
    for name, of in truth.groups.items():
        if name in spans:
            checks.append(_group(name, of, spans[name]))
    checks += _before(truth, before)
    return [*checks, _quarantined(place, truth), _found(place, truth)]


def _groups_are_there(truth: Truth, spans: Mapping[str, GroupSpan]) -> Check:
    days = [len(span.days) for span in spans.values()]
    whole = spans.keys() == truth.groups.keys() and set(days) == {_day_count(truth)}
    return Check(
        whole,
        f"{len(spans)} of {len(truth.groups)} groups, {min(days, default=0)} of {_day_count(truth)} days",
    )


def _group(name: str, truth: GroupTruth, span: GroupSpan) -> Check:
    """The verdict is right, and the imbalance is the true one within the tolerance shown beside it."""
    figures = span.figures
    unit, tolerance, imbalance = figures.unit, figures.tolerance, figures.imbalance
    if tolerance is None or imbalance is None:
        return Check(False, f"{name}: expected an imbalance, found none")
    since = span.local(span.since).date().isoformat() if span.since else None
    amounts = (
        f"imbalance {screen.amount(imbalance, unit, signed=True)}, truly "
        f"{screen.amount(truth.imbalance, unit, signed=True)} "
        f"±{screen.amount(tolerance, unit)} {screen.unit_of(unit)}"
    )
    right = (span.verdict, since) == (truth.verdict, truth.since)
    words = _words(span.verdict, since) + ("" if right else f", truly {_words(truth.verdict, truth.since)}")
    return Check(right and abs(imbalance - truth.imbalance) <= tolerance, f"{name}: {words}; {amounts}")


def _words(verdict: str, since: str | None) -> str:
    return _WORDS[verdict] + (f" since {since}" if since else "")


def _before(truth: Truth, before: Sequence[GroupSpan]) -> Iterator[Check]:
    undecided = sorted(span.group_id for span in before if span.verdict == "UNDECIDED")
    truly = ", ".join(truth.unreliable_before)
    words = f"before the backlog: unreliable {', '.join(undecided) or 'none'}, truly {truly}"
    yield Check(undecided == sorted(truth.unreliable_before), words)


def _quarantined(place: Installation, truth: Truth) -> Check:
    """Exactly the days that are not one meter's are SUSPECT."""
    found: dict[str, set[str]] = defaultdict(set)
    with psycopg.connect(place.dsn) as connection:
        rows = connection.execute(
            "select usage_point_id, day_start from ingest.v_readings where quality = 'SUSPECT'"
            " group by usage_point_id, day_start"
        ).fetchall()
    for name, start in rows:
        found[name].add(DAYS.day_of(start).isoformat())
    wanted = {name: set(days) for name, days in truth.quarantined.items()}
    count = sum(len(days) for days in wanted.values())
    words = f"quarantined: {count} days of {', '.join(wanted)}"
    shown = {name: sorted(days) for name, days in found.items()}
    return Check(found == wanted, words if found == wanted else f"{words}; found {shown}")


def _found(place: Installation, truth: Truth) -> Check:
    rules = sorted({rule for rule, _ in truth.findings})
    with psycopg.connect(place.dsn) as connection:
        rows = connection.execute(
            "select rule, usage_point_id from ingest.v_findings where state = 'OPEN' and rule = any(%s)",
            [rules],
        ).fetchall()
    wanted = sorted(truth.findings)
    words = f"findings: {', '.join(f'{rule} at {name}' for rule, name in wanted)}"
    return Check(
        sorted(rows) == wanted, words if sorted(rows) == wanted else f"{words}; found {sorted(rows)}"
    )


def _day_count(truth: Truth) -> int:
    return (date.fromisoformat(truth.last_day) - date.fromisoformat(truth.first_day)).days + 1
