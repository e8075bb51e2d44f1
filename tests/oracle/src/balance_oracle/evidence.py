"""What devices said, joined (domain.md §2). All instants in seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.screening import (
    STEPS,
    is_bad_record,
    refuse_archive,
    refuse_measurements,
    refuse_registers,
)
from balance_oracle.settings import Settings

__all__ = ["END", "POINT", "START", "STEPS", "Evidence", "Said", "gather", "is_bad_record", "join"]

Channel = tuple[str, int]
Finding = tuple[str, str, int, int]
"""(rule, subject, start, end); the subject is a usage point, ``module/channel``, module or concentrator."""

START, END, POINT = "START", "END", "POINT"
RANKS = {"CURRENT": 0, "ARCHIVED": 1}
MINIMA, MAXIMA = 16, 32
"""§2.6: what is added to a channel for its minima, its maxima."""


@dataclass(frozen=True)
class Said:
    """One number a device said with its revision (rank, sequence); two numbers when it contradicts itself."""

    revision: tuple[int, int]
    low: int
    high: int

    @property
    def conflict(self) -> bool:
        return self.low != self.high


def join(one: Said | None, other: Said) -> Said:
    """§2.2: the greater revision; of equal ones the smallest and the largest number."""
    if one is None or one.revision < other.revision:
        return other
    if one.revision > other.revision:
        return one
    return Said(one.revision, min(one.low, other.low), max(one.high, other.high))


@dataclass
class Evidence:
    """By channel: intervals by (start, step), registers by (kind, instant); and what was found about it."""

    intervals: dict[Channel, dict[tuple[int, int], Said]] = field(default_factory=lambda: defaultdict(dict))
    registers: dict[Channel, dict[tuple[str, int], Said]] = field(default_factory=lambda: defaultdict(dict))
    findings: set[Finding] = field(default_factory=set)
    elements: dict[tuple[str, str, str, int], tuple[int, int]] = field(default_factory=dict)
    """§2.5, §3.13.4: (sequence, end) by rule, kind of element, channel and start; the greatest is kept."""

    def hear_run(
        self, channel: Channel, element: Mapping[str, Any], values: list[int], sequence: int
    ) -> None:
        """Every value of a run of intervals that is not missing."""
        known, step = self.intervals[channel], element["step_s"]
        revision = (RANKS[element["kind"]], sequence)
        for position, value in enumerate(values):
            if position not in element["missing"]:
                key = element["start_at"] // 1000 + position * step, step
                known[key] = join(known.get(key), Said(revision, value, value))

    def hear_register(self, channel: Channel, kind: str, instant: int, said: Said) -> None:
        known = self.registers[channel]
        known[kind, instant] = join(known.get((kind, instant)), said)

    def find(
        self, rule: str, kind: str, element: Mapping[str, Any], last: int, packet: Mapping[str, Any]
    ) -> None:
        """Keep what is found about an element that speaks until ``last``."""
        start = element["start_at"] // 1000
        key = rule, kind, channel_name((element["module_id"], element["channel"])), start
        found = packet["sequence"], max(start, last)
        self.elements[key] = max(self.elements.get(key, found), found)


def gather(packets: Iterable[Mapping[str, Any]], days: MeteringDays, settings: Settings) -> Evidence:
    """Join everything the packets say of intervals and registers that is not refused."""
    evidence = Evidence()
    for packet in packets:
        if is_bad_record(packet):
            continue
        now = packet["received_at"] // 1000
        for archive in packet["archives"]:
            end = _end_of(archive, archive["values"])
            if rule := refuse_archive(archive, now, days, settings):
                evidence.find(rule, "archive", archive, end, packet)
            else:
                _hear_archive(evidence, archive, packet["sequence"], days)
                _hear_clock(evidence, archive, end, packet, settings)
        for element in packet["measurements"]:
            end = _end_of(element, element["averages"])
            if rule := refuse_measurements(element, now, days, settings):
                evidence.find(rule, "measurements", element, end, packet)
            else:
                _hear_measurements(evidence, element, packet["sequence"])
                _hear_clock(evidence, element, end, packet, settings)
        for entry in packet["registers"]:
            if rule := refuse_registers(entry, now, settings):
                last = entry["start_at"] // 1000 + max(entry["offsets_s"], default=0)
                evidence.find(rule, "registers", entry, last, packet)
            else:
                _hear_registers(evidence, entry, packet["sequence"])
    _find_conflicts(evidence)
    for (rule, _, subject, start), (_, end) in evidence.elements.items():
        evidence.findings.add((rule, subject, start, end))
    return evidence


def _end_of(run: Mapping[str, Any], values: list[int]) -> int:
    return int(run["start_at"] // 1000 + len(values) * run["step_s"])


def _find_conflicts(evidence: Evidence) -> None:
    for channel, registers in evidence.registers.items():
        for (_, at), said in registers.items():
            if said.conflict:
                evidence.findings.add(("vee.conflicting_duplicate", channel_name(channel), at, at))


def channel_name(channel: Channel) -> str:
    """How a finding names a channel."""
    return f"{channel[0]}/{channel[1]}"


def element_name(element: Mapping[str, Any]) -> str:
    """How a finding names what an element is about: its channel, or its module when it has none."""
    channel = element.get("channel")
    module: str = element["module_id"]
    return module if channel is None else channel_name((module, channel))


def _hear_archive(evidence: Evidence, archive: Mapping[str, Any], sequence: int, days: MeteringDays) -> None:
    channel = (archive["module_id"], archive["channel"])
    evidence.hear_run(channel, archive, archive["values"], sequence)
    start = archive["start_at"] // 1000
    end = start + len(archive["values"]) * archive["step_s"]
    for kind, instant, register in (
        (START, start, archive["register_start"]),
        (END, end, archive["register_end"]),
    ):
        if register is not None:
            edge = kind if days.is_start(instant) else POINT
            said = Said((RANKS[archive["kind"]], sequence), register, register)
            evidence.hear_register(channel, edge, instant, said)


def _hear_measurements(evidence: Evidence, element: Mapping[str, Any], sequence: int) -> None:
    """§2.6: averages, minima and maxima are three channels."""
    module, channel = element["module_id"], element["channel"]
    evidence.hear_run((module, channel), element, element["averages"], sequence)
    evidence.hear_run((module, channel + MINIMA), element, element["minima"], sequence)
    evidence.hear_run((module, channel + MAXIMA), element, element["maxima"], sequence)


def _hear_registers(evidence: Evidence, entry: Mapping[str, Any], sequence: int) -> None:
    channel = (entry["module_id"], entry["channel"])
    for offset, value in zip(entry["offsets_s"], entry["values"], strict=True):
        said = Said((RANKS["ARCHIVED"], sequence), value, value)
        evidence.hear_register(channel, POINT, entry["start_at"] // 1000 + offset, said)


def _hear_clock(
    evidence: Evidence, run: Mapping[str, Any], end: int, packet: Mapping[str, Any], settings: Settings
) -> None:
    """§3.13.4: a run of intervals that ends long after its packet was received."""
    if settings.applies("clocks") and end > packet["received_at"] // 1000 + settings.clock_tolerance:
        evidence.find("vee.clock_drift", "clock", run, end, packet)
