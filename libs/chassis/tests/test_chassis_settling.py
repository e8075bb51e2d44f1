"""What becomes of the values of a batch: in which calls they are handled, how failures are counted."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from balance_chassis.dead_letters import about
from balance_chassis.errors import BadRecord, Fatal
from balance_chassis.kafka import ORIGIN_TOPIC_HEADER, Record, origin_of
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.patience import Progress
from balance_chassis.settings import KafkaSettings
from balance_chassis.settling import Settler
from balance_chassis.threads import OneThread
from balance_schemas import catalogue


@dataclass
class Letters:
    """A producer that keeps what it is sent."""

    values: list[bytes] = field(default_factory=list)

    async def send_and_wait(self, _topic: str, *, value: bytes, **_given: Any) -> None:
        self.values.append(value)


def settled(
    handle: Callable[[Sequence[str]], None], words: Sequence[str], progress: Progress, **given: Any
) -> list[bytes]:
    """Letters that come of a batch of words."""
    letters = Letters()

    async def main() -> None:
        settler: Settler[str] = Settler(
            progress,
            group="imbalance-onset",
            kafka=KafkaSettings("nowhere"),
            decode=lambda record: (record.value or b"").decode(),
            handle=handle,
            metrics=ChassisMetrics("trial"),
            **given,
        )
        thread = OneThread("trial")
        settler.open(letters, thread, asyncio.Event())
        records = (
            Record(catalogue.IMBALANCE, 0, offset, b"k", word.encode(), (), 0)
            for offset, word in enumerate(words)
        )
        await settler.settle([settler.item(record) for record in records])
        thread.close()

    asyncio.run(main())
    return letters.values


def test_a_long_batch_is_handled_in_parts_and_each_shows() -> None:
    progress, handled = Progress("trial"), []

    def handle(words: Sequence[str]) -> None:
        handled.append((list(words), progress.done))

    assert settled(handle, ["a1", "b1", "a2", "c1"], progress, key=lambda word: word[0], at_once=1) == []
    assert handled == [(["a1", "a2"], 0), (["b1"], 1), (["c1"], 2)]


def test_a_thing_that_many_records_tell_of_is_one_failure_and_the_others_are_handled() -> None:
    """25 records of one key: by record they would be more than the 20 that are borne."""
    handled: Counter[str] = Counter()

    def handle(words: Sequence[str]) -> None:
        if any(word[0] == "p" for word in words):
            raise ZeroDivisionError("poisoned")
        handled.update(words)

    words = [word for n in range(25) for word in (f"p{n}", f"g{n}")]
    for at_once in (1, 10, None):
        handled.clear()
        letters = settled(
            handle, [*words, "h0"], Progress("trial"), key=lambda word: word[0], at_once=at_once
        )
        assert letters == [f"p{n}".encode() for n in range(25)]
        assert handled == {**{f"g{n}": 1 for n in range(25)}, "h0": 1}


def test_failures_of_too_many_things_are_fatal_and_no_letter_is_sent() -> None:
    def handle(_: Sequence[str]) -> None:
        raise ZeroDivisionError

    words = [f"{n:02}" for n in range(21)]
    with pytest.raises(Fatal, match="at most 20"):
        settled(handle, words, Progress("trial"), key=lambda word: word, at_once=1)
    assert len(settled(handle, words[1:], Progress("trial"), key=lambda word: word, at_once=1)) == 20


def test_however_many_are_refused_by_the_handler_the_others_are_handled() -> None:
    handled: list[str] = []

    def handle(words: Sequence[str]) -> None:
        if any(word.startswith("bad") for word in words):
            raise BadRecord("expected something good")
        handled.extend(words)

    words = [*(f"bad{n}" for n in range(30)), "good"]
    assert len(settled(handle, words, Progress("trial"))) == 30
    assert handled == ["good"]


@pytest.mark.parametrize("said", [None, b"\xff", b""])
def test_a_header_that_names_no_topic_says_nothing(said: bytes | None) -> None:
    assert origin_of([("other", b"\xff"), (ORIGIN_TOPIC_HEADER, said)], "demo.topic") == "demo.topic"
    assert origin_of([(ORIGIN_TOPIC_HEADER, b"demo.first")], "demo.topic") == "demo.first"


def test_headers_of_a_letter_are_read_whatever_they_hold() -> None:
    assert about([("balance_dlq_reason", b"\xff!"), ("balance_dlq_at_ms", None)]) == {  # type: ignore[list-item]
        "reason": "�!",
        "at_ms": "",
    }
