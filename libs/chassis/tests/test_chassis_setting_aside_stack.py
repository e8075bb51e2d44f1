"""One day that cannot be computed stops no other, and is tried again."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from balance_chassis.lanes import BACKLOG, LIVE, RECOMPUTATION
from balance_chassis.markers import Markers
from balance_chassis.migrations import migrate
from balance_chassis.postgres import make_pool
from balance_chassis.setting_aside import MOST_SUBJECTS, Returning, SettingAside, TooManyFailed
from balance_chassis.testing import Installation
from balance_kernel.calendar import Calendar
from psycopg_pool import ConnectionPool

pytestmark = pytest.mark.stack
FIRST = datetime(2026, 3, 1, 22, tzinfo=UTC)
MARKERS = Markers("trial")
Marked = tuple[int, datetime, int]


@pytest.fixture(scope="module")
def pool(installation: Installation) -> Iterator[ConnectionPool[Any]]:
    migrate(installation.dsn, "trial", None, Calendar())
    with make_pool(installation.settings().postgres, "trial") as made, made.connection() as conn:
        conn.execute("CREATE TABLE done (subject int, day_start timestamptz)")
        conn.commit()
        yield made


class Bench:
    """Takes and does what is marked; ``poison`` says which days fail."""

    def __init__(self, pool: ConnectionPool[Any], poison: Callable[[int, int], bool]) -> None:
        self.pool = pool
        self.poison = poison
        self.told: list[int] = []
        self.tries = 0
        self.aside = SettingAside[Marked](
            "trial", "markers", lambda item: item, "SELECT 'house ' || %s::int", self.told.append
        )

    def mark(self, *days: tuple[int, int], lane: int = LIVE) -> None:
        with self.pool.connection() as conn:
            MARKERS.add(conn, [(subject, day(number)) for subject, number in days], lane)

    def step(self) -> None:
        with self.pool.connection() as conn:
            taken = MARKERS.take_many(conn, 1000, 0)
            self.aside.bear(conn, taken, lambda some: self.do(conn, some))
        self.aside.verify()

    def do(self, conn: psycopg.Connection[Any], some: Sequence[Marked]) -> None:
        self.tries += 1
        conn.execute("CREATE TEMPORARY TABLE IF NOT EXISTS mine (n int, d timestamptz) ON COMMIT DELETE ROWS")
        for subject, start, _ in some:
            conn.execute("INSERT INTO mine VALUES (%s, %s)", [subject, start])
            conn.execute("SELECT 1 / %s", [0 if self.poison(subject, (start - FIRST).days) else 1])
        conn.execute("INSERT INTO done SELECT * FROM mine")

    def rows(self, query: str) -> list[Any]:
        with self.pool.connection() as conn:
            found: list[Any] = conn.execute(query.encode()).fetchall()
            return found

    def done(self) -> list[tuple[int, int]]:
        return [(subject, (at - FIRST).days) for subject, at in self.rows("SELECT * FROM done ORDER BY 1, 2")]

    def set_aside(self) -> list[tuple[str, int, int]]:
        found = self.rows(
            "SELECT subject, day_start, lane FROM trial.markers_set_aside ORDER BY subject_id, day_start"
        )
        return [(subject, (at - FIRST).days, lane) for subject, at, lane in found]


def day(number: int) -> datetime:
    return FIRST + timedelta(days=number)


@pytest.fixture
def bench(pool: ConnectionPool[Any]) -> Callable[..., Bench]:
    with pool.connection() as conn:
        conn.execute("TRUNCATE trial.markers, trial.markers_set_aside, done")
    return lambda poison: Bench(pool, poison)


def test_a_day_that_fails_alone_is_set_aside_and_all_others_are_done_once(bench: Any) -> None:
    at = bench(lambda subject, number: (subject, number) == (5, 2))
    marked = [(subject, number) for subject in range(1, 9) for number in range(4)]
    at.mark(*marked)
    at.step()
    assert at.done() == [each for each in marked if each != (5, 2)]
    assert at.set_aside() == [("house 5", 2, LIVE)]
    assert at.told == [1]
    assert at.rows("SELECT count(*) FROM trial.markers") == [(0,)]
    assert at.rows("SELECT error FROM trial.markers_set_aside") == [("DivisionByZero: division by zero",)]


def test_a_subject_that_fails_throughout_costs_a_few_tries(bench: Any) -> None:
    at = bench(lambda subject, _: subject == 5)
    at.mark(*((subject, number) for subject in (4, 5, 6) for number in range(300)), lane=RECOMPUTATION)
    at.step()
    assert len(at.done()) == 600
    assert at.set_aside() == [("house 5", number, RECOMPUTATION) for number in range(300)]
    assert at.tries < 50


def test_too_many_are_an_error_of_the_step_and_nothing_is_lost(bench: Any) -> None:
    at = bench(lambda *_: True)
    at.mark(*((subject, 0) for subject in range(100)))
    with pytest.raises(TooManyFailed):
        at.step()
    assert len(at.set_aside()) == MOST_SUBJECTS
    assert at.rows("SELECT min(subject_id), max(subject_id), count(*) FROM trial.markers") == [
        (MOST_SUBJECTS, 99, 100 - MOST_SUBJECTS)
    ]


def test_what_passes_by_itself_is_left_to_pass(bench: Any) -> None:
    at = bench(lambda *_: False)

    def lost(*_: object) -> None:
        raise psycopg.OperationalError("away")

    at.mark((1, 0), (2, 0))
    at.do = lost
    with pytest.raises(psycopg.OperationalError):
        at.step()
    assert at.set_aside() == []
    assert at.rows("SELECT count(*) FROM trial.markers") == [(2,)]


def test_it_is_marked_again_after_an_hour_behind_what_is_marked_by_then(bench: Any) -> None:
    poisoned = {3, 4}
    at = bench(lambda subject, _: subject in poisoned)
    at.mark((3, 0), lane=RECOMPUTATION)
    at.mark((4, 0))
    at.step()
    at.step()
    told: list[tuple[str, int]] = []
    returning = Returning(at.pool, "trial", ["markers"], lambda *each: told.append(each))
    assert returning.step() == 0
    at.rows("UPDATE trial.markers_set_aside SET set_aside_at = set_aside_at - INTERVAL '1 hour' RETURNING 1")
    at.mark((1, 0))
    assert returning.step() == 2
    assert told == [("markers", 2), ("markers", 0)]
    assert at.rows("SELECT subject_id, lane FROM trial.markers ORDER BY subject_id") == [
        (1, LIVE),
        (3, RECOMPUTATION),
        (4, BACKLOG),
    ]
    poisoned.clear()
    at.step()
    at.step()
    assert at.done() == [(1, 0), (3, 0), (4, 0)]
