"""Puts the service together: the only module that names concrete adapters. Nothing connects at import."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from balance_chassis.errors import Fatal
from balance_chassis.framing import make_codec
from balance_chassis.kafka import make_producer
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.lifecycle import EXIT_SETTINGS, Process, Runnable
from balance_chassis.migrations import migrate as migrate_schema
from balance_chassis.postgres import make_pool
from balance_chassis.publisher import Publisher
from balance_chassis.sink import Sink
from balance_chassis.worker import Worker
from balance_kernel.calendar import Calendar
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_ingest import handlers
from balance_ingest.adapters.battery_table import life_table
from balance_ingest.adapters.delivery import PostgresDelivery
from balance_ingest.adapters.devices import PACKETS_FILTER
from balance_ingest.adapters.edge_counters import PostgresNumbering
from balance_ingest.adapters.mqtt import Connection, connected
from balance_ingest.adapters.outcomes import SCHEMA
from balance_ingest.adapters.plans import PostgresPlans
from balance_ingest.adapters.postgres import PostgresStore
from balance_ingest.adapters.publishing import Renderer
from balance_ingest.adapters.reading_edits import PostgresDecisions
from balance_ingest.adapters.register import PostgresRegister, PostgresSilence
from balance_ingest.adapters.sensor_table import kind_table
from balance_ingest.adapters.unusual import PostgresUnusual
from balance_ingest.adapters.work import Now, Pool
from balance_ingest.domain.days import Days
from balance_ingest.domain.edits import Edit
from balance_ingest.domain.packets import Packet
from balance_ingest.domain.plans import DescribedConcentrator, DescribedModule
from balance_ingest.entrypoints import kafka, mqtt
from balance_ingest.metrics import IngestMetrics
from balance_ingest.ports import DescribedUsagePoint
from balance_ingest.settings import MQTT_URL, IngestSettings

SERVICE = "ingest"
Message = TypeVar("Message")
_DESCRIPTIONS_A_BATCH = 500
_DECISIONS_A_BATCH = 100
_DELIVERY_EVERY_S, _DELIVERY_SHARE, _DELIVERY_REST_S = 1.0, 0.05, 15.0


def migrate(settings: IngestSettings) -> Sequence[str]:
    """Bring the schema, and the sensor kinds in it, up to date; gives the names of what was applied."""
    installation = settings.installation
    applied = migrate_schema(installation.postgres.dsn, SCHEMA, "balance_ingest", installation.calendar)
    with make_pool(installation.postgres, SERVICE) as pool:
        PostgresRegister(pool, Days(installation.calendar), _clock(settings)).keep_kinds(kind_table())
    return applied


def _clock(settings: IngestSettings) -> Now:
    return None if settings.installation.clock == "packets" else lambda: int(time.time())


class Assembly:
    """Makes the runnables of each role for one process."""

    def __init__(self, settings: IngestSettings, process: Process) -> None:
        """Open the pool and find the schema ids."""
        self._settings = settings
        self._process = process
        self._metrics = IngestMetrics(process.metrics.registry)
        self._pool: Pool = make_pool(settings.installation.postgres, SERVICE)
        process.closing.callback(self._pool.close)
        self._codec = make_codec(settings.installation.registry)
        self._rules = handlers.Rules(Days(settings.installation.calendar), settings.limits, settings.grace_s)
        self._now = _clock(settings)

    def live(self) -> Sequence[Runnable]:
        """The sink of today's packets."""
        return [self._packets(catalogue.PACKETS, kafka.PACKETS_GROUP)]

    def backlog(self) -> Sequence[Runnable]:
        """The sink of packets of concentrators back from the dark."""
        return [self._packets(catalogue.PACKETS_BACKLOG, kafka.PACKETS_BACKLOG_GROUP)]

    def worker(self) -> Sequence[Runnable]:
        """Computes marked days, publishes, and keeps the register; one process an installation."""
        metrics = self._process.metrics
        recomputing = handlers.Recomputing(
            self._store(), self._rules, self._settings.days_a_transaction, self._metrics.set_aside.inc
        )
        sweep = handlers.Sweep(PostgresSilence(self._pool, self._rules.days, self._now), self._rules)
        judging = handlers.Judging(PostgresUnusual(self._pool, self._rules.days, self._settings.parameters))
        kafka_settings = self._settings.installation.kafka
        return [
            Publisher(
                self._pool,
                SCHEMA,
                make_producer(kafka_settings),
                Renderer(self._codec),
                kafka=kafka_settings,
                metrics=metrics,
            ),
            Worker("reading-days", recomputing.step, metrics=metrics),
            Worker("silence", sweep.step, metrics=metrics, idle_s=0.25),
            Worker("unusual", judging.step, metrics=metrics, idle_s=1.0),
            Worker(
                "delivery",
                self._delivering().step,
                metrics=metrics,
                idle_s=_DELIVERY_EVERY_S,
                share=_DELIVERY_SHARE,
            ),
            self._assets(),
            self._edits(),
        ]

    def edge(self) -> Sequence[Runnable]:
        """The edge for devices that speak MQTT."""
        mqtt_settings, kafka_settings = self._settings.mqtt, self._settings.installation.kafka
        if mqtt_settings is None:
            raise Fatal(
                f"role edge: {MQTT_URL} is not set: name the MQTT broker, e.g. mqtts://mqtt.example:8883",
                EXIT_SETTINGS,
            )

        async def connect() -> Connection:
            return await connected(mqtt_settings, PACKETS_FILTER)

        return [
            mqtt.Edge(
                connect,
                PostgresNumbering(self._pool),
                self._codec,
                make_producer(kafka_settings),
                kafka=kafka_settings,
                metrics=self._metrics,
                chassis_metrics=self._process.metrics,
            )
        ]

    def _store(self, lane: int = LIVE) -> PostgresStore:
        return PostgresStore(self._pool, self._rules.days, self._now, self._settings.parameters, lane)

    def _packets(self, topic: str, group: str) -> Sink[Packet]:
        store = self._store(BACKLOG if topic == catalogue.PACKETS_BACKLOG else LIVE)

        def handle(packets: Sequence[Packet]) -> None:
            self._metrics.handled(handlers.handle_packets(packets, store, self._rules))

        return self._sink(
            topic,
            group,
            kafka.decode_packet,
            handle,
            max_weight=self._settings.days_a_batch,
            weight=lambda packet: packet.weight,
        )

    def _plans(self) -> PostgresPlans:
        return PostgresPlans(self._pool, self._rules.days, self._now, life_table())

    def _delivering(self) -> handlers.Delivering:
        delivery = PostgresDelivery(
            self._pool,
            self._rules.days,
            self._now,
            self._plans(),
            self._settings.delivery,
            _DELIVERY_REST_S,
        )
        return handlers.Delivering(delivery, self._metrics.delivery_looks.inc)

    def _assets(self) -> Sink[kafka.Asset]:
        register = PostgresRegister(self._pool, self._rules.days, self._now)
        plans = self._plans()

        def handle(assets: Sequence[kafka.Asset]) -> None:
            points = [asset for asset in assets if isinstance(asset, DescribedUsagePoint)]
            devices = [
                asset for asset in assets if isinstance(asset, DescribedModule | DescribedConcentrator)
            ]
            self._metrics.days_marked.inc(handlers.handle_usage_points(points, register))
            self._metrics.days_marked.inc(handlers.handle_plans(devices, plans))

        return self._sink(
            catalogue.ASSETS, kafka.ASSETS_GROUP, kafka.decode_asset, handle, _DESCRIPTIONS_A_BATCH
        )

    def _edits(self) -> Sink[Edit]:
        decisions = PostgresDecisions(self._pool, self._rules.days, self._now)

        def handle(edits: Sequence[Edit]) -> None:
            self._metrics.days_decided.inc(handlers.handle_reading_edits(edits, decisions))

        return self._sink(
            catalogue.READING_EDITS,
            kafka.READING_EDITS_GROUP,
            kafka.decode_reading_edit,
            handle,
            _DECISIONS_A_BATCH,
        )

    def _sink(
        self,
        topic: str,
        group: str,
        decode: Callable[[Codec, Calendar, bytes | None], Message],
        handle: Callable[[Sequence[Message]], None],
        max_weight: int,
        weight: Callable[[Message], int] = lambda _: 1,
    ) -> Sink[Message]:
        calendar = self._settings.installation.calendar
        return Sink(
            topics=[topic],
            group=group,
            kafka=self._settings.installation.kafka,
            decode=lambda record: decode(self._codec, calendar, record.value),
            handle=handle,
            metrics=self._process.metrics,
            weight=weight,
            max_weight=max_weight,
            version=self._process.version,
        )


ROLES: dict[str, Callable[[Assembly], Sequence[Runnable]]] = {
    "live": Assembly.live,
    "backlog": Assembly.backlog,
    "worker": Assembly.worker,
    "edge": Assembly.edge,
}


def build(settings: IngestSettings, role: str) -> Callable[[Process], Sequence[Runnable]]:
    """What `run_process` calls to make the runnables of a role. Raises KeyError for an unknown role."""
    make = ROLES[role]
    return lambda process: make(Assembly(settings, process))
