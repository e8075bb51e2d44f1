"""Messages of the contract and bytes of any kind onto the topics of an installation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from balance_chassis.kafka import client_options, make_producer, topic_name
from balance_chassis.settings import KafkaSettings
from balance_schemas import catalogue
from balance_schemas.codec import Codec

PACKET = "balance.v1.ConcentratorPacketReceived"
USAGE_POINT = "balance.v1.UsagePointDescribed"
GROUP = "balance.v1.BalanceGroupDescribed"
MODULE = "balance.v1.ModuleDescribed"
WEATHER_DAY = "balance.v1.WeatherDayReported"
CONCENTRATOR = "balance.v1.ConcentratorDescribed"
READING_EDIT = "balance.v1.ReadingEditDecided"

_NAMED_BY = {
    "reported_at": (WEATHER_DAY, "weather-day"),
    "packet_id": (PACKET, "packet"),
    "edit_id": (READING_EDIT, "reading-edit"),
    "usage_point_id": (USAGE_POINT, "usage-point"),
    "group_id": (GROUP, "balance-group"),
    "module_id": (MODULE, "module"),
    "concentrator_id": (CONCENTRATOR, "concentrator"),
}
"""Record and kind of key by the field that names a message; of several fields the first."""


@dataclass(frozen=True)
class Outgoing:
    """Bytes for a topic of the catalogue."""

    topic: str
    key: bytes
    value: bytes | None


def record_of(message: Mapping[str, Any]) -> str:
    """Name of the record a message of the contract is."""
    return next(record for field, (record, _) in _NAMED_BY.items() if field in message)


def encoded(message: Mapping[str, Any], codec: Codec, random: Random) -> Outgoing:
    """A packet, asset or decision as its owner publishes it; packets take a lane by chance."""
    field, (record, kind) = next(item for item in _NAMED_BY.items() if item[0] in message)
    value = codec.encode(record, message)
    if record == PACKET:
        lane = random.choice((catalogue.PACKETS, catalogue.PACKETS, catalogue.PACKETS_BACKLOG))
        return Outgoing(lane, message["concentrator_id"].encode(), value)
    if record == WEATHER_DAY:
        source = json.dumps([message["object_path"], message["kind"], message["name"]])
        return Outgoing(catalogue.WEATHER, source.encode(), value)
    if record == READING_EDIT:
        return Outgoing(catalogue.READING_EDITS, message["edit_id"].encode(), value)
    return Outgoing(catalogue.ASSETS, f"{kind}/{message[field]}".encode(), value)


def send(kafka: KafkaSettings, messages: Sequence[Outgoing]) -> None:
    """Return when the broker has acknowledged every one. Raises aiokafka's errors."""
    asyncio.run(_send(kafka, messages))


async def _send(kafka: KafkaSettings, messages: Sequence[Outgoing]) -> None:
    producer = make_producer(kafka)
    await producer.start()
    try:
        sent = [await producer.send(topic_name(kafka, m.topic), key=m.key, value=m.value) for m in messages]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def read_from_beginning(kafka: KafkaSettings, topic: str) -> list[bytes]:
    """Every value that lies on a topic now, partition by partition."""
    return asyncio.run(_read(kafka, partitions_of(kafka, topic)))


def partitions_of(kafka: KafkaSettings, topic: str) -> list[TopicPartition]:
    """All partitions of a topic of the catalogue."""
    count = catalogue.load().topics[topic].partitions
    return [TopicPartition(topic_name(kafka, topic), number) for number in range(count)]


async def _read(kafka: KafkaSettings, partitions: Sequence[TopicPartition]) -> list[bytes]:
    consumer = AIOKafkaConsumer(**client_options(kafka), auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(partitions)
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        values: list[bytes] = []
        while [p for p in partitions if await consumer.position(p) < ends[p]]:
            batches = await consumer.getmany(timeout_ms=500)
            values += [record.value for records in batches.values() for record in records]
        return values
    finally:
        await consumer.stop()
