"""One connection to an MQTT 5 broker, for a single event loop: paho-mqtt with manual acknowledgement.

paho's own thread reads and writes the socket. It does not connect again by itself: numbers of messages belong
to one connection, and what was not acknowledged comes again on the next.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from balance_ingest.adapters.devices import JSON, Publication

_CONNECTS_WITHIN_S = 10.0
_KEEPALIVE_S = 30
_NO_RETAINED = SubscribeOptions.RETAIN_DO_NOT_SEND


@dataclass(frozen=True)
class MqttSettings:
    """How to reach the MQTT broker, and how much to take from it at once."""

    host: str
    port: int
    tls: bool = False
    client_id: str = "balance-edge"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    receive_maximum: int = 200
    """Messages the broker may deliver without an acknowledgement."""
    share_group: str | None = None
    """Edges of one group share the messages."""
    session_expiry_s: int = 3600
    """How long the broker keeps messages for an edge that is away."""


class _TellingClient(Client):
    """Tells when its thread ends, for whatever reason: without it nothing would be heard any more."""

    def __init__(self, ended: Callable[[], None], *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._ended = ended

    def loop_forever(self, *arguments: Any, **options: Any) -> MQTTErrorCode:
        """As the client's own, which its thread runs."""
        try:
            return super().loop_forever(*arguments, **options)
        finally:
            self._ended()


@dataclass(frozen=True, slots=True)
class Answer:
    """A message to a device. `correlation` is what the device gave its own."""

    topic: str
    payload: bytes
    correlation: bytes | None = None


async def connected(settings: MqttSettings, topic_filter: str) -> Connection:
    """A connection that is subscribed. Raises ConnectionError or TimeoutError, with what to look at."""
    connection = Connection(settings)
    try:
        await connection.open(topic_filter)
    except BaseException:
        await connection.close()
        raise
    return connection


