"""Where evidence, telemetry, readings and findings are, in PostgreSQL: begins the transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_chassis.copying import Numbers
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.markers import Markers
from balance_chassis.postgres import ensure_partitions
from psycopg import Connection

from balance_ingest.adapters.histories import Histories
from balance_ingest.adapters.outcomes import SCHEMA
from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.work import Now, Pool, PostgresWork
from balance_ingest.domain.cutting import ChannelKey
from balance_ingest.domain.days import DAY_S, Days, Ints, as_datetime
from balance_ingest.domain.packets import CHANNELS
from balance_ingest.domain.parameters import DEFAULTS, ParameterTable
from balance_ingest.domain.telemetry import Telemetry, modules_spoken_of
from balance_ingest.ports import Pair

_MONTH_S = 31 * DAY_S
_SUBJECTS_LOOKED_AT = 400
_ALL_DAYS = 1_000_000


class PostgresStore:
    """Implements `ports.Store`; for one thread."""

    def __init__(
        self, pool: Pool, days: Days, now: Now, table: ParameterTable = DEFAULTS, lane: int = LIVE
    ) -> None:
        """Take the pool, the metering days, the clock, the parameters of meters and the lane of packets."""
        self._lane = lane
        self._pool = pool
        self._days = days
        self._now = now
        self._histories = Histories(table)
        self._numbers: dict[ChannelKey, int] = {}
        self._months: set[tuple[str, int, int]] = set()

    @contextmanager
    def sinking(
        self, channels: Sequence[ChannelKey], days: Iterable[int], told: Telemetry
    ) -> Iterator[tuple[PostgresWork, Ints]]:
        """See the port."""
        modules = self._prepare(channels, days, told)
        ids = np.array([self._numbers[key] for key in channels], np.int64)
        with self._pool.connection() as conn:
            if modules:
                conn.execute(statement("lock_channel_numbers_shared"))
            work = self._begun(conn)
            beside = work.find_channels(modules) if modules else []
            work.hold([*ids.tolist(), *beside])
            yield work, ids

    @contextmanager
    def working(
        self, limit_days: int, alone: int | None = None
    ) -> Iterator[tuple[PostgresWork, Sequence[Pair]]]:
        """See the port."""
        with self._pool.connection() as conn:
            markers = Markers(SCHEMA)
            due = markers.due(conn, _SUBJECTS_LOOKED_AT) if alone is None else [alone]
            work = self._begun(conn)
            pairs: list[Pair] = []
            for channel in due:
                if len(pairs) >= limit_days:
                    break
                taken = markers.take(conn, channel, limit_days - len(pairs))
                pairs.extend((channel, int(day.timestamp())) for day, _ in taken)
            work.hold(sorted({channel for channel, _ in pairs}))
            yield work, pairs
            if pairs:
                channels, days = zip(*pairs, strict=True)
                conn.execute(
                    statement("no_longer_set_aside"), {"channels": Numbers(channels), "days": Numbers(days)}
                )

    def due(self) -> Sequence[int]:
        """See the port."""
        with self._pool.connection() as conn:
            return Markers(SCHEMA).due(conn, _SUBJECTS_LOOKED_AT)

    def set_aside(self, channel: int, reason: str) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            days = [day for day, _ in Markers(SCHEMA).take(conn, channel, _ALL_DAYS)]
            conn.execute(statement("set_aside"), {"channel": channel, "days": days, "reason": reason})
        return len(days)

    def take_back(self) -> None:
        """See the port."""
        with self._pool.connection() as conn:
            rows = conn.execute(statement("take_back")).fetchall()
            Markers(SCHEMA).add(conn, rows, BACKLOG)

    def _begun(self, conn: Connection[Any]) -> PostgresWork:
        conn.execute(statement("lock_assets_shared"), prepare=True)
        self._histories.refresh(conn)
        return PostgresWork(conn, self._days, self._histories, self._now, self._lane)

    def _prepare(self, channels: Sequence[ChannelKey], days: Iterable[int], told: Telemetry) -> Set[str]:
        """What must be there before, in a transaction of its own: it is not undone, and holds nobody up.

        Gives the modules all of whose channels telemetry may bear on.
        """
        certain, possible = modules_spoken_of(told, channels)
        near = {day + beside for day in days for beside in (-_MONTH_S, 0, _MONTH_S)}
        with self._pool.connection() as conn:
            unknown = [key for key in channels if key not in self._numbers]
            if unknown:
                self._numbers.update(number_channels(conn, unknown))
            self._make_partitions(conn, ("evidence_days", "reading_days"), near)
            self._make_partitions(conn, ("module_states",), {observed for _, observed in told.states})
            if possible:
                rows = conn.execute(statement("modules_with_odd_clocks"), {"modules": sorted(possible)})
                certain |= {module for (module,) in rows}
        return certain

    def _make_partitions(self, conn: Connection[Any], tables: Sequence[str], instants: Iterable[int]) -> None:
        moments = map(as_datetime, instants)
        months = {(tables[0], moment.year, moment.month) for moment in moments} - self._months
        if months:
            middles = [datetime(year, month, 15, tzinfo=UTC) for _, year, month in sorted(months)]
            for table in tables:
                ensure_partitions(conn, f"{SCHEMA}.{table}", middles)
            conn.commit()
            self._months |= months


def number_channels(conn: Connection[Any], keys: Sequence[ChannelKey]) -> dict[ChannelKey, int]:
    """Numbers of channels, created where they are new."""
    conn.execute(statement("lock_channel_numbers_exclusive"))
    columns = {"modules": [module for module, _ in keys], "numbers": [number for _, number in keys]}
    created = conn.execute(statement("create_channels"), columns).fetchall()
    if created:
        conn.execute(statement("doubt_new_channels"), columns)
    beside = [channel for channel, number in created if number >= CHANNELS]
    if beside:
        _relate_extremes(conn, beside)
    rows = conn.execute(statement("numbers_of_channels"), columns)
    return {(module, number): channel for module, number, channel in rows}


def _relate_extremes(conn: Connection[Any], channels: Sequence[int]) -> None:
    """New channels of minima and maxima belong to the usage points of their averages: whoever has these in
    memory must hear of it before evidence of theirs is stored.
    """
    conn.execute(statement("lock_assets_exclusive"))
    points = conn.execute(statement("relate_extremes"), {"channels": list(channels)}).fetchall()
    conn.execute(statement("renew_usage_points"), {"points": [point for (point,) in points]})
