"""Readings of touched days: plain days all at once, the others one usage point at a time. Sink and worker
share it.
"""

from __future__ import annotations

from collections import defaultdict

from balance_ingest.computing.odd_days import compute_odd
from balance_ingest.computing.plain_days import compute_plain
from balance_ingest.computing.spreading import referring
from balance_ingest.computing.turn import Touched, Turn
from balance_ingest.computing.unheard import mark_silence, settle_parked
from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.days import DAY_S, Days
from balance_ingest.ports import Pair, Work

__all__ = ["Touched", "compute_days", "settle_parked"]


def compute_days(work: Work, touched: Touched, days: Days) -> int:
    """Compute and keep what depends on the touched days; gives how many were plain."""
    if not touched.pairs:
        return 0
    turn = Turn(work, days, defers=not touched.marked)
    starts = [day for _, day in touched.pairs]
    doubts = work.doubts(touched.channels(), min(starts) - 2 * DAY_S, max(starts) + 3 * DAY_S)
    done = compute_plain(turn, touched, doubts)
    odd: dict[int, set[int]] = defaultdict(set)
    left = {pair for pair in touched.pairs if pair not in done} | _moved_beside(touched, doubts, days)
    related = work.usage_points({channel for channel, _ in left})
    for channel, day in left:
        for point in related.get(channel, ()):
            turn.points[point.key] = point
            odd[point.key].add(day)
    turn.odd = odd
    compute_odd(turn, odd)
    _compute_referring(turn)
    mark_silence(work, touched, days)
    return len(done)


def _compute_referring(turn: Turn) -> None:
    """Days whose estimates are shaped after days that changed: marked by a sink, computed by the worker."""
    found = referring(turn.work, turn.changed, turn.kept, turn.days)
    if turn.defers:
        for point, estimated in found.items():
            turn.mark(turn.points[point], estimated)
    elif found:
        compute_odd(turn, {point: set(estimated) for point, estimated in found.items()})


def _moved_beside(touched: Touched, doubts: Circumstances, days: Days) -> set[Pair]:
    """Days beside the touched ones whose hours are made of intervals of these too (docs/domain.md §3.13)."""
    return {
        (channel, beside)
        for channel, day in touched.pairs
        if (clocks := doubts.clocks.get(channel))
        for beside in (days.shift(day, -1), days.shift(day, 1))
        if beside in clocks
    }
