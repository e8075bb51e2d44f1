"""When all is done: nothing left to read, to compute or to publish, and everything equal to the oracle."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import psycopg
from balance_local import lag
from balance_local.installation import Installation
from balance_local.supervisor import SERVICES
from balance_oracle import Tables
from balance_oracle.spans import Key, Span, all_spans

from balance_chaos import told
from balance_chaos.follow_ups import Told, follow_ups, follow_ups_from_views, unlike_follow_ups
from balance_chaos.longer_spans import spans_from_views, told_spans, unlike_spans
from balance_chaos.outcome import Outcome, differences, expected
from balance_chaos.published import from_topics
from balance_chaos.stage import settings_of
from balance_chaos.views import from_views

_LEFT_TO_DO = {
    "gateway": ("outbox",),
    "ingest": ("outbox", "markers"),
    "imbalance": (
        "outbox",
        "markers",
        "weather_changes",
        "forecast_markers",
        "group_forecast_markers",
        "inadequacy_markers",
    ),
}
_MOST_WORDS = 20


def wait_until_equal(made: Installation, tables: Tables, patience_s: float) -> None:
    """Return when views and topics equal the oracle's tables and nothing is left to do.

    Raises AssertionError with the first differences when that has not happened after ``patience_s``.
    """
    wanted, heard = expected(tables), told.expected(tables.telemetry)
    after = Afterwards.of(tables)
    deadline = time.monotonic() + patience_s
    while words := _unfinished(made, wanted, heard, after):
        if time.monotonic() > deadline:
            raise AssertionError(f"not equal to the oracle after {patience_s:.0f} s:\n" + "\n".join(words))
        time.sleep(0.5)


def wait_until_idle(made: Installation, patience_s: float, services: Sequence[str] = SERVICES) -> None:
    """Return when nothing is left to do by some services.

    Raises AssertionError with what is left after ``patience_s``.
    """
    deadline = time.monotonic() + patience_s
    while words := waiting(made, services):
        if time.monotonic() > deadline:
            raise AssertionError(f"not idle after {patience_s:.0f} s:\n" + "\n".join(words))
        time.sleep(0.5)


def waiting(made: Installation, services: Sequence[str] = SERVICES) -> list[str]:
    """Work that some services still have to do: unread records, outboxes, markers."""
    lags = lag.of_groups(settings_of(made).kafka)
    unread = [one for one in lags if one.records and one.group.startswith(tuple(services))]
    words = [f"{one.group}: {one.records} records to read" for one in unread]
    with psycopg.connect(made.dsn) as connection:
        for table in (f"{service}.{name}" for service in services for name in _LEFT_TO_DO[service]):
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            if row and row[0]:
                words.append(f"{table}: {row[0]} rows")
    return words


@dataclass(frozen=True)
class Afterwards:
    """What follows from group-days and readings, by the oracle."""

    spans: dict[Key, Span]
    follow_ups: Told

    @classmethod
    def of(cls, tables: Tables) -> Afterwards:
        known, balanced = tables.known, tables.balanced
        if known is None:
            return cls({}, {})
        spans = told_spans(all_spans(balanced, known.days, known.settings))
        return cls(spans, follow_ups(known, balanced, tables.clock))

    def unlike(self, made: Installation) -> list[str]:
        """Differences of the views, in words."""
        with psycopg.connect(made.dsn) as connection:
            words = unlike_spans(self.spans, spans_from_views(connection))
            return words + unlike_follow_ups(self.follow_ups, follow_ups_from_views(connection))


def _unfinished(made: Installation, wanted: Outcome, heard: told.Told, after: Afterwards) -> list[str]:
    """What still waits or differs; equality counts only if it is there after the last work was done."""
    checks: tuple[Callable[[], Iterable[str]], ...] = (
        lambda: waiting(made),
        lambda: (f"view: {words}" for words in differences(wanted, from_views(made))),
        lambda: (f"topic: {words}" for words in differences(wanted, from_topics(made))),
        lambda: after.unlike(made),
        lambda: (f"topic: {words}" for words in told.differences(heard, told.from_topic(made))),
    )
    for check in checks:
        try:
            if words := list(islice(check(), _MOST_WORDS)):
                return words
        except psycopg.OperationalError as error:
            return [f"database: {error}"]
    return []
