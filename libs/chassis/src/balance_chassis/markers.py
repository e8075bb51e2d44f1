"""Dirty markers: days of a subject that are to be computed again, as append-only rows.

Writers only add. The worker locks the subject, deletes the markers it sees, and reads state only after
that, each a statement of its own in READ COMMITTED. A write that commits in the middle leaves a marker that
it did not delete, so the day is computed once more. (Lock, read, delete would lose that write.)
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection, IsolationLevel

from balance_chassis.lanes import BACKLOG, LIVE, RECOMPUTATION
from balance_chassis.postgres import copy_binary, identifier

_LIVE_QUIET_S = 0.2
_LIVE_AT_MOST_S = 0.8
_BACKLOG_S = 5.0
_RECOMPUTATIONS_LOOKED_AT = 1000
_WHOLE_TABLE = -1


class Markers:
    """The table `<schema>.markers` of a service, or another of its form.

    A table is worked on subject by subject (`due`, `take`) or many subjects at once (`take_many`), never
    both.
    """

    def __init__(self, schema: str, table: str = "markers") -> None:
        self._table = f"{identifier(schema)}.{identifier(table)}"

    def add(self, conn: Connection[Any], pairs: Iterable[tuple[int, datetime]], lane: int) -> None:
        """Mark (subject, start of day) pairs, each once however often it is given."""
        rows = [(subject, day_start, lane) for subject, day_start in sorted(set(pairs))]
        if not rows:
            return
        columns, types = ("subject_id", "day_start", "lane"), ("int4", "timestamptz", "int2")
        with conn.cursor() as cur:
            copy_binary(cur, self._table, columns, types, rows)

    def add_selected(
        self, conn: Connection[Any], query: LiteralString, parameters: Mapping[str, Any], lane: int
    ) -> int:
        """Mark the (subject, start of day) pairs that a query gives, each once, a day after the other; gives
        how many.
        """
        marked = f"INSERT INTO {self._table} (subject_id, day_start, lane) SELECT DISTINCT q.*, {lane:d} FROM"
        return conn.execute(f"{marked} ({query}) AS q ORDER BY 2, 1", parameters).rowcount

    def recompute(self, conn: Connection[Any], query: LiteralString, parameters: Mapping[str, Any]) -> int:
        """Mark the (subject, start of day) pairs that a query gives for recomputation, but for those so
        marked already; gives how many.
        """
        already = f"SELECT subject_id, day_start FROM {self._table} WHERE lane = {RECOMPUTATION}"
        marked = self.add_selected(conn, f"({query}) EXCEPT {already}", parameters, RECOMPUTATION)
        if marked:
            # What is due before them must at once be found among them by its index.
            conn.execute(f"ANALYZE {self._table}")
        return marked

    def are_any(self, conn: Connection[Any]) -> bool:
        """Whether anything is marked, however lately, but for recomputation."""
        query = f"SELECT EXISTS (SELECT FROM {self._table} WHERE lane < {RECOMPUTATION})"
        (found,) = conn.execute(query).fetchone() or (False,)
        return bool(found)

    def due(self, conn: Connection[Any], limit: int) -> list[int]:
        """Subjects to compute now, live before backlog, then the newest day first.

        Live: no new marker for 0.2 s, or the oldest 0.8 s old. Backlog: the oldest 5 s old, so that what
        still pours in is computed once and not a hundred times. Recomputation: when nothing of these is due,
        those marked first.
        """
        rows = conn.execute(
            f"""
            WITH aged AS (
                SELECT subject_id, lane, day_start, extract(epoch FROM clock_timestamp() - marked_at) AS age_s
                FROM {self._table} WHERE lane < {RECOMPUTATION}
            )
            SELECT subject_id FROM aged GROUP BY subject_id
            HAVING max(age_s) FILTER (WHERE lane = {LIVE}) >= {_LIVE_AT_MOST_S}
                OR min(age_s) FILTER (WHERE lane = {LIVE}) >= {_LIVE_QUIET_S}
                OR max(age_s) FILTER (WHERE lane = {BACKLOG}) >= {_BACKLOG_S}
            ORDER BY min(lane), max(day_start) DESC, subject_id LIMIT %s
            """,
            [limit],
        ).fetchall()
        if not rows:
            rows = conn.execute(
                f"""
                SELECT DISTINCT subject_id FROM (
                    SELECT subject_id FROM {self._table} WHERE lane = {RECOMPUTATION}
                    ORDER BY id LIMIT {_RECOMPUTATIONS_LOOKED_AT}
                ) oldest
                ORDER BY subject_id LIMIT %s
                """,
                [limit],
            ).fetchall()
        return [subject for (subject,) in rows]

    def take(self, conn: Connection[Any], subject: int, limit_days: int) -> Sequence[tuple[datetime, int]]:
        """Lock the subject, delete the markers of its newest days, and give these days with their lane,
        newest first. Days marked for recomputation alone are given when the subject has no others.

        Read state only after this, in the same transaction. Gives nothing when another worker holds the
        subject: it stays due. Raises ValueError if the connection is not READ COMMITTED.
        """
        if not self._locked(conn, subject):
            return []
        return conn.execute(
            f"""
            WITH newest AS (
                SELECT DISTINCT day_start FROM {self._table}
                WHERE subject_id = %(subject)s AND (
                    lane < {RECOMPUTATION} OR NOT EXISTS (
                        SELECT FROM {self._table} WHERE subject_id = %(subject)s AND lane < {RECOMPUTATION}
                    )
                )
                ORDER BY day_start DESC LIMIT %(limit)s
            ), gone AS (
                DELETE FROM {self._table} m USING newest
                WHERE m.subject_id = %(subject)s AND m.day_start = newest.day_start
                RETURNING m.day_start, m.lane
            )
            SELECT day_start, min(lane) FROM gone GROUP BY day_start ORDER BY day_start DESC
            """,
            {"subject": subject, "limit": limit_days},
        ).fetchall()

    def take_many(
        self, conn: Connection[Any], limit: int, quiet_s: float = _BACKLOG_S
    ) -> Sequence[tuple[int, datetime, int]]:
        """Lock the table for whoever takes from it, delete the markers of the days marked longest ago, and
        give them as (subject, start of day, lane), each once.

        Of markers ``quiet_s`` old or older; of days marked for recomputation alone when there are no others,
        so that either all of what is given is recomputation or nothing is. As with `take`, read state only
        after this; gives nothing while another transaction has taken some.
        """
        if not self.hold(conn):
            return []
        return self._taken(conn, f"lane < {RECOMPUTATION}", limit, quiet_s) or self._taken(
            conn,
            f"""
            lane = {RECOMPUTATION} AND NOT EXISTS (
                SELECT FROM {self._table} o
                WHERE o.subject_id = t.subject_id AND o.day_start = t.day_start AND o.lane < {RECOMPUTATION}
            )
            """,
            limit,
            quiet_s,
        )

    def hold(self, conn: Connection[Any]) -> bool:
        """Whether nobody else takes many, nor will until this transaction ends. Raises ValueError if the
        connection is not READ COMMITTED.
        """
        return self._locked(conn, _WHOLE_TABLE)

    def wait(self, conn: Connection[Any]) -> None:
        """The same as `hold`, waiting for whoever has taken many. What is read after it was left by all who
        ever took any.
        """
        conn.execute("SELECT pg_advisory_xact_lock(hashtext(%s), %s)", [self._table, _WHOLE_TABLE])

    def _taken(
        self, conn: Connection[Any], which: LiteralString, limit: int, quiet_s: float
    ) -> Sequence[tuple[int, datetime, int]]:
        # By key, then by place: markers come by the 10,000 and go, and a planner that has not yet seen them
        # come would read all of them for each.
        return conn.execute(
            f"""
            WITH oldest AS (
                SELECT DISTINCT subject_id, day_start FROM (
                    SELECT subject_id, day_start FROM {self._table} t
                    WHERE marked_at <= clock_timestamp() - %(quiet_s)s * INTERVAL '1 s' AND {which}
                    ORDER BY id LIMIT %(limit)s
                ) aged
            ), gone AS (
                DELETE FROM {self._table} WHERE ctid = ANY (ARRAY(
                    SELECT m.at FROM oldest
                    CROSS JOIN LATERAL (
                        SELECT t.ctid AS at FROM {self._table} t
                        WHERE t.subject_id = oldest.subject_id AND t.day_start = oldest.day_start
                        OFFSET 0
                    ) m
                ))
                RETURNING subject_id, day_start, lane
            )
            SELECT subject_id, day_start, min(lane) FROM gone GROUP BY subject_id, day_start
            ORDER BY subject_id, day_start
            """,
            {"limit": limit, "quiet_s": quiet_s},
        ).fetchall()

    def _locked(self, conn: Connection[Any], subject: int) -> bool:
        if conn.isolation_level not in (None, IsolationLevel.READ_COMMITTED):
            raise ValueError(
                f"expected READ COMMITTED, found {conn.isolation_level}: markers would lose updates"
            )
        query = "SELECT pg_try_advisory_xact_lock(hashtext(%s), %s)"
        return conn.execute(query, [self._table, subject]).fetchone() == (True,)
