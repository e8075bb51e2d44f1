"""Bad input ends as finding, dead letter or patient retry; the services stay up and nothing else is lost.

`BALANCE_AWAY_SECONDS` (default 8) is how long database and broker go away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from balance_chaos import faults
from balance_chaos.settling import wait_until_equal
from balance_chaos.stage import codec_of, fresh_installation, own_stack, settings_of
from balance_chaos.traffic import PACKET, Outgoing, encoded, send
from balance_chassis.settings import KafkaSettings
from balance_local import dead_letters
from balance_local.broker import Broker
from balance_local.database import Database
from balance_local.dead_letters import Letter
from balance_local.installation import Installation
from balance_oracle import compute
from balance_oracle.describe import (
    archive,
    at,
    balance_group,
    fitting,
    membership,
    meter,
    packet,
    registers,
    usage_point,
)
from balance_schemas import catalogue

pytestmark = pytest.mark.stack

AWAY_S = float(os.environ.get("BALANCE_AWAY_SECONDS", "8"))
PATIENCE_S = 120 + 2 * AWAY_S

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
DAY_MS = 86_400_000


@dataclass
class Town:
    """An installation to which each test adds a house; the oracle hears of all that was ever sent."""

    made: Installation
    root: Path
    random: Random = field(default_factory=lambda: Random(5))
    assets: list[dict[str, Any]] = field(default_factory=list)
    packets: list[dict[str, Any]] = field(default_factory=list)

    @property
    def kafka(self) -> KafkaSettings:
        return settings_of(self.made).kafka

    def add_house(self, name: str) -> House:
        """A supply meter and two flats, a pulse of one base unit each."""
        house = House(name)
        points = [
            usage_point(m, [meter(EVER, pulse_weight=1)], [fitting(m, 1, EVER)]) for m in house.modules()
        ]
        roles = ("SUPPLY", "MEMBER", "MEMBER")
        members = [membership(m, role, EVER) for m, role in zip(house.modules(), roles, strict=True)]
        self.assets += [*points, balance_group(name, members)]
        self.send([*points, balance_group(name, members)])
        return house

    def play(self, packets: Sequence[dict[str, Any]], *between: Outgoing) -> None:
        """Packets with other bytes strewn in; they count for the oracle from now on."""
        self.packets += packets
        self.send(packets, *between)

    def send(self, messages: Sequence[dict[str, Any]], *between: Outgoing) -> None:
        codec = codec_of(self.made)
        traffic = [*(encoded(message, codec, self.random) for message in messages), *between]
        self.random.shuffle(traffic)
        send(self.kafka, traffic)

    def settle(self) -> None:
        """Wait until everything equals the oracle's tables of everything sent so far."""
        points = [asset for asset in self.assets if "usage_point_id" in asset]
        groups = [asset for asset in self.assets if "group_id" in asset]
        wait_until_equal(self.made, compute(self.packets, points, groups, zone="UTC"), PATIENCE_S)

    def bytes_of(self, message: dict[str, Any]) -> bytes:
        return codec_of(self.made).encode(PACKET, message)

    def letters(self) -> list[Letter]:
        return dead_letters.listed(self.kafka)

    def open_findings(self, house: House) -> list[tuple[str, str]]:
        """(rule, message) of every open finding about the modules or usage points of a house."""
        with psycopg.connect(self.made.dsn) as connection:
            names = list(house.modules())
            return connection.execute(_OPEN_FINDINGS, {"names": names}).fetchall()


_OPEN_FINDINGS = """SELECT rule, message FROM ingest.v_findings
    WHERE state = 'OPEN' AND (usage_point_id = ANY (%(names)s) OR module_id = ANY (%(names)s))"""


