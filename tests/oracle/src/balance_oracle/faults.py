"""Sensors that report themselves dead (domain.md §3.10)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from balance_oracle.evidence import Channel, Finding
from balance_oracle.fittings import FOREVER, Fitting, UsagePoint
from balance_oracle.telemetry import Event, Telemetry

KINDS = ("SHORT_CIRCUIT", "OPEN_CIRCUIT", "NO_SENSOR", "MAGNET")


@dataclass(frozen=True)
class Fault:
    """From the instant it begins to, not including, the one it ends; an open one goes on for ever."""

    start: int
    end: int

    def overlaps(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end


def faults_of(channel: Channel, telemetry: Telemetry) -> list[Fault]:
    """All faults of a channel."""
    module, number = channel
    if number < 1:
        return []
    events = [one for one in telemetry.events.get(module, ()) if one.channel in (None, number)]
    return [fault for kind in KINDS for fault in _faults(one for one in events if one.kind == kind)]


def _faults(events: Iterable[Event]) -> list[Fault]:
    faults: list[Fault] = []
    begun: int | None = None
    for event in sorted(events, key=lambda one: one.order):
        if event.phase == "OCCURRED":
            faults.append(Fault(event.at, event.at + 1))
        elif event.phase == "BEGUN" and begun is None:
            begun = event.at
        elif event.phase == "ENDED" and begun is not None:
            faults.append(Fault(begun, max(event.at, begun + 1)))
            begun = None
    if begun is not None:
        faults.append(Fault(begun, FOREVER))
    return faults


def fault_findings(point: UsagePoint, fitting: Fitting, faults: Iterable[Fault]) -> set[Finding]:
    """One for each fault and fitting, of the time they share."""
    findings = set()
    for fault in faults:
        if fault.overlaps(fitting.fitted, fitting.removed):
            start = max(fault.start, fitting.fitted)
            end = start if fault.end == FOREVER else min(fault.end, fitting.removed)
            findings.add(("vee.sensor_fault", point.usage_point_id, start, end))
    return findings
