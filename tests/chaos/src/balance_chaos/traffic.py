"""Messages of the contract and bytes of any kind onto the topics of an installation."""

from __future__ import annotations

import asyncio
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


@dataclass(frozen=True)
class Outgoing:
    """Bytes for a topic of the catalogue."""

    topic: str
    key: bytes
    value: bytes | None


def encoded(message: Mapping[str, Any], codec: Codec, random: Random) -> Outgoing:
    """A packet, usage point or balance group as its owner publishes it; packets take a lane by chance."""
    if "packet_id" in message:
        lane = random.choice((catalogue.PACKETS, catalogue.PACKETS, catalogue.PACKETS_BACKLOG))
        return Outgoing(lane, message["concentrator_id"].encode(), codec.encode(PACKET, message))
    if "usage_point_id" in message:
        key = f"usage-point/{message['usage_point_id']}"
        return Outgoing(catalogue.ASSETS, key.encode(), codec.encode(USAGE_POINT, message))
    key = f"balance-group/{message['group_id']}"
    return Outgoing(catalogue.ASSETS, key.encode(), codec.encode(GROUP, message))


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
