"""The outbox of one service names keys of several topics: each topic has its renderer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from balance_chassis.outbox import OutboxRow
from balance_chassis.publisher import Outgoing, Render
from psycopg import Connection


class TopicRenderer:
    """Renders outbox rows by the renderer of their topic. A topic without one is a LookupError."""

    def __init__(self, renderers: Mapping[str, Render]) -> None:
        self._renderers = renderers

    def __call__(self, conn: Connection[Any], rows: Sequence[OutboxRow]) -> Sequence[Outgoing]:
        """Records of all keys, a topic after the other in the order of the rows."""
        by_topic: defaultdict[str, list[OutboxRow]] = defaultdict(list)
        for row in rows:
            by_topic[row.topic].append(row)
        unknown = sorted(by_topic.keys() - self._renderers.keys())
        if unknown:
            raise LookupError(
                f"expected keys of {', '.join(sorted(self._renderers))}, found {', '.join(unknown)}"
            )
        return [
            outgoing for topic, some in by_topic.items() for outgoing in self._renderers[topic](conn, some)
        ]
