"""Gaps on a real database: closed, filled and shaped anew by what arrives, in whatever order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import permutations
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
LONG = 110
GRACE_S = 36 * 3600
QUALITIES = [quality.value for quality in Quality]
Described = dict[str, Any]


def day(number: int) -> int:
    """Start of the day of that number, in seconds."""
    return DAYS.shift(FIRST, number)


def key(number: int) -> tuple[str, int]:
    """A reading day."""
    return "UP-1", day(number) * 1000


def archive(number: int, **told: Any) -> Described:
    """A day of two pulses an hour, whose registers go on from day to day."""
    hours = DAYS.hours_by_start[day(number)]
    start = 1000 + 2 * (day(number) - FIRST) // HOUR_S
    shown: Described = {"kind": "ARCHIVED", "step_s": HOUR_S, "values": [2] * hours, "missing": []}
    edges = {"register_start": start, "register_end": start + 2 * hours}
    return shown | edges | {"module_id": "R-1", "channel": 1, "start_at": day(number) * 1000} | told


def register(at: int, value: int, module: str = "R-1") -> Described:
    """One register reading."""
    told = {"module_id": module, "channel": 1, "start_at": at * 1000}
    return told | {"offsets_s": [0], "values": [value]}


def packet(*archives: Described, sequence: int = 1, **told: Any) -> Described:
    """A packet received when all is over, so that the clock does not tell the order."""
    received = day(LONG + 5) * 1000
    empty: Described = {"archives": list(archives), "registers": [], "sent_at": received, "session": None}
    empty |= {"received_at": received, "measurements": [], "module_events": [], "module_states": []}
    return empty | {"packet_id": f"P-{sequence}", "concentrator_id": "J-1", "sequence": sequence} | told


def meter(fitted: int = 0, removed: int | None = None, **told: Any) -> Described:
    """A meter of 10 mL a pulse."""
    span = {"fitted_at": fitted * 1000, "removed_at": removed and removed * 1000}
    shown = {"pulse_weight": 10, "register_digits": 6, "q_max": 5000}
    return span | shown | {"initial_register": None, "final_register": None} | told


def channel(module: str, fitted: int = 0, removed: int | None = None) -> Described:
    """A fitting of channel 1."""
    span = {"fitted_at": fitted * 1000, "removed_at": removed and removed * 1000}
    return {"module_id": module, "channel": 1} | span


def point(version: int = 1, *meters: Described, name: str = "UP-1", **told: Any) -> Described:
    """A usage point."""
    shown: Described = {"usage_point_id": name, "version": version, "state": "ACTIVE", "resource": "WATER"}
    fitted = {"meters": list(meters) or [meter()], "channels": [channel("R-1")]}
    return shown | fitted | told


def estimated(house: Any) -> set[int]:
    """Days of the table of estimated days, by number."""
    rows = house.rows("SELECT extract(epoch FROM day_start)::bigint FROM ingest.estimated_days")
    return {DAYS.index(start) - DAYS.index(FIRST) for (start,) in rows}


@pytest.mark.parametrize("order", list(permutations((10, 11, 12))))
def test_late_days_replace_estimates_in_any_order(house: Any, order: tuple[int, ...]) -> None:
    house.describe(point())
    house.hear(packet(*(archive(n) for n in range(10))))
    house.work()
    assert estimated(house) == set()
    house.hear(packet(*(archive(n) for n in range(13, 16)), sequence=2))
    house.work()
    assert estimated(house) == {10, 11, 12}
    assert house.readings()[key(11)] == ([20] * 24, ["ESTIMATED"] * 24)
    left = {10, 11, 12}
    for number in order:
        house.hear(packet(archive(number), sequence=3))
        house.work()
        left -= {number}
        assert estimated(house) == left
        readings = house.readings()
        assert {n for n in range(16) if readings[key(n)][1] == ["ESTIMATED"] * 24} == left
        assert all(values == [20] * 24 for values, _ in readings.values())


def test_days_in_any_order_need_no_estimate_when_all_are_there(house: Any) -> None:
    house.describe(point())
    for number in (5, 1, 9, 0, 3, 2, 8, 7, 4, 6):
        house.hear(packet(archive(number)))
    house.work()
    assert estimated(house) == set()
    assert {tuple(qualities) for _, qualities in house.readings().values()} == {("VALID",) * 24}


@pytest.mark.parametrize("apart", [7, 27])
def test_a_register_alone_closes_a_gap(house: Any, apart: int) -> None:
    house.describe(point())
    house.hear(packet(archive(0)))
    house.hear(packet(registers=[register(day(1 + apart), 1048 + 48 * apart)], sequence=2))
    house.work()
    readings = house.readings()
    assert all(readings[key(n)] == ([20] * 24, ["ESTIMATED"] * 24) for n in range(1, 1 + apart))
    house.hear(packet(registers=[register(day(3), 1048 + 48 * 2 + 24)], sequence=3))
    house.work()
    readings = house.readings()
    first = sum(sum(readings[key(n)][0]) for n in (1, 2))
    assert first == (48 * 2 + 24) * 10
    assert sum(sum(readings[key(n)][0]) for n in range(3, 1 + apart)) == (48 * (apart - 2) - 24) * 10


def test_an_estimate_is_shaped_anew_when_its_reference_day_changes(house: Any) -> None:
    house.describe(point())
    house.hear(packet(*(archive(n) for n in (0, 1, 2, 3, 5, 6, 7))))
    house.work()
    assert house.readings()[key(4)][0] == [20] * 24
    shape = [1] * 12 + [3] * 12
    house.hear(packet(archive(11, values=shape), sequence=2))
    house.work()
    assert house.readings()[key(4)][0] == [10] * 12 + [30] * 12
    house.hear(packet(archive(11, values=shape[::-1]), sequence=3))
    house.work()
    assert house.readings()[key(4)][0] == [30] * 12 + [10] * 12
    house.hear(packet(archive(11, values=[2] * 23 + [9], register_end=None), sequence=4))
    house.hear(packet(archive(11, values=[2] * 23 + [8], register_end=None), sequence=4))
    house.work()
    assert house.readings()[key(4)][0] == [20] * 24
    assert estimated(house) == {4, 8, 9, 10}


def test_a_correction_of_the_meter_or_the_fitting_computes_gaps_again(house: Any) -> None:
    house.describe(point())
    house.hear(packet(archive(0), archive(1), archive(5), archive(6)))
    house.work()
    assert estimated(house) == {2, 3, 4}
    house.describe(point(2, meter(pulse_weight=20)))
    house.work()
    assert house.readings()[key(3)][0] == [40] * 24
    house.describe(point(3, meter(0, day(3)), meter(day(3))))
    house.work()
    assert key(3) not in house.readings()
    assert estimated(house) == set()
    house.describe(point(4, meter(q_max=10)))
    house.work()
    assert ("vee.high", "UP-1", day(2), day(5)) in house.findings()
    house.describe(point(5))
    house.work()
    assert estimated(house) == {2, 3, 4}
    assert "vee.high" not in {rule for rule, *_ in house.findings()}
    house.describe(point(6, channels=[channel("R-1", day(4))]))
    house.work()
    assert estimated(house) == set()
    house.describe(point(7, state="DELETED"))
    house.work()
    assert house.readings() == {}


def test_long_holes_are_left_to_the_worker_and_short_ones_filled_at_once(house: Any) -> None:
    house.describe(point())
    now = {"received_at": day(32) * 1000}
    house.hear(packet(*(archive(n) for n in range(30)), **now))
    house.hear(packet(archive(30, missing=[4, 5]), sequence=2, **now))
    assert house.readings()[key(30)] == ([20] * 24, ["VALID"] * 4 + ["ESTIMATED"] * 2 + ["VALID"] * 18)
    house.hear(packet(archive(31, missing=[4, 5, 6, 7]), sequence=3, **now))
    assert house.readings()[key(31)][1] == ["VALID"] * 4 + ["MISSING"] * 4 + ["VALID"] * 16
    house.work()
    assert house.readings()[key(31)] == ([20] * 24, ["VALID"] * 4 + ["ESTIMATED"] * 4 + ["VALID"] * 16)


def fitful(random: Random, module: str) -> Iterator[Described]:
    """Days with and without registers and holes, silences of days or weeks, and lone readings."""
    number, value = 0, random.choice([1000, 999_000])
    while number < LONG:
        start = day(number)
        hours = DAYS.hours_by_start[start]
        counts = [random.choice([0, 1, 2, 5]) for _ in range(hours)]
        end = (value + sum(counts)) % 10**6
        kind = random.random()
        if kind < 0.15:
            number += random.choice([1, 1, 2, 5, 14, 33])
            value = max(0, value + random.choice([0, 30, 30, 300, 3000, -1, -50, -value]))
            continue
        if kind < 0.25:
            at = start + random.choice([0, HOUR_S, 5 * HOUR_S, 600, 12 * HOUR_S])
            yield {"registers": [register(at, (value + random.choice([0, 1, 5])) % 10**6, module)]}
        if kind < 0.85 or kind > 0.95:
            holes = random.sample(range(hours), random.choice([0, 0, 0, 1, 3, 12]))
            told = {"module_id": module, "start_at": start * 1000, "values": counts, "missing": holes}
            edges: dict[str, int | None] = {"register_start": value, "register_end": end}
            for edge in random.choice([(), (), (), ("register_start",), ("register_end",), tuple(edges)]):
                edges[edge] = None
            yield {"archives": [archive(number, **told, **edges)]}
        if kind > 0.97:
            yield {"archives": [archive(number, module_id=module, register_end=None)], "sequence": 7}
        value, number = end, number + 1


def histories(random: Random) -> list[Described]:
    """Versions of two usage points."""
    found = []
    for name, module in (("UP-1", "R-1"), ("UP-2", "R-2")):
        for version in (1, 2, 3):
            edges = sorted(FIRST + HOUR_S * random.randrange(LONG * 24) for _ in range(2))
            meters = [meter(0, edges[1]), meter(edges[1], None, pulse_weight=20, q_max=800)]
            channels = [channel("R-1", 0, edges[0]), channel("R-2", edges[0], edges[1])]
            if random.random() < 0.7:
                meters = [meter(q_max=random.choice([60, 800, 50_000]))]
            if random.random() < 0.7:
                channels = [channel(module)]
            found.append(point(version, *meters, name=name, channels=channels))
    return found


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
        one = UsagePoint(1, described.name, described.resource, described.meters, fittings)
        span = DAYS.between(FIRST - 3 * DAY_S, FIRST + (LONG + 60) * DAY_S)
        computed = compute(one, span, evidence, DAYS, found.received - GRACE_S)
        for each in computed.readings:
            shown = [QUALITIES[code] for code in each.qualities]
            readings[described.name, each.day * 1000] = list(each.values), shown
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


@pytest.mark.parametrize("seed", range(24))
def test_gaps_come_out_alike_whatever_the_order(house: Any, seed: int) -> None:
    random = Random(seed)
    told = [one for module in ("R-1", "R-2") for one in fitful(random, module)]
    packets = [packet(**({"sequence": n} | one)) for n, one in enumerate(told, start=1)]
    points = histories(random)
    share = random.choice([0.05, 0.4, 1])
    late = [message for message in (*packets, *points) if random.random() < share]
    early = [message for message in (*packets, *points) if message not in late]
    random.shuffle(late)
    deliver(house, [*late, *early], random)
    readings, findings = from_scratch(packets, points)
    assert house.readings() == readings
    unusual = {"vee.zero", "vee.stuck", "vee.above_usual", "vee.spike"}
    shown = {f for f in house.findings() if "/" not in f[1] and f[0] not in unusual}
    assert {f for f in shown if f[1] in ("UP-1", "UP-2")} == findings
