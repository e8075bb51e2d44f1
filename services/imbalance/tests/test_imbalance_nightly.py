"""What is stored while days fall due is computed with them, or marked: nothing is lost in between."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Event
from typing import Any

import pytest
from balance_chassis.markers import Markers
from balance_imbalance.adapters.postgres_nightly import PostgresNightly, mark_late_readings
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST
from balance_imbalance.domain.nightly import Kind, Source, days_after, each_day

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported
PATIENCE_S = 30.0
DAILY = Kind("daily_for_test", "markers_for_test", Source.READING_DAYS, each_day, days_after(2))


@pytest.fixture
def daily(house: House, monkeypatch: pytest.MonkeyPatch) -> PostgresNightly:
    """A kind with a result for every usage point and day, of that day and two before; the sinks know it."""
    with house.pool.connection() as conn:
        conn.execute(
            "CREATE TABLE IF NOT EXISTS imbalance.markers_for_test (LIKE imbalance.markers INCLUDING ALL)"
        )
        conn.execute("TRUNCATE imbalance.markers_for_test")
        conn.execute("DELETE FROM imbalance.nightly WHERE kind = 'daily_for_test'")
        conn.execute("INSERT INTO imbalance.nightly (kind) VALUES ('daily_for_test')")
    monkeypatch.setattr("balance_imbalance.adapters.postgres_readings.OF_READINGS", (DAILY,))
    return PostgresNightly(house.pool, house.calendar, DAILY)


def instant(house: House, number: int) -> datetime:
    return datetime.fromtimestamp(house.day_start(number), UTC)


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"expected {what} within {PATIENCE_S:.0f} s"
        time.sleep(0.01)


def waiting(house: House) -> Sequence[Any]:
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    found: Sequence[Any] = house.rows(query)
    return found


def waits_for_a_lock(house: House) -> bool:
    return bool(waiting(house))


def taken(house: House, nightly: PostgresNightly) -> list[tuple[str, int]]:
    """What is due, by usage point and number of the day."""
    with nightly.work(10_000, quiet_s=0) as (_, due, _):
        pass
    ids = {
        row["usage_point"]: row["usage_point_id"]
        for row in house.rows("SELECT * FROM imbalance.usage_points")
    }
    first = instant(house, 0)
    days = {instant(house, number): number for number in range(-5, 60)}
    assert first in days
    return sorted((ids[subject], days[day]) for subject, day in due)


def test_the_first_time_what_is_stored_is_marked_then_everybody_described(
    house: House, daily: PostgresNightly
) -> None:
    house.describe(house.meter_of("A"))
    house.hear(house.reading("B", 0, 100), house.reading("B", 5, 100))
    assert taken(house, daily) == []
    assert daily.fall_due(instant(house, 1)) == 2
    assert taken(house, daily) == [("B", 0), ("B", 1)]
    assert daily.fall_due(instant(house, 1)) == 0
    assert daily.fall_due(instant(house, 3)) == 2
    assert taken(house, daily) == [("A", 2), ("A", 3)]
    assert daily.fall_due(instant(house, 2)) == 0
    assert PostgresNightly(house.pool, house.calendar, DAILY).fall_due(instant(house, 3)) == 0


def test_fresh_days_mark_nothing_late_ones_what_depends_on_them(house: House, daily: PostgresNightly) -> None:
    daily.fall_due(instant(house, 3))
    house.hear(house.reading("A", 4, 100), house.reading("B", 9, 100))
    assert taken(house, daily) == []
    house.hear(house.reading("A", 2, 100), house.reading("B", 0, 100))
    assert taken(house, daily) == [("A", 2), ("A", 3), ("B", 0), ("B", 1), ("B", 2)]
    house.hear(house.reading("A", 2, 100, version=2))
    assert taken(house, daily) == []


def test_a_day_being_stored_while_it_falls_due_is_waited_for(
    house: House, daily: PostgresNightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sink found day 2 not due and has not committed: what falls due now must be computed with it."""
    house.describe(house.meter_of("A"))
    daily.fall_due(instant(house, 1))
    falling = []
    with ThreadPoolExecutor(1) as threads:

        def then_it_falls_due(*given: Any) -> None:
            mark_late_readings(*given)
            falling.append(threads.submit(daily.fall_due, instant(house, 2)))
            until(lambda: waits_for_a_lock(house), "the days to wait for the sink")
            assert not falling[0].done()

        monkeypatch.setattr(
            "balance_imbalance.adapters.postgres_readings.mark_late_readings", then_it_falls_due
        )
        house.hear(house.reading("A", 2, 100))
        assert falling[0].result(PATIENCE_S) == 1
    assert taken(house, daily) == [("A", 2)]


