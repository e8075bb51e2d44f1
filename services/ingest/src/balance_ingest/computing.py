"""Readings of touched days: plain days all at once, the others one usage point at a time. Sink and worker
share it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from balance_ingest.domain.bordering import Bordered
from balance_ingest.domain.channel_days import ChannelEvidence, by_channel
from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.days import DAY_S, HOUR_S, Days, Ints
from balance_ingest.domain.evidence import Block
from balance_ingest.domain.findings import (
    NEGATIVE_CONSUMPTION,
    REGISTER_CONTINUITY,
    TWO_DEVICES,
)
from balance_ingest.domain.gaps import Span
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.marks import EVER, Known
from balance_ingest.domain.packets import CHANNELS
from balance_ingest.domain.plain import Windows, is_metered, plain_days
from balance_ingest.domain.plans import is_due
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.silence import unknown_channel
from balance_ingest.domain.steps import LONGEST_S
from balance_ingest.ports import Pair, Stored, Work
from balance_ingest.spreading import about_estimates, bordering, referring

NEAR_S = 8 * DAY_S
"""Farther than two jumps of one run may lie apart, and than silence looks back."""
REACH_DAYS = 30
"""Farther than a register reading bears upon hours."""
_SPLIT_S = 35 * DAY_S
_CLOCKS_S = 100 * DAY_S
"""Farther than any day whose hours, moved by a clock or not, bear upon those of another."""
_OF_RUNS = frozenset({TWO_DEVICES, REGISTER_CONTINUITY, NEGATIVE_CONSUMPTION})


@dataclass(frozen=True, slots=True)
class Touched:
    """Channel-days whose evidence says something else than before, or that were marked, in order.

    `fresh`: those that had no evidence before. `alone`: of these, those that one row says all about.
    `whole`: rows that may be plain. `marked`: it is the worker's turn, which leaves nothing to others.
    """

    pairs: Sequence[Pair]
    fresh: frozenset[Pair] = frozenset()
    alone: frozenset[Pair] = frozenset()
    whole: Sequence[Block] = ()
    marked: bool = False

    @classmethod
    def by_marks(cls, pairs: Iterable[Pair]) -> Touched:
        """Marked pairs, of whose evidence nothing is known yet."""
        return cls(sorted(set(pairs)), marked=True)

    @classmethod
    def by_rows(cls, rows: Sequence[Pair], fresh: frozenset[Pair], whole: Sequence[Block]) -> Touched:
        """Pairs of changed rows; one with several rows is there several times."""
        count = Counter(rows)
        alone = frozenset(pair for pair in fresh if count[pair] == 1)
        return cls(sorted(count), fresh, alone, whole)

    def channels(self) -> Sequence[int]:
        """Each channel once, in order."""
        return sorted({channel for channel, _ in self.pairs})


@dataclass
class _Turn:
    """One transaction's computing, and what it came to by usage point: spans (first day, last day) that
    changed before gaps are closed, and spans that were kept.

    A sink `defers` gaps for which it would have to read months of evidence to the worker.
    """

    work: Work
    days: Days
    defers: bool
    points: dict[int, UsagePoint] = field(default_factory=dict)
    odd: Mapping[int, set[int]] = field(default_factory=dict)
    changed: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    kept: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))

    def mark(self, point: UsagePoint, days: Iterable[int]) -> None:
        """Leave days of a usage point to the worker."""
        channel = max(point.related)
        self.work.mark((channel, day) for day in days)


def compute_days(work: Work, touched: Touched, days: Days) -> int:
    """Compute and keep what depends on the touched days; gives how many were plain."""
    if not touched.pairs:
        return 0
    turn = _Turn(work, days, defers=not touched.marked)
    starts = [day for _, day in touched.pairs]
    doubts = work.doubts(touched.channels(), min(starts) - 2 * DAY_S, max(starts) + 3 * DAY_S)
    done = _compute_plain(turn, touched, doubts)
    odd: dict[int, set[int]] = defaultdict(set)
    left = {pair for pair in touched.pairs if pair not in done} | _moved_beside(touched, doubts, days)
    related = work.usage_points({channel for channel, _ in left})
    for channel, day in left:
        for point in related.get(channel, ()):
            turn.points[point.key] = point
            odd[point.key].add(day)
    turn.odd = odd
    _compute_odd(turn, odd)
    _compute_referring(turn)
    _mark_silence(work, touched, days)
    return len(done)


def _compute_referring(turn: _Turn) -> None:
    """Days whose estimates are shaped after days that changed: marked by a sink, computed by the worker."""
    found = referring(turn.work, turn.changed, turn.kept, turn.days)
    if turn.defers:
        for point, estimated in found.items():
            turn.mark(turn.points[point], estimated)
    elif found:
        _compute_odd(turn, {point: set(estimated) for point, estimated in found.items()})


def _moved_beside(touched: Touched, doubts: Circumstances, days: Days) -> set[Pair]:
    """Days beside the touched ones whose hours are made of intervals of these too (docs/domain.md §3.13)."""
    return {
        (channel, beside)
        for channel, day in touched.pairs
        if (clocks := doubts.clocks.get(channel))
        for beside in (days.shift(day, -1), days.shift(day, 1))
        if beside in clocks
    }


def _compute_plain(turn: _Turn, touched: Touched, doubts: Circumstances) -> frozenset[Pair]:
    """Keep the readings of plain days; the (channel, day) pairs that are settled thereby."""
    work, done = turn.work, set[Pair]()
    bordered: list[Bordered] = []
    for block in _alone(touched):
        windows = work.windows(block.channel)
        before, after = work.edges(block.channel, block.day)
        plain, readings = plain_days(block, windows, before, after)
        calm = ~_disturbed(work, readings.point, readings.day)
        calm &= ~_doubted(doubts, block.at(plain))
        plain[plain] = calm
        work.keep_plain(readings.at(calm))
        rows = block.at(plain)
        done.update(zip(rows.channel.tolist(), rows.day.tolist(), strict=True))
        metered = is_metered(windows) & plain
        bordered.append(_bordered(block.at(metered), windows.at(metered), before[metered], after[metered]))
    if bordered:
        _mark_bordering(turn, Bordered.of(bordered))
    return frozenset(done)


def _bordered(block: Block, windows: Windows, before: Ints, after: Ints) -> Bordered:
    end = block.day + block.shape.hours * HOUR_S
    edges = block.start.there, block.end.there, before >= 0, after >= 0
    return Bordered(block.channel, windows.point, block.day, end, *edges)


def _mark_bordering(turn: _Turn, rows: Bordered) -> None:
    """Leave the gaps beside plain days, and estimates shaped after them, to the worker."""
    if not len(rows):
        return
    turn.work.mark(bordering(turn.work, rows, turn.days))
    referred = about_estimates(turn.work, rows, turn.days)
    for channel, point, day in referred:
        turn.changed[point].append((day, day))
        turn.points.update((one.key, one) for one in turn.work.usage_points([channel])[channel])


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


def _doubted(doubts: Circumstances, block: Block) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which channel-days a fault of the sensor or a wrong clock bears on."""
    if not doubts.faults and not doubts.clocks:
        return np.zeros(len(block), bool)
    rows = zip(block.channel.tolist(), block.day.tolist(), strict=True)
    length = block.shape.hours * HOUR_S
    return np.array([doubts.bear_on(channel, day, day + length) for channel, day in rows], bool)


