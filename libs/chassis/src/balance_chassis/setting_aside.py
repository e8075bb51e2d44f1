"""What of a batch of marked days fails alone is set aside, so that it stops nothing else.

A batch that fails is done again by halves, each in a savepoint of the transaction that took its markers. A
day that fails alone goes to the table `<schema>.markers_set_aside` with its error. An hour later it is marked
again, behind what is marked by then: it may have been the data, which were corrected, or us, and we were.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, LiteralString, TypeVar

from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_chassis.errors import Fatal, is_transient
from balance_chassis.lanes import BACKLOG
from balance_chassis.postgres import identifier

T = TypeVar("T")
MOST_SUBJECTS = 20
"""Of how many subjects of a batch days are set aside; more are an error of the step: it is us then."""
MOST_DAYS = 5
"""How many days of a subject are tried alone before it is the subject that fails, not its days."""
AGAIN_S = 3600.0
_RETURNED_AT_ONCE = 200
_ERROR_CHARACTERS = 1000
_log = logging.getLogger(__name__)


class TooManyFailed(Exception):  # noqa: N818 - a verdict on a batch
    """More of a batch failed than is borne. What was done and set aside is kept, the rest marked again."""


class SettingAside(Generic[T]):
    """Does batches of one table of markers. ``key`` gives (subject, start of day, lane) of an item, ``name``
    is the query of a subject's name by its number; ``told`` is called with how many days were set aside.
    """

    def __init__(
        self,
        schema: str,
        table: str,
        key: Callable[[T], tuple[int, datetime, int]],
        name: LiteralString,
        told: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._schema = identifier(schema)
        self._aside = f"{self._schema}.markers_set_aside"
        self._table = identifier(table)
        self.key = key
        self._name = name
        self._told = told
        self._left: list[T] = []

    def bear(
        self,
        conn: Connection[Any],
        batch: Sequence[T],
        do: Callable[[Sequence[T]], None],
        afresh: Callable[[Sequence[T]], None] = lambda _: None,
    ) -> None:
        """Do a batch whose markers this transaction took; when that fails, by halves.

        ``afresh`` is called before each try but the first, with what is tried. Raises what passes by itself
        (see `is_transient`). To be followed by `verify`, once the transaction has committed.
        """
        error = _tried(conn, batch, do) if batch else None
        if error:
            _log.error(
                "%s: a batch of %d failed and is done by halves", self._table, len(batch), exc_info=error
            )
            halves = _Halves(self, conn, do, afresh)
            halves.split(sorted(batch, key=self.key), error)
            self._left = halves.left
            self._mark(conn, self._left)
            for subject, days in halves.failed.items():
                name, why = halves.names[subject], halves.errors[subject]
                _log.error(
                    "%s: %d days of %s set aside for %g s: %s: %s",
                    *(self._table, days, name, AGAIN_S, type(why).__name__, why),
                    extra={"subject": name},
                )
            self._told(halves.failed.total())

    def verify(self) -> None:
        """Raises TooManyFailed when the last batch was given up."""
        left, self._left = self._left, []
        if left:
            raise TooManyFailed(
                f"{self._table}: days of {MOST_SUBJECTS} subjects failed alone, more are not tried: see the "
                f"errors logged before; {len(left)} days were marked again"
            )

    def put(self, conn: Connection[Any], item: T, error: Exception) -> str:
        """Set a day aside; gives the name of its subject."""
        subject, day_start, lane = self.key(item)
        row = conn.execute(self._name, [subject]).fetchone()
        name = str(row[0]) if row else f"number {subject}"
        text = f"{type(error).__name__}: {error}"[:_ERROR_CHARACTERS].replace("\x00", "")
        conn.execute(
            f"INSERT INTO {self._aside} (markers, subject_id, day_start, lane, subject, error) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (markers, subject_id, day_start) DO UPDATE SET "
            "lane = least(markers_set_aside.lane, excluded.lane), subject = excluded.subject, "
            "error = excluded.error, set_aside_at = excluded.set_aside_at",
            [self._table, subject, day_start, lane, name, text],
        )
        return name

    def _mark(self, conn: Connection[Any], items: Sequence[T]) -> None:
        with conn.cursor() as cur:
            cur.executemany(
                f"INSERT INTO {self._schema}.{self._table} (subject_id, day_start, lane) VALUES (%s, %s, %s)",
                [self.key(item) for item in items],
            )


class Returning:
    """The step of a worker that marks again what was set aside long enough ago. ``told`` is called with a
    table of markers and how many of its days are set aside now.
    """

    def __init__(
        self,
        pool: ConnectionPool[Any],
        schema: str,
        tables: Sequence[str],
        told: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._pool = pool
        self._schema = identifier(schema)
        self._aside = f"{self._schema}.markers_set_aside"
        self._tables = [identifier(table) for table in tables]
        self._told = told

    def step(self) -> int:
        """Mark some, one transaction; gives how many."""
        with self._pool.connection() as conn:
            returned = sum(self._returned(conn, table) for table in self._tables)
            counts = dict(conn.execute(f"SELECT markers, count(*) FROM {self._aside} GROUP BY 1").fetchall())
        for table in self._tables:
            self._told(table, counts.get(table, 0))
        return returned

    def _returned(self, conn: Connection[Any], table: str) -> int:
        return conn.execute(
            f"""
            WITH due AS (
                SELECT subject_id, day_start FROM {self._aside}
                WHERE markers = %(table)s AND set_aside_at <= clock_timestamp() - %(again_s)s * INTERVAL '1 s'
                ORDER BY set_aside_at LIMIT {_RETURNED_AT_ONCE} FOR UPDATE SKIP LOCKED
            ), gone AS (
                DELETE FROM {self._aside} s USING due
                WHERE s.markers = %(table)s AND s.subject_id = due.subject_id AND s.day_start = due.day_start
                RETURNING s.subject_id, s.day_start, greatest(s.lane, {BACKLOG}) AS lane
            )
            INSERT INTO {self._schema}.{table} (subject_id, day_start, lane) SELECT * FROM gone
            """,
            {"table": table, "again_s": AGAIN_S},
        ).rowcount


class _Halves(Generic[T]):
    """One batch that failed, in order of subjects and days."""

    def __init__(
        self,
        aside: SettingAside[T],
        conn: Connection[Any],
        do: Callable[[Sequence[T]], None],
        afresh: Callable[[Sequence[T]], None],
    ) -> None:
        self._aside = aside
        self._conn = conn
        self._do = do
        self._afresh = afresh
        self.errors: dict[int, Exception] = {}
        self.names: dict[int, str] = {}
        self._sound: set[int] = set()
        self.failed: Counter[int] = Counter()
        """By subject, how many of its days are set aside."""
        self.left: list[T] = []

    def split(self, some: Sequence[T], error: Exception) -> None:
        """Do both halves of what failed; what cannot be halved is set aside."""
        if len(some) == 1:
            self.errors[self._subject(some[0])] = error
            self._put(some)
            return
        middle = len(some) // 2
        for half in (some[:middle], some[middle:]):
            self._try(half)

    def _try(self, some: Sequence[T]) -> None:
        if len(self.failed) >= MOST_SUBJECTS:
            self.left.extend(some)
            return
        self._put([item for item in some if self._is_hopeless(item)])
        hopeful = [item for item in some if not self._is_hopeless(item)]
        if not hopeful:
            return
        error = _tried(self._conn, hopeful, self._attempt)
        if error:
            self.split(hopeful, error)
            return
        self._sound.update(map(self._subject, hopeful))
        # As a commit would: what the next try finds in temporary tables must be its own.
        self._conn.execute("DISCARD TEMP")

    def _attempt(self, some: Sequence[T]) -> None:
        self._afresh(some)
        self._do(some)

    def _put(self, items: Sequence[T]) -> None:
        for item in items:
            subject = self._subject(item)
            self.failed[subject] += 1
            self.names[subject] = self._aside.put(self._conn, item, self.errors[subject])

    def _is_hopeless(self, item: T) -> bool:
        subject = self._subject(item)
        return self.failed[subject] >= MOST_DAYS and subject not in self._sound

    def _subject(self, item: T) -> int:
        return self._aside.key(item)[0]


def _tried(conn: Connection[Any], some: Sequence[T], do: Callable[[Sequence[T]], None]) -> Exception | None:
    """The error that doing them in a savepoint ended with. Raises what passes by itself."""
    try:
        with conn.transaction():
            do(some)
    except Fatal:
        raise
    except Exception as error:
        if is_transient(error):
            raise
        return error
    return None
