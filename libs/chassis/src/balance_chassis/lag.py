"""How far a consumer group is behind, asked by clients made for the question."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from balance_chassis.kafka import client_options
from balance_chassis.settings import KafkaSettings


@dataclass(frozen=True)
class PartitionLag:
    """Offsets of one partition: the first kept, the one the group reads next, and the end."""

    start: int
    committed: int
    end: int

    @property
    def records(self) -> int:
        """Records kept that the group has not committed."""
        return max(self.end - max(self.committed, self.start), 0)


async def group_lag(
    kafka: KafkaSettings, group: str, topics: Iterable[str]
) -> dict[TopicPartition, PartitionLag]:
    """Lag of a group on all partitions of some topics; full names. A topic that is missing has none.

    Where the group never committed, it has all there is to read. Raises aiokafka's errors.
    """
    async with _admin(kafka) as admin:
        described = await admin.describe_topics(list(topics))
        committed = await admin.list_consumer_group_offsets(group) if group else {}
    partitions = [
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    ]
    consumer = AIOKafkaConsumer(**client_options(kafka))
    await consumer.start()
    try:
        starts = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    return {
        at: PartitionLag(starts[at], committed[at].offset if at in committed else 0, ends[at])
        for at in partitions
    }


async def expect_answer(kafka: KafkaSettings) -> None:
    """Return when the broker has answered. Raises aiokafka's errors if it does not."""
    async with _admin(kafka) as admin:
        await admin.describe_cluster()


@asynccontextmanager
async def _admin(kafka: KafkaSettings) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(**client_options(kafka))
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()
