"""A small concentrator that speaks MQTT 5: it keeps each packet until it has a receipt for it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_AGAIN_S = 2.0


class Concentrator:
    """Publishes what it keeps whenever it connects, and again every two seconds while it waits.

    `kept` are packets without a receipt, as published; `receipts` and `refusals` what it heard, in order;
    `confirmed` how many of its messages the MQTT broker has taken, `denied` the reasons of those it has not.
    """

    def __init__(self, concentrator_id: str, port: int, password: str, authority: Path | None = None) -> None:
        self.concentrator_id = concentrator_id
        self.kept: dict[str, tuple[bytes, str | None]] = {}
        self.receipts: list[Mapping[str, Any]] = []
        self.refusals: list[tuple[bytes | None, Mapping[str, Any]]] = []
        self.subscribed: list[str] = []
        self.confirmed = 0
        self.denied: list[str] = []
        self.connections: list[str] = []
        self._port = port
        self._host = "localhost" if authority else "127.0.0.1"
        self.client = self._made_client(password, authority)

    def __enter__(self) -> Self:
        """Connect, in a thread that connects again by itself."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self.client.connect_async(self._host, self._port, 20, clean_start=False, properties=properties)
        self.client.loop_start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Part from the broker."""
        self.client.disconnect()
        self.client.loop_stop()

    def keep(self, packet: Mapping[str, Any]) -> None:
        """Take a packet, shaped like the contract's, and publish it as JSON."""
        self.send(str(packet["packet_id"]), json.dumps(packet).encode())

    def send(self, packet_id: str, payload: bytes, content_type: str | None = None) -> None:
        """Take and publish some bytes, which go by the packet id as the message's correlation data."""
        self.kept[packet_id] = (payload, content_type)
        self._publish(packet_id)

    def publish(
        self, topic: str, payload: bytes, content_type: str | None = None, correlation: bytes | None = None
    ) -> None:
        """Publish to any topic."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if content_type:
            properties.ContentType = content_type
        if correlation is not None:
            properties.CorrelationData = correlation
        self.client.publish(topic, payload, qos=1, properties=properties)

    def wait(self, holds: Callable[[], object], patience_s: float = 60.0, again: bool = True) -> None:
        """Return when something holds; what is kept is published again meanwhile, unless it should not."""
        began = due = time.monotonic()
        while not holds():
            now = time.monotonic()
            if now > began + patience_s:
                raise AssertionError(
                    f"{self.concentrator_id} waited {patience_s:.0f} s: keeps {list(self.kept)}, "
                    f"heard {self.receipts} and {self.refusals}, "
                    f"connections {self.connections}, denied {self.denied}"
                )
            if again and now > due + _AGAIN_S and self.client.is_connected():
                for packet_id in list(self.kept):
                    self._publish(packet_id)
                due = now
            time.sleep(0.02)

    def _publish(self, packet_id: str) -> None:
        payload, content_type = self.kept[packet_id]
        topic = f"balance/v1/concentrators/{self.concentrator_id}/packets"
        self.publish(topic, payload, content_type, packet_id.encode())

    def _made_client(self, password: str, authority: Path | None) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            f"device-{self.concentrator_id}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        client.username_pw_set(self.concentrator_id, password)
        client.reconnect_delay_set(1, 1)
        if authority:
            client.tls_set(str(authority))
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        return client

    def _on_connect(
        self, client: Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        self.connections.append(str(reason))
        if not reason.is_failure:
            client.subscribe(f"balance/v1/concentrators/{self.concentrator_id}/receipts", qos=1)

    def _on_subscribe(
        self, _client: Client, _data: object, _number: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        self.subscribed.append(str(reasons[0]))

    def _on_publish(
        self, _client: Client, _data: object, _number: int, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self.denied.append(str(reason))
        else:
            self.confirmed += 1

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        answer = json.loads(message.payload)
        if answer["outcome"] == "STORED":
            self.receipts.append(answer)
            self.kept.pop(answer["packet_id"], None)
        else:
            correlation = getattr(message.properties, "CorrelationData", None)
            self.refusals.append((correlation, answer))
            self.kept.pop((correlation or b"").decode(), None)
