"""What neither a sink nor an agent may lose, on a real broker and a real database (architecture §3)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from balance_chassis.errors import Fatal
from balance_chassis.kafka import ORIGIN_TOPIC_HEADER, make_producer, topic_name
from balance_schemas import catalogue

pytestmark = pytest.mark.stack
_ALL_AT_ONCE_S = 1.0


def test_every_record_is_stored_once_and_committed(either: Any) -> None:
    async def main() -> None:
        await either.send(range(5000))
        async with either.running(either.consumer()):
            await either.until_committed()

    asyncio.run(main())
    assert either.stored() == dict.fromkeys(range(5000), 1)


def test_bad_records_become_dead_letters_with_original_bytes(either: Any) -> None:
    async def main() -> Any:
        await either.send([1, b"garbage", 2, b"", 3])
        async with either.running(either.consumer()):
            await either.until_committed()
        return await either.dead_letters()

    letters = asyncio.run(main())
    assert set(either.stored()) == {1, 2, 3}
    assert sorted(letter.value for letter in letters) == [b"", b"garbage"]
    headers = dict(next(letter.headers for letter in letters if letter.value == b"garbage"))
    assert headers["balance_dlq_reason"] == b"expected digits, found b'garbage'"
    assert headers["balance_dlq_topic"].decode().endswith(catalogue.PACKETS)
    assert (headers["balance_dlq_partition"], headers["balance_dlq_offset"]) == (b"1", b"0")


def test_a_header_that_is_no_text_ends_nobody(either: Any) -> None:
    async def main() -> None:
        producer = make_producer(either.kafka)
        await producer.start()
        topic = topic_name(either.kafka, catalogue.PACKETS)
        for number, header in enumerate((b"\xff", None, b"")):
            await producer.send_and_wait(
                topic, str(number).encode(), b"k", headers=[(ORIGIN_TOPIC_HEADER, header)]
            )
        await producer.stop()
        async with either.running(either.consumer()):
            await either.until_committed()

    asyncio.run(main())
    assert either.stored() == dict.fromkeys(range(3), 1)


def test_a_large_record_is_a_dead_letter_of_its_own(either: Any) -> None:
    large = b"9" * 10_000_000

    async def main() -> Any:
        await either.send([1, large, 2])
        async with either.running(either.consumer()):
            await either.until_committed()
        return await either.dead_letters()

    (letter,) = asyncio.run(main())
    assert letter.value == large
    assert dict(letter.headers)["balance_dlq_kind"] == b"oversize"
    assert set(either.stored()) == {1, 2}


def test_a_handler_that_fails_on_one_record_loses_that_record_alone(either: Any) -> None:
    def handle(numbers: Sequence[int]) -> None:
        if 7 in numbers:
            raise ZeroDivisionError("seven")
        either.store(numbers)

    async def main() -> Any:
        await either.send(range(50))
        async with either.running(either.consumer(handle)):
            await either.until_committed()
        return await either.dead_letters()

    (letter,) = asyncio.run(main())
    assert letter.value == b"7"
    assert dict(letter.headers)["balance_dlq_reason"] == b"unforeseen ZeroDivisionError: seven"
    assert set(either.stored()) == set(range(50)) - {7}


def test_a_handler_that_fails_on_everything_ends_loudly_and_acknowledges_nothing(either: Any) -> None:
    def handle(_: Sequence[int]) -> None:
        raise ZeroDivisionError

    async def main() -> Any:
        await either.send(range(50))
        with pytest.raises(Fatal, match="at most 20") as ended:
            await either.consumer(handle, max_wait_s=_ALL_AT_ONCE_S).run(asyncio.Event())
        assert ended.value.exit_code == 70
        return await either.lag(), await either.dead_letters()

    assert asyncio.run(main()) == (50, [])


def test_a_transient_error_is_retried_in_place(either: Any) -> None:
    failures = iter(
        [psycopg.errors.DeadlockDetected(), psycopg.OperationalError("gone"), ConnectionResetError()]
    )

    def handle(numbers: Sequence[int]) -> None:
        for failure in failures:
            raise failure
        either.store(numbers)

    async def main() -> Any:
        await either.send(range(50))
        async with either.running(either.consumer(handle)):
            await either.until_committed()
        return await either.dead_letters()

    assert asyncio.run(main()) == []
    assert either.stored() == dict.fromkeys(range(50), 1)


def test_two_members_share_the_work_and_a_rebalance_in_the_middle_loses_nothing(either: Any) -> None:
    async def main() -> None:
        await either.send(range(600), spread=24)
        async with either.running(either.consumer(most=20)):
            await either.until(lambda: len(either.stored()) > 50)
            async with either.running(either.consumer(most=20)):
                await either.send(range(600, 1200), spread=24)
                await either.until(lambda: len(either.stored()) == 1200)
            await either.send(range(1200, 1500), spread=24)
            await either.until_committed()

    asyncio.run(main())
    assert set(either.stored()) == set(range(1500))


def test_a_dead_letter_that_was_replayed_is_handled_as_a_record_of_its_topic(either: Any) -> None:
    from balance_local import dead_letters

    broken = True

    def handle(numbers: Sequence[int]) -> None:
        if broken:
            raise ZeroDivisionError
        either.store(numbers)

    async def fails() -> None:
        await either.send([1])
        async with either.running(either.consumer(handle)):
            await either.until_committed()

    async def works() -> None:
        async with either.running(either.consumer(handle)):
            await either.until(lambda: either.stored() == {1: 1})

    asyncio.run(fails())
    broken = False
    assert dead_letters.replay(either.kafka, "ingest-packets") == {"ingest-packets": 1}
    asyncio.run(works())
