"""Spans longer than a day: the views of imbalance against the oracle (docs/domain.md §4.8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from balance_oracle.spans import Key, Span

from balance_chaos.alike import is_alike, unlike

_SUMS = ("supply", "members", "imbalance", "members_estimated", "unregistered")
_OF_ALL = (*_SUMS, "tolerance", "coverage", "verdict", "is_relative")
_OF_DAYS = (*_OF_ALL, "days_due", "days_computable", "night_hours", "night_imbalance")
_COLUMNS = """supply, members, imbalance, members_estimated, unregistered, tolerance, coverage, verdict,
    relative_imbalance IS NOT NULL, days_due, days_computable, night_hours, night_imbalance"""
_INSTANT = "extract(epoch FROM {})::bigint"
_MONTHS = f"""SELECT group_id, 'month', {_INSTANT.format("day_start")}, {_COLUMNS}
    FROM imbalance.v_group_months"""
_ROLLING = f"""SELECT group_id, span, {_INSTANT.format("end_at")}, {_COLUMNS}
    FROM imbalance.v_group_rolling"""


def spans_from_views(connection: psycopg.Connection[Any]) -> dict[Key, Span]:
    """`imbalance.v_group_months` and `imbalance.v_group_rolling`."""
    found: dict[Key, Span] = {}
    for query in (_MONTHS, _ROLLING):
        for group, name, instant, *figures in connection.execute(query.encode()):
            found[group, name, instant] = _told(name, dict(zip(_OF_DAYS, figures, strict=True)))
    return found


def told_spans(spans: Mapping[Key, Span]) -> dict[Key, Span]:
    """Of the oracle's spans what views tell."""
    return {key: _told(key[1], span | {"is_relative": _is_relative(span)}) for key, span in spans.items()}


def _is_relative(span: Span) -> bool:
    supply = span.get("supply")
    return supply is not None and supply > 10 * span["supply_pulse"]


def _told(name: str, span: Span) -> Span:
    if span["coverage"] == "NOT_COMPUTABLE":
        return {one: span.get(one) for one in ("coverage", "verdict", "supply", "imbalance", "tolerance")}
    return {one: span[one] for one in (_OF_ALL if name == "24 h" else _OF_DAYS)}


def unlike_spans(wanted: Mapping[Key, Span], found: Mapping[Key, Span], most: int = 5) -> list[str]:
    """The first differences in words; none when the two agree."""
    words = [f"{key} is not there" for key in wanted.keys() - found.keys()]
    words += [f"{key} should not be there" for key in found.keys() - wanted.keys()]
    words += [
        f"{key}: expected {unlike(span, found[key])}"
        for key, span in wanted.items()
        if key in found and not is_alike(span, found[key])
    ]
    return [*words[:most], f"… {len(words)} in all"] if len(words) > most else words
