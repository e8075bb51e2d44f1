"""A client that stands still in silence: that asyncio's does not, and that the watchdog ends what does."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from balance_chassis.kafka import make_consumer, topic_name
from balance_chassis.patience import Progress
from balance_chassis.settings import KafkaSettings
from balance_chassis.watchdog import Watchdog
from balance_schemas import catalogue

pytestmark = pytest.mark.stack


def test_after_a_reset_of_its_connection_the_client_still_learns_of_the_cluster(trial: Any) -> None:
    """The default connection is reset while its reader has an exception and no end of file."""

    async def learned(client: Any) -> None:
        while not await client.force_metadata_update():
            pass  # the one under way when the connection broke may say no

    async def main() -> None:
        consumer: AIOKafkaConsumer = make_consumer(trial.kafka, "ingest-packets")
        consumer.subscribe([topic_name(trial.kafka, catalogue.PACKETS)])
        await consumer.start()
        try:
            client: Any = consumer._client
            connection = next(conn for (_node, group), conn in client._conns.items() if group.value == 0)
            connection._reader.feed_eof = lambda: None
            client.force_metadata_update()
            connection._writer.transport.abort()
            await asyncio.sleep(0.5)  # what is reset is noticed by who writes
            assert not client._sync_task.done()
            connection.close()
            await asyncio.wait_for(learned(client), 5)
        finally:
            await consumer.stop()

    asyncio.run(main())


def test_the_watchdog_ends_a_sink_that_hangs_and_leaves_one_that_works(trial: Any) -> None:
    hang = threading.Event()
    release = threading.Event()

    def handle(numbers: Sequence[int]) -> None:
        if hang.is_set():
            release.wait()
        trial.store(numbers)

    async def main() -> tuple[list[int], list[int]]:
        ended: list[int] = []
        sink = trial.sink(handle)
        watchdog = Watchdog(trial.kafka, limit_s=2.0, every_s=0.2, end=ended.append)
        watchdog.watch(sink.progress)
        publisher = Progress("publisher", ready=True)
        watchdog.watch(publisher)
        async with trial.running(sink):
            watchdog.start()
            started = time.monotonic()
            number = 0
            while time.monotonic() - started < 4:
                number += 1
                await trial.send([number])
            await trial.until_committed()
            await asyncio.sleep(4)  # longer than the limit, with nothing to do
            working = list(ended)
            hang.set()
            await trial.send([0])
            await trial.until(lambda: ended)
            watchdog.stop()
            release.set()
        return working, ended

    working, ended = asyncio.run(main())
    assert working == []
    assert set(ended) == {75}


def test_the_watchdog_ends_who_is_busy_for_ever_while_the_broker_answers(trial: Any) -> None:
    ended: list[int] = []
    watchdog = Watchdog(trial.kafka, limit_s=0.2, end=ended.append)
    publisher = Progress("publisher", ready=True, busy=True)
    watchdog.watch(publisher)
    watchdog.look()
    time.sleep(0.3)
    watchdog.look()
    assert ended == [75]


def test_the_watchdog_bears_a_broker_that_is_away(unused_port: int) -> None:
    ended: list[int] = []
    watchdog = Watchdog(KafkaSettings(f"127.0.0.1:{unused_port}"), limit_s=0.2, end=ended.append)
    watchdog.watch(Progress("publisher", ready=True, busy=True))
    watchdog.watch(Progress("sink", ready=True, group="g", topics=("t",)))
    watchdog.look()
    time.sleep(0.3)
    watchdog.look()
    assert ended == []
