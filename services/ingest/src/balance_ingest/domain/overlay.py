"""Decisions laid over hours on which everything else is done (docs/domain.md §3.12)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from balance_ingest.domain.days import Ints
from balance_ingest.domain.edits import LARGEST, SMALLEST, Edit, decided_spans, is_decided
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.from_steps import MOST
from balance_ingest.domain.join import Bools
from balance_ingest.domain.sheet import EDITED, SUSPECT, VALID, Offers, Sheet


def lay_over(sheet: Sheet, start: int, end: int) -> None:
    """Let the decisions of the sheet's usage point count in the hours of [start, end)."""
    decisions = sheet.point.decisions
    if not decisions:
        return
    hours = sheet.hours_in(start, end)
    winner = np.full(len(sheet.hour), -1, np.int64)
    for index, edit in enumerate(decisions):
        winner[sheet.hours_in(edit.start, edit.end)] = index
    suspect = sheet.settled(hours) == SUSPECT
    for index in np.unique(winner[hours]).tolist():
        if index < 0:
            continue
        edit, mine = decisions[index], winner[hours] == index
        if edit.values is not None:
            given = np.array(edit.values, np.int64)
            at = (sheet.hour[hours][mine] - edit.start) // 3600
            sheet.decide(np.flatnonzero(mine) + hours.start, EDITED, given[at])
        elif sheet.offers is not None:
            values, offered = _offered(sheet.offers, edit)
            chosen = np.flatnonzero(mine & suspect & offered[hours]) + hours.start
            sheet.decide(chosen, VALID, values[chosen])


def _offered(offers: Offers, edit: Edit) -> tuple[Ints, Bools]:
    """What a confirmation makes of each hour, and where it makes anything."""
    chosen = edit.of_conflict in (SMALLEST, LARGEST)
    values = offers.high if edit.of_conflict == LARGEST else offers.low
    possible = (offers.mean | (values >= 0)) & (values <= MOST)
    return values, offers.there & (chosen | ~offers.differ) & possible


def undecided(found: Iterable[Finding], decisions: Sequence[Edit]) -> Sequence[Finding]:
    """The findings of usage points, but those all of whose hours are decided."""
    spans = decided_spans((edit.start, edit.end) for edit in decisions)
    return [f for f in found if f.usage_point is None or not is_decided(spans, f.start, f.end)]
