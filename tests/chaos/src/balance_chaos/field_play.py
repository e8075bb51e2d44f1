"""A simulated field as messages: some packets twice, out of order, the register before, during and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import balance_oracle
from balance_oracle import Tables
from balance_oracle.describe import edit
from balance_schemas import catalogue
from balance_schemas.codec import Codec
from balance_simulator import packets as packing
from balance_simulator.field.faults import HOUR_S
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.stream import Field

from balance_chaos.traffic import PACKET, Outgoing, encoded

LANES = {packing.LIVE: catalogue.PACKETS, packing.BACKLOG: catalogue.PACKETS_BACKLOG}
NEAR, LATE = 40, 2_000
"""Most packets lie so far from their place, some so far."""
SHARE_LATE, SHARE_TWICE = 0.02, 0.1
UNKNOWN_KIND = "no such kind"

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Played:
    """All that a field ever says: packets, assets in every version, decisions of operators."""

    plan: FieldPlan
    packets: Sequence[Message]
    assets: Sequence[Message]
    edits: Sequence[Message]

    def newest(self, name: str) -> list[Message]:
        """Last versions of the assets that this field of theirs names."""
        return list({one[name]: one for one in self.assets if name in one}.values())

    def tables(self) -> Tables:
        """What must come of it."""
        return balance_oracle.compute(
            self.packets,
            self.newest("usage_point_id"),
            self.newest("group_id"),
            zone=self.plan.zone,
            modules=self.newest("module_id"),
            concentrators=self.newest("concentrator_id"),
            edits=self.edits,
            day_start_hour=self.plan.day_start_hour,
        )

    def traffic(self, codec: Codec, random: Random) -> Iterator[Outgoing]:
        """Packets, and what the register and operators say by chance before, amid and after them."""
        packets = disordered(self.packets, random)
        said = [encoded(one, codec, random) for one in (*self.assets, *self.edits)]
        places: dict[bytes, float] = {}
        queue = []
        for one in said:
            place = random.choice((0.0, random.random(), 1.0))
            places[one.key] = max(place, places.get(one.key, 0.0))  # a newer version stays behind
            queue.append((places[one.key] * len(packets), one))
        queue.sort(key=lambda pair: -pair[0])
        for number, packet in enumerate(packets):
            while queue and queue[-1][0] <= number:
                yield queue.pop()[1]
            yield sent(packet, codec)
        yield from (one for _, one in reversed(queue))


def sent(packet: Message, codec: Codec) -> Outgoing:
    """A packet of a field on the topic of its lane."""
    value = codec.encode(PACKET, packing.record(dict(packet)))
    return Outgoing(LANES[packet["lane"]], packet["concentrator_id"].encode(), value)


def play(plan: FieldPlan) -> Played:
    """Let a field happen, with what its faults do not cover: a session that two concentrators deliver, a
    sensor of a kind nobody knows, decisions of operators.
    """
    field = Field(plan)
    assets: list[Message] = [one for kind in field.register.everything().values() for one in kind]
    packets: list[Message] = []
    for day in field.days():
        assets += day.changed
        packets += day.packets
    packets = [*packets, *_by_another(packets)]
    assets = [*assets, *_of_no_known_kind(assets)]
    return Played(plan, packets, _numbered(assets), _decisions(field))


def _by_another(packets: Sequence[Message]) -> Iterator[Message]:
    """A session of the middle of the field once more, by another concentrator, a little later."""
    one = next(p for p in packets[len(packets) // 2 :] if len(p["archives"]) > 1)
    other = next(p["concentrator_id"] for p in packets if p["concentrator_id"] != one["concentrator_id"])
    sequence = one["sequence"] + 5_000_000
    yield {
        **one,
        "concentrator_id": other,
        "packet_id": f"{other}-{sequence}",
        "sequence": sequence,
        "sent_at": one["sent_at"] + 300_000,
        "received_at": one["received_at"] + 300_000,
    }


def _of_no_known_kind(assets: Sequence[Message]) -> Iterator[Message]:
    sensors = [one for one in assets if one.get("resource") == "SENSOR"]
    yield {**sensors[-1], "sensor_kind": UNKNOWN_KIND}


def _numbered(assets: Sequence[Message]) -> list[Message]:
    """With versions that rise."""
    return [{**one, "version": number} for number, one in enumerate(assets, start=1)]


def _decisions(field: Field) -> list[Message]:
    """The hour of a surge is confirmed, a day of a stopped meter is edited; one of each is withdrawn."""
    plan, ids = field.plan, field.layout.meters.ids
    decided: list[Message] = []
    for fault in field.faults.of("surge", "stopped"):
        name = f"E-{fault.kind}-{fault.meter}"
        start = plan.day_start(fault.first_day)
        hours = (plan.day_start(fault.first_day + 1) - start) // HOUR_S
        if fault.kind == "surge":
            decided.append(edit(name, ids[fault.meter], fault.start_s * 1000, fault.end_s * 1000))
        else:
            decided.append(
                edit(name, ids[fault.meter], start * 1000, (start + hours * HOUR_S) * 1000, [120] * hours)
            )
    withdrawn = [
        {**one, "edit_id": f"{one['edit_id']}-W", "start_at": one["start_at"] - 86_400_000,
         "end_at": one["end_at"] - 86_400_000}
        for one in decided
    ]  # fmt: skip
    undone = [{**one, "version": 2, "state": "WITHDRAWN"} for one in withdrawn]
    return [*decided, *withdrawn, *undone]


def disordered(packets: Sequence[Message], random: Random) -> list[Message]:
    """Every packet, some twice, none at its place."""
    placed: list[tuple[float, Message]] = []
    for number, packet in enumerate(packets):
        for _ in range(2 if random.random() < SHARE_TWICE else 1):
            reach = LATE if random.random() < SHARE_LATE else NEAR
            placed.append((number + random.uniform(0, reach), packet))
    return [packet for _, packet in sorted(placed, key=lambda pair: pair[0])]
