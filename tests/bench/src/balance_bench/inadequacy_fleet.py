"""How long the list of a whole fleet takes, and a night of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from typing import TypeVar

import psutil
import psycopg
from balance_chassis.postgres import ensure_partitions
from balance_imbalance.adapters.postgres_inadequacy import PostgresInadequacy
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_kernel.calendar import Calendar

from balance_bench.inadequacy_play import Pool

HOMES_A_BUILDING = 56
LAST = date(2026, 1, 31)
REPETITIONS = 5
_Result = TypeVar("_Result")

_REGISTER = """
INSERT INTO imbalance.usage_points (usage_point_id, version, resource, object_path)
SELECT 'G-' || h, 1, 1, ARRAY[
    'Region ' || h / 17000, 'Town ' || h / 3400, 'Street ' || h / 560, 'B ' || h / %(size)s, '1', 'F ' || h
]
FROM generate_series(0, %(homes)s - 1) AS h;
INSERT INTO imbalance.usage_points (usage_point_id, version, resource)
SELECT 'T-' || h, 1, 6 FROM generate_series(0, %(homes)s - 1) AS h;
INSERT INTO imbalance.meters (usage_point, fitted_at, class_ppm, pulse_weight)
SELECT usage_point, '2010-01-01', 15000, 10000 FROM imbalance.usage_points;
INSERT INTO imbalance.thermometers
SELECT g.usage_point, '2010-01-01', NULL, t.usage_point
FROM imbalance.usage_points g
JOIN imbalance.usage_points t ON t.usage_point_id = 'T-' || substr(g.usage_point_id, 3)
WHERE g.resource = 1;
INSERT INTO imbalance.groups (group_id, name, resource, version)
SELECT 'B ' || b, '', 1, 1 FROM generate_series(0, (%(homes)s - 1) / %(size)s) AS b;
INSERT INTO imbalance.memberships
SELECT g.balance_group, substr(u.usage_point_id, 3)::int, u.usage_point, 2, 1000000, '2010-01-01', NULL
FROM imbalance.usage_points u JOIN imbalance.groups g ON g.group_id = u.object_path[4] WHERE u.resource = 1;
"""
_DAYS = """
INSERT INTO imbalance.inadequacy_days
SELECT
    u.usage_point, d.day, 1, g.used, 21000, d.outdoor, g.used, g.used, 55, 21000, 1, 1, 'bench', now()
FROM imbalance.usage_points u
CROSS JOIN (
    SELECT n.day, -3000 + 100 * (extract(doy FROM n.day)::int %% 40) AS outdoor
    FROM unnest(%(days)s::timestamptz[]) AS n (day)
) d
CROSS JOIN LATERAL (
    SELECT 1000000 + 40 * (18000 - d.outdoor) + (u.usage_point::bigint * 7919 + d.outdoor * 947) %% 200000
        AS used
) g
WHERE u.resource = 1
"""
_READINGS = """
INSERT INTO imbalance.reading_days
SELECT
    u.usage_point,
    %(day)s,
    3600,
    array_fill(
        (CASE WHEN u.resource = 1 THEN 80000 + u.usage_point %% 20000 ELSE 21000 END)::bigint, ARRAY[24]
    ),
    NULL,
    1,
    1
FROM imbalance.usage_points u
"""
_WEATHER = """
WITH s AS (
    INSERT INTO imbalance.weather_sources (object_path, kind, name) VALUES ('{}', 3, 'f')
    RETURNING weather_source
)
INSERT INTO imbalance.weather_days
SELECT weather_source, %(day)s, array_fill(-2000, ARRAY[24]), 1, 1, now() FROM s
"""


@dataclass(frozen=True)
class Timed:
    """Seconds of each question, median of some, and of a night's computation."""

    homes: int
    days: int
    questions: Mapping[str, float]
    processor: Mapping[str, float]
    """Seconds of processor in the server, all in one process: what is left when others do not take turns."""
    night_s: float
    night_rows: int


def measure(dsn: str, pool: Pool, calendar: Calendar, homes: int, days: int) -> Timed:
    """Fill in a fleet with so many past days, ask, and let one more night pass."""
    end = calendar.next_day(calendar.start_of(LAST))
    starts = [calendar.shift(end, -n) for n in range(days, 0, -1)]
    with psycopg.connect(dsn) as conn:
        for table in ("inadequacy_days", "reading_days"):
            ensure_partitions(conn, f"imbalance.{table}", [*starts, end])
        given = {"homes": homes, "size": HOMES_A_BUILDING}
        for one in filter(str.strip, _REGISTER.split(";")):
            conn.execute(one.encode(), given if "%(" in one else None)
        for start in range(0, days, 10):
            conn.execute(_DAYS.encode(), {"days": starts[start : start + 10]})
        conn.execute(_READINGS.encode(), {"day": end})
        conn.execute(_WEATHER.encode(), {"day": end})
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE")
    questions = {
        "all homes, 7 days": "SELECT * FROM imbalance.inadequacy(%s)",
        "all homes, 30 days": "SELECT * FROM imbalance.inadequacy(%s, 30)",
        "a street, 7 days": "SELECT * FROM imbalance.inadequacy(%s, 7, "
        "ARRAY['Region 0', 'Town 0', 'Street 0'])",
        "all objects, 7 days": "SELECT * FROM imbalance.inadequacy_by_object(%s)",
    }
    taken = {name: _median_seconds(dsn, query) for name, query in questions.items()}
    used = {name: _processor_seconds(dsn, query) for name, query in questions.items()}
    store = PostgresInadequacy(pool, calendar, InadequacyRules())
    store.follow_register()
    seconds, (_, rows) = _timed(lambda: _night(store, end))
    return Timed(homes, days, taken, used, seconds, rows)


def _night(store: PostgresInadequacy, day: datetime) -> tuple[int, int]:
    store.fall_due(day)
    return store.compute(1_000_000, quiet_s=0)


def _median_seconds(dsn: str, query: str) -> float:
    taken = []
    with psycopg.connect(dsn, autocommit=True) as conn:
        for _ in range(REPETITIONS):
            seconds, _rows = _timed(lambda: conn.execute(query.encode(), [LAST]).fetchall())
            taken.append(seconds)
    return median(taken)


def _processor_seconds(dsn: str, query: str) -> float:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET max_parallel_workers_per_gather = 0")
        server = psutil.Process(conn.info.backend_pid)
        before = server.cpu_times()
        conn.execute(query.encode(), [LAST]).fetchall()
        after = server.cpu_times()
    return float(after.user + after.system - before.user - before.system)


def _timed(work: Callable[[], _Result]) -> tuple[float, _Result]:
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result
