"""Readings of plain days, all at once (docs/domain.md §3.1–§3.5 where nothing is amiss)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from balance_ingest.computing.spreading import about_estimates, bordering
from balance_ingest.computing.turn import Touched, Turn
from balance_ingest.domain.bordering import Bordered
from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.days import DAY_S, HOUR_S, Ints
from balance_ingest.domain.evidence import Block
from balance_ingest.domain.plain import Windows, is_metered, plain_days
from balance_ingest.ports import Pair, Work


def compute_plain(turn: Turn, touched: Touched, doubts: Circumstances) -> frozenset[Pair]:
    """Keep the readings of plain days; the (channel, day) pairs that are settled thereby."""
    work, done = turn.work, set[Pair]()
    bordered: list[Bordered] = []
    for block in _alone(touched):
        windows = work.windows(block.channel)
        before, after = work.edges(block.channel, block.day)
        plain, readings = plain_days(block, windows, before, after)
        calm = ~_disturbed(work, readings.point, readings.day)
        calm &= ~_doubted(doubts, block.at(plain))
        plain[plain] = calm
        work.keep_plain(readings.at(calm))
        rows = block.at(plain)
        done.update(zip(rows.channel.tolist(), rows.day.tolist(), strict=True))
        metered = is_metered(windows) & plain
        bordered.append(_bordered(block.at(metered), windows.at(metered), before[metered], after[metered]))
    if bordered:
        _mark_bordering(turn, Bordered.of(bordered))
    return frozenset(done)


def _bordered(block: Block, windows: Windows, before: Ints, after: Ints) -> Bordered:
    end = block.day + block.shape.hours * HOUR_S
    edges = block.start.there, block.end.there, before >= 0, after >= 0
    return Bordered(block.channel, windows.point, block.day, end, *edges)


def _mark_bordering(turn: Turn, rows: Bordered) -> None:
    """Leave the gaps beside plain days, and estimates shaped after them, to the worker."""
    if not len(rows):
        return
    turn.work.mark(bordering(turn.work, rows, turn.days))
    referred = about_estimates(turn.work, rows, turn.days)
    for channel, point, day in referred:
        turn.changed[point].append((day, day))
        turn.points.update((one.key, one) for one in turn.work.usage_points([channel])[channel])


def _alone(touched: Touched) -> Iterable[Block]:
    """Rows that are all the evidence of their channel-day: new, of one step, without POINT registers."""
    for block in touched.whole:
        keys = zip(block.channel.tolist(), block.day.tolist(), strict=True)
        alone = np.array([key in touched.alone for key in keys], bool)
        if alone.any():
            yield block.at(alone)


def _disturbed(work: Work, points: Ints, day: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which days have an open finding on them or at their edges, that may have to be withdrawn."""
    if not len(points):
        return np.zeros(0, bool)
    open_findings = work.open_findings(
        sorted(set(points.tolist())), int(day.min()), int(day.max()) + 3 * DAY_S
    )
    if not open_findings:
        return np.zeros(len(points), bool)
    return np.array(
        [
            any(f.start < at + 3 * DAY_S and at <= f.end for f in open_findings.get(point, ()))
            for point, at in zip(points.tolist(), day.tolist(), strict=True)
        ],
        bool,
    )


def _doubted(doubts: Circumstances, block: Block) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which channel-days a fault of the sensor or a wrong clock bears on."""
    if not doubts.faults and not doubts.clocks:
        return np.zeros(len(block), bool)
    rows = zip(block.channel.tolist(), block.day.tolist(), strict=True)
    length = block.shape.hours * HOUR_S
    return np.array([doubts.bear_on(channel, day, day + length) for channel, day in rows], bool)
