"""Judging of changed reading days in PostgreSQL (docs/domain.md §3.15)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import Any

import numpy as np
from balance_chassis.copying import Numbers
from psycopg import Connection

from balance_ingest.adapters.histories import from_row_usage_point
from balance_ingest.adapters.outcomes import Findings, name_findings
from balance_ingest.adapters.queries import rows_of, statement
from balance_ingest.adapters.work import Pool
from balance_ingest.domain.days import Days, as_datetime
from balance_ingest.domain.findings import UNUSUAL, Finding
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.parameters import METERED, USUAL_DAYS, ParameterTable
from balance_ingest.domain.unusual import (
    SPIKE_DAYS,
    DayHours,
    Judge,
    Past,
    Shown,
    Usual,
    worth_judging,
)

_AHEAD_DAYS = 100
"""Days read at once before one that a judge looks back to."""
_POINTS_AT_ONCE = 200


class PostgresUnusual:
    """Implements `ports.Unusual`."""

    def __init__(self, pool: Pool, days: Days, table: ParameterTable) -> None:
        """Take the pool, the metering days and the parameters."""
        self._pool = pool
        self._days = days
        self._table = table
        self._judge = Judge(days, table)

    def judge_changes(self) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            # One at a time: of two that judge one usage point the slower would write what no longer holds.
            (alone,) = conn.execute(statement("only_one_judges")).fetchone() or (False,)
            taken = conn.execute(statement("take_changes")).fetchall() if alone else []
            changed: dict[int, set[int]] = defaultdict(set)
            for points, days in taken:
                for point, day in zip(points, days, strict=True):
                    changed[point].add(day)
            if changed:
                self._judge_all(conn, changed)
        return sum(len(days) for days in changed.values())

    def _judge_all(self, conn: Connection[Any], changed: Mapping[int, set[int]]) -> None:
        rows = rows_of(conn, "usage_points_by_key", points=Numbers(changed))
        points = {point.key: point for point in (from_row_usage_point(row, self._table) for row in rows)}
        wanted = self._reached(conn, points, changed)
        found: dict[int, list[Finding]] = defaultdict(list)
        by_day: dict[int, list[int]] = defaultdict(list)
        for point, days in wanted.items():
            for day in days:
                by_day[day].append(point)
        reader = _Reader(conn, self._days)
        for day, keys in sorted(by_day.items()):
            worth = self._worth(conn, day, [points[k] for k in keys if points[k].resource in METERED])
            for start in range(0, len(worth), _POINTS_AT_ONCE):
                some = worth[start : start + _POINTS_AT_ONCE]
                reader.read(some, day)
                for key in some:
                    past = Past(partial(reader.hours, key), partial(reader.usual, key))
                    found[key] += self._judge.judge(points[key], day, past)
        self._settle(conn, points, wanted, found)

    def _reached(
        self, conn: Connection[Any], points: Mapping[int, UsagePoint], changed: Mapping[int, set[int]]
    ) -> Mapping[int, set[int]]:
        """Changed days, and later reading days on which their readings bear."""
        wanted = {key: set(days) for key, days in changed.items()}
        (newest,) = conn.execute(statement("newest_reading_day")).fetchone() or (None,)
        by_first: dict[int, list[int]] = defaultdict(list)
        for key, days in changed.items():
            by_first[min(days)].append(key)
        for first, keys in by_first.items():
            last = {key: max(changed[key]) for key in keys}
            later = self._between(first, self._days.shift(max(last.values()), self._table.reach_days), newest)
            for key, day in rows_of(conn, "later_reading_days", days=later, points=Numbers(keys)):
                wanted[key].add(day)
            far = self._between(first, self._days.shift(max(last.values()), SPIKE_DAYS), newest)
            flows = [meter.q_max for key in keys for meter in points[key].meters]
            flow = int(self._table.least_share * min(flows, default=0))
            for key, day in rows_of(conn, "later_spikes", days=far, points=Numbers(keys), flow=flow):
                wanted[key].add(day)
        return wanted

    def _between(self, after: int, last: int, newest: int | None) -> Sequence[Any]:
        if newest is None or after >= newest:
            return []
        return [as_datetime(day) for day in self._days.between(after + 1, min(last, newest) + 1)]

    def _worth(self, conn: Connection[Any], day: int, points: Sequence[UsagePoint]) -> Sequence[int]:
        """Those of some usage points whose day may be unusual."""
        numbers = Numbers([point.key for point in points])
        rows = {
            k: DayHours.of(*r)
            for k, *r in rows_of(conn, "hours_of_day", day=as_datetime(day), points=numbers)
        }
        shown = [point for point in points if point.key in rows and point.meters]
        if not shown:
            return []
        eve = as_datetime(self._days.shift(day, -1))
        before = dict(rows_of(conn, "last_hours_of_day", day=eve, points=numbers))
        month = [as_datetime(self._days.shift(day, -back)) for back in range(1, USUAL_DAYS + 1)]
        usual = dict(rows_of(conn, "usual_of_days", days=month, points=numbers))
        keys = [point.key for point in shown]
        idle = [point for point in shown if not rows[point.key].values.any()]
        completes = self._completes_zero(conn, day, idle)
        worth = worth_judging(
            Shown(
                np.stack([rows[key].values for key in keys]),
                np.stack([rows[key].good for key in keys]),
                np.array([before.get(key) or 0 for key in keys], np.int64),
                np.array([min(m.weight for m in point.meters) for point in shown], np.int64),
                np.array([min(m.q_max for m in point.meters) for point in shown], np.int64),
                np.array([usual.get(key, 0) for key in keys], np.int64),
                np.array([key in completes for key in keys], bool),
            ),
            self._table,
        )
        return [key for key, one in zip(keys, worth.tolist(), strict=True) if one]

    def _completes_zero(self, conn: Connection[Any], day: int, points: Sequence[UsagePoint]) -> Set[int]:
        """Those of some usage points without consumption on a day whose N days of it end there: the first of
        these days has none, the day before it does. A season without heat is not read night for night.
        """
        by_length: dict[int, list[int]] = defaultdict(list)
        for point in points:
            meter = point.meter_at(day)
            if meter is not None:
                by_length[self._table.of(point.resource, meter.q_max).zero_days].append(point.key)
        found: set[int] = set()
        for length, keys in by_length.items():
            begun = self._without_consumption(conn, self._days.shift(day, 1 - length), keys)
            before = self._without_consumption(conn, self._days.shift(day, -length), keys)
            found |= begun - before
        return found

    def _without_consumption(self, conn: Connection[Any], day: int, points: Sequence[int]) -> Set[int]:
        rows = rows_of(conn, "without_consumption", day=as_datetime(day), points=Numbers(points))
        return {key for (key,) in rows}

    def _settle(
        self,
        conn: Connection[Any],
        points: Mapping[int, UsagePoint],
        wanted: Mapping[int, set[int]],
        found: Mapping[int, Sequence[Finding]],
    ) -> None:
        gone: dict[int, list[str]] = defaultdict(list)
        open_ = rows_of(conn, "open_unusual", points=Numbers(wanted), rules=list(UNUSUAL))
        for key, finding_id, _, _, end in open_:
            if self._days.day_of(end - 1) in wanted[key]:
                gone[key].append(finding_id)
        findings = Findings()
        for key in sorted(points):
            findings.settle(found.get(key, ()), gone[key], usage_point=key)
        name_findings(conn, findings.write(conn))


class _Reader:
    """Hours of usage points, read for many of them and for a span of days at a time."""

    def __init__(self, conn: Connection[Any], days: Days) -> None:
        self._conn = conn
        self._days = days
        self._read: dict[tuple[int, int], DayHours] = {}
        self._known: dict[int, set[int]] = defaultdict(set)

    def read(self, points: Sequence[int], day: int) -> None:
        """Read a day, and what is before it, of those usage points whose day is not read."""
        new = [point for point in points if day not in self._known[point]]
        if not new:
            return
        known_to_all = set.intersection(*(self._known[point] for point in new))
        span = (self._days.shift(day, -back) for back in range(_AHEAD_DAYS))
        wanted = [one for one in span if one not in known_to_all]
        instants = [as_datetime(one) for one in wanted]
        for point, at, *row in rows_of(self._conn, "hours_of_days", days=instants, points=Numbers(new)):
            self._read[point, at] = DayHours.of(*row)
        for point in new:
            self._known[point].update(wanted)

    def hours(self, point: int, day: int) -> DayHours | None:
        self.read([point], day)
        return self._read.get((point, day))

    def usual(self, point: int, day: int) -> Usual:
        return Usual.of(self.hours(point, self._days.shift(day, -back)) for back in range(1, USUAL_DAYS + 1))
