"""Records given up: original bytes, with headers saying where they came from and why."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from balance_schemas import catalogue

from balance_chassis.kafka import ORIGIN_TOPIC_HEADER, Record, topic_name
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.settings import KafkaSettings

PREFIX = "balance_dlq_"
BAD_RECORD = "bad_record"
OVERSIZE = "oversize"
BUG = "bug"

_REASON_CHARACTERS = 4000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record and why it was given up; `kind` is BAD_RECORD, OVERSIZE or BUG."""

    record: Record
    kind: str
    reason: str


def about(headers: Sequence[tuple[str, bytes]]) -> Mapping[str, str]:
    """What the headers of a dead letter say: topic, partition, offset, timestamp_ms, group, kind, reason,
    service, version, at_ms; and truncated_from_bytes if the broker did not take it whole.
    """
    return {
        key.removeprefix(PREFIX): (value or b"").decode(errors="replace")
        for key, value in headers
        if key.startswith(PREFIX)
    }


class DeadLetters:
    """Writes dead letters of one group. The producer is started and stopped by the sink that owns both."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        kafka: KafkaSettings,
        group: str,
        version: str,
        metrics: ChassisMetrics,
    ) -> None:
        self._producer = producer
        self._kafka = kafka
        self._group = group
        self._version = version
        self._metrics = metrics
        self.topic = topic_name(kafka, catalogue.dead_letters(group))

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the broker has acknowledged every one of them. Raises aiokafka's errors."""
        await asyncio.gather(*(self._send(letter) for letter in letters))

    async def _send(self, letter: DeadLetter) -> None:
        record = letter.record
        headers = [*_without_ours(record), *self._headers(letter)]
        try:
            await self._producer.send_and_wait(
                self.topic, value=record.value, key=record.key, headers=headers
            )
        except MessageSizeTooLargeError:
            # Better its head than a partition that stands still; the whole still lies at the origin.
            headers.append((f"{PREFIX}truncated_from_bytes", str(record.size_bytes).encode()))
            head = (record.value or b"")[:65536]
            await self._producer.send_and_wait(self.topic, value=head, headers=headers)
        self._metrics.dead_letters.labels(self._group, letter.kind).inc()
        _log.error(
            "dead letter: %s",
            letter.reason,
            extra={
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "kind": letter.kind,
            },
        )

    def _headers(self, letter: DeadLetter) -> list[tuple[str, bytes]]:
        record = letter.record
        facts = {
            "partition": record.partition,
            "offset": record.offset,
            "timestamp_ms": record.timestamp_ms,
            "group": self._group,
            "kind": letter.kind,
            "reason": letter.reason[:_REASON_CHARACTERS],
            "service": self._metrics.service,
            "version": self._version,
            "at_ms": time.time_ns() // 1_000_000,
        }
        origin = (ORIGIN_TOPIC_HEADER, topic_name(self._kafka, record.topic).encode())
        return [origin, *((PREFIX + key, str(value).encode()) for key, value in facts.items())]


def _without_ours(record: Record) -> list[tuple[str, bytes]]:
    """Headers of the origin; a letter that was replayed and failed again says where it failed last."""
    return [(key, value) for key, value in record.headers if not key.startswith(PREFIX)]
