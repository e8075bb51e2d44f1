"""Faults of sensors, as modules report them (docs/domain.md §3.10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from balance_ingest.domain.days import Days
from balance_ingest.domain.history import FOREVER, UsagePoint
from balance_ingest.domain.packets import ModuleEvent

FAULT_KINDS = ("SHORT_CIRCUIT", "OPEN_CIRCUIT", "NO_SENSOR", "MAGNET")
_PHASES = ("BEGUN", "ENDED", "OCCURRED")


class Fault(NamedTuple):
    """A sensor out of order in [start, end); FOREVER while nothing ends it."""

    start: int
    end: int
    kind: str

    def overlaps(self, start: int, end: int) -> bool:
        """Whether it lies in a part of a span."""
        return self.start < end and start < self.end


def is_of_fault(event: ModuleEvent) -> bool:
    """Whether an event may begin or end a fault of a channel."""
    return event.kind in FAULT_KINDS and event.channel != 0


def faults_of(events: Iterable[ModuleEvent], number: int) -> Sequence[Fault]:
    """Faults of a channel of a module, in order of time; `events` are all of the module.

    A set in, whatever its order: events told twice are one.
    """
    if number < 1:
        return ()
    mine = {e for e in events if e.channel in (None, number)}
    return sorted(f for kind in FAULT_KINDS for f in _faults(kind, (e for e in mine if e.kind == kind)))


def _faults(kind: str, events: Iterable[ModuleEvent]) -> Iterator[Fault]:
    begun: int | None = None
    for event in sorted(events, key=_order):
        if event.phase == "OCCURRED":
            yield Fault(event.occurred, event.occurred + 1, kind)
        elif event.phase == "BEGUN" and begun is None:
            begun = event.occurred
        elif event.phase == "ENDED" and begun is not None:
            yield Fault(begun, max(event.occurred, begun + 1), kind)
            begun = None
    if begun is not None:
        yield Fault(begun, FOREVER, kind)


def _order(event: ModuleEvent) -> tuple[int, int]:
    return event.occurred, _PHASES.index(event.phase)


def days_found(point: UsagePoint, channel: int, faults: Iterable[Fault], days: Days) -> Iterator[int]:
    """Days that findings of a channel's faults begin on."""
    for fault in faults:
        for fitting in point.fittings:
            if fitting.channel_id == channel and fault.overlaps(fitting.fitted, fitting.removed):
                yield days.day_of(max(fault.start, fitting.fitted))
