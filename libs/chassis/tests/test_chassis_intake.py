"""The intake: what is collected, when it is handed over, and that polling goes on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition
from balance_chassis.intake import Intake


@dataclass
class Message:
    offset: int
    value: bytes = b"x"


class Consumer:
    """Answers `getmany` at once with what lies ready, and remembers how it was asked."""

    def __init__(self) -> None:
        self.ready: list[Message] = []
        self.asked: list[tuple[int, int | None, bool]] = []
        self._paused: set[TopicPartition] = set()
        self._at = TopicPartition("t", 0)

    async def getmany(self, timeout_ms: int, max_records: int | None = None) -> Any:
        self.asked.append((timeout_ms, max_records, bool(self._paused)))
        taken, self.ready = self.ready[:max_records], self.ready[max_records:] if max_records else []
        return {self._at: taken} if taken else {}

    def assignment(self) -> set[TopicPartition]:
        return {self._at}

    def paused(self) -> set[TopicPartition]:
        return set(self._paused)

    def pause(self, *partitions: TopicPartition) -> None:
        self._paused |= set(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._paused -= set(partitions)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def tried(test: Callable[[Consumer, Intake, Clock], Any]) -> None:
    async def main() -> None:
        consumer, clock = Consumer(), Clock()
        await test(consumer, Intake(consumer, 10, 0.25, 30.0, clock), clock)

    asyncio.run(main())


async def polled(intake: Intake) -> None:
    poll = intake.advance()
    if poll:
        await poll
    intake.advance()


def test_it_is_due_when_full() -> None:
    async def test(consumer: Consumer, intake: Intake, _: Clock) -> None:
        consumer.ready = [Message(n) for n in range(9)]
        await polled(intake)
        assert not intake.is_due()
        consumer.ready = [Message(n) for n in range(9, 20)]
        await polled(intake)
        assert intake.is_due()
        assert [message.offset for message in intake.take()] == list(range(10))
        assert not intake.is_due()

    tried(test)


def test_it_is_due_when_the_oldest_has_waited() -> None:
    async def test(consumer: Consumer, intake: Intake, clock: Clock) -> None:
        consumer.ready = [Message(0)]
        await polled(intake)
        clock.now = 0.2
        assert not intake.is_due()
        assert intake.seconds_to_act(busy=False) == pytest.approx(0.05)
        assert intake.seconds_to_act(busy=True) is None
        clock.now = 0.25
        assert intake.is_due()

    tried(test)


def test_it_asks_for_as_much_as_weighs_a_batch() -> None:
    async def test(consumer: Consumer, intake: Intake, _: Clock) -> None:
        await polled(intake)
        for _n in range(20):
            intake.learn(1, 5)
        await polled(intake)
        await polled(intake)
        asked = [records for _ms, records, _paused in consumer.asked]
        assert asked[0] == 10
        assert asked[-1] in (2, 3)

    tried(test)


def test_full_for_long_it_polls_with_paused_partitions_and_keeps_what_a_rebalance_brings() -> None:
    async def test(consumer: Consumer, intake: Intake, clock: Clock) -> None:
        consumer.ready = [Message(n) for n in range(10)]
        await polled(intake)
        calls = len(consumer.asked)
        assert intake.advance() is None
        assert intake.seconds_to_act(busy=True) == 30.0
        clock.now = 30.0
        consumer.ready = [Message(99)]
        await polled(intake)
        assert consumer.asked[calls:] == [(0, None, True)]
        assert consumer.paused() == set()
        assert [message.offset for message in intake.take()] == [*range(10), 99]

    tried(test)


def test_many_bytes_are_enough_whatever_they_weigh() -> None:
    async def test(consumer: Consumer, intake: Intake, _: Clock) -> None:
        consumer.ready = [Message(0, bytes(65 * 1024 * 1024))]
        await polled(intake)
        assert intake.is_due()

    tried(test)
