"""The register's projection, and the silence that the clock makes: whoever changes these holds ASSETS
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from balance_kernel.quantity import Resource
from psycopg import Connection
from psycopg.types.json import Jsonb

from balance_ingest.adapters.histories import from_row_usage_point, to_row_fittings, to_row_meters
from balance_ingest.adapters.postgres import number_channels
from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.reading_edits import decided_days, standing_spans
from balance_ingest.adapters.sensor_kinds import replace_kinds, settle_kinds
from balance_ingest.adapters.telemetry import events_of_faults
from balance_ingest.adapters.work import Now, Pool, clock_of, mark_days
from balance_ingest.domain.cutting import ChannelKey
from balance_ingest.domain.days import DAY_S, Days, Span, as_datetime
from balance_ingest.domain.faults import days_found, faults_of
from balance_ingest.domain.history import Fitting, UsagePoint, changed_spans
from balance_ingest.domain.marks import APART_S
from balance_ingest.domain.plans import falling_due, first_of
from balance_ingest.domain.sensor_kinds import SensorKind
from balance_ingest.ports import DescribedUsagePoint, Pair

_REACH_S = 34 * DAY_S
_WEEK = 7


class PostgresRegister:
    """Implements `ports.Register`."""

    def __init__(self, pool: Pool, days: Days, now: Now) -> None:
        """Take the pool, the metering days and the clock."""
        self._pool = pool
        self._days = days
        self._now = now

    def describe(self, points: Sequence[DescribedUsagePoint]) -> int:
        """See the port."""
        keys = sorted({channel.key for point in points for channel in point.channels})
        with self._pool.connection() as conn:
            numbers = number_channels(conn, keys) if keys else {}
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            held = self._held(conn, points)
            marked: set[Pair] = set()
            kept: list[UsagePoint] = []
            before = [old for _, old in held.values()]
            for point in points:
                version, old = held.get(point.name, (-1, None))
                if point.version > version:
                    new = self._kept(conn, point, numbers)
                    kept.append(new)
                    marked |= self._touched(conn, old, new)
            for name, decided in standing_spans(conn, [point.name for point in kept]).items():
                marked |= decided_days(conn, self._days, name, decided)
            conn.execute(statement("relate_extremes_of_points"), {"points": [point.key for point in kept]})
            settle_kinds(conn, kept)
            marked |= self._of_faults(conn, [*before, *kept])
            mark_days(conn, marked, self._now)
        return len(marked)

    def _of_faults(self, conn: Connection[Any], histories: Sequence[UsagePoint]) -> set[Pair]:
        """Channel-days that findings of faults begin on: they need no evidence (docs/domain.md §3.10)."""
        modules = {fitting.module_id for point in histories for fitting in point.fittings}
        events = events_of_faults(conn, modules)
        return {
            (fitting.channel_id, day)
            for point in histories
            for fitting in point.fittings
            if fitting.module_id in events
            for day in days_found(
                point,
                fitting.channel_id,
                faults_of(events[fitting.module_id].values(), fitting.number),
                self._days,
            )
        }

    def keep_kinds(self, kinds: Sequence[SensorKind]) -> int:
        """Make the table of sensor kinds this one, and mark the days of sensors whose range is another; gives
        how many.
        """
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            codes = replace_kinds(conn, kinds)
            if not codes:
                return 0
            rows = conn.execute(statement("usage_points_of_kinds"), {"codes": sorted(codes)}).fetchall()
            points = [from_row_usage_point(row) for row in rows]
            marked = {pair for point in points for pair in self._touched(conn, None, point)}
            conn.execute(statement("renew_usage_points"), {"points": [point.key for point in points]})
            settle_kinds(conn, points)
            mark_days(conn, marked, self._now)
        return len(marked)

    def _held(
        self, conn: Connection[Any], points: Sequence[DescribedUsagePoint]
    ) -> Mapping[str, tuple[int, UsagePoint]]:
        rows = conn.execute(statement("lock_usage_points"), {"ids": [point.name for point in points]})
        return {
            name: (version, from_row_usage_point((key, name, resource, meters, fittings, None, kind)))
            for key, name, version, resource, meters, fittings, kind in rows
        }

    def _kept(
        self, conn: Connection[Any], point: DescribedUsagePoint, numbers: Mapping[ChannelKey, int]
    ) -> UsagePoint:
        fittings = tuple(
            Fitting(numbers[channel.key], *channel.key, channel.fitted, channel.removed)
            for channel in point.channels
        )
        row = {
            "id": point.name,
            "version": point.version,
            "resource": Resource(point.resource).code,
            "meters": Jsonb(to_row_meters(point.meters)),
            "fittings": Jsonb(to_row_fittings(fittings)),
            "sensor_kind": point.sensor_kind,
        }
        (key,) = conn.execute(statement("upsert_usage_point"), row).fetchone() or (0,)
        channels = sorted({fitting.channel_id for fitting in fittings})
        conn.execute(statement("relate_channels"), {"point": key, "channels": channels})
        conn.execute(statement("keep_fittings"), {"point": key})
        return UsagePoint(
            key, point.name, point.resource, point.meters, fittings, sensor_kind=point.sensor_kind
        )

    def _touched(self, conn: Connection[Any], old: UsagePoint | None, new: UsagePoint) -> set[Pair]:
        """Channel-days on which the two histories differ and something was heard, or was silent after."""
        spans = list(changed_spans(old, new))
        channels = {f.channel_id for history in (old, new) if history for f in history.fittings}
        bounds = conn.execute(statement("spans_of_channels"), {"channels": sorted(channels)}).fetchall()
        marked: set[Pair] = set()
        judged: set[int] = set()
        for channel, first, until, allowed in bounds:
            near = self._near(spans, first, until + (_WEEK + allowed) * DAY_S, allowed)
            judged |= near
            if not near:
                # Whether anybody has it fitted may have changed all the same.
                marked.add((channel, self._days.day_of(first)))
                continue
            heard = self._heard(conn, channel, near)
            for start, end in spans:
                marked.update((channel, day) for day in self._of_span(heard, start, end, allowed))
            marked.add((channel, min(heard, default=self._days.day_of(first))))
        if judged:
            days = [as_datetime(day) for day in sorted(judged)]
            conn.execute(statement("note_described"), {"point": new.key, "days": days})
        marked.update(
            (channel, day) for channel in sorted(channels)[:1] for day in self._estimated(conn, new, spans)
        )
        return marked

    def _estimated(self, conn: Connection[Any], point: UsagePoint, spans: Iterable[Span]) -> Iterable[int]:
        """Days with hours of closed gaps whose marks may lie in the spans, or beside them."""
        first, last = map(as_datetime, self._days.starts[[0, -1]].tolist())
        values = {"points": [point.key], "first": first, "last": last}
        rows = conn.execute(statement("estimated_days"), values).fetchall()
        return [
            day
            for _, day in rows
            if any(start - APART_S - DAY_S <= day <= end + APART_S + DAY_S for start, end in spans)
        ]

    def _near(self, spans: Iterable[tuple[int, int]], first: int, until: int, allowed: int) -> set[int]:
        """Days in or around the spans, as far as evidence of the channel may bear on them."""
        near: set[int] = set()
        for start, end in spans:
            from_, to = max(start - _REACH_S - allowed * DAY_S, first), min(end + _REACH_S, until)
            near.update(self._days.between(from_, to))
        return near

    def _heard(self, conn: Connection[Any], channel: int, days: Iterable[int]) -> Sequence[int]:
        instants = [as_datetime(day) for day in sorted(days)]
        rows = conn.execute(statement("heard"), {"channels": [channel], "days": instants})
        return sorted(day for _, day in rows)

    def _of_span(self, heard: Sequence[int], start: int, end: int, allowed: int) -> Iterable[int]:
        """Days heard of within a span and next to it, and the days of the span within a week of one, and
        within the allowance.
        """
        inside = [day for day in heard if start - DAY_S <= day <= end]
        before = [day for day in heard if day < start - DAY_S][-1:]
        after = [day for day in heard if day > end][:1]
        silent = {
            later
            for day in (*inside, *before)
            for later in self._days.between(day, day + (_WEEK + allowed + 1) * DAY_S)
            if start - DAY_S <= later <= end
        }
        return {*inside, *before, *after, *silent}


class PostgresSilence:
    """Implements `ports.Silence`."""

    def __init__(self, pool: Pool, days: Days, now: Now) -> None:
        """Take the pool, the metering days and the clock."""
        self._pool = pool
        self._days = days
        self._now = now

    def sweep(self, grace_s: int, most_days: int) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            if not self._due(conn, grace_s, most_days):
                return 0
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            due = self._due(conn, grace_s, most_days)
            marked = {
                (channel, day) for _, day, allowed in due for channel in self._lacking(conn, day, allowed)
            }
            if due:
                mark_days(conn, marked, self._now)
                conn.execute(statement("fall_due"), {"due": due[-1][0]})
        return len(due)

    def _due(self, conn: Connection[Any], grace_s: int, most_days: int) -> Sequence[tuple[int, int, int]]:
        """(instant less the grace, day, allowance) of days that are due by the clock and were not before,
        the earliest first.
        """
        clock = clock_of(conn, self._now)
        until = clock.now - grace_s
        if not falling_due(self._days, max(clock.due_before, until - 2 * DAY_S), until):
            return []
        (first,) = conn.execute(statement("first_evidence")).fetchone() or (None,)
        if first is None:
            return []
        return first_of(falling_due(self._days, max(clock.due_before, first), until), most_days)

    def _lacking(self, conn: Connection[Any], day: int, allowed: int) -> set[int]:
        """Channels of this allowance that were silent on a day, or some of whose hours may be missing."""
        longer = dict(conn.execute(statement("awaited_longer"), {"day": day}).fetchall())
        mine = [channel for channel, days in longer.items() if days == allowed]
        if allowed and not mine:  # as nearly everywhere: the whole day need not be looked through
            return set()
        at = as_datetime(day)
        week = [as_datetime(self._days.shift(day, -back)) for back in range(1, _WEEK + allowed + 1)]
        lacking = {channel for (channel,) in conn.execute(statement("incomplete_channels"), {"day": at})}
        if not allowed:
            rows = conn.execute(statement("silent_channels"), {"week": week, "day": at})
            return (lacking | {channel for (channel,) in rows}) - longer.keys()
        silent = conn.execute(statement("silent_channels_of"), {"week": week, "day": at, "channels": mine})
        return (lacking & set(mine)) | {channel for (channel,) in silent}
