"""`ingest.reading_edits`: every version of every decision, and the days that a change of one touches
(docs/domain.md §3.12).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from psycopg import Connection

from balance_ingest.adapters.postgres import number_channels
from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.work import Now, Pool, mark_days
from balance_ingest.domain.days import Days, Span, as_datetime
from balance_ingest.domain.edits import Edit, reach
from balance_ingest.ports import Pair

DECISIONS = -1
"""Number of the channel that stands for decisions about a usage point, by which its days are marked though no
channel was ever fitted to it. Its module id is the usage point's.
"""


class PostgresDecisions:
    """Implements `ports.Decisions`."""

    def __init__(self, pool: Pool, days: Days, now: Now) -> None:
        """Take the pool, the metering days and the clock."""
        self._pool = pool
        self._days = days
        self._now = now

    def decide(self, edits: Sequence[Edit]) -> int:
        """See the port."""
        keys = sorted({(edit.usage_point, DECISIONS) for edit in edits})
        with self._pool.connection() as conn:
            number_channels(conn, keys)
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            changed: dict[str, list[Span]] = defaultdict(list)
            for edit in edits:
                for name, *span in _kept(conn, edit):
                    changed[name].append((span[0], span[1]))
            marked: set[Pair] = set()
            standing = standing_spans(conn, list(changed))
            for name, spans in changed.items():
                marked |= decided_days(conn, self._days, name, reach(standing.get(name, ()), spans))
            mark_days(conn, marked, self._now)
        return len(marked)


def _kept(conn: Connection[Any], edit: Edit) -> Iterator[tuple[str, int, int]]:
    """Keep a version; (usage point, start, end) of what counted and does not, and of what counts by it."""
    newest = conn.execute(statement("newest_edit"), {"id": edit.edit_id}).fetchone()
    is_newest = newest is None or newest[0] < edit.version
    if is_newest:
        conn.execute(statement("outdate_edit"), {"id": edit.edit_id})
    row = {
        "id": edit.edit_id,
        "version": edit.version,
        "newest": is_newest,
        "standing": edit.standing,
        "usage_point": edit.usage_point,
        "start": as_datetime(edit.start),
        "end": as_datetime(edit.end),
        "values": None if edit.values is None else list(edit.values),
        "of_conflict": edit.of_conflict,
        "reason": edit.reason,
        "decided_by": edit.decided_by,
        "decided": as_datetime(edit.decided),
    }
    conn.execute(statement("keep_edit"), row)
    if is_newest and newest is not None and newest[1]:
        yield newest[2], newest[3], newest[4]
    if is_newest and edit.standing:
        yield edit.usage_point, edit.start, edit.end


def standing_spans(conn: Connection[Any], names: Sequence[str]) -> Mapping[str, Sequence[Span]]:
    """Spans of the decisions that count for some usage points, by name."""
    found: dict[str, list[Span]] = defaultdict(list)
    for name, start, end in conn.execute(statement("standing_edits"), {"names": names}):
        found[name].append((start, end))
    return found


def decided_days(conn: Connection[Any], days: Days, name: str, spans: Iterable[Span]) -> set[Pair]:
    """The days of some spans, as pairs of the channel that stands for the decisions about a usage point; none
    when the register does not know it.
    """
    related = conn.execute(statement("relate_decisions"), {"name": name}).fetchone()
    if related is None:
        return set()
    return {(related[0], day) for start, end in spans for day in days.between(start, end)}
