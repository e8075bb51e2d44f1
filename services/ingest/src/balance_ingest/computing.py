"""Readings of touched days: plain days all at once, the others one usage point at a time. Sink and worker
share it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balance_ingest.domain.channel_days import ChannelEvidence, by_channel
from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.days import DAY_S, Days, Ints
from balance_ingest.domain.evidence import Block
from balance_ingest.domain.findings import (
    NEGATIVE_CONSUMPTION,
    REGISTER_CONTINUITY,
    TWO_DEVICES,
)
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.packets import CHANNELS
from balance_ingest.domain.plain import plain_days
from balance_ingest.domain.plans import is_due
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.silence import unknown_channel
from balance_ingest.domain.steps import LONGEST_S
from balance_ingest.ports import Pair, Stored, Work

NEAR_S = 8 * DAY_S
"""Farther than two jumps of one run may lie apart, and than silence looks back."""
REACH_DAYS = 30
"""Farther than a register reading bears upon hours."""
_SPLIT_S = 35 * DAY_S
_OF_RUNS = frozenset({TWO_DEVICES, REGISTER_CONTINUITY, NEGATIVE_CONSUMPTION})


@dataclass(frozen=True, slots=True)
class Touched:
    """Channel-days whose evidence says something else than before, or that were marked, in order.

    `fresh`: those that had no evidence before. `alone`: of these, those that one row says all about.
    `whole`: rows that may be plain.
    """

    pairs: Sequence[Pair]
    fresh: frozenset[Pair] = frozenset()
    alone: frozenset[Pair] = frozenset()
    whole: Sequence[Block] = ()

    @classmethod
    def by_marks(cls, pairs: Iterable[Pair]) -> Touched:
        """Marked pairs, of whose evidence nothing is known yet."""
        return cls(sorted(set(pairs)))

    @classmethod
    def by_rows(cls, rows: Sequence[Pair], fresh: frozenset[Pair], whole: Sequence[Block]) -> Touched:
        """Pairs of changed rows; one with several rows is there several times."""
        count = Counter(rows)
        alone = frozenset(pair for pair in fresh if count[pair] == 1)
        return cls(sorted(count), fresh, alone, whole)

    def channels(self) -> Sequence[int]:
        """Each channel once, in order."""
        return sorted({channel for channel, _ in self.pairs})


def compute_days(work: Work, touched: Touched, days: Days) -> int:
    """Compute and keep what depends on the touched days; gives how many were plain."""
    done = _compute_plain(work, touched)
    odd: dict[int, set[int]] = defaultdict(set)
    points: dict[int, UsagePoint] = {}
    left = [pair for pair in touched.pairs if pair not in done]
    related = work.usage_points({channel for channel, _ in left})
    for channel, day in left:
        for point in related.get(channel, ()):
            points[point.key] = point
            odd[point.key].add(day)
    _compute_odd(work, points, odd, days)
    _mark_silence(work, touched, days)
    return len(done)


def _compute_plain(work: Work, touched: Touched) -> frozenset[Pair]:
    """Keep the readings of plain days; the (channel, day) pairs that are settled thereby."""
    done: set[Pair] = set()
    for block in _alone(touched):
        windows = work.windows(block.channel)
        before, after = work.edges(block.channel, block.day)
        plain, readings = plain_days(block, windows, before, after)
        calm = ~_disturbed(work, readings.point, readings.day)
        plain[plain] = calm
        work.keep_plain(readings.at(calm))
        rows = block.at(plain)
        done.update(zip(rows.channel.tolist(), rows.day.tolist(), strict=True))
    return frozenset(done)


def _alone(touched: Touched) -> Iterable[Block]:
    """Rows that are all the evidence of their channel-day: new, of one step, without POINT registers."""
    for block in touched.whole:
        keys = zip(block.channel.tolist(), block.day.tolist(), strict=True)
        alone = np.array([key in touched.alone for key in keys], bool)
        if alone.any():
            yield block.at(alone)


def _disturbed(work: Work, points: Ints, day: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which days have an open finding on them or at their edges, that may have to be withdrawn."""
    if not len(points):
        return np.zeros(0, bool)
    open_findings = work.open_findings(
        sorted(set(points.tolist())), int(day.min()), int(day.max()) + 3 * DAY_S
    )
    if not open_findings:
        return np.zeros(len(points), bool)
    return np.array(
        [
            any(f.start < at + 3 * DAY_S and at <= f.end for f in open_findings.get(point, ()))
            for point, at in zip(points.tolist(), day.tolist(), strict=True)
        ],
        bool,
    )


