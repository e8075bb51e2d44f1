"""Any permutation, duplication, split and delay of what is sent gives the oracle's tables, value for value.

Both services as they are, handler by handler and step by step, on a real database; what one publishes the
other is told in any order, twice or late. Only the broker is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from balance_chaos.outcome import differences, expected
from balance_chaos.published import READING_DAYS, reduced
from balance_chaos.traffic import PACKET, READING_EDIT, WEATHER_DAY, record_of
from balance_chaos.views import from_views
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import make_pool
from balance_chassis.testing import NewInstallation
from balance_imbalance import handlers as imbalance
from balance_imbalance.adapters import publishing as imbalance_publishing
from balance_imbalance.adapters.postgres import PostgresGroupDayStore
from balance_imbalance.adapters.postgres_readings import PostgresReadingDayStore
from balance_imbalance.adapters.postgres_register import PostgresRegister as ImbalanceRegister
from balance_imbalance.adapters.postgres_weather import PostgresWeatherMarks, PostgresWeatherStore
from balance_imbalance.domain.rules import Rules as ImbalanceRules
from balance_imbalance.entrypoints import kafka as imbalance_kafka
from balance_ingest import handlers as ingest
from balance_ingest.adapters.battery_table import life_table
from balance_ingest.adapters.delivery import PostgresDelivery
from balance_ingest.adapters.plans import PostgresPlans
from balance_ingest.adapters.postgres import PostgresStore
from balance_ingest.adapters.publishing import Renderer
from balance_ingest.adapters.reading_edits import PostgresDecisions
from balance_ingest.adapters.register import PostgresRegister, PostgresSilence
from balance_ingest.adapters.sensor_table import kind_table
from balance_ingest.adapters.unusual import PostgresUnusual
from balance_ingest.domain.days import Days
from balance_ingest.domain.delivery import DeliveryLimits
from balance_ingest.domain.parameters import ParameterTable
from balance_ingest.domain.plans import DescribedConcentrator, DescribedModule
from balance_ingest.entrypoints import kafka as ingest_kafka
from balance_ingest.ports import DescribedUsagePoint
from balance_kernel.calendar import Calendar
from balance_local.installation import Installation
from balance_oracle.describe import Described
from balance_oracle.evidence import is_bad_record
from balance_oracle.fleets import PLACES
from balance_oracle.worlds import World, delivered, make_world
from balance_schemas import avsc
from balance_schemas.codec import Codec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg_pool import ConnectionPool

pytestmark = pytest.mark.stack

Pools = tuple[ConnectionPool[Connection[Any]], ConnectionPool[Connection[Any]]]
EXAMPLES = int(os.environ.get("BALANCE_PROPERTY_EXAMPLES", "3"))
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
AGED = "UPDATE {}.markers SET marked_at = marked_at - INTERVAL '1 minute'"
NOTED = "UPDATE ingest.reading_changes SET noted_at = noted_at - INTERVAL '2 minutes'"
TABLES = """SELECT string_agg(format('%%I.%%I', schemaname, tablename), ', ') FROM pg_tables
    WHERE schemaname = %(schema)s AND tablename !~ 'migration'
    AND tablename NOT IN ('clock', 'nightly', 'rules_in_force')"""


@dataclass
class Services:
    """Both services on one database, without processes and without a broker between them."""

    made: Installation
    random: Random
    ingest_pool: ConnectionPool[Connection[Any]]
    imbalance_pool: ConnectionPool[Connection[Any]]
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    underway: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        description = self.made.description
        self.calendar = Calendar(description.zone, description.day_start_hour)
        days = Days(self.calendar)
        self.rules, self.imbalance_rules = ingest.Rules(days), ImbalanceRules()
        self.store = PostgresStore(self.ingest_pool, days, None)
        self.register = PostgresRegister(self.ingest_pool, days, None)
        self.register.keep_kinds(kind_table())
        self.plans = PostgresPlans(self.ingest_pool, days, None, life_table())
        self.decisions = PostgresDecisions(self.ingest_pool, days, None)
        self.groups = PostgresGroupDayStore(self.imbalance_pool, self.calendar, self.imbalance_rules, None)
        silence = PostgresSilence(self.ingest_pool, days, None)
        delivery = PostgresDelivery(self.ingest_pool, days, None, self.plans, DeliveryLimits())
        unusual = PostgresUnusual(self.ingest_pool, days, ParameterTable())
        lookback = self.imbalance_rules.lookback_days
        marks = PostgresWeatherMarks(self.imbalance_pool, self.calendar, lookback)
        sweep = imbalance.Sweep(self.groups, self.imbalance_rules, self.calendar)
        computing = imbalance.Computing(
            self.groups, self.imbalance_rules, self.calendar, 50, lambda _computed, _changed: None
        )
        self.steps: Sequence[Callable[[], int]] = (
            ingest.Recomputing(self.store, self.rules, 50).step,
            ingest.Sweep(silence, self.rules).step,
            ingest.Judging(unusual).step,
            ingest.Delivering(delivery).step,
            self.publish_readings,
            self.tell_readings,
            sweep.step,
            computing.step,
            imbalance.MarkingWeather(marks).step,
            self.publish_group_days,
        )

    def deliver(self, messages: Sequence[Described]) -> None:
        """Some messages at once, each to whoever reads it."""
        packets = [CODEC.encode(PACKET, m) for m in messages if "packet_id" in m and not is_bad_record(m)]
        if packets:
            read = [ingest_kafka.decode_packet(CODEC, self.calendar, data) for data in packets]
            ingest.handle_packets(read, self.store, self.rules)
        edits = [CODEC.encode(READING_EDIT, m) for m in messages if "edit_id" in m]
        if edits:
            decided = [ingest_kafka.decode_reading_edit(CODEC, self.calendar, data) for data in edits]
            ingest.handle_reading_edits(decided, self.decisions)
        weather = [CODEC.encode(WEATHER_DAY, m) for m in messages if "reported_at" in m]
        if weather:
            told = [imbalance_kafka.decode_weather(CODEC, self.calendar, data) for data in weather]
            imbalance.handle_weather(told, PostgresWeatherStore(self.imbalance_pool))
        assets = [m for m in messages if not m.keys() & {"packet_id", "edit_id", "reported_at"}]
        if assets:
            self._describe([CODEC.encode(record_of(m), m) for m in assets])

    def _describe(self, assets: Sequence[bytes]) -> None:
        heard = [ingest_kafka.decode_asset(CODEC, self.calendar, data) for data in assets]
        points = [asset for asset in heard if isinstance(asset, DescribedUsagePoint)]
        ingest.handle_usage_points(points, self.register)
        devices = [asset for asset in heard if isinstance(asset, DescribedModule | DescribedConcentrator)]
        ingest.handle_plans(devices, self.plans)
        told = [imbalance_kafka.decode_asset(CODEC, self.calendar, data) for data in assets]
        balanced = [asset for asset in told if not isinstance(asset, str)]
        imbalance.handle_assets(balanced, ImbalanceRegister(self.imbalance_pool, self.calendar))

    def step(self, number: int) -> int:
        """One step of one worker, as if it had waited; gives how much it did."""
        for pool, schema in ((self.ingest_pool, "ingest"), (self.imbalance_pool, "imbalance")):
            with pool.connection() as connection:
                connection.execute(AGED.format(schema).encode())
                if schema == "ingest":
                    connection.execute(NOTED)
        return self.steps[number]()

    def settle(self) -> None:
        """Until nobody has anything left to do."""
        while sum(self.step(number) for number in range(len(self.steps))):
            pass

    def publish_readings(self) -> int:
        values = self._publish(self.ingest_pool, "ingest", Renderer(CODEC))
        readings = [data for data, name in values if name == READING_DAYS]
        again = [data for data in readings if self.random.random() < 0.2]
        self.underway += readings + again
        return len(values)

    def tell_readings(self) -> int:
        """Some of what is under way arrives, in any order, by either lane."""
        self.random.shuffle(self.underway)
        size = self.random.randint(1, 20)
        told, self.underway = self.underway[:size], self.underway[size:]
        if told:
            lane, rules = self.random.choice((0, 1)), self.imbalance_rules
            store = PostgresReadingDayStore(
                self.imbalance_pool, self.calendar, lane, rules.lookback_days, rules.unmetered_days
            )
            read = [imbalance_kafka.decode_readings(CODEC, self.calendar, data) for data in told]
            imbalance.handle_reading_days(read, store)
        return len(told)

    def publish_group_days(self) -> int:
        return len(self._publish(self.imbalance_pool, "imbalance", imbalance_publishing.Renderer(CODEC)))

    def _publish(
        self,
        pool: ConnectionPool[Connection[Any]],
        schema: str,
        render: Renderer | imbalance_publishing.Renderer,
    ) -> list[tuple[bytes, str]]:
        outbox, values = Outbox(schema), []
        with pool.connection() as connection:
            rows = outbox.claim(connection, 1000)
            for outgoing in render(connection, rows) if rows else []:
                name, value = CODEC.decode(outgoing.value or b"")
                self.published.append((name, value))
                values.append((outgoing.value or b"", name))
            outbox.forget(connection, rows)
        return values


def empty(pool: ConnectionPool[Connection[Any]]) -> None:
    """Both services as on the first day."""
    with pool.connection() as connection:
        for schema in ("ingest", "imbalance"):
            (names,) = connection.execute(TABLES, {"schema": schema}).fetchone() or ("",)
            connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE".encode())
        connection.execute("UPDATE ingest.clock SET received_at = DEFAULT, due_before = DEFAULT")
        connection.execute("UPDATE imbalance.clock SET heard_at = '-infinity'")
        connection.execute("UPDATE imbalance.nightly SET done_to = '-infinity'")


@pytest.fixture(scope="module", params=PLACES, ids=lambda place: f"{place[0]}-{place[1]}")
def place(request: pytest.FixtureRequest) -> tuple[str, int, int]:
    found: tuple[str, int, int] = request.param
    return found


@pytest.fixture(scope="module")
def made(new_installation: NewInstallation, place: tuple[str, int, int]) -> Installation:
    """An installation in the place's calendar; its broker is not used."""
    installation = new_installation(topics=(), zone=place[0], day_start_hour=place[1], clock="packets")
    installation.migrate()
    assert isinstance(installation, Installation)
    return installation


