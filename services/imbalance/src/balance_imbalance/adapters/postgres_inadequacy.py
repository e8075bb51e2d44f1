"""Inadequacy days in PostgreSQL: what is due is computed, a building at a time (docs/domain.md §7).

Who is a home is a table of its own, compared with the register whenever that changed: where they differ,
days are marked, in the transaction that brings the table up to date. So whoever computes a day while the
register changes computes it again. Nobody takes markers meanwhile: that of a home which is not in the table
yet would come to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from balance_schemas import catalogue
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.algorithms import be_newest
from balance_imbalance.adapters.inadequacy_rows import COLUMNS, TYPES, HomesOfDay, rows_of_day
from balance_imbalance.adapters.partitions import Partitions
from balance_imbalance.adapters.postgres_nightly import Due, PostgresNightly, hold_done_to
from balance_imbalance.adapters.postgres_weather import read_weather
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.inadequacy import ALGORITHM_VERSION, InadequacyRules, Past, State
from balance_imbalance.domain.kinds import INADEQUACY
from balance_imbalance.domain.weather_reports import WeatherSpan

_KEYS_AN_OUTBOX_ROW = 1000
_HOMES_A_FETCH = 5000


class PostgresInadequacy:
    """Implements `ports.InadequacyStore`."""

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        calendar: Calendar,
        rules: InadequacyRules,
        set_aside: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._calendar = calendar
        self._rules = rules
        self._nightly = PostgresNightly(pool, calendar, INADEQUACY, set_aside)
        self._markers = Markers(SCHEMA, INADEQUACY.markers)
        self._partitions = Partitions(pool, f"{SCHEMA}.inadequacy_days")
        self._register_state: object = None

    def mark_other_settings(self, since: datetime | None = None) -> int:
        """See the port."""
        sought = {
            "algorithm_version": ALGORITHM_VERSION,
            "settings_hash": self._rules.settings_hash,
            "since": since,
        }
        with self._pool.connection() as conn:
            be_newest(conn, INADEQUACY.name, ALGORITHM_VERSION)
        # Committed by itself: marking is long, and whoever computes looks at it.
        with self._pool.connection() as conn:
            return self._markers.recompute(conn, statement("inadequacy_of_other_settings"), sought)

    def fall_due(self, last: datetime) -> int:
        """See the port."""
        return self._nightly.fall_due(last)

    def follow_register(self) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            row = conn.execute(statement("register_state")).fetchone()
            if row == self._register_state or not self._markers.hold(conn):
                return 0
            conn.execute(statement("make_homes_now"))
            conn.execute(statement("make_homes_changed"))
            conn.execute(statement("find_homes_now"))
            changed = conn.execute(statement("find_homes_changed")).rowcount
            if changed:
                self._keep_homes(conn)
        self._register_state = row
        return changed

    def compute(self, limit: int, quiet_s: float = 5.0) -> tuple[int, int]:
        """See the port."""
        changed = 0
        with self._nightly.work(limit, quiet_s) as (conn, due, lane):
            be_newest(conn, INADEQUACY.name, ALGORITHM_VERSION)

            def compute(some: Sequence[Due]) -> None:
                nonlocal changed
                work = _Work(conn, self._calendar, self._rules, lane)
                days = work.find(some)
                self._partitions.ensure(days)
                # What a day learns from lies further back than a run is long.
                changed += sum(work.compute(run) for run in _runs(days, self._rules.recent_days))

            self._nightly.bear(conn, due, lane, compute)
        return len(due), changed

    def _keep_homes(self, conn: Connection[Any]) -> None:
        conn.execute("ANALYZE homes_changed")
        conn.execute(statement("forget_homes_changed"))
        conn.execute(statement("keep_homes_changed"))
        for kind, done_to in hold_done_to(conn, [INADEQUACY]):
            query, columns = statement("days_of_homes_changed"), {"done_to": done_to}
            Markers(SCHEMA, kind.markers).add_selected(conn, query, columns, BACKLOG)


class MarkWeather:
    """Marks the inadequacy days that depend on weather that changed (`AlsoMark` of the weather)."""

    days_at_once: int | None = 14

    def __call__(self, conn: Connection[Any], spans: Sequence[WeatherSpan]) -> None:
        """Mark by the table `weather_points` of this transaction, what stands. Whoever is about to write a
        row is waited for.
        """
        markers = Markers(SCHEMA, INADEQUACY.markers)
        markers.wait(conn)
        days = {"first": min(span.first for span in spans), "last": max(span.last for span in spans)}
        markers.add_selected(conn, statement("days_of_weather"), days, BACKLOG)


class _Work:
    """One transaction that holds the markers it took."""

    def __init__(self, conn: Connection[Any], calendar: Calendar, rules: InadequacyRules, lane: int) -> None:
        self._conn = conn
        self._calendar = calendar
        self._rules = rules
        self._lane = lane

    def find(self, due: Sequence[tuple[int, datetime]]) -> Sequence[datetime]:
        """Look up the homes that these markers concern; gives the days, ascending."""
        self._conn.execute(statement("make_due_homes"))
        self._conn.execute(statement("make_wanted_homes"))
        with self._conn.cursor() as cur:
            copy_binary(cur, "due_homes", ("usage_point", "day_start"), ("int4", "timestamptz"), due)
        self._conn.execute("ANALYZE due_homes")
        self._conn.execute(statement("find_wanted_homes"))
        self._conn.execute("ANALYZE wanted_homes")
        return sorted({day for _, day in due})

    def compute(self, days: Sequence[datetime]) -> int:
        """Compute and keep these days; gives how many rows changed."""
        self._conn.execute(statement("make_incoming_inadequacy"))
        computed_at = datetime.now(UTC)
        for day in days:
            rows = list(self._rows(day, computed_at))
            with self._conn.cursor() as cur:
                copy_binary(cur, "incoming_inadequacy_days", COLUMNS, TYPES, rows)
        given = {"withdrawn": State.WITHDRAWN, "computed_at": computed_at, "day_starts": list(days)}
        self._conn.execute(statement("withdraw_inadequacy"), given)
        self._mark_learners(days)
        changed = self._conn.execute(statement("upsert_inadequacy")).fetchall()
        self._conn.execute(statement("stamp_inadequacy"))
        self._conn.execute("TRUNCATE incoming_inadequacy_days")
        self._publish(changed)
        return len(changed)

    def _rows(self, day: datetime, computed_at: datetime) -> Iterator[Sequence[Any]]:
        homes = self._homes(day)
        if not len(homes):
            return
        weather = read_weather(self._conn, homes.paths, [day], self._rules.heating_base)
        start, hours = int(day.timestamp()), self._calendar.hours(day)
        found = homes.found([weather.mean(path, start, hours) for path in homes.paths])
        counts = found.states(self._rules) == State.COUNTS
        past = self._past(day, homes.usage_points[counts].tolist())
        yield from rows_of_day(day, homes, found, past, self._rules, computed_at)

    def _homes(self, day: datetime) -> HomesOfDay:
        homes = HomesOfDay(self._calendar.hours(day))
        with self._conn.cursor(binary=True) as cur:
            cur.execute(statement("wanted_homes_of_day"), {"day_start": day}, prepare=False)
            while rows := cur.fetchmany(_HOMES_A_FETCH):
                homes.add(rows)
        return homes

    def _past(self, day: datetime, usage_points: list[int]) -> Past:
        """What these homes learned until the day."""
        if not usage_points:
            return Past.of([])
        first, end = self._rules.past_of(self._calendar, day)
        asked = {
            "usage_points": usage_points,
            "start_day": first,
            "end_day": end,
            "free_heat": self._rules.free_heat,
            "heating_base": self._rules.heating_base,
        }
        # Planned for this many homes: few are looked up, a fleet is read through.
        rows = self._conn.execute(statement("past_of_homes"), asked, prepare=False)
        sums = {point: row for point, *row in rows}
        return Past.of([sums.get(point, (0,) * 6) for point in usage_points])

    def _mark_learners(self, days: Sequence[datetime]) -> None:
        spans = [self._rules.learners_of(self._calendar, day) for day in days]
        columns = {
            "day_starts": list(days),
            "firsts": [first for first, _ in spans],
            "ends": [end for _, end in spans],
        }
        markers = Markers(SCHEMA, INADEQUACY.markers)
        markers.add_selected(self._conn, statement("days_that_learn"), columns, BACKLOG)

    def _publish(self, changed: Sequence[tuple[int, datetime]]) -> None:
        keys = [[point, int(day.timestamp())] for point, day in changed]
        outbox = Outbox(SCHEMA)
        for start in range(0, len(keys), _KEYS_AN_OUTBOX_ROW):
            some = keys[start : start + _KEYS_AN_OUTBOX_ROW]
            outbox.add(self._conn, catalogue.INADEQUACY, some, self._lane)


def _runs(days: Sequence[datetime], length: int) -> Iterator[Sequence[datetime]]:
    """Ascending days cut so that none of a run lies more than ``length`` days after its first."""
    run: list[datetime] = []
    for day in days:
        if run and day - run[0] >= timedelta(days=length):
            yield run
            run = []
        run.append(day)
    if run:
        yield run
