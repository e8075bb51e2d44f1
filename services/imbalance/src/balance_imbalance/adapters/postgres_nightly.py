"""Which nightly results are to be computed, in PostgreSQL.

Whoever lets days fall due advances `done_to`, holding the kind's row FOR UPDATE for no more than that, and
then marks everybody's results, some days a transaction. Whoever stores what results depend on takes the row
FOR SHARE after it wrote, to the end of its transaction, and marks only what had fallen due before. So either
it commits first, and is there when results are marked, or the days fell due before, and it marks. What is
fresh costs a look at the row, and waits for no marking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_chassis.setting_aside import SettingAside
from balance_kernel.calendar import Calendar
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.nightly import Kind, Source, pairs_touched

_QUERIES = {
    Source.READING_DAYS: ("all_reading_days", "first_reading_days", "fallen_reading_days"),
    Source.HOMES: ("all_reading_days", "first_home_days", "fallen_home_days"),
    Source.GROUP_DAYS: ("all_group_days", "first_group_days", "fallen_group_days"),
}
"""Days stored, what depends on them, and everybody's results of a day."""
_DAYS_MARKED_AT_ONCE = 31
"""Of results of everybody: 2 million rows a transaction for 67,000 usage points."""
_NEVER = datetime.min.replace(tzinfo=UTC)
Due = tuple[int, datetime]
"""Subject and start of the day of a result to compute."""


class PostgresNightly:
    """The results of one kind that are due."""

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        calendar: Calendar,
        kind: Kind,
        set_aside: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._calendar = calendar
        self._kind = kind
        self._markers = Markers(SCHEMA, kind.markers)
        name = "name_of_group" if kind.source is Source.GROUP_DAYS else "name_of_usage_point"
        self._aside = SettingAside[tuple[int, datetime, int]](
            SCHEMA, kind.markers, lambda key: key, statement(name), set_aside
        )
        self._marked_to = _NEVER
        self._stored: Sequence[datetime] | None = None

    def fall_due(self, last: datetime) -> int:
        """Let the days up to ``last`` fall due, and mark their results, a transaction each; gives how many it
        marked.

        The first time these are the results that depend on anything stored. Killed in between, or while
        another worker is about it, it goes on where the marking stands.
        """
        marked = 0
        if self._marked_to < last:
            self._advance(last)
        while self._marked_to < last:
            some, marked_to = self._mark()
            if marked_to is None:
                return marked
            marked += some
            self._marked_to = marked_to
        self._stored = None
        return marked

    @contextmanager
    def work(self, limit: int, quiet_s: float = 5.0) -> Iterator[tuple[Connection[Any], Sequence[Due], int]]:
        """Begin a transaction on at most so many results that were marked ``quiet_s`` ago, their markers
        deleted; with the lane that they go out by.

        Read state only after this, by the connection given, and write by it too. One worker at a time has
        results of a kind in hand; the others get none.
        """
        with self._pool.connection() as conn:
            taken = self._markers.take_many(conn, limit, quiet_s)
            # Recomputation is taken by itself.
            lane = min((lane for _, _, lane in taken), default=BACKLOG)
            yield conn, [(subject, day) for subject, day, _ in taken], lane
        self._aside.verify()

    def bear(
        self, conn: Connection[Any], due: Sequence[Due], lane: int, do: Callable[[Sequence[Due]], None]
    ) -> None:
        """Do what `work` gave, and set aside what fails alone."""

        def without_lanes(some: Sequence[tuple[int, datetime, int]]) -> None:
            do([(subject, day) for subject, day, _ in some])

        self._aside.bear(conn, [(subject, day, lane) for subject, day in due], without_lanes)

    def _advance(self, last: datetime) -> None:
        with self._pool.connection() as conn:
            row = conn.execute(statement("lock_nightly"), {"kind": self._kind.name}).fetchone()
            if row is None:
                raise LookupError(
                    f"expected a row of {SCHEMA}.nightly for {self._kind.name}, found none: migrate"
                )
            done_to = row[0]
            if done_to is not None and done_to >= last:
                return
            given = {"kind": self._kind.name, "last": last, "done_to": done_to}
            conn.execute(statement("begin_first_marking" if done_to is None else "begin_marking"), given)
            conn.execute(statement("set_nightly"), given)

    def _mark(self) -> tuple[int, datetime | None]:
        """Mark results of the next days, one transaction; gives how many, and the day up to which all are
        marked then, None while another worker is about it.
        """
        with self._pool.connection() as conn:
            row = conn.execute(statement("lock_nightly_marking"), {"kind": self._kind.name}).fetchone()
            if row is None:
                return 0, None
            marked_to, first_to, done_to = row
            marked_to, first_to = marked_to or _NEVER, first_to or _NEVER
            if marked_to >= done_to:
                return 0, marked_to
            if marked_to < first_to:
                query, columns, marked_to = self._first(conn, marked_to, first_to)
            else:
                query, columns, marked_to = self._next(marked_to, done_to)
            marked = self._markers.add_selected(conn, statement(query), columns, BACKLOG)
            given = {"kind": self._kind.name, "marked_to": marked_to}
            conn.execute(statement("set_nightly_marking"), given)
        return marked, marked_to

    def _next(self, marked_to: datetime, done_to: datetime) -> tuple[str, dict[str, Any], datetime]:
        some, until = _some(self._kind.fallen(self._calendar, marked_to, done_to), done_to)
        return _QUERIES[self._kind.source][2], {"days": some}, until

    def _first(
        self, conn: Connection[Any], marked_to: datetime, first_to: datetime
    ) -> tuple[str, dict[str, Any], datetime]:
        stored, first, _ = _QUERIES[self._kind.source]
        if self._stored is None:
            # What is stored from now on is marked by who stores it.
            self._stored = [day for (day,) in conn.execute(statement(stored)) if day <= first_to]
        pairs = pairs_touched(self._kind, self._calendar, self._stored, first_to)
        some, until = _some({touched for _, touched in pairs if touched > marked_to}, first_to)
        wanted = frozenset(some)
        columns = _columns([pair for pair in pairs if pair[1] in wanted])
        # Of the partitions only those of these days are read.
        return first, {**columns, "first": min(columns["days"], default=None), "last": until}, until


