"""Which nightly results are to be computed, in PostgreSQL.

Whoever lets days fall due holds the kind's row FOR UPDATE, marks everybody's results and advances
`done_to`. Whoever stores what results depend on takes the row FOR SHARE after it wrote, to the end of its
transaction, and marks only what had fallen due before. So either it commits first, and the days fall due
with its data there, or they fell due before, and it marks. What is fresh costs a look at the row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_kernel.calendar import Calendar
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.nightly import Kind, Source, pairs_touched

_QUERIES = {
    Source.READING_DAYS: ("all_reading_days", "first_reading_days", "fallen_reading_days"),
    Source.GROUP_DAYS: ("all_group_days", "first_group_days", "fallen_group_days"),
}
"""Days stored, what depends on them, and everybody's results of a day."""
Due = tuple[int, datetime]
"""Subject and start of the day of a result to compute."""


class PostgresNightly:
    """The results of one kind that are due."""

    def __init__(self, pool: ConnectionPool[Connection[Any]], calendar: Calendar, kind: Kind) -> None:
        self._pool = pool
        self._calendar = calendar
        self._kind = kind
        self._markers = Markers(SCHEMA, kind.markers)
        self._done_to: datetime | None = None

    def fall_due(self, last: datetime) -> int:
        """Let the days up to ``last`` fall due, one transaction; gives how many results it marked.

        The first time these are the results that depend on anything stored.
        """
        if self._done_to is not None and self._done_to >= last:
            return 0
        with self._pool.connection() as conn:
            row = conn.execute(statement("lock_nightly"), {"kind": self._kind.name}).fetchone()
            if row is None:
                raise LookupError(
                    f"expected a row of {SCHEMA}.nightly for {self._kind.name}, found none: migrate"
                )
            self._done_to = row[0]
            if self._done_to is not None and self._done_to >= last:
                return 0
            marked = (
                self._first(conn, last) if self._done_to is None else self._next(conn, self._done_to, last)
            )
            conn.execute(statement("set_nightly"), {"kind": self._kind.name, "done_to": last})
        return marked

    @contextmanager
    def work(self, limit: int, quiet_s: float = 5.0) -> Iterator[tuple[Connection[Any], Sequence[Due]]]:
        """Begin a transaction on at most so many results that were marked ``quiet_s`` ago, their markers
        deleted.

        Read state only after this, by the connection given, and write by it too. One worker at a time has
        results of a kind in hand; the others get none.
        """
        with self._pool.connection() as conn:
            taken = self._markers.take_many(conn, limit, quiet_s)
            yield conn, [(subject, day) for subject, day, _ in taken]

    def _next(self, conn: Connection[Any], done_to: datetime, last: datetime) -> int:
        days = sorted(self._kind.fallen(self._calendar, done_to, last))
        _, _, fallen = _QUERIES[self._kind.source]
        return self._markers.add_selected(conn, statement(fallen), {"days": days}, BACKLOG)

    def _first(self, conn: Connection[Any], last: datetime) -> int:
        stored, first, _ = _QUERIES[self._kind.source]
        days = [day for (day,) in conn.execute(statement(stored)) if day <= last]
        columns = touched_columns(self._kind, self._calendar, days, last)
        return self._markers.add_selected(conn, statement(first), columns, BACKLOG)


def touched_columns(
    kind: Kind, calendar: Calendar, days: Sequence[datetime], done_to: datetime
) -> dict[str, Any]:
    """The columns ``days`` and ``touched`` of the statements `late_…` and `first_…`."""
    pairs = pairs_touched(kind, calendar, days, done_to)
    return {"days": [day for day, _ in pairs], "touched": [touched for _, touched in pairs]}


def hold_done_to(conn: Connection[Any], kinds: Sequence[Kind]) -> Sequence[tuple[Kind, datetime]]:
    """The kinds of which a day has fallen due, with the last, held until the transaction ends.

    To be called after what results depend on was written.
    """
    names = [kind.name for kind in kinds]
    found = dict(conn.execute(statement("lock_nightly_shared"), {"kinds": names}).fetchall())
    return [(kind, found[kind.name]) for kind in kinds if found.get(kind.name)]


def mark_late_readings(
    conn: Connection[Any], calendar: Calendar, kinds: Sequence[Kind], days: Sequence[datetime]
) -> None:
    """Mark what depends on the rows of `changed_reading_days`, which are of these ``days``."""
    _mark_late(conn, calendar, kinds, "late_reading_days", days, {})


def mark_late_group_days(
    conn: Connection[Any],
    calendar: Calendar,
    kinds: Sequence[Kind],
    changed: Sequence[tuple[int, datetime]],
) -> None:
    """Mark what depends on the changed (group, day)s."""
    columns = {"groups": [group for group, _ in changed], "group_days": [day for _, day in changed]}
    _mark_late(conn, calendar, kinds, "late_group_days", sorted({day for _, day in changed}), columns)


def _mark_late(
    conn: Connection[Any],
    calendar: Calendar,
    kinds: Sequence[Kind],
    query: str,
    days: Sequence[datetime],
    columns: Mapping[str, Any],
) -> None:
    for kind, done_to in hold_done_to(conn, kinds):
        late = [day for day in days if day <= done_to]
        if late:
            touched = touched_columns(kind, calendar, late, done_to)
            Markers(SCHEMA, kind.markers).add_selected(
                conn, statement(query), {**columns, **touched}, BACKLOG
            )
