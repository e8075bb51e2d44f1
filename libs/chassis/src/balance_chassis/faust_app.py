"""A Faust application set up so that it loses nothing (architecture §3).

Faust 0.15.3 commits offsets of messages that nobody processed when an exception leaves an agent (with `take`
and a crashing supervisor too), with `noack`, with several actors of an agent, and when it stops without
waiting for its streams. The settings here, `refuse_unsafe`, and a consumer that acknowledges nothing but what
was said to be settled shut these ways; the body of the agent is in `agents`.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types.enums import ProcessingGuarantee
from mode.threads import WorkerThread

from balance_chassis.errors import Fatal
from balance_chassis.kafka import ssl_context_of, stop_client
from balance_chassis.lifecycle import refuse_uvloop
from balance_chassis.patience import Stopped, unless_stopped
from balance_chassis.settings import KafkaSettings

Body = Callable[[Any], Awaitable[None]]
"""What Faust runs: takes its stream of events and never returns nor raises."""

_CLIENT_PATIENCE_S = 4.0
_THREAD_PATIENCE_S = 6.0
_REQUEST_TIMEOUT_S = 40.0
_FETCH_BYTES = 2 * 1024 * 1024
_DAY_S = 86_400
"""Faust fetches nothing while what it has waits for the agent; whether that goes on, our watchdog sees."""

SETTINGS: dict[str, Any] = {
    "broker_max_poll_records": 2000,
    "stream_buffer_maxsize": 8192,
    "broker_commit_interval": 1,
    "broker_max_poll_interval": _DAY_S,
    "stream_wait_empty": True,
    "producer_acks": -1,
    "producer_linger": 0.02,
    "producer_request_timeout": 30,
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "web_enabled": False,
    "web_tables_enabled": False,
    "table_standby_replicas": 0,
    "consumer_auto_offset_reset": "earliest",
    "consumer_max_fetch_size": _FETCH_BYTES,
    "key_serializer": "raw",
    "value_serializer": "raw",
}
"""What is set the same for all; addresses and time-outs come from the installation."""


class _Thread(WorkerThread):
    """The consumer's thread, which does not keep a process alive that is ending without its broker."""

    def __init__(self, service: Any, **given: Any) -> None:
        super().__init__(service, **given)
        self.daemon = True

    def stop(self) -> None:
        """Wait for it, but not for ever."""
        self.is_stopped.wait(_THREAD_PATIENCE_S)


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    Worker = _Thread

    async def on_thread_stop(self) -> None:
        """Close the client, but not wait for ever for a broker that is away."""
        client, self._consumer = self._consumer, None
        await super().on_thread_stop()
        if client is not None:
            await stop_client(client, _CLIENT_PATIENCE_S)


class _Stream(faust.Stream[Any]):
    """A stream that acknowledges through its consumer; the one in C has its own copy of how."""

    def __aiter__(self) -> AsyncIterator[Any]:
        messages: Any = self._py_aiter()
        self._active_agens.add(messages)
        return messages  # type: ignore[no-any-return] # an asynchronous generator, as Faust's own


