"""Entities as they stand as records for the broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from balance_chassis.outbox import OutboxRow, keys_by_topic
from balance_chassis.publisher import Outgoing
from balance_schemas.codec import Codec
from psycopg import Connection

from balance_gateway.adapters.queries import statement
from balance_gateway.adapters.wire import to_wire
from balance_gateway.domain.kinds import BY_WORD, Entity


class Renderer:
    """Renders the keys of outbox rows; `codec` takes raw timestamps."""

    def __init__(self, codec: Codec) -> None:
        """Take the codec."""
        self._codec = codec

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """Records of the keys as their rows stand now."""
        outgoing: list[Outgoing] = []
        for keys in keys_by_topic(rows).values():
            given = {"kinds": [kind for kind, _ in keys], "names": [name for _, name in keys]}
            for kind, name, version, value, changed_at in conn.execute(statement("current_entities"), given):
                entity = Entity(BY_WORD[kind], name, value)
                outgoing.append(to_wire(entity, version, changed_at, self._codec))
        return outgoing
