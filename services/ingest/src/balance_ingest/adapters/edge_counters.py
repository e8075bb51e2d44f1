"""The numbers of packets that came by an edge, in PostgreSQL: the same packet keeps its number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection

from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.work import Pool
from balance_ingest.domain.edge import Counter, sequence_of
from balance_ingest.ports import Counted

_Epochs = dict[tuple[str, int], set[int]]


class PostgresNumbering:
    """Implements `ports.Numbering`."""

    def __init__(self, pool: Pool) -> None:
        """Take the pool."""
        self._pool = pool

    def number(self, packets: Sequence[Counted]) -> tuple[Sequence[int], int]:
        """See the port."""
        concentrators = sorted({packet.concentrator_id for packet in packets})
        with self._pool.connection() as conn:
            conn.execute(statement("create_edge_counters"), {"concentrators": concentrators})
            rows = conn.execute(statement("hold_edge_counters"), {"concentrators": concentrators})
            counters = {name: Counter(*row) for name, *row in rows}
            before = dict(counters)
            known, held = self._seen(conn, packets)
            fresh: list[tuple[Counted, int]] = []
            for packet in packets:
                if packet in known:
                    continue
                counted = (packet.concentrator_id, packet.counter)
                counter = counters[packet.concentrator_id]
                counters[packet.concentrator_id], epoch = counter.follow(
                    packet.counter, held.setdefault(counted, set())
                )
                held[counted].add(epoch)
                known[packet] = sequence_of(epoch, packet.counter)
                fresh.append((packet, epoch))
            self._keep(conn, counters, fresh)
        restarts = sum(counters[name].epoch - before[name].epoch for name in concentrators)
        return [known[packet] for packet in packets], restarts

    def _seen(self, conn: Connection[Any], packets: Sequence[Counted]) -> tuple[dict[Counted, int], _Epochs]:
        """Sequences of those of the packets that were numbered before, and epochs in which numbers are
        taken.
        """
        columns = _columns(packets)
        known: dict[Counted, int] = {}
        held: _Epochs = {}
        for concentrator, packet_id, fingerprint, epoch, counter in conn.execute(
            statement("edge_packets_like"), columns
        ):
            known[Counted(concentrator, packet_id, fingerprint, counter)] = sequence_of(epoch, counter)
            held.setdefault((concentrator, counter), set()).add(epoch)
        return known, held

    def _keep(
        self, conn: Connection[Any], counters: dict[str, Counter], fresh: Sequence[tuple[Counted, int]]
    ) -> None:
        if not fresh:
            return
        names = sorted({packet.concentrator_id for packet, _ in fresh})
        changed = [counters[name] for name in names]
        row = {
            "concentrators": names,
            "epochs": [counter.epoch for counter in changed],
            "highest": [counter.highest for counter in changed],
            "before": [counter.before for counter in changed],
        }
        conn.execute(statement("keep_edge_counters"), row)
        packets = _columns([packet for packet, _ in fresh]) | {"epochs": [epoch for _, epoch in fresh]}
        conn.execute(statement("keep_edge_packets"), packets)
        conn.execute(statement("forget_edge_packets"), {"concentrators": names})


def _columns(packets: Sequence[Counted]) -> dict[str, Any]:
    return {
        "concentrators": [packet.concentrator_id for packet in packets],
        "packets": [packet.packet_id for packet in packets],
        "fingerprints": [packet.fingerprint for packet in packets],
        "counters": [packet.counter for packet in packets],
    }
