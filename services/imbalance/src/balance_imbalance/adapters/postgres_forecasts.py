"""Forecasts in PostgreSQL: what is due, what they are computed from, and what marks them beside readings.

The register is followed, not hooked: what of it takes part is stamped subject by subject, and compared when
its versions rose. Whoever computes while it changes computes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource
from balance_schemas import catalogue
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.algorithms import be_newest
from balance_imbalance.adapters.forecast_rows import (
    BALANCE_GROUP,
    COLUMNS,
    TYPES,
    USAGE_POINT,
    to_row_forecast,
)
from balance_imbalance.adapters.postgres_nightly import Due, PostgresNightly, hold_done_to
from balance_imbalance.adapters.postgres_weather import read_weather
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.assembly import CompleteDays
from balance_imbalance.domain.forecast import ALGORITHM_VERSION
from balance_imbalance.domain.forecast_days import month_start, touched_by_register, touched_by_weather
from balance_imbalance.domain.forecast_subjects import Forecast, Subject
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST
from balance_imbalance.domain.nightly import Kind, Source
from balance_imbalance.domain.register import FOREVER
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.weather import ObjectPath, Weather
from balance_imbalance.domain.weather_reports import WeatherSpan
from balance_imbalance.ports import ForecastWork, Spans

_KEYS_AN_OUTBOX_ROW = 250
_RESOURCES = list(Resource)
_KINDS = {FORECAST.name: USAGE_POINT, GROUP_FORECAST.name: BALANCE_GROUP}
_SETTINGS = {FORECAST.name: ("lookback_days", "heating_base"), GROUP_FORECAST.name: ("heating_base",)}
"""Those that take part: of a group's supply no hour is estimated."""


class PostgresForecasts:
    """Implements `ports.ForecastStore` for one kind."""

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        calendar: Calendar,
        rules: Rules,
        kind: Kind,
        set_aside: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._calendar = calendar
        self._rules = rules
        self._kind = kind
        self._settings_hash = rules.hash_of(_SETTINGS[kind.name])
        self._nightly = PostgresNightly(pool, calendar, kind, set_aside)
        self._markers = Markers(SCHEMA, kind.markers)
        self._register_state: str | None = None

    def fall_due(self, last: datetime) -> int:
        """See the port."""
        return self._nightly.fall_due(last)

    @contextmanager
    def work(
        self, limit: int, quiet_s: float = 5.0
    ) -> Iterator[tuple[ForecastWork, Sequence[tuple[int, datetime]]]]:
        """See the port."""
        with self._nightly.work(limit, quiet_s) as (conn, due, lane):
            be_newest(conn, self._kind.name, ALGORITHM_VERSION)
            make = _GroupWork if self._kind.source is Source.GROUP_DAYS else _PointWork
            bear = partial(self._nightly.bear, conn, due, lane)
            yield make(conn, self._rules, self._settings_hash, lane, bear), due

    def follow_register(self) -> int:
        """See the port."""
        points = self._kind.source is Source.READING_DAYS
        with self._pool.connection() as conn:
            row = conn.execute(statement("forecast_register_state")).fetchone()
            state = row and row[0]
            if state == self._register_state:
                return 0
            query = "follow_forecast_points" if points else "follow_forecast_groups"
            changed = [subject for (subject,) in conn.execute(statement(query))]
            for _, done_to in hold_done_to(conn, [self._kind]) if changed else ():
                spans = "span_of_readings" if points else "span_of_group_days"
                found = conn.execute(statement(spans), {"numbers": changed})
                self._markers.add(conn, self._pairs(found, done_to), BACKLOG)
        self._register_state = state
        return len(changed)

    def mark_other_settings(self, since: datetime | None = None) -> int:
        """See the port."""
        sought = {
            "subject_kind": _KINDS[self._kind.name],
            "algorithm_version": ALGORITHM_VERSION,
            "settings_hash": self._settings_hash,
            "since": since,
        }
        with self._pool.connection() as conn:
            be_newest(conn, self._kind.name, ALGORITHM_VERSION)
        # Committed by itself: marking is long, and whoever computes looks at it.
        with self._pool.connection() as conn:
            return self._markers.recompute(conn, statement("forecasts_of_other_settings"), sought)

    def _pairs(
        self, spans: Iterable[tuple[int, datetime, datetime]], done_to: datetime
    ) -> Iterator[tuple[int, datetime]]:
        days: dict[tuple[datetime, datetime], Sequence[datetime]] = {}
        for subject, first, last in spans:
            if first > done_to:
                continue
            if (first, last) not in days:
                days[first, last] = list(touched_by_register(self._calendar, first, last, done_to))
            yield from ((subject, day) for day in days[first, last])


class MarkForecastsOfWeather:
    """Marks forecasts that depend on weather that changed (`AlsoMark` of the weather)."""

    days_at_once: int | None = None

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def __call__(self, conn: Connection[Any], spans: Sequence[WeatherSpan]) -> None:
        """Mark by the table `weather_points` of this transaction, what stands. Whoever is about to write a
        forecast is waited for.
        """
        for kind in (FORECAST, GROUP_FORECAST):
            Markers(SCHEMA, kind.markers).wait(conn)
        queries = {FORECAST.name: "forecasts_of_weather", GROUP_FORECAST.name: "group_forecasts_of_weather"}
        for kind, done_to in hold_done_to(conn, (FORECAST, GROUP_FORECAST)):
            rows = [
                (first, last, day, month_start(self._calendar, day))
                for first, last in sorted({(span.first, span.last) for span in spans})
                if first <= done_to
                for day in sorted(touched_by_weather(self._calendar, first, last, done_to))
            ]
            columns = {
                name: [row[place] for row in rows]
                for place, name in enumerate(("firsts", "lasts", "touched", "months"))
            }
            query = statement(queries[kind.name])
            Markers(SCHEMA, kind.markers).add_selected(conn, query, columns, BACKLOG)