def _compute_odd(turn: _Turn, odd: Mapping[int, set[int]]) -> None:
    """Compute days one usage point at a time; evidence of those with the same days is read together."""
    alike: dict[tuple[int, int], list[UsagePoint]] = defaultdict(list)
    for key, wanted in odd.items():
        for first, last in _clusters(sorted(wanted)):
            alike[first, turn.days.end_of(last)].append(turn.points[key])
    for (first, last), group in sorted(alike.items()):
        _compute_group(turn, group, first, last)


def _clusters(wanted: Sequence[int]) -> Iterable[tuple[int, int]]:
    first = before = wanted[0]
    for day in wanted[1:]:
        if day - before > _SPLIT_S:
            yield first, before
            first = day
        before = day
    yield first, before


def _compute_group(turn: _Turn, group: Sequence[UsagePoint], first: int, last: int) -> None:
    """Days from `first` to `last` of some usage points, and farther where registers, jumps or gaps reach
    farther.
    """
    work, days = turn.work, turn.days
    channels = sorted({channel for point in group for channel in point.channel_ids})
    circumstances = work.circumstances(channels, first - _CLOCKS_S, last + _CLOCKS_S)
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
    far: dict[Span, list[UsagePoint]] = defaultdict(list)
    for point in group:
        findings = stored.get(point.key, ())
        known = _known(work, point, around, days)
        computed = compute(point, wanted, evidence, days, due, circumstances, known)
        if any(f.channel_id in with_points for f in point.fittings) or _tells_of_runs(computed, findings):
            _compute_wide(turn, point, first, last)
            continue
        turn.changed[point.key].append((wanted[0], wanted[-1]))
        if computed.lacks and not turn.defers:
            far[computed.lacks].append(point)
        elif not (computed.lacks and _is_deferred(turn, point, wanted)):
            again = len(computed.days) > len(wanted)
            _keep(turn, point, computed, None if again else read, None if again else findings)
    for lacks, some in far.items():
        _compute_far(turn, some, wanted, lacks)


