"""A sink, and an agent, among things that die: itself, the database, the broker."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from balance_chassis.postgres import make_pool
from balance_local.broker import Broker
from balance_local.topics import apply
from psycopg import conninfo

pytestmark = pytest.mark.stack
PROGRAM = Path(__file__).with_name("killed_consumer.py")


@contextmanager
def process_of(trial: Any, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, PROGRAM, trial.driver, *arguments],
        env={**os.environ, **trial.installation.environment()},
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_killed_between_transaction_and_commit_it_is_given_the_same_again(either: Any) -> None:
    asyncio.run(either.send(range(100)))
    with process_of(either, "crash") as process:
        assert process.wait(60) == -signal.SIGKILL
    first = either.stored()
    assert 0 < len(first) <= 10
    assert asyncio.run(either.lag()) == 100
    with process_of(either) as process:
        asyncio.run(either.until_committed())
        process.terminate()
        assert process.wait(60) == 0
    assert either.stored() == {number: 2 if number in first else 1 for number in range(100)}


class Gate:
    """A TCP proxy before the database that can be shut and opened, in a thread of its own."""

    def __init__(self, dsn: str) -> None:
        parts = conninfo.conninfo_to_dict(dsn)
        self._target = (str(parts["host"]), int(parts.get("port") or 5432))
        self._through: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._pass, "127.0.0.1", 0))
        self.dsn = conninfo.make_conninfo(
            dsn, host="127.0.0.1", port=self._server.sockets[0].getsockname()[1]
        )

    def open(self) -> None:
        """Let everybody through."""
        self._is_open = True

    def shut(self) -> None:
        """Reset every connection, and new ones at once."""
        self._is_open = False
        self._do(self._cut())

    def close(self) -> None:
        """Take it away, when nobody uses it any more."""
        self.shut()
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _cut(self) -> None:
        for task in self._through:
            task.cancel()
        await asyncio.gather(*self._through, return_exceptions=True)

    async def _end(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._through.add(task)
        back: asyncio.StreamWriter | None = None
        copies: list[asyncio.Task[None]] = []
        try:
            if self._is_open:
                there, back = await asyncio.open_connection(*self._target)
                copies = [asyncio.create_task(_copy(*ends)) for ends in ((reader, back), (there, writer))]
                await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass
        finally:
            for copy in copies:
                copy.cancel()
            self._through.discard(task)
            for pipe in filter(None, (writer, back)):
                pipe.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@pytest.fixture
def gate(either: Any) -> Iterator[Gate]:
    """A gate through which the trial's pool reaches its database."""
    gate = Gate(either.installation.dsn)
    either.pool.close()
    either.pool = make_pool(replace(either.installation.settings().postgres, dsn=gate.dsn), "trial")
    yield gate
    either.pool.close()
    gate.close()


def test_a_database_that_is_away_for_seconds_is_waited_for(either: Any, gate: Gate) -> None:
    async def main() -> Any:
        sink = either.consumer(most=5)
        async with either.running(sink):
            await either.send(range(40))
            await either.until(lambda: len(either.stored()) >= 5)
            gate.shut()
            await either.send(range(40, 200))
            await either.until(lambda: sink.progress.waiting_for)
            before = len(either.stored())
            await asyncio.sleep(3)  # how long it is away
            assert len(either.stored()) == before
            gate.open()
            await either.until_committed()
        return await either.dead_letters()

    assert asyncio.run(main()) == []
    assert set(either.stored()) == set(range(200))
    assert max(either.stored().values()) <= 2


def test_stopped_while_the_database_is_away_it_ends_and_acknowledges_nothing(either: Any, gate: Gate) -> None:
    async def main() -> None:
        gate.shut()
        await either.send(range(40))
        sink = either.consumer()
        async with either.running(sink):
            await either.until(lambda: sink.progress.waiting_for)
        assert await either.lag() == 40

    asyncio.run(main())
    assert not either.stored()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of one's own, to be killed."""
    broker = Broker(tmp_path)
    broker.start()
    broker.wait()
    yield broker
    broker.stop()


def test_a_broker_that_is_killed_and_comes_back_is_waited_for(either: Any, broker: Broker) -> None:
    either.kafka = replace(either.kafka, bootstrap_servers=broker.bootstrap_servers)
    apply(replace(either.installation.settings(), kafka=either.kafka))

    async def main() -> None:
        async with either.running(either.consumer(most=5)):
            await either.send(range(500))
            await either.until(lambda: len(either.stored()) >= 5)
            process = broker.daemon.process()
            assert process
            process.kill()
            process.wait(10)
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(broker.wait)
            await either.send(range(500, 1000))
            await either.until_committed()

    asyncio.run(main())
    assert set(either.stored()) == set(range(1000))


def test_stopped_while_the_broker_is_away_it_ends(either: Any, broker: Broker) -> None:
    either.kafka = replace(either.kafka, bootstrap_servers=broker.bootstrap_servers)
    apply(replace(either.installation.settings(), kafka=either.kafka))

    async def main() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(either.consumer().run(stop))
        await either.send(range(50))
        await either.until(lambda: len(either.stored()) == 50)
        await asyncio.to_thread(broker.stop)
        stop.set()
        await asyncio.wait_for(task, 45)

    asyncio.run(main())
