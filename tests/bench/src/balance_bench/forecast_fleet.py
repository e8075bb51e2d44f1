"""How long a night's forecasts of a whole fleet take: made-up readings in a real database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from balance_chassis.postgres import ensure_partitions, make_pool
from balance_imbalance.adapters.postgres_forecasts import PostgresForecasts
from balance_imbalance.computing.forecasting import Forecasts
from balance_imbalance.domain.kinds import FORECAST
from balance_imbalance.domain.rules import Rules
from balance_kernel.calendar import Calendar
from balance_local import installation
from balance_local.installation import Installation

from balance_bench import machine

_NAME = "bench_forecast"
_DAYS = 73
_LAST_DAY = "2026-02-20"
_SILENT_SHARE = 0.2
"""As of the field: 13,000 of 67,000 modules."""
_SILENT_DAYS = 15
_PLACES = 40
_BATCH = 4000

_TEMPLATES = """
CREATE TEMPORARY TABLE templates AS
SELECT t, array_agg((20000 * random() * (1 + t %% 7))::bigint ORDER BY h) AS hours
FROM generate_series(0, 499) AS t, generate_series(1, 24) AS h GROUP BY t
"""
_REGISTER = """
WITH made AS (
    INSERT INTO imbalance.usage_points (usage_point_id, version, resource, object_path)
    SELECT 'UP-' || n, 1, 1 + n %% 3, ARRAY['R', 'L' || n %% %(places)s, 'H' || n / 56]
    FROM generate_series(1, %(points)s) AS n
    RETURNING usage_point
)
INSERT INTO imbalance.meters (usage_point, fitted_at, class_ppm, pulse_weight)
SELECT usage_point, '2020-01-01', 15000, 10 FROM made
"""
_READINGS = """
INSERT INTO imbalance.reading_days (usage_point, day_start, step_s, "values", qualities, version, changed_in)
SELECT u.usage_point, %(day)s, 3600, t.hours, NULL, 1, 1
FROM imbalance.usage_points u
JOIN templates t ON t.t = (u.usage_point * 31 + %(number)s * 17) %% 500
WHERE %(number)s >= %(silent)s OR u.usage_point %% 100 >= %(share)s
"""
_WEATHER = """
WITH told AS (
    INSERT INTO imbalance.weather_sources (object_path, kind, name)
    SELECT ARRAY['R', 'L' || n], 3, 'file' FROM generate_series(0, %(places)s - 1) AS n
    RETURNING weather_source
)
INSERT INTO imbalance.weather_days (weather_source, day_start, "values", version, changed_in, reported_at)
SELECT
    weather_source, d.day,
    array_fill((5000 + 4000 * sin(n::int) + 100 * (weather_source %% 10))::int, ARRAY[24]), 1, 1, d.day
FROM told, unnest(%(days)s::timestamptz[]) WITH ORDINALITY AS d (day, n)
"""


@dataclass(frozen=True)
class Night:
    """One night of so many usage points; seconds."""

    points: int
    silent: int
    forecasts: int
    marking_s: float
    computing_s: float
    again_s: float
    """All computed once more, nothing having changed."""
    machine: Mapping[str, Any]

    def described(self) -> dict[str, float]:
        """Flat, with units in the keys."""
        return {
            "fleet_usage_points": self.points,
            "fleet_silent": self.silent,
            "fleet_forecasts": self.forecasts,
            "fleet_marking_seconds": round(self.marking_s, 2),
            "fleet_night_seconds": round(self.computing_s, 1),
            "fleet_night_again_seconds": round(self.again_s, 1),
        }


def measure(points: int) -> Night:
    """Fill a database of its own and let a day fall due for all; nothing of it is left."""
    if installation.described(_NAME) is not None:
        installation.opened(_NAME).drop()
    made = installation.create(_NAME, "UTC")
    try:
        made.migrate()
        return _measure(made, points)
    finally:
        made.drop()


def _measure(made: Installation, points: int) -> Night:
    calendar = Calendar("UTC")
    last = datetime.fromisoformat(f"{_LAST_DAY}T00:00+00:00")
    _fill(made.dsn, calendar, last, points)
    pool = make_pool(made.settings().postgres, "imbalance", 2)
    try:
        counted: list[tuple[int, int]] = []
        clock = last + timedelta(days=1, hours=37)
        steps = Forecasts(
            PostgresForecasts(pool, calendar, Rules(), FORECAST),
            lambda: clock,
            calendar,
            Rules(),
            fills=True,
            limit=_BATCH,
            computed=lambda computed, changed: counted.append((computed, changed)),
        )
        started = time.perf_counter()
        marked = PostgresForecasts(pool, calendar, Rules(), FORECAST).fall_due(last)
        marking_s = time.perf_counter() - started
        computing_s = _computed(steps)
        forecasts = sum(changed for _, changed in counted)
        with psycopg.connect(made.dsn) as conn:
            conn.execute(
                "INSERT INTO imbalance.forecast_markers (subject_id, day_start, lane)"
                " SELECT usage_point, %s, 1 FROM imbalance.usage_points",
                [last],
            )
        again_s = _computed(steps)
    finally:
        pool.close()
    if marked < points * (1 - _SILENT_SHARE):
        raise RuntimeError(f"expected forecasts of {points} usage points to be marked, found {marked}")
    return Night(
        points,
        round(points * _SILENT_SHARE),
        forecasts,
        marking_s,
        computing_s,
        again_s,
        machine.described(made.dsn),
    )


def _computed(steps: Forecasts) -> float:
    started = time.perf_counter()
    while steps.compute(quiet_s=0):
        pass
    return time.perf_counter() - started


def _fill(dsn: str, calendar: Calendar, last: datetime, points: int) -> None:
    """Readings of the window and of what is estimated from, the night before done; weather of four years."""
    days = [calendar.shift(last, -number) for number in range(_DAYS)]
    told = [last.astimezone(UTC) - timedelta(days=number) for number in range(4 * 366)]
    with psycopg.connect(dsn) as conn:
        ensure_partitions(conn, "imbalance.reading_days", days)
        conn.execute(_TEMPLATES.replace("%%", "%").encode())
        conn.execute(_REGISTER, {"points": points, "places": _PLACES})
        conn.execute(_WEATHER, {"places": _PLACES, "days": told})
        for number, day in enumerate(days):
            share = round(100 * _SILENT_SHARE)
            given = {"day": day, "number": number, "silent": _SILENT_DAYS, "share": share}
            conn.execute(_READINGS, given)
        conn.execute("UPDATE imbalance.nightly SET done_to = %s", [days[1]])
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("ANALYZE")
