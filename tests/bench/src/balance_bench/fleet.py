"""The fleet that is played: houses with a common meter, one concentrator each, daily archives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_chaos.traffic import GROUP, PACKET, USAGE_POINT, Outgoing
from balance_schemas import catalogue
from balance_schemas.codec import Codec

Ints = np.ndarray[Any, np.dtype[np.int64]]
HOURS = 24
DAY_S = 86_400
FIRST_DAY_S = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
EVER_MS = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp() * 1000)
METER = {
    "meter_number": "M",
    "fitted_at": EVER_MS,
    "removed_at": None,
    "accuracy_class_ppm": 15_000,
    "pulse_weight": 10,
    "register_digits": 8,
    "q_max": 6_000_000,
    "initial_register": None,
    "final_register": None,
}


@dataclass(frozen=True)
class Size:
    """Houses, flats in each, days a repetition, repetitions."""

    houses: int
    flats: int
    days: int
    repetitions: int

    @property
    def readings(self) -> int:
        """Hourly readings of one repetition, common meters among them."""
        return self.houses * (self.flats + 1) * self.days * HOURS


NIGHT = Size(houses=1100, flats=60, days=1, repetitions=5)
"""A night of the whole reference fleet, about 67,000 meters."""


@dataclass(frozen=True)
class Block:
    """Some days of the fleet.

    In pulses: ``counts`` (houses, places, days, hours), and ``registers`` (houses, places) when the first day
    starts. ``day_starts`` in seconds (UTC). Place 0 is the common meter.
    """

    counts: Ints
    registers: Ints
    day_starts: Sequence[int]

    @property
    def readings(self) -> int:
        """Hourly readings, common meters among them."""
        return self.counts.size

    @property
    def end_s(self) -> int:
        """When the last day ends."""
        return self.day_starts[-1] + DAY_S

    @property
    def last_registers(self) -> Ints:
        """As they stand when the last day ends."""
        last: Ints = self.registers + self.counts.sum(axis=(2, 3))
        return last


def make_block(size: Size, days: int, seed: int, before: Block | None) -> Block:
    """A stretch of days that follows the one before; the common meter counts what the flats count."""
    first = FIRST_DAY_S if before is None else before.end_s
    random = np.random.default_rng([seed, first])
    flats = random.poisson(8.0, (size.houses, size.flats, days, HOURS)).astype(np.int64)
    counts = np.concatenate([flats.sum(axis=1, keepdims=True), flats], axis=1)
    registers = np.zeros(counts.shape[:2], np.int64) if before is None else before.last_registers
    return Block(counts, registers, [first + day * DAY_S for day in range(days)])


def module(house: int, place: int) -> str:
    """Name of a module and of the usage point it reads; place 0 is the common meter."""
    return f"H{house:03}-{place:03}"


def described(size: Size) -> Iterator[tuple[str, dict[str, Any]]]:
    """(key, asset) of every usage point and group."""
    for house in range(size.houses):
        places = [module(house, place) for place in range(size.flats + 1)]
        for name in places:
            yield f"usage-point/{name}", _usage_point(name)
        yield f"balance-group/G-{house:03}", _group(house, places)


def assets(size: Size, codec: Codec) -> list[Outgoing]:
    """The fleet as messages of the asset topic."""
    return [
        Outgoing(
            catalogue.ASSETS,
            key.encode(),
            codec.encode(USAGE_POINT if "usage_point_id" in asset else GROUP, asset),
        )
        for key, asset in described(size)
    ]


def packets(block: Block, codec: Codec) -> list[Outgoing]:
    """One packet a house and day, in order of days, as the nights bring them."""
    houses, _, days, _ = block.counts.shape
    return [
        _packet(block, house, range(day, day + 1), codec, catalogue.PACKETS, block.day_starts[day] + DAY_S)
        for day in range(days)
        for house in range(houses)
    ]


def sessions(block: Block, codec: Codec, received_s: int) -> list[Outgoing]:
    """One packet a house with all its days, as concentrators back from the dark bring them."""
    houses, _, days, _ = block.counts.shape
    topic = catalogue.PACKETS_BACKLOG
    return [_packet(block, house, range(days), codec, topic, received_s) for house in range(houses)]


def _packet(block: Block, house: int, days: range, codec: Codec, topic: str, received_s: int) -> Outgoing:
    sequence = block.day_starts[days[0]] // DAY_S
    received = (received_s + 600) * 1000
    concentrator = f"J-{house:03}"
    value = {
        "packet_id": f"{concentrator}-{sequence}",
        "concentrator_id": concentrator,
        "sequence": sequence,
        "sent_at": received,
        "received_at": received,
        "archives": list(_archives(block, house, days)),
        "registers": [],
    }
    return Outgoing(topic, concentrator.encode(), codec.encode(PACKET, value))


def _archives(block: Block, house: int, days: range) -> Iterator[Mapping[str, Any]]:
    counts = block.counts[house]
    ends = block.registers[house][:, None] + counts.sum(axis=2).cumsum(axis=1)
    for place in range(len(counts)):
        for day in days:
            values, end = counts[place, day].tolist(), int(ends[place, day])
            yield _archive(module(house, place), block.day_starts[day], values, end)


def _archive(name: str, start_s: int, values: Sequence[int], end: int) -> Mapping[str, Any]:
    return {
        "module_id": name,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": start_s * 1000,
        "step_s": 3600,
        "values": values,
        "missing": [],
        "register_start": end - sum(values),
        "register_end": end,
    }


def _usage_point(name: str) -> dict[str, Any]:
    return {
        "usage_point_id": name,
        "version": 1,
        "state": "ACTIVE",
        "resource": "GAS",
        "sp_id": None,
        "acc_id": None,
        "object_path": [],
        "meters": [METER],
        "channels": [{"module_id": name, "channel": 1, "fitted_at": EVER_MS, "removed_at": None}],
    }


def _group(house: int, places: Sequence[str]) -> dict[str, Any]:
    members = [
        {
            "usage_point_id": name,
            "role": "SUPPLY" if name == places[0] else "MEMBER",
            "coefficient_ppm": 1_000_000,
            "valid_from": EVER_MS,
            "valid_to": None,
        }
        for name in places
    ]
    group_id = f"G-{house:03}"
    return {
        "group_id": group_id,
        "version": 1,
        "state": "ACTIVE",
        "resource": "GAS",
        "name": group_id,
        "members": members,
    }