@dataclass(frozen=True)
class House:
    """A house; modules and usage points have the same names."""

    name: str

    def modules(self) -> tuple[str, str, str]:
        """Of the common meter and the two flats."""
        return f"{self.name}-S", f"{self.name}-A", f"{self.name}-B"

    def good(self, day: int, sequence: int) -> dict[str, Any]:
        """One honest packet of a day of the whole house."""
        start = DAY_1 + day * DAY_MS
        archives = [
            archive(m, 1, start, [count] * 24) for m, count in zip(self.modules(), (60, 35, 24), strict=True)
        ]
        return self.packet(sequence, start + DAY_MS, archives)

    def packet(self, sequence: int, received_at: int, *elements: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return packet(sequence, received_at, *elements, concentrator_id=f"J-{self.name}")


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with own_stack("bad_input") as root, fresh_installation("bad_input", "UTC") as made:
        yield Town(made, root)


@pytest.fixture(autouse=True)
def nobody_ended(town: Town) -> Iterator[None]:
    """Whatever a test sends, every service process is the same one afterwards."""
    before = faults.pids(town.made)
    yield
    assert faults.pids(town.made) == before, "a service ended"


def test_bytes_that_are_no_message_become_dead_letters_that_say_why(town: Town) -> None:
    house = town.add_house("bytes")
    before = len(town.letters())
    whole = town.bytes_of(house.good(0, 1))
    spoilt = {
        "truncated": whole[: len(whole) // 2],
        "garbage": bytes(Random(1).randbytes(300)),
        "magic": b"\x07" + whole[1:],
        "schema id": whole[:1] + (999_999).to_bytes(4, "big") + whole[5:],
        "empty": b"",
        "bad record": town.bytes_of(house.good(0, 1) | {"sequence": -4}),
        "no id": town.bytes_of(house.good(0, 1) | {"concentrator_id": ""}),
    }
    letters = [Outgoing(catalogue.PACKETS, name.encode(), value) for name, value in spoilt.items()]
    letters += [replace(letter, topic=catalogue.PACKETS_BACKLOG) for letter in letters]
    letters += [Outgoing(catalogue.ASSETS, b"usage-point/A", value) for value in list(spoilt.values())[:4]]
    town.play([house.good(n, n + 1) for n in range(4)], *letters)
    town.settle()
    found = town.letters()[before:]
    of_packets = [letter for letter in found if letter.group.startswith("ingest-packets")]
    assert len(of_packets) == 2 * len(spoilt), [letter.reason for letter in of_packets]
    assert len([letter for letter in found if letter.group.endswith("-assets")]) == 2 * 4
    assert {letter.kind for letter in found} == {"bad_record"}
    reasons = " ".join(letter.reason for letter in found)
    for words in ("magic byte", "schema", "sequence", "concentrator_id", "bytes that are not"):
        assert words in reasons


def test_a_message_of_10_megabytes_is_set_aside_whole(town: Town) -> None:
    house = town.add_house("huge")
    before = len(town.letters())
    start = DAY_1 - 200 * DAY_MS
    huge = house.packet(9, DAY_1, [archive(f"R-{n}", 1, start, [2**30] * 3000) for n in range(720)])
    data = town.bytes_of(huge)
    assert len(data) > 10_000_000
    town.play([house.good(n, n + 1) for n in range(3)], Outgoing(catalogue.PACKETS_BACKLOG, b"J-9", data))
    town.settle()
    (letter,) = town.letters()[before:]
    assert letter.kind == "oversize"
    assert letter.size_bytes >= len(data)


def test_valid_avro_with_absurd_numbers_is_a_finding(town: Town) -> None:
    house = town.add_house("absurd")
    before = len(town.letters())
    start, flat = DAY_1 + DAY_MS, house.modules()[1]
    absurd = [
        archive(flat, 1, start, [2**40]),
        archive(flat, 1, start, [1], step_s=7),
        archive(flat, 99, start, [1]),
        archive(flat, 1, start + 60_000, [1]),
        archive(flat, 1, start, [1], register_end=-(2**62)),
        archive(flat, 1, 2**62, [1]),
        archive(flat, 1, -(2**62), [1]),
        archive(flat, 1, start, [1], missing=[2**31 - 1]),
    ]
    entries = [registers(flat, 1, start, [2**31 - 1], [1]), registers(flat, 1, start, [0, 1], [2**63 - 1, 0])]
    town.play([house.good(0, 1), house.good(1, 2), house.packet(3, start + DAY_MS, absurd, entries)])
    town.settle()
    found = town.open_findings(house)
    assert {"vee.absurd_value", "vee.future_time", "vee.stale_time"} <= {rule for rule, _ in found}
    assert all(message for _, message in found)
    assert len(town.letters()) == before


def test_a_packet_from_the_future_and_a_clock_set_back(town: Town) -> None:
    house = town.add_house("clocks")
    future = archive(house.modules()[1], 1, DAY_1 + 900 * DAY_MS, [5] * 24)
    set_back = house.good(2, 7) | {"received_at": DAY_1 - 30 * DAY_MS, "sent_at": DAY_1 - 31 * DAY_MS}
    late = house.good(3, 8) | {"sent_at": DAY_1 - 900 * DAY_MS}
    ahead = house.packet(2, DAY_1 + DAY_MS, [future])
    town.play([house.good(0, 1), ahead, house.good(1, 3), set_back, late])
    town.settle()
    assert "vee.future_time" in {rule for rule, _ in town.open_findings(house)}


def test_registers_that_fall_are_quarantined_with_their_reason(town: Town) -> None:
    house = town.add_house("falls")
    supply, first, second = house.modules()
    offsets = [hour * 3600 for hour in range(25)]
    falling = [1000 + hour - (900 if hour >= 12 else 0) for hour in range(25)]
    down = [archive(second, 1, DAY_1, [1] * 24, register_start=500, register_end=90)]
    counted = [archive(supply, 1, DAY_1, [60] * 24)]
    entry = [registers(first, 1, DAY_1, offsets, falling)]
    town.play([house.packet(1, DAY_1 + DAY_MS, [*counted, *down], entry)])
    town.settle()
    fallen = [message for rule, message in town.open_findings(house) if rule == "vee.negative_consumption"]
    assert len(fallen) == 2
    assert all(fallen)


@pytest.mark.parametrize("part", [Database, Broker])
def test_database_or_broker_away_is_waited_for(town: Town, part: type[Database] | type[Broker]) -> None:
    house = town.add_house(f"away-{part.__name__}")
    before = len(town.letters())
    packets = [house.good(n, n + 1) for n in range(20)]
    town.play(packets[:10])
    faults.away(part(town.root), AWAY_S)
    town.play(packets[10:])
    town.settle()
    assert len(town.letters()) == before
