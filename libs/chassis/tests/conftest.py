"""A trial: a sink or an agent that counts numbers in a table, on a real broker and a real database."""

import asyncio
import gc
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer
from balance_chassis.agents import Agent
from balance_chassis.errors import BadRecord
from balance_chassis.kafka import Record, client_options, make_producer, topic_name
from balance_chassis.lag import group_lag
from balance_chassis.lifecycle import Runnable
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.postgres import make_pool
from balance_chassis.settings import KafkaSettings
from balance_chassis.sink import Sink
from balance_chassis.testing import Installation, NewInstallation
from balance_schemas import catalogue
from psycopg_pool import ConnectionPool

GROUP = "ingest-packets"
TOPIC = catalogue.PACKETS
PARTITIONS = catalogue.load().topics[TOPIC].partitions
PATIENCE_S = 60.0


def number_of(record: Record) -> int:
    """Decode: a number in ASCII, or a bad record."""
    try:
        return int(record.value or b"")
    except ValueError:
        raise BadRecord(f"expected digits, found {record.value!r}") from None


@dataclass
class Trial:
    """One installation with a table of numbers and how often each was stored."""

    installation: Installation
    kafka: KafkaSettings
    pool: ConnectionPool[Any]
    metrics: ChassisMetrics = field(default_factory=lambda: ChassisMetrics("trial"))
    driver: str = "sink"

    def store(self, numbers: Sequence[int]) -> None:
        """Handle: one transaction."""
        with self.pool.connection() as conn, conn.cursor() as cur:
            cur.executemany(
                "INSERT INTO stored VALUES (%s, 1) "
                "ON CONFLICT (number) DO UPDATE SET times = stored.times + 1",
                [(number,) for number in sorted(numbers)],
            )

    def sink(self, handle: Callable[[Sequence[int]], None] | None = None, **options: Any) -> Sink[int]:
        """A sink into the table, or into another handler."""
        given: dict[str, Any] = {"max_wait_s": 0.05, **options}
        return Sink(
            topics=[TOPIC],
            group=GROUP,
            kafka=self.kafka,
            decode=number_of,
            handle=handle or self.store,
            metrics=self.metrics,
            **given,
        )

    def agent(self, handle: Callable[[Sequence[int]], None] | None = None, **options: Any) -> Agent[int]:
        """An agent into the table, or into another handler."""
        given: dict[str, Any] = {"max_wait_s": 0.05, **options}
        return Agent(
            topics=[TOPIC],
            group=GROUP,
            kafka=self.kafka,
            decode=number_of,
            handle=handle or self.store,
            metrics=self.metrics,
            **given,
        )

    def consumer(
        self, handle: Callable[[Sequence[int]], None] | None = None, most: int = 500, **options: Any
    ) -> Sink[int] | Agent[int]:
        """A sink or an agent, as the test is run with, with at most so many records a batch."""
        if self.driver == "sink":
            return self.sink(handle, max_weight=most, **options)
        return self.agent(handle, max_records=most, **options)

    def stored(self) -> Counter[int]:
        """How often each number was stored."""
        with psycopg.connect(self.installation.dsn) as conn:
            return Counter(dict(conn.execute("SELECT number, times FROM stored").fetchall()))

    async def send(self, values: Iterable[int | bytes], topic: str = TOPIC, spread: int = 3) -> None:
        """Produce numbers, or bytes as they are, over a few partitions."""
        producer = make_producer(self.kafka)
        await producer.start()
        try:
            sent = [
                await producer.send(
                    topic_name(self.kafka, topic),
                    value=value if isinstance(value, bytes) else str(value).encode(),
                    key=b"k",
                    partition=index % spread,
                )
                for index, value in enumerate(values)
            ]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()

    async def read(self, topic: str) -> list[Any]:
        """Everything on a topic now."""
        offsets = await group_lag(self.kafka, "", [topic_name(self.kafka, topic)])
        consumer = AIOKafkaConsumer(**client_options(self.kafka))
        consumer.assign(list(offsets))
        await consumer.start()
        try:
            await consumer.seek_to_beginning()
            found: list[Any] = []
            while len(found) < sum(partition.records for partition in offsets.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found.extend(records)
            return found
        finally:
            await consumer.stop()

    async def lag(self) -> int:
        """Records of the topic the group has not committed."""
        group, topic = topic_name(self.kafka, GROUP), topic_name(self.kafka, TOPIC)
        offsets = await group_lag(self.kafka, group, [topic])
        assert len(offsets) == PARTITIONS
        return sum(partition.records for partition in offsets.values())

    async def dead_letters(self) -> list[Any]:
        """Everything the group gave up."""
        return await self.read(catalogue.dead_letters(GROUP))

    async def until(self, holds: Callable[[], object] | Callable[[], Awaitable[object]]) -> None:
        """Wait for something to hold. Fails after a minute."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            result = holds()
            if isinstance(result, Awaitable):
                result = await result
            if result:
                return
            assert time.monotonic() < deadline, "it never came to hold"
            await asyncio.sleep(0.05)

    async def until_committed(self) -> None:
        """Wait until the group has committed all there is."""

        async def none_left() -> bool:
            return await self.lag() == 0

        await self.until(none_left)

    @asynccontextmanager
    async def running(self, runnable: Runnable) -> Any:
        """Run something beside the test. An error of it fails the test at the end, or at once in `until`."""
        stop = asyncio.Event()
        task = asyncio.create_task(runnable.run(stop))
        try:
            yield task
        finally:
            stop.set()
            await task


@pytest.fixture
def unused_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def trial(new_installation: NewInstallation) -> Iterator[Trial]:
    """A fresh installation with the table `stored`."""
    used = (TOPIC, catalogue.dead_letters(GROUP), catalogue.dead_letters_retry(GROUP))
    with new_trial(new_installation(topics=used)) as made:
        yield made


@pytest.fixture
def small_records(new_installation: NewInstallation) -> Iterator[Trial]:
    """A fresh installation with a topic of records of 1 MiB at most, `catalogue.FINDINGS`."""
    with new_trial(new_installation(topics=(catalogue.FINDINGS,))) as made:
        yield made


@pytest.fixture(params=["sink", "agent"])
def either(request: pytest.FixtureRequest, trial: Trial) -> Trial:
    """A trial of a sink, and the same of an agent: what neither may lose."""
    trial.driver = request.param
    return trial


@contextmanager
def new_trial(installation: Installation) -> Iterator[Trial]:
    """A trial on an installation."""
    settings = installation.settings()
    with psycopg.connect(installation.dsn) as conn:
        conn.execute("CREATE TABLE stored (number int PRIMARY KEY, times int NOT NULL)")
    pool = make_pool(settings.postgres, "trial")
    try:
        yield Trial(installation, replace(settings.kafka, session_timeout_s=6.0), pool)
    finally:
        pool.close()
        gc.collect()  # what was left open is to fail the test that left it, not another
