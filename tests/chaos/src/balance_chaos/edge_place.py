"""An installation behind an edge: its live sink, a Mosquitto, concentrators, and edges that a test starts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from balance_chassis.testing import Installation, MqttBroker
from balance_local import lag
from balance_schemas import catalogue
from balance_schemas.codec import Codec, load_ids

from balance_chaos.concentrator import Concentrator
from balance_chaos.service_process import ServiceProcess, wait_until
from balance_chaos.traffic import read_from_beginning

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
VALUES = list(range(1, 25))


def yesterday_ms() -> int:
    """Start of yesterday, in the days of UTC."""
    return time.time_ns() // 1_000_000 // DAY_MS * DAY_MS - DAY_MS


def connected(edge: ServiceProcess) -> None:
    """Wait until Mosquitto knows of the edge: before that nothing is kept for it."""
    wait_until(lambda: any("edge mqtt connected" in line for line in edge.lines()), "the edge is connected")


@dataclass
class Place:
    """See `edge_place`."""

    installation: Installation
    mosquitto: MqttBroker
    folder: Path

    def edge(
        self, name: str, command: Sequence[str | Path] = (), variables: Mapping[str, str] | None = None
    ) -> ServiceProcess:
        """An edge, not started yet."""
        found = {**self.mosquitto.environment(), **(variables or {})}
        return ServiceProcess(self.installation, self.folder / name, "edge", found, command)

    def concentrator(self, name: str) -> Concentrator:
        """One that the MQTT broker knows, not connected yet."""
        return Concentrator(name, self.mosquitto.port, self.mosquitto.admit(name))

    def packet(self, concentrator: str, number: int) -> dict[str, Any]:
        """Yesterday, hour by hour."""
        archive = {
            "module_id": f"M-{concentrator}",
            "channel": 1,
            "kind": "ARCHIVED",
            "start_at": yesterday_ms(),
            "step_s": 3600,
            "values": VALUES,
        }
        return {
            "packet_id": f"{concentrator}/{number}",
            "concentrator_id": concentrator,
            "sequence": number,
            "sent_at": time.time_ns() // 1_000_000,
            "archives": [archive],
        }

    def evidence(self, concentrator: str) -> list[tuple[Any, ...]]:
        """(values, sequence, conflicts) of each day stored."""
        query = """SELECT e."values", e.revision & ((1::bigint << 62) - 1), e.conflicts
            FROM ingest.evidence_days e JOIN ingest.channels USING (channel_id) WHERE module_id = %s"""
        with psycopg.connect(self.installation.dsn) as conn:
            return conn.execute(query, [f"M-{concentrator}"]).fetchall()

    @property
    def codec(self) -> Codec:
        """Of the installation."""
        return Codec(load_ids(self.installation.environment()["BALANCE_SCHEMA_IDS"]), raw_timestamps=True)

    def on_kafka(self, concentrator: str, topic: str = catalogue.PACKETS) -> list[dict[str, Any]]:
        """What lies on a topic of one concentrator."""
        values = read_from_beginning(self.installation.settings().kafka, topic)
        found = [self.codec.decode(value)[1] for value in values]
        return [packet for packet in found if packet["concentrator_id"] == concentrator]

    @contextmanager
    def numbers_held(self) -> Iterator[Callable[[], bool]]:
        """Hold the edge where it numbers packets, before Kafka; gives a test of whether it waits there."""
        waiting = """SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation
            WHERE relname = 'edge_counters' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""
        with (
            psycopg.connect(self.installation.dsn) as holder,
            psycopg.connect(self.installation.dsn, autocommit=True) as looker,
        ):
            holder.execute("LOCK TABLE ingest.edge_counters IN ACCESS EXCLUSIVE MODE")

            def waits() -> bool:
                row = looker.execute(waiting).fetchone()
                return bool(row and row[0])

            yield waits

    def assert_stored_once(self, concentrator: str, number: int) -> None:
        """Once in the tables, whatever lies on Kafka, where every copy has the same sequence."""
        wait_until(lambda: self.evidence(concentrator), "the day is stored")
        wait_until(self._all_read, "the sink has read all there is")
        assert self.evidence(concentrator) == [(VALUES, number, None)]
        assert {packet["sequence"] for packet in self.on_kafka(concentrator)} == {number}

    def _all_read(self) -> bool:
        lags = lag.of_groups(self.installation.settings().kafka)
        return all(one.records == 0 for one in lags if one.topic == catalogue.PACKETS)


@contextmanager
def edge_place(installation: Installation, mosquitto: MqttBroker, folder: Path) -> Iterator[Place]:
    """A place in UTC, whose live sink runs as long as it stands. Processes log into `folder`."""
    installation.migrate()
    with ServiceProcess(installation, folder / "live", "live"):
        yield Place(installation, mosquitto, folder)
