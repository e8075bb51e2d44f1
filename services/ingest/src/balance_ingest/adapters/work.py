"""What sink and worker do in a transaction that computes readings, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from balance_chassis.copying import Numbers
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.markers import Markers
from balance_chassis.postgres import ensure_partitions
from balance_kernel.plans import Allowance
from psycopg import Connection
from psycopg_pool import ConnectionPool

from balance_ingest.adapters import telemetry
from balance_ingest.adapters.estimated_days import EstimatedDays
from balance_ingest.adapters.evidence_rows import copy_block, copy_points, from_rows
from balance_ingest.adapters.histories import Histories
from balance_ingest.adapters.outcomes import (
    SCHEMA,
    Findings,
    Readings,
    name_clock,
    name_findings,
    name_readings,
    note_changes,
)
from balance_ingest.adapters.queries import rows_of, statement
from balance_ingest.domain.circumstances import ORDINARY, Circumstances
from balance_ingest.domain.cutting import ChannelKey
from balance_ingest.domain.days import DAY_S, HOUR_S, Days, Ints, as_datetime
from balance_ingest.domain.evidence import Block, Points
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.heard import Heard
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.packets import ModuleEvent
from balance_ingest.domain.plain import PlainDays, Windows
from balance_ingest.domain.screening import Noted, Refusal
from balance_ingest.domain.sheet import ReadingDay
from balance_ingest.domain.telemetry import News, Telemetry
from balance_ingest.ports import Clock, Pair, Stored

LIVE_S = 2 * DAY_S
"""Readings of a day that ended longer ago than this go by the backlog topic."""
_MONTH_S = 31 * DAY_S

Pool = ConnectionPool[Connection[Any]]
Now = Callable[[], int] | None
"""The wall clock in seconds since 1970, or None when packets tell the time."""


class PostgresWork:
    """Implements `ports.Work` in one transaction that holds ASSETS shared."""

    def __init__(self, conn: Connection[Any], days: Days, histories: Histories, now: Now, lane: int) -> None:
        self._conn = conn
        self._lane = lane
        self._days = days
        self._histories = histories
        self._now = now
        self._readings = Readings()
        self._findings = Findings()
        self._estimated = EstimatedDays()
        self._marked: set[Pair] = set()
        self._heard = Heard({}, {})
        self._keys: dict[int, ChannelKey] = {}
        self._spans: dict[int, tuple[int | None, int | None]] = {}
        self._doubted: set[int] = set()
        self._modules: dict[str, dict[int, int]] = {}
        self._received, self._due_before = self._row(statement("clock"))

    def hold(self, channels: Sequence[int]) -> None:
        """Lock the rows of channels and of all channels of the same usage points, in the order of their
        numbers.
        """
        related = self._histories.of(self._conn, channels)
        siblings = {sibling for points in related.values() for point in points for sibling in point.related}
        held = sorted({*channels, *siblings})
        rows = self._conn.execute(statement("hold_channels"), {"channels": Numbers(held)}, prepare=True)
        for channel, first, until, doubted in rows:
            self._spans[channel] = (first, until)
            if doubted:
                self._doubted.add(channel)

    def clock(self) -> Clock:
        """See the port."""
        return Clock(self._received if self._now is None else self._now(), self._due_before)

    def hear(self, received: int) -> None:
        """See the port."""
        self._received = max(self._received, received)

    def keep_heard(self, heard: Heard) -> None:
        """See the port."""
        self._heard = heard

    def usage_points(self, channels: Iterable[int]) -> Mapping[int, Sequence[UsagePoint]]:
        """See the port."""
        return self._histories.of(self._conn, channels)

    def windows(self, channels: Ints) -> Windows:
        """See the port."""
        self._histories.of(self._conn, set(channels.tolist()))
        return self._histories.windows(channels)

    def doubts(self, channels: Sequence[int], start: int, end: int) -> Circumstances:
        """See the port."""
        keys = {channel: self.channel_key(channel) for channel in channels if channel in self._doubted}
        if not keys:
            return ORDINARY
        faults, clocks = telemetry.doubts(self._conn, keys, self._days.between(start, end), self._days)
        return Circumstances(faults=faults, clocks=clocks)

    def circumstances(self, channels: Sequence[int], start: int, end: int) -> Circumstances:
        """See the port."""
        doubts = self.doubts(channels, start, end)
        allowances: dict[int, list[Allowance]] = {}
        if channels:
            for channel, *span in self._rows("allowances", channels=Numbers(channels)):
                allowances.setdefault(channel, []).append(Allowance(*span))
        return replace(doubts, allowances=allowances)

    def keep_telemetry(self, told: Telemetry) -> News:
        """See the port."""
        news = telemetry.keep(self._conn, told, self._lane)
        doubted = {*news.faults, *news.clocks}
        if doubted:
            self._conn.execute(statement("doubt_channels"), {"modules": sorted(doubted)})
            self._doubted.update(
                channel for module in doubted for channel in self.channels_of(module).values()
            )
        return news

    def events_of_faults(self, modules: Iterable[str]) -> Mapping[str, Mapping[str, ModuleEvent]]:
        """See the port."""
        return telemetry.events_of_faults(self._conn, modules)

    def find_channels(self, modules: Iterable[str]) -> Sequence[int]:
        """Look up all channels of modules; gives their ids."""
        self._modules = {module: {} for module in modules}
        rows = self._rows("numbers_of_modules", modules=sorted(self._modules))
        for module, number, channel in rows:
            self._modules[module][number] = channel
        return [channel for _, _, channel in rows]

    def channels_of(self, module: str) -> Mapping[int, int]:
        """See the port."""
        if module not in self._modules:
            self.find_channels({*self._modules, module})
        return self._modules[module]

    def bounds(self, channel: int) -> Pair | None:
        """See the port."""
        first, until = self._span(channel)
        return None if first is None or until is None else (first, until)

    def evidence_of(self, channels: Ints, days: Ints) -> tuple[Sequence[Block], Points]:
        """See the port."""
        rows: list[Any] = []
        for day in np.unique(days).tolist():
            wanted = sorted(set(channels[days == day].tolist()))
            rows.extend(self._evidence_rows(wanted, [day]))
        return from_rows(rows)

    def evidence(self, channels: Sequence[int], days: Sequence[int]) -> tuple[Sequence[Block], Points]:
        """See the port."""
        return from_rows(self._evidence_rows(channels, days))

    def _evidence_rows(self, channels: Sequence[int], days: Sequence[int]) -> Sequence[Any]:
        heard_until = {until for _, until in map(self._span, channels) if until is not None}
        if not heard_until:
            return []
        known = [as_datetime(day) for day in days if day < max(heard_until)]
        with self._conn.cursor(binary=True) as cur:
            cur.execute(statement("evidence"), {"days": known, "channels": Numbers(channels)}, prepare=True)
            return cur.fetchall()

    def _span(self, channel: int) -> tuple[int | None, int | None]:
        return self._spans.get(channel, (None, None))

    def edges(self, channels: Ints, days: Ints) -> tuple[Ints, Ints]:
        """See the port."""
        before, after = np.full(len(days), -1, np.int64), np.full(len(days), -1, np.int64)
        for day in np.unique(days).tolist():
            rows = np.flatnonzero(days == day)
            wanted = channels[rows].tolist()
            for numbers, name, beside in ((before, "ends_of_day", -1), (after, "starts_of_day", 1)):
                neighbour = as_datetime(self._days.shift(day, beside))
                found = dict(self._rows(name, day=neighbour, channels=Numbers(wanted)))
                if found:
                    numbers[rows] = [found.get(channel, -1) for channel in wanted]
        return before, after

    def point_days(self, channel: int, before: int, after: int) -> Sequence[int]:
        """See the port."""
        rows = self._rows("point_days", channel=channel, before=as_datetime(before), after=as_datetime(after))
        return [day for (day,) in rows]

    def channels_with_points(self, channels: Sequence[int], days: Sequence[int]) -> frozenset[int]:
        """See the port."""
        span = {"first": as_datetime(days[0]), "last": as_datetime(days[-1])}
        return frozenset(c for (c,) in self._rows("channels_with_points", channels=Numbers(channels), **span))

    def registers_between(self, channels: Sequence[int], days: Sequence[int]) -> Mapping[int, Pair]:
        """See the port."""
        instants = [as_datetime(day) for day in days]
        rows = self._rows("registers_between", channels=Numbers(channels), days=instants) if days else ()
        return {channel: (first, last) for channel, first, last in rows}

    def estimated_days(self, points: Sequence[int], first: int, last: int) -> Mapping[int, Sequence[int]]:
        """See the port."""
        return self._estimated.near(self._conn, points, first, last)

    def keep_estimated(self, point: int, days: Sequence[int], estimated: Collection[int]) -> None:
        """See the port."""
        self._estimated.keep(point, days, estimated)

    def heard(self, channels: Sequence[int], days: Sequence[int]) -> frozenset[Pair]:
        """See the port."""
        instants = [as_datetime(day) for day in days]
        return frozenset(self._rows("heard", channels=Numbers(channels), days=instants))

    def keep_blocks(self, blocks: Iterable[Block]) -> None:
        """See the port."""
        told = [block for block in blocks if len(block)]
        if told:
            self._conn.execute(statement("make_incoming_evidence"))
            with self._conn.cursor() as cur:
                for block in told:
                    copy_block(cur, block)
                    self._widen(block.channel, block.day)
                self._pour_evidence(cur)

    def keep_points(self, points: Points, days: Ints) -> None:
        """See the port."""
        if len(points):
            self._conn.execute(statement("make_incoming_evidence"))
            with self._conn.cursor() as cur:
                copy_points(cur, points, days)
                self._widen(points.channel, days)
                self._pour_evidence(cur)

    def _pour_evidence(self, cur: Any) -> None:
        cur.execute(statement("upsert_evidence"))
        cur.execute("TRUNCATE incoming_evidence")

    def _widen(self, channels: Ints, days: Ints) -> None:
        """Move the bounds of the channels' evidence, a month at a time so that their rows rarely change."""
        wider: dict[int, tuple[int, int]] = {}
        for channel, day in zip(channels.tolist(), days.tolist(), strict=True):
            first, until = self._spans.get(channel, (None, None))
            if first is None or until is None or not first <= day < until:
                first = day if first is None or day < first else first
                until = day + _MONTH_S if until is None or day >= until else until
                wider[channel] = self._spans[channel] = (first, until)
        if wider:
            spans = sorted(wider.items())
            self._conn.execute(
                statement("widen_channels"),
                {
                    "channels": Numbers(channel for channel, _ in spans),
                    "from": Numbers(first for _, (first, _) in spans),
                    "until": Numbers(until for _, (_, until) in spans),
                },
            )

    def reading_days(self, points: Sequence[int], days: Sequence[int]) -> frozenset[Pair]:
        """See the port."""
        instants = [as_datetime(day) for day in days]
        return frozenset(self._rows("reading_days", points=Numbers(points), days=instants))

    def keep_plain(self, plain: PlainDays) -> None:
        """See the port."""
        self._readings.keep_plain(plain)

    def keep_readings(
        self, point: UsagePoint, readings: Sequence[ReadingDay], withdrawn: Mapping[int, int]
    ) -> None:
        """See the port."""
        self._readings.keep(point, readings, withdrawn)

    def open_findings(self, points: Sequence[int], start: int, end: int) -> Mapping[int, Sequence[Stored]]:
        """See the port."""
        found: dict[int, list[Stored]] = {}
        rows = self._rows(
            "open_findings", points=Numbers(points), start=as_datetime(start), end=as_datetime(end)
        )
        for point, *stored in rows:
            found.setdefault(point, []).append(Stored(*stored))
        return found

    def settle_findings(self, point: UsagePoint, found: Sequence[Finding], stored: Iterable[Stored]) -> None:
        """See the port."""
        self._findings.settle(found, (one.finding_id for one in stored), usage_point=point.key)

    def settle_channel_findings(self, channel: int, found: Sequence[Finding], gone: Iterable[str]) -> None:
        """See the port."""
        self._findings.settle(found, gone, channel_id=channel)

    def parked(self, channels: Sequence[int]) -> Mapping[int, tuple[int, int]]:
        """See the port."""
        rows = self._rows("parked", channels=Numbers(channels))
        return {channel: (start, end) for channel, start, end in rows}

    def span_of_evidence(self, channel: int) -> tuple[int, int] | None:
        """See the port."""
        first, until = self._span(channel)
        if first is None or until is None:
            return None
        days = [as_datetime(day) for day in self._days.between(first, until)]
        start, last = self._row(statement("span_of_evidence"), channel=channel, days=days)
        return None if start is None else (start, self._days.end_of(last))

    def channel_key(self, channel: int) -> ChannelKey:
        """See the port."""
        if channel not in self._keys:
            wanted = [*self._spans, channel]
            self._keys = {c: (m, n) for c, m, n in self._rows("keys_of_channels", channels=Numbers(wanted))}
        return self._keys[channel]

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """See the port."""
        self._findings.refuse(refusals)

    def note(self, noted: Sequence[Noted]) -> None:
        """See the port."""
        self._findings.note(noted)

    def mark(self, pairs: Iterable[Pair]) -> None:
        """See the port."""
        self._marked.update(pairs)

    def flush(self) -> None:
        """See the port."""
        ensure_partitions(self._conn, f"{SCHEMA}.reading_days", map(as_datetime, self._readings.days()))
        old_before = self.clock().now - LIVE_S
        changed = self._readings.write(self._conn)
        self._estimated.write(self._conn)
        name_readings(self._conn, changed, lambda day: self._days.end_of(day) < old_before)
        note_changes(self._conn, changed)
        name_findings(self._conn, self._findings.write(self._conn))
        _add_markers(self._conn, self._marked, old_before)
        self._write_heard()
        was = self._row(statement("hear"), received=self._received)
        if was and self._now is None and was[0] // HOUR_S < self._received // HOUR_S:
            name_clock(self._conn)

    def _write_heard(self) -> None:
        if self._heard.concentrators:
            values = {
                "concentrators": list(self._heard.concentrators),
                "received": Numbers(self._heard.concentrators.values()),
                "modules": list(self._heard.modules),
                "heard": Numbers(received for received, _ in self._heard.modules.values()),
                "by": [concentrator for _, concentrator in self._heard.modules.values()],
            }
            self._conn.execute(statement("keep_heard"), values, prepare=True)

    def _rows(self, name: str, **values: Any) -> Sequence[Any]:
        return rows_of(self._conn, name, **values)

    def _row(self, query: Any, **values: Any) -> Any:
        return self._conn.execute(query, values).fetchone()


def mark_days(conn: Connection[Any], pairs: Iterable[Pair], now: Now) -> None:
    """Mark (channel, day) pairs from outside a `PostgresWork`, by the clock of the installation."""
    _add_markers(conn, pairs, clock_of(conn, now).now - LIVE_S)


def clock_of(conn: Connection[Any], now: Now) -> Clock:
    """The clock as it stands in the database, or by the wall."""
    received, due_before = conn.execute(statement("clock")).fetchone() or (0, 0)
    return Clock(received if now is None else now(), due_before)


def _add_markers(conn: Connection[Any], pairs: Iterable[Pair], old_before: int) -> None:
    """Mark (channel, day) pairs, old ones in the backlog lane."""
    lanes: dict[int, list[tuple[int, datetime]]] = {LIVE: [], BACKLOG: []}
    for channel, day in pairs:
        lanes[BACKLOG if day + DAY_S < old_before else LIVE].append((channel, as_datetime(day)))
    for lane, marked in lanes.items():
        if marked:
            Markers(SCHEMA).add(conn, marked, lane)
