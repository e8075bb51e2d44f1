"""The agent: small messages into state, by a Faust application that loses none of them.

Faust brings the messages; what is done with a batch of them is what a sink does (`settling`). Nothing
leaves the agent's body: what a sink would raise is told to `run`, which ends the process, and the body goes
on waiting, for Faust would take a body that ends as a sign that its messages are done with.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import faust
from aiokafka import AIOKafkaProducer
from balance_schemas import catalogue

from balance_chassis.errors import Fatal
from balance_chassis.faust_app import consumer_of, new_app
from balance_chassis.kafka import Record, make_producer, origin_of, stop_client, topic_name
from balance_chassis.lifecycle import refuse_uvloop
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, unless_stopped
from balance_chassis.settings import KafkaSettings
from balance_chassis.settling import Item, Settler
from balance_chassis.threads import OneThread

T = TypeVar("T")
R = TypeVar("R")
_GRACE_S = 10.0
_GIVING_UP_S = 15.0
_LOOK_S = 0.5
_log = logging.getLogger(__name__)


class Agent(Generic[T]):
    """Reads topics as one consumer group; `decode` and `handle` run in one thread, batch after batch.

    `handle(values)` stores what comes of them in ONE transaction and must bear being given the same again.
    With `at_once` it is called several times a batch, each time with the values of so many keys, for where a
    `key` is much work. Offsets are committed after all of the batch is stored. What becomes of errors is said
    at `Settler`; too many end the process with nothing acknowledged. A batch is what came within
    `max_wait_s`, at most `max_records`.
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
        key: Callable[[T], Hashable] | None = None,
        at_once: int | None = None,
        max_records: int = 500,
        max_wait_s: float = 0.25,
        version: str = "unknown",
        new_producer: Callable[[KafkaSettings], AIOKafkaProducer] = make_producer,
    ) -> None:
        self._kafka = kafka
        self._max_records = max_records
        self._max_wait_s = max_wait_s
        self._metrics = metrics
        self._new_producer = new_producer
        names = [*topics, catalogue.dead_letters_retry(group)]
        self._topics = tuple(topic_name(kafka, name) for name in names)
        self.name = f"agent {group}"
        self.progress = Progress(self.name, group=topic_name(kafka, group), topics=self._topics)
        self._settler = Settler(
            self.progress,
            group=group,
            kafka=kafka,
            decode=decode,
            handle=handle,
            metrics=metrics,
            key=key,
            at_once=at_once,
            version=version,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; what is in hand then is finished. Raises Fatal, or what is beyond repair."""
        refuse_uvloop(asyncio.get_running_loop())
        _quiet()
        self._stop = stop
        self._ending = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._thread = OneThread(self.name)
        try:
            producer = await self._opened(self._started_producer)
            self._settler.open(producer, self._thread, stop)
            try:
                app = await self._opened(self._started_app)
                self.progress.ready = True
                await self._live(app)
            finally:
                await stop_client(producer)
        except Stopped:
            _log.info("%s stopped while it waited; nothing of what was in hand is acknowledged", self.name)
        finally:
            self.progress.ready = False
            self._thread.close()

    async def _body(self, stream: Any) -> None:
        try:
            async for events in stream.take_events(self._max_records, within=self._max_wait_s):
                messages: Sequence[Any] = [event.message for event in events]
                done = self.progress.done
                await self._settler.settle(await self._thread(partial(self._items, messages)))
                self._consumer.settled(messages)
                self.progress.done = done + len(messages)
        except asyncio.CancelledError:
            if not self._ending:
                self._tell(Fatal(f"{self.name}: Faust cancelled it, which nothing here asked for"))
            raise
        except BaseException as error:
            self._tell(error)
            # Never to return: Faust must not learn that anything ended.
            await asyncio.get_running_loop().create_future()

    def _tell(self, error: BaseException) -> None:
        """Tell `run` what cannot be borne."""
        if not self._ended.done():
            self._ended.set_exception(error)

    async def _live(self, app: faust.App) -> None:
        """Until `stop`, or until something ends that should not; then end the application. Raises what it
        was.
        """
        stopping = asyncio.create_task(self._stop.wait())
        try:
            while not (stopping.done() or self._ended.done() or app.should_stop):
                self.progress.partitions = frozenset(
                    (tp.topic, tp.partition) for tp in app.consumer.assignment()
                )
                signs: list[asyncio.Future[Any]] = [stopping, self._ended]
                await asyncio.wait(signs, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            await self._end(app)
        if self._ended.done():
            self._ended.result()
        elif not self._stop.is_set():
            raise Fatal(f"{self.name}: Faust ended by itself: {app.crash_reason!r}")

    async def _end(self, app: faust.App) -> None:
        """Let what is in hand be finished; give it up if that is late, or if it cannot be."""
        self._ending = True
        ending = asyncio.create_task(app.stop())
        if not self._ended.done() and not app.crashed:
            signs: list[asyncio.Future[Any]] = [ending, self._ended]
            await asyncio.wait(signs, timeout=_GRACE_S, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            self._consumer.give_up()
        await self._given_up(ending)

    async def _given_up(self, ending: asyncio.Task[Any]) -> None:
        """Wait for what ends the application, but not for ever: what is left then dies with the process."""
        await asyncio.wait([ending], timeout=_GIVING_UP_S)
        if not ending.done():
            ending.cancel()
            await asyncio.wait([ending], timeout=_GIVING_UP_S)
        if not ending.done():
            _log.warning("%s: Faust did not end within %.0f s of being cancelled", self.name, _GIVING_UP_S)
        elif ending.cancelled() or ending.exception() is not None:
            _log.warning("%s: Faust did not end cleanly: %s", self.name, _how(ending))

    def _items(self, messages: Sequence[Any]) -> list[Item[T]]:
        return [self._settler.item(_record_of(message, self._kafka.topic_prefix)) for message in messages]

    async def _started_producer(self) -> AIOKafkaProducer:
        producer = self._new_producer(self._kafka)
        try:
            await producer.start()
        except BaseException:
            await stop_client(producer)
            raise
        return producer

    async def _started_app(self) -> faust.App:
        app = new_app(self._kafka, self.progress.group, self._topics, self._body)
        self._consumer = consumer_of(app)
        try:
            await app.start()
            refuse_uvloop(self._consumer.thread_loop)
        except BaseException:
            self._consumer.give_up()
            await self._given_up(asyncio.create_task(app.stop()))
            self._consumer.close_thread_loop()
            raise
        return app

    async def _opened(self, new: Callable[[], Awaitable[R]]) -> R:
        return await unless_stopped(
            patiently(new, progress=self.progress, stop=self._stop, metrics=self._metrics), self._stop
        )


def _how(ended: asyncio.Task[Any]) -> str:
    return "cancelled" if ended.cancelled() else repr(ended.exception())


def _record_of(message: Any, topic_prefix: str) -> Record:
    """A record from Faust's message; a replayed dead letter gets the topic it came from first."""
    headers = tuple((key, value) for key, value in message.headers or ())
    return Record(
        topic=origin_of(headers, message.topic).removeprefix(topic_prefix),
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=headers,
        timestamp_ms=round((message.timestamp or 0) * 1000),
    )


def _quiet() -> None:
    """Faust and its service library tell of every part that starts; ours says what matters."""
    for name in ("faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
