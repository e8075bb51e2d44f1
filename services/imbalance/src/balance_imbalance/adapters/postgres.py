"""Markers and results of the worker, in PostgreSQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_chassis.lanes import BACKLOG, RECOMPUTATION
from balance_chassis.markers import Markers
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import copy_binary
from balance_chassis.setting_aside import SettingAside
from balance_kernel.calendar import Calendar
from balance_schemas import catalogue
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.algorithms import be_newest
from balance_imbalance.adapters.group_day_rows import COLUMNS, TYPES, to_row_group_day
from balance_imbalance.adapters.partitions import Partitions
from balance_imbalance.adapters.postgres_nightly import mark_late_group_days
from balance_imbalance.adapters.postgres_weather import read_weather
from balance_imbalance.adapters.publishing import GROUP_DAY_KEY
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.adapters.register_rows import (
    read_equipment,
    read_memberships,
    read_meters,
    read_points,
    read_problems,
    read_resources,
)
from balance_imbalance.domain.assembly import CompleteDays, GroupHistory, ReadingTable
from balance_imbalance.domain.days import out_of_place, silent_days
from balance_imbalance.domain.equipment import Equipment
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.kinds import OF_GROUP_DAYS
from balance_imbalance.domain.register import DescribedPoint
from balance_imbalance.domain.rules import ALGORITHM_VERSION, Rules
from balance_imbalance.domain.weather import ObjectPath, Weather
from balance_imbalance.ports import Due, Result, Spans

_GROUPS_LOOKED_AT = 400
_KEYS_AN_OUTBOX_ROW = 200
GROUP_DAY_MARKERS = "markers"
_RESULTS = "group_day"
"""Their name among the algorithms."""


class PostgresGroupDayStore:
    """Implements `ports.GroupDayStore`. ``now`` gives the wall clock, or is None when packets tell the
    time.
    """

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        calendar: Calendar,
        rules: Rules,
        now: Callable[[], datetime] | None,
        set_aside: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._calendar = calendar
        self._rules = rules
        self._now = now
        self._markers = Markers(SCHEMA)
        self._aside = SettingAside[Due](
            SCHEMA,
            GROUP_DAY_MARKERS,
            lambda due: (due.group, due.day_start, due.lane),
            statement("name_of_group"),
            set_aside,
        )
        self._partitions = Partitions(pool, f"{SCHEMA}.group_days")

    def clock(self) -> datetime | None:
        """See the port."""
        if self._now:
            return self._now()
        with self._pool.connection() as conn:
            row = conn.execute(statement("clock")).fetchone()
        return row and row[0]

    @contextmanager
    def work(self, limit_days: int) -> Iterator[tuple[PostgresGroupDayWork, Sequence[Due]]]:
        """See the port."""
        with self._pool.connection() as conn:
            groups = self._markers.due(conn, _GROUPS_LOOKED_AT)
            # A snapshot of its own for each statement: locks first, then markers, then what is to be read.
            held = (
                dict(conn.execute(statement("lock_groups"), {"groups": groups}).fetchall()) if groups else {}
            )
            due: list[Due] = []
            for group in (group for group in groups if group in held):
                if len(due) >= limit_days:
                    break
                taken = self._markers.take(conn, group, limit_days - len(due))
                due.extend(Due(group, day_start, lane) for day_start, lane in taken)
            be_newest(conn, _RESULTS, ALGORITHM_VERSION)
            self._partitions.ensure(each.day_start for each in due)
            first_days = {each.group: held[each.group] for each in due}
            yield PostgresGroupDayWork(conn, self._calendar, self._rules, first_days, self._aside), due
        self._aside.verify()

    def is_due(self) -> bool:
        """Whether group-days are due, or will be soon, that are no recomputation."""
        with self._pool.connection() as conn:
            return self._markers.are_any(conn)

    def fill(self, last: datetime, limit_groups: int) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            rows = conn.execute(statement("groups_to_fill"), {"last": last, "limit": limit_groups}).fetchall()
            groups = [group for group, *_ in rows]
            if not groups:
                return 0
            memberships = read_memberships(conn, groups)
            # What was filled before holds still, unless the group now begins elsewhere.
            froms = {
                group: self._calendar.next_day(filled_to) if filled_to and filled_from == first else None
                for group, first, filled_from, filled_to in rows
            }
            existing = self._existing(conn, froms)
            marked = [
                (group, day)
                for group, first, _, _ in rows
                for day in out_of_place(
                    silent_days(
                        self._calendar, memberships.get(group, ()), first and (froms[group] or first), last
                    ),
                    existing[group],
                    first,
                    last,
                )
            ]
            self._markers.add(conn, marked, BACKLOG)
            conn.execute(statement("set_filled"), {"groups": groups, "last": last})
        return len(groups)

    def put_rules_in_force(self, inadequacy: InadequacyRules) -> None:
        """See the port."""
        rules = {
            "unreliable_share_ppm": self._rules.unreliable_share_ppm,
            "heating_base": self._rules.heating_base,
            "least_homes": inadequacy.least_homes,
        }
        with self._pool.connection() as conn:
            conn.execute(statement("put_rules_in_force"), rules)

    def groups_to_be_told_again(self) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            row = conn.execute(statement("groups_to_be_told_again")).fetchone()
        return int(row[0]) if row else 0

    def mark_other_settings(self, since: datetime | None) -> int:
        """See the port."""
        sought = {
            "algorithm_version": ALGORITHM_VERSION,
            "settings_hash": self._rules.settings_hash,
            "since": since,
        }
        with self._pool.connection() as conn:
            be_newest(conn, _RESULTS, ALGORITHM_VERSION)
        # Committed by itself: marking is long, and whoever computes looks at it.
        with self._pool.connection() as conn:
            return self._markers.recompute(conn, statement("group_days_of_other_settings"), sought)

    def _existing(
        self, conn: Connection[Any], froms: Mapping[int, datetime | None]
    ) -> Mapping[int, Sequence[datetime]]:
        found: defaultdict[int, list[datetime]] = defaultdict(list)
        columns = {"groups": list(froms), "starts": list(froms.values())}
        for group, day in conn.execute(statement("existing_group_days"), columns):
            found[group].append(day)
        return found


class PostgresGroupDayWork:
    """Implements `ports.GroupDayWork` on an open transaction that holds its groups."""

    def __init__(
        self,
        conn: Connection[Any],
        calendar: Calendar,
        rules: Rules,
        first_days: Mapping[int, datetime | None],
        aside: SettingAside[Due],
    ) -> None:
        self._conn = conn
        self._aside = aside
        self._calendar = calendar
        self._rules = rules
        self._first_days = first_days
        self._markers = Markers(SCHEMA)
        self._outbox = Outbox(SCHEMA)

    def bear(self, due: Sequence[Due], do: Callable[[Sequence[Due]], None]) -> None:
        """See the port."""
        self._aside.bear(self._conn, due, do, self._hold_only)

    def histories(self) -> Mapping[int, GroupHistory]:
        """See the port."""
        groups = sorted(self._first_days)
        memberships = read_memberships(self._conn, groups)
        meters = read_meters(
            self._conn, sorted({m.usage_point for each in memberships.values() for m in each})
        )
        resources, problems = read_resources(self._conn, groups), read_problems(self._conn, groups)
        return {
            group: GroupHistory.of(
                memberships.get(group, ()), meters, resources[group], problems.get(group, ())
            )
            for group in groups
        }

    def described(self, usage_points: Iterable[int]) -> Mapping[int, DescribedPoint]:
        """See the port."""
        return read_points(self._conn, usage_points)

    def equipment(self, usage_points: Iterable[int]) -> Equipment:
        """See the port."""
        return read_equipment(self._conn, usage_points)

    def first_days(self) -> Mapping[int, datetime | None]:
        """See the port."""
        return self._first_days

    def readings(self, due: Sequence[Due]) -> ReadingTable:
        """See the port."""
        keys = {"groups": [each.group for each in due], "day_starts": [each.day_start for each in due]}
        with self._conn.cursor(binary=True) as cur:
            return ReadingTable.of(cur.execute(statement("readings_of_groups"), keys).fetchall())

    def complete_days(self, spans: Spans) -> CompleteDays:
        """See the port."""
        found: defaultdict[int, list[tuple[int, Any]]] = defaultdict(list)
        for point, day_start, values in self._in_spans("complete_days", spans):
            found[point].append((int(day_start.timestamp()), np.array(values, np.int64)))
        return found

    def valued_days(self, spans: Spans) -> Mapping[int, Sequence[datetime]]:
        """See the port."""
        found: defaultdict[int, list[datetime]] = defaultdict(list)
        for point, day_start in self._in_spans("valued_days", spans):
            found[point].append(day_start)
        return found

    def weather(self, object_paths: Iterable[ObjectPath], day_starts: Iterable[datetime]) -> Weather:
        """See the port."""
        return read_weather(self._conn, object_paths, day_starts, self._rules.heating_base)

    def settle_first_days(self, groups: Sequence[int]) -> Mapping[int, datetime | None]:
        """See the port."""
        if not groups:
            return {}
        return dict(self._conn.execute(statement("settle_first_day"), {"groups": list(groups)}).fetchall())

    def remember_first_days(self, first_days: Mapping[int, datetime]) -> None:
        """See the port."""
        if first_days:
            columns = {"groups": list(first_days), "first_days": list(first_days.values())}
            self._conn.execute(statement("set_first_days"), columns)

    def write(self, results: Sequence[Result]) -> int:
        """See the port."""
        self._conn.execute(statement("make_incoming_group_days"))
        computed_at = datetime.now(UTC)
        with self._conn.cursor() as cur:
            rows = (to_row_group_day(result, self._rules, self._calendar, computed_at) for result in results)
            copy_binary(cur, "incoming_group_days", COLUMNS, TYPES, rows)
        changed = self._conn.execute(statement("upsert_group_days")).fetchall()
        self._conn.execute(statement("stamp_group_days"))
        lanes = {(result.due.group, result.due.day_start): result.due.lane for result in results}
        for lane, urgent in ((BACKLOG, True), (RECOMPUTATION, False)):
            those = [key for key in changed if (lanes[key] < RECOMPUTATION) is urgent]
            mark_late_group_days(self._conn, self._calendar, OF_GROUP_DAYS, those, lane)
        self._publish([(lanes[key], key) for key in changed])
        return len(changed)

    def _in_spans(self, name: str, spans: Spans) -> Sequence[tuple[Any, ...]]:
        """Rows of a statement about usage points, each in a span of its own."""
        if not spans:
            return []
        columns = {
            "usage_points": list(spans),
            "starts": [start for start, _ in spans.values()],
            "ends": [end for _, end in spans.values()],
        }
        with self._conn.cursor(binary=True) as cur:
            return cur.execute(statement(name), columns).fetchall()

    def _hold_only(self, due: Sequence[Due]) -> None:
        """Know the groups of these alone, as what was done before left them."""
        groups = sorted({each.group for each in due})
        rows = self._conn.execute(statement("first_days_of_groups"), {"groups": groups})
        self._first_days = dict(rows.fetchall())

    def _publish(self, changed: Sequence[tuple[int, tuple[int, datetime]]]) -> None:
        """Live before backlog; some keys a row, so that a pass of the publisher is neither tiny nor huge."""
        for lane in sorted({lane for lane, _ in changed}):
            ours = [key for each, key in changed if each == lane]
            keys = [[GROUP_DAY_KEY, group, int(day.timestamp())] for group, day in ours]
            for start in range(0, len(keys), _KEYS_AN_OUTBOX_ROW):
                self._outbox.add(
                    self._conn, catalogue.IMBALANCE, keys[start : start + _KEYS_AN_OUTBOX_ROW], lane
                )
