"""A house for tests: groups with readings in a real database, and the worker's steps run by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.migrations import migrate
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import make_pool
from balance_chassis.testing import Installation
from balance_imbalance.adapters.postgres import PostgresGroupDayStore
from balance_imbalance.adapters.postgres_readings import PostgresReadingDayStore
from balance_imbalance.adapters.postgres_register import PostgresRegister
from balance_imbalance.adapters.publishing import GROUP_DAY_KEY, Renderer
from balance_imbalance.domain.messages import (
    Asset,
    Group,
    NamedMembership,
    ReadingDay,
    ReadingDays,
    UsagePoint,
)
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.rules import Rules
from balance_imbalance.handlers import Computing, Sweep, handle_assets, handle_reading_days
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource, Role
from balance_schemas import avsc
from balance_schemas.codec import Codec
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

CALENDAR = Calendar("Europe/Chisinau", 0)
FIRST_DAY = CALENDAR.day_start(datetime(2026, 3, 1, 12, tzinfo=UTC))
CODEC = Codec({name: n for n, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)


def day_start(number: int) -> int:
    """Start of the day of that number from 2026-03-01, in seconds. The clocks change on day 28."""
    return int(CALENDAR.shift(FIRST_DAY, number).timestamp())


def reading(point: str, day: int, value: int | Sequence[int], version: int = 1, **given: Any) -> ReadingDay:
    """A reading day; one value stands for all hours. ``qualities`` as codes."""
    hours = CALENDAR.hours(datetime.fromtimestamp(day_start(day), UTC))
    values = np.array([value] * hours if isinstance(value, int) else list(value), np.int64)
    return ReadingDay(point, day_start(day), 3600, version, values, given.get("qualities"))


def meter_of(point: str, version: int = 1, class_ppm: int = 15_000, pulse: int = 10) -> UsagePoint:
    """A usage point with one meter for ever."""
    return UsagePoint(point, version, [Meter(0, FOREVER, class_ppm, pulse)])


def group_of(
    group: str,
    supply: Sequence[str] | Mapping[str, tuple[int, int]],
    members: Sequence[str] | Mapping[str, tuple[int, int]],
    version: int = 1,
) -> Group:
    """A group of gas; each for ever, or from a day up to another, by number."""
    memberships = []
    for role, points in ((Role.SUPPLY, supply), (Role.MEMBER, members)):
        spans = dict(points) if isinstance(points, Mapping) else dict.fromkeys(points, (0, 0))
        for point, (start, end) in spans.items():
            span = (day_start(start), day_start(end)) if start < end else (0, FOREVER)
            memberships.append(NamedMembership(point, role, 1_000_000, *span))
    return Group(group, version, Resource.GAS, f"House {group}", memberships)


@dataclass
class House:
    """The service on one database, message by message and step by step."""

    reading = staticmethod(reading)
    meter_of = staticmethod(meter_of)
    group_of = staticmethod(group_of)
    day_start = staticmethod(day_start)
    calendar = CALENDAR

    pool: ConnectionPool[Any]
    rules: Rules = field(default_factory=Rules)
    counted: list[tuple[int, int]] = field(default_factory=list)

    @property
    def store(self) -> PostgresGroupDayStore:
        """Markers and results, by the clock of packets."""
        return PostgresGroupDayStore(self.pool, CALENDAR, self.rules, None)

    def hear(self, *days: ReadingDay, clock_day: int = 0, backlog: bool = False) -> int:
        """A message of readings, sent when the day of that number began."""
        lane = BACKLOG if backlog else LIVE
        store = PostgresReadingDayStore(self.pool, CALENDAR, lane, self.rules.lookback_days)
        return handle_reading_days([ReadingDays(day_start(clock_day), days)], store)

    def describe(self, *assets: Asset) -> int:
        """A message of the register."""
        return handle_assets(assets, PostgresRegister(self.pool, CALENDAR))

    def settle(self) -> set[tuple[str, int]]:
        """Run the steps until nothing is left; what was computed, as (group, number of the day)."""
        seen: set[tuple[str, int]] = set()
        sweep = Sweep(self.store, self.rules, CALENDAR)
        while True:
            while sweep.step():
                pass
            marked = self.rows(
                "SELECT group_id, day_start FROM imbalance.markers m JOIN imbalance.groups g "
                "ON g.balance_group = m.subject_id"
            )
            if not marked:
                return seen
            seen |= {(row["group_id"], number_of(row["day_start"])) for row in marked}
            self.compute()

    def compute(self) -> None:
        """Compute all that is marked, due or not."""
        self.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")
        computing = Computing(
            self.store,
            self.rules,
            CALENDAR,
            400,
            lambda computed, changed: self.counted.append((computed, changed)),
        )
        while computing.step():
            pass

    def published(self) -> Mapping[tuple[str, int], Mapping[str, Any]]:
        """What the outbox names, rendered, decoded and forgotten, by group and number of the day."""
        outbox, render = Outbox("imbalance"), Renderer(CODEC)
        with self.pool.connection() as conn:
            rows = outbox.claim(conn, 1000)
            ours = [row for row in rows if row.keys[0][0] == GROUP_DAY_KEY]
            values = [CODEC.decode(outgoing.value or b"")[1] for outgoing in render(conn, ours)]
            outbox.forget(conn, rows)
        return {
            (value["group_id"], number_of(datetime.fromtimestamp(value["day_start_at"] // 1000, UTC))): value
            for value in values
        }

    def days(self, group: str) -> Mapping[int, Mapping[str, Any]]:
        """Rows of the view of days, by number."""
        found = self.rows("SELECT * FROM imbalance.v_group_days WHERE group_id = %s", group)
        return {number_of(row["day_start"]): row for row in found}

    def figures(self) -> Sequence[Mapping[str, Any]]:
        """All group-days and hours without what depends on the order of arrival."""
        columns = ("version", "computed_at", "previous")
        found = [
            *self.rows("SELECT * FROM imbalance.v_group_days ORDER BY group_id, day_start"),
            *self.rows("SELECT * FROM imbalance.v_group_hours ORDER BY group_id, start_at"),
        ]
        return [{name: value for name, value in row.items() if name not in columns} for row in found]

    def rows(self, query: str, *values: Any) -> Sequence[Mapping[str, Any]]:
        """Rows of a query."""
        with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
            found: Sequence[Mapping[str, Any]] = cur.execute(query.encode(), values).fetchall()
            return found

    def empty(self) -> None:
        """Forget everything."""
        with self.pool.connection() as conn:
            conn.execute(
                "TRUNCATE imbalance.reading_days, imbalance.group_days, imbalance.memberships, "
                "imbalance.meters, imbalance.groups, imbalance.usage_points, imbalance.markers, "
                "imbalance.markers_set_aside, imbalance.inadequacy_days, imbalance.inadequacy_homes, "
                "imbalance.inadequacy_markers, imbalance.outbox, imbalance.modules, imbalance.concentrators, "
                "imbalance.forecast_markers, imbalance.group_forecast_markers, "
                "imbalance.onset_days, imbalance.group_onsets, imbalance.group_hour_alarms "
                "RESTART IDENTITY CASCADE"
            )
            conn.execute("UPDATE imbalance.nightly SET done_to = '-infinity'")
            conn.execute("UPDATE imbalance.clock SET heard_at = '-infinity'")
        self.counted.clear()
        self.rules = Rules()


def number_of(instant: datetime) -> int:
    """Number of the metering day that starts then."""
    return (CALENDAR.date_of(instant) - CALENDAR.date_of(FIRST_DAY)).days


@pytest.fixture(scope="module")
def open_house(installation: Installation) -> Iterator[House]:
    """The service on an installation of the module."""
    migrate(installation.dsn, "imbalance", "balance_imbalance", CALENDAR)
    pool = make_pool(installation.settings().postgres, "imbalance", size=8)
    try:
        yield House(pool)
    finally:
        pool.close()


@pytest.fixture
def house(open_house: House) -> House:
    """An empty house."""
    open_house.empty()
    return open_house


@pytest.fixture
def as_reader(installation: Installation, house: House) -> Iterator[Callable[[str], Sequence[Any]]]:  # noqa: ARG001
    """Runs a query as the role that may read the published views."""
    with psycopg.connect(installation.dsn, autocommit=True) as conn:
        conn.execute("SET ROLE balance_reader")
        yield lambda query: conn.execute(query.encode()).fetchall()
