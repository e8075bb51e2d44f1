"""What the topic of weather tells this service (docs/domain.md §5.1)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from balance_kernel.calendar import Calendar

from balance_imbalance.domain.weather import ObjectPath, WeatherDay, WeatherKind

Source = tuple[ObjectPath, WeatherKind, str]
"""Object path, kind and name: who tells weather, and of which object."""


@dataclass(frozen=True, slots=True)
class WeatherReport:
    """A weather day in one of its versions; ``reported_at`` in seconds."""

    day: WeatherDay
    version: int
    reported_at: int

    @property
    def source(self) -> Source:
        """Whose day it is."""
        return self.day.object_path, self.day.kind, self.day.name


def newest_reports(reports: Iterable[WeatherReport]) -> Sequence[WeatherReport]:
    """The greatest version of each (source, day), in the order of both; of equal ones the first."""
    newest: dict[tuple[Source, int], WeatherReport] = {}
    for report in reports:
        held = newest.setdefault((report.source, report.day.day_start), report)
        if report.version > held.version:
            newest[report.source, report.day.day_start] = report
    return [newest[key] for key in sorted(newest)]


@dataclass(frozen=True, slots=True)
class WeatherSpan:
    """Weather of an object that changed on every metering day from ``first`` to ``last``."""

    object_path: ObjectPath
    first: datetime
    last: datetime


def merged(changes: Iterable[WeatherSpan], calendar: Calendar) -> Sequence[WeatherSpan]:
    """The same as few spans, by object and in order of time: what adjoins is one."""
    spans: list[WeatherSpan] = []
    for change in sorted(changes, key=lambda span: (span.object_path, span.first)):
        held = spans[-1] if spans else None
        if held and held.object_path == change.object_path and change.first <= calendar.next_day(held.last):
            spans[-1] = replace(held, last=max(held.last, change.last))
        else:
            spans.append(change)
    return spans


def rounds(spans: Iterable[WeatherSpan], most: int) -> Iterator[Sequence[WeatherSpan]]:
    """These spans, of no object more than ``most`` at once."""
    by_object: defaultdict[ObjectPath, list[WeatherSpan]] = defaultdict(list)
    for span in spans:
        by_object[span.object_path].append(span)
    for start in range(0, max(map(len, by_object.values()), default=0), most):
        yield [span for found in by_object.values() for span in found[start : start + most]]


def windows(
    spans: Sequence[WeatherSpan], most_days: int, calendar: Calendar
) -> Iterator[Sequence[WeatherSpan]]:
    """These spans cut, of at most so many days one after the other at once, in order of time."""
    while spans:
        last = calendar.shift(min(span.first for span in spans), most_days - 1)
        yield [replace(span, last=min(span.last, last)) for span in spans if span.first <= last]
        after = calendar.next_day(last)
        spans = [replace(span, first=max(span.first, after)) for span in spans if span.last > last]
