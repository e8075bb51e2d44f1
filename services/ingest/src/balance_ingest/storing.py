"""Joining a batch's evidence and telemetry with what is there, and saying which channel-days that touches
(docs/domain.md §2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from balance_ingest.computing import Touched
from balance_ingest.domain.clocks import days_told_of
from balance_ingest.domain.days import Days, Ints
from balance_ingest.domain.evidence import Block, Points
from balance_ingest.domain.faults import Fault, days_found, faults_of
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.join import Bools, Slots
from balance_ingest.domain.plain import whole
from balance_ingest.domain.telemetry import Telemetry
from balance_ingest.domain.wording import register_conflict
from balance_ingest.ports import Work


def join_evidence(work: Work, blocks: Sequence[Block], points: Points, days: Days) -> Touched:
    """Join evidence into the database; the channel-days that now say something else to the rules.

    Rows that did not change are not written, and a change of revision alone touches nothing.
    """
    point_day = days.days_of(points.instant)
    channel = np.concatenate([*(block.channel for block in blocks), points.channel]).astype(np.int64)
    day = np.concatenate([*(block.day for block in blocks), point_day]).astype(np.int64)
    if not len(channel):
        return Touched.by_marks([])
    stored_blocks, stored_points = work.evidence_of(channel, day)
    fresh = _fresh(channel, day, stored_blocks, stored_points, days)
    by_shape = {block.shape: block for block in stored_blocks}
    spoken: list[tuple[Ints, Ints]] = []
    changed: list[Block] = []
    plain: list[Block] = []
    conflicts = _Conflicts(work)
    for block in blocks:
        held = _counterpart(block, by_shape.get(block.shape))
        joined = block.joined(held)
        speaking = joined.rows_speaking_differently(held)
        changed.append(joined.at(joined.rows_differing(held)))
        spoken.append((block.channel[speaking], block.day[speaking]))
        plain.append(joined.at(speaking & whole(joined)))
        conflicts.of_edges(held.at(speaking), joined.at(speaking), days)
    work.keep_blocks(changed)
    spoken.append(_join_points(work, points, stored_points, days, conflicts))
    conflicts.settle()
    pairs = [(c, d) for cs, ds in spoken for c, d in zip(cs.tolist(), ds.tolist(), strict=True)]
    return Touched.by_rows(pairs, fresh, plain)


def _join_points(
    work: Work, points: Points, stored: Points, days: Days, conflicts: _Conflicts
) -> tuple[Ints, Ints]:
    """Join POINT registers; the (channel, day) pairs that now say something else."""
    nothing = np.zeros(0, np.int64)
    if not len(points):
        return nothing, nothing
    stored = stored.folded()
    joined = stored.with_(points)
    differing, speaking = joined.differing_from(stored), joined.speaking_differently_from(stored)
    joined_day = days.days_of(joined.instant)
    written = _pair_keys(joined.channel, joined_day, days)
    rows = np.isin(written, written[differing])
    work.keep_points(joined.at(rows), joined_day[rows])
    conflicts.of_points(stored, joined)
    return joined.channel[speaking], joined_day[speaking]


def _pair_keys(channel: Ints, day: Ints, days: Days) -> Ints:
    return (channel << 20) | np.searchsorted(days.starts, day)


def _fresh(
    channel: Ints, day: Ints, blocks: Sequence[Block], points: Points, days: Days
) -> frozenset[tuple[int, int]]:
    """Which pairs had no evidence of any kind before."""
    held = [_pair_keys(block.channel, block.day, days) for block in blocks]
    held.append(_pair_keys(points.channel, days.days_of(points.instant), days))
    new = ~np.isin(_pair_keys(channel, day, days), np.concatenate(held))
    return frozenset(zip(channel[new].tolist(), day[new].tolist(), strict=True))


def _counterpart(block: Block, stored: Block | None) -> Block:
    """What is stored of each row of a block; rows without evidence where nothing is."""
    found = Block.nothing(block.shape, block.channel, block.day)
    if stored is not None and len(stored):
        position = {
            key: row for row, key in enumerate(zip(stored.channel.tolist(), stored.day.tolist(), strict=True))
        }
        rows = [position.get(key, -1) for key in zip(block.channel.tolist(), block.day.tolist(), strict=True)]
        theirs = np.array(rows, np.int64)
        mine = np.flatnonzero(theirs >= 0)
        other = stored.at(theirs[mine])
        for part, told in zip(
            (found.slots, found.start, found.end), (other.slots, other.start, other.end), strict=True
        ):
            part.put(mine, told)
    return found


class _Conflicts:
    """Findings about registers reported twice, differently, by channel (docs/domain.md §2.3)."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._found: dict[int, list[Finding]] = {}
        self._gone: dict[int, list[str]] = {}

    def of_edges(self, held: Block, joined: Block, days: Days) -> None:
        """Compare START and END before and after a join."""
        ends = days.shifted(joined.day, 1) if len(joined) else joined.day
        self._compare("START", joined.channel, joined.day, held.start, joined.start)
        self._compare("END", joined.channel, ends, held.end, joined.end)

    def of_points(self, stored: Points, joined: Points) -> None:
        """Compare POINTs before and after a join."""
        before = joined.counterpart(stored)
        self._compare("POINT", joined.channel, joined.instant, before, joined.slots)

    def _compare(self, kind: str, channel: Ints, instant: Ints, before: Slots, after: Slots) -> None:
        odd: Bools = (before.conflict | after.conflict) & (
            (before.low != after.low) | (before.high != after.high)
        )
        for row in np.flatnonzero(odd).tolist():
            number = int(channel[row])
            low, high = int(after.low[row]), int(after.high[row])
            finding = register_conflict(*self._work.channel_key(number), kind, int(instant[row]), low, high)
            if low != high:
                self._found.setdefault(number, []).append(finding)
            else:
                self._gone.setdefault(number, []).append(finding.finding_id)

    def settle(self) -> None:
        """Open and withdraw."""
        for channel in sorted(self._found.keys() | self._gone.keys()):
            self._work.settle_channel_findings(
                channel, self._found.get(channel, ()), self._gone.get(channel, ())
            )


def join_telemetry(work: Work, told: Telemetry, days: Days) -> None:
    """Join telemetry into the database and leave the days it touches to the worker."""
    news = work.keep_telemetry(told)
    events = work.events_of_faults(news.faults) if news.faults else {}
    for module, new in news.faults.items():
        now = events[module]
        before = [event for key, event in now.items() if key not in new]
        for number, channel in work.channels_of(module).items():
            changed = {*faults_of(now.values(), number)} ^ {*faults_of(before, number)}
            work.mark((channel, day) for day in _of_faults(work, channel, changed, days))
    for module, instants in news.clocks.items():
        touched = {day for instant in instants for day in days_told_of(instant, days)}
        for channel in work.channels_of(module).values():
            span = work.bounds(channel)
            if span:
                work.mark((channel, day) for day in touched if span[0] <= day < span[1])


def _of_faults(work: Work, channel: int, faults: Iterable[Fault], days: Days) -> Iterator[int]:
    """Days whose hours or findings depend on faults of a channel."""
    span = work.bounds(channel)
    points = work.usage_points([channel])[channel]
    for fault in faults:
        if span:
            yield from days.between(max(fault.start, span[0]), min(fault.end, span[1]))
        for point in points:
            yield from days_found(point, channel, [fault], days)
