"""What a concentrator delivers, as the domain takes it. Instants are seconds since 1970 (docs/domain.md
§1.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

ARCHIVED_RANK = 1 << 62
"""Added to the sequence: the greater revision wins, and any ARCHIVED is greater than any CURRENT (§2.1)."""

MAX_SEQUENCE = (1 << 62) - 1
MAX_ID_LENGTH = 64
TOLD_A_DAY = 8
"""Events or states that take about the work of one channel-day."""
CHANNELS = 16
"""Channels of a module: 0 is its thermometer."""


class Archive(NamedTuple):
    """A run of successive intervals of one channel. `rank` is 0, ARCHIVED_RANK, or None when the kind is not
    known.
    """

    module_id: str
    channel: int
    rank: int | None
    start: int
    step: int
    values: Sequence[int]
    missing: Sequence[int] = ()
    register_start: int | None = None
    register_end: int | None = None

    @property
    def end(self) -> int:
        """Where its last interval ends."""
        return self.start + self.step * len(self.values)


class Registers(NamedTuple):
    """Register readings of one channel at irregular instants."""

    module_id: str
    channel: int
    start: int
    offsets: Sequence[int]
    values: Sequence[int]


class Measurements(NamedTuple):
    """A run of successive intervals of one sensor, in thousandths of its kind's unit. `rank` as in Archive.

    `minima` and `maxima` are empty when the device keeps none.
    """

    module_id: str
    channel: int
    rank: int | None
    start: int
    step: int
    averages: Sequence[int]
    minima: Sequence[int] = ()
    maxima: Sequence[int] = ()
    missing: Sequence[int] = ()
    sensor_kind: str | None = None

    @property
    def end(self) -> int:
        """Where its last interval ends."""
        return self.start + self.step * len(self.averages)


Element = Archive | Registers | Measurements


class ModuleEvent(NamedTuple):
    """Something that happened at a module. `kind` and `phase` are symbols of the contract.

    `occurred` is by the module's clock.
    """

    module_id: str
    channel: int | None
    kind: str
    phase: str
    occurred: int
    value: int | None = None
    command_id: str | None = None


class ModuleState(NamedTuple):
    """How a module is. `observed` is by the concentrator's clock, `module_clock` by the module's own at that
    moment.
    """

    module_id: str
    observed: int
    module_clock: int | None = None
    battery_mv: int | None = None
    signal_dbm: int | None = None
    firmware: str | None = None
    packet_mode: str = "UNSPECIFIED"
    relay_path: Sequence[str] = ()


class Session(NamedTuple):
    """How a concentrator is. `backlog_from` is the start of the oldest interval it still holds."""

    power: str = "UNSPECIFIED"
    supply_mv: int | None = None
    signal_dbm: int | None = None
    backlog_packets: int | None = None
    backlog_from: int | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """One delivery. `sequence` is within 0 … 2^62 − 1 and the ids are 1 to 64 characters: others never get
    here.
    """

    packet_id: str
    concentrator_id: str
    sequence: int
    received: int
    archives: Sequence[Archive] = ()
    registers: Sequence[Registers] = ()
    sent: int = 0
    measurements: Sequence[Measurements] = ()
    events: Sequence[ModuleEvent] = ()
    states: Sequence[ModuleState] = ()
    session: Session | None = None

    @property
    def weight(self) -> int:
        """About how many channel-days it holds, values of absurd steps counted like the finest ones."""
        days = sum(1 + len(a.values) * max(a.step, 900) // 86_400 for a in self.archives)
        days += sum(1 + len(m.averages) * max(m.step, 900) // 86_400 for m in self.measurements)
        days += sum(1 + len(r.values) // 24 for r in self.registers)
        return max(1, days + (len(self.events) + len(self.states)) // TOLD_A_DAY)


def is_id(text: str) -> bool:
    """Whether a text may be an identifier: 1 to 64 characters, and none that a database cannot hold."""
    return 0 < len(text) <= MAX_ID_LENGTH and "\x00" not in text
