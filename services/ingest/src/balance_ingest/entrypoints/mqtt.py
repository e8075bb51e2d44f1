"""The edge for devices that speak MQTT 5: packets to Kafka, receipts back (docs/how-tos/mqtt.md).

A device keeps a packet until it has our receipt. That is sent after Kafka has the packet on all its
replicas, and only then is the message acknowledged to the MQTT broker: killed anywhere, the same packet comes
again, gets the same sequence, and joins as the same evidence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from balance_chassis.errors import BadRecord, FailureLimit, Fatal
from balance_chassis.kafka import stop_client, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, pause, unless_stopped
from balance_chassis.settings import KafkaSettings
from balance_chassis.threads import OneThread
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_ingest.adapters import devices, wire
from balance_ingest.adapters.devices import Delivery, Publication
from balance_ingest.adapters.mqtt import Answer, Connection
from balance_ingest.metrics import IngestMetrics
from balance_ingest.ports import Counted, Numbering

_MOST_AT_ONCE = 200
_GRACE_S = 10.0
_AFTER_LOSS_S = 1.0
_REFUSED_FIELDS_BYTES = 64 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that never becomes a packet. The device is not `told` when it is we who failed."""

    publication: Publication
    reason: str
    told: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is sent because of one message: a record, and the answer to the device once Kafka has it."""

    topic: str
    key: bytes
    value: bytes
    answer: Answer | None


class Edge:
    """Takes messages of one MQTT broker until stopped. The producer is not started yet, and is stopped
    here.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        numbering: Numbering,
        codec: Codec,
        producer: AIOKafkaProducer,
        *,
        kafka: KafkaSettings,
        metrics: IngestMetrics,
        chassis_metrics: ChassisMetrics,
    ) -> None:
        """`connect` gives a connection that is subscribed."""
        self.name = "edge mqtt"
        self.progress = Progress(self.name)
        self._connect = connect
        self._numbering = numbering
        self._codec = codec
        self._producer = producer
        self._kafka = kafka
        self._metrics = metrics
        self._chassis_metrics = chassis_metrics
        self._failures = FailureLimit()
        limit = catalogue.load().topics[catalogue.PACKETS].max_message_bytes
        # A sink gives up what is larger than it takes, however much the topic holds.
        self._most_bytes = min(limit, kafka.max_record_bytes)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; what is in hand then is finished, or comes again. Raises Fatal after too many
        unforeseen errors.
        """
        self._thread = OneThread(self.name)
        try:
            await unless_stopped(self._patiently(self._producer.start, stop), stop)
            while not stop.is_set():
                await self._connected(stop)
        except Stopped:
            _log.info("%s stopped; what has no receipt comes again", self.name)
        finally:
            self.progress.ready = False
            await stop_client(self._producer)
            self._thread.close()

    async def _connected(self, stop: asyncio.Event) -> None:
        """One connection, until it is lost."""
        connection = await unless_stopped(self._patiently(self._connect, stop), stop)
        self.progress.ready = True
        self._metrics.edge_connected.set(1)
        _log.info("%s connected", self.name)
        try:
            while True:
                arrived = await unless_stopped(connection.arrived(_MOST_AT_ONCE), stop)
                await unless_stopped(self._serve(connection, arrived, stop), stop, _GRACE_S)
        except (Fatal, Stopped):
            raise
        except ConnectionError as error:
            _log.warning("%s lost its connection, what is not acknowledged comes again: %s", self.name, error)
        except Exception:
            _log.exception("%s: an unforeseen error; what is not acknowledged comes again", self.name)
            self._chassis_metrics.errors.labels(self.name).inc()
            self._failures.admit()
        finally:
            self.progress.busy = self.progress.ready = False
            self._metrics.edge_connected.set(0)
            await connection.close()
        await pause(stop, _AFTER_LOSS_S)

    async def _serve(
        self, connection: Connection, arrived: Sequence[Publication], stop: asyncio.Event
    ) -> None:
        self.progress.busy = True
        self._metrics.edge_in_hand.set(len(arrived))
        outcomes = await self._patiently(lambda: self._thread(lambda: self._outcomes(arrived)), stop)
        await self._patiently(lambda: self._send(outcomes), stop)
        answers = [outcome.answer for outcome in outcomes if outcome.answer]
        unsent = await connection.publish(answers)
        connection.acknowledge(arrived)
        self._count(arrived, outcomes, unsent)
        self.progress.done += len(arrived)
        self.progress.busy = False

    def _outcomes(self, arrived: Sequence[Publication]) -> Sequence[Outcome]:
        """What becomes of each message. In the thread; may be repeated."""
        read = [self._read(publication) for publication in arrived]
        deliveries = [one for one in read if isinstance(one, Delivery)]
        counted = [Counted(d.concentrator_id, d.packet_id, d.fingerprint, d.counter) for d in deliveries]
        sequences, restarts = self._numbering.number(counted) if counted else ((), 0)
        self._metrics.edge_counter_restarts.inc(restarts)
        numbers = iter(sequences)
        return [
            self._refused(one) if isinstance(one, Refused) else self._stored(publication, one, next(numbers))
            for publication, one in zip(arrived, read, strict=True)
        ]

    def _read(self, publication: Publication) -> Delivery | Refused:
        try:
            return devices.read_delivery(self._codec, publication, self._most_bytes)
        except BadRecord as error:
            return Refused(publication, error.reason)
        except Exception as error:
            _log.exception("%s: a message on %s cannot be read", self.name, publication.topic)
            self._chassis_metrics.errors.labels(self.name).inc()
            self._failures.admit()
            return Refused(publication, f"{type(error).__name__}: {error}", told=False)

    def _stored(self, publication: Publication, delivery: Delivery, sequence: int) -> Outcome:
        value = self._codec.encode(wire.PACKET, {**delivery.packet, "sequence": sequence})
        if len(value) > self._most_bytes:
            return self._refused(Refused(publication, devices.too_large(len(value), self._most_bytes).reason))
        receipt = devices.receipt(delivery.packet_id, sequence)
        return Outcome(delivery.lane, delivery.concentrator_id.encode(), value, _answer(publication, receipt))

    def _refused(self, refused: Refused) -> Outcome:
        publication = refused.publication
        packet_id = devices.packet_id_of(self._codec, publication)
        _log.error("refused: %s", refused.reason, extra={"topic": publication.topic, "packet": packet_id})
        limit = catalogue.load().topics[catalogue.REFUSED_PACKETS].max_message_bytes
        record = devices.to_wire_refused(
            publication, packet_id, refused.reason, refused.told, limit - _REFUSED_FIELDS_BYTES
        )
        answer = _answer(publication, devices.refusal(packet_id, refused.reason)) if refused.told else None
        value = self._codec.encode(devices.REFUSED, record)
        return Outcome(catalogue.REFUSED_PACKETS, record["concentrator_id"].encode(), value, answer)

    async def _send(self, outcomes: Sequence[Outcome]) -> None:
        """Return when Kafka has acknowledged every record."""
        acknowledged = [
            await self._producer.send(topic_name(self._kafka, one.topic), key=one.key, value=one.value)
            for one in outcomes
        ]
        await asyncio.gather(*acknowledged)

    def _count(self, arrived: Sequence[Publication], outcomes: Sequence[Outcome], unsent: int) -> None:
        for outcome in outcomes:
            self._metrics.edge_packets.labels(outcome.topic).inc()
        self._metrics.edge_in_hand.set(0)
        self._metrics.edge_receipts_failed.inc(unsent)
        if unsent:
            _log.warning("%d of %d receipts were refused by the MQTT broker", unsent, len(arrived))

    async def _patiently(self, attempt: Callable[[], Any], stop: asyncio.Event) -> Any:
        return await patiently(attempt, progress=self.progress, stop=stop, metrics=self._chassis_metrics)


def _answer(publication: Publication, payload: bytes) -> Answer:
    return Answer(devices.receipts_topic(publication.concentrator_id), payload, publication.correlation)