class Connection:
    """A connection that stands, or stood: then every wait raises ConnectionError."""

    def __init__(self, settings: MqttSettings) -> None:
        """Nothing is connected yet. Call it in the running loop."""
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._arrived: asyncio.Queue[Publication] = asyncio.Queue()
        self._confirmed: dict[int, asyncio.Future[bool]] = {}
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._lost.add_done_callback(lambda lost: lost.exception())  # it need not be waited for
        self._client = self._made_client()

    async def open(self, topic_filter: str) -> None:
        """Connect and subscribe. Raises as `connected` does."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._settings.session_expiry_s
        properties.ReceiveMaximum = self._settings.receive_maximum
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            await asyncio.to_thread(
                self._client.connect,
                self._settings.host,
                self._settings.port,
                _KEEPALIVE_S,
                clean_start=False,
                properties=properties,
            )
        except OSError as error:  # refused, no such name, a certificate that is not believed
            raise ConnectionError(f"the MQTT broker at {where} cannot be reached: {error}") from error
        self._client.loop_start()
        await self._within(self._connected, f"an answer of the MQTT broker at {where}")
        group = self._settings.share_group
        shared = f"$share/{group}/{topic_filter}" if group else topic_filter
        self._client.subscribe(shared, options=SubscribeOptions(qos=1, retainHandling=_NO_RETAINED))
        await self._within(self._subscribed, f"the subscription to {shared}")

    async def arrived(self, most: int) -> Sequence[Publication]:
        """What has arrived, in order; waits for one at least. Raises ConnectionError when the connection is
        lost.
        """
        first = await self._or_lost(asyncio.ensure_future(self._arrived.get()))
        found = [first]
        while len(found) < most and not self._arrived.empty():
            found.append(self._arrived.get_nowait())
        return found

    async def publish(self, answers: Sequence[Answer]) -> int:
        """Return when the broker has confirmed every one; how many of them it refused.

        Raises ConnectionError when the connection is lost before.
        """
        sent = [self._publish(answer) for answer in answers]
        confirmed = await self._or_lost(asyncio.gather(*sent)) if sent else []
        return confirmed.count(False)

    def acknowledge(self, publications: Sequence[Publication]) -> None:
        """Tell the broker that these need not come again."""
        for publication in publications:
            if publication.number is not None and not self._lost.done():
                self._client.ack(publication.number, 1)

    async def close(self) -> None:
        """Part from the broker, which keeps what is not acknowledged."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def _made_client(self) -> Client:
        settings = self._settings
        client = _TellingClient(
            lambda: self._from_thread(self._on_lost, "the connection to the MQTT broker has ended"),
            CallbackAPIVersion.VERSION2,
            settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECTS_WITHIN_S
        if settings.username:
            client.username_pw_set(settings.username, settings.password)
        if settings.tls:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.cert_file:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            client.tls_set_context(context)
        client.on_connect = lambda _client, _data, _flags, reason, _more: self._from_thread(
            self._on_connect, reason
        )
        client.on_subscribe = lambda _client, _data, _number, reasons, _more: self._from_thread(
            self._on_subscribe, reasons[0]
        )
        client.on_disconnect = lambda _client, _data, _flags, reason, _more: self._from_thread(
            self._on_lost, f"the MQTT broker ended the connection: {reason}"
        )
        client.on_publish = lambda _client, _data, number, reason, _more: self._from_thread(
            self._on_confirmed, number, reason
        )
        client.on_message = self._on_message
        return client

    def _publish(self, answer: Answer) -> asyncio.Future[bool]:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ContentType = JSON
        if answer.correlation is not None:
            properties.CorrelationData = answer.correlation
        sent = self._client.publish(answer.topic, answer.payload, qos=1, properties=properties)
        if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_QUEUE_SIZE):
            self._on_lost(f"nothing can be published: {sent.rc.name}")
        # Its confirmation comes by the loop, so not before this is noted.
        return self._confirmed.setdefault(sent.mid, self._loop.create_future())

    async def _within(self, answer: asyncio.Future[None], what: str) -> None:
        try:
            await asyncio.wait_for(self._or_lost(answer), _CONNECTS_WITHIN_S)
        except TimeoutError:
            raise TimeoutError(f"expected {what} within {_CONNECTS_WITHIN_S:g} s, found none") from None

    async def _or_lost(self, awaited: asyncio.Future[Any]) -> Any:
        try:
            await asyncio.wait({awaited, self._lost}, return_when=asyncio.FIRST_COMPLETED)
            if not awaited.done():
                self._lost.result()
            return awaited.result()
        finally:
            awaited.cancel()

    def _from_thread(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _on_connect(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            self._on_lost(
                f"the MQTT broker refuses {self._settings.client_id}: {reason}; look at "
                "BALANCE_INGEST_MQTT_USERNAME, its password and certificate"
            )
        elif not self._connected.done():
            self._connected.set_result(None)

    def _on_subscribe(self, reason: ReasonCode) -> None:
        if reason.is_failure:
            self._on_lost(f"the MQTT broker refuses the subscription: {reason}; look at its access list")
        elif not self._subscribed.done():
            self._subscribed.set_result(None)

    def _on_lost(self, why: str) -> None:
        if not self._lost.done():
            self._lost.set_exception(ConnectionError(why))

    def _on_confirmed(self, number: int, reason: ReasonCode) -> None:
        confirmed = self._confirmed.pop(number, None)
        if confirmed and not confirmed.done():
            confirmed.set_result(not reason.is_failure)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.qos == 0 and self._arrived.qsize() >= self._settings.receive_maximum:
            return  # QoS 0 knows no bound; the device keeps what it has no receipt for
        properties = message.properties
        publication = Publication(
            message.topic,
            bytes(message.payload),
            time.time_ns() // 1_000_000,
            getattr(properties, "ContentType", None),
            getattr(properties, "CorrelationData", None),
            message.mid if message.qos else None,
        )
        self._from_thread(self._arrived.put_nowait, publication)
