"""Markers lose no update, whoever writes when (architecture §3.4)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from balance_chassis.lanes import BACKLOG, LIVE, RECOMPUTATION
from balance_chassis.markers import Markers
from balance_chassis.migrations import migrate
from balance_chassis.postgres import connect
from balance_chassis.testing import Installation
from balance_kernel.calendar import Calendar

pytestmark = pytest.mark.stack
DAY = datetime(2026, 3, 1, 22, tzinfo=UTC)
MARKERS = Markers("trial")


def day(number: int) -> datetime:
    return DAY + timedelta(days=number)


@pytest.fixture(scope="module")
def dsn(installation: Installation) -> str:
    migrate(installation.dsn, "trial", None, Calendar())
    with psycopg.connect(installation.dsn) as conn:
        conn.execute(
            "CREATE TABLE state (subject int, value int); CREATE TABLE result (subject int, total int)"
        )
    return installation.dsn


@pytest.fixture
def reader(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn) as conn:
        conn.execute("TRUNCATE trial.markers, state, result")
        conn.commit()
        yield conn


@pytest.fixture
def writer(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn) as conn:
        yield conn


def mark(conn: psycopg.Connection, *days: int, subject: int = 1, lane: int = LIVE) -> None:
    MARKERS.add(conn, [(subject, day(number)) for number in days], lane)
    conn.commit()


def compute(conn: psycopg.Connection) -> int:
    total = conn.execute("SELECT sum(value) FROM state WHERE subject = 1").fetchone()
    assert total
    conn.execute("DELETE FROM result")
    conn.execute("INSERT INTO result VALUES (1, %s)", total)
    return int(total[0])


def test_a_write_that_commits_in_the_middle_is_computed_afterwards(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    writer.execute("INSERT INTO state VALUES (1, 1)")
    mark(writer, 0)
    assert MARKERS.take(reader, 1, 10) == [(day(0), LIVE)]
    assert compute(reader) == 1
    # The writer neither waits for the worker nor is lost to it.
    writer.execute("SET lock_timeout = '1s'; INSERT INTO state VALUES (1, 100)")
    mark(writer, 0)
    reader.commit()
    assert MARKERS.take(reader, 1, 10) == [(day(0), LIVE)]
    assert compute(reader) == 101
    reader.commit()
    assert MARKERS.take(reader, 1, 10) == []


def test_one_worker_at_a_time_holds_a_subject_and_the_other_takes_nothing(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    mark(writer, 0, 1)
    assert MARKERS.take(reader, 1, 1) == [(day(1), LIVE)]
    assert MARKERS.take(writer, 1, 10) == []
    reader.commit()
    writer.commit()
    assert MARKERS.take(writer, 1, 10) == [(day(0), LIVE)]


def test_a_crash_after_taking_leaves_the_markers(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    mark(writer, 0)
    assert MARKERS.take(reader, 1, 10)
    reader.rollback()
    assert MARKERS.take(reader, 1, 10) == [(day(0), LIVE)]


def test_taking_gives_each_of_the_newest_days_once_and_live_wins(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    mark(writer, 0, 1, 2, 2, lane=BACKLOG)
    mark(writer, 1, 1, lane=LIVE)
    mark(writer, 3, subject=2)
    assert MARKERS.take(reader, 1, 2) == [(day(2), BACKLOG), (day(1), LIVE)]
    assert MARKERS.take(reader, 1, 2) == [(day(0), BACKLOG)]


def test_a_snapshot_of_the_whole_transaction_is_refused(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(ValueError, match="READ COMMITTED"):
            MARKERS.take(conn, 1, 10)


def test_many_subjects_are_taken_at_once_those_marked_first_first(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    mark(writer, 4, subject=2, lane=BACKLOG)
    mark(writer, 1, 3, subject=1, lane=BACKLOG)
    mark(writer, 4, subject=2)
    assert MARKERS.take_many(reader, 2, quiet_s=0) == [(1, day(1), BACKLOG), (2, day(4), LIVE)]
    mark(writer, 4, subject=2)
    assert MARKERS.take_many(writer, 9, quiet_s=0) == []
    writer.commit()
    reader.commit()
    assert MARKERS.take_many(writer, 9) == []
    assert MARKERS.take_many(writer, 9, quiet_s=0) == [(1, day(3), BACKLOG), (2, day(4), LIVE)]


def test_recomputation_is_given_when_nothing_else_is_and_by_itself(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    mark(writer, 0, 1, 2, lane=RECOMPUTATION)
    mark(writer, 9, 1, lane=BACKLOG)
    assert MARKERS.take_many(reader, 9, quiet_s=0) == [(1, day(1), BACKLOG), (1, day(9), BACKLOG)]
    mark(writer, 8, subject=2)
    assert MARKERS.take_many(reader, 1, quiet_s=0) == [(2, day(8), LIVE)]
    reader.commit()
    reader.execute("UPDATE trial.markers SET marked_at = marked_at - INTERVAL '1 minute'")
    reader.commit()
    mark(writer, 2, lane=BACKLOG)
    assert MARKERS.take_many(reader, 9) == [(1, day(0), RECOMPUTATION)], "day 2 waits to be quiet"
    assert MARKERS.take_many(reader, 9, quiet_s=0) == [(1, day(2), BACKLOG)]
    reader.commit()
    assert reader.execute("SELECT 1 FROM trial.markers").fetchall() == []


def test_a_recomputation_is_marked_once_however_often_it_begins(reader: psycopg.Connection) -> None:
    mark(reader, 0, lane=BACKLOG)
    query = "SELECT s, %(day)s::timestamptz FROM unnest(ARRAY[2, 1, 2]) AS s UNION SELECT 3, %(day)s"
    assert MARKERS.recompute(reader, query, {"day": DAY}) == 3
    assert MARKERS.recompute(reader, query, {"day": DAY}) == 0
    counted = "SELECT lane, count(*) FROM trial.markers GROUP BY lane ORDER BY lane"
    assert reader.execute(counted).fetchall() == [(BACKLOG, 1), (RECOMPUTATION, 3)]


def test_many_markers_are_taken_soon_though_there_were_few_before(dsn: str) -> None:
    crowd = [(subject, DAY) for subject in range(30_000)]
    with connect(dsn, "trial") as conn:
        conn.execute("TRUNCATE trial.markers")
        MARKERS.add(conn, crowd, BACKLOG)
        conn.execute("DELETE FROM trial.markers WHERE id < (SELECT max(id) FROM trial.markers)")
        conn.commit()
        conn.autocommit = True
        conn.execute("VACUUM ANALYZE trial.markers")  # many pages with one row between them
        conn.autocommit = False
        for _ in range(20):  # psycopg and the server both keep what is executed often
            MARKERS.take_many(conn, 30_000, quiet_s=0)
            conn.commit()
        MARKERS.add(conn, crowd, BACKLOG)
        conn.commit()
        conn.execute("SET statement_timeout = '10s'")  # reading all for each takes minutes
        assert len(MARKERS.take_many(conn, 30_000, quiet_s=0)) == 30_000


def test_who_holds_all_markers_keeps_others_from_taking_many(
    reader: psycopg.Connection, writer: psycopg.Connection
) -> None:
    mark(writer, 0, lane=BACKLOG)
    assert MARKERS.hold(reader)
    assert MARKERS.take_many(writer, 9, quiet_s=0) == []
    assert not MARKERS.hold(writer)
    reader.commit()
    assert MARKERS.hold(writer)


def test_pairs_that_a_query_gives_are_marked_once_in_a_table_of_its_own(reader: psycopg.Connection) -> None:
    others = Markers("trial", "other_markers")
    reader.execute("CREATE TABLE trial.other_markers (LIKE trial.markers INCLUDING ALL)")
    query = "SELECT s, %(day)s::timestamptz FROM unnest(ARRAY[2, 1, 2]) AS s"
    assert others.add_selected(reader, query, {"day": DAY}, BACKLOG) == 2
    assert others.take_many(reader, 9, quiet_s=0) == [(1, DAY, BACKLOG), (2, DAY, BACKLOG)]
    assert MARKERS.take_many(reader, 9, quiet_s=0) == []
    reader.rollback()


@pytest.mark.parametrize(
    ("lane", "ages_s", "is_due"),
    [
        (LIVE, [0.0], False),
        (LIVE, [0.4], True),  # quiet
        (LIVE, [0.0, 0.4], False),  # not quiet, not old
        (LIVE, [0.0, 1.0], True),  # not quiet, old
        (BACKLOG, [1.0], False),
        (BACKLOG, [0.0, 6.0], True),
    ],
)
def test_due_after_quiet_or_age(
    reader: psycopg.Connection, lane: int, ages_s: list[float], is_due: bool
) -> None:
    for age_s in sorted(ages_s, reverse=True):
        reader.execute(
            "INSERT INTO trial.markers (subject_id, day_start, lane, marked_at) "
            "VALUES (1, %s, %s, clock_timestamp() - %s * interval '1 s')",
            [DAY, lane, age_s],
        )
    assert MARKERS.due(reader, 10) == ([1] if is_due else [])


def test_live_comes_first_then_the_newest_day(reader: psycopg.Connection) -> None:
    for subject, number, lane in [(1, 9, BACKLOG), (2, 1, LIVE), (3, 5, LIVE), (4, 0, BACKLOG)]:
        reader.execute(
            "INSERT INTO trial.markers (subject_id, day_start, lane, marked_at) "
            "VALUES (%s, %s, %s, now() - interval '1 h')",
            [subject, day(number), lane],
        )
    assert MARKERS.due(reader, 10) == [3, 2, 1, 4]
    assert MARKERS.due(reader, 2) == [3, 2]


def test_recomputation_is_due_only_while_nothing_else_is(reader: psycopg.Connection) -> None:
    mark(reader, *range(20), subject=1, lane=RECOMPUTATION)
    mark(reader, 30, subject=2, lane=RECOMPUTATION)
    assert MARKERS.due(reader, 10) == [1, 2]
    mark(reader, -5, subject=3, lane=BACKLOG)
    assert MARKERS.due(reader, 10) == [1, 2], "what is not due yet holds nothing up"
    reader.execute("UPDATE trial.markers SET marked_at = marked_at - interval '1 min' WHERE subject_id = 3")
    assert MARKERS.due(reader, 10) == [3]


def test_days_of_other_lanes_are_taken_before_those_to_be_recomputed(reader: psycopg.Connection) -> None:
    mark(reader, *range(10), lane=RECOMPUTATION)
    mark(reader, 2, -3)
    assert MARKERS.take(reader, 1, 10) == [(day(2), LIVE), (day(-3), LIVE)]
    taken = MARKERS.take(reader, 1, 10)
    assert taken == [(day(number), RECOMPUTATION) for number in (9, 8, 7, 6, 5, 4, 3, 1, 0)]


def test_what_is_due_is_found_among_very_many_recomputations(reader: psycopg.Connection) -> None:
    """By an index: live days are looked for ten times a second all the while."""
    MARKERS.add(reader, [(n % 50, day(n // 50)) for n in range(20_000)], RECOMPUTATION)
    mark(reader, 0, subject=7)
    reader.execute("ANALYZE trial.markers")
    plans = []
    for lane in ("lane < 2", "lane = 2 ORDER BY id LIMIT 1000"):
        rows = reader.execute(f"EXPLAIN SELECT subject_id FROM trial.markers WHERE {lane}".encode())
        plans.append(str(rows.fetchall()))
    assert "markers_but_recomputations" in plans[0]
    assert "markers_of_recomputations" in plans[1]
