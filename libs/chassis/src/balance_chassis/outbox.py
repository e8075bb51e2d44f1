"""The outbox: what is to be published is written in the transaction that changed it, and sent afterwards.

A row names keys, not contents: the publisher sends their rows as they stand when it reads them. It takes whatever is
there. A cursor over ids would skip a row whose transaction committed after a later one.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from balance_chassis.errors import FailureLimit, Fatal
from balance_chassis.kafka import topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently, unless_stopped
from balance_chassis.postgres import identifier
from balance_chassis.settings import KafkaSettings
from balance_chassis.threads import OneThread

LIVE = 0
BACKLOG = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """Keys whose current rows are to be sent to a topic of the catalogue."""

    id: int
    topic: str
    keys: Sequence[Any]
    lane: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send. Without a partition, the hash of the key decides. `topic` is the catalogue's name."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


Render = Callable[[Connection, Sequence[OutboxRow]], Sequence[Outgoing]]


class Outbox:
    """Writes to `<schema>.outbox`."""

    def __init__(self, schema: str) -> None:
        self._table = f"{identifier(schema)}.outbox"

    def add(self, conn: Connection[Any], topic: str, keys: Sequence[Any], lane: int = LIVE) -> None:
        """Name keys (anything JSON can hold) to be published once this transaction has committed."""
        if keys:
            conn.execute(
                f"INSERT INTO {self._table} (lane, topic, keys) VALUES (%s, %s, %s)",
                [lane, topic, Jsonb(list(keys))],
            )

    def claim(self, conn: Connection[Any], limit: int) -> Sequence[OutboxRow]:
        """Rows nobody else has in hand, live before backlog, old before new; held until this transaction ends."""
        rows = conn.execute(
            f"SELECT id, topic, keys, lane FROM {self._table} ORDER BY lane, id LIMIT %s FOR UPDATE SKIP LOCKED",
            [limit],
        )
        return [OutboxRow(*row) for row in rows]

    def forget(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> None:
        """Delete what was published."""
        conn.execute(f"DELETE FROM {self._table} WHERE id = ANY (%s)", [[row.id for row in rows]])


class Publisher:
    """Sends what the outbox of a service names; one a service.

    A pass is: claim rows, `render(conn, rows)` their keys' current contents, send all, await every acknowledgement,
    delete, commit. Killed in between, it sends again: the same versions, which consumers know.
    """

    def __init__(
        self,
        pool: ConnectionPool[Any],
        schema: str,
        new_producer: Callable[[], AIOKafkaProducer],
        render: Render,
        *,
        kafka: KafkaSettings,
        metrics: ChassisMetrics,
        limit: int = 16,
        poll_s: float = 0.05,
    ) -> None:
        self._pool = pool
        self._outbox = Outbox(schema)
        self._new_producer = new_producer
        self._render = render
        self._kafka = kafka
        self._metrics = metrics
        self._limit = limit
        self._poll_s = poll_s
        self._failures = FailureLimit()
        self.name = f"publisher {schema}"
        self.progress = Progress(self.name)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`; a pass under way is finished. Raises Fatal after too many unforeseen errors."""
        self._thread = OneThread(self.name)
        producer: AIOKafkaProducer | None = None
        try:
            producer = await unless_stopped(self._patiently(self._opened, stop), stop)
            self.progress.ready = True
            while not stop.is_set():
                if not await self._sent(producer, stop):
                    await _pause(stop, self._poll_s)
        except Stopped:
            _log.info("%s stopped while it waited; the outbox keeps what is unsent", self.name)
        finally:
            self.progress.ready = False
            if producer:
                await producer.stop()
            self._thread.close()
