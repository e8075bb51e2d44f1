"""The sink's order of things, with a broker in memory."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError
from balance_chassis.errors import Fatal
from balance_chassis.kafka import Record
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.settings import KafkaSettings
from balance_chassis.sink import Sink
from balance_schemas import catalogue

TOPIC = f"demo.{catalogue.PACKETS}"


@dataclass
class Message:
    offset: int
    value: bytes
    topic: str = TOPIC
    partition: int = 0
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int = 0


@dataclass
class Broker:
    """One partition, one group; says in `told` what happened in which order."""

    messages: list[Message]
    told: list[tuple[str, Any]] = field(default_factory=list)
    commit_errors: list[Exception] = field(default_factory=list)
    start_errors: list[Exception] = field(default_factory=list)
    position: int = 0

    async def start(self) -> None:
        if self.start_errors:
            raise self.start_errors.pop()

    async def stop(self) -> None:
        """Nothing to close."""

    def subscribe(self, topics: Sequence[str]) -> None:
        assert TOPIC in topics

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(TOPIC, 0)}

    async def getmany(self, timeout_ms: int, max_records: int) -> Any:  # noqa: ARG002 - as aiokafka names them
        taken = self.messages[self.position : self.position + max_records]
        self.position += len(taken)
        await asyncio.sleep(0.001)
        return {TopicPartition(TOPIC, 0): taken} if taken else {}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.commit_errors:
            raise self.commit_errors.pop()
        self.told.append(("committed", offsets[TopicPartition(TOPIC, 0)]))

    async def send_and_wait(self, topic: str, **record: Any) -> None:
        self.told.append(("dead letter", (topic, record["value"])))


def run(
    broker: Broker,
    handle: Callable[[Sequence[Any]], None] = lambda _: None,
    decode: Callable[[Record], Any] = lambda record: record,
    **options: Any,
) -> list[tuple[str, Any]]:
    """Run until the last offset is committed."""

    def told(values: Sequence[Any]) -> None:
        handle(values)
        broker.told.append(("handled", [value.offset for value in values]))

    async def main() -> None:
        anybody: Any = broker
        sink: Sink[Any] = Sink(
            topics=[catalogue.PACKETS],
            group="ingest-packets",
            kafka=KafkaSettings("nowhere", topic_prefix="demo.", max_record_bytes=100),
            decode=decode,
            handle=told,
            metrics=ChassisMetrics("trial"),
            new_consumer=lambda *_: anybody,
            new_producer=lambda *_: anybody,
            **{"max_wait_s": 0.01, **options},
        )
        stop = asyncio.Event()
        task = asyncio.create_task(sink.run(stop))
        async with asyncio.timeout(30):
            while sink.progress.done < len(broker.messages) and not task.done():
                await asyncio.sleep(0.001)
        stop.set()
        await task

    asyncio.run(main())
    return broker.told


def numbered(count: int) -> list[Message]:
    return [Message(offset, str(offset).encode()) for offset in range(count)]


def test_offsets_are_committed_after_their_batch_was_handled_and_in_order() -> None:
    assert run(Broker(numbered(5)), max_weight=2) == [
        ("handled", [0, 1]),
        ("committed", 2),
        ("handled", [2, 3]),
        ("committed", 4),
        ("handled", [4]),
        ("committed", 5),
    ]


def test_a_batch_is_cut_by_weight_and_a_heavy_record_stands_alone() -> None:
    told = run(Broker(numbered(6)), weight=lambda record: 50 if record.offset == 2 else 3, max_weight=7)
    assert [what for kind, what in told if kind == "handled"] == [[0, 1], [2], [3, 4], [5]]


def test_the_dead_letter_is_acknowledged_before_the_offset_moves() -> None:
    broker = Broker([Message(0, b"good"), Message(1, bytes(101))])
    assert run(broker) == [
        ("handled", [0]),
        ("dead letter", (f"demo.{catalogue.dead_letters('ingest-packets')}", bytes(101))),
        ("committed", 2),
    ]


def test_records_know_the_topic_of_the_catalogue_and_replayed_ones_their_origin() -> None:
    retry = f"demo.{catalogue.dead_letters_retry('ingest-packets')}"
    seen: list[str] = []
    broker = Broker(
        [Message(0, b""), Message(1, b"", topic=retry, headers=(("balance_dlq_topic", TOPIC.encode()),))]
    )
    run(broker, lambda records: seen.extend(record.topic for record in records))
    assert seen == [catalogue.PACKETS, catalogue.PACKETS]


def test_a_commit_that_comes_after_a_rebalance_is_no_error() -> None:
    broker = Broker(numbered(4), commit_errors=[CommitFailedError()])
    assert run(broker, max_weight=2) == [("handled", [0, 1]), ("handled", [2, 3]), ("committed", 4)]


def test_a_commit_that_the_broker_did_not_hear_is_repeated() -> None:
    broker = Broker(numbered(2), commit_errors=[KafkaConnectionError()])
    assert run(broker) == [("handled", [0, 1]), ("committed", 2)]


def test_a_broker_that_is_away_at_the_start_is_waited_for() -> None:
    broker = Broker(numbered(1), start_errors=[KafkaConnectionError(), KafkaConnectionError()])
    assert run(broker) == [("handled", [0]), ("committed", 1)]


def test_a_bug_of_the_decoding_is_a_dead_letter_and_too_many_end_the_process() -> None:
    def decode(record: Record) -> Record:
        if record.offset != 1:
            raise ZeroDivisionError
        return record

    broker = Broker(numbered(20))
    assert run(broker, decode=decode)[-1] == ("committed", 20)
    broker = Broker(numbered(30))
    with pytest.raises(Fatal):
        run(broker, decode=decode)
    assert broker.told == [("handled", [1])]


def test_while_a_dependency_is_away_nothing_is_handled_out_of_turn() -> None:
    away = iter([psycopg.OperationalError("away")] * 2)

    def handle(_: Sequence[Any]) -> None:
        for error in away:
            raise error

    told = run(Broker(numbered(4)), handle, max_weight=2)
    assert told == [("handled", [0, 1]), ("committed", 2), ("handled", [2, 3]), ("committed", 4)]
