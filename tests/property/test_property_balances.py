"""Imbalance on a real database, told readings, register and weather in any order, gives the oracle's
group-days, longer spans, forecasts, inadequacy days, onsets and alarms.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from balance_chaos.follow_ups import follow_ups, follow_ups_from_views, unlike_follow_ups
from balance_chaos.longer_spans import spans_from_views, told_spans, unlike_spans
from balance_chaos.outcome import Outcome, differences, outcome
from balance_chaos.published import GROUP_DAY, reduced
from balance_chaos.traffic import WEATHER_DAY, record_of
from balance_chaos.views import group_days_from_views
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import make_pool
from balance_chassis.testing import NewInstallation
from balance_imbalance import handlers
from balance_imbalance.adapters.postgres import PostgresGroupDayStore
from balance_imbalance.adapters.postgres_forecasts import MarkForecastsOfWeather, PostgresForecasts
from balance_imbalance.adapters.postgres_inadequacy import MarkWeather, PostgresInadequacy
from balance_imbalance.adapters.postgres_onsets import PostgresOnsetStore
from balance_imbalance.adapters.postgres_readings import PostgresReadingDayStore
from balance_imbalance.adapters.postgres_register import PostgresRegister
from balance_imbalance.adapters.postgres_weather import AlsoMark, PostgresWeatherMarks, PostgresWeatherStore
from balance_imbalance.adapters.publishing import Renderer
from balance_imbalance.computing.forecasting import Forecasts
from balance_imbalance.computing.inadequacy import Inadequacy
from balance_imbalance.computing.onsets import Watching
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_imbalance.domain.rules import Rules
from balance_imbalance.entrypoints import kafka
from balance_kernel.calendar import Calendar
from balance_local.installation import Installation
from balance_oracle.balance_worlds import BalanceWorld, make_balance_world, make_building
from balance_oracle.describe import Described
from balance_oracle.fleets import PLACES
from balance_oracle.spans import all_spans
from balance_schemas import avsc
from balance_schemas.codec import Codec
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg_pool import ConnectionPool

pytestmark = pytest.mark.stack

Pool = ConnectionPool[Connection[Any]]
EXAMPLES = int(os.environ.get("BALANCE_PROPERTY_EXAMPLES", "2"))
READINGS = "balance.v1.ReadingDaysComputed"
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
AGED = "UPDATE imbalance.{}markers SET marked_at = marked_at - INTERVAL '1 minute'"
TABLES = """SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
    WHERE schemaname = 'imbalance' AND tablename NOT IN ('clock', 'nightly', 'rules_in_force')
    AND tablename !~ 'migration'"""


@dataclass
class Service:
    """Imbalance on one database, without processes and without a broker."""

    made: Installation
    random: Random
    pool: Pool
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        description = self.made.description
        self.calendar = Calendar(description.zone, description.day_start_hour)
        self.rules = Rules()
        store = PostgresGroupDayStore(self.pool, self.calendar, self.rules, None)
        also: list[AlsoMark] = [MarkWeather(), MarkForecastsOfWeather(self.calendar)]
        marks = PostgresWeatherMarks(self.pool, self.calendar, self.rules.lookback_days, also)
        self.watching = Watching(
            PostgresOnsetStore(self.pool, self.calendar, OnsetRules()), OnsetRules(), lambda *_: None
        )
        forecasts = [
            Forecasts(
                PostgresForecasts(self.pool, self.calendar, self.rules, kind),
                store.clock,
                self.calendar,
                self.rules,
                fills,
                100,
                lambda *_: None,
            )
            for kind, fills in ((FORECAST, True), (GROUP_FORECAST, False))
        ]
        inadequacy = Inadequacy(
            PostgresInadequacy(self.pool, self.calendar, InadequacyRules()),
            store.clock,
            self.calendar,
            self.rules.grace_s,
            lambda *_: None,
        )
        self.render = Renderer(CODEC)
        self.steps: Sequence[Callable[[], int]] = (
            *(one.step for one in forecasts),
            inadequacy.step,
            handlers.Computing(store, self.rules, self.calendar, 50, lambda *_: None).step,
            handlers.Sweep(store, self.rules, self.calendar).step,
            handlers.MarkingWeather(marks).step,
            self.publish,
        )

    def hear(self, messages: Sequence[Described]) -> None:
        """Some messages at once, each to whoever reads it."""
        readings = [m for m in messages if "days" in m]
        weather = [m for m in messages if "reported_at" in m]
        assets = [m for m in messages if "days" not in m and "reported_at" not in m]
        if readings:
            data = [CODEC.encode(READINGS, m) for m in readings]
            told = [kafka.decode_readings(CODEC, self.calendar, each) for each in data]
            lane, rules = self.random.choice((LIVE, BACKLOG)), self.rules
            store = PostgresReadingDayStore(
                self.pool, self.calendar, lane, rules.lookback_days, rules.unmetered_days
            )
            handlers.handle_reading_days(told, store)
        if weather:
            data = [CODEC.encode(WEATHER_DAY, m) for m in weather]
            reports = [kafka.decode_weather(CODEC, self.calendar, each) for each in data]
            handlers.handle_weather(reports, PostgresWeatherStore(self.pool))
        if assets:
            data = [CODEC.encode(record_of(m), m) for m in assets]
            described = [kafka.decode_asset(CODEC, self.calendar, each) for each in data]
            ours = [asset for asset in described if not isinstance(asset, str)]
            handlers.handle_assets(ours, PostgresRegister(self.pool, self.calendar))

    def step(self, number: int) -> int:
        """One step of one worker, as if it had waited; gives how much it did."""
        with self.pool.connection() as connection:
            for kind in ("", "forecast_", "group_forecast_", "inadequacy_"):
                connection.execute(AGED.format(kind).encode())
        return self.steps[number]()

    def settle(self) -> None:
        """Until nobody has anything left to do."""
        while sum(self.step(number) for number in range(len(self.steps))):
            pass

    def publish(self) -> int:
        """What the outbox names, as bytes and back; the agents of group-days hear of them."""
        outbox = Outbox("imbalance")
        with self.pool.connection() as connection:
            rows = outbox.claim(connection, 1000)
            values = [one.value or b"" for one in self.render(connection, rows)] if rows else []
            outbox.forget(connection, rows)
        told = [(*CODEC.decode(value), value) for value in values]
        self.published += [(name, message) for name, message, _ in told]
        changed = [value for name, _, value in told if name == GROUP_DAY]
        self.random.shuffle(changed)
        self.watching.handle([kafka.decode_group_day(CODEC, self.calendar, value) for value in changed])
        return len(rows)


def messages_of(world: BalanceWorld, random: Random) -> list[Described]:
    """Everything in some order, some of it twice; reading days in batches, the clock with one of them."""
    days = [*world.readings, *random.choices(world.readings, k=len(world.readings) // 10)]
    random.shuffle(days)
    batches: list[Described] = [{"clock_at": world.clock, "days": []}]
    while days:
        size = random.choice((1, 5, 30))
        batches.append({"clock_at": world.place.start_ms, "days": days[:size]})
        days = days[size:]
    head = {"computed_at": 0, "algorithm_version": 1}
    others = [*world.assets, *world.weather]
    messages = [*(head | one for one in batches), *others, *random.choices(others, k=len(others) // 5)]
    random.shuffle(messages)
    return messages


def play(service: Service, world: BalanceWorld) -> None:
    """Deliver everything in batches, with steps of the workers here and there in between."""
    random = service.random
    messages = messages_of(world, random)
    odd = random.choice((0.0, 0.05, 0.3))
    while messages:
        size = random.choice((1, 10, 100))
        service.hear(messages[:size])
        messages = messages[size:]
        for number in range(len(service.steps)):
            if random.random() < odd:
                service.step(number)
    service.settle()


def empty(pool: Pool) -> None:
    """As on the first day."""
    with pool.connection() as connection:
        (names,) = connection.execute(TABLES).fetchone() or ("",)
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE".encode())
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
def pool(made: Installation) -> Iterator[Pool]:
    with make_pool(made.settings().postgres, "imbalance") as pool:
        yield pool


def only_group_days(found: dict[Any, Any]) -> Outcome:
    return outcome({}, found, (), {})


def test_every_order_gives_the_group_days_and_spans_of_the_oracle(
    made: Installation, place: tuple[str, int, int], pool: Pool
) -> None:
    # A seed says all; smaller seeds make no smaller worlds, so there is nothing to shrink.
    @settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
    # A supply membership that begins in the last hour of a day, so that the day is no gap of the forecast.
    @example(1836028897, 3866799371)
    @given(st.integers(0, 2**32), st.integers(0, 2**32))
    def hold(of_world: int, of_order: int) -> None:
        empty(pool)
        make = make_building if of_world % 4 == 0 else make_balance_world
        world = make(Random(of_world), [place])
        service = Service(made, Random(of_order), pool)
        play(service, world)
        known, days = world.known(), world.group_days()
        wanted = only_group_days({(one.group.group_id, one.day * 1000): one.figures() for one in days})
        with pool.connection() as connection:
            shown = only_group_days(group_days_from_views(connection))
            spans_shown = spans_from_views(connection)
            followed = follow_ups_from_views(connection)
        assert differences(wanted, shown) == []
        group_days = [(name, value) for name, value in service.published if name == GROUP_DAY]
        assert differences(wanted, reduced(group_days)) == []
        spans = told_spans(all_spans(days, known.days, world.settings))
        assert unlike_spans(spans, spans_shown) == []
        assert unlike_follow_ups(follow_ups(known, days, world.clock // 1000), followed) == []

    hold()
