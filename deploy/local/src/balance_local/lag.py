"""What consumer groups have still to read, and how many dead letters lie there."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from balance_chassis.kafka import client_options, topic_name
from balance_chassis.settings import KafkaSettings
from balance_schemas import catalogue
from balance_schemas.catalogue import Topic

from balance_local.topics import admin_client

_Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True)
class GroupLag:
    """Records a group has still to read of its topic, and dead letters it wrote that are kept."""

    group: str
    topic: str
    records: int
    dead_letters: int


def of_groups(kafka: KafkaSettings) -> list[GroupLag]:
    """Every group of the catalogue; 0 where its topics are missing."""
    return asyncio.run(_of_groups(kafka))


async def _of_groups(kafka: KafkaSettings) -> list[GroupLag]:
    consumer = AIOKafkaConsumer(**client_options(kafka))
    await consumer.start()
    try:
        async with admin_client(kafka) as admin:
            there = set(await admin.list_topics())
            reader = _Reader(kafka, consumer, admin, there)
            return [
                GroupLag(group, topic.name, await reader.lag(group, topic), await reader.dead_letters(group))
                for group, topic in sorted(catalogue.groups().items())
            ]
    finally:
        await consumer.stop()


@dataclass(frozen=True)
class _Reader:
    kafka: KafkaSettings
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    there: Set[str]

    async def lag(self, group: str, topic: Topic) -> int:
        partitions = self._partitions(topic.name, topic.partitions)
        committed = await self.admin.list_consumer_group_offsets(topic_name(self.kafka, group))
        first, end = await self._span(partitions)
        read = {p: committed[p].offset if p in committed else first[p] for p in partitions}
        return sum(max(0, end[p] - max(read[p], first[p])) for p in partitions)

    async def dead_letters(self, group: str) -> int:
        first, end = await self._span(self._partitions(catalogue.dead_letters(group), 1))
        return sum(end.values()) - sum(first.values())

    async def _span(self, partitions: Sequence[TopicPartition]) -> tuple[_Offsets, _Offsets]:
        return await self.consumer.beginning_offsets(partitions), await self.consumer.end_offsets(partitions)

    def _partitions(self, topic: str, count: int) -> Sequence[TopicPartition]:
        name = topic_name(self.kafka, topic)
        return [TopicPartition(name, number) for number in range(count)] if name in self.there else []
