"""A packet through Mosquitto, the power cut on its way: once in the tables, and the receipt in the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from balance_chaos.concentrator import Concentrator
from balance_chaos.service_process import ServiceProcess, wait_until
from balance_chaos.traffic import read_from_beginning
from balance_chassis.testing import Installation, MqttBroker
from balance_local import lag
from balance_schemas import catalogue
from balance_schemas.codec import Codec, load_ids

pytestmark = pytest.mark.stack

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
VALUES = list(range(1, 25))
KILLED_EDGE = Path(__file__).parent / "killed_edge.py"


def yesterday_ms() -> int:
    """Start of yesterday, in the days of UTC."""
    return time.time_ns() // 1_000_000 // DAY_MS * DAY_MS - DAY_MS


def connected(edge: ServiceProcess) -> None:
    """Wait until Mosquitto knows of the edge: before that nothing is kept for it."""
    wait_until(lambda: any("edge mqtt connected" in line for line in edge.lines()), "the edge is connected")


@dataclass
class Place:
    """An installation of UTC with a live sink, a Mosquitto, and an edge that a test starts."""

    installation: Installation
    mosquitto: MqttBroker
    folder: Path

    def edge(self, name: str, command: Sequence[str | Path] = ()) -> ServiceProcess:
        return ServiceProcess(
            self.installation, self.folder / name, "edge", self.mosquitto.environment(), command
        )

    def concentrator(self, name: str) -> Concentrator:
        return Concentrator(name, self.mosquitto.port, self.mosquitto.admit(name))

    def packet(self, concentrator: str, number: int) -> dict[str, Any]:
        archive = {
            "module_id": f"M-{concentrator}",
            "channel": 1,
            "kind": "ARCHIVED",
            "start_at": yesterday_ms(),
            "step_s": 3600,
            "values": VALUES,
        }
        return {
            "packet_id": f"{concentrator}/{number}",
            "concentrator_id": concentrator,
            "sequence": number,
            "sent_at": time.time_ns() // 1_000_000,
            "archives": [archive],
        }

    def evidence(self, concentrator: str) -> list[tuple[Any, ...]]:
        query = """SELECT e."values", e.revision & ((1::bigint << 62) - 1), e.conflicts
            FROM ingest.evidence_days e JOIN ingest.channels USING (channel_id) WHERE module_id = %s"""
        with psycopg.connect(self.installation.dsn) as conn:
            return conn.execute(query, [f"M-{concentrator}"]).fetchall()

    def on_kafka(self, concentrator: str) -> list[dict[str, Any]]:
        ids = load_ids(self.installation.environment()["BALANCE_SCHEMA_IDS"])
        codec = Codec(ids, raw_timestamps=True)
        values = read_from_beginning(self.installation.settings().kafka, catalogue.PACKETS)
        found = [codec.decode(value)[1] for value in values]
        return [packet for packet in found if packet["concentrator_id"] == concentrator]

    @contextmanager
    def numbers_held(self) -> Iterator[Callable[[], bool]]:
        """Hold the edge where it numbers packets, before Kafka; gives a test of whether it waits there."""
        waiting = """SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
            WHERE relname = 'edge_counters' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        with (
            psycopg.connect(self.installation.dsn) as holder,
            psycopg.connect(self.installation.dsn, autocommit=True) as looker,
        ):
            holder.execute("LOCK TABLE ingest.edge_counters IN ACCESS EXCLUSIVE MODE")

            def waits() -> bool:
                row = looker.execute(waiting).fetchone()
                return bool(row and row[0])

            yield waits

    def assert_stored_once(self, concentrator: str, number: int) -> None:
        wait_until(lambda: self.evidence(concentrator), "the day is stored")
        wait_until(self._all_read, "the sink has read all there is")
        assert self.evidence(concentrator) == [(VALUES, number, None)]
        assert {packet["sequence"] for packet in self.on_kafka(concentrator)} == {number}

    def _all_read(self) -> bool:
        lags = lag.of_groups(self.installation.settings().kafka)
        return all(one.records == 0 for one in lags if one.topic == catalogue.PACKETS)


@pytest.fixture(scope="module")
def place(
    new_installation: Callable[..., Installation],
    mosquitto: MqttBroker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    installation = new_installation(zone="UTC")
    installation.migrate()
    folder = tmp_path_factory.mktemp("logs")
    with ServiceProcess(installation, folder / "live", "live"):
        yield Place(installation, mosquitto, folder)


def test_the_edge_dies_with_a_packet_in_hand_that_kafka_does_not_have(place: Place) -> None:
    with place.concentrator("J-1") as device, place.edge("hand") as edge:
        connected(edge)
        with place.numbers_held() as edge_waits:
            device.keep(place.packet("J-1", 7))
            device.wait(lambda: device.confirmed and edge_waits(), again=False)
            edge.kill()
            assert not place.on_kafka("J-1")
        assert list(device.kept) == ["J-1/7"]
        edge.start()
        # Nothing is published again: Mosquitto itself brings what was not acknowledged.
        device.wait(lambda: not device.kept, again=False)
        place.assert_stored_once("J-1", 7)


def test_the_edge_dies_between_the_acknowledgement_of_kafka_and_the_receipt(place: Place) -> None:
    with place.concentrator("J-2") as device:
        with place.edge("killed", [KILLED_EDGE]) as killed:
            connected(killed)
            device.keep(place.packet("J-2", 9))
            assert killed.code() == -9
        assert len(place.on_kafka("J-2")) == 1
        assert not device.receipts
        with place.edge("after"):
            device.wait(lambda: not device.kept, again=False)
        assert len(place.on_kafka("J-2")) == 2
        place.assert_stored_once("J-2", 9)


def test_mosquitto_dies_with_a_packet_at_the_edge(place: Place) -> None:
    with place.concentrator("J-3") as device, place.edge("broker") as edge:
        connected(edge)
        with place.numbers_held() as edge_waits:
            device.keep(place.packet("J-3", 11))
            device.wait(lambda: device.confirmed and edge_waits(), again=False)
            process = place.mosquitto.daemon.process()
            process.kill()
            process.wait(10)
        wait_until(lambda: place.on_kafka("J-3"), "Kafka has the packet")
        assert list(device.kept) == ["J-3/11"]
        place.mosquitto.start()
        place.mosquitto.wait()
        device.wait(lambda: not device.kept)
        place.assert_stored_once("J-3", 11)


def test_a_packet_waits_at_mosquitto_while_both_are_off(place: Place) -> None:
    with place.concentrator("J-4") as device:
        with place.edge("first"):
            device.keep(place.packet("J-4", 1))
            device.wait(lambda: not device.kept)
        confirmed = device.confirmed
        device.keep(place.packet("J-4", 2))
        device.wait(lambda: device.confirmed > confirmed, again=False)
        place.mosquitto.stop()
        place.mosquitto.start()
        place.mosquitto.wait()
        with place.edge("second"):
            device.wait(lambda: not device.kept, again=False)
        wait_until(lambda: [row[1] for row in place.evidence("J-4")] == [2], "the later one is stored")
        assert [receipt["sequence"] for receipt in device.receipts][-1] == 2
