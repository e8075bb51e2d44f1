"""This service's projection of the asset register, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.postgres_numbers import UsagePointNumbers
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.adapters.register_rows import read_memberships, read_meters
from balance_imbalance.domain.messages import Group, UsagePoint
from balance_imbalance.domain.register import (
    FOREVER,
    ChangedSpan,
    Membership,
    changed_memberships,
    changed_meters,
)

_METER_COLUMNS = ("usage_point", "fitted_at", "removed_at", "class_ppm", "pulse_weight")
_METER_TYPES = ("int4", "timestamptz", "timestamptz", "int4", "int8")
_MEMBERSHIP_COLUMNS = (
    "balance_group",
    "ordinal",
    "usage_point",
    "role",
    "coefficient_ppm",
    "valid_from",
    "valid_to",
)
_MEMBERSHIP_TYPES = ("int4", "int4", "int4", "int2", "int8", "timestamptz", "timestamptz")


class PostgresRegister:
    """Implements `ports.Register`.

    The ASSETS lock is held exclusively: whoever stores readings meanwhile waits, so that neither side misses
    rows of the other. The groups are locked before their days are looked up, for the worker makes days too.
    """

    def __init__(self, pool: ConnectionPool[Connection[Any]], calendar: Calendar) -> None:
        self._pool = pool
        self._calendar = calendar
        self._numbers = UsagePointNumbers(pool)
        self._markers = Markers(SCHEMA)

    def describe(self, points: Sequence[UsagePoint], groups: Sequence[Group]) -> int:
        """See the port."""
        described = [point.usage_point_id for point in points]
        named = [
            *described,
            *(membership.usage_point_id for group in groups for membership in group.memberships),
        ]
        numbers = self._numbers.of(named)
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            self._lock_groups(conn, [numbers[point] for point in described], groups)
            # Meters before memberships: groups that gain a usage point here are marked by their own change.
            marked = {
                *self._describe_points(conn, points, numbers),
                *self._describe_groups(conn, groups, numbers),
            }
            self._markers.add(conn, marked, BACKLOG)
        return len(marked)

    def _lock_groups(self, conn: Connection[Any], points: Sequence[int], groups: Sequence[Group]) -> None:
        """Hold every group that is looked at, before anything is read.

        A worker that holds one makes partitions by another connection, for which it waits until nobody
        reads group-days any more: whoever waited for its group after reading would wait for ever.
        """
        columns = {"usage_points": points, "group_ids": [group.group_id for group in groups]}
        conn.execute(statement("lock_groups_of_assets"), columns)

    def _describe_points(
        self, conn: Connection[Any], points: Sequence[UsagePoint], numbers: Mapping[str, int]
    ) -> Sequence[tuple[int, datetime]]:
        rows = conn.execute(
            statement("describe_usage_points"),
            {
                "usage_points": [numbers[point.usage_point_id] for point in points],
                "versions": [point.version for point in points],
            },
        )
        newer = sorted(number for (number,) in rows)
        given = {numbers[point.usage_point_id]: point.meters for point in points}
        held = read_meters(conn, newer)
        spans = [span for point in newer for span in changed_meters(point, held.get(point, ()), given[point])]
        conn.execute(statement("forget_meters"), {"usage_points": newer})
        meters = (
            (point, _instant(m.fitted_at), _end(m.removed_at), m.class_ppm, m.pulse_weight)
            for point in newer
            for m in given[point]
        )
        with conn.cursor() as cur:
            copy_binary(cur, f"{SCHEMA}.meters", _METER_COLUMNS, _METER_TYPES, meters)
        if not spans:
            return []
        return conn.execute(statement("days_of_changed_meters"), self._columns(spans)).fetchall()

    def _describe_groups(
        self, conn: Connection[Any], groups: Sequence[Group], numbers: Mapping[str, int]
    ) -> Sequence[tuple[int, datetime]]:
        rows = conn.execute(
            statement("describe_groups"),
            {
                "group_ids": [group.group_id for group in groups],
                "names": [group.name for group in groups],
                "resources": [group.resource.code for group in groups],
                "versions": [group.version for group in groups],
            },
        )
        newer = dict(rows.fetchall())
        given = {
            newer[group.group_id]: [
                Membership(numbers[m.usage_point_id], m.role, m.coefficient_ppm, m.valid_from, m.valid_to)
                for m in group.memberships
            ]
            for group in groups
            if group.group_id in newer
        }
        held = read_memberships(conn, sorted(given))
        spans = [
            (group, span)
            for group, memberships in sorted(given.items())
            for span in changed_memberships(held.get(group, ()), memberships)
        ]
        self._replace_memberships(conn, given)
        if not spans:
            return []
        columns = {"groups": [group for group, _ in spans], **self._columns([span for _, span in spans])}
        return conn.execute(statement("days_of_changed_memberships"), columns).fetchall()

    def _replace_memberships(self, conn: Connection[Any], given: Mapping[int, Sequence[Membership]]) -> None:
        conn.execute(statement("forget_memberships"), {"groups": sorted(given)})
        rows = (
            (
                group,
                ordinal,
                m.usage_point,
                m.role.code,
                m.coefficient_ppm,
                _instant(m.valid_from),
                _end(m.valid_to),
            )
            for group, memberships in given.items()
            for ordinal, m in enumerate(memberships)
        )
        with conn.cursor() as cur:
            copy_binary(cur, f"{SCHEMA}.memberships", _MEMBERSHIP_COLUMNS, _MEMBERSHIP_TYPES, rows)

    def _columns(self, spans: Iterable[ChangedSpan]) -> dict[str, list[Any]]:
        """Spans as arrays; each begins with the metering day it begins in."""
        rows = [
            (span.usage_point, self._calendar.day_start(_instant(span.start)), _end(span.end))
            for span in spans
        ]
        points, starts, ends = (list(column) for column in zip(*rows, strict=True))
        return {"usage_points": points, "starts": starts, "ends": ends}


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _end(seconds: int) -> datetime | None:
    return _instant(seconds) if seconds < FOREVER else None
