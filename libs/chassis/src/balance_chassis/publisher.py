"""The publisher: sends the current rows of the keys an outbox names, then forgets them."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from balance_schemas import catalogue
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_chassis.errors import FailureLimit, Fatal
from balance_chassis.kafka import make_producer, stop_client, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.outbox import Outbox, OutboxRow
from balance_chassis.patience import Progress, Stopped, patiently, pause, unless_stopped
from balance_chassis.settings import KafkaSettings
from balance_chassis.threads import OneThread

_AFTER_ERROR_S = 1.0
_GRACE_S = 10.0
_ENVELOPE_BYTES = 512
"""What the wire adds to a record, and more."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send; `topic` is the catalogue's name. Without a partition, the hash of the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def event_headers(service: str, record: str, event_id: str, at: datetime) -> list[tuple[str, bytes]]:
    """Headers that say what a record is, whoever reads it (CloudEvents 1.0, Kafka binding)."""
    said = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"balance/{service}",
        "type": record,
        "time": at.isoformat(),
    }
    return [(f"ce_{name}", text.encode()) for name, text in said.items()]


Render = Callable[[Connection[Any], Sequence[OutboxRow]], Sequence[Outgoing]]
"""Reads the current rows of the keys of some outbox rows, inside the transaction that will delete them."""


class Publisher:
    """Publishes the outbox of one schema; a service has one of them.

    A pass claims rows, renders them, sends all, awaits every acknowledgement, deletes the rows and commits.
    Killed in between, it sends again: the same versions, or later ones. The producer is not started yet,
    and is stopped here.

    A record that its topic does not take for its size is given up: it is named in an error and counted, and
    its outbox row is forgotten with the others. The row it was made of stands in the database, and is sent
    when it changes to something smaller; to try it again unchanged would stop all others.
    """

    def __init__(
        self,
        pool: ConnectionPool[Any],
        schema: str,
        producer: AIOKafkaProducer,
        render: Render,
        *,
        kafka: KafkaSettings,
        metrics: ChassisMetrics,
        limit: int = 4,
        poll_s: float = 0.05,
    ) -> None:
        self._pool = pool
        self._outbox = Outbox(schema)
        self._producer = producer
        self._render = render
        self._kafka = kafka
        self._metrics = metrics
        self._limit = limit
        self._poll_s = poll_s
        self._failures = FailureLimit()
        self.name = f"publisher {schema}"
        self.progress = Progress(self.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; a pass under way is finished. Raises Fatal after too many unforeseen
        errors.
        """
        self._thread = OneThread(self.name)
        try:
            await unless_stopped(self._patiently(self._producer.start, stop), stop)
            self.progress.ready = True
            while not stop.is_set():
                if not await self._passed(stop):
                    await pause(stop, self._poll_s)
        except Stopped:
            _log.info("%s stopped while it waited; the outbox keeps what is unsent", self.name)
        finally:
            self.progress.ready = False
            await stop_client(self._producer)
            self._thread.close()

    async def _passed(self, stop: asyncio.Event) -> int:
        """One pass, transient errors waited out; how many rows it published."""
        try:
            # Without an answer aiokafka tries for ever; what is unsent at the end is in the outbox still.
            return await unless_stopped(self._patiently(self._pass, stop), stop, _GRACE_S)
        except (Fatal, Stopped):
            raise
        except Exception:
            _log.exception("%s could not publish, tries again; nothing was deleted", self.name)
            self._metrics.errors.labels(self.name).inc()
            self._failures.admit()
            await pause(stop, _AFTER_ERROR_S)
            return 0
        finally:
            self.progress.busy = False

    async def _pass(self) -> int:
        transaction = ExitStack()
        try:
            rows, outgoing = await self._thread(partial(self._claimed, transaction))
            if rows:
                await self._send(outgoing)
                await self._thread(partial(self._outbox.forget, self._connection, rows))
        except BaseException as error:
            await self._thread(partial(transaction.__exit__, type(error), error, error.__traceback__))
            raise
        await self._thread(transaction.close)
        for row in rows:
            self._metrics.outbox_rows.labels(row.topic).inc()
        self.progress.done += len(rows)
        return len(rows)

    def _claimed(self, transaction: ExitStack) -> tuple[Sequence[OutboxRow], Sequence[Outgoing]]:
        self._connection = transaction.enter_context(self._pool.connection())
        rows = self._outbox.claim(self._connection, self._limit)
        self.progress.busy = bool(rows)
        return rows, self._render(self._connection, rows) if rows else []

    async def _send(self, outgoing: Sequence[Outgoing]) -> None:
        fitting = [record for record in outgoing if self._fits(record)]
        under_way = [await self._sent(record) for record in fitting]
        outcomes = await asyncio.gather(*under_way, return_exceptions=True)
        failed = {index: each for index, each in enumerate(outcomes) if isinstance(each, BaseException)}
        if any(isinstance(error, MessageSizeTooLargeError) for error in failed.values()):
            await self._send_one_by_one([fitting[index] for index in failed])
        elif failed:
            raise next(iter(failed.values()))
        for index, record in enumerate(fitting):
            if index not in failed:
                self._metrics.published.labels(record.topic).inc()

    async def _sent(self, record: Outgoing) -> asyncio.Future[Any]:
        under_way: asyncio.Future[Any] = await self._producer.send(
            topic_name(self._kafka, record.topic),
            value=record.value,
            key=record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
        return under_way

    async def _send_one_by_one(self, records: Sequence[Outgoing]) -> None:
        """Send again what was refused with a record too large, itself among them."""
        await self._renew_producer()
        for record in records:
            try:
                await (await self._sent(record))
            except MessageSizeTooLargeError:
                self._give_up(record, "the broker")
                await self._renew_producer()
            else:
                self._metrics.published.labels(record.topic).inc()

    async def _renew_producer(self) -> None:
        """After a refusal an idempotent producer's numbers have a gap, which the broker accepts no more."""
        producer = make_producer(self._kafka)
        try:
            await producer.start()
        except BaseException:
            await stop_client(producer)
            raise
        self._producer, old = producer, self._producer
        await stop_client(old)

    def _fits(self, record: Outgoing) -> bool:
        topic = catalogue.load().topics.get(record.topic)
        size = sum(len(part) for part in (record.key, record.value) if part is not None)
        size += _ENVELOPE_BYTES + sum(len(name) + len(value) for name, value in record.headers)
        if topic is None or size <= topic.max_message_bytes:
            return True
        self._give_up(record, f"the catalogue ({topic.max_message_bytes} bytes)")
        return False

    def _give_up(self, record: Outgoing, by: str) -> None:
        self._metrics.unpublished.labels(record.topic).inc()
        _log.error(
            "%s: a record of %s with the key %r and %d bytes is larger than %s allows, and is not published: "
            "read its row in the database",
            *(self.name, record.topic, record.key, len(record.value or b""), by),
            extra={"topic": record.topic},
        )

    async def _patiently(self, attempt: Callable[[], Any], stop: asyncio.Event) -> Any:
        return await patiently(attempt, progress=self.progress, stop=stop, metrics=self._metrics)
