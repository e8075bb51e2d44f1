"""Readings of all other days, one usage point at a time, as far around as they depend on one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from balance_ingest.computing.turn import Turn
from balance_ingest.domain.channel_days import ChannelEvidence, by_channel
from balance_ingest.domain.circumstances import Circumstances
from balance_ingest.domain.days import DAY_S, Days, Span
from balance_ingest.domain.findings import (
    NEGATIVE_CONSUMPTION,
    REGISTER_CONTINUITY,
    TWO_DEVICES,
)
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.marks import EVER, Known
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.steps import LONGEST_S
from balance_ingest.ports import Pair, Stored, Work

NEAR_S = 8 * DAY_S
"""Farther than two jumps of one run may lie apart, and than silence looks back."""
REACH_DAYS = 34
"""Farther than a register reading bears upon hours."""
_SPLIT_S = 35 * DAY_S
_CLOCKS_S = 100 * DAY_S
"""Farther than any day whose hours, moved by a clock or not, bear upon those of another."""
_OF_RUNS = frozenset({TWO_DEVICES, REGISTER_CONTINUITY, NEGATIVE_CONSUMPTION})


def compute_odd(turn: Turn, odd: Mapping[int, set[int]]) -> None:
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


def _compute_group(turn: Turn, group: Sequence[UsagePoint], first: int, last: int) -> None:
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


def _is_deferred(turn: Turn, point: UsagePoint, wanted: Sequence[int]) -> bool:
    """Leave gaps to the worker; and the days altogether if they have estimates, which would come and go."""
    turn.mark(point, [day for day in wanted if day in turn.odd[point.key]])
    return bool(turn.work.estimated_days([point.key], wanted[0], wanted[-1]))


def _compute_far(turn: Turn, group: Sequence[UsagePoint], wanted: Sequence[int], lacks: Span) -> None:
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


def _findings_near(turn: Turn, point: UsagePoint, computed: Computed) -> Sequence[Stored]:
    span = computed.days[0] - NEAR_S, computed.days[-1] + NEAR_S
    return turn.work.open_findings([point.key], *span).get(point.key, ())


def _compute_wide(turn: Turn, point: UsagePoint, touched_from: int, touched_to: int) -> None:
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

    A reading bears on the steps beside it, at most 32 days each; by its jitter also on the step after the
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
    turn: Turn,
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
