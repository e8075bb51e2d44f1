"""Evidence to rows of `ingest.evidence_days` and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from balance_chassis.copying import copy_columns
from balance_chassis.postgres import copy_binary
from psycopg import Cursor

from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.evidence import POINTS_STEP, Block, Points, Shape
from balance_ingest.domain.join import ABSENT, Bools, Slots

INCOMING = "incoming_evidence"
_EDGES = (
    "register_start",
    "register_start_revision",
    "register_start_conflict",
    "register_end",
    "register_end_revision",
    "register_end_conflict",
)
_ODD_COLUMNS = ("channel_id", "day_start", "step_s", "values", "revision", "revisions", "conflicts", *_EDGES)
_ODD_TYPES = ("int4", "int8", "int4", "int4[]", "int8", "int8[]", "int4[]", *["int8"] * 6)
_POINT_COLUMNS = (
    "channel_id",
    "day_start",
    "step_s",
    "revision",
    "revisions",
    "offsets_s",
    "registers",
    "register_conflicts",
)
_POINT_TYPES = ("int4", "int8", "int4", "int8", "int8[]", "int4[]", "int8[]", "int8[]")

Row = Sequence[Any]
"""channel_id, day, step_s, values, revision, revisions, conflicts, the six of _EDGES, offsets_s, registers,
their conflicts.
"""


def copy_block(cur: Cursor[Any], block: Block) -> None:
    """COPY rows of a block into the incoming table; −1 there means none."""
    revision = block.slots.revision
    plain = (revision == revision[:, :1]).all(axis=1) & block.slots.there.all(axis=1)
    plain &= ~block.slots.conflict.any(axis=1)
    if plain.any():
        _copy_plain(cur, block.at(plain))
    if not plain.all():
        copy_binary(cur, INCOMING, _ODD_COLUMNS, _ODD_TYPES, _odd_rows(block.at(~plain)))


def _copy_plain(cur: Cursor[Any], block: Block) -> None:
    step = np.full(len(block), block.shape.step)
    copy_columns(
        cur,
        INCOMING,
        [
            ("channel_id", "int4", block.channel),
            ("day_start", "int8", block.day),
            ("step_s", "int4", step),
            ("values", "int4", block.slots.low),
            ("revision", "int8", block.slots.revision[:, 0]),
            *((name, "int8", numbers) for name, numbers in zip(_EDGES, _edges(block), strict=True)),
        ],
    )


def _edges(block: Block) -> Iterable[Ints]:
    """Register, revision and largest register in conflict, of START and END; −1 for none."""
    for edge in (block.start, block.end):
        yield np.where(edge.there, edge.low, ABSENT)
        yield edge.revision
        yield np.where(edge.conflict, edge.high, ABSENT)


def _odd_rows(block: Block) -> Iterable[Row]:
    edges = np.stack(list(_edges(block)), axis=1).tolist()
    slots = (part.tolist() for part in block.slots)
    keys = (block.channel.tolist(), block.day.tolist())
    for channel, day, revision, low, high, edge in zip(*keys, *slots, edges, strict=True):
        one, several = _revisions(revision)
        values = [value if r >= 0 else None for value, r in zip(low, revision, strict=True)]
        yield (channel, day, block.shape.step, values, one, several, _conflicts(low, high), *edge)


def _revisions(revision: Sequence[int]) -> tuple[int, list[int | None] | None]:
    """The one revision, or −1 and each of them."""
    told = {r for r in revision if r >= 0}
    if len(told) == 1:
        return told.pop(), None
    return ABSENT, [r if r >= 0 else None for r in revision] if told else None


def _conflicts(low: Sequence[int], high: Sequence[int]) -> list[int | None] | None:
    found = [h if h != lo else None for lo, h in zip(low, high, strict=True)]
    return found if any(h is not None for h in found) else None


def copy_points(cur: Cursor[Any], points: Points, days: Ints) -> None:
    """COPY all POINT registers of some days, a row a channel and day, into the incoming table."""
    copy_binary(cur, INCOMING, _POINT_COLUMNS, _POINT_TYPES, _point_rows(points, days))


def _point_rows(points: Points, days: Ints) -> Iterable[Row]:
    if not len(points):
        return
    starts = np.flatnonzero(np.r_[True, (np.diff(points.channel) != 0) | (np.diff(days) != 0)])
    for first, after in zip(starts.tolist(), [*starts[1:].tolist(), len(points)], strict=True):
        span = slice(first, after)
        one, several = _revisions(points.slots.revision[span].tolist())
        low, high = points.slots.low[span].tolist(), points.slots.high[span].tolist()
        offsets = (points.instant[span] - days[span]).tolist()
        yield (
            int(points.channel[first]),
            int(days[first]),
            POINTS_STEP,
            one,
            several,
            offsets,
            low,
            _conflicts(low, high),
        )


def from_rows(rows: Iterable[Row]) -> tuple[Sequence[Block], Points]:
    """Blocks by shape, and all POINT registers, of rows as `evidence_of` selects them."""
    by_shape: dict[Shape, list[Row]] = defaultdict(list)
    points: list[tuple[int, int, int, int, int]] = []
    for row in rows:
        if row[2] == POINTS_STEP:
            points.extend(_points_of(row))
        else:
            by_shape[Shape(row[2], len(row[3]) * row[2] // HOUR_S)].append(row)
    blocks = [_block(shape, group) for shape, group in sorted(by_shape.items())]
    if not points:
        return blocks, Points.none()
    points.sort()
    channel, instant, revision, low, high = np.array(points, np.int64).T
    return blocks, Points(channel, instant, Slots(revision, low, high))


def _points_of(row: Row) -> Iterable[tuple[int, int, int, int, int]]:
    channel, day, revision, revisions = row[0], row[1], row[4], row[5]
    offsets, registers, conflicts = row[13:16]
    for position, (offset, low) in enumerate(zip(offsets, registers, strict=True)):
        high = conflicts[position] if conflicts else None
        told = revisions[position] if revisions else revision
        yield channel, day + offset, told, low, low if high is None else high


def _block(shape: Shape, rows: Sequence[Row]) -> Block:
    values = [row[3] for row in rows]
    silent = np.array([[value is None for value in row] for row in values], bool)
    low = np.array([[value or 0 for value in row] for row in values], np.int64)
    revision = np.array([[row[4] if row[4] is not None else ABSENT] for row in rows], np.int64)
    by_slot = np.where(silent, ABSENT, np.broadcast_to(revision, low.shape))
    high = low.copy()
    for position, row in enumerate(rows):
        if row[5] is not None:
            by_slot[position] = [ABSENT if r is None else r for r in row[5]]
        if row[6] is not None:
            told = np.array([h is not None for h in row[6]], bool)
            high[position, told] = [h for h in row[6] if h is not None]
    return Block(
        shape,
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        Slots(by_slot, low, high),
        _edge(rows, 7),
        _edge(rows, 10),
    )


def _edge(rows: Sequence[Row], first: int) -> Slots:
    """A register of a day's edge from three columns: register, revision, largest in conflict."""
    low, revision, high = (
        np.array([ABSENT if row[column] is None else row[column] for row in rows], np.int64)
        for column in range(first, first + 3)
    )
    there: Bools = low >= 0
    shown = np.where(there, low, 0)
    return Slots(np.where(there, revision, ABSENT), shown, np.where(high >= 0, high, shown))
