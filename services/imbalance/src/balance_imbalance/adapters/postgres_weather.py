"""Weather in PostgreSQL: kept, read for many objects at once, and what depends on it marked.

Whoever stores weather, or a reading of an outdoor thermometer, notes in the same transaction what changed.
A step of the worker marks by these notes, some groups a transaction, and then forgets the notes; killed in
between, it marks again. It locks groups FOR SHARE before it looks at their results: whoever computes one of
them holds its row, and so either ended before, and its results are seen here and marked, or begins after the
weather was stored. A group that gains a usage point meanwhile is marked by the register. What else depends on
weather is marked where a result stands, and likewise after whoever has some in hand was waited for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from balance_chassis.lanes import BACKLOG
from balance_chassis.markers import Markers
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.weather import HEATING_BASE, ObjectPath, Weather, WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport, WeatherSpan, merged, rounds, windows

_COLUMNS = ("object_path", "kind", "name", "day_start", "values", "version", "reported_at")
_TYPES = ("text[]", "int2", "text", "timestamptz", "int4[]", "int8", "timestamptz")
_SPAN_COLUMNS = ("object_path", "first_day", "last_day", "until")
_SPAN_TYPES = ("text[]", "timestamptz", "timestamptz", "timestamptz")
_MOST_CHANGES = 10_000
_GROUPS_AT_ONCE = 100
_SPANS_OF_AN_OBJECT = 8
"""At once: each is joined with every usage point beneath the object."""
_REPORTED = frozenset((Quality.VALID.code, Quality.EDITED.code))

Thermometers = frozenset[tuple[int, ObjectPath]]
"""Outdoor thermometers: usage point and object path."""


class AlsoMark(Protocol):
    """What depends on weather beside group-days."""

    days_at_once: int | None
    """Days of weather that it marks for in one transaction; None for all there are."""

    def __call__(self, conn: Connection[Any], spans: Sequence[WeatherSpan]) -> None:
        """Mark what these changes touch, by the table `weather_points` of this transaction."""
        ...


class PostgresWeatherStore:
    """Implements `ports.WeatherStore`."""

    def __init__(self, pool: ConnectionPool[Connection[Any]]) -> None:
        self._pool = pool

    def store(self, reports: Sequence[WeatherReport]) -> int:
        """See the port."""
        rows = (
            (
                list(report.day.object_path),
                int(report.day.kind),
                report.day.name,
                datetime.fromtimestamp(report.day.day_start, UTC),
                list(report.day.values),
                report.version,
                datetime.fromtimestamp(report.reported_at, UTC),
            )
            for report in reports
        )
        with self._pool.connection() as conn:
            conn.execute(statement("make_incoming_weather"))
            with conn.cursor() as cur:
                copy_binary(cur, "incoming_weather", _COLUMNS, _TYPES, rows)
            conn.execute(statement("number_weather_sources"))
            return conn.execute(statement("upsert_weather")).rowcount


class PostgresWeatherMarks:
    """Implements `ports.WeatherMarks`. ``marked`` is told how many group-days each transaction marked."""

    def __init__(
        self,
        pool: ConnectionPool[Connection[Any]],
        calendar: Calendar,
        lookback_days: int,
        also: Sequence[AlsoMark] = (),
        marked: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._calendar = calendar
        self._lookback_days = lookback_days
        self._also = also
        self._marked = marked
        self._markers = Markers(SCHEMA)

    def mark(self) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            taken = conn.execute(statement("weather_changes"), {"limit": _MOST_CHANGES}).fetchall()
            if not taken:
                return 0
        changes = (WeatherSpan(tuple(path), first, last) for _, path, first, last in taken)
        for spans in rounds(merged(changes, self._calendar), _SPANS_OF_AN_OBJECT):
            self._mark_group_days(spans)
            for also in self._also:
                self._mark_also(also, spans)
        with self._pool.connection() as conn:
            conn.execute(statement("forget_weather_changes"), {"ids": [each[0] for each in taken]})
        return len(taken)

    def _mark_group_days(self, spans: Sequence[WeatherSpan]) -> None:
        with self._pool.connection() as conn:
            self._find_points(conn, spans, None)
            groups = [group for (group,) in conn.execute(statement("groups_of_weather"))]
        for start in range(0, len(groups), _GROUPS_AT_ONCE):
            self._mark(spans, groups[start : start + _GROUPS_AT_ONCE])

    def _mark_also(self, also: AlsoMark, spans: Sequence[WeatherSpan]) -> None:
        parts = windows(spans, also.days_at_once, self._calendar) if also.days_at_once else (spans,)
        for part in parts:
            with self._pool.connection() as conn:
                self._find_points(conn, part, None)
                also(conn, part)

    def _mark(self, spans: Sequence[WeatherSpan], groups: Sequence[int]) -> None:
        """Mark the days of some groups, one transaction; few, because they are held meanwhile."""
        with self._pool.connection() as conn:
            self._find_points(conn, spans, groups)
            conn.execute(statement("share_groups"), {"groups": groups})
            # A statement of its own: it sees what was computed before the locks were given.
            query = statement("group_days_of_weather")
            marked = self._markers.add_selected(conn, query, {"groups": groups}, BACKLOG)
        self._marked(marked)

    def _find_points(
        self, conn: Connection[Any], spans: Sequence[WeatherSpan], groups: Sequence[int] | None
    ) -> None:
        """Fill the table `weather_points` of this transaction."""
        conn.execute(statement("make_weather_spans"))
        conn.execute(statement("make_weather_points"))
        rows = (
            (
                list(span.object_path),
                span.first,
                span.last,
                self._calendar.shift(span.last, self._lookback_days),
            )
            for span in spans
        )
        with conn.cursor() as cur:
            copy_binary(cur, "weather_spans", _SPAN_COLUMNS, _SPAN_TYPES, rows)
        conn.execute(statement("find_weather_points"), {"groups": groups})
        conn.execute("ANALYZE weather_points")


def read_weather(
    conn: Connection[Any],
    object_paths: Iterable[ObjectPath],
    day_starts: Iterable[datetime],
    base: int = HEATING_BASE,
) -> Weather:
    """The weather at all these objects on all these days; two queries."""
    paths = {path[:length] for path in object_paths for length in range(len(path) + 1)}
    asked = {"paths": json.dumps(sorted(paths)), "day_starts": sorted(set(day_starts))}
    if not paths or not asked["day_starts"]:
        return Weather(base)
    with conn.cursor(binary=True) as cur:
        thermometers = cur.execute(statement("thermometers_of_objects"), asked).fetchall()
        told = cur.execute(statement("weather_of_objects"), asked).fetchall()
    return Weather.of([*_readings(thermometers), *(_day(*row) for row in told)], base)


def outdoor_thermometers(conn: Connection[Any], usage_points: Sequence[int]) -> Thermometers:
    """Those of these usage points that the register designates as outdoor thermometers, as it now stands."""
    rows = conn.execute(statement("outdoor_thermometers"), {"usage_points": list(usage_points)})
    return frozenset((point, tuple(path)) for point, path in rows)


def note_thermometers(conn: Connection[Any], before: Thermometers, after: Thermometers) -> None:
    """Note the weather that changed because thermometers were designated, moved, or are no longer outdoor."""
    changed = [{"usage_point": point, "object_path": path} for point, path in sorted(before ^ after)]
    if changed:
        conn.execute(statement("note_thermometers"), {"thermometers": json.dumps(changed)})


def _readings(rows: Iterable[tuple[Any, ...]]) -> Iterator[WeatherDay]:
    for path, kind, name, day_start, values, qualities in rows:
        known = (
            values
            if qualities is None
            else [
                value if quality in _REPORTED else None
                for value, quality in zip(values, qualities, strict=True)
            ]
        )
        yield _day(path, kind, name, day_start, known)


def _day(
    path: Sequence[str], kind: int, name: str, day_start: int, values: Sequence[int | None]
) -> WeatherDay:
    return WeatherDay(tuple(path), WeatherKind(kind), name, day_start, values)