def test_a_day_stored_while_the_first_days_fall_due_is_waited_for_too(
    house: House, daily: PostgresNightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    falling = []
    with ThreadPoolExecutor(1) as threads:

        def then_it_falls_due(*given: Any) -> None:
            mark_late_readings(*given)
            falling.append(threads.submit(daily.fall_due, instant(house, 2)))
            until(lambda: waits_for_a_lock(house), "the days to wait for the sink")

        monkeypatch.setattr(
            "balance_imbalance.adapters.postgres_readings.mark_late_readings", then_it_falls_due
        )
        house.hear(house.reading("A", 2, 100))
        assert falling[0].result(PATIENCE_S) == 1
    assert taken(house, daily) == [("A", 2)]


def test_a_sink_waits_for_days_that_are_falling_due_and_then_marks(
    house: House, daily: PostgresNightly
) -> None:
    daily.fall_due(instant(house, 1))
    with ThreadPoolExecutor(1) as threads, house.pool.connection() as conn:
        conn.execute(
            "UPDATE imbalance.nightly SET done_to = %s WHERE kind = %s", [instant(house, 2), DAILY.name]
        )
        storing = threads.submit(house.hear, house.reading("A", 2, 100))
        until(lambda: waits_for_a_lock(house), "the sink to wait for the days")
        conn.commit()
        assert storing.result(PATIENCE_S) == 1
    assert taken(house, daily) == [("A", 2)]


@pytest.mark.parametrize("night", ["first", "ordinary"])
def test_no_sink_waits_for_the_marking_of_what_fell_due(
    house: House, daily: PostgresNightly, night: str
) -> None:
    """The marking is held for as long as it takes to store readings, by a lock that only it needs."""
    house.describe(house.meter_of("A"))
    house.hear(house.reading("A", 0, 100))
    if night == "ordinary":
        daily.fall_due(instant(house, 1))
        assert taken(house, daily) == [("A", 0), ("A", 1)]
    with ThreadPoolExecutor(2) as threads, house.pool.connection() as conn:
        conn.execute("LOCK TABLE imbalance.markers_for_test IN EXCLUSIVE MODE")
        falling = threads.submit(daily.fall_due, instant(house, 2))
        until(lambda: waits_for_a_lock(house), "the marking to be held")
        assert threads.submit(house.hear, house.reading("A", 3, 100)).result(PATIENCE_S) == 1
        assert not falling.done()
        late = threads.submit(house.hear, house.reading("A", 1, 100))
        until(lambda: len(waiting(house)) == 2, "the late day to be marked by who stores it")
        conn.commit()
        falling.result(PATIENCE_S)
        late.result(PATIENCE_S)
    results = [("A", 0), ("A", 1), ("A", 2)]
    assert taken(house, daily) == (results if night == "first" else results[1:])


@pytest.mark.parametrize("first", [True, False])
def test_marking_in_pieces_goes_on_where_it_was_killed_and_marks_each_once(
    house: House, daily: PostgresNightly, monkeypatch: pytest.MonkeyPatch, *, first: bool
) -> None:
    monkeypatch.setattr("balance_imbalance.adapters.postgres_nightly._DAYS_MARKED_AT_ONCE", 2)
    house.describe(house.meter_of("A"))
    if first:
        house.hear(house.reading("A", 0, 100), house.reading("B", 3, 100), house.reading("A", 3, 100))
        results = [("A", 0), ("A", 1), ("A", 2), ("A", 3), ("A", 4), ("A", 5), ("B", 3), ("B", 4), ("B", 5)]
    else:
        daily.fall_due(instant(house, -1))
        results = [("A", day) for day in range(6)]
    marked = []

    def then_killed(conn: Any) -> None:
        marked.append(conn)
        if len(marked) == 3:
            raise RuntimeError("killed")

    add, statement = Markers.add_selected, "balance_imbalance.adapters.postgres_nightly.Markers.add_selected"
    with monkeypatch.context() as patch:

        def add_then(markers: Markers, conn: Any, *given: Any) -> int:
            found = add(markers, conn, *given)
            then_killed(conn)
            return found

        patch.setattr(statement, add_then)
        with pytest.raises(RuntimeError, match="killed"):
            daily.fall_due(instant(house, 5))
    begun = taken(house, daily)
    assert begun == [each for each in results if each[1] < 4]
    again = PostgresNightly(house.pool, house.calendar, DAILY)
    assert again.fall_due(instant(house, 6)) == len(results) - len(begun) + 1, "everybody described on day 6"
    assert taken(house, again) == sorted([*(set(results) - set(begun)), ("A", 6)])
    assert again.fall_due(instant(house, 6)) == 0


def test_a_second_worker_leaves_the_marking_to_the_first(house: House, daily: PostgresNightly) -> None:
    house.hear(house.reading("A", 0, 100))
    other = PostgresNightly(house.pool, house.calendar, DAILY)
    with ThreadPoolExecutor(1) as threads, house.pool.connection() as conn:
        conn.execute("LOCK TABLE imbalance.markers_for_test IN EXCLUSIVE MODE")
        falling = threads.submit(daily.fall_due, instant(house, 2))
        until(lambda: waits_for_a_lock(house), "the marking to be held")
        assert other.fall_due(instant(house, 2)) == 0
        conn.commit()
        assert falling.result(PATIENCE_S) == 3
    assert other.fall_due(instant(house, 2)) == 0
    assert taken(house, other) == [("A", 0), ("A", 1), ("A", 2)]


def test_a_result_being_computed_is_computed_again_for_what_came_meanwhile(
    house: House, daily: PostgresNightly
) -> None:
    daily.fall_due(instant(house, 3))
    house.hear(house.reading("A", 2, 100))
    with daily.work(100, quiet_s=0) as (_, due, _):
        assert len(due) == 2
        house.hear(house.reading("A", 2, 200, version=2))
        with daily.work(100, quiet_s=0) as (_, others, _):
            assert others == []
    assert taken(house, daily) == [("A", 2), ("A", 3)]


def test_what_failed_stays_due(house: House, daily: PostgresNightly) -> None:
    daily.fall_due(instant(house, 3))
    house.hear(house.reading("A", 3, 100))
    with pytest.raises(RuntimeError, match="killed"), daily.work(100, quiet_s=0):
        raise RuntimeError("killed")
    assert taken(house, daily) == [("A", 3)]


def test_the_kinds_of_the_service_have_their_row_and_their_markers(house: House) -> None:
    house.describe(house.meter_of("A"), house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("S", 3, 100))
    house.settle()
    for kind, subjects in ((FORECAST, ["S"]), (GROUP_FORECAST, ["G"])):
        nightly = PostgresNightly(house.pool, house.calendar, kind)
        assert nightly.fall_due(instant(house, 4)) == len(subjects)
        with nightly.work(9, quiet_s=0) as (_, due, _):
            assert [day for _, day in due] == [instant(house, 4)] * len(subjects)
    house.hear(house.reading("S", 3, 200, version=2))
    house.settle()
    for kind in (FORECAST, GROUP_FORECAST):
        with PostgresNightly(house.pool, house.calendar, kind).work(9, quiet_s=0) as (_, due, _):
            assert [day for _, day in due] == [instant(house, 4)]


def test_nothing_is_lost_whatever_the_interleaving(house: House, daily: PostgresNightly) -> None:
    """Two sinks, days falling due and two workers at once.

    A worker keeps, as a result, the sum of the first hours that it depends on: at the end each result
    is that of what is stored.
    """
    seed = random.Random(7)
    points = ["A", "B", "C"]
    house.describe(*(house.meter_of(point) for point in points))
    results: dict[tuple[int, datetime], int] = {}
    done = Event()

    def compute(subject: int, day: datetime, conn: Any) -> int:
        query = (
            'SELECT coalesce(sum("values"[1]), 0)::bigint FROM imbalance.reading_days '
            "WHERE usage_point = %s AND day_start <= %s AND day_start > %s"
        )
        days = [subject, day, house.calendar.shift(day, -3)]
        total: int = conn.execute(query, days).fetchone()[0]
        return total

    def work() -> None:
        while not done.is_set():
            with daily.work(4, quiet_s=0) as (conn, due, _):
                results.update({key: compute(*key, conn) for key in due})

    def sink(chance: random.Random, backlog: bool) -> None:
        for version in range(1, 121):
            days = {(chance.choice(points), chance.randrange(10)) for _ in range(4)}
            values = 2 * version + backlog
            given = [house.reading(*key, values, version=values) for key in sorted(days)]
            house.hear(*given, clock_day=9, backlog=backlog)

    def falling() -> None:
        for number in range(10):
            daily.fall_due(instant(house, number))
            time.sleep(0.05)

    with ThreadPoolExecutor(5) as threads:
        working = [threads.submit(work) for _ in range(2)]
        writing = [threads.submit(sink, random.Random(seed.random()), lane) for lane in (False, True)]
        writing.append(threads.submit(falling))
        for each in writing:
            each.result(PATIENCE_S)
        until(lambda: not house.rows("SELECT 1 FROM imbalance.markers_for_test"), "the workers to end")
        done.set()
        for each in working:
            each.result(PATIENCE_S)
    with house.pool.connection() as conn:
        now = {key: compute(*key, conn) for key in results}
    assert results == now
    assert len(results) >= 27
