"""Screening: elements of a packet that are refused as a whole and never become evidence (docs/domain.md
§2.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from balance_ingest.domain.clocks import TOLERANCE_S
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.findings import (
    ABSURD_VALUE,
    FUTURE_TIME,
    STALE_TIME,
    Finding,
    Severity,
    instant_text,
)
from balance_ingest.domain.measuring import archives_of, extremes_fault
from balance_ingest.domain.packets import (
    MAX_ID_LENGTH,
    Archive,
    Element,
    Measurements,
    ModuleEvent,
    ModuleState,
    Packet,
    Registers,
    is_id,
)

STEPS = (900, 1800, 3600)
MAX_VALUES = 3000
MAX_REGISTER = 10**15
MAX_OFFSET_S = 35 * DAY_S
_INT4 = 2**31


@dataclass(frozen=True, slots=True)
class Limits:
    """What of time is believed: `future_s` after receipt, `horizon_days` before it."""

    future_s: int = 3600
    horizon_days: int = 1100


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused element with its finding. Of two about the same, the one of the greater sequence is kept."""

    finding: Finding
    element: Element | ModuleEvent | ModuleState
    sequence: int


@dataclass(frozen=True, slots=True)
class Noted:
    """A finding about an element that counts all the same; kept as that of a refusal is."""

    finding: Finding
    sequence: int


Verdict = tuple[str, str, str, str] | None
"""(rule, expected, found, what to do), or None: accepted."""


def screen(element: Element, packet: Packet, days: Days, limits: Limits) -> Refusal | None:
    """The refusal of an element by the first rule that applies; None for one that becomes evidence."""
    spoken = _span(element)
    verdict = (
        future_time(spoken, packet.received, limits)
        or stale_time(spoken, packet.received, limits)
        or absurd_value(element, days)
    )
    if verdict is None:
        return None
    rule, expected, found, advice = verdict
    what, about = _WORDS[type(element)]
    module = element.module_id[:MAX_ID_LENGTH]
    finding = Finding(
        rule=rule,
        about=about,
        severity=Severity.ERROR,
        start=element.start,
        end=max(element.start, spoken[1] if spoken else element.start),
        expected=expected,
        found=found,
        message=f"{what} of module {module!r} channel {element.channel} was refused: "
        f"expected {expected}, found {found}; {advice}.",
        module_id=element.module_id,
        channel=element.channel,
        concentrator_id=packet.concentrator_id,
    )
    return Refusal(finding, element, packet.sequence)


def is_ordinary(archive: Archive, received: int, days: Days, limits: Limits) -> bool:
    """Whether an archive is one whole day of which no rule of screening can say anything: `screen` in short,
    for nearly all there are.
    """
    module_id, channel, rank, start, step, values, missing, *registers = archive
    hours = days.hours_by_start.get(start)
    return (
        hours is not None
        and rank is not None
        and step in STEPS
        and len(values) * step == hours * HOUR_S
        and not missing
        and 1 <= channel <= 15
        and is_id(module_id)
        and received - limits.horizon_days * DAY_S <= start
        and start + hours * HOUR_S <= received + min(limits.future_s, TOLERANCE_S)
        and min(values) >= -_INT4
        and max(values) < _INT4
        and all(register is None or 0 <= register <= MAX_REGISTER for register in registers)
    )


def _span(element: Element) -> tuple[int, int] | None:
    """From where to where it speaks; None for one that says nothing."""
    if isinstance(element, Registers):
        if not element.offsets:
            return None
        return element.start + min(element.offsets), element.start + max(element.offsets)
    spoken = element.values if isinstance(element, Archive) else element.averages
    return (element.start, element.end) if spoken else None


def future_time(span: tuple[int, int] | None, received: int, limits: Limits) -> Verdict:
    """`vee.future_time`: it ends later than receipt + 1 h (docs/domain.md §2.5)."""
    if span is None or span[1] <= received + limits.future_s:
        return None
    return (
        FUTURE_TIME,
        f"nothing later than {instant_text(received + limits.future_s)}",
        f"data up to {instant_text(span[1])}",
        "set the clock of the module or the concentrator, then read the archive again",
    )


def stale_time(span: tuple[int, int] | None, received: int, limits: Limits) -> Verdict:
    """`vee.stale_time`: it starts before receipt − 1,100 days (docs/domain.md §2.5)."""
    horizon = received - limits.horizon_days * DAY_S
    if span is None or span[0] >= horizon:
        return None
    return (
        STALE_TIME,
        f"nothing before {instant_text(horizon)}",
        f"data from {instant_text(span[0])}",
        "set the clock of the module or the concentrator, then read the archive again",
    )


