"""What a sink must not lose, on a real broker and a real database (architecture §3)."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from balance_chassis.errors import Fatal
from balance_schemas import catalogue

pytestmark = pytest.mark.stack


def test_every_record_is_stored_once_and_committed(trial: Any) -> None:
    async def main() -> None:
        await trial.send(range(5000))
        async with trial.running(trial.sink()):
            await trial.until_committed()

    asyncio.run(main())
    assert trial.stored() == dict.fromkeys(range(5000), 1)


def test_bad_records_become_dead_letters_with_original_bytes(trial: Any) -> None:
    async def main() -> Any:
        await trial.send([1, b"garbage", 2, b"", 3])
        async with trial.running(trial.sink()):
            await trial.until_committed()
        return await trial.dead_letters()

    letters = asyncio.run(main())
    assert set(trial.stored()) == {1, 2, 3}
    assert sorted(letter.value for letter in letters) == [b"", b"garbage"]
    headers = dict(next(letter.headers for letter in letters if letter.value == b"garbage"))
    assert headers["balance_dlq_reason"] == b"expected digits, found b'garbage'"
    assert headers["balance_dlq_topic"].decode().endswith(catalogue.PACKETS)
    assert (headers["balance_dlq_partition"], headers["balance_dlq_offset"]) == (b"1", b"0")


def test_a_large_record_is_a_dead_letter_of_its_own(trial: Any) -> None:
    large = b"9" * 10_000_000

    async def main() -> Any:
        await trial.send([1, large, 2])
        async with trial.running(trial.sink()):
            await trial.until_committed()
        return await trial.dead_letters()

    (letter,) = asyncio.run(main())
    assert letter.value == large
    assert dict(letter.headers)["balance_dlq_kind"] == b"oversize"
    assert set(trial.stored()) == {1, 2}


def test_a_handler_that_fails_on_one_record_loses_that_record_alone(trial: Any) -> None:
    def handle(numbers: Sequence[int]) -> None:
        if 7 in numbers:
            raise ZeroDivisionError("seven")
        trial.store(numbers)

    async def main() -> Any:
        await trial.send(range(50))
        async with trial.running(trial.sink(handle)):
            await trial.until_committed()
        return await trial.dead_letters()

    (letter,) = asyncio.run(main())
    assert letter.value == b"7"
    assert dict(letter.headers)["balance_dlq_reason"] == b"unforeseen ZeroDivisionError: seven"
    assert set(trial.stored()) == set(range(50)) - {7}


def test_a_handler_that_fails_on_everything_ends_loudly_and_acknowledges_nothing(trial: Any) -> None:
    def handle(_: Sequence[int]) -> None:
        raise ZeroDivisionError

    async def main() -> Any:
        await trial.send(range(50))
        with pytest.raises(Fatal, match="at most 20") as ended:
            await trial.sink(handle).run(asyncio.Event())
        assert ended.value.exit_code == 70
        return await trial.lag(), await trial.dead_letters()

    assert asyncio.run(main()) == (50, [])


def test_a_transient_error_is_retried_in_place(trial: Any) -> None:
    failures = iter(
        [psycopg.errors.DeadlockDetected(), psycopg.OperationalError("gone"), ConnectionResetError()]
    )

    def handle(numbers: Sequence[int]) -> None:
        for failure in failures:
            raise failure
        trial.store(numbers)

    async def main() -> Any:
        await trial.send(range(50))
        async with trial.running(trial.sink(handle)):
            await trial.until_committed()
        return await trial.dead_letters()

    assert asyncio.run(main()) == []
    assert trial.stored() == dict.fromkeys(range(50), 1)


def test_two_members_share_the_work_and_a_rebalance_in_the_middle_loses_nothing(trial: Any) -> None:
    async def main() -> None:
        await trial.send(range(600), spread=24)
        async with trial.running(trial.sink(max_weight=20)):
            await trial.until(lambda: len(trial.stored()) > 50)
            async with trial.running(trial.sink(max_weight=20)):
                await trial.send(range(600, 1200), spread=24)
                await trial.until(lambda: len(trial.stored()) == 1200)
            await trial.send(range(1200, 1500), spread=24)
            await trial.until_committed()

    asyncio.run(main())
    assert set(trial.stored()) == set(range(1500))


def test_a_dead_letter_that_was_replayed_is_handled_as_a_record_of_its_topic(trial: Any) -> None:
    from balance_local import dead_letters

    broken = True

    def handle(numbers: Sequence[int]) -> None:
        if broken:
            raise ZeroDivisionError
        trial.store(numbers)

    async def fails() -> None:
        await trial.send([1])
        async with trial.running(trial.sink(handle)):
            await trial.until_committed()

    async def works() -> None:
        async with trial.running(trial.sink(handle)):
            await trial.until(lambda: trial.stored() == {1: 1})

    asyncio.run(fails())
    broken = False
    assert dead_letters.replay(trial.kafka, "ingest-packets") == {"ingest-packets": 1}
    asyncio.run(works())
