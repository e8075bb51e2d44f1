"""What consumer groups have still to read, and how many dead letters lie there."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from balance_chassis.kafka import client_options, topic_name
from balance_chassis.settings import KafkaSettings
from balance_schemas import catalogue

from balance_local.topics import admin_client


@dataclass(frozen=True)
class GroupLag:
    """Records a group has still to read of its topic, and dead letters it wrote that are kept."""

    group: str
    topic: str
    records: int
    dead_letters: int


def of_groups(kafka: KafkaSettings) -> list[GroupLag]:
    """Every group of the catalogue; none where topics are missing."""
    return asyncio.run(_of_groups(kafka))


async def _of_groups(kafka: KafkaSettings) -> list[GroupLag]:
    consumer = AIOKafkaConsumer(**client_options(kafka))
    await consumer.start()
    try:
        async with admin_client(kafka) as admin:
            return [
                GroupLag(
                    group,
                    topic.name,
                    await _lag(kafka, consumer, admin, group),
                    await _dead_letters(kafka, consumer, group),
                )
                for group, topic in sorted(catalogue.groups().items())
            ]
    finally:
        await consumer.stop()


async def _lag(
    kafka: KafkaSettings, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient, group: str
) -> int:
    partitions = _partitions(consumer, topic_name(kafka, catalogue.groups()[group].name))
    committed = await admin.list_consumer_group_offsets(topic_name(kafka, group))
    first, end = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    read = {p: committed[p].offset if p in committed else first[p] for p in partitions}
    return sum(max(0, end[p] - max(read[p], first[p])) for p in partitions)


async def _dead_letters(kafka: KafkaSettings, consumer: AIOKafkaConsumer, group: str) -> int:
    partitions = _partitions(consumer, topic_name(kafka, catalogue.dead_letters(group)))
    return _total(await consumer.end_offsets(partitions)) - _total(
        await consumer.beginning_offsets(partitions)
    )


def _partitions(consumer: AIOKafkaConsumer, topic: str) -> Sequence[TopicPartition]:
    return [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]


def _total(offsets: Mapping[TopicPartition, int]) -> int:
    return sum(offsets.values())
