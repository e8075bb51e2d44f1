"""The sink: a bulk topic into a database, nothing lost, nothing acknowledged before it is stored."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from balance_schemas import catalogue

from balance_chassis.errors import is_transient
from balance_chassis.intake import Intake
from balance_chassis.kafka import Record, make_consumer, make_producer, record_of, stop_client, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, unless_stopped
from balance_chassis.settings import KafkaSettings
from balance_chassis.settling import Item, Settler
from balance_chassis.threads import OneThread

T = TypeVar("T")
C = TypeVar("C", AIOKafkaConsumer, AIOKafkaProducer)
_Fetched = tuple[TopicPartition, Item[T]]
_GRACE_S = 20.0
_log = logging.getLogger(__name__)


class Sink(Generic[T]):
    """Reads topics as one consumer group; `decode` and `handle` run in one thread, batch after batch.

    `decode(record)` gives a value, or raises BadRecord. `handle(values)` stores them all in ONE transaction
    and must bear being given the same again; offsets are committed after it returned. What becomes of its
    errors is said at `Settler`; too many end the process with nothing acknowledged. A batch weighs at most
    `max_weight` (or is one record).
    """

    def __init__(
        self,
        *,
        topics: Sequence[str],
        group: str,
        kafka: KafkaSettings,
        decode: Callable[[Record], T],
        handle: Callable[[Sequence[T]], None],
        metrics: ChassisMetrics,
        weight: Callable[[T], int] = lambda _: 1,
        max_weight: int = 5000,
        max_wait_s: float = 0.25,
        version: str = "unknown",
        new_consumer: Callable[[KafkaSettings, str], AIOKafkaConsumer] = make_consumer,
        new_producer: Callable[[KafkaSettings], AIOKafkaProducer] = make_producer,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._max_weight = max_weight
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._new_consumer = new_consumer
        self._new_producer = new_producer
        names = [*topics, catalogue.dead_letters_retry(group)]
        self._topics = tuple(topic_name(kafka, name) for name in names)
        self.name = f"sink {group}"
        self.progress = Progress(self.name, group=topic_name(kafka, group), topics=self._topics)
        self._settler = Settler(
            self.progress,
            group=group,
            kafka=kafka,
            decode=decode,
            handle=handle,
            metrics=metrics,
            weight=weight,
            version=version,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; what is in hand then is finished. Raises Fatal, or what is beyond repair."""
        self._stop = stop
        self._thread = OneThread(self.name)
        try:
            self._producer = await self._opened(lambda: self._new_producer(self._kafka))
            self._settler.open(self._producer, self._thread, self._stop)
            try:
                self._consumer = await self._opened(self._subscribed)
                try:
                    self.progress.ready = True
                    await self._consume()
                finally:
                    await stop_client(self._consumer)
            finally:
                await stop_client(self._producer)
        except Stopped:
            _log.info("%s stopped while it waited; nothing of what was in hand is acknowledged", self.name)
        finally:
            self.progress.ready = False
            self._thread.close()

    async def _consume(self) -> None:
        intake = Intake(self._consumer, self._max_weight, self._max_wait_s)
        stopping = asyncio.create_task(self._stop.wait())
        work: asyncio.Task[None] | None = None
        try:
            while not self._stop.is_set():
                if work and work.done():
                    work.result()
                    work = None
                poll = await self._advanced(intake)
                if work is None and intake.is_due():
                    work = asyncio.create_task(self._settle(intake, intake.take()))
                    continue
                tasks = [task for task in (stopping, poll, work) if task]
                pause_s = intake.seconds_to_act(busy=work is not None)
                await asyncio.wait(tasks, timeout=pause_s, return_when=asyncio.FIRST_COMPLETED)
            if work:
                await self._finished(work)
        finally:
            stopping.cancel()
            intake.close()
            if work:
                work.cancel()

    async def _finished(self, work: asyncio.Task[None]) -> None:
        done, _ = await asyncio.wait({work}, timeout=_GRACE_S)
        if not done:
            _log.warning("%s: what was in hand did not end in %g s and comes again", self.name, _GRACE_S)
            raise Stopped
        work.result()

    async def _advanced(self, intake: Intake) -> asyncio.Task[object] | None:
        self.progress.partitions = frozenset((tp.topic, tp.partition) for tp in self._consumer.assignment())
        try:
            return intake.advance()
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("%s could not fetch, tries again: %s: %s", self.name, type(error).__name__, error)
            await asyncio.sleep(0.5)
            return None

    async def _settle(self, intake: Intake, messages: Sequence[ConsumerRecord]) -> None:
        # Decoded a batch at a time: what was fetched at once may be a hundred times as heavy.
        batches = _cut(map(self._item, messages), self._max_weight)
        while batch := await self._thread(lambda: next(batches, None)):
            if self._stop.is_set():
                return
            intake.learn(len(batch), sum(item.weight for _, item in batch))
            await self._settler.settle([item for _, item in batch])
            await self._commit(batch)
            self.progress.done += len(batch)

    def _item(self, message: ConsumerRecord) -> _Fetched[T]:
        item = self._settler.item(record_of(message, self._kafka.topic_prefix))
        return TopicPartition(message.topic, message.partition), item

    async def _commit(self, batch: Iterable[_Fetched[T]]) -> None:
        offsets = {at: item.record.offset + 1 for at, item in batch}

        async def attempt() -> None:
            held = self._consumer.assignment()
            ours = {at: offset for at, offset in offsets.items() if at in held}
            if ours:
                await self._consumer.commit(ours)

        try:
            await self._settler.patiently(attempt)
        except (CommitFailedError, IllegalStateError) as error:
            # Stored all the same; whoever holds the partitions now is given it again, which handlers bear.
            _log.info("%s: a rebalance came before the commit: %s", self.name, error)

    async def _opened(self, new: Callable[[], C]) -> C:
        async def attempt() -> C:
            client = new()
            try:
                await client.start()
            except BaseException:
                await stop_client(client)
                raise
            return client

        return await unless_stopped(
            patiently(attempt, progress=self.progress, stop=self._stop, metrics=self._metrics), self._stop
        )

    def _subscribed(self) -> AIOKafkaConsumer:
        consumer = self._new_consumer(self._kafka, self._group)
        consumer.subscribe(list(self._topics))
        return consumer


def _cut(items: Iterable[_Fetched[T]], max_weight: int) -> Iterator[Sequence[_Fetched[T]]]:
    """Batches of at most `max_weight`, in order; an item that is heavier is one of its own."""
    batch: list[_Fetched[T]] = []
    weight = 0
    for at, item in items:
        if batch and weight + item.weight > max_weight:
            yield batch
            batch, weight = [], 0
        batch.append((at, item))
        weight += item.weight
    if batch:
        yield batch
