"""What Faust 0.15.3 loses messages by, and that an agent does not (architecture §3), on a real broker."""

import asyncio
import gc
import os
import signal
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

import faust
import pytest
from balance_chassis import agents
from balance_chassis.agents import Agent
from balance_chassis.errors import Fatal
from balance_chassis.faust_app import new_app, refuse_unsafe
from balance_chassis.kafka import topic_name
from balance_chassis.lifecycle import Process, run_process
from balance_chassis.patience import Stopped
from balance_schemas import catalogue

pytestmark = pytest.mark.stack
GROUP, TOPIC = "ingest-packets", catalogue.PACKETS
_PATIENCE_S = 60.0
_LEFT_OVER_S = 5.0
gives_up = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Of a test whose application is given up with its connections open, as its process would end with it."""


def run_and_leave(main: Coroutine[Any, Any, None]) -> None:
    """Run it as a process that ends with it would: what is left over of an application that was given up is
    not waited for, as `asyncio.run` does for ever when a task swallows its cancellation.
    """
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main)
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_LEFT_OVER_S))
    finally:
        loop.close()
        gc.collect()  # complaints about it are this test's


class Broken(Agent[int]):
    """An agent in whose own machinery something breaks once some records were settled."""

    breaks: Callable[[], BaseException] = RuntimeError

    def _items(self, messages: Sequence[Any]) -> Any:
        items = super()._items(messages)
        if any(message.value == b"7" for message in messages):
            raise self.breaks()
        return items


def actor_of(agent: Agent[int]) -> Any:
    """The task of Faust that the agent's body runs in."""
    app: Any = agent._consumer.app
    (actor,) = next(iter(app.agents.values()))._actors
    return actor.actor_task


def broken(trial: Any, breaks: Callable[[], BaseException], **options: Any) -> Agent[int]:
    agent: Agent[int] = trial.agent(**options)
    agent.__class__ = Broken
    agent.breaks = breaks  # type: ignore[attr-defined]
    return agent


@pytest.mark.parametrize("most", [1, 10, 500])
def test_an_exception_in_the_body_ends_the_process_and_nothing_unsettled_is_committed(
    trial: Any, most: int
) -> None:
    """With Faust alone, what an agent takes when an exception leaves it is acknowledged, a whole take too."""

    async def main() -> None:
        await trial.send(range(50), spread=1)
        with pytest.raises(RuntimeError):
            await broken(trial, RuntimeError, max_records=most).run(asyncio.Event())
        stored = set(trial.stored())
        assert stored == set(range(len(stored)))
        assert 7 not in stored
        assert await trial.lag() >= 50 - len(stored)
        async with trial.running(trial.agent()):
            await trial.until_committed()

    asyncio.run(main())
    assert set(trial.stored()) == set(range(50))


@gives_up
def test_a_crash_that_reaches_the_supervisor_of_faust_ends_the_process(trial: Any) -> None:
    """Faust's supervisor starts a crashed actor again, which goes on after the message that crashed it."""

    async def main() -> None:
        await trial.send(range(50), spread=1)
        agent = trial.agent()
        task = asyncio.create_task(agent.run(asyncio.Event()))
        await trial.until(lambda: agent.progress.done == 50)
        await agent._consumer.app.crash(ZeroDivisionError("crashed"))
        with pytest.raises(Fatal, match="Faust ended by itself: ZeroDivisionError"):
            await asyncio.wait_for(task, 60)
        await trial.send(range(50, 60), spread=1)
        async with trial.running(trial.agent()):
            await trial.until_committed()

    run_and_leave(main())
    assert set(trial.stored()) == set(range(60))


@gives_up
@pytest.mark.parametrize("is_handled", [False, True])
def test_an_actor_that_is_cancelled_acknowledges_nothing_of_what_it_had_in_hand(
    trial: Any, is_handled: bool
) -> None:
    """`take` acknowledges in a `finally`, however its agent is left; its stream in C goes on and does so."""
    entered, release = threading.Event(), threading.Event()

    def handle(_: Sequence[int]) -> None:
        entered.set()
        release.wait(_PATIENCE_S)
        raise Stopped

    async def main() -> None:
        await trial.send(range(50), spread=1)
        agent = trial.agent(handle)
        task = asyncio.create_task(agent.run(asyncio.Event()))
        await trial.until(
            lambda: agent.progress.ready and agent._consumer.unacked and (entered.is_set() or not is_handled)
        )
        actor_of(agent).cancel()
        await asyncio.sleep(2)  # two intervals of committing
        assert await trial.lag() == 50
        release.set()
        with pytest.raises(Fatal, match="Faust cancelled it"):
            await asyncio.wait_for(task, _PATIENCE_S)
        assert await trial.lag() == 50

    run_and_leave(main())


