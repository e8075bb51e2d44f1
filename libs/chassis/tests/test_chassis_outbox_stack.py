"""The outbox: nothing skipped, nothing forgotten before it is acknowledged."""

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from balance_chassis.errors import Fatal
from balance_chassis.kafka import make_producer
from balance_chassis.lanes import BACKLOG
from balance_chassis.migrations import migrate
from balance_chassis.outbox import Outbox, OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing, Publisher
from balance_kernel.calendar import Calendar
from balance_schemas import catalogue

pytestmark = pytest.mark.stack
TOPIC = catalogue.PACKETS
OUTBOX = Outbox("trial")


def render(conn: psycopg.Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
    """The keys are numbers; their state is how often each was stored, which stands for its version."""
    outgoing = []
    for topic, keys in keys_by_topic(rows).items():
        state = conn.execute("SELECT number, times FROM stored WHERE number = ANY (%s)", [keys])
        outgoing += [
            Outgoing(topic, str(number).encode(), json.dumps(version).encode()) for number, version in state
        ]
    return outgoing


@pytest.fixture
def outboxed(trial: Any) -> Any:
    migrate(trial.installation.dsn, "trial", None, Calendar())
    return trial


def change(conn: psycopg.Connection[Any], *numbers: int) -> None:
    for number in numbers:
        conn.execute(
            "INSERT INTO stored VALUES (%s, 1) ON CONFLICT (number) DO UPDATE SET times = stored.times + 1",
            [number],
        )
    OUTBOX.add(conn, TOPIC, numbers)


def publisher(trial: Any, using: Any = render) -> Publisher:
    return Publisher(
        trial.pool, "trial", make_producer(trial.kafka), using, kafka=trial.kafka, metrics=trial.metrics
    )


def left(trial: Any) -> int:
    with psycopg.connect(trial.installation.dsn) as conn:
        row = conn.execute("SELECT count(*) FROM trial.outbox").fetchone()
        assert row
        return int(row[0])


async def published(trial: Any) -> list[tuple[int, int]]:
    return sorted((int(record.key), int(record.value)) for record in await trial.read(TOPIC))


def test_what_is_named_is_sent_as_it_stands_and_forgotten(outboxed: Any) -> None:
    async def main() -> list[tuple[int, int]]:
        with psycopg.connect(outboxed.installation.dsn) as conn:
            change(conn, 1, 2)
            change(conn, 2)
        async with outboxed.running(publisher(outboxed)):
            await outboxed.until(lambda: left(outboxed) == 0)
        return await published(outboxed)

    assert asyncio.run(main()) == [(1, 1), (2, 2)]


def test_a_row_that_commits_late_is_not_skipped(outboxed: Any) -> None:
    async def main() -> list[tuple[int, int]]:
        dsn = outboxed.installation.dsn
        with psycopg.connect(dsn) as early, psycopg.connect(dsn) as late:
            change(early, 1)  # takes the smaller id
            change(late, 2)
            late.commit()
            async with outboxed.running(publisher(outboxed)):
                await outboxed.until(lambda: left(outboxed) == 0)
                early.commit()
                await outboxed.until(lambda: left(outboxed) == 0)
        return await published(outboxed)

    assert asyncio.run(main()) == [(1, 1), (2, 1)]


def test_cut_off_between_acknowledgement_and_deletion_it_sends_the_same_again(outboxed: Any) -> None:
    class Cut(Outbox):
        def forget(self, *_: Any) -> None:
            raise Fatal("killed here")

    async def main() -> list[tuple[int, int]]:
        with psycopg.connect(outboxed.installation.dsn) as conn:
            change(conn, 1)
        cut = publisher(outboxed)
        cut._outbox = Cut("trial")
        with pytest.raises(Fatal):
            await cut.run(asyncio.Event())
        assert left(outboxed) == 1
        async with outboxed.running(publisher(outboxed)):
            await outboxed.until(lambda: left(outboxed) == 0)
        return await published(outboxed)

    assert asyncio.run(main()) == [(1, 1), (1, 1)]


def test_an_error_of_the_rendering_forgets_nothing_and_ends_loudly_if_it_lasts(
    outboxed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("balance_chassis.publisher._AFTER_ERROR_S", 0.001)

    def broken(*_: Any) -> Sequence[Outgoing]:
        raise ZeroDivisionError

    with psycopg.connect(outboxed.installation.dsn) as conn:
        change(conn, 1)

    async def main() -> None:
        await publisher(outboxed, broken).run(asyncio.Event())

    with pytest.raises(Fatal, match="at most 20"):
        asyncio.run(main())
    assert left(outboxed) == 1


@pytest.mark.parametrize("known", [True, False], ids=["by the catalogue", "by the broker"])
def test_a_record_too_large_is_given_up_and_all_others_are_sent(
    small_records: Any, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    topic = catalogue.FINDINGS
    huge = os.urandom(catalogue.load().topics[topic].max_message_bytes)
    if not known:
        monkeypatch.setattr(Publisher, "_fits", lambda *_: True)

    def rendered(_: object, rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        values = {1: b"1", 2: huge, 3: b"3", 4: b"4"}
        return [Outgoing(topic, b"k", values[key]) for row in rows for key in row.keys]

    trial = small_records
    migrate(trial.installation.dsn, "trial", None, Calendar())

    async def main() -> list[bytes]:
        async with trial.running(publisher(trial, rendered)):
            for keys in ([1, 2, 3], [4]):
                with psycopg.connect(trial.installation.dsn) as conn:
                    OUTBOX.add(conn, topic, keys)
                await trial.until(lambda: left(trial) == 0)
        return [record.value for record in await trial.read(topic)]

    assert asyncio.run(main()) == [b"1", b"3", b"4"]
    assert trial.metrics.unpublished.labels(topic)._value.get() == 1
    assert trial.metrics.published.labels(topic)._value.get() == 3
    assert trial.metrics.errors.labels("publisher trial")._value.get() == 0


def test_live_rows_are_claimed_before_backlog_and_by_one_at_a_time(outboxed: Any) -> None:
    dsn = outboxed.installation.dsn
    with psycopg.connect(dsn) as conn:
        OUTBOX.add(conn, TOPIC, [1], lane=BACKLOG)
        OUTBOX.add(conn, TOPIC, [["a", 2]])
        OUTBOX.add(conn, TOPIC, [])
    with psycopg.connect(dsn) as one, psycopg.connect(dsn) as other:
        (first,) = OUTBOX.claim(one, 1)
        (second,) = OUTBOX.claim(other, 9)
    assert (first.keys, second.keys) == ([["a", 2]], [1])
    assert keys_by_topic([first, second, second]) == {TOPIC: [("a", 2), 1]}
