"""The edge between a real Mosquitto and a real Kafka: receipts, refusals, counters, shares, credentials."""

from __future__ import annotations

import asyncio
import datetime
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from balance_chaos.concentrator import Concentrator
from balance_chaos.edge_place import DAY_MS, Place, connected, edge_place
from balance_chaos.service_process import ServiceProcess, wait_until
from balance_chassis.settings import Reader
from balance_chassis.testing import MqttBroker, NewInstallation
from balance_ingest.adapters import devices, mqtt
from balance_ingest.settings import read_mqtt
from balance_local.mosquitto import Certificate, Mosquitto
from balance_schemas import catalogue
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.stack

PACKET = "balance.v1.ConcentratorPacketReceived"


@pytest.fixture(scope="module")
def place(
    new_installation: NewInstallation, mosquitto: MqttBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with edge_place(new_installation(zone="UTC"), mosquitto, tmp_path_factory.mktemp("logs")) as made:
        yield made


@pytest.fixture(scope="module")
def edge(place: Place) -> Iterator[ServiceProcess]:
    with place.edge("edge") as process:
        connected(process)
        yield process


@pytest.mark.usefixtures("edge")
def test_the_same_packet_again_has_the_same_receipt(place: Place) -> None:
    with place.concentrator("R-1") as device:
        packet = place.packet("R-1", 5)
        device.keep(packet)
        device.wait(lambda: not device.kept)
        device.keep(packet | {"sent_at": packet["sent_at"] + 60_000, "session": {"power": "MAINS"}})
        device.wait(lambda: len(device.receipts) == 2)
        assert device.receipts[0] == device.receipts[1]
        assert device.receipts[0] == {"packet_id": "R-1/5", "outcome": "STORED", "sequence": 5}
    assert [one["sequence"] for one in place.on_kafka("R-1")] == [5, 5]
    place.assert_stored_once("R-1", 5)


@pytest.mark.usefixtures("edge")
def test_an_old_packet_in_avro_goes_by_the_backlog(place: Place) -> None:
    packet = place.packet("R-2", 1)
    packet["archives"][0]["start_at"] -= 7 * DAY_MS
    framed = place.codec.encode(PACKET, packet | {"received_at": 0})
    with place.concentrator("R-2") as device:
        device.send(packet["packet_id"], framed, devices.AVRO)
        device.wait(lambda: not device.kept)
    (found,) = place.on_kafka("R-2", catalogue.PACKETS_BACKLOG)
    assert not place.on_kafka("R-2")
    assert found["received_at"] > packet["sent_at"] - DAY_MS
    assert found["archives"][0]["values"] == packet["archives"][0]["values"]


@pytest.mark.usefixtures("edge")
def test_what_is_no_packet_is_refused_and_kept(place: Place) -> None:
    foreign = place.packet("R-9", 1)
    with place.concentrator("R-3") as device:
        device.send("garbage", b"\x00\xff")
        device.keep(foreign)
        device.wait(lambda: len(device.refusals) == 2, again=False)
        first, second = device.refusals
    assert first[0] == b"garbage"
    assert first[1]["packet_id"] is None
    assert "expected JSON" in first[1]["reason"]
    assert second[1]["packet_id"] == "R-9/1"
    assert "expected concentrator_id R-3 as in the topic, found 'R-9'" in second[1]["reason"]
    kept = place.on_kafka("R-3", catalogue.REFUSED_PACKETS)
    assert [one["payload"] for one in kept] == [b"\x00\xff", json.dumps(foreign).encode()]
    assert [one["reason"] for one in kept] == [first[1]["reason"], second[1]["reason"]]
    assert [one["told"] for one in kept] == [True, True]
    assert not place.on_kafka("R-3")


def test_sequences_stay_what_they_were_when_the_edge_starts_again(place: Place, edge: ServiceProcess) -> None:
    def delivered(device: Concentrator, number: int, day: int) -> int:
        packet = place.packet("R-4", number) | {"packet_id": f"R-4/{number}/{day}"}
        packet["archives"][0]["start_at"] -= day * DAY_MS
        before = len(device.receipts)
        device.keep(packet)
        device.wait(lambda: not device.kept)
        heard = {one["packet_id"]: one["sequence"] for one in device.receipts[before:]}
        return int(heard[packet["packet_id"]])

    begun_anew = 1 << 32
    said = [(9000, 3), (9001, 2), (3, 1), (8999, 4), (4, 0)]
    expected = [9000, 9001, begun_anew + 3, 8999, begun_anew + 4]
    with place.concentrator("R-4") as device:
        assert [delivered(device, *one) for one in said] == expected
        edge.kill()
        edge.start()
        assert [delivered(device, *one) for one in reversed(said)] == expected[::-1]
        assert delivered(device, 5, 5) == begun_anew + 5


def test_edges_of_one_group_share_the_packets(place: Place, tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    broker.wait()
    shared = replace(place, mosquitto=broker)

    def member(name: str) -> ServiceProcess:
        chosen = {"BALANCE_INGEST_MQTT_CLIENT_ID": name, "BALANCE_INGEST_MQTT_SHARE_GROUP": "edges"}
        return shared.edge(name, variables=chosen)

    try:
        with member("one") as one, member("two") as two, shared.concentrator("R-5") as device:
            connected(one)
            connected(two)
            for number in range(6):
                device.keep(place.packet("R-5", number))
            device.wait(lambda: not device.kept, again=False)
        assert sorted(packet["sequence"] for packet in place.on_kafka("R-5")) == list(range(6))
    finally:
        broker.stop()


def test_no_more_is_delivered_than_may_be_in_hand(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    password = broker.admit("R-6")
    broker.wait()
    settings = read_mqtt(Reader(broker.environment()))
    assert settings

    async def arrivals() -> tuple[list[bytes], list[bytes]]:
        connection = await mqtt.connected(replace(settings, receive_maximum=2), devices.PACKETS_FILTER)
        topic = "balance/v1/concentrators/R-6/packets"
        try:
            with Concentrator("R-6", broker.port, password) as device:
                for number in range(4):
                    device.publish(topic, b"%d" % number)
                await asyncio.to_thread(device.wait, lambda: device.confirmed == 4)
                device.client.publish(topic, b"unbounded", qos=0)
                found: list[devices.Publication] = []
                while len(found) < 3:
                    found += await connection.arrived(9)
                connection.acknowledge(found)
                more: list[devices.Publication] = []
                while len(more) < 2:
                    more += await connection.arrived(9)
                return [one.payload for one in found], [one.payload for one in more]
        finally:
            await connection.close()

    try:
        assert asyncio.run(arrivals()) == ([b"0", b"1", b"unbounded"], [b"2", b"3"])
    finally:
        broker.stop()


def test_a_concentrator_with_the_credentials_of_another_is_refused(place: Place, tmp_path: Path) -> None:
    certificate = authority_and_certificate(tmp_path)
    broker = Mosquitto(tmp_path, certificate)
    broker.start()
    broker.wait()
    passwords = {name: broker.admit(name) for name in ("S-1", "S-2")}

    def device(name: str, password: str) -> Concentrator:
        return Concentrator(name, broker.port, password, certificate.authority)

    try:
        with (
            replace(place, mosquitto=broker).edge("tls") as edge,
            device("S-1", passwords["S-1"]) as first,
            device("S-2", passwords["S-2"]) as second,
        ):
            connected(edge)
            with device("S-1", passwords["S-2"]) as impostor:
                impostor.wait(lambda: impostor.connections)
                assert set(impostor.connections) == {"Not authorized"}
            second.client.subscribe("balance/v1/concentrators/S-1/receipts", qos=1)
            second.publish("balance/v1/concentrators/S-1/packets", b"forged")
            second.wait(lambda: second.denied)
            first.keep(place.packet("S-1", 1))
            first.wait(lambda: not first.kept)
            second.keep(place.packet("S-2", 1))
            second.wait(lambda: not second.kept)
            assert [receipt["packet_id"] for receipt in second.receipts] == ["S-2/1"]
            assert second.denied == ["Not authorized"]
        assert not place.on_kafka("S-1", catalogue.REFUSED_PACKETS)
    finally:
        broker.stop()


def test_an_edge_that_is_not_let_in_waits_and_says_why(place: Place, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("wrong")
    with place.edge("outside", variables={"BALANCE_INGEST_MQTT_PASSWORD_FILE": str(wrong)}) as edge:
        said = "look at BALANCE_INGEST_MQTT_USERNAME"
        wait_until(lambda: any(said in line for line in edge.lines()), "the edge says why it waits")


def test_an_edge_without_a_broker_ends_at_once(place: Place) -> None:
    with place.edge("nowhere", variables={"BALANCE_INGEST_MQTT_URL": ""}) as edge:
        assert edge.code() == 78
        assert any("BALANCE_INGEST_MQTT_URL is not set" in line for line in edge.lines())


def authority_and_certificate(folder: Path) -> Certificate:
    """A test authority and a certificate for localhost, signed by it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)

    def signed(subject: x509.Name, public: Any, extension: x509.ExtensionType) -> bytes:
        built = (
            x509.CertificateBuilder(authority_name, subject, public, x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(hours=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        return built.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    found = Certificate(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    authority = x509.BasicConstraints(ca=True, path_length=0)
    found.authority.write_bytes(signed(authority_name, authority_key.public_key(), authority))
    local = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    found.certificate.write_bytes(signed(name, key.public_key(), local))
    found.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return found
