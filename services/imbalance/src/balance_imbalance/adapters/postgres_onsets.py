"""Onsets and hourly alarms, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

from balance_chassis.outbox import Outbox
from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from balance_schemas import catalogue
from psycopg import Connection
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from balance_imbalance.adapters.onset_rows import (
    from_row_state,
    from_row_watched_day,
    to_columns_alarms,
    to_columns_onsets,
    to_row_state,
)
from balance_imbalance.adapters.publishing import HOUR_ALARM_KEY, ONSET_KEY
from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.domain.onset import Followed, State
from balance_imbalance.domain.onset_rules import ONSET_VERSION, OnsetRules
from balance_imbalance.ports import Followable

_DAYS_AT_ONCE = 10_000
_BEGINNING = datetime(1, 1, 2, tzinfo=UTC)
_COLUMNS = ("balance_group", "day_start", "state", "settings_hash", "version")
_TYPES = ("int4", "timestamptz", "jsonb", "text", "int8")


class PostgresOnsetStore:
    """Implements `ports.OnsetStore`."""

    def __init__(self, pool: ConnectionPool[Connection[Any]], calendar: Calendar, rules: OnsetRules) -> None:
        self._pool = pool
        self._calendar = calendar
        self._rules = rules

    @contextmanager
    def work(self) -> Iterator[PostgresOnsetWork]:
        """See the port."""
        with self._pool.connection() as conn:
            yield PostgresOnsetWork(conn, self._calendar, self._rules)


class PostgresOnsetWork:
    """Implements `ports.OnsetWork` on an open transaction."""

    def __init__(self, conn: Connection[Any], calendar: Calendar, rules: OnsetRules) -> None:
        self._conn = conn
        self._calendar = calendar
        self._rules = rules
        self._outbox = Outbox(SCHEMA)

    def unfollowed(self, first: Mapping[str, datetime]) -> tuple[Collection[str], Sequence[Followable]]:
        """See the port."""
        # A snapshot of its own for each statement: the locks first, then what is to be read.
        numbers = dict(self._rows("lock_onsets", group_ids=list(first)))
        since = {numbers[name]: first[name] for name in first if name in numbers}
        stamp = self._rules.settings_hash
        days = {
            group: (changed, count)
            for group, changed, count in self._rows(
                "first_unfollowed_days", **_firsts(since), settings_hash=stamp
            )
            if changed is not None
        }
        changed = {group: day for group, (day, _) in days.items()}
        before = {
            group: (after, from_row_state(state))
            for group, after, state in self._rows(
                "onset_states_before", **_firsts(changed), settings_hash=stamp
            )
        }
        windows = {
            group: self._calendar.shift(before[group][0], -self._rules.window_days)
            if group in before
            else _BEGINNING
            for group in changed
        }
        taken = _few({group: count + self._rules.window_days for group, (_, count) in days.items()})
        found = self._followable({group: windows[group] for group in taken}, before)
        left = set(changed) - taken
        return [name for name in first if numbers.get(name) not in left], found

    def _followable(
        self, windows: Mapping[int, datetime], before: Mapping[int, tuple[datetime, State]]
    ) -> Sequence[Followable]:
        afters = {group: before[group][0] if group in before else _BEGINNING for group in windows}
        news = dict(self._rows("first_news", **_firsts(afters)))
        rows: dict[int, list[Any]] = {group: [] for group in windows}
        with self._conn.cursor(binary=True) as cur:
            for group, *row in cur.execute(statement("watched_group_days"), _firsts(windows)):
                rows[group].append(row)
        found = []
        for group, each in rows.items():
            after, state = before.get(group, (None, State()))
            days = [from_row_watched_day(row, self._calendar) for _, *row in each]
            past = [day for day in days if after and day.start_s <= after.timestamp()]
            versions = {day.number: row[0] for day, row in zip(days, each, strict=True)}
            found.append(Followable(group, news.get(group), after, versions, state, past, days[len(past) :]))
        return found

    def write(self, gone_over: Sequence[tuple[Followable, Followed]]) -> tuple[int, int]:
        """See the port."""
        afters = {one.group: one.after or _BEGINNING for one, _ in gone_over}
        self._conn.execute(statement("forget_onset_days"), _firsts(afters))
        stamp = self._rules.settings_hash
        rows = [
            (one.group, self._start(day.number), Jsonb(to_row_state(state)), stamp, one.versions[day.number])
            for one, followed in gone_over
            for day, state in followed.states
        ]
        with self._conn.cursor() as cur:
            copy_binary(cur, f"{SCHEMA}.onset_days", _COLUMNS, _TYPES, rows)
        ends = {
            one.group: self._calendar.next_day(one.after) if one.after else _BEGINNING for one, _ in gone_over
        }
        given = {**_firsts(afters), "ends": list(ends.values())}
        stand = {group: what for group, *what in self._rows("what_stands", **given)}
        onsets: list[Any] = []
        alarms: list[Any] = []
        for one, followed in gone_over:
            key = {
                "group": one.group,
                "after": afters[one.group],
                "after_end": ends[one.group],
                "first_news": one.first_news,
                "algorithm_version": ONSET_VERSION,
                "settings_hash": stamp,
            }
            onsets_stand, alarms_stand = stand[one.group]
            if followed.onsets or onsets_stand:
                onsets += [[ONSET_KEY, one.group, at] for at in self._written_onsets(followed, key)]
            if followed.alarms or alarms_stand:
                alarms += [[HOUR_ALARM_KEY, one.group, at] for at in self._written_alarms(followed, key)]
        self._outbox.add(self._conn, catalogue.IMBALANCE, onsets + alarms)
        return len(onsets), len(alarms)

    def _written_onsets(self, followed: Followed, result: dict[str, Any]) -> list[int]:
        columns = to_columns_onsets(list(followed.onsets.values()), self._calendar)
        changed = self._conn.execute(statement("upsert_onsets"), {**result, **columns}).fetchall()
        found = {**result, "found": list(columns["alarmed_days"])}
        changed += self._conn.execute(statement("withdraw_onsets"), found).fetchall()
        return [int(at.timestamp()) for (at,) in changed]

    def _written_alarms(self, followed: Followed, result: dict[str, Any]) -> list[int]:
        columns = to_columns_alarms(list(followed.alarms.values()))
        changed = self._conn.execute(statement("upsert_hour_alarms"), {**result, **columns}).fetchall()
        found = {**result, "found": list(columns["starts"])}
        changed += self._conn.execute(statement("withdraw_hour_alarms"), found).fetchall()
        return [int(at.timestamp()) for (at,) in changed]

    def _rows(self, query: str, **values: Any) -> Sequence[Any]:
        return self._conn.execute(statement(query), values).fetchall()

    def _start(self, number: int) -> datetime:
        return self._calendar.start_of(date.fromordinal(number))


def _firsts(instants: Mapping[int, datetime]) -> dict[str, Any]:
    """Groups and an instant of each as columns."""
    return {"groups": list(instants), "firsts": list(instants.values())}


def _few(days: Mapping[int, int]) -> set[int]:
    """Groups with so many days together as a transaction may read, the first of them in any case."""
    taken: set[int] = set()
    total = 0
    for group, count in days.items():
        total += count
        if taken and total > _DAYS_AT_ONCE:
            break
        taken.add(group)
    return taken
