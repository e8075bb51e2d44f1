"""A packet through Mosquitto, the power cut on its way: once in the tables, and the receipt in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from balance_chaos.edge_place import Place, connected, edge_place
from balance_chaos.service_process import wait_until
from balance_chassis.testing import MqttBroker, NewInstallation

pytestmark = pytest.mark.stack

KILLED_EDGE = Path(__file__).parent / "killed_edge.py"


@pytest.fixture(scope="module")
def place(
    new_installation: NewInstallation, mosquitto: MqttBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with edge_place(new_installation(zone="UTC"), mosquitto, tmp_path_factory.mktemp("logs")) as made:
        yield made


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
