"""From the first packet sent to the last result published, through everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from balance_chaos.stage import settings_of
from balance_chaos.traffic import Outgoing, partitions_of
from balance_chassis.kafka import client_options, make_producer, topic_name
from balance_chassis.settings import KafkaSettings
from balance_local.installation import Installation

PATIENCE_S = 900.0

Heard = Callable[[ConsumerRecord], bool]
"""Takes a published record; whether all that was waited for has now been heard."""


def play(made: Installation, traffic: Sequence[Outgoing], topics: Sequence[str], heard: Heard) -> float:
    """Seconds from the first packet sent until `heard` says yes. Raises TimeoutError when it never does."""
    return asyncio.run(_play(settings_of(made).kafka, traffic, topics, heard))


async def _play(
    kafka: KafkaSettings, traffic: Sequence[Outgoing], topics: Sequence[str], heard: Heard
) -> float:
    async with Line(kafka, topics) as line:
        started = time.perf_counter()
        await line.send(traffic)
        await line.listen(heard)
        return time.perf_counter() - started


class Line:
    """A producer, and a consumer of all that is published on some topics from now on."""

    def __init__(self, kafka: KafkaSettings, topics: Sequence[str]) -> None:
        """Nothing connects yet."""
        self._kafka = kafka
        self._topics = topics

    async def __aenter__(self) -> Line:
        """Connect, and stand at the end of the topics."""
        self._consumer: AIOKafkaConsumer = AIOKafkaConsumer(**client_options(self._kafka))
        self._producer: AIOKafkaProducer = make_producer(self._kafka)
        await self._consumer.start()
        await self._producer.start()
        self._consumer.assign([one for topic in self._topics for one in partitions_of(self._kafka, topic)])
        await self._consumer.seek_to_end()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._producer.stop()
        await self._consumer.stop()

    async def send(self, traffic: Sequence[Outgoing]) -> None:
        """Return when the broker has acknowledged all."""
        sent = [
            await self._producer.send(topic_name(self._kafka, m.topic), key=m.key, value=m.value)
            for m in traffic
        ]
        await asyncio.gather(*sent)

    async def listen(self, heard: Heard) -> None:
        """Return when `heard` says yes. Raises TimeoutError when it does not in PATIENCE_S."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for records in (await self._consumer.getmany(timeout_ms=200)).values():
                        if any(heard(record) for record in records):
                            return
        except TimeoutError:
            raise TimeoutError(f"not all was published after {PATIENCE_S:.0f} s") from None