def _tells_of_runs(computed: Computed, findings: Iterable[Stored]) -> bool:
    return any(f.rule in _OF_RUNS for f in findings) or any(f.rule in _OF_RUNS for f in computed.findings)


def _known(work: Work, point: UsagePoint, around: Sequence[int], days: Days) -> Known:
    """All that is known once evidence of some days is: beyond a channel's evidence there is none."""
    start, end = around[0], days.end_of(around[-1])
    bounds = [b for b in (work.bounds(channel) for channel in point.channel_ids) if b]
    first = min((first for first, _ in bounds), default=start)
    until = min(max((until for _, until in bounds), default=end), work.clock().now + 2 * DAY_S)
    return Known(EVER.start if start <= first else start, EVER.end if until <= end else end)


def _is_deferred(turn: _Turn, point: UsagePoint, wanted: Sequence[int]) -> bool:
    """Leave gaps to the worker; and the days altogether if they have estimates, which would come and go."""
    turn.mark(point, [day for day in wanted if day in turn.odd[point.key]])
    return bool(turn.work.estimated_days([point.key], wanted[0], wanted[-1]))


def _compute_far(turn: _Turn, group: Sequence[UsagePoint], wanted: Sequence[int], lacks: Span) -> None:
    """Days of some usage points whose gaps reach far, with evidence from as far."""
    work, days = turn.work, turn.days
    channels = sorted({channel for point in group for channel in point.channel_ids})
    circumstances = work.circumstances(channels, lacks[0] - _CLOCKS_S, lacks[1] + _CLOCKS_S)
    evidence, around = _evidence_around(work, channels, circumstances, lacks, days)
    far: dict[Span, list[UsagePoint]] = defaultdict(list)
    for point in group:
        known = _known(work, point, around, days)
        computed = compute(point, wanted, evidence, days, work.clock().due_before, circumstances, known)
        if computed.lacks:
            more = min(lacks[0], computed.lacks[0]), max(lacks[1], computed.lacks[1])
            far[more].append(point)
        elif _tells_of_runs(computed, _findings_near(turn, point, computed)):
            _compute_wide(turn, point, computed.days[0], computed.days[-1])
        else:
            _keep(turn, point, computed)
    for more, some in far.items():
        _compute_far(turn, some, wanted, more)


def _findings_near(turn: _Turn, point: UsagePoint, computed: Computed) -> Sequence[Stored]:
    span = computed.days[0] - NEAR_S, computed.days[-1] + NEAR_S
    return turn.work.open_findings([point.key], *span).get(point.key, ())


