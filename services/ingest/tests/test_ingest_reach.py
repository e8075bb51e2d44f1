"""What comes late computes as far as it reaches: months of sparse registers, jumps and gaps, in any order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from balance_ingest.adapters import wire
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.history import Fitting, UsagePoint
from balance_ingest.domain.readings import compute
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality

pytestmark = pytest.mark.stack

DAYS = Days(Calendar("Europe/Chisinau", 0))
FIRST = DAYS.day_of(int(datetime(2026, 2, 1, 12, tzinfo=UTC).timestamp()))
LONG = 150
GRACE_S = 36 * 3600
QUALITIES = [quality.value for quality in Quality]
Described = dict[str, Any]


def packet(sequence: int, **told: Any) -> Described:
    """A packet received when all is over, so that the clock does not tell the order."""
    received = (FIRST + (LONG + 5) * DAY_S) * 1000
    empty: Described = {"archives": [], "registers": [], "sent_at": received, "received_at": received}
    empty |= {"measurements": [], "module_events": [], "module_states": [], "session": None}
    return empty | {"packet_id": f"P-{sequence}", "concentrator_id": "J-1", "sequence": sequence} | told


def sparse(random: Random, module: str) -> Iterator[Described]:
    """Registers weeks apart, a pulse back now and then, falls, and days with intervals."""
    at, level = FIRST, 50_000
    while at < FIRST + LONG * DAY_S:
        at += random.choice([HOUR_S, DAY_S, 20 * DAY_S, 31 * DAY_S, 32 * DAY_S, 37 * DAY_S])
        level += random.choice([0, 0, 3, 40])
        yield {"registers": [register(module, at, level + random.choice([0, -1, -1, -2, -40]))]}
        if random.random() < 0.15:
            yield {"archives": [day_of(module, DAYS.day_of(at), 1)]}


def alternating(random: Random, module: str) -> Iterator[Described]:
    """Registers hours apart that jump to and fro for days."""
    at, level, high = FIRST, 50_000, False
    while at < FIRST + LONG * DAY_S:
        rests = random.random() < 0.01
        at += 30 * DAY_S if rests else random.choice([6 * HOUR_S, 20 * HOUR_S, DAY_S])
        high = high if random.random() < 0.01 else not high
        level += random.choice([0, 1])
        yield {"registers": [register(module, at, level + 900_000 * high)]}


def daily(random: Random, module: str) -> Iterator[Described]:
    """A day every day or every few, whose registers jump to and fro for months."""
    day, value, jump = FIRST, 1000, 4000
    while day < FIRST + LONG * DAY_S:
        if random.random() < 0.4:
            jump = -jump + (900 if random.random() < 0.05 else 0)
            value = max(0, value + jump)
        count = random.choice([0, 1, 2])
        hours = DAYS.hours_by_start[day]
        yield {"archives": [day_of(module, day, count, value, value + count * hours)]}
        value += count * hours
        day = DAYS.shift(day, 9 if random.random() < 0.02 else 1)


def register(module: str, at: int, value: int) -> Described:
    """One register reading."""
    return {
        "module_id": module,
        "channel": 1,
        "start_at": at * 1000,
        "offsets_s": [0],
        "values": [value],
    }


def day_of(module: str, day: int, count: int, start: int | None = None, end: int | None = None) -> Described:
    """The archive of a whole day."""
    return {
        "module_id": module,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": day * 1000,
        "step_s": HOUR_S,
        "values": [count] * DAYS.hours_by_start[day],
        "missing": [],
        "register_start": start,
        "register_end": end,
    }


def histories(random: Random) -> list[Described]:
    """Three versions of each usage point, with fittings and meters that begin and end here and there."""
    found = []
    for name in ("UP-1", "UP-2"):
        for version in (1, 2, 3):
            edges = sorted(FIRST + random.randrange(LONG * DAY_S) for _ in range(3))
            meters = [meter(0, edges[1], 10), meter(edges[1], None, random.choice([10, 20]))]
            if random.random() < 0.5:
                meters = [meter(0, None, 10)]
            channels = [channel("R-1", 0, edges[0]), channel("R-2", edges[0], edges[2])]
            if random.random() < 0.6:
                channels = [channel("R-1" if name == "UP-1" else "R-2", 0, None)]
            found.append(
                {
                    "usage_point_id": name,
                    "version": version,
                    "state": "DELETED" if random.random() < 0.1 else "ACTIVE",
                    "resource": "WATER",
                    "meters": meters,
                    "channels": channels,
                }
            )
    return found


def meter(fitted: int, removed: int | None, weight: int) -> Described:
    """A meter; its registers at the exchange are told."""
    return {
        "fitted_at": fitted * 1000,
        "removed_at": removed and removed * 1000,
        "pulse_weight": weight,
        "register_digits": 6,
        "q_max": 5000,
        "initial_register": 50_000 if fitted else None,
        "final_register": 50_400 if removed else None,
    }


def channel(module: str, fitted: int, removed: int | None) -> Described:
    """A fitting of channel 1."""
    return {
        "module_id": module,
        "channel": 1,
        "fitted_at": fitted * 1000,
        "removed_at": removed and removed * 1000,
    }


def from_scratch(packets: list[Described], points: list[Described]) -> tuple[Any, Any]:
    """Readings and findings of usage points, computed once over everything."""
    found = harvest([wire.from_wire_packet(packet) for packet in packets], DAYS, Limits())
    evidence = by_channel(found.blocks, found.points)
    numbers = {key: number for number, key in enumerate(found.channels)}
    newest = {point["usage_point_id"]: point for point in sorted(points, key=lambda p: p["version"])}
    readings, findings = {}, set()
    for described in map(wire.from_wire_usage_point, newest.values()):
        fittings = tuple(
            Fitting(numbers.get(c.key, -1), *c.key, c.fitted, c.removed) for c in described.channels
        )
        point = UsagePoint(1, described.name, described.resource, described.meters, fittings)
        span = DAYS.between(FIRST - 3 * DAY_S, FIRST + (LONG + 60) * DAY_S)
        computed = compute(point, span, evidence, DAYS, found.received - GRACE_S)
        for one in computed.readings:
            key = described.name, one.day * 1000
            readings[key] = list(one.values), [QUALITIES[code] for code in one.qualities]
        findings |= {(f.rule, described.name, f.start, f.end) for f in computed.findings}
    return readings, findings


def deliver(house: Any, messages: list[Mapping[str, Any]], random: Random) -> None:
    """From the last to the first, in batches of some size, with the worker coming by now and then."""
    while messages:
        size = random.choice([1, 1, 5, 20])
        batch = [messages.pop() for _ in range(min(len(messages), size))]
        house.describe(*(message for message in batch if "meters" in message))
        house.hear(*(message for message in batch if "archives" in message))
        if random.random() < 0.1:
            house.work()
    house.work()


@pytest.mark.parametrize("seed", range(8))
def test_months_in_any_order_end_in_the_same_tables(house: Any, seed: int) -> None:
    random = Random(seed)
    kinds = random.choice([(sparse, daily), (sparse, alternating), (daily, alternating)])
    told = [one for kind, module in zip(kinds, ("R-1", "R-2"), strict=True) for one in kind(random, module)]
    packets = [packet(sequence, **one) for sequence, one in enumerate(told, start=1)]
    points = histories(random)
    share = random.choice([0.05, 0.4])
    late = [message for message in (*packets, *points) if random.random() < share]
    early = [message for message in (*packets, *points) if message not in late]
    random.shuffle(late)
    deliver(house, [*late, *early], random)
    readings, findings = from_scratch(packets, points)
    assert house.readings() == readings
    assert {f for f in house.findings() if "/" not in f[1]} == findings
