"""Dead letters: what lies there and why, and the way back to the group that gave them up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from balance_chassis.dead_letters import about
from balance_chassis.kafka import make_consumer, make_producer, topic_name
from balance_chassis.settings import KafkaSettings
from balance_schemas import catalogue

_FETCH_S = 30.0


@dataclass(frozen=True)
class Letter:
    """A dead letter as its headers tell it. `returned`: it was replayed already."""

    group: str
    offset: int
    topic: str
    partition: str
    origin_offset: str
    kind: str
    reason: str
    at: datetime
    size_bytes: int
    returned: bool


class GroupError(ValueError):
    """There is no consumer group of that name, or none that may be replayed."""


def groups() -> Sequence[str]:
    """Consumer groups that have dead letters."""
    return sorted(group for group, topic in catalogue.groups().items() if topic.dead_letters)


def listed(kafka: KafkaSettings, group: str | None = None) -> list[Letter]:
    """All dead letters kept, of one group or of all, oldest first. Raises GroupError."""
    return asyncio.run(_listed(kafka, _named(group)))


def replay(kafka: KafkaSettings, group: str | None = None) -> dict[str, int]:
    """Return to each group the letters not yet returned, original bytes and headers; how many, by group.

    They go to the group's retry topic, which nobody else reads, so that no other consumer of the topic of
    origin sees them twice. One that fails again is a new dead letter. Raises GroupError.
    """
    return asyncio.run(_replay(kafka, _named(group)))


def _named(group: str | None) -> Sequence[str]:
    if group is not None and group not in groups():
        raise GroupError(f"expected a group of {', '.join(groups())}, found {group!r}")
    return groups() if group is None else [group]


async def _listed(kafka: KafkaSettings, wanted: Sequence[str]) -> list[Letter]:
    letters = []
    for group in wanted:
        async with _reading(kafka, group) as (consumer, partition):
            first = (await consumer.beginning_offsets([partition]))[partition]
            done = await consumer.committed(partition) or 0
            records = await _records(consumer, partition, first)
            letters += [_letter(group, record, returned=record.offset < done) for record in records]
    return letters


async def _replay(kafka: KafkaSettings, wanted: Sequence[str]) -> dict[str, int]:
    returned = {}
    producer = make_producer(kafka)
    await producer.start()
    try:
        for group in wanted:
            async with _reading(kafka, group) as (consumer, partition):
                first = (await consumer.beginning_offsets([partition]))[partition]
                records = await _records(
                    consumer, partition, max(await consumer.committed(partition) or 0, first)
                )
                retry = topic_name(kafka, catalogue.dead_letters_retry(group))
                for record in records:
                    await producer.send_and_wait(
                        retry, value=record.value, key=record.key, headers=list(record.headers)
                    )
                if records:
                    await consumer.commit({partition: records[-1].offset + 1})
                returned[group] = len(records)
    finally:
        await producer.stop()
    return returned


@asynccontextmanager
async def _reading(
    kafka: KafkaSettings, group: str
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    """A consumer of the group's dead-letter topic, whose committed offset says what was returned."""
    consumer = make_consumer(kafka, f"{group}-replay")
    partition = TopicPartition(topic_name(kafka, catalogue.dead_letters(group)), 0)
    await consumer.start()
    try:
        consumer.assign([partition])
        yield consumer, partition
    finally:
        await consumer.stop()


async def _records(consumer: AIOKafkaConsumer, partition: TopicPartition, first: int) -> list[ConsumerRecord]:
    """Everything from `first` to what is the end now."""
    end = (await consumer.end_offsets([partition]))[partition]
    consumer.seek(partition, first)
    records: list[ConsumerRecord] = []
    async with asyncio.timeout(_FETCH_S):
        while await consumer.position(partition) < end:
            fetched = await consumer.getmany(partition, timeout_ms=500)
            records += fetched.get(partition, [])
    return records


def _letter(group: str, record: ConsumerRecord, returned: bool) -> Letter:
    says = about(record.headers)
    return Letter(
        group=group,
        offset=record.offset,
        topic=says.get("topic", "?"),
        partition=says.get("partition", "?"),
        origin_offset=says.get("offset", "?"),
        kind=says.get("kind", "?"),
        reason=says.get("reason", "?"),
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        size_bytes=len(record.value or b""),
        returned=returned,
    )