class _Work:
    """What usage points and groups have in common; implements the rest of `ports.ForecastWork`."""

    kind: int

    def __init__(
        self,
        conn: Connection[Any],
        rules: Rules,
        settings_hash: str,
        lane: int,
        bear: Callable[[Callable[[Sequence[Due]], None]], None],
    ) -> None:
        self.bear = bear
        self._conn = conn
        self._rules = rules
        self._settings_hash = settings_hash
        self._lane = lane
        self._outbox = Outbox(SCHEMA)

    def told_paths(self) -> frozenset[ObjectPath]:
        """See the port."""
        return frozenset(tuple(path) for (path,) in self._conn.execute(statement("objects_told")))

    def weather(self, object_paths: Iterable[ObjectPath], day_starts: Iterable[datetime]) -> Weather:
        """See the port."""
        return read_weather(self._conn, object_paths, day_starts, self._rules.heating_base)

    def write(self, forecasts: Sequence[Forecast]) -> int:
        """See the port."""
        self._conn.execute(statement("make_incoming_forecasts"))
        computed_at, settings = datetime.now(UTC), self._settings_hash
        with self._conn.cursor() as cur:
            rows = (to_row_forecast(each, self.kind, settings, computed_at) for each in forecasts)
            copy_binary(cur, "incoming_forecasts", COLUMNS, TYPES, rows)
        changed = self._conn.execute(statement("upsert_forecasts")).fetchall()
        self._conn.execute(statement("stamp_forecasts"))
        for start in range(0, len(changed), _KEYS_AN_OUTBOX_ROW):
            keys = changed[start : start + _KEYS_AN_OUTBOX_ROW]
            self._outbox.add(self._conn, catalogue.FORECASTS, keys, self._lane)
        return len(changed)

    def _days(
        self, query: str, numbers: Sequence[int], first: datetime, last: datetime
    ) -> Sequence[tuple[Any, ...]]:
        columns = {"numbers": list(numbers), "first": first, "last": last}
        with self._conn.cursor(binary=True) as cur:
            return cur.execute(statement(query), columns).fetchall()

    def _rows(self, query: str, numbers: Sequence[int]) -> Sequence[tuple[Any, ...]]:
        columns = {"numbers": list(numbers), "forever": FOREVER}
        return self._conn.execute(statement(query), columns).fetchall()


class _PointWork(_Work):
    kind = USAGE_POINT

    def subjects(self, numbers: Sequence[int]) -> Sequence[Subject]:
        """See the port."""
        spans: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for point, start, end in self._rows("fitted_spans", numbers):
            spans[point].append((start, end))
        return [
            Subject(point, _RESOURCES[resource], tuple(path), spans[point])
            for point, resource, path in self._rows("forecast_points", numbers)
        ]

    def whole_days(
        self, numbers: Sequence[int], first: datetime, last: datetime
    ) -> Sequence[tuple[int, int, int]]:
        """See the port."""
        return self._days("whole_reading_days", numbers, first, last)

    def part_days(
        self, numbers: Sequence[int], first: datetime, last: datetime
    ) -> Sequence[tuple[int, int, Sequence[int], Sequence[int]]]:
        """See the port."""
        return self._days("part_reading_days", numbers, first, last)

    def complete_days(self, spans: Spans) -> CompleteDays:
        """See the port."""
        found: defaultdict[int, list[tuple[int, Any]]] = defaultdict(list)
        columns = {
            "usage_points": list(spans),
            "starts": [start for start, _ in spans.values()],
            "ends": [end for _, end in spans.values()],
        }
        with self._conn.cursor(binary=True) as cur:
            for point, day_start, values in cur.execute(statement("complete_days"), columns):
                found[point].append((int(day_start.timestamp()), np.array(values, np.int64)))
        return found


class _GroupWork(_Work):
    kind = BALANCE_GROUP

    def subjects(self, numbers: Sequence[int]) -> Sequence[Subject]:
        """See the port. A group is where its first supply meter is."""
        spans: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        paths: dict[int, ObjectPath] = {}
        for group, start, end, path in self._rows("supply_spans", numbers):
            spans[group].append((start, end))
            paths.setdefault(group, tuple(path))
        return [
            Subject(group, _RESOURCES[resource], paths.get(group, ()), spans[group], by_hours=True)
            for group, resource in self._rows("forecast_groups", numbers)
        ]

    def whole_days(
        self, numbers: Sequence[int], first: datetime, last: datetime
    ) -> Sequence[tuple[int, int, int]]:
        """See the port."""
        return self._days("whole_group_days", numbers, first, last)

    def part_days(self, *_: object, **__: object) -> Sequence[Any]:
        """See the port; of groups there are none."""
        return []

    def complete_days(self, *_: object, **__: object) -> CompleteDays:
        """See the port; of groups there are none."""
        return {}
