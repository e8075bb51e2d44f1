"""What devices say to an edge and hear from it: topics, packets as JSON or Avro, receipts
(docs/how-tos/mqtt.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from balance_chassis.errors import BadRecord
from balance_chassis.framing import decoded
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_ingest.adapters import wire
from balance_ingest.adapters.device_json import document_of, record_of
from balance_ingest.domain.edge import MAX_COUNTER, is_backlog
from balance_ingest.domain.packets import MAX_ID_LENGTH

PACKETS_FILTER = "balance/v1/concentrators/+/packets"
JSON = "application/json"
AVRO = "application/vnd.confluent.avro"
REFUSED = "balance.v1.ConcentratorPacketRefused"

_EVIDENCE = ("archives", "registers", "measurements")


@dataclass(frozen=True, slots=True)
class Publication:
    """A message as the MQTT broker delivered it. `number` is what acknowledges it; None for QoS 0."""

    topic: str
    payload: bytes
    received_ms: int
    content_type: str | None = None
    correlation: bytes | None = None
    number: int | None = None

    @property
    def concentrator_id(self) -> str:
        """Who published it: the broker lets each publish to its own topic alone."""
        return self.topic.split("/")[3]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A packet that has yet to be numbered; `packet` is shaped like the contract's, `counter` the device's
    number.
    """

    packet: Mapping[str, Any]
    lane: str
    fingerprint: int

    @property
    def concentrator_id(self) -> str:
        """Who sent it."""
        return str(self.packet["concentrator_id"])

    @property
    def packet_id(self) -> str:
        """Its identity, as the device gave it."""
        return str(self.packet["packet_id"])

    @property
    def counter(self) -> int:
        """The device's number of it, in 32 bits."""
        return int(self.packet["sequence"])


def read_delivery(codec: Codec, publication: Publication, most_bytes: int) -> Delivery:
    """The packet of a message. Raises BadRecord with words that the device is told."""
    if len(publication.payload) > most_bytes:
        raise too_large(len(publication.payload), most_bytes)
    packet = _packet(codec, publication)
    if packet["concentrator_id"] != publication.concentrator_id:
        raise BadRecord(
            f"expected concentrator_id {publication.concentrator_id} as in the topic, found "
            f"{packet['concentrator_id'][:MAX_ID_LENGTH]!r}: publish each packet to its concentrator's topic"
        )
    if not 0 <= packet["sequence"] <= MAX_COUNTER:
        raise BadRecord(
            f"expected sequence from 0 to {MAX_COUNTER}, found {packet['sequence']}: count in 32 bits, "
            "the edge adds what is above"
        )
    lane = catalogue.PACKETS_BACKLOG if is_backlog(wire.from_wire_packet(packet)) else catalogue.PACKETS
    return Delivery(packet, lane, _fingerprint(packet))


def too_large(found: int, most_bytes: int) -> BadRecord:
    """The refusal of a packet that no topic takes."""
    return BadRecord(
        f"expected a packet of at most {most_bytes} bytes, found {found}: split it, at about 256 KiB"
    )


def _packet(codec: Codec, publication: Publication) -> dict[str, Any]:
    said = publication.content_type or JSON
    content_type = said.partition(";")[0].strip().lower()
    if content_type == JSON:
        document = document_of(publication.payload)
        given = {"concentrator_id": publication.concentrator_id, "received_at": publication.received_ms}
        packet = record_of(given | document, wire.PACKET)
    elif content_type == AVRO:
        name, value = decoded(codec, publication.payload)
        if name != wire.PACKET:
            raise BadRecord(f"expected {wire.PACKET}, found {name}: publish packets alone on this topic")
        packet = dict(value)
    else:
        raise BadRecord(f"expected content type {JSON} or {AVRO}, found {said[:MAX_ID_LENGTH]!r}: name one")
    return packet | {"received_at": publication.received_ms}


def _fingerprint(packet: Mapping[str, Any]) -> int:
    """Of the evidence alone: a device that sends a packet again may say its own state anew."""
    evidence = json.dumps([packet[field] for field in _EVIDENCE], sort_keys=True)
    return int.from_bytes(blake2b(evidence.encode(), digest_size=8).digest(), signed=True)


def receipts_topic(concentrator_id: str) -> str:
    """Where a concentrator hears what became of its packets."""
    return f"balance/v1/concentrators/{concentrator_id}/receipts"


def receipt(packet_id: str, sequence: int) -> bytes:
    """Tells the device that it may drop the packet. The same for every delivery of it."""
    return _message({"packet_id": packet_id, "outcome": "STORED", "sequence": sequence})


def refusal(packet_id: str | None, reason: str) -> bytes:
    """Tells the device that the packet will never be taken as it is, and why."""
    return _message({"packet_id": packet_id, "outcome": "REFUSED", "reason": reason})


def packet_id_of(codec: Codec, publication: Publication) -> str | None:
    """The packet id of a message that was refused, as far as there is one to be found."""
    found: object = None
    with suppress(BadRecord):
        found = document_of(publication.payload).get("packet_id")
    if found is None:
        with suppress(BadRecord):
            found = decoded(codec, publication.payload)[1].get("packet_id")
    return found.encode(errors="replace").decode()[:MAX_ID_LENGTH] if isinstance(found, str) else None


def to_wire_refused(
    publication: Publication, packet_id: str | None, reason: str, told: bool, most_bytes: int
) -> dict[str, Any]:
    """A ConcentratorPacketRefused; of a payload that no topic takes whole, the first `most_bytes`."""
    return {
        "concentrator_id": publication.concentrator_id[:MAX_ID_LENGTH],
        "topic": publication.topic,
        "content_type": publication.content_type,
        "packet_id": packet_id,
        "reason": reason,
        "told": told,
        "refused_at": publication.received_ms,
        "payload": publication.payload[:most_bytes],
        "payload_bytes": len(publication.payload),
    }


def _message(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()
