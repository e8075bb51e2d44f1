"""Whatever order, split and repetition things come in, the tables equal the oracle's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_ingest.adapters import wire, wire_described
from balance_ingest.adapters.sensor_table import kind_table
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.clocks import clock_days
from balance_ingest.domain.cutting import Harvest, harvest
from balance_ingest.domain.days import Days
from balance_ingest.domain.edits import in_order
from balance_ingest.domain.faults import faults_of
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import Limits
from balance_ingest.domain.sensor_kinds import kind_of
from balance_ingest.ports import DescribedUsagePoint
from balance_kernel.calendar import Calendar
from balance_kernel.plans import allowances_of, packet_spans, session_spans
from balance_kernel.quantity import Quality
from balance_oracle import Tables
from balance_oracle.fleets import latest
from balance_oracle.worlds import World, delivered, make_world

QUALITIES = [quality.value for quality in Quality]
GRACE_S = 36 * 3600
DAY_S = 86_400
BESIDE = {"vee.zero", "vee.stuck", "vee.above_usual", "vee.spike", "vee.unknown_sensor_kind"}
"""Found of readings as they stand (docs/domain.md §3.15) and of the register (§3.14)."""
Found = set[tuple[str, str, int, int]]
ReadingDays = dict[tuple[str, int], tuple[list[int | None], list[str]]]


@cache
def days_of(zone: str, hour: int) -> Days:
    return Days(Calendar(zone, hour))


def readable(world: World) -> Iterator[Any]:
    for packet in world.packets:
        try:
            yield wire.from_wire_packet(packet)
        except BadRecord:
            continue


class Scratch:
    """Readings and findings of usage points, computed once over everything by the pure functions."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.days = days_of(world.place.zone, world.place.day_start_hour)
        self.found: Harvest = harvest(readable(world), self.days, Limits())
        points = latest(world.fleet.usage_points, "usage_point_id")
        fitted = [(c["module_id"], c["channel"]) for point in points for c in point["channels"]]
        self.numbers = {
            key: number for number, key in enumerate(dict.fromkeys([*self.found.channels, *fitted]))
        }
        self.evidence = by_channel(self.found.blocks, self.found.points)
        self.kinds = {kind.code: kind for kind in kind_table()}
        heard = [day for one in self.evidence.values() for day in (*one.days, *one.instants)]
        first, last = world.place.day_starts[0], world.place.end_ms // 1000
        self.span = self.days.between(min([first, *heard]) - 40 * DAY_S, max([last, *heard]) + 50 * DAY_S)
        self.circumstances = self._circumstances()
        self.computed = [self._compute(wire.from_wire_usage_point(point)) for point in points]

    def readings(self) -> ReadingDays:
        """By (usage point, start in ms)."""
        return {
            (name, one.day * 1000): (list(one.values), [QUALITIES[code] for code in one.qualities])
            for name, computed in self.computed
            for one in computed.readings
        }

    def findings(self) -> Found:
        """(rule, usage point, start, end in seconds)."""
        return {(f.rule, name, f.start, f.end) for name, computed in self.computed for f in computed.findings}

    def _compute(self, described: DescribedUsagePoint) -> tuple[str, Computed]:
        kind = kind_of(described.resource, described.sensor_kind)
        point = UsagePoint(
            1,
            described.name,
            described.resource,
            described.meters,
            tuple(self._fitting(*c.key, c.fitted, c.removed) for c in described.channels),
            sensor_kind=kind,
            kind=self.kinds.get(kind or ""),
            decisions=in_order(
                wire.from_wire_reading_edit(
                    edit, Calendar(self.world.place.zone, self.world.place.day_start_hour)
                )
                for edit in latest(self.world.edits, "edit_id")
                if edit["usage_point_id"] == described.name
            ),
        )
        due = self.found.received - GRACE_S
        return point.name, compute(point, self.span, self.evidence, self.days, due, self.circumstances)

    def _fitting(self, module: str, number: int, fitted: int, removed: int) -> Fitting:
        minima, maxima = (self.numbers.get((module, number + beside)) for beside in (16, 32))
        return Fitting(self.numbers[module, number], module, number, fitted, removed, minima, maxima)

    def _circumstances(self) -> Circumstances:
        fleet, told = self.world.fleet, self.found.telemetry
        described = map(wire_described.from_wire_concentrator, latest(fleet.concentrators, "concentrator_id"))
        sessions = {one.name: session_spans(one.settings) for one in described}
        modules = map(wire_described.from_wire_module, latest(fleet.modules, "module_id"))
        allowed = {one.name: allowances_of(packet_spans(one.settings, sessions)) for one in modules}
        events = [heard.event for heard in told.events.values()]
        states = [heard for heard in told.states.values() if heard.clock_offset is not None]
        return Circumstances(
            allowances={number: allowed.get(module, ()) for (module, _), number in self.numbers.items()},
            faults={
                number: faults_of((e for e in events if e.module_id == module), channel)
                for (module, channel), number in self.numbers.items()
            },
            clocks={
                number: clock_days(
                    [
                        (one.state.observed - one.ahead, one.clock_offset or 0)
                        for one in states
                        if one.state.module_id == module
                    ],
                    self.span,
                    self.days,
                )
                for (module, _), number in self.numbers.items()
            },
        )


def wanted(tables: Tables) -> tuple[ReadingDays, Found]:
    """The oracle's readings, and its findings of usage points, in seconds."""
    readings = {key: (list(values), list(q)) for key, (values, q) in tables.readings.items()}
    spans = {(rule, name, start // 1000, end // 1000) for rule, name, start, end in tables.spans}
    return readings, {one for one in spans if one[1] in tables.usage_points}


@pytest.mark.parametrize("seed", range(200))
def test_readings_computed_at_once_equal_the_oracle(seed: int) -> None:
    world = make_world(Random(seed))
    scratch, (readings, findings) = Scratch(world), wanted(world.tables())
    assert scratch.readings() == readings
    assert scratch.findings() == {one for one in findings if one[0] not in BESIDE}


def deliver(house: Any, world: World, random: Random) -> None:
    """Everything in some order, in batches of some size, with the worker coming by now and then."""
    batch: list[Mapping[str, Any]] = []
    for message in delivered(world, random):
        if "packet_id" in message:
            batch.append(message)
        elif "edit_id" in message:
            house.decide(message)
        elif "meters" in message:
            house.describe(message)
        elif "settings" in message:
            house.plan(message)
        if random.random() < 0.3:
            house.hear(*batch, backlog=random.random() < 0.5)
            batch = []
            if random.random() < 0.2:
                house.work()
    house.hear(*batch)
    house.work()


@pytest.mark.stack
@pytest.mark.parametrize("seed", range(12))
def test_tables_equal_the_oracle_in_any_order(database: Any, seed: int) -> None:
    random = Random(seed)
    world = make_world(random)
    house = database.empty(days_of(world.place.zone, world.place.day_start_hour))
    deliver(house, world, random)
    tables = world.tables()
    readings, findings = wanted(tables)
    assert house.readings() == readings
    found = house.findings()
    assert {one for one in found if one[1] in tables.usage_points} == findings
    beside = {
        (rule, subject, at * 1000) for rule, subject, at, _ in found if subject not in tables.usage_points
    }
    assert beside == {one for one in tables.findings if one[1] not in tables.usage_points}
