"""Joining a batch's telemetry with what is there, and saying which channel-days it touches (docs/domain.md
§2.7–§2.9, §3.10, §3.13).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from balance_ingest.domain.clocks import days_told_of
from balance_ingest.domain.days import Days
from balance_ingest.domain.faults import Fault, days_found, faults_of
from balance_ingest.domain.telemetry import Telemetry
from balance_ingest.ports import Work


def join_telemetry(work: Work, told: Telemetry, days: Days) -> None:
    """Join telemetry into the database and leave the days it touches to the worker."""
    news = work.keep_telemetry(told)
    events = work.events_of_faults(news.faults) if news.faults else {}
    for module, new in news.faults.items():
        now = events[module]
        before = [event for key, event in now.items() if key not in new]
        for number, channel in work.channels_of(module).items():
            changed = {*faults_of(now.values(), number)} ^ {*faults_of(before, number)}
            work.mark((channel, day) for day in _of_faults(work, channel, changed, days))
    for module, instants in news.clocks.items():
        touched = {day for instant in instants for day in days_told_of(instant, days)}
        for channel in work.channels_of(module).values():
            span = work.bounds(channel)
            if span:
                work.mark((channel, day) for day in touched if span[0] <= day < span[1])


def _of_faults(work: Work, channel: int, faults: Iterable[Fault], days: Days) -> Iterator[int]:
    """Days whose hours or findings depend on faults of a channel."""
    span = work.bounds(channel)
    points = work.usage_points([channel])[channel]
    for fault in faults:
        if span:
            yield from days.between(max(fault.start, span[0]), min(fault.end, span[1]))
        for point in points:
            yield from days_found(point, channel, [fault], days)
