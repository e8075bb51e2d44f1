"""Sinks, worker and register at once: no update is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Event
from typing import Any

import pytest
from balance_imbalance.handlers import Computing

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported
PATIENCE_S = 30.0


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"expected {what} within {PATIENCE_S:.0f} s"
        time.sleep(0.01)


def waits_for_a_lock(house: House) -> bool:
    """Whether some connection to this database waits for a lock of another."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(house.rows(query))


def silent_on_day_three(house: House) -> None:
    """B is heard on day 0 and the three before, and not on day 3, which is about to be computed."""
    house.describe(house.group_of("G", ["S"], ["A", "B"]))
    house.hear(*(house.reading("B", day, 100) for day in range(-3, 1)))
    house.settle()
    house.hear(house.reading("S", 3, 300), house.reading("A", 3, 100))
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")


def test_a_past_stored_while_a_day_is_estimated_from_it_marks_that_day(house: House) -> None:
    """The worker has read B's past and not yet said that day 3 depends on it, when that past changes.

    The sink must wait for the worker's result before it looks up what depends on its days.
    """
    silent_on_day_three(house)
    with ThreadPoolExecutor(1) as threads:
        storing = []

        def changed_meanwhile(computed: int, changed: int) -> None:
            """Called by the worker after it wrote, before it commits."""
            assert (computed, changed) == (1, 1)
            storing.append(threads.submit(house.hear, house.reading("B", 0, 300, version=2), backlog=True))
            until(lambda: waits_for_a_lock(house), "the sink to wait for the worker")

        Computing(house.store, house.rules, house.calendar, 400, changed_meanwhile).step()
        storing[0].result(PATIENCE_S)
    assert house.days("G")[3]["members"] == 24 * 200
    assert house.settle() == {("G", 0), ("G", 3)}
    assert house.days("G")[3]["members"] == 24 * 250


def test_the_worker_leaves_a_group_alone_while_its_days_are_being_marked(house: House) -> None:
    """A transaction of a sink that holds the group is not passed by: the group stays due."""
    silent_on_day_three(house)
    with house.pool.connection() as conn:
        conn.execute("SELECT 1 FROM imbalance.groups FOR SHARE")
        computing = Computing(house.store, house.rules, house.calendar, 400, lambda *_: None)
        assert computing.step() == 0
    assert computing.step() == 1


def test_a_register_change_waits_for_readings_being_stored(house: House) -> None:
    """A group that gains a usage point whose days are not committed yet would never hear of them."""
    with ThreadPoolExecutor(1) as threads, house.pool.connection() as conn:
        house.hear(house.reading("S", 0, 100))
        conn.execute("SELECT pg_advisory_xact_lock_shared(hashtext('imbalance.assets'))")
        describing = threads.submit(house.describe, house.group_of("G", ["S"], ["A"]))
        until(lambda: waits_for_a_lock(house), "the register to wait for the sink")
        conn.execute(
            "INSERT INTO imbalance.reading_days SELECT usage_point, day_start + INTERVAL '1 day', step_s, "
            '"values", qualities, version, changed_in FROM imbalance.reading_days'
        )
        conn.commit()
        assert describing.result(PATIENCE_S) == 2
    assert house.settle() == {("G", 0), ("G", 1)}


def test_a_register_change_and_a_new_partition_do_not_wait_for_each_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker holds G and makes a month by another connection; one message is about H's member and G.

    PostgreSQL cannot see that the two connections are one worker: if the register read H's days before it
    waited for G, both would wait for ever.
    """
    house.describe(house.group_of("G", ["S"], ["A"]), house.group_of("H", ["S"], ["B"]))
    house.hear(house.reading("B", 0, 100))
    house.settle()
    house.hear(house.reading("A", 100, 100))
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")
    changes = house.meter_of("B", 2, 20_000), house.group_of("G", ["S"], ["A", "C"], 2)
    store = house.store
    partitions = store._partitions
    ensure = partitions.ensure
    with ThreadPoolExecutor(2) as threads:
        describing = []

        def first_the_register(instants: Iterable[datetime]) -> None:
            describing.append(threads.submit(house.describe, *changes))
            until(lambda: waits_for_a_lock(house), "the register to wait for the worker")
            ensure(instants)

        monkeypatch.setattr(partitions, "ensure", first_the_register)
        working = threads.submit(Computing(store, house.rules, house.calendar, 400, lambda *_: None).step)
        try:
            assert working.result(PATIENCE_S) == 1
        except TimeoutError:
            house.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            raise
        assert describing[0].result(PATIENCE_S) == 2


def test_two_sinks_the_register_and_a_worker_at_once_lose_nothing(house: House) -> None:
    """Whatever the interleaving, computing everything once more at the end changes nothing."""
    seed = random.Random(5)
    points = ["S", *"ABCDEF"]
    groups = [house.group_of("G", ["S"], points[1:4]), house.group_of("H", ["S"], points[3:])]
    house.describe(*groups)
    done = Event()

    def work() -> None:
        computing = Computing(house.store, house.rules, house.calendar, 3, lambda *_: None)
        while not done.is_set():
            house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")
            computing.step()

    def sink(random_of: random.Random, backlog: bool) -> None:
        for version in range(1, 61):
            days = {(random_of.choice(points), random_of.randrange(8)) for _ in range(5)}
            given = [
                house.reading(point, day, random_of.randrange(100), version=2 * version + backlog)
                for point, day in sorted(days)
            ]
            house.hear(*given, clock_day=9, backlog=backlog)

    def register(random_of: random.Random) -> None:
        for version in range(2, 22):
            members = {point: (random_of.randrange(4), 4 + random_of.randrange(4)) for point in points[1:4]}
            house.describe(
                house.group_of("G", ["S"], members, version), house.meter_of("A", version, 1000 * version)
            )

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
    assert house.counted[-1][0] == 20
    assert house.published() == {}
    assert house.figures() == before
    assert len(before) > 100
