"""Entities as records of the contract (schemas: instants are raw milliseconds)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from balance_chassis.publisher import Outgoing, event_headers
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_gateway.domain.kinds import KINDS, READING_EDIT, Entity

TOPICS: Mapping[str, str] = {kind.word: catalogue.ASSETS for kind in KINDS} | {
    READING_EDIT.word: catalogue.READING_EDITS
}
"""Topic of each kind."""


def to_wire(entity: Entity, version: int, changed_at: datetime, codec: Codec) -> Outgoing:
    """The record of an entity in that version."""
    topic = TOPICS[entity.kind.word]
    framed = codec.encode(entity.kind.record, {**entity.value, "version": version})
    key = entity.subject if topic == catalogue.ASSETS else entity.name
    headers = event_headers("gateway", entity.kind.record, f"{entity.subject}/{version}", changed_at)
    return Outgoing(topic, key.encode(), framed, headers=headers)
