"""Bad input ends as finding, dead letter or patient retry; the services stay up and nothing else is lost.

`BALANCE_AWAY_SECONDS` (default 8) is how long database and broker go away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from balance_chaos import faults
from balance_chaos.settling import wait_until_equal
from balance_chaos.stage import codec_of, fresh_installation, own_stack, settings_of
from balance_chaos.traffic import PACKET, Outgoing, encoded, send
from balance_local import dead_letters
from balance_local.broker import Broker
from balance_local.database import Database
from balance_local.installation import Installation
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
from balance_oracle.fleets import Fleet, Place
from balance_oracle.worlds import World
from balance_schemas import catalogue

pytestmark = pytest.mark.stack

AWAY_S = float(os.environ.get("BALANCE_AWAY_SECONDS", "8"))
PATIENCE_S = 120 + 2 * AWAY_S

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NAMES = ("S", "A", "B")


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with own_stack() as folder:
        yield folder


@pytest.fixture
def made(root: Path) -> Iterator[Installation]:
    assert root.is_dir()
    with fresh_installation("bad_input", "UTC") as installation:
        yield installation


def fleet() -> Fleet:
    """A supply meter and two flats, a pulse of one base unit."""
    points = [usage_point(n, [meter(EVER, pulse_weight=1)], [fitting(n, 1, EVER)]) for n in NAMES]
    members = [membership(n, "SUPPLY" if n == "S" else "MEMBER", EVER) for n in NAMES]
    return Fleet(tuple(points), (balance_group("G-1", members),), ())


def good(day: int, sequence: int) -> dict[str, Any]:
    """One honest packet of a day of the whole house."""
    start = DAY_1 + day * DAY_MS
    counts = {"S": 60, "A": 35, "B": 24}
    archives = [archive(name, 1, start, [count] * 24) for name, count in counts.items()]
    return packet(sequence, start + DAY_MS, archives)


def world(*packets: dict[str, Any]) -> World:
    return World(Place("UTC", 0, (DAY_1 // 1000,)), fleet(), packets)


def play(made: Installation, one: World, *between: Outgoing) -> None:
    """All messages of a world with other bytes strewn in."""
    random, codec = Random(5), codec_of(made)
    traffic = [encoded(message, codec, random) for message in one.messages()] + list(between)
    random.shuffle(traffic)
    send(settings_of(made).kafka, traffic)


_OPEN_RULES = "SELECT DISTINCT rule FROM ingest.v_findings WHERE state = 'OPEN'"


def rules(made: Installation) -> set[str]:
    with psycopg.connect(made.dsn) as connection:
        return {row[0] for row in connection.execute(_OPEN_RULES)}


def bytes_of(made: Installation, message: dict[str, Any]) -> bytes:
    return codec_of(made).encode(PACKET, message)


def test_bytes_that_are_no_message_become_dead_letters_that_say_why(made: Installation) -> None:
    before = faults.pids(made)
    whole = bytes_of(made, good(0, 1))
    spoilt = {
        "truncated": whole[: len(whole) // 2],
        "garbage": bytes(Random(1).randbytes(300)),
        "magic": b"\x07" + whole[1:],
        "schema id": whole[:1] + (999_999).to_bytes(4, "big") + whole[5:],
        "empty": b"",
        "bad record": bytes_of(made, good(0, 1) | {"sequence": -4}),
        "no id": bytes_of(made, good(0, 1) | {"concentrator_id": ""}),
    }
    letters = [Outgoing(catalogue.PACKETS, name.encode(), value) for name, value in spoilt.items()]
    letters += [replace(letter, topic=catalogue.PACKETS_BACKLOG) for letter in letters]
    letters += [Outgoing(catalogue.ASSETS, b"usage-point/A", value) for value in list(spoilt.values())[:4]]
    play(made, (one := world(*(good(n, n + 1) for n in range(4)))), *letters)
    wait_until_equal(made, one.tables(), PATIENCE_S)
    found = dead_letters.listed(settings_of(made).kafka)
    of_packets = [letter for letter in found if letter.group.startswith("ingest-packets")]
    assert len(of_packets) == 2 * len(spoilt), [letter.reason for letter in of_packets]
    assert len([letter for letter in found if letter.group.endswith("-assets")]) == 2 * 4
    assert all(letter.kind == "bad_record" and letter.reason for letter in found)
    reasons = " ".join(letter.reason for letter in found)
    for words in ("magic byte", "schema id", "sequence", "concentrator"):
        assert words in reasons
    assert faults.pids(made) == before


def test_a_message_of_10_megabytes_is_set_aside_whole(made: Installation) -> None:
    before = faults.pids(made)
    values = [2**30] * 3000
    start = DAY_1 - 200 * DAY_MS
    huge = packet(9, DAY_1, [archive(f"R-{n}", 1, start, values) for n in range(720)])
    data = bytes_of(made, huge)
    assert len(data) > 10_000_000
    one = world(*(good(n, n + 1) for n in range(3)))
    play(made, one, Outgoing(catalogue.PACKETS_BACKLOG, b"J-9", data))
    wait_until_equal(made, one.tables(), PATIENCE_S)
    found = dead_letters.listed(settings_of(made).kafka)
    assert [letter.kind for letter in found] == ["oversize"]
    assert found[0].size_bytes >= len(data)
    assert faults.pids(made) == before


def test_valid_avro_with_absurd_numbers_is_a_finding(made: Installation) -> None:
    start = DAY_1 + DAY_MS
    absurd = [
        archive("A", 1, start, [2**40]),
        archive("A", 1, start, [1], step_s=7),
        archive("A", 99, start, [1]),
        archive("A", 1, start + 60_000, [1]),
        archive("A", 1, start, [1], register_end=-(2**62)),
        archive("A", 1, 2**62, [1]),
        archive("A", 1, -(2**62), [1]),
        archive("A", 1, start, [1], missing=[2**31 - 1]),
    ]
    entries = [registers("A", 1, start, [2**31 - 1], [1]), registers("A", 1, start, [0, 1], [2**63 - 1, 0])]
    one = world(good(0, 1), good(1, 2), packet(3, start + DAY_MS, absurd, entries))
    play(made, one)
    wait_until_equal(made, one.tables(), PATIENCE_S)
    assert {"vee.absurd_value", "vee.future_time", "vee.stale_time"} <= rules(made)
    assert not dead_letters.listed(settings_of(made).kafka)


def test_a_packet_from_the_future_and_a_clock_set_back(made: Installation) -> None:
    future = archive("A", 1, DAY_1 + 900 * DAY_MS, [5] * 24)
    set_back = good(2, 7) | {"received_at": DAY_1 - 30 * DAY_MS, "sent_at": DAY_1 - 31 * DAY_MS}
    late = good(3, 8) | {"sent_at": DAY_1 - 900 * DAY_MS}
    one = world(good(0, 1), packet(2, DAY_1 + DAY_MS, [future]), good(1, 3), set_back, late)
    play(made, one)
    wait_until_equal(made, one.tables(), PATIENCE_S)
    assert "vee.future_time" in rules(made)


def test_registers_that_fall_are_quarantined_with_their_reason(made: Installation) -> None:
    offsets = [hour * 3600 for hour in range(25)]
    levels = [1000 + hour for hour in range(25)]
    falling = levels[:12] + [level - 900 for level in levels[12:]]
    down = [archive("B", 1, DAY_1, [1] * 24, register_start=500, register_end=90)]
    supply = [archive("S", 1, DAY_1, [60] * 24)]
    one = world(packet(1, DAY_1 + DAY_MS, [*supply, *down], [registers("A", 1, DAY_1, offsets, falling)]))
    play(made, one)
    wait_until_equal(made, one.tables(), PATIENCE_S)
    with psycopg.connect(made.dsn) as connection:
        found = connection.execute(
            "SELECT usage_point_id, message FROM ingest.v_findings WHERE rule = 'vee.negative_consumption'"
        ).fetchall()
    assert {row[0] for row in found} == {"A", "B"}
    assert all(row[1] for row in found)


@pytest.mark.parametrize("part", [Database, Broker])
def test_database_or_broker_away_is_waited_for(
    made: Installation, root: Path, part: type[Database] | type[Broker]
) -> None:
    before = faults.pids(made)
    packets = [good(n, n + 1) for n in range(20)]
    one = world(*packets)
    codec, kafka, random = codec_of(made), settings_of(made).kafka, Random(3)
    traffic = [encoded(message, codec, random) for message in one.messages()]
    send(kafka, traffic[: len(traffic) // 2])
    faults.away(part(root), AWAY_S)
    send(kafka, traffic[len(traffic) // 2 :])
    wait_until_equal(made, one.tables(), PATIENCE_S)
    assert faults.pids(made) == before, "a service ended while it should have waited"
    assert not dead_letters.listed(kafka)
