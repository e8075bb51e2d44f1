"""Homes that steal and homes that do not, through the real tables, steps and SQL of imbalance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_chassis.lanes import BACKLOG
from balance_chassis.migrations import migrate
from balance_chassis.postgres import make_pool
from balance_imbalance.adapters.postgres import PostgresGroupDayStore
from balance_imbalance.adapters.postgres_inadequacy import PostgresInadequacy
from balance_imbalance.adapters.postgres_readings import PostgresReadingDayStore
from balance_imbalance.adapters.postgres_register import PostgresRegister
from balance_imbalance.adapters.postgres_weather import PostgresWeatherStore
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.messages import (
    Asset,
    Group,
    NamedMembership,
    ReadingDay,
    ReadingDays,
    UsagePoint,
)
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_imbalance.handlers import Computing, handle_assets, handle_reading_days, handle_weather
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource, Role
from balance_local import installation
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.warm_homes import HeatCut, WarmDay, WarmHomes
from psycopg import Connection
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

CUTS_A_BUILDING = 3
"""Homes with each share of their gas, in every second building."""
SHARES = (0.3, 0.7)
_PULSE, _CLASS_PPM = 10_000, 15_000
Pool = ConnectionPool[Connection[Any]]


@dataclass(frozen=True)
class Plan:
    """A winter: from day `cut_at` on some homes register a part of their gas."""

    field: FieldPlan
    cut_at: int


@dataclass
class Seen:
    """What `imbalance.inadequacy` said, by day of the field and home."""

    heated: Sequence[bool]
    shares: Sequence[float]
    """1 for homes nobody touched."""
    tables: dict[int, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    rows: int = 0
    changed: int = 0


@contextmanager
def database(name: str, zone: str) -> Iterator[tuple[str, Pool, Calendar]]:
    """An installation of which only the tables of imbalance are used: DSN, pool, calendar."""
    made = installation.create(name, zone=zone, clock="packets")
    calendar = Calendar(zone, 0)
    try:
        migrate(made.dsn, "imbalance", "balance_imbalance", calendar)
        pool = make_pool(made.settings().postgres, "imbalance", size=6)
        try:
            yield made.dsn, pool, calendar
        finally:
            pool.close()
    finally:
        made.drop()


def play(plan: Plan, pool: Pool, calendar: Calendar) -> Seen:
    """Build the buildings, let the winter pass, and ask every day from 40 on."""
    homes = WarmHomes(plan.field, _cuts(plan))
    shares = [1.0] * len(homes)
    for cut in homes.cuts:
        shares[cut.home] = cut.share
    seen = Seen(homes.heated.tolist(), shares)
    handle_assets(list(_register(homes)), PostgresRegister(pool, calendar))
    weather, readings = PostgresWeatherStore(pool), PostgresReadingDayStore(pool, calendar, BACKLOG, 28)
    for day in homes.days():
        handle_weather([_weather(day)], weather)
        handle_reading_days([ReadingDays(day.start_s, list(_readings(day)))], readings)
    end = datetime.fromtimestamp(plan.field.end_s, UTC)
    _settle(pool, calendar, end, seen)
    with pool.connection() as conn, conn.cursor(row_factory=dict_row) as cur:
        for index in range(40, plan.field.days):
            at = plan.field.day(index)
            cur.execute("SELECT * FROM imbalance.inadequacy(%s)", [at])
            seen.tables[index] = cur.fetchall()
    return seen


def name_of(home: int) -> str:
    """Usage point of a home's gas."""
    return f"H-{home:05d}"


def home_of(usage_point: str) -> int:
    """The home again."""
    return int(usage_point.removeprefix("H-"))


def _cuts(plan: Plan) -> Sequence[HeatCut]:
    """In buildings 0, 2, 4… some homes of each share, that heat with gas."""
    homes = WarmHomes(plan.field)
    rng = np.random.default_rng(plan.field.seed)
    cuts = []
    for building in range(0, int(homes.building.max()) + 1, 2):
        there = rng.permutation(np.flatnonzero((homes.building == building) & homes.heated))
        for share, some in zip(
            SHARES, np.split(there[: CUTS_A_BUILDING * len(SHARES)], len(SHARES)), strict=True
        ):
            cuts += [HeatCut(int(home), plan.cut_at, share) for home in some]
    return cuts


def _register(homes: WarmHomes) -> Iterator[Asset]:
    """Homes with a meter and a thermometer on one module, common meters, and the group of each building."""
    members: dict[int, list[str]] = {}
    for home, building in enumerate(homes.building.tolist()):
        path = ("Field", f"Building {building}", f"{home}")
        members.setdefault(building, []).append(name_of(home))
        yield _point(name_of(home), f"M-{home}", 1, Resource.GAS, path)
        yield _point(f"{name_of(home)}/t", f"M-{home}", 0, Resource.TEMPERATURE, path)
    for building, names in sorted(members.items()):
        yield _point(f"S-{building}", f"C-{building}", 1, Resource.GAS, ("Field", f"Building {building}"))
        memberships = [_member(f"S-{building}", Role.SUPPLY), *(_member(name, Role.MEMBER) for name in names)]
        yield Group(f"B-{building}", 1, Resource.GAS, f"Building {building}", memberships)


def _point(name: str, module: str, channel: int, resource: Resource, path: tuple[str, ...]) -> UsagePoint:
    meter = Meter(0, FOREVER, _CLASS_PPM, 1 if resource is Resource.TEMPERATURE else _PULSE)
    fitting = ChannelFitting(module, channel, 0, FOREVER)
    return UsagePoint(name, 1, [meter], resource, path, channels=[fitting])


def _member(name: str, role: Role) -> NamedMembership:
    return NamedMembership(name, role, 1_000_000, 0, FOREVER)


def _readings(day: WarmDay) -> Iterator[ReadingDay]:
    for home, (gas, room) in enumerate(zip(day.gas, day.indoor, strict=True)):
        yield ReadingDay(name_of(home), day.start_s, 3600, 1, gas, None)
        yield ReadingDay(f"{name_of(home)}/t", day.start_s, 3600, 1, room, None)
    for building, supply in enumerate(day.supply):
        yield ReadingDay(f"S-{building}", day.start_s, 3600, 1, supply, None)


def _weather(day: WarmDay) -> WeatherReport:
    told = WeatherDay(("Field",), WeatherKind.FILE, "field", day.start_s, day.outdoor.tolist())
    return WeatherReport(told, 1, day.start_s)


def _settle(pool: Pool, calendar: Calendar, end: datetime, seen: Seen) -> None:
    """All that is due by the end of the field: inadequacy days, then group-days."""
    store = PostgresInadequacy(pool, calendar, InadequacyRules())
    store.follow_register()
    store.fall_due(calendar.shift(calendar.day_start(end), -1))
    while (counted := store.compute(200_000, quiet_s=0))[0]:
        seen.changed += counted[1]
    with pool.connection() as conn:
        conn.execute("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 hour'")
        row = conn.execute("SELECT count(*) FROM imbalance.inadequacy_days").fetchone()
        seen.rows = row[0] if row else 0
    computing = _computing(pool, calendar)
    while computing():
        pass


def _computing(pool: Pool, calendar: Calendar) -> Callable[[], int]:
    rules = Rules()
    store = PostgresGroupDayStore(pool, calendar, rules, None)
    return Computing(store, rules, calendar, 400, lambda _computed, _changed: None).step