@gives_up
def test_what_is_stored_after_an_actor_was_cancelled_moves_no_offset_over_what_it_dropped(trial: Any) -> None:
    entered, release = threading.Event(), threading.Event()

    def handle(numbers: Sequence[int]) -> None:
        entered.set()
        release.wait(_PATIENCE_S)
        trial.store(numbers)

    async def main() -> None:
        await trial.send(range(200), spread=1)
        agent = trial.agent(handle, max_records=5)
        task = asyncio.create_task(agent.run(asyncio.Event()))
        await trial.until(lambda: agent.progress.ready and entered.is_set())
        actor_of(agent).cancel()
        release.set()
        with pytest.raises(Fatal, match="Faust cancelled it"):
            await asyncio.wait_for(task, _PATIENCE_S)
        async with trial.running(trial.agent()):
            await trial.until_committed()

    run_and_leave(main())
    assert set(trial.stored()) == set(range(200))


def test_nothing_is_committed_before_its_transaction_ended(trial: Any) -> None:
    """With `noack`, or with a stream that acknowledges what it hands out, the offset moves before."""
    entered, release = threading.Event(), threading.Event()

    def handle(numbers: Sequence[int]) -> None:
        entered.set()
        release.wait(_PATIENCE_S)
        trial.store(numbers)

    async def main() -> None:
        await trial.send(range(50))
        async with trial.running(trial.agent(handle)):
            await trial.until(entered.is_set)
            await asyncio.sleep(2.5)  # two intervals of committing
            assert await trial.lag() == 50
            release.set()
            await trial.until_committed()

    asyncio.run(main())
    assert trial.stored() == dict.fromkeys(range(50), 1)


def test_settings_by_which_faust_loses_messages_are_refused(trial: Any) -> None:
    async def nothing(stream: Any) -> None:
        async for _ in stream:
            pass

    def changed(change: Callable[[Any], None]) -> str:
        app: Any = new_app(trial.kafka, "refused", [topic_name(trial.kafka, TOPIC)], nothing)
        with warnings.catch_warnings(action="ignore"):  # that it is late to set this
            change(app)
        with pytest.raises(Fatal) as refused:
            refuse_unsafe(app)
        return str(refused.value)

    def two_actors(app: Any) -> None:
        app.agent(app.topic("t"), name="second", concurrency=2)(nothing)

    async def main() -> None:
        assert "second: concurrency=2" in changed(two_actors)
        assert "stream_wait_empty=False" in changed(lambda app: setattr(app.conf, "stream_wait_empty", False))
        assert "processing_guarantee=EXACTLY_ONCE" in changed(
            lambda app: setattr(app.conf, "processing_guarantee", "exactly_once")
        )
        assert "topic_allow_declare=True" in changed(
            lambda app: setattr(app.conf, "topic_allow_declare", True)
        )
        assert "tables: counts" in changed(lambda app: app.Table("counts"))
        assert "a transport or stream that acknowledges" in changed(
            lambda app: setattr(app, "transport", faust.App("plain", broker="kafka://x").transport)
        )

    asyncio.run(main())


def test_stopped_in_the_middle_it_finishes_what_is_in_hand_and_commits_it(trial: Any) -> None:
    """With `stream_wait_empty` off, Faust stops over messages that were taken and not yet stored."""
    entered, release = threading.Event(), threading.Event()

    def handle(numbers: Sequence[int]) -> None:
        entered.set()
        release.wait(10)
        trial.store(numbers)

    async def main() -> Counter[int]:
        await trial.send(range(200), spread=1)
        stop = asyncio.Event()
        agent = trial.agent(handle, max_records=10)
        task = asyncio.create_task(agent.run(stop))
        await trial.until(entered.is_set)
        stop.set()
        await asyncio.sleep(1)
        release.set()
        await task
        stored: Counter[int] = trial.stored()
        assert len(stored) >= 10
        assert await trial.lag() == 200 - len(stored)
        async with trial.running(trial.agent()):
            await trial.until_committed()
        return trial.stored()  # type: ignore[no-any-return]

    assert asyncio.run(main()) == dict.fromkeys(range(200), 1)


def test_sigterm_stops_a_process_in_order_with_an_agent_beside_others(trial: Any) -> None:
    stopped: list[str] = []

    class Beside:
        """Something named first, which must be the last to stop."""

        name = "beside"

        def __init__(self) -> None:
            self.progress = trial.sink().progress.__class__("beside", ready=True)

        async def run(self, stop: asyncio.Event) -> None:
            await stop.wait()
            stopped.append(f"beside, after {len(trial.stored())} were stored")

    def build(_: Process) -> Sequence[Any]:
        return [Beside(), trial.agent(store_then_end, max_wait_s=1.0)]  # all in one batch

    def store_then_end(numbers: Sequence[int]) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        trial.store(numbers)

    asyncio.run(trial.send(range(30), spread=1))
    assert run_process("trial", "agents", build, trial.installation.settings()) == 0
    assert stopped == ["beside, after 30 were stored"]
    assert asyncio.run(trial.lag()) == 0


