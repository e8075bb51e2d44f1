"""The worker: goes on while there is work, waits for what is away, ends when it is broken."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from balance_chassis.errors import Fatal
from balance_chassis.metrics import ChassisMetrics
from balance_chassis.worker import Worker


def run(step: Callable[[asyncio.Event], int], **options: Any) -> Worker:
    """Run until the step sets the event it is given."""

    async def main() -> Worker:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def stepped() -> int:
            ended = asyncio.Event()
            done = step(ended)
            if ended.is_set():
                loop.call_soon_threadsafe(stop.set)
            return done

        worker = Worker("trial", stepped, metrics=ChassisMetrics("trial"), idle_s=0.001, **options)
        await asyncio.wait_for(worker.run(stop), 30)
        return worker

    return asyncio.run(main())


def test_it_steps_until_stopped_and_counts_what_was_done() -> None:
    results = [3, 0, 2]

    def step(stop: asyncio.Event) -> int:
        if len(results) == 1:
            stop.set()
        return results.pop(0)

    assert run(step).progress.done == 5


def test_it_idles_the_longer_the_longer_a_step_took() -> None:
    began: list[float] = []

    def step(stop: asyncio.Event) -> int:
        began.append(time.monotonic())
        time.sleep(0.02)
        if len(began) == 2:
            stop.set()
        return 0

    run(step, share=0.1)
    assert began[1] - began[0] >= 0.2


def test_it_gives_way_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balance_chassis.worker._GIVES_WAY_S", 0.2)
    asked: list[float] = []
    began: list[float] = []

    def gives_way() -> bool:
        asked.append(time.monotonic())
        return len(began) < 2

    def step(stop: asyncio.Event) -> int:
        began.append(time.monotonic())
        if len(began) == 3:
            stop.set()
        return 1

    run(step, gives_way=gives_way)
    assert len(asked) > 2
    assert began[1] - began[0] >= 0.2
    assert began[2] - began[1] < 0.2


def test_waiting_for_a_dependency_is_not_taken_for_work() -> None:
    failures = [psycopg.OperationalError("away"), psycopg.OperationalError("still away")]
    steps = [0, 0]

    def step(stop: asyncio.Event) -> int:
        if failures:
            raise failures.pop()
        if len(steps) == 1:
            stop.set()
        return steps.pop()

    # At this share, work as long as that waiting is followed by a minute of rest: longer than `run` waits.
    assert run(step, share=0.005).progress.done == 0
    assert not steps


def test_a_transient_error_is_waited_out() -> None:
    failures = [psycopg.OperationalError("away"), psycopg.errors.DeadlockDetected()]

    def step(stop: asyncio.Event) -> int:
        if failures:
            raise failures.pop()
        stop.set()
        return 1

    assert run(step).progress.done == 1


def test_an_unforeseen_error_is_borne_and_too_many_end_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("balance_chassis.worker._AFTER_ERROR_S", 0.001)
    calls: list[None] = []

    def step(_: asyncio.Event) -> int:
        calls.append(None)
        raise ZeroDivisionError

    with pytest.raises(Fatal):
        run(step)
    assert len(calls) == 21
