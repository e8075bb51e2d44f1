"""Packet plans: how often a module sends, and how long a day of it may be awaited (docs/domain.md §3.17).

Instants are seconds since 1970 (UTC), spans half-open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

FOREVER = 2**62
"""End of what stands."""
DAILY = "DAILY"
UNSPECIFIED = "UNSPECIFIED"
ALLOWANCE_DAYS: Mapping[str, int] = {"WEEKLY": 7, "MONTHLY": 31}
"""By packet mode or session plan; 0 for every other."""
EVER_ALLOWED = (0, *sorted(ALLOWANCE_DAYS.values()))
LONGEST_ALLOWANCE = EVER_ALLOWED[-1]


class Setting(NamedTuple):
    """How a module is set up from `since` on; no concentrator: any may gather it."""

    since: int
    mode: str
    concentrator_id: str | None = None


class SessionSetting(NamedTuple):
    """How often a concentrator calls from `since` on."""

    since: int
    plan: str


@dataclass(frozen=True, slots=True)
class PlanSpan:
    """In force in [start, end): `plan` is a module's packet mode or a concentrator's session plan."""

    start: int
    end: int
    plan: str
    allowance_days: int
    concentrator_id: str | None = None


class Allowance(NamedTuple):
    """Days that begin in [start, end) may be awaited so many days longer."""

    start: int
    end: int
    days: int


def allowance_at(allowances: Sequence[Allowance], instant: int) -> int:
    """The allowance in force at an instant, in days; 0 where nothing is said."""
    return next((a.days for a in allowances if a.start <= instant < a.end), 0)


def session_spans(settings: Sequence[SessionSetting]) -> list[PlanSpan]:
    """Session plans by the spans in which they are in force."""
    spans = [
        PlanSpan(one.since, end, one.plan, ALLOWANCE_DAYS.get(one.plan, 0))
        for one, end in zip(settings, _ends(settings), strict=True)
    ]
    return _joined(spans)


def packet_spans(settings: Sequence[Setting], sessions: Mapping[str, Sequence[PlanSpan]]) -> list[PlanSpan]:
    """Packet modes by the spans in which they and the allowance are in force; `sessions` by concentrator.

    Before the first setting a module is DAILY; that is no span.
    """
    spans: list[PlanSpan] = []
    for one, end in zip(settings, _ends(settings), strict=True):
        mode = DAILY if one.mode == UNSPECIFIED else one.mode
        own = ALLOWANCE_DAYS.get(mode, 0)
        theirs = sessions.get(one.concentrator_id or "", ())
        edges = {one.since, end, *(s.start for s in theirs), *(s.end for s in theirs)}
        inside = sorted(edge for edge in edges if one.since <= edge <= end)
        for start, after in pairwise(inside):
            allowed = max(own, _allowance_of(theirs, start))
            spans.append(PlanSpan(start, after, mode, allowed, one.concentrator_id))
    return _joined(spans)


def allowances_of(spans: Sequence[PlanSpan]) -> list[Allowance]:
    """The spans in which a module has an allowance."""
    return [Allowance(s.start, s.end, s.allowance_days) for s in spans if s.allowance_days]


def differing(old: Sequence[Allowance], new: Sequence[Allowance]) -> list[tuple[int, int]]:
    """Spans of time in which the allowance is another one."""
    edges = sorted({edge for one in (*old, *new) for edge in (one.start, one.end)})
    return [
        (start, end) for start, end in pairwise(edges) if allowance_at(old, start) != allowance_at(new, start)
    ]


def _ends(settings: Sequence[Setting] | Sequence[SessionSetting]) -> list[int]:
    return [*(one.since for one in settings[1:]), FOREVER] if settings else []


def _allowance_of(spans: Sequence[PlanSpan], instant: int) -> int:
    index = bisect_right(spans, instant, key=lambda span: span.start) - 1
    return spans[index].allowance_days if index >= 0 and instant < spans[index].end else 0


def _joined(spans: Sequence[PlanSpan]) -> list[PlanSpan]:
    """Without empty spans, and those that say the same as the one before them made one with it."""
    found: list[PlanSpan] = []
    for span in spans:
        if span.start >= span.end:
            continue
        if (
            found
            and found[-1].end == span.start
            and replace(found[-1], end=span.end) == replace(span, start=found[-1].start)
        ):
            found[-1] = replace(found[-1], end=span.end)
        else:
            found.append(span)
    return found
