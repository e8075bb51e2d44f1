"""What one channel cannot be computed for does not hold up the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from balance_chassis.errors import FailureLimit, Fatal
from balance_ingest.domain.days import as_datetime
from balance_ingest.handlers import Recomputing


class PoisonedStore:
    """A store that fails with an error once a poisoned channel is in hand."""

    def __init__(self, store: Any, poison: set[int], error: Exception) -> None:
        self._store, self._poison, self._error = store, poison, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @contextmanager
    def working(self, limit: int, alone: int | None = None) -> Iterator[Any]:
        """As the store's."""
        with self._store.working(limit, alone) as (work, pairs):
            if self._poison & {channel for channel, _ in pairs}:
                raise self._error
            yield work, pairs


def mark(house: Any, *channels: int) -> None:
    """Mark a day of channels, an hour ago."""
    with house.pool.connection() as conn:
        conn.cursor().executemany(
            "INSERT INTO ingest.markers (subject_id, day_start, lane, marked_at)"
            " VALUES (%s, %s, 0, now() - interval '1 hour')",
            [(channel, as_datetime(1_772_000_000)) for channel in channels],
        )


def channels(house: Any, count: int) -> Sequence[int]:
    """Channels that were heard of."""
    with house.pool.connection() as conn:
        conn.execute(
            "INSERT INTO ingest.channels (module_id, channel)"
            " SELECT 'R-' || i, 1 FROM generate_series(1, %s) AS i",
            [count],
        )
    return [number for (number,) in house.rows("SELECT channel_id FROM ingest.channels ORDER BY channel_id")]


def poisoned(house: Any, poison: set[int], error: Exception) -> Recomputing:
    """The worker's step over a store that fails for some channels."""
    return Recomputing(PoisonedStore(house.recomputing.store, poison, error), house.rules)


@pytest.mark.stack
def test_one_that_fails_is_set_aside_and_the_others_are_computed(house: Any) -> None:
    one, bad, other = channels(house, 3)
    mark(house, one, bad, other)
    worker = poisoned(house, {bad}, OverflowError("too large"))
    assert worker.step() == 3
    assert not house.rows("SELECT FROM ingest.markers")
    shown = house.rows("SELECT module_id, reason FROM ingest.v_set_aside")
    assert shown == [("R-2", "OverflowError: too large")]
    assert worker.step() == 0
    mark(house, bad)
    assert poisoned(house, set(), OverflowError()).step() == 1
    assert not house.rows("SELECT FROM ingest.v_set_aside")


@pytest.mark.stack
def test_it_is_tried_again_when_the_process_starts_an_hour_later(house: Any) -> None:
    (bad,) = channels(house, 1)
    mark(house, bad)
    assert poisoned(house, {bad}, OverflowError()).step() == 1
    poisoned(house, set(), OverflowError()).step()
    assert house.rows("SELECT count(*) FROM ingest.v_set_aside") == [(1,)]
    with house.pool.connection() as conn:
        conn.execute("UPDATE ingest.set_aside SET failed_at = now() - interval '2 h'")
    poisoned(house, set(), OverflowError()).step()
    assert not house.rows("SELECT FROM ingest.v_set_aside")
    assert house.rows("SELECT count(*) FROM ingest.markers") == [(1,)]


@pytest.mark.stack
def test_a_database_that_is_away_sets_nothing_aside(house: Any) -> None:
    (one,) = channels(house, 1)
    mark(house, one)
    with pytest.raises(psycopg.OperationalError):
        poisoned(house, {one}, psycopg.OperationalError("server closed the connection")).step()
    assert house.rows("SELECT count(*) FROM ingest.markers") == [(1,)]


@pytest.mark.stack
def test_too_many_are_fatal_and_what_was_set_aside_stays_so(house: Any) -> None:
    every = channels(house, 5)
    mark(house, *every)
    worker = poisoned(house, set(every), OverflowError())
    worker.failures = FailureLimit(most=3)
    with pytest.raises(Fatal):
        worker.step()
    assert house.rows("SELECT count(*) FROM ingest.v_set_aside") == [(4,)]
    assert house.rows("SELECT count(*) FROM ingest.markers") == [(1,)]
