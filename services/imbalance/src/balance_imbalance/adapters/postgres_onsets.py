"""Onsets and hourly alarms, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
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

    def unfollowed(self, group_id: str, first: datetime) -> Followable | None:
        """See the port."""
        # A snapshot of its own for each statement: the lock first, then what is to be read.
        group = self._one("lock_onsets", {"group_id": group_id})
        if group is None:
            return None
        key = {"group": group, "first": first, "settings_hash": self._rules.settings_hash}
        changed = self._one("first_unfollowed_day", key)
        if changed is None:
            return None
        row = self._conn.execute(statement("onset_state_before"), {**key, "first": changed}).fetchone()
        after, state = (row[0], from_row_state(row[1])) if row else (None, State())
        window = self._calendar.shift(after, -self._rules.window_days) if after else _BEGINNING
        with self._conn.cursor(binary=True) as cur:
            rows = cur.execute(statement("watched_group_days"), {"group": group, "first": window}).fetchall()
        days = [from_row_watched_day(row, self._calendar) for _, *row in rows]
        past = [day for day in days if after and day.start_s <= after.timestamp()]
        versions = {day.number: row[0] for day, row in zip(days, rows, strict=True)}
        news = self._one("first_news", {"group": group, "after": after or _BEGINNING})
        return Followable(group, news, after, versions, state, past, days[len(past) :])

    def write(self, followable: Followable, followed: Followed) -> tuple[int, int]:
        """See the port."""
        key = {"group": followable.group, "after": followable.after or _BEGINNING}
        self._conn.execute(statement("forget_onset_days"), key)
        stamp = self._rules.settings_hash
        rows = [
            (
                followable.group,
                self._start(day.number),
                Jsonb(to_row_state(state)),
                stamp,
                followable.versions[day.number],
            )
            for day, state in followed.states
        ]
        with self._conn.cursor() as cur:
            copy_binary(cur, f"{SCHEMA}.onset_days", _COLUMNS, _TYPES, rows)
        result = {
            **key,
            "first_news": followable.first_news,
            "algorithm_version": ONSET_VERSION,
            "settings_hash": stamp,
        }
        end = self._calendar.next_day(followable.after) if followable.after else _BEGINNING
        stand = self._conn.execute(statement("what_stands"), {**key, "after_end": end}).fetchone()
        onsets_stand, alarms_stand = stand or (True, True)
        onsets = self._written_onsets(followed, result) if followed.onsets or onsets_stand else []
        found_from = {**result, "after_end": end}
        alarms = self._written_alarms(followed, found_from) if followed.alarms or alarms_stand else []
        keys = [[ONSET_KEY, followable.group, int(at.timestamp())] for at in onsets]
        keys += [[HOUR_ALARM_KEY, followable.group, int(at.timestamp())] for at in alarms]
        self._outbox.add(self._conn, catalogue.IMBALANCE, keys)
        return len(onsets), len(alarms)

    def _written_onsets(self, followed: Followed, result: dict[str, Any]) -> list[datetime]:
        columns = to_columns_onsets(list(followed.onsets.values()), self._calendar)
        changed = self._conn.execute(statement("upsert_onsets"), {**result, **columns}).fetchall()
        found = {**result, "found": list(columns["alarmed_days"])}
        changed += self._conn.execute(statement("withdraw_onsets"), found).fetchall()
        return [at for (at,) in changed]

    def _written_alarms(self, followed: Followed, result: dict[str, Any]) -> list[datetime]:
        columns = to_columns_alarms(list(followed.alarms.values()))
        changed = self._conn.execute(statement("upsert_hour_alarms"), {**result, **columns}).fetchall()
        found = {**result, "found": list(columns["starts"])}
        changed += self._conn.execute(statement("withdraw_hour_alarms"), found).fetchall()
        return [at for (at,) in changed]

    def _one(self, query: str, values: dict[str, Any]) -> Any:
        row = self._conn.execute(statement(query), values).fetchone()
        return row and row[0]

    def _start(self, number: int) -> datetime:
        return self._calendar.start_of(date.fromordinal(number))
