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
    """Houses, flats in each, days a repetition, repetitions, and messages of the naive pipeline."""

    houses: int
    flats: int
    days: int
    repetitions: int
    naive_readings: int

    @property
    def readings(self) -> int:
        """Hourly readings of one repetition, common meters among them."""
        return self.houses * (self.flats + 1) * self.days * HOURS


SIZES = {
    "small": Size(houses=2, flats=10, days=1, repetitions=1, naive_readings=300),
    # A night of the whole reference fleet, about 67,000 meters.
    "large": Size(houses=1100, flats=60, days=1, repetitions=5, naive_readings=20_000),
}


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
    def last_registers(self) -> Ints:
        """As they stand when the last day ends."""
        last: Ints = self.registers + self.counts.sum(axis=(2, 3))
        return last


def make_block(size: Size, repetition: int, seed: int, before: Block | None) -> Block:
    """A stretch of days of its own for each repetition; the common meter counts what the flats count."""
    random = np.random.default_rng([seed, repetition])
    flats = random.poisson(8.0, (size.houses, size.flats, size.days, HOURS)).astype(np.int64)
    counts = np.concatenate([flats.sum(axis=1, keepdims=True), flats], axis=1)
    registers = np.zeros(counts.shape[:2], np.int64) if before is None else before.last_registers
    first = FIRST_DAY_S + repetition * size.days * DAY_S
    return Block(counts, registers, [first + day * DAY_S for day in range(size.days)])


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


def packets(block: Block, codec: Codec, first_sequence: int) -> list[Outgoing]:
    """One packet a house and day, in order of days, as the night brings them."""
    houses, places, days, _ = block.counts.shape
    before = block.registers[:, :, None] + block.counts.sum(axis=3).cumsum(axis=2) - block.counts.sum(axis=3)
    made = []
    for day in range(days):
        for house in range(houses):
            archives = [
                _archive(module(house, place), block, (house, place, day), int(before[house, place, day]))
                for place in range(places)
            ]
            value = _packet(house, first_sequence + day, block.day_starts[day], archives)
            made.append(
                Outgoing(catalogue.PACKETS, value["concentrator_id"].encode(), codec.encode(PACKET, value))
            )
    return made


def _packet(house: int, sequence: int, day_start: int, archives: list[Mapping[str, Any]]) -> dict[str, Any]:
    received = (day_start + DAY_S + 600) * 1000
    return {
        "packet_id": f"J-{house:03}-{sequence}",
        "concentrator_id": f"J-{house:03}",
        "sequence": sequence,
        "sent_at": received,
        "received_at": received,
        "archives": archives,
        "registers": [],
    }


def _archive(name: str, block: Block, place: tuple[int, int, int], before: int) -> Mapping[str, Any]:
    values = block.counts[place].tolist()
    return {
        "module_id": name,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": block.day_starts[place[2]] * 1000,
        "step_s": 3600,
        "values": values,
        "missing": [],
        "register_start": before,
        "register_end": before + sum(values),
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