def _compute_odd(
    work: Work, points: Mapping[int, UsagePoint], odd: Mapping[int, set[int]], days: Days
) -> None:
    """Compute days one usage point at a time; evidence of those with the same days is read together."""
    alike: dict[tuple[int, int], list[UsagePoint]] = defaultdict(list)
    for key, wanted in odd.items():
        for first, last in _clusters(sorted(wanted)):
            alike[first, days.end_of(last)].append(points[key])
    for (first, last), group in sorted(alike.items()):
        _compute_group(work, group, first, last, days)


def _clusters(wanted: Sequence[int]) -> Iterable[tuple[int, int]]:
    first = before = wanted[0]
    for day in wanted[1:]:
        if day - before > _SPLIT_S:
            yield first, before
            first = day
        before = day
    yield first, before


def _compute_group(work: Work, group: Sequence[UsagePoint], first: int, last: int, days: Days) -> None:
    """Days from `first` to `last` of some usage points, and farther where registers or jumps reach
    farther.
    """
    channels = sorted({channel for point in group for channel in point.channel_ids})
    circumstances = work.circumstances(channels)
    near = NEAR_S + DAY_S * circumstances.longest_allowance
    around = days.between(first - near, last + 3 * DAY_S)
    evidence = by_channel(*work.evidence(channels, around))
    with_points = work.channels_with_points(
        channels, days.between(days.shift(first, -REACH_DAYS), days.shift(last, REACH_DAYS))
    )
    keys = [point.key for point in group]
    stored = work.open_findings(keys, first - NEAR_S, last + NEAR_S)
    wanted = days.between(first, last + 1)
    due = work.clock().due_before
    read = work.reading_days(keys, wanted)
    for point in group:
        findings = stored.get(point.key, ())
        computed = compute(point, wanted, evidence, days, due, circumstances)
        if (
            any(f.channel_id in with_points for f in point.fittings)
            or any(f.rule in _OF_RUNS for f in findings)
            or any(f.rule in _OF_RUNS for f in computed.findings)
        ):
            _compute_wide(work, point, circumstances, first, last, days)
        else:
            _keep(work, point, computed, read, findings, days)


def _compute_wide(
    work: Work,
    point: UsagePoint,
    circumstances: Circumstances,
    touched_from: int,
    touched_to: int,
    days: Days,
) -> None:
    """Days as far as register readings and runs of jumps reach from the touched ones."""
    channels = point.channel_ids
    first, last = _reach(work, channels, touched_from, touched_to, days)
    while True:
        heard_from = days.shift(first, -circumstances.longest_allowance)
        evidence = _evidence_around(work, channels, heard_from, last, days)
        wanted = days.between(first, last + 1)
        computed = compute(point, wanted, evidence, days, work.clock().due_before, circumstances)
        findings = work.open_findings([point.key], first - NEAR_S, last + NEAR_S).get(point.key, ())
        spans = [*computed.runs, *((f.start, f.end) for f in findings if f.rule == TWO_DEVICES)]
        near = [span for span in spans if span[0] <= last + NEAR_S and first - NEAR_S <= span[1]]
        start = days.day_of(min([first, *(start for start, _ in near)]))
        end = days.day_of(max([last, *(end for _, end in near)]))
        if (start, end) == (first, last):
            break
        first, last = start, end
    read = work.reading_days([point.key], wanted)
    _keep(work, point, computed, read, findings, days)


