"""The sink: a bulk topic into a database, nothing lost, nothing acknowledged before it is stored."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from balance_schemas import catalogue

from balance_chassis.dead_letters import BAD_RECORD, BUG, OVERSIZE, DeadLetter, DeadLetters
from balance_chassis.errors import BadRecord, FailureLimit, Fatal, is_transient
from balance_chassis.intake import Intake
from balance_chassis.kafka import Record, make_consumer, make_producer, record_of, stop_client, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, unless_stopped
from balance_chassis.settings import KafkaSettings
from balance_chassis.threads import OneThread

T = TypeVar("T")
R = TypeVar("R")
C = TypeVar("C", AIOKafkaConsumer, AIOKafkaProducer)
_GRACE_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Item(Generic[T]):
    """A record with what it decodes to, or the reason why it does not."""

    record: Record
    at: TopicPartition
    value: T | None = None
    weight: int = 1
    letter: DeadLetter | None = None


class Sink(Generic[T]):
    """Reads topics as one consumer group; `decode` and `handle` run in one thread, batch after batch.

    `decode(record)` gives a value, or raises BadRecord. `handle(values)` stores them all in ONE transaction
    and must bear being given the same again; offsets are committed after it returned. A transient error of
    it is waited out in place; after any other the records are handled one by one, and one that fails alone
    is dead-lettered; too many of these end the process with nothing acknowledged. A batch weighs at most
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
        self._decode = decode
        self._handle = handle
        self._weight = weight
        self._max_weight = max_weight
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._version = version
        self._new_consumer = new_consumer
        self._new_producer = new_producer
        self._limit = FailureLimit()
        names = [*topics, catalogue.dead_letters_retry(group)]
        self._topics = tuple(topic_name(kafka, name) for name in names)
        self.name = f"sink {group}"
        self.progress = Progress(self.name, group=topic_name(kafka, group), topics=self._topics)

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; what is in hand then is finished. Raises Fatal, or what is beyond repair."""
        self._stop = stop
        self._thread = OneThread(self.name)
        try:
            self._producer = await self._opened(lambda: self._new_producer(self._kafka))
            self._letters = DeadLetters(
                self._producer, self._kafka, self._group, self._version, self._metrics
            )
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
            weight = sum(item.weight for item in batch)
            intake.learn(len(batch), weight)
            with self._metrics.sink_batch_seconds.labels(self._group).time():
                await self._store(batch)
            await self._commit(batch)
            self.progress.done += len(batch)
            self._metrics.sink_records.labels(self._group).inc(len(batch))
            self._metrics.sink_weight.labels(self._group).inc(weight)

    def _item(self, message: ConsumerRecord) -> _Item[T]:
        record = record_of(message, self._kafka.topic_prefix)
        item: _Item[T] = _Item(record, TopicPartition(message.topic, message.partition))
        if record.size_bytes > self._kafka.max_record_bytes:
            reason = (
                f"expected at most {self._kafka.max_record_bytes} bytes, found {record.size_bytes}; if it is "
                "genuine, raise BALANCE_KAFKA_MAX_RECORD_BYTES and replay it"
            )
            item.letter = DeadLetter(record, OVERSIZE, reason)
            return item
        try:
            item.value = self._decode(record)
            item.weight = self._weight(item.value)
        except Exception as error:
            item.letter = self._letter(record, error)
        return item

    async def _store(self, batch: Sequence[_Item[T]]) -> None:
        letters = [item.letter for item in batch if item.letter]
        good = [item for item in batch if not item.letter]
        if good:
            letters += await self._handle_or_isolate(good)
        # Counted before any is sent: when it is too many, it is us, and the whole batch comes again.
        self._limit.admit(sum(letter.kind == BUG for letter in letters))
        if letters:
            await self._patiently(lambda: self._letters.send(letters))

    async def _handle_or_isolate(self, items: Sequence[_Item[T]]) -> list[DeadLetter]:
        try:
            await self._handled(items)
        except (Fatal, Stopped):
            raise
        except Exception:
            _log.exception("%s: a batch of %d failed and is tried record by record", self.name, len(items))
        else:
            return []
        letters: list[DeadLetter] = []
        for item in items:
            try:
                await self._handled([item])
            except (Fatal, Stopped):
                raise
            except Exception as error:
                letters.append(self._letter(item.record, error))
                if len(letters) > self._limit.most:
                    break
        return letters

    async def _handled(self, items: Sequence[_Item[T]]) -> None:
        values: list[T] = [item.value for item in items]  # type: ignore[misc] # good items have a value
        await self._patiently(lambda: self._thread(lambda: self._handle(values)))

    def _letter(self, record: Record, error: Exception) -> DeadLetter:
        if isinstance(error, BadRecord):
            return DeadLetter(record, BAD_RECORD, error.reason)
        _log.error("%s: an unforeseen error", self.name, exc_info=error)
        self._metrics.errors.labels(self.name).inc()
        return DeadLetter(record, BUG, f"unforeseen {type(error).__name__}: {error}")

    async def _commit(self, batch: Iterable[_Item[T]]) -> None:
        offsets = {item.at: item.record.offset + 1 for item in batch}

        async def attempt() -> None:
            held = self._consumer.assignment()
            ours = {at: offset for at, offset in offsets.items() if at in held}
            if ours:
                await self._consumer.commit(ours)

        try:
            await self._patiently(attempt)
        except (CommitFailedError, IllegalStateError) as error:
            # Stored all the same; whoever holds the partitions now is given it again, which handlers bear.
            _log.info("%s: a rebalance came before the commit: %s", self.name, error)

    async def _patiently(self, attempt: Callable[[], Awaitable[R]]) -> R:
        return await patiently(attempt, progress=self.progress, stop=self._stop, metrics=self._metrics)

    async def _opened(self, new: Callable[[], C]) -> C:
        async def attempt() -> C:
            client = new()
            try:
                await client.start()
            except BaseException:
                await stop_client(client)
                raise
            return client

        return await unless_stopped(self._patiently(attempt), self._stop)

    def _subscribed(self) -> AIOKafkaConsumer:
        consumer = self._new_consumer(self._kafka, self._group)
        consumer.subscribe(list(self._topics))
        return consumer


def _cut(items: Iterable[_Item[T]], max_weight: int) -> Iterator[Sequence[_Item[T]]]:
    """Batches of at most `max_weight`, in order; an item that is heavier is one of its own."""
    batch: list[_Item[T]] = []
    weight = 0
    for item in items:
        if batch and weight + item.weight > max_weight:
            yield batch
            batch, weight = [], 0
        batch.append(item)
        weight += item.weight
    if batch:
        yield batch
