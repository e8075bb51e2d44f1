"""This service's copy of the readings, in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_chassis.copying import Column, copy_columns
from balance_chassis.markers import Markers
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.partitions import Partitions
from balance_imbalance.adapters.postgres_nightly import mark_late_readings
from balance_imbalance.adapters.postgres_numbers import UsagePointNumbers
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.kinds import OF_READINGS
from balance_imbalance.domain.messages import ReadingDay
from balance_imbalance.domain.rules import Rules

_TABLE = f"{SCHEMA}.reading_days"
_INCOMING = "incoming_reading_days"
_COLUMNS = ("usage_point", "day_start", "step_s", "values", "qualities", "version")
_TYPES = ("int4", "timestamptz", "int4", "int8[]", "int2[]", "int8")


class PostgresReadingDayStore:
    """Implements `ports.ReadingDayStore` for one lane (0 live, 1 backlog).

    Who computes a group holds its row FOR UPDATE. The groups of changed days are locked FOR SHARE after the
    days are written and before the results that depend on them are looked up. So a worker either ended
    before, and its results are seen here and marked, or it begins after the commit and sees the days. The
    lock is taken late to hold workers up briefly.
    """

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        calendar: Calendar,
        lane: int,
        lookback_days: int,
        unmetered_days: int = Rules().unmetered_days,
    ) -> None:
        self._pool = pool
        self._calendar = calendar
        self._lane = lane
        self._lookback_days = lookback_days
        self._unmetered_days = unmetered_days
        self._numbers = UsagePointNumbers(pool)
        self._markers = Markers(SCHEMA)
        self._partitions = Partitions(pool, _TABLE)

    def store(self, days: Sequence[ReadingDay], clock_at: int) -> int:
        """See the port."""
        numbers = self._numbers.of(day.usage_point_id for day in days)
        instants = {start: datetime.fromtimestamp(start, UTC) for start in {day.day_start for day in days}}
        self._partitions.ensure(instants.values())
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_shared"))
            changed = self._upsert(conn, days, numbers, instants)
            if changed:
                conn.execute(statement("note_changed_thermometers"))
                self._mark(conn)
            conn.execute(statement("hear_clock"), {"clock_at": clock_at})
        return changed

    def _upsert(
        self,
        conn: Connection[Any],
        days: Sequence[ReadingDay],
        numbers: Mapping[str, int],
        instants: Mapping[int, datetime],
    ) -> int:
        """How many changed; which, stands in the table `changed_reading_days` of this transaction."""
        if not days:
            return 0
        conn.execute(statement("make_changed_readings"))
        conn.execute(statement("make_incoming_readings"))
        plain: defaultdict[int, list[ReadingDay]] = defaultdict(list)
        for day in days:
            if day.qualities is None:
                plain[len(day.values)].append(day)
        odd = (
            (
                numbers[day.usage_point_id],
                instants[day.day_start],
                day.step_s,
                day.values.tolist(),
                day.qualities,
                day.version,
            )
            for day in days
            if day.qualities is not None
        )
        with conn.cursor() as cur:
            for same_length in plain.values():
                copy_columns(cur, _INCOMING, _columns(same_length, numbers))
            copy_binary(cur, _INCOMING, _COLUMNS, _TYPES, odd)
        return conn.execute(statement("upsert_readings")).rowcount

    def _mark(self, conn: Connection[Any]) -> None:
        conn.execute(statement("lock_groups_of_changed_readings"))
        starts = [start for (start,) in conn.execute(statement("changed_days"))]
        touched = conn.execute(
            statement("touched_group_days"),
            {
                "day_starts": starts,
                "day_ends": [self._calendar.next_day(start) for start in starts],
                "untils": [self._calendar.shift(start, self._lookback_days) for start in starts],
                "unmetered_days": self._unmetered_days,
            },
        )
        self._markers.add(conn, touched.fetchall(), self._lane)
        mark_late_readings(conn, self._calendar, OF_READINGS, starts)


def _columns(days: Sequence[ReadingDay], numbers: Mapping[str, int]) -> Sequence[Column]:
    """Days of one length without qualities."""
    return [
        ("usage_point", "int4", np.array([numbers[day.usage_point_id] for day in days])),
        ("day_start", "timestamptz", np.array([day.day_start for day in days])),
        ("step_s", "int4", np.array([day.step_s for day in days])),
        ("values", "int8", np.stack([day.values for day in days])),
        ("version", "int8", np.array([day.version for day in days])),
    ]
