"""This service's projection of the asset register, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource, Role
from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.postgres_devices import keep_devices, points_touched, settle_equipment
from balance_imbalance.adapters.postgres_groups import GroupDays, describe_groups, groups_touched
from balance_imbalance.adapters.postgres_numbers import UsagePointNumbers
from balance_imbalance.adapters.postgres_weather import note_thermometers, outdoor_thermometers
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.adapters.register_rows import read_meters, read_points
from balance_imbalance.adapters.spans import as_end, as_instant, day_columns, span_columns
from balance_imbalance.domain.messages import Assets, UsagePoint
from balance_imbalance.domain.register import ChangedSpan, Meter, changed_meters

_SPAN_TYPES = ("timestamptz", "timestamptz")
_METER = (
    ("usage_point", "fitted_at", "removed_at", "class_ppm", "pulse_weight", "q_start", "is_compensated"),
    ("int4", *_SPAN_TYPES, "int4", "int8", "int8", "bool"),
)
_CHANNEL = (
    ("usage_point", "module_id", "channel", "fitted_at", "removed_at"),
    ("int4", "text", "int4", *_SPAN_TYPES),
)
_CODES = {"gas": Resource.GAS.code, "supply": Role.SUPPLY.code}


class PostgresRegister:
    """Implements `ports.Register`.

    The ASSETS lock is held exclusively: whoever stores readings meanwhile waits, so that neither side misses
    rows of the other. Under it the register's own tables stand still. From them is found first which groups
    may differ: those that a described usage point, or one that hangs on the same module, belongs to, those
    described, and those that reach one. These are locked before their days are looked up, for the worker
    makes days too; what the message adds to them is marked by its own change.
    """

    def __init__(self, pool: ConnectionPool[Connection[Any]], calendar: Calendar) -> None:
        self._pool = pool
        self._calendar = calendar
        self._numbers = UsagePointNumbers(pool)
        self._markers = Markers(SCHEMA)

    def describe(self, assets: Assets) -> int:
        """See the port."""
        named = [
            *(point.usage_point_id for point in assets.points),
            *(m.usage_point_id for group in assets.groups for m in group.memberships if m.group_id is None),
        ]
        numbers = self._numbers.of(named)
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            described, touched = points_touched(conn, assets, numbers)
            self._lock_groups(conn, touched, groups_touched(conn, assets.groups))
            weather = outdoor_thermometers(conn, described)
            newer, marked = self._describe_points(
                conn, {numbers[point.usage_point_id]: point for point in assets.points}
            )
            if newer + keep_devices(conn, assets.modules, assets.concentrators):
                marked |= _settle(conn, touched)
            # Groups last: those that gain a usage point here are marked by their own change.
            marked |= describe_groups(conn, self._calendar, assets.groups, numbers)
            note_thermometers(conn, weather, outdoor_thermometers(conn, described))
            self._markers.add(conn, marked, BACKLOG)
        return len(marked)

    def _lock_groups(self, conn: Connection[Any], points: Sequence[int], groups: Sequence[str]) -> None:
        """Hold every group that is looked at, before any of its days is read.

        A worker that holds one makes partitions by another connection, for which it waits until nobody
        reads group-days any more: whoever waited for its group after reading would wait for ever.
        """
        conn.execute(statement("lock_groups_of_assets"), {"usage_points": points, "group_ids": groups})

    def _describe_points(
        self, conn: Connection[Any], given: Mapping[int, UsagePoint]
    ) -> tuple[int, set[tuple[int, datetime]]]:
        """How many were of a greater version, and the group-days that differ by them."""
        before = read_points(conn, given)
        rows = [
            {
                "usage_point": number,
                "version": point.version,
                "resource": point.resource.code,
                "object_path": point.object_path,
                "is_outdoor": point.is_outdoor,
            }
            for number, point in given.items()
        ]
        told = conn.execute(statement("describe_usage_points"), {"rows": Jsonb(rows)}) if rows else ()
        newer = {number: given[number] for number in sorted(number for (number,) in told)}
        if not newer:
            return 0, set()
        held = read_meters(conn, list(newer))
        _replace_fittings(conn, newer)
        moved = [
            number
            for number, point in newer.items()
            if (before[number].resource, before[number].object_path) != (point.resource, point.object_path)
        ]
        marked = {*self._days_of_meters(conn, held, newer), *_days_of_moved_points(conn, moved)}
        return len(newer), marked

    def _days_of_meters(
        self, conn: Connection[Any], held: Mapping[int, Sequence[Meter]], given: Mapping[int, UsagePoint]
    ) -> GroupDays:
        spans = [
            span
            for number, point in given.items()
            for span in changed_meters(number, held.get(number, ()), point.meters)
        ]
        if not spans:
            return []
        columns = day_columns(self._calendar, spans)
        return conn.execute(statement("days_of_changed_meters"), columns).fetchall()


def _settle(conn: Connection[Any], points: Sequence[int]) -> set[tuple[int, datetime]]:
    """What hangs on usage points, worked out afresh, and the group-days that differ by it."""
    allowed, warmed = settle_equipment(conn, points)
    return {
        *_days_of_spans(conn, "days_of_changed_allowances", allowed),
        *_days_of_spans(conn, "days_of_changed_thermometers", warmed),
    }


def _replace_fittings(conn: Connection[Any], given: Mapping[int, UsagePoint]) -> None:
    conn.execute(statement("forget_meters"), {"usage_points": list(given)})
    conn.execute(statement("forget_channels"), {"usage_points": list(given)})
    meters = (
        (
            number,
            as_instant(m.fitted_at),
            as_end(m.removed_at),
            m.class_ppm,
            m.pulse_weight,
            m.q_start,
            m.is_compensated,
        )
        for number, point in given.items()
        for m in point.meters
    )
    channels = (
        (number, c.module_id, c.channel, as_instant(c.fitted_at), as_end(c.removed_at))
        for number, point in given.items()
        for c in point.channels
    )
    with conn.cursor() as cur:
        copy_binary(cur, f"{SCHEMA}.meters", *_METER, meters)
        copy_binary(cur, f"{SCHEMA}.channels", *_CHANNEL, channels)


def _days_of_moved_points(conn: Connection[Any], points: Sequence[int]) -> GroupDays:
    if not points:
        return []
    return conn.execute(statement("days_of_moved_points"), {"usage_points": points, **_CODES}).fetchall()


def _days_of_spans(conn: Connection[Any], name: str, spans: Sequence[ChangedSpan]) -> GroupDays:
    if not spans:
        return []
    return conn.execute(statement(name), {**span_columns(spans), **_CODES}).fetchall()