@pytest.fixture(scope="module")
def pools(made: Installation) -> Iterator[Pools]:
    postgres = made.settings().postgres
    with make_pool(postgres, "ingest") as of_ingest, make_pool(postgres, "imbalance") as of_imbalance:
        yield of_ingest, of_imbalance


def play(services: Services, world: World, random: Random) -> None:
    """Deliver everything in batches, with steps of the workers here and there in between."""
    messages = delivered(world, random)
    odds = [random.choice((0.05, 0.3, 0.8)) for _ in services.steps]
    while messages:
        size = random.choice((1, 3, 10, 40))
        services.deliver(messages[:size])
        messages = messages[size:]
        for number, odd in enumerate(odds):
            if random.random() < odd:
                services.step(number)
    services.settle()


def test_every_order_gives_the_tables_of_the_oracle(
    made: Installation,
    place: tuple[str, int, int],
    pools: Pools,
) -> None:
    # A seed says all; smaller seeds make no smaller worlds, so there is nothing to shrink.
    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    @given(st.integers(0, 2**32), st.integers(0, 2**32))
    def hold(of_world: int, of_order: int) -> None:
        empty(pools[0])
        world, random = make_world(Random(of_world), [place]), Random(of_order)
        services = Services(made, random, *pools)
        play(services, world, random)
        wanted = expected(world.tables())
        assert differences(wanted, from_views(made)) == []
        assert differences(wanted, reduced(services.published)) == []

    hold()
