"""From the first packet sent to the last complete group-day published, through everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import Outgoing, partitions_of
from balance_chassis.kafka import client_options, make_producer, topic_name
from balance_chassis.settings import KafkaSettings
from balance_local.installation import Installation
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_bench.fleet import Block

PATIENCE_S = 600.0


def play(made: Installation, block: Block, traffic: Sequence[Outgoing]) -> float:
    """Seconds it took. Raises TimeoutError with what was missing when it did not end."""
    return asyncio.run(_play(settings_of(made).kafka, codec_of(made), block, traffic))


async def _play(kafka: KafkaSettings, codec: Codec, block: Block, traffic: Sequence[Outgoing]) -> float:
    wanted = {
        (f"G-{house:03}", start * 1000)
        for house in range(block.counts.shape[0])
        for start in block.day_starts
    }
    consumer, producer = AIOKafkaConsumer(**client_options(kafka)), make_producer(kafka)
    await consumer.start()
    await producer.start()
    try:
        consumer.assign(partitions_of(kafka, catalogue.IMBALANCE))
        await consumer.seek_to_end()
        started = time.perf_counter()
        sent = [await producer.send(topic_name(kafka, m.topic), key=m.key, value=m.value) for m in traffic]
        await asyncio.gather(*sent)
        async with asyncio.timeout(PATIENCE_S):
            await _until_complete(consumer, codec, wanted)
        return time.perf_counter() - started
    except TimeoutError:
        raise TimeoutError(f"{len(wanted)} group-days were not complete after {PATIENCE_S:.0f} s") from None
    finally:
        await producer.stop()
        await consumer.stop()


async def _until_complete(consumer: AIOKafkaConsumer, codec: Codec, wanted: set[tuple[str, int]]) -> None:
    """Strike off what is published complete until nothing is left."""
    while wanted:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                _, one = codec.decode(record.value)
                if one["day"]["coverage"] == "COMPLETE":
                    wanted.discard((one["group_id"], one["day_start_at"]))
