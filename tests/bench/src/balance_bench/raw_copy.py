"""The plainest way to store the same readings: binary COPY, as array rows and as hourly rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from balance_chassis.postgres import copy_binary

from balance_bench.fleet import HOURS, Block

_ARRAYS = """
DROP TABLE IF EXISTS bench_days;
CREATE TABLE bench_days (
    usage_point int, day_start timestamptz, step_s int, "values" bigint[],
    PRIMARY KEY (usage_point, day_start)
)
"""
_HOURS = """
DROP TABLE IF EXISTS bench_hours;
CREATE TABLE bench_hours (
    usage_point int, start_at timestamptz, "value" bigint, PRIMARY KEY (usage_point, start_at)
)
"""


def array_rows(dsn: str, block: Block) -> float:
    """Seconds for a row a usage point and day, committed."""
    rows = [(point, start, 3600, values) for point, start, values in _days(block)]
    columns, types = (
        ("usage_point", "day_start", "step_s", "values"),
        ("int4", "timestamptz", "int4", "int8[]"),
    )
    return _timed(dsn, _ARRAYS, "bench_days", columns, types, rows)


def hourly_rows(dsn: str, block: Block) -> float:
    """Seconds for a row a usage point and hour, committed."""
    hours = [timedelta(hours=hour) for hour in range(HOURS)]
    rows = [
        (point, start + hours[hour], value)
        for point, start, values in _days(block)
        for hour, value in enumerate(values)
    ]
    columns, types = ("usage_point", "start_at", "value"), ("int4", "timestamptz", "int8")
    return _timed(dsn, _HOURS, "bench_hours", columns, types, rows)


def _days(block: Block) -> Iterator[tuple[int, datetime, list[int]]]:
    houses, places, days, _ = block.counts.shape
    for day in range(days):
        start = datetime.fromtimestamp(block.day_starts[day], UTC)
        for house in range(houses):
            for place in range(places):
                yield house * places + place, start, block.counts[house, place, day].tolist()


def _timed(
    dsn: str,
    table: str,
    name: str,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> float:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(table)
        started = time.perf_counter()
        with connection.transaction(), connection.cursor() as cursor:
            copy_binary(cursor, name, columns, types, rows)
        taken = time.perf_counter() - started
        connection.execute(f"DROP TABLE {name}")
    return taken