def absurd_value(element: Element, days: Days) -> Verdict:
    """`vee.absurd_value`: its numbers cannot be a device's (docs/domain.md §2.5)."""
    for check in _CHECKS[type(element)]:
        fault = check(element, days)
        if fault:
            return (ABSURD_VALUE, *fault, "check the firmware of the module and the decoding at the edge")
    return None


Fault = tuple[str, str] | None


def _identity(element: Element, _: Days) -> Fault:
    if not is_id(element.module_id):
        return "a module id of 1 to 64 characters", f"one of {len(element.module_id)}"
    if not 0 <= element.channel <= 15:
        return "a channel from 0 to 15", f"{element.channel}"
    return None


def _kind(element: Archive, _: Days) -> Fault:
    return None if element.rank is not None else ("kind CURRENT or ARCHIVED", "an unspecified kind")


def _step(element: Archive, days: Days) -> Fault:
    if element.step not in STEPS:
        return "a step of 900, 1800 or 3600 s", f"{element.step} s"
    late = (element.start - days.day_of(element.start)) % element.step
    return (f"a start on a step of {element.step} s", f"one {late} s after it") if late else None


def _size(element: Archive | Registers, _: Days) -> Fault:
    count = len(element.values)
    return None if 0 < count <= MAX_VALUES else (f"1 to {MAX_VALUES} values", f"{count}")


def _missing(element: Archive, _: Days) -> Fault:
    wrong = [p for p in element.missing if not 0 <= p < len(element.values)]
    return (f"missing positions from 0 to {len(element.values) - 1}", f"{wrong[0]}") if wrong else None


def _counts(element: Archive, _: Days) -> Fault:
    if min(element.values) >= -_INT4 and max(element.values) < _INT4:
        return None
    silent = set(element.missing)
    for position, value in enumerate(element.values):
        if position not in silent and not -_INT4 <= value < _INT4:
            return "counts within 32 signed bits", f"{value} at position {position}"
    return None


def _edge_registers(element: Archive, _: Days) -> Fault:
    for value in (element.register_start, element.register_end):
        if value is None:
            continue
        if element.channel == 0:
            return "no register on channel 0, a thermometer", f"{value}"
        if not 0 <= value <= MAX_REGISTER:
            return f"registers from 0 to {MAX_REGISTER} pulses", f"{value}"
    return None


def _offsets(element: Registers, _: Days) -> Fault:
    if len(element.offsets) != len(element.values):
        return f"an offset for each of {len(element.values)} values", f"{len(element.offsets)} offsets"
    wrong = [offset for offset in element.offsets if not 0 <= offset <= MAX_OFFSET_S]
    return ("offsets from 0 s to 35 days", f"{wrong[0]} s") if wrong else None


def _registers(element: Registers, _: Days) -> Fault:
    if element.channel == 0:
        return "no register on channel 0, a thermometer", f"{len(element.values)}"
    wrong = [value for value in element.values if not 0 <= value <= MAX_REGISTER]
    return (f"registers from 0 to {MAX_REGISTER} pulses", f"{wrong[0]}") if wrong else None


def _averages(element: Measurements, days: Days) -> Fault:
    archive = next(archives_of(element))
    return next((fault for check in _INTERVALS if (fault := check(archive, days))), None)


def _extremes(element: Measurements, days: Days) -> Fault:
    _, *kept = (archive for archive in archives_of(element))
    faults = (_counts(archive, days) for archive in kept if archive.values)
    return extremes_fault(element) or next((fault for fault in faults if fault), None)


_Checks = tuple[Callable[..., Fault], ...]
_INTERVALS: _Checks = (_identity, _kind, _size, _step, _missing, _counts)
_CHECKS: Mapping[type[Element], _Checks] = {
    Archive: (*_INTERVALS, _edge_registers),
    Registers: (_identity, _size, _offsets, _registers),
    Measurements: (_averages, _extremes),
}
_WORDS: Mapping[type[Element], tuple[str, str]] = {
    Archive: ("An archive", "archive"),
    Registers: ("A list of registers", "registers"),
    Measurements: ("A run of measurements", "measurements"),
}
"""What an element is called in its finding, and what the finding is about."""
