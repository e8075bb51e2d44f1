"""The one way to the broker: options of every client, records, names with their prefix."""

import asyncio
import logging
import ssl
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from balance_schemas import catalogue

from balance_chassis.settings import KafkaSettings

ORIGIN_TOPIC_HEADER = "balance_dlq_topic"
"""Names a dead letter's topic of origin; one that is replayed counts as a record of that topic."""

_PRODUCER_BATCH_BYTES = 512 * 1024
_FETCH_BYTES = 2 * 1024 * 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies on the broker. `topic` is the catalogue's name, without prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int

    @property
    def size_bytes(self) -> int:
        """Length of key and value together."""
        return len(self.key or b"") + len(self.value or b"")


def record_of(message: ConsumerRecord, topic_prefix: str) -> Record:
    """A record from aiokafka's; a replayed dead letter gets the topic it came from first."""
    headers = tuple(message.headers)
    return Record(
        topic=origin_of(headers, message.topic).removeprefix(topic_prefix),
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=headers,
        timestamp_ms=message.timestamp,
    )


def origin_of(headers: Iterable[tuple[str, bytes | None]], topic: str) -> str:
    """Topic, with prefix, that a record counts as of: the one it came from first, if it is a dead letter that
    was replayed. A header that names none, for it is null or no UTF-8, says nothing.
    """
    for key, value in headers:
        if key == ORIGIN_TOPIC_HEADER:
            with suppress(UnicodeDecodeError):
                return (value or b"").decode() or topic
    return topic


def topic_name(settings: KafkaSettings, topic: str) -> str:
    """Name on the broker of a topic, or a group, of the catalogue."""
    return settings.topic_prefix + topic


def client_options(settings: KafkaSettings) -> dict[str, Any]:
    """What every aiokafka client is given: addresses, TLS, SASL."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
    }
    if settings.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl_context_of(settings)
    if settings.security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password
    return options


def make_producer(settings: KafkaSettings) -> AIOKafkaProducer:
    """A producer that neither loses nor doubles on retries. Make it in a running loop; its user starts it."""
    return AIOKafkaProducer(
        **client_options(settings),
        enable_idempotence=True,
        acks="all",
        linger_ms=20,
        compression_type="lz4",
        max_batch_size=_PRODUCER_BATCH_BYTES,
        # What a dead letter may be: the largest record there is, and the headers that say why.
        max_request_size=catalogue.MAX_MESSAGE_BYTES + catalogue.DEAD_LETTER_HEADERS_BYTES,
    )


def make_consumer(settings: KafkaSettings, group: str) -> AIOKafkaConsumer:
    """A consumer of a group of the catalogue that commits only when told. Make it in a running loop."""
    return AIOKafkaConsumer(
        **client_options(settings),
        group_id=topic_name(settings, group),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        session_timeout_ms=int(settings.session_timeout_s * 1000),
        heartbeat_interval_ms=int(settings.session_timeout_s * 200),
        # How long a rebalance waits for members that died; they are known dead after the session timeout.
        rebalance_timeout_ms=int(settings.session_timeout_s * 1000),
        max_poll_interval_ms=300_000,
    )


def ssl_context_of(settings: KafkaSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.ssl_cafile)
    if settings.ssl_certfile:
        context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    return context


async def stop_client(client: AIOKafkaProducer | AIOKafkaConsumer, grace_s: float = 10.0) -> None:
    """Flush and close, but do not wait for ever for a broker that is away, nor fail on it."""
    stopping = asyncio.create_task(client.stop())
    await asyncio.wait({stopping}, timeout=grace_s)
    stopping.cancel()
    # A consumer whose broker is away ends its own stop with CancelledError, which must not become ours.
    errors = await asyncio.gather(stopping, return_exceptions=True)
    if errors[0] is not None:
        _log.warning("a client of the broker did not close cleanly: %r", errors[0])
