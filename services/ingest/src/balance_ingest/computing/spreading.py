"""What else hangs on days whose readings changed: gaps beside plain days, and estimates whose profile is
taken from them (docs/domain.md §3.11).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from balance_ingest.domain.bordering import Bordered, open_sides
from balance_ingest.domain.days import DAY_S, Days
from balance_ingest.domain.gaps import REFERENCE_DAYS
from balance_ingest.domain.marks import APART_S
from balance_ingest.ports import Pair, Work

_FARTHEST = max(REFERENCE_DAYS)


def bordering(work: Work, rows: Bordered, days: Days) -> Iterable[Pair]:
    """(channel, day) of plain days beside which, or about which, a gap may begin or end."""
    sides = open_sides(rows)
    spoken = _with_points_after(work, rows)
    now = work.clock().now + DAY_S
    later = sides.after & (rows.end <= now)
    earlier = sides.before & ~(rows.starts | rows.ends)
    marked = spoken | (sides.before & ~earlier & _heard_before(work, rows, sides.before))
    asked = (earlier | later) & ~marked
    if asked.any():
        first = int(rows.day[asked & earlier].min()) - APART_S if (asked & earlier).any() else None
        last = int(rows.end[asked & later].max()) + APART_S if (asked & later).any() else None
        start = int(rows.end[asked].min()) if first is None else first
        end = int(rows.day[asked].max()) if last is None else min(last, now)
        channels = sorted(set(rows.channel[asked].tolist()))
        found = work.registers_between(channels, days.between(start, end))
        none = 2**62, -(2**62)
        spans = np.array([found.get(channel, none) for channel in rows.channel.tolist()], np.int64)
        marked |= asked & earlier & (spans[:, 0] < rows.day)
        marked |= asked & later & (spans[:, 1] > rows.day)
    return zip(rows.channel[marked].tolist(), rows.day[marked].tolist(), strict=True)


def _with_points_after(work: Work, rows: Bordered) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows whose next day has readings of its own, one of which may contradict the register between them."""
    found = np.zeros(len(rows), bool)
    if rows.after.any():
        channels = sorted(set(rows.channel[rows.after].tolist()))
        ends = rows.end[rows.after]
        spoken = work.channels_with_points(channels, [int(ends.min()), int(ends.max())])
        found = rows.after & np.isin(rows.channel, list(spoken))
    return found


def _heard_before(
    work: Work, rows: Bordered, asked: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Rows before which their channel has evidence."""
    found = np.zeros(len(rows), bool)
    for row in np.flatnonzero(asked).tolist():
        bounds = work.bounds(int(rows.channel[row]))
        found[row] = bounds is not None and bounds[0] < rows.day[row]
    return found


def about_estimates(work: Work, rows: Bordered, days: Days) -> Iterable[tuple[int, int, int]]:
    """(channel, usage point, day) of the plain days of usage points that have estimates near."""
    first, last = days.shift(int(rows.day.min()), -_FARTHEST), days.shift(int(rows.day.max()), _FARTHEST)
    near = work.estimated_days(np.unique(rows.point).tolist(), first, last)
    at = np.isin(rows.point, list(near)) if near else np.zeros(len(rows), bool)
    return zip(rows.channel[at].tolist(), rows.point[at].tolist(), rows.day[at].tolist(), strict=True)


Spans = Mapping[int, Sequence[tuple[int, int]]]
"""By usage point, spans of days as (first, last)."""


def referring(work: Work, changed: Spans, kept: Spans, days: Days) -> Mapping[int, Sequence[int]]:
    """By usage point, days with closed gaps whose profile may be taken from days that changed; but those that
    were kept already.
    """
    if not changed:
        return {}
    first = min(first for spans in changed.values() for first, _ in spans)
    last = max(last for spans in changed.values() for _, last in spans)
    near = work.estimated_days(sorted(changed), days.shift(first, -_FARTHEST), days.shift(last, _FARTHEST))
    found: dict[int, list[int]] = defaultdict(list)
    for point, estimated in near.items():
        for day in estimated:
            if not _within(day, kept.get(point, ())) and any(
                _within(days.shift(day, by), changed[point]) for by in (0, *REFERENCE_DAYS)
            ):
                found[point].append(day)
    return found


def _within(day: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(first <= day <= last for first, last in spans)
