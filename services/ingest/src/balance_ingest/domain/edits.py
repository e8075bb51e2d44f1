"""Operators' decisions about readings (docs/domain.md §3.12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from balance_ingest.domain.days import DAY_S, Span

LONGEST_EDIT_S = 366 * DAY_S
SMALLEST, LARGEST = "SMALLEST", "LARGEST"


@dataclass(frozen=True, slots=True)
class Edit:
    """A decision about the hours [start, end) of a usage point: `values` (base units, one an hour) put in,
    or, when None, a confirmation; `of_conflict` is SMALLEST, LARGEST or UNSPECIFIED.
    """

    edit_id: str
    version: int
    standing: bool
    usage_point: str
    start: int
    end: int
    decided: int
    values: tuple[int, ...] | None
    of_conflict: str
    reason: str
    decided_by: str


def in_order(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Standing decisions, each before those that count instead of it."""
    return tuple(sorted((e for e in edits if e.standing), key=lambda e: (e.decided, e.edit_id)))


def decided_spans(spans: Iterable[Span]) -> Sequence[Span]:
    """The spans joined where they touch, in order of time."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], end)
        else:
            joined.append((start, end))
    return joined


def is_decided(spans: Iterable[Span], start: int, end: int) -> bool:
    """Whether all of [start, end) lies in hours for which a decision counts; of `decided_spans`."""
    return start < end and any(first <= start and end <= last for first, last in spans)


def reach(standing: Iterable[Span], changed: Iterable[Span]) -> Sequence[Span]:
    """What depends on a change of decisions: the spans in question, and as far as decisions go on without a
    gap, for a finding about all of that begins at its start.
    """
    touched = list(changed)
    return [
        (start, end)
        for start, end in decided_spans([*standing, *touched])
        if any(start <= first and last <= end for first, last in touched)
    ]
