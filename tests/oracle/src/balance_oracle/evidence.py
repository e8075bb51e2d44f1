"""What devices said, joined (domain.md §2). All instants in seconds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.settings import DAY, Settings

Channel = tuple[str, int]
Finding = tuple[str, str, int]

START, END, POINT = "START", "END", "POINT"
STEPS = (900, 1800, 3600)
MOST_VALUES = 3000
MOST_REGISTER = 10**15
MOST_SEQUENCE = 2**62 - 1
RANKS = {"CURRENT": 0, "ARCHIVED": 1}
EARLIEST_RECEIPT_MS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1000)
LATEST_RECEIPT_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)


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
    """By channel: intervals by (start, step), registers by (kind, instant); and what was refused."""

    intervals: dict[Channel, dict[tuple[int, int], Said]] = field(default_factory=lambda: defaultdict(dict))
    registers: dict[Channel, dict[tuple[str, int], Said]] = field(default_factory=lambda: defaultdict(dict))
    findings: set[Finding] = field(default_factory=set)

    def hear_interval(self, channel: Channel, start: int, step: int, said: Said) -> None:
        known = self.intervals[channel]
        known[start, step] = join(known.get((start, step)), said)

    def hear_register(self, channel: Channel, kind: str, instant: int, said: Said) -> None:
        known = self.registers[channel]
        known[kind, instant] = join(known.get((kind, instant)), said)


def is_bad_record(packet: Mapping[str, Any]) -> bool:
    """§2.5, last sentence: a packet that goes to the dead letters as a whole."""
    ids = (packet["packet_id"], packet["concentrator_id"])
    return (
        not 0 <= packet["sequence"] <= MOST_SEQUENCE
        or not all(map(_is_id, ids))
        or not EARLIEST_RECEIPT_MS <= packet["received_at"] < LATEST_RECEIPT_MS
    )


def _is_id(text: str) -> bool:
    return 1 <= len(text) <= 64 and "\0" not in text


def gather(packets: Iterable[Mapping[str, Any]], days: MeteringDays, settings: Settings) -> Evidence:
    """Join everything the packets say that is not refused."""
    evidence = Evidence()
    for packet in packets:
        if is_bad_record(packet):
            continue
        now = packet["received_at"] // 1000
        for archive in packet["archives"]:
            if rule := _refuse_archive(archive, now, days, settings):
                evidence.findings.add(_refused(rule, archive))
            else:
                _hear_archive(evidence, archive, packet["sequence"], days)
        for entry in packet["registers"]:
            if rule := _refuse_registers(entry, now, settings):
                evidence.findings.add(_refused(rule, entry))
            else:
                _hear_registers(evidence, entry, packet["sequence"])
    for channel, registers in evidence.registers.items():
        for (_, instant), said in registers.items():
            if said.conflict:
                evidence.findings.add(("vee.conflicting_duplicate", channel_name(channel), instant))
    return evidence


def channel_name(channel: Channel) -> str:
    """How a finding names a channel."""
    return f"{channel[0]}/{channel[1]}"


def _refused(rule: str, element: Mapping[str, Any]) -> Finding:
    return rule, channel_name((element["module_id"], element["channel"])), element["start_at"] // 1000


def _refuse_time(starts: Iterable[int], ends: Iterable[int], now: int, settings: Settings) -> str | None:
    if any(end > now + settings.skew for end in ends):
        return "vee.future_time"
    if any(start < now - settings.horizon for start in starts):
        return "vee.stale_time"
    return None


def _refuse_archive(
    archive: Mapping[str, Any], now: int, days: MeteringDays, settings: Settings
) -> str | None:
    start, step, values = archive["start_at"] // 1000, archive["step_s"], archive["values"]
    starts = [start + position * step for position in range(len(values))]
    if rule := _refuse_time(starts, [begin + step for begin in starts], now, settings):
        return rule
    missing = set(archive["missing"])
    registers = [r for r in (archive["register_start"], archive["register_end"]) if r is not None]
    absurd = (
        step not in STEPS
        or not 1 <= len(values) <= MOST_VALUES
        or (start - days.containing(start)) % step != 0
        or any(not 0 <= position < len(values) for position in missing)
        or any(not -(2**31) <= v < 2**31 for i, v in enumerate(values) if i not in missing)
        or any(not 0 <= register <= MOST_REGISTER for register in registers)
        or (archive["channel"] == 0 and bool(registers))
        or not 0 <= archive["channel"] <= 15
        or archive["kind"] not in RANKS
        or not _is_id(archive["module_id"])
    )
    return "vee.absurd_value" if absurd else None


def _refuse_registers(entry: Mapping[str, Any], now: int, settings: Settings) -> str | None:
    offsets, values = entry["offsets_s"], entry["values"]
    instants = [entry["start_at"] // 1000 + offset for offset in offsets]
    if rule := _refuse_time(instants, instants, now, settings):
        return rule
    absurd = (
        len(offsets) != len(values)
        or not 1 <= len(values) <= MOST_VALUES
        or any(not 0 <= offset <= 35 * DAY for offset in offsets)
        or any(not 0 <= value <= MOST_REGISTER for value in values)
        or not 1 <= entry["channel"] <= 15
        or not _is_id(entry["module_id"])
    )
    return "vee.absurd_value" if absurd else None


def _hear_archive(evidence: Evidence, archive: Mapping[str, Any], sequence: int, days: MeteringDays) -> None:
    channel = (archive["module_id"], archive["channel"])
    revision = (RANKS[archive["kind"]], sequence)
    start, step, values = archive["start_at"] // 1000, archive["step_s"], archive["values"]
    for position, value in enumerate(values):
        if position not in archive["missing"]:
            evidence.hear_interval(channel, start + position * step, step, Said(revision, value, value))
    end = start + len(values) * step
    for kind, instant, register in (
        (START, start, archive["register_start"]),
        (END, end, archive["register_end"]),
    ):
        if register is not None:
            edge = kind if days.is_start(instant) else POINT
            evidence.hear_register(channel, edge, instant, Said(revision, register, register))


def _hear_registers(evidence: Evidence, entry: Mapping[str, Any], sequence: int) -> None:
    channel = (entry["module_id"], entry["channel"])
    for offset, value in zip(entry["offsets_s"], entry["values"], strict=True):
        said = Said((RANKS["ARCHIVED"], sequence), value, value)
        evidence.hear_register(channel, POINT, entry["start_at"] // 1000 + offset, said)
