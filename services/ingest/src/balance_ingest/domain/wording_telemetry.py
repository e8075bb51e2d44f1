"""Findings of sensor faults and clocks in words (docs/domain.md §3.10, §3.13)."""

from __future__ import annotations

from balance_ingest.domain.clocks import LIMIT_S, TOLERANCE_S, ClockDay
from balance_ingest.domain.faults import Fault
from balance_ingest.domain.findings import (
    CLOCK_DRIFT,
    SENSOR_FAULT,
    Finding,
    Severity,
    instant_text,
    span_text,
)
from balance_ingest.domain.history import FOREVER, Fitting, UsagePoint
from balance_ingest.domain.packets import Archive, Measurements, Packet

_FAULTS = {
    "SHORT_CIRCUIT": "a short circuit (КЗ)",
    "OPEN_CIRCUIT": "an open circuit (ОБРЫВ)",
    "NO_SENSOR": "no pulse sensor",
    "MAGNET": "a magnet",
}
_REPAIRS = {
    "SHORT_CIRCUIT": "mend the cable or the sensor",
    "OPEN_CIRCUIT": "mend the cable or the sensor",
    "NO_SENSOR": "fit the pulse sensor",
    "MAGNET": "inspect the meter on site",
}
_SET_CLOCK = "set the clock of the module"


def sensor_fault(point: UsagePoint, fitting: Fitting, fault: Fault) -> Finding:
    """What the module told of its sensor while this fitting stood."""
    start = max(fault.start, fitting.fitted)
    end = start if fault.end == FOREVER else min(fault.end, fitting.removed)
    since = f"since {instant_text(start)}" if fault.end == FOREVER else f"from {span_text(start, end)}"
    return Finding(
        rule=SENSOR_FAULT,
        about=f"{fault.kind} at {fault.start} of channel {fitting.channel_id}",
        severity=Severity.ERROR,
        start=start,
        end=end,
        expected="a sensor in order",
        found=f"{_FAULTS[fault.kind]} {since}",
        message=f"Usage point {point.name}: module {fitting.module_id} reports {_FAULTS[fault.kind]} "
        f"on channel {fitting.number} {since}; what it counts then is no consumption: "
        f"{_REPAIRS[fault.kind]}.",
        usage_point=point.name,
        module_id=fitting.module_id,
        channel=fitting.number,
    )


def clock_drift(point: UsagePoint, fitting: Fitting, day: int, end: int, clock: ClockDay) -> Finding:
    """A day on which the module's clock was wrong, and what came of it."""
    expected = f"a clock of the module within {TOLERANCE_S} s"
    if clock.moves:
        severity, found = Severity.INFORMATION, f"{_offset_text(clock.offset)}"
        advice = f"the hours of the day were moved back by as much; {_SET_CLOCK}"
    elif clock.unsure:
        severity = Severity.WARNING
        found = f"offsets from {clock.least:+,} s to {clock.greatest:+,} s"
        advice = f"the hours stand as they came; see whether the clock was set that day, else {_SET_CLOCK}"
    else:
        severity, found = Severity.WARNING, f"{_offset_text(clock.offset)}, more than {LIMIT_S:,} s"
        advice = f"the hours stand as they came; {_SET_CLOCK}"
    return Finding(
        rule=CLOCK_DRIFT,
        about=f"clock of channel {fitting.channel_id}",
        severity=severity,
        start=day,
        end=end,
        expected=expected,
        found=found,
        message=f"Usage point {point.name}, {span_text(day, end)}: expected {expected}, found {found} "
        f"(module {fitting.module_id}); {advice}.",
        usage_point=point.name,
        module_id=fitting.module_id,
        channel=fitting.number,
    )


def fast_clock(element: Archive | Measurements, packet: Packet) -> Finding:
    """An archive of hours that had not passed when it was received (docs/domain.md §3.13.4)."""
    received = instant_text(packet.received)
    expected = f"nothing later than {TOLERANCE_S} s after {received}, when it was received"
    found = f"data up to {instant_text(element.end)}"
    return Finding(
        rule=CLOCK_DRIFT,
        about="clock",
        severity=Severity.WARNING,
        start=element.start,
        end=element.end,
        expected=expected,
        found=found,
        message=f"Module {element.module_id} channel {element.channel}: expected {expected}, found {found}; "
        f"its clock is fast or its firmware counts hours from 1: {_SET_CLOCK} or see to its firmware.",
        module_id=element.module_id,
        channel=element.channel,
    )


def _offset_text(offset: int) -> str:
    return f"{abs(offset):,} s {'fast' if offset > 0 else 'slow'}"
