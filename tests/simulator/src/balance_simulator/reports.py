"""Counts and registers to what modules report: archives and register readings by metering day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from balance_simulator.counting import Counts
from balance_simulator.fleet import UsagePoint
from balance_simulator.localtime import Days
from balance_simulator.series import Ints

ARCHIVE = "archives"
REGISTERS = "registers"


@dataclass(frozen=True)
class Report:
    """One element of a packet before it travels. `part` is the packet's field it belongs to."""

    concentrator: str
    usage_point: str
    day: date
    ready_s: int
    end_s: int
    part: str
    body: dict[str, Any]
    intraday: bool = False


def archives(counts: Counts, point: UsagePoint, days: Days) -> Iterator[Report]:
    """An ARCHIVED archive for each metering day that has anything, ready at the day's end."""
    for day, start, end in _days(counts, days):
        body = _archive(counts, point, start, end, "ARCHIVED")
        if body is not None:
            yield Report(point.concentrator, point.id, day, end, end, ARCHIVE, body)


def intraday(counts: Counts, point: UsagePoint, days: Days, hours: int) -> Iterator[Report]:
    """CURRENT archives of `hours` hours each, ready as soon as they end."""
    for day, start, end in _days(counts, days):
        for begin in range(start, end, hours * 3600):
            stop = min(begin + hours * 3600, end)
            body = _archive(counts, point, begin, stop, "CURRENT")
            if body is not None:
                yield Report(point.concentrator, point.id, day, stop, stop, ARCHIVE, body, intraday=True)


def registers(at_s: Ints, pulses: Ints, point: UsagePoint, days: Days) -> Iterator[Report]:
    """The register readings of each metering day, ready at the day's end."""
    first, last = datetime.fromtimestamp(int(at_s[0]), UTC), datetime.fromtimestamp(int(at_s[-1]) + 1, UTC)
    for day, start, end in days.between(first, last):
        low, high = np.searchsorted(at_s, [start.timestamp(), end.timestamp()])
        if low < high:
            begin = int(at_s[low])
            body = {
                "module_id": point.module,
                "channel": point.channel,
                "start_at": begin * 1000,
                "offsets_s": (at_s[low:high] - begin).tolist(),
                "values": pulses[low:high].tolist(),
            }
            stop = round(end.timestamp())
            yield Report(point.concentrator, point.id, day, stop, int(at_s[high - 1]), REGISTERS, body)


def _days(counts: Counts, days: Days) -> Iterator[tuple[date, int, int]]:
    first = datetime.fromtimestamp(counts.start_s, UTC)
    last = datetime.fromtimestamp(counts.start_s + len(counts.pulses) * counts.step_s, UTC)
    for day, start, end in days.between(first, last):
        yield day, round(start.timestamp()), round(end.timestamp())


def _archive(counts: Counts, point: UsagePoint, start_s: int, end_s: int, kind: str) -> dict[str, Any] | None:
    """The archive of [start_s, end_s); None when the file says nothing about any of it. Registers stand on it
    only when the file has no gap at all, and says all of the span.
    """
    places = (np.arange(start_s, end_s, counts.step_s) - counts.start_s) // counts.step_s
    there = (places >= 0) & (places < len(counts.pulses))
    known = np.zeros(len(places), np.bool_)
    known[there] = counts.present[places[there]]
    if not known.any():
        return None
    values = np.zeros(len(places), np.int64)
    values[known] = counts.pulses[places[known]]
    # What flowed in a gap of the file is not known, so no register that spans one may be claimed.
    registered = (
        counts.present.all() and known.all() and counts.before is not None and counts.after is not None
    )
    return {
        "module_id": point.module,
        "channel": point.channel,
        "kind": kind,
        "start_at": start_s * 1000,
        "step_s": counts.step_s,
        "values": values.tolist(),
        "missing": np.flatnonzero(~known).tolist(),
        "register_start": int(counts.before[places[0]]) if registered and counts.before is not None else None,
        "register_end": int(counts.after[places[-1]]) if registered and counts.after is not None else None,
    }
