"""Operators' decisions, laid over what evidence says (docs/domain.md §3.12)."""

from __future__ import annotations

from dataclasses import dataclass

from balance_ingest.domain.days import DAY_S

LONGEST_EDIT_S = 366 * DAY_S


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
