"""The register changes while sinks store and workers compute: no group-day is left with what was before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.messages import Asset, Group, Module, NamedMembership, UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.handlers import Computing
from balance_kernel.plans import Setting
from balance_kernel.quantity import Resource, Role

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported
PATIENCE_S = 60.0
ONE = 1_000_000


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"expected {what} within {PATIENCE_S:.0f} s"
        time.sleep(0.01)


def waits_for_a_lock(house: House) -> bool:
    """Whether some connection to this database waits for a lock of another."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(house.rows(query))


def due_now(house: House) -> None:
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")


def group(group_id: str, supply: str, *members: str, version: int = 1) -> Group:
    """A group of gas; a member that begins with a sharp is a nested group."""
    memberships = [NamedMembership(supply, Role.SUPPLY, ONE, 0, FOREVER)]
    for of in members:
        point, nested = ("", of[1:]) if of.startswith("#") else (of, None)
        memberships.append(NamedMembership(point, Role.MEMBER, ONE, 0, FOREVER, nested))
    return Group(group_id, version, Resource.GAS, group_id, memberships)


def point(
    point_id: str, *modules: str, version: int = 1, resource: Resource = Resource.GAS, q_start: int = 0
) -> UsagePoint:
    channels = [ChannelFitting(module, 1, 0, FOREVER) for module in modules]
    meters = [Meter(0, FOREVER, 15_000, 10, q_start)]
    return UsagePoint(point_id, version, meters, resource, (), False, channels)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(group("N", "U", version=2), id="nested-group"),
        pytest.param(point("T", "D", version=2, resource=Resource.WATER), id="thermometer-of-a-member"),
        pytest.param(Module("D", 2, [Setting(0, "MONTHLY")]), id="module-of-a-missing-member"),
    ],
)
def test_what_the_register_changes_waits_for_a_worker_that_holds_a_group_it_touches(
    house: House, change: Asset
) -> None:
    """The worker has read what G came to, and not yet written the day by it, when that changes."""
    house.describe(group("G", "S", "A", "B", "#N"), group("N", "V"), point("A", "D"), point("B", "D"))
    house.describe(point("T", "D", resource=Resource.TEMPERATURE), Module("D", 1, []))
    house.hear(*(house.reading(p, 0, v) for p, v in (("S", 300), ("A", 100), ("V", 100), ("U", 50))))
    house.hear(house.reading("T", 0, 20_000))
    due_now(house)
    with ThreadPoolExecutor(1) as threads:
        describing: list[Future[int]] = []

        def changed_meanwhile(*_: int) -> None:
            """Called by the worker after it wrote, before it commits."""
            if not describing:
                describing.append(threads.submit(house.describe, change))
                until(lambda: waits_for_a_lock(house), "the register to wait for the worker")

        computing = Computing(house.store, house.rules, house.calendar, 400, changed_meanwhile)
        assert computing.step() > 0
        assert describing[0].result(PATIENCE_S) > 0
    assert ("G", 0) in house.settle()


def test_sinks_a_worker_and_a_register_of_nested_groups_at_once_lose_nothing(house: House) -> None:
    """Whatever the interleaving, computing everything once more at the end changes nothing."""
    seed = random.Random(7)
    house.describe(group("G", "S", "A"), group("H", "T", "B"), group("K", "S", "C"))
    done = Event()

    def work() -> None:
        computing = Computing(house.store, house.rules, house.calendar, 3, lambda *_: None)
        while not done.is_set():
            due_now(house)
            computing.step()

    def sink(random_of: random.Random, backlog: bool) -> None:
        for version in range(1, 41):
            days = {(random_of.choice("STABCW"), random_of.randrange(8)) for _ in range(5)}
            given = [
                house.reading(of, day, 20_000 + random_of.randrange(100), version=2 * version + backlog)
                for of, day in sorted(days)
            ]
            house.hear(*given, clock_day=9, backlog=backlog)

    def register(random_of: random.Random) -> None:
        for version in range(2, 22):
            house.describe(*assets(random_of, version))

    with ThreadPoolExecutor(4) as threads:
        working = threads.submit(work)
        writing = [threads.submit(sink, random.Random(seed.random()), lane) for lane in (False, True)]
        writing.append(threads.submit(register, random.Random(seed.random())))
        for each in writing:
            each.result(PATIENCE_S)
        done.set()
        working.result(PATIENCE_S)
    house.settle()
    house.published()
    before = house.figures()
    house.rows(
        "INSERT INTO imbalance.markers (subject_id, day_start, lane) SELECT balance_group, day, 1 "
        "FROM imbalance.groups, generate_series(to_timestamp(%s), to_timestamp(%s), '1 day') AS day "
        "RETURNING 1",
        house.day_start(0),
        house.day_start(9),
    )
    house.compute()
    assert house.published() == {}
    assert house.figures() == before
    assert len(before) > 100


def assets(random_of: random.Random, version: int) -> Iterator[Asset]:
    """Some entities as they might be next: groups within each other, modules, a thermometer."""
    inside = {"G": ["A", "#H"], "H": ["B", "#K"], "K": ["C", "#G"]}
    for name, supply in (("G", "S"), ("H", "T"), ("K", "S")):
        if random_of.random() < 0.5:
            members = [of for of in inside[name] if random_of.random() < 0.7]
            yield group(name, supply, *members, version=version)
    if random_of.random() < 0.5:
        yield point("W", random_of.choice("DE"), version=version, resource=Resource.TEMPERATURE)
    if random_of.random() < 0.5:
        of = random_of.choice("ABC")
        yield point(of, random_of.choice("DE"), version=version, q_start=random_of.choice([0, 30_000]))
    if random_of.random() < 0.3:
        yield Module("D", version, [Setting(0, random_of.choice(["DAILY", "WEEKLY"]))])