class SettledConsumer(driver.Consumer):
    """Acknowledges what was said to be settled, and nothing else, whatever becomes of streams and agents.

    Nor is anything committed beyond a message that Faust gave back unsettled: it would wait for no message
    but those it has itself.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._settled: WeakSet[Any] = WeakSet()
        self._unsettled: dict[tuple[Any, int], int] = {}
        self._given_up = asyncio.Event()

    def settled(self, messages: Iterable[Any]) -> None:
        """These were processed to the end: Faust may acknowledge and commit them."""
        self._settled.update(messages)

    def give_up(self) -> None:
        """Acknowledge and commit nothing any more: what is in hand comes again to whoever is next."""
        self._given_up.set()
        self._unacked_messages.clear()

    async def wait_empty(self) -> None:
        """Wait for what is in hand, but for nothing more once it is given up: streams may go on taking."""
        with suppress(Stopped):
            await unless_stopped(super().wait_empty(), self._given_up)

    def ack(self, message: Any) -> bool:
        """Acknowledge a message if it is settled and its partition is still held as when it came."""
        generation = self.app.consumer_generation_id
        held = message.generation_id == generation
        if message in self._settled and held and not self._given_up.is_set():
            return bool(super().ack(message))
        # Skipped by Faust, or of a partition that was given back: not to be waited for, nor committed.
        if held:
            at = (message.tp, generation)
            self._unsettled[at] = min(message.offset, self._unsettled.get(at, message.offset))
        self._unacked_messages.discard(message)
        message.acked = True
        return False

    @property
    def thread_loop(self) -> asyncio.AbstractEventLoop:
        """The loop the client of the broker lives in, in a thread of its own."""
        return self._thread.thread_loop

    def close_thread_loop(self) -> None:
        """Close that loop, if the thread never ran."""
        if not self.thread_loop.is_running():
            self.thread_loop.close()

    async def _commit(self, offsets: Any) -> bool:
        generation = self.app.consumer_generation_id
        settled = {
            tp: offset
            for tp, offset in offsets.items()
            if offset <= self._unsettled.get((tp, generation), offset)
        }
        if self._given_up.is_set() or not settled:
            return False
        try:
            # The client goes on trying for as long as the broker is away.
            return bool(await unless_stopped(super()._commit(settled), self._given_up))
        except Stopped:
            return False

    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer = SettledConsumer


def new_app(kafka: KafkaSettings, group: str, topics: Iterable[str], body: Body) -> faust.App:
    """An application of one agent; full names. Make it in the running loop. Raises Fatal if it is unsafe."""
    brokers = ";".join(f"kafka://{address.strip()}" for address in kafka.bootstrap_servers.split(","))
    app = faust.App(
        group,
        broker=brokers,
        broker_credentials=_credentials(kafka),
        broker_session_timeout=kafka.session_timeout_s,
        broker_heartbeat_interval=kafka.session_timeout_s / 5,
        broker_rebalance_timeout=kafka.session_timeout_s,
        broker_request_timeout=max(_REQUEST_TIMEOUT_S, 2 * kafka.session_timeout_s),
        datadir=tempfile.gettempdir(),
        loop=asyncio.get_running_loop(),
        Stream=_Stream,
        **SETTINGS,
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    app.agent(app.topic(*topics, allow_empty=True), name=group, concurrency=1)(body)
    refuse_unsafe(app)
    return app


def consumer_of(app: faust.App) -> SettledConsumer:
    """The consumer of an application made here."""
    consumer = app.consumer
    assert isinstance(consumer, SettledConsumer)
    return consumer


def refuse_unsafe(app: faust.App) -> None:
    """Raise Fatal for an application that could lose messages, saying by what."""
    conf = app.conf
    wrong = [
        f"agent {agent.name}: concurrency={agent.concurrency}"
        for agent in app.agents.values()
        if agent.concurrency != 1
    ]
    wrong += [
        f"{name}={getattr(conf, name)!r}" for name, value in SETTINGS.items() if getattr(conf, name) != value
    ]
    guarantee: Any = conf.processing_guarantee
    if guarantee is not ProcessingGuarantee.AT_LEAST_ONCE:
        wrong.append(f"processing_guarantee={guarantee.name}")
    if app.tables.data:
        wrong.append(f"tables: {', '.join(app.tables.data)}")
    stream: Any = conf.Stream
    if not isinstance(app.transport, _Transport) or not issubclass(stream, _Stream):
        wrong.append("a transport or stream that acknowledges what was not settled")
    if wrong:
        raise Fatal(f"expected a Faust application that loses nothing, found {'; '.join(wrong)}")
    refuse_uvloop(asyncio.get_running_loop())


def _credentials(kafka: KafkaSettings) -> Any:
    context = ssl_context_of(kafka) if kafka.security_protocol.endswith("SSL") else None
    if kafka.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password,
            ssl_context=context,
            mechanism=kafka.sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context else None
