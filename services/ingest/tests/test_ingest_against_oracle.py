"""Whatever order, split and repetition things come in, the tables equal the oracle's and a fresh
computation's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from random import Random
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_ingest.adapters import wire
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import Days
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.readings import compute
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality
from balance_oracle.worlds import World, delivered, make_world

QUALITIES = [quality.value for quality in Quality]
GRACE_S = 36 * 3600
Found = set[tuple[str, str, int, int]]
ReadingDays = dict[tuple[str, int], tuple[list[int | None], list[str]]]


@cache
def days_of(zone: str, hour: int) -> Days:
    return Days(Calendar(zone, hour))


def newest(world: World) -> list[Mapping[str, Any]]:
    by_id: dict[str, Mapping[str, Any]] = {}
    for point in sorted(world.fleet.usage_points, key=lambda point: point["version"]):
        by_id[point["usage_point_id"]] = point
    return list(by_id.values())


def readable(world: World) -> Iterator[Any]:
    for packet in world.packets:
        try:
            yield wire.from_wire_packet(packet)
        except BadRecord:
            continue


def from_scratch(world: World) -> tuple[ReadingDays, Found]:
    """Readings and findings of usage points, computed once over everything."""
    days = days_of(world.place.zone, world.place.day_start_hour)
    found = harvest(readable(world), days, Limits())
    evidence = by_channel(found.blocks, found.points)
    numbers = {key: number for number, key in enumerate(found.channels)}
    heard = [day for one in evidence.values() for day in (*one.days, *one.instants)]
    readings: ReadingDays = {}
    findings: Found = set()
    for described in map(wire.from_wire_usage_point, newest(world)):
        fittings = tuple(
            Fitting(numbers.get(c.key, -1), *c.key, c.fitted, c.removed) for c in described.channels
        )
        point = UsagePoint(1, described.name, described.resource, described.meters, fittings)
        if heard:
            span = days.between(min(heard) - 2 * 86_400, max(heard) + 12 * 86_400)
            computed = compute(point, span, evidence, days, found.received - GRACE_S)
            for one in computed.readings:
                key = described.name, one.day * 1000
                readings[key] = list(one.values), [QUALITIES[code] for code in one.qualities]
            findings |= {(f.rule, described.name, f.start, f.end) for f in computed.findings}
    return readings, findings


@pytest.mark.parametrize("seed", range(200))
def test_readings_computed_at_once_equal_the_oracle(seed: int) -> None:
    world = make_world(Random(seed))
    wanted = {key: (list(values), list(q)) for key, (values, q) in world.tables().readings.items()}
    assert from_scratch(world)[0] == wanted


def deliver(house: Any, world: World, random: Random) -> None:
    """Everything in some order, in batches of some size, with the worker coming by now and then."""
    batch: list[Mapping[str, Any]] = []
    for message in delivered(world, random):
        if "archives" in message:
            batch.append(message)
        elif "meters" in message:
            house.describe(message)
        if random.random() < 0.3:
            house.hear(*batch, backlog=random.random() < 0.5)
            batch = []
            if random.random() < 0.2:
                house.work()
    house.hear(*batch)
    house.work()


@pytest.mark.stack
@pytest.mark.parametrize("seed", range(40))
def test_tables_equal_the_oracle_in_any_order(database: Any, seed: int) -> None:
    random = Random(seed)
    world = make_world(random)
    house = database.empty(days_of(world.place.zone, world.place.day_start_hour))
    deliver(house, world, random)
    tables = world.tables()
    wanted = {key: (list(values), list(q)) for key, (values, q) in tables.readings.items()}
    assert house.readings() == wanted
    subjects = {point["usage_point_id"] for point in world.fleet.usage_points}
    found = house.findings()
    assert {f for f in found if f[1] in subjects} == from_scratch(world)[1]
    of_channels = {(rule, subject, at * 1000) for rule, subject, at, _ in found if subject not in subjects}
    assert of_channels == {f for f in tables.findings if f[1] not in subjects}