def _some(days: Iterable[datetime], last: datetime) -> tuple[Sequence[datetime], datetime]:
    """The first of these days, and the day up to which they are all."""
    ordered = sorted(days)
    some = ordered[:_DAYS_MARKED_AT_ONCE]
    return some, some[-1] if len(some) < len(ordered) else last


def touched_columns(
    kind: Kind, calendar: Calendar, days: Sequence[datetime], done_to: datetime
) -> dict[str, Any]:
    """The columns ``days`` and ``touched`` of the statements `late_…` and `first_…`."""
    return _columns(pairs_touched(kind, calendar, days, done_to))


def _columns(pairs: Sequence[tuple[datetime, datetime]]) -> dict[str, Any]:
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
    _mark_late(conn, calendar, kinds, "late_reading_days", days, {}, BACKLOG)


def mark_late_group_days(
    conn: Connection[Any],
    calendar: Calendar,
    kinds: Sequence[Kind],
    changed: Sequence[tuple[int, datetime]],
    lane: int,
) -> None:
    """Mark what depends on the changed (group, day)s."""
    if changed:
        columns = {"groups": [group for group, _ in changed], "group_days": [day for _, day in changed]}
        days = sorted({day for _, day in changed})
        _mark_late(conn, calendar, kinds, "late_group_days", days, columns, lane)


def _mark_late(
    conn: Connection[Any],
    calendar: Calendar,
    kinds: Sequence[Kind],
    query: str,
    days: Sequence[datetime],
    columns: Mapping[str, Any],
    lane: int,
) -> None:
    for kind, done_to in hold_done_to(conn, kinds):
        late = [day for day in days if day <= done_to]
        if late:
            touched = touched_columns(kind, calendar, late, done_to)
            Markers(SCHEMA, kind.markers).add_selected(conn, statement(query), {**columns, **touched}, lane)
