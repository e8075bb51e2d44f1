"""What sink and agent do with a batch of records, whatever brings it (architecture §3, rule 8)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from aiokafka import AIOKafkaProducer

from balance_chassis.dead_letters import BAD_RECORD, BUG, OVERSIZE, DeadLetter, DeadLetters
from balance_chassis.errors import BadRecord, FailureLimit, Fatal
from balance_chassis.kafka import Record
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress, Stopped, patiently
from balance_chassis.settings import KafkaSettings
from balance_chassis.threads import OneThread

T = TypeVar("T")
R = TypeVar("R")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Item(Generic[T]):
    """A record with what it decodes to, or the reason why it does not."""

    record: Record
    value: T | None = None
    weight: int = 1
    letter: DeadLetter | None = None


class Settler(Generic[T]):
    """Decodes records and has batches of them handled, each of which ends handled or as a dead letter.

    Values of one `key` (None: each has its own) are handled together, those of at most `at_once` keys (None:
    all of a batch) in a call of `handle`. A transient error of it is waited out in place; after any other it
    is called key by key, and the records of one that fails alone are dead-lettered. Too many such keys are
    Fatal, before any letter is sent: what many records tell of is one failure.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        group: str,
        kafka: KafkaSettings,
        decode: Callable[[Record], T],
        handle: Callable[[Sequence[T]], None],
        metrics: ChassisMetrics,
        weight: Callable[[T], int] = lambda _: 1,
        key: Callable[[T], Hashable] | None = None,
        at_once: int | None = None,
        version: str = "unknown",
    ) -> None:
        self._progress = progress
        self._group = group
        self._kafka = kafka
        self._decode = decode
        self._handle = handle
        self._metrics = metrics
        self._weight = weight
        self._key = key
        self._at_once = at_once
        self._version = version
        self._limit = FailureLimit()

    def open(self, producer: AIOKafkaProducer, thread: OneThread, stop: asyncio.Event) -> None:
        """Be given, before the first batch, a producer that is started, the thread to work in, and the sign
        to end.
        """
        self._letters = DeadLetters(producer, self._kafka, self._group, self._version, self._metrics)
        self._thread = thread
        self._stop = stop

    def item(self, record: Record) -> Item[T]:
        """A record decoded, or with its dead letter. Raises nothing."""
        item: Item[T] = Item(record)
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

    async def settle(self, batch: Sequence[Item[T]]) -> None:
        """Return when every record is handled, or its dead letter acknowledged: then it may be committed.

        Raises Fatal after too many unforeseen errors, Stopped when it was to end while it waited.
        """
        weight = sum(item.weight for item in batch)
        with self._metrics.sink_batch_seconds.labels(self._group).time():
            letters = [item.letter for item in batch if item.letter]
            failures = sum(letter.kind == BUG for letter in letters)
            alike = self._alike([item for item in batch if not item.letter])
            at_once = self._at_once or len(alike) or 1
            for first in range(0, len(alike), at_once):
                failed = await self._handle_or_isolate(alike[first : first + at_once])
                failures += _bugs(failed)
                letters += chain.from_iterable(failed)
                if failures > self._limit.most:
                    break
                if self._at_once:  # a long batch, of which the watchdog is to see that it goes on
                    self._progress.done += 1
            # Counted before any is sent: when it is too many, it is us, and the whole batch comes again.
            self._limit.admit(failures)
            if letters:
                await self.patiently(lambda: self._letters.send(letters))
        self._metrics.sink_records.labels(self._group).inc(len(batch))
        self._metrics.sink_weight.labels(self._group).inc(weight)

    async def patiently(self, attempt: Callable[[], Awaitable[R]]) -> R:
        """Result of an attempt, transient errors waited out. Raises Stopped when it is to end meanwhile."""
        return await patiently(attempt, progress=self._progress, stop=self._stop, metrics=self._metrics)

    def _alike(self, items: Sequence[Item[T]]) -> Sequence[list[Item[T]]]:
        """Items by the key of their values, in the order in which keys come first."""
        if not self._key:
            return [[item] for item in items]
        alike: dict[Hashable, list[Item[T]]] = {}
        for item in items:
            alike.setdefault(self._key(_value(item)), []).append(item)
        return list(alike.values())

    async def _handle_or_isolate(self, alike: Sequence[list[Item[T]]]) -> list[list[DeadLetter]]:
        """Letters of each key that fails alone."""
        try:
            await self._handled(alike)
        except (Fatal, Stopped):
            raise
        except Exception as error:
            if len(alike) == 1:
                return [self._letters_of(alike[0], error)]
            _log.exception(
                "%s: a batch of %d failed and is tried key by key", self._progress.name, len(alike)
            )
        else:
            return []
        letters: list[list[DeadLetter]] = []
        for items in alike:
            try:
                await self._handled([items])
            except (Fatal, Stopped):
                raise
            except Exception as error:
                letters.append(self._letters_of(items, error))
                if _bugs(letters) > self._limit.most:
                    break
        return letters

    async def _handled(self, alike: Sequence[list[Item[T]]]) -> None:
        values = [_value(item) for items in alike for item in items]
        await self.patiently(lambda: self._thread(lambda: self._handle(values)))

    def _letters_of(self, items: Sequence[Item[T]], error: Exception) -> list[DeadLetter]:
        first = self._letter(items[0].record, error)
        return [first, *(DeadLetter(item.record, first.kind, first.reason) for item in items[1:])]

    def _letter(self, record: Record, error: Exception) -> DeadLetter:
        if isinstance(error, BadRecord):
            return DeadLetter(record, BAD_RECORD, error.reason)
        _log.error("%s: an unforeseen error", self._progress.name, exc_info=error)
        self._metrics.errors.labels(self._progress.name).inc()
        return DeadLetter(record, BUG, f"unforeseen {type(error).__name__}: {error}")


def _bugs(letters: Sequence[Sequence[DeadLetter]]) -> int:
    """How many keys failed by errors that nobody foresaw."""
    return sum(found[0].kind == BUG for found in letters)


def _value(item: Item[T]) -> T:
    """Of an item that is good: it has one."""
    return item.value  # type: ignore[return-value]