def _reach(
    work: Work, channels: Sequence[int], touched_from: int, touched_to: int, days: Days
) -> tuple[int, int]:
    """Days whose hours, or findings, may depend on registers of the touched days, runs aside.

    A reading bears on the steps beside it, at most 28 days each; by its jitter also on the step after the
    next reading.
    """
    first, last = days.shift(touched_from, -REACH_DAYS), days.shift(touched_to, REACH_DAYS)
    for channel in channels:
        following = work.point_days(channel, 0, days.end_of(touched_to))
        if len(following) == 2 and following[1] - following[0] <= LONGEST_S + DAY_S:
            last = max(last, days.shift(following[1], 1))
    return first, last


def _evidence_around(
    work: Work, channels: Sequence[int], first: int, last: int, days: Days
) -> Mapping[int, ChannelEvidence]:
    """Evidence of some days and as far around as their hours depend on, the readings next beyond included."""
    start, end = days.shift(first, -REACH_DAYS - 1), days.shift(last, REACH_DAYS + 1)
    beyond = {day for channel in channels for day in work.point_days(channel, start, end)}
    return by_channel(*work.evidence(channels, sorted({*days.between(start, end), *beyond})))


def _keep(
    work: Work,
    point: UsagePoint,
    computed: Computed,
    read: frozenset[Pair],
    findings: Iterable[Stored],
    days: Days,
) -> None:
    """Keep readings and findings of days; withdraw what they no longer have."""
    now = {reading.day for reading in computed.readings}
    withdrawn = {
        day: days.hours_by_start[day] for day in computed.days if (point.key, day) in read and day not in now
    }
    work.keep_readings(point, computed.readings, withdrawn)
    first, end = computed.days[0], days.end_of(computed.days[-1])
    work.settle_findings(point, computed.findings, [f for f in findings if first <= f.start < end])


def _mark_silence(work: Work, touched: Touched, days: Days) -> None:
    """A day now heard of may make the silence of the week after it a finding (docs/domain.md §3.8)."""
    due = work.clock().due_before
    last_heard = [
        (channel, day)
        for channel, day in touched.fresh
        if day + 2 * DAY_S < due + DAY_S and (channel, days.end_of(day)) not in touched.fresh
    ]
    circumstances = work.circumstances(sorted({channel for channel, _ in last_heard}))
    after = {
        (channel, later)
        for channel, day in last_heard
        for later in days.between(days.end_of(day), days.shift(day, 8 + circumstances.longest_allowance))
        if is_due(circumstances.allowances.get(channel, ()), later, days.end_of(later), due)
    }
    if after:
        heard = work.heard(sorted({c for c, _ in after}), sorted({d for _, d in after}))
        work.mark(after - heard)


def settle_parked(work: Work, touched: Touched, days: Days) -> None:
    """Raise or withdraw `vee.unknown_channel` of touched channels (docs/domain.md §3.9)."""
    channels = touched.channels()
    parked = work.parked(channels)
    related = work.usage_points(channels)
    unfitted = [c for c in channels if not _is_fitted(c, related.get(c, ()))]
    unknown = frozenset(c for c in unfitted if 0 <= work.channel_key(c)[1] < CHANNELS)
    for channel in parked.keys() - unknown:
        finding = unknown_channel(*work.channel_key(channel), *parked[channel])
        work.settle_channel_findings(channel, (), [finding.finding_id])
    heard = _spans_heard(touched, unknown & parked.keys(), days)
    for channel in sorted(unknown):
        span = heard.get(channel) or work.span_of_evidence(channel)
        if span and channel in parked:
            span = min(span[0], parked[channel][0]), max(span[1], parked[channel][1])
        if span and span != parked.get(channel):
            finding = unknown_channel(*work.channel_key(channel), *span)
            work.settle_channel_findings(channel, [finding], ())


def _is_fitted(channel: int, points: Iterable[UsagePoint]) -> bool:
    return any(f.channel_id == channel for point in points for f in point.fittings)


def _spans_heard(touched: Touched, channels: Iterable[int], days: Days) -> Mapping[int, tuple[int, int]]:
    """Spans of the days just heard of some channels; evidence is never deleted, so these only widen what is
    known.
    """
    wanted = set(channels)
    spans: dict[int, tuple[int, int]] = {}
    for channel, day in touched.fresh:
        if channel in wanted:
            first, end = spans.get(channel, (day, days.end_of(day)))
            spans[channel] = min(first, day), max(end, days.end_of(day))
    return spans