def test_values_of_a_key_are_handled_together_and_keys_in_turn(trial: Any) -> None:
    batches: list[list[int]] = []

    def handle(numbers: Sequence[int]) -> None:
        batches.append(list(numbers))
        trial.store(numbers)

    async def main() -> None:
        await trial.send([*range(100), *range(100)], spread=1)
        async with trial.running(
            trial.agent(handle, key=lambda number: number % 10, at_once=1, max_wait_s=1.0)
        ):
            await trial.until_committed()

    asyncio.run(main())
    assert all(len({number % 10 for number in batch}) == 1 for batch in batches)
    assert len(batches) < 50
    assert trial.stored() == dict.fromkeys(range(100), 2)


def test_records_without_key_or_value_and_with_headers_come_as_they_are(trial: Any) -> None:
    seen: list[tuple[Any, ...]] = []

    def decode(record: Any) -> int:
        seen.append((record.topic, record.key, record.value, record.headers, record.timestamp_ms > 10**12))
        return 1

    async def main() -> None:
        from balance_chassis.kafka import make_producer

        producer = make_producer(trial.kafka)
        await producer.start()
        await producer.send_and_wait(topic_name(trial.kafka, TOPIC), None, b"key", headers=[("a", b"1")])
        await producer.send_and_wait(topic_name(trial.kafka, TOPIC), b"\x00\xff")
        await producer.stop()
        agent = trial.agent()
        agent._settler._decode = decode
        async with trial.running(agent):
            await trial.until_committed()

    asyncio.run(main())
    assert sorted(seen, key=repr) == sorted(
        [(TOPIC, b"key", None, (("a", b"1"),), True), (TOPIC, None, b"\x00\xff", (), True)], key=repr
    )


def test_after_a_reset_of_its_connection_the_agent_still_learns_of_the_cluster(trial: Any) -> None:
    """The default connection is reset while its reader has an exception and no end of file."""

    async def reset(client: Any) -> None:
        connection = next(conn for (_node, group), conn in client._conns.items() if group.value == 0)
        connection._reader.feed_eof = lambda: None
        client.force_metadata_update()
        connection._writer.transport.abort()
        await asyncio.sleep(0.5)  # what is reset is noticed by who writes
        assert not client._sync_task.done()
        connection.close()
        while not await client.force_metadata_update():
            pass  # the one under way when the connection broke may say no

    async def main() -> None:
        agent = trial.agent()
        async with trial.running(agent):
            await trial.send([1])
            await trial.until_committed()
            client = agent._consumer._thread._consumer._client
            resetting = asyncio.run_coroutine_threadsafe(reset(client), agent._consumer.thread_loop)
            await asyncio.wait_for(asyncio.wrap_future(resetting), 6)
            await trial.send([2])
            await trial.until_committed()

    asyncio.run(main())
    assert trial.stored() == {1: 1, 2: 1}


@gives_up
def test_an_application_that_never_ends_does_not_keep_its_agent(
    trial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it dies with the process (test_chassis_lifecycle)."""
    monkeypatch.setattr(agents, "_GRACE_S", 0.2)
    monkeypatch.setattr(agents, "_GIVING_UP_S", 0.2)

    async def main() -> None:
        stop, release = asyncio.Event(), asyncio.Event()

        async def never() -> None:
            while not release.is_set():
                with suppress(asyncio.CancelledError):
                    await release.wait()

        agent = trial.agent()
        task = asyncio.create_task(agent.run(stop))
        await trial.until(lambda: agent.progress.ready)
        app: Any = agent._consumer.app
        end, app.stop = app.stop, never
        stop.set()
        await asyncio.wait_for(task, 20)
        release.set()
        await end()

    run_and_leave(main())


def test_a_long_batch_shows_that_it_goes_on_and_is_committed_at_its_end(trial: Any) -> None:
    """Seen by the watchdog after each part; no offset moves before the last."""
    seen: list[tuple[int, int]] = []
    lags: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await trial.send(range(30), spread=1)

        def handle(numbers: Sequence[int]) -> None:
            seen.append((len(numbers), agent.progress.done))
            lags.append(asyncio.run_coroutine_threadsafe(trial.lag(), loop).result())
            trial.store(numbers)

        agent = trial.agent(handle, at_once=10, max_wait_s=3.0)
        async with trial.running(agent):
            await trial.until_committed()
        assert agent.progress.done == 30

    asyncio.run(main())
    assert [done for _, done in seen] == sorted({done for _, done in seen})
    assert (max(count for count, _ in seen), set(lags)) == (10, {30})
    assert trial.stored() == dict.fromkeys(range(30), 1)


def test_uvloop_is_refused(trial: Any) -> None:
    """A loop of uvloop, as far as its name goes."""
    loop_class = type("Loop", (asyncio.SelectorEventLoop,), {"__module__": "uvloop"})
    loop = loop_class()
    try:
        with pytest.raises(Fatal, match="found uvloop"):
            loop.run_until_complete(trial.agent().run(asyncio.Event()))
    finally:
        loop.close()
