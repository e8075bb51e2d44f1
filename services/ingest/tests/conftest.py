"""A house for tests: ingest on a real database, message by message, with the worker's steps run by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_chassis.lanes import BACKLOG
from balance_chassis.migrations import migrate
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import make_pool
from balance_chassis.publisher import Outgoing
from balance_chassis.testing import Installation
from balance_ingest.adapters import wire, wire_described
from balance_ingest.adapters.battery_table import life_table
from balance_ingest.adapters.delivery import PostgresDelivery
from balance_ingest.adapters.plans import PostgresPlans
from balance_ingest.adapters.postgres import PostgresStore
from balance_ingest.adapters.publishing import Renderer
from balance_ingest.adapters.reading_edits import PostgresDecisions
from balance_ingest.adapters.register import PostgresRegister, PostgresSilence
from balance_ingest.adapters.sensor_table import kind_table
from balance_ingest.adapters.unusual import PostgresUnusual
from balance_ingest.adapters.work import Pool
from balance_ingest.domain.days import Days
from balance_ingest.domain.delivery import DeliveryLimits
from balance_ingest.domain.packets import Packet
from balance_ingest.domain.parameters import ParameterTable
from balance_ingest.handlers import (
    Judging,
    Recomputing,
    Rules,
    Sweep,
    handle_packets,
    handle_plans,
    handle_reading_edits,
    handle_usage_points,
)
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality
from balance_schemas import avsc, catalogue
from balance_schemas.codec import Codec

REAL_DATA = Path(os.environ.get("BALANCE_REAL_DATA") or Path(__file__).parents[4] / "shared" / "data")
"""Real data lies outside the repository; under CI=true its absence fails."""

QUALITIES = [quality.value for quality in Quality]
TABLES = (
    "channels, evidence_days, usage_points, related_channels, reading_days, findings, outbox, markers, clock,"
    "module_events, module_states, latest_module_states, odd_clocks, sessions,"
    "modules, concentrators, packet_plans, session_plans, battery_forecasts, channel_fittings,"
    "modules_heard, concentrators_heard, metering_days,"
    "estimated_days, reading_changes, reading_edits, set_aside"
)

CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
ReadingDays = dict[tuple[str, int], tuple[list[int | None], list[str]]]


@dataclass
class House:
    """The service on one database. Time is what packets say."""

    pool: Pool
    days: Days
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.rules = Rules(self.days)
        self.live = PostgresStore(self.pool, self.days, None)
        self.backlog = PostgresStore(self.pool, self.days, None, lane=BACKLOG)
        self.recomputing = Recomputing(PostgresStore(self.pool, self.days, None), self.rules)
        self.sweep = Sweep(PostgresSilence(self.pool, self.days, None), self.rules)
        self.register = PostgresRegister(self.pool, self.days, None)
        self.plans = PostgresPlans(self.pool, self.days, None, life_table())
        self.delivery = PostgresDelivery(self.pool, self.days, None, self.plans, DeliveryLimits())
        self.judging = Judging(PostgresUnusual(self.pool, self.days, ParameterTable()))

    def hear(self, *packets: Mapping[str, Any], backlog: bool = False) -> int:
        """Handle packets shaped like the contract's, those of them that can be read, in one batch."""
        read: list[Packet] = []
        for packet in packets:
            try:
                read.append(wire.from_wire_packet(packet))
            except BadRecord:
                continue
        return handle_packets(read, self.backlog if backlog else self.live, self.rules).plain

    def describe(self, *points: Mapping[str, Any]) -> int:
        """Handle usage points shaped like the contract's."""
        return handle_usage_points([wire.from_wire_usage_point(point) for point in points], self.register)

    def plan(self, *devices: Mapping[str, Any]) -> int:
        """Handle modules and concentrators shaped like the contract's."""
        read = [
            wire_described.from_wire_module(one)
            if "module_id" in one
            else wire_described.from_wire_concentrator(one)
            for one in devices
        ]
        return handle_plans(read, self.plans)

    def decide(self, *edits: Mapping[str, Any]) -> int:
        """Handle decisions about readings shaped like the contract's."""
        read = [wire.from_wire_reading_edit(edit, self.days.calendar) for edit in edits]
        return handle_reading_edits(read, PostgresDecisions(self.pool, self.days, None))

    def deliveries(self) -> set[tuple[str, str, int]]:
        """Open findings of delivery as (rule, module or concentrator, start in seconds), judged now."""
        self.delivery.judge()
        query = """SELECT rule, coalesce(module_id, concentrator_id),
                extract(epoch FROM interval_start_at)::bigint
            FROM ingest.v_findings WHERE state = 'OPEN' AND rule LIKE 'delivery.%%'"""
        return {(rule, subject, start) for rule, subject, start in self.rows(query)}

    def work(self) -> None:
        """Let the worker do all there is, as if time had passed."""
        while self.sweep.step() or self._step() or self._judge():
            pass
        self.delivery.judge()

    def _step(self) -> int:
        with self.pool.connection() as conn:
            conn.execute("UPDATE ingest.markers SET marked_at = marked_at - interval '1 minute'")
        return self.recomputing.step()

    def _judge(self) -> int:
        with self.pool.connection() as conn:
            conn.execute("UPDATE ingest.reading_changes SET noted_at = noted_at - interval '2 minutes'")
        return self.judging.step()

    def readings(self) -> ReadingDays:
        """Reading days by (usage point, start in ms), as the read contract shows them."""
        found: ReadingDays = {}
        query = """SELECT usage_point_id, (extract(epoch FROM day_start) * 1000)::bigint, value, quality
            FROM ingest.v_readings ORDER BY usage_point_id, start_at"""
        for point, day, value, quality in self.rows(query):
            values, qualities = found.setdefault((point, day), ([], []))
            values.append(value)
            qualities.append(quality)
        return found

    def findings(self) -> set[tuple[str, str, int, int]]:
        """Open findings as (rule, usage point or module/channel or device, start, end in seconds)."""
        query = """SELECT rule,
                coalesce(usage_point_id, module_id || '/' || channel, module_id, concentrator_id),
                extract(epoch FROM interval_start_at)::bigint, extract(epoch FROM interval_end_at)::bigint
            FROM ingest.v_findings WHERE state = 'OPEN'"""
        return {(rule, subject, start, end) for rule, subject, start, end in self.rows(query)}

    def published(self) -> list[tuple[str, dict[str, Any]]]:
        """(topic, value) of what the outbox names of readings and findings, rendered, decoded, forgotten."""
        return [
            (each.topic, CODEC.decode(each.value or b"")[1])
            for each in self._outgoing()
            if each.topic != catalogue.MODULE_EVENTS
        ]

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """(record, value) of what the outbox names of telemetry, rendered, decoded, forgotten."""
        found = [each for each in self._outgoing() if each.topic == catalogue.MODULE_EVENTS]
        return [CODEC.decode(each.value or b"") for each in found]

    def _outgoing(self) -> Sequence[Outgoing]:
        outbox, render = Outbox("ingest"), Renderer(CODEC)
        with self.pool.connection() as conn:
            rows = outbox.claim(conn, 1000)
            found = render(conn, rows)
            outbox.forget(conn, rows)
        return found

    def reading_days(self) -> list[tuple[str, str, int, int]]:
        """(topic, usage point, start of the day in seconds, version) of what is to be published."""
        return sorted(
            (topic, day["usage_point_id"], day["day_start_at"] // 1000, day["version"])
            for topic, value in self.published()
            if "days" in value
            for day in value["days"]
        )

    def rows(self, query: Any, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Rows of a query."""
        with self.pool.connection() as conn:
            return conn.execute(query, values).fetchall()

    def empty(self, days: Days | None = None) -> House:
        """The same database without anything in it, on these metering days."""
        with self.pool.connection() as conn:
            conn.execute("SET search_path TO ingest")
            conn.execute(f"TRUNCATE {TABLES}")
            conn.execute("INSERT INTO clock DEFAULT VALUES")
            conn.execute("SET search_path TO public")
        return House(self.pool, days or self.days)


@pytest.fixture(scope="module")
def database(installation: Installation) -> Iterator[House]:
    """The service's schema in a database of its own."""
    settings = installation.settings()
    migrate(installation.dsn, "ingest", "balance_ingest", settings.calendar)
    pool: Pool = make_pool(settings.postgres, "test")
    with pool:
        days = Days(Calendar("Europe/Chisinau", 0))
        PostgresRegister(pool, days, None).keep_kinds(kind_table())
        yield House(pool, days)


@pytest.fixture
def house(database: House) -> House:
    """The house, empty."""
    return database.empty()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Tests on real data are collected where it lies."""
    absent = not REAL_DATA.is_dir() and os.environ.get("CI") != "true"
    return True if collection_path.name == "test_ingest_dirty_data.py" and absent else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say so where it does not."""
    if not REAL_DATA.is_dir():
        terminalreporter.write_line(f"ingest on real data: no folder {REAL_DATA} (BALANCE_REAL_DATA)")
