"""What was fetched and not yet handed over, and the consumer it comes from."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

_MOST_RECORDS = 10_000
_MOST_BYTES = 32 * 1024 * 1024
_POLL_MS = 1000


class Intake:
    """Collects records until they weigh `max_weight` (as estimated) or the oldest waited `max_wait_s`.

    One call of the consumer is under way at a time. While the intake is full the broker is not asked for
    more, but every `poll_every_s` the partitions are paused, polled and resumed: aiokafka leaves the group
    of who never polls.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        max_weight: int,
        max_wait_s: float,
        poll_every_s: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._consumer = consumer
        self._max_weight = max_weight
        self._max_wait_s = max_wait_s
        self._poll_every_s = poll_every_s
        self._clock = clock
        self._mean_weight = 1.0
        self._held: list[ConsumerRecord] = []
        self._bytes = 0
        self._oldest = math.inf
        self._polled = clock()
        self._poll: asyncio.Task[Mapping[TopicPartition, Sequence[ConsumerRecord]]] | None = None

    def is_due(self) -> bool:
        """Whether what is held should be handed over now."""
        return self._room() == 0 or self._clock() - self._oldest >= self._max_wait_s

    def take(self) -> Sequence[ConsumerRecord]:
        """Hand over everything held, each partition in the order of its offsets."""
        taken, self._held = self._held, []
        self._bytes, self._oldest = 0, math.inf
        return taken

    def learn(self, records: int, weight: int) -> None:
        """Remember what records weigh, so that about the right number is collected."""
        if records:
            self._mean_weight += 0.3 * (max(weight / records, 1.0) - self._mean_weight)

    def advance(self) -> asyncio.Task[Mapping[TopicPartition, Sequence[ConsumerRecord]]] | None:
        """Take in what has arrived and ask for more; the call now under way, if there is one.

        Raises what aiokafka raised while fetching.
        """
        if self._poll and self._poll.done():
            done, self._poll = self._poll, None
            self._polled = self._clock()
            self._add(done.result())
        if self._poll is None:
            if room := self._room():
                self._poll = asyncio.create_task(
                    self._consumer.getmany(timeout_ms=_POLL_MS, max_records=room)
                )
            elif self._clock() - self._polled >= self._poll_every_s:
                self._poll = asyncio.create_task(self._poll_paused())
        return self._poll

    def seconds_to_act(self, busy: bool) -> float | None:
        """When there is something to do here though no call ended; None if only a call that ends counts.

        While a batch is in hand (`busy`) nothing can be handed over, and only the polling remains.
        """
        due = math.inf if busy else self._oldest + self._max_wait_s
        if self._poll is None:
            due = min(due, self._polled + self._poll_every_s)
        return None if due == math.inf else max(due - self._clock(), 0.0)

    def close(self) -> None:
        """Forget what is held; it was never acknowledged."""
        if self._poll:
            self._poll.cancel()

    async def _poll_paused(self) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        self._consumer.pause(*self._consumer.assignment())
        try:
            # Partitions that a rebalance brings meanwhile are not paused: what comes of them is kept.
            return dict(await self._consumer.getmany(timeout_ms=0))
        finally:
            self._consumer.resume(*self._consumer.paused())

    def _room(self) -> int:
        if self._bytes >= _MOST_BYTES:
            return 0
        wanted = min(math.ceil(self._max_weight / self._mean_weight), _MOST_RECORDS)
        return max(wanted - len(self._held), 0)

    def _add(self, fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        for records in fetched.values():
            self._held.extend(records)
            self._bytes += sum(len(record.value or b"") for record in records)
        if self._held and self._oldest == math.inf:
            self._oldest = self._clock()
