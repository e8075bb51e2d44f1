"""The order of things at the edge: Kafka first, then the receipt, then the acknowledgement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from balance_chassis.errors import Fatal
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.settings import KafkaSettings
from balance_ingest.adapters import devices
from balance_ingest.adapters.devices import Publication
from balance_ingest.adapters.mqtt import Answer
from balance_ingest.entrypoints.mqtt import Edge
from balance_ingest.metrics import IngestMetrics
from balance_ingest.ports import Counted
from balance_schemas import avsc, catalogue
from balance_schemas.codec import Codec

CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)


def publication(number: int, payload: bytes | None = None) -> Publication:
    packet = {"packet_id": f"p{number}", "sequence": number, "sent_at": 0}
    return Publication(
        "balance/v1/concentrators/J-1/packets",
        json.dumps(packet).encode() if payload is None else payload,
        1_650_762_360_000,
        correlation=b"%d" % number,
        number=number,
    )


@dataclass
class Happened:
    """Broker of messages, Kafka and numbering in one, that note what happens; after the batches the edge is
    stopped.
    """

    batches: list[list[Publication]]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    events: list[str] = field(default_factory=list)
    kafka_away: int = 0
    lost_at: int = -1
    answers: list[dict[str, Any]] = field(default_factory=list)
    waited_for: list[str] = field(default_factory=list)
    edge: Edge | None = None

    async def connect(self) -> Any:
        self.events.append("connect")
        return self

    async def arrived(self, most: int) -> Sequence[Publication]:
        if not self.batches:
            self.stop.set()
            await asyncio.Event().wait()
        return self.batches.pop(0)[:most]

    async def publish(self, answers: Sequence[Answer]) -> int:
        if self.lost_at == len(self.events):
            raise ConnectionError("lost")
        for answer in answers:
            self.answers.append(json.loads(answer.payload))
            self.events.append(f"receipt {(answer.correlation or b'').decode()}")
        return 0

    def acknowledge(self, publications: Sequence[Publication]) -> None:
        self.events += [f"ack {one.number}" for one in publications]

    async def close(self) -> None:
        self.events.append("close")

    async def start(self) -> None:
        self.events.append("start")

    async def send(self, topic: str, key: bytes, value: bytes) -> Any:
        if self.edge and self.edge.progress.waiting_for:
            self.waited_for.append(self.edge.progress.waiting_for)
        if self.kafka_away:
            self.kafka_away -= 1
            raise KafkaConnectionError
        assert key == b"J-1"
        record = CODEC.decode(value)[1]
        self.events.append(f"sent {topic} {record.get('sequence', '')}".strip())
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(self._acknowledged, acknowledged)
        return acknowledged

    def _acknowledged(self, future: asyncio.Future[None]) -> None:
        self.events.append("kafka has it")
        future.set_result(None)

    async def stop_(self) -> None:
        """Of the producer."""

    def number(self, packets: Sequence[Counted]) -> tuple[Sequence[int], int]:
        return [packet.counter for packet in packets], 0

    def run(self) -> list[str]:
        async def run() -> None:
            self.stop = asyncio.Event()
            self.edge = Edge(
                self.connect,
                self,
                CODEC,
                _Producer(self),
                kafka=KafkaSettings("nowhere:1"),
                metrics=IngestMetrics(metrics.registry),
                chassis_metrics=metrics,
            )
            await asyncio.wait_for(self.edge.run(self.stop), 30)

        metrics = ChassisMetrics("ingest")
        asyncio.run(run())
        return self.events


class _Producer:
    """What the edge takes for aiokafka's."""

    def __init__(self, happened: Happened) -> None:
        self.start, self.send, self.stop = happened.start, happened.send, happened.stop_


def test_kafka_then_receipt_then_acknowledgement() -> None:
    happened = Happened([[publication(1), publication(2, b"{")]])
    assert happened.run() == [
        "start",
        "connect",
        f"sent {catalogue.PACKETS} 1",
        f"sent {catalogue.REFUSED_PACKETS}",
        "kafka has it",
        "kafka has it",
        "receipt 1",
        "receipt 2",
        "ack 1",
        "ack 2",
        "close",
    ]
    assert [answer["outcome"] for answer in happened.answers] == ["STORED", "REFUSED"]


def test_while_kafka_is_away_nothing_is_acknowledged_and_the_edge_says_so() -> None:
    happened = Happened([[publication(1)]], kafka_away=2)
    assert happened.run()[2:] == [
        f"sent {catalogue.PACKETS} 1",
        "kafka has it",
        "receipt 1",
        "ack 1",
        "close",
    ]
    assert len(happened.waited_for) == 2
    assert "KafkaConnectionError" in happened.waited_for[0]


def test_what_was_in_hand_when_the_connection_was_lost_is_not_acknowledged() -> None:
    happened = Happened([[publication(1)], [publication(1)]], lost_at=4)
    sent = [f"sent {catalogue.PACKETS} 1", "kafka has it"]
    once = ["start", "connect", *sent, "close"]
    assert happened.run() == [*once, "connect", *sent, "receipt 1", "ack 1", "close"]


def test_a_message_we_fail_on_is_kept_and_its_device_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    read = devices.read_delivery

    def failing(codec: Codec, one: Publication, most: int) -> devices.Delivery:
        if one.number == 1:
            raise ZeroDivisionError("a bug")
        return read(codec, one, most)

    monkeypatch.setattr(devices, "read_delivery", failing)
    happened = Happened([[publication(1), publication(2)]])
    assert happened.run()[-4:] == ["receipt 2", "ack 1", "ack 2", "close"]
    assert f"sent {catalogue.REFUSED_PACKETS}" in happened.events


def test_too_many_failures_end_the_edge_with_nothing_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> devices.Delivery:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(devices, "read_delivery", failing)
    happened = Happened([[publication(number) for number in range(21)]])
    with pytest.raises(Fatal, match="21 unforeseen errors"):
        happened.run()
    assert happened.events == ["start", "connect", "close"]


def test_a_packet_that_grows_beyond_what_a_topic_takes_is_refused() -> None:
    values = ",".join(["1e15"] * 150_000)  # five bytes each, and eight as Avro
    packet = f"""{{"packet_id":"p1","sequence":1,"sent_at":0,"archives":[{{"module_id":"D","channel":1,
        "kind":"ARCHIVED","start_at":0,"step_s":3600,"values":[{values}]}}]}}"""
    assert len(packet) < KafkaSettings("nowhere:1").max_record_bytes
    happened = Happened([[publication(1, packet.encode())]])
    happened.run()
    assert happened.answers[0]["outcome"] == "REFUSED"
    assert "split it" in happened.answers[0]["reason"]
