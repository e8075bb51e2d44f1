"""Spans of the domain as columns of a statement, and back: instants are seconds here, timestamps there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from balance_kernel.calendar import Calendar

from balance_imbalance.domain.register import FOREVER, ChangedSpan


def as_instant(seconds: int) -> datetime:
    """The timestamp of an instant."""
    return datetime.fromtimestamp(seconds, UTC)


def as_end(seconds: int) -> datetime | None:
    """The timestamp of an end; None of one that is not set."""
    return as_instant(seconds) if seconds < FOREVER else None


def span_columns(spans: Iterable[ChangedSpan]) -> Mapping[str, list[Any]]:
    """Spans as arrays: ``subjects``, ``starts``, ``ends``; an end that is not set is None."""
    rows = [(span.subject, as_instant(span.start), as_end(span.end)) for span in spans]
    return {name: [row[index] for row in rows] for index, name in enumerate(("subjects", "starts", "ends"))}


def day_columns(calendar: Calendar, spans: Iterable[ChangedSpan], after: int = 0) -> Mapping[str, list[Any]]:
    """The same; each span begins with the metering day it begins in. ``untils`` is where it ends ``after``
    metering days later, None for one that does not end.
    """
    columns = span_columns(spans)
    last = [end and calendar.day_start(end - timedelta(seconds=1)) for end in columns["ends"]]
    return {
        **columns,
        "starts": [calendar.day_start(start) for start in columns["starts"]],
        "untils": [day and calendar.shift(day, after + 1) for day in last],
    }