def _compute_wide(turn: _Turn, point: UsagePoint, touched_from: int, touched_to: int) -> None:
    """Days as far as register readings, runs of jumps and gaps reach from the touched ones."""
    work, days = turn.work, turn.days
    channels = point.channel_ids
    first, last = _reach(work, channels, touched_from, touched_to, days)
    span = first, days.end_of(last)
    while True:
        circumstances = work.circumstances(channels, span[0] - _CLOCKS_S, span[1] + _CLOCKS_S)
        evidence, around = _evidence_around(work, channels, circumstances, span, days)
        known = _known(work, point, around, days)
        wanted = days.between(first, last + 1)
        computed = compute(point, wanted, evidence, days, work.clock().due_before, circumstances, known)
        if computed.lacks and not turn.defers:
            span = min(span[0], computed.lacks[0]), max(span[1], computed.lacks[1])
            continue
        findings = _findings_near(turn, point, computed)
        spans = [*computed.runs, *((f.start, f.end) for f in findings if f.rule == TWO_DEVICES)]
        begun, ended = computed.days[0] - NEAR_S, computed.days[-1] + NEAR_S
        near = [run for run in spans if run[0] <= ended and begun <= run[1]]
        start = days.day_of(min([first, *(start for start, _ in near)]))
        end = days.day_of(max([last, *(end for _, end in near)]))
        if (start, end) == (first, last):
            break
        first, last = start, end
        span = min(span[0], first), max(span[1], days.end_of(last))
    turn.changed[point.key].append((first, last))
    if not (computed.lacks and _is_deferred(turn, point, wanted)):
        _keep(turn, point, computed, findings=findings)


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
    work: Work, channels: Sequence[int], circumstances: Circumstances, span: Span, days: Days
) -> tuple[Mapping[int, ChannelEvidence], Sequence[int]]:
    """Evidence of some days and as far around as their hours depend on, the readings next beyond included;
    and the days of which it is all.
    """
    heard_from = days.shift(days.day_of(span[0]), -circumstances.longest_allowance)
    start, end = days.shift(heard_from, -REACH_DAYS - 1), days.shift(days.day_of(span[1]), REACH_DAYS + 1)
    beyond = {day for channel in channels for day in work.point_days(channel, start, end)}
    around = days.between(start, end)
    return by_channel(*work.evidence(channels, sorted({*around, *beyond}))), around


def _keep(
    turn: _Turn,
    point: UsagePoint,
    computed: Computed,
    read: frozenset[Pair] | None = None,
    findings: Iterable[Stored] | None = None,
) -> None:
    """Keep readings and findings of days; withdraw what they no longer have."""
    work, days = turn.work, turn.days
    if read is None:
        read = work.reading_days([point.key], computed.days)
    if findings is None:
        findings = _findings_near(turn, point, computed)
    now = {reading.day for reading in computed.readings}
    withdrawn = {
        day: days.hours_by_start[day] for day in computed.days if (point.key, day) in read and day not in now
    }
    work.keep_readings(point, computed.readings, withdrawn)
    first, end = computed.days[0], days.end_of(computed.days[-1])
    work.settle_findings(point, computed.findings, [f for f in findings if first <= f.start < end])
    work.keep_estimated(point.key, computed.days, computed.estimated)
    turn.kept[point.key].append((computed.days[0], computed.days[-1]))


def _mark_silence(work: Work, touched: Touched, days: Days) -> None:
    """A day now heard of may make the silence of the week after it a finding (docs/domain.md §3.8)."""
    due = work.clock().due_before
    last_heard = [
        (channel, day)
        for channel, day in touched.fresh
        if day + 2 * DAY_S < due + DAY_S and (channel, days.end_of(day)) not in touched.fresh
    ]
    circumstances = work.circumstances(sorted({channel for channel, _ in last_heard}), 0, 0)
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
