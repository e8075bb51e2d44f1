"""Days that were not heard of, and channels that nobody expected (docs/domain.md §3.8, §3.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from balance_ingest.computing.turn import Touched
from balance_ingest.domain.days import DAY_S, Days
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.packets import CHANNELS
from balance_ingest.domain.plans import is_due
from balance_ingest.domain.silence import unknown_channel
from balance_ingest.ports import Work


def mark_silence(work: Work, touched: Touched, days: Days) -> None:
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
