"""What packets tell beside evidence of consumption: events and states of modules, sessions of concentrators
(docs/domain.md §2.7–§2.9).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from balance_ingest.domain.clocks import is_wrong
from balance_ingest.domain.faults import is_of_fault
from balance_ingest.domain.packets import ModuleEvent, ModuleState, Packet, Session

NETWORK_S = 60
"""A clock this far from the edge's may be right: the difference is the way through the network (§2.9)."""
CLOCKS = (631_152_000, 4_449_513_600)
"""From the year 1990 to the end of 2110: what a clock may show."""


class EventHeard(NamedTuple):
    """An accepted event, when it was first received and by whose delivery."""

    event: ModuleEvent
    received: int
    concentrator_id: str


class StateHeard(NamedTuple):
    """An accepted state with sequence, κ (`ahead`, docs/domain.md §2.9) and receipt of its packet."""

    state: ModuleState
    sequence: int
    ahead: int
    received: int
    concentrator_id: str

    @property
    def clock_offset(self) -> int | None:
        """How far the module's clock is ahead of true time, in seconds (docs/domain.md §3.13.1)."""
        clock = self.state.module_clock
        return None if clock is None else clock - self.state.observed + self.ahead


class SessionHeard(NamedTuple):
    """A packet as it was received first. `state` holds only what is possible."""

    concentrator_id: str
    packet_id: str
    received: int
    sequence: int
    sent: int
    ahead: int
    modules: int
    state: Session


@dataclass(slots=True)
class Telemetry:
    """What some packets tell, joined: of each event, state and session the one that counts."""

    events: dict[str, EventHeard] = field(default_factory=dict)
    states: dict[tuple[str, int], StateHeard] = field(default_factory=dict)
    sessions: dict[tuple[str, str], SessionHeard] = field(default_factory=dict)

    def hear_session(self, packet: Packet) -> None:
        """Of one packet id the earliest receipt, of equal ones the least content (docs/domain.md §2.9)."""
        heard = SessionHeard(
            packet.concentrator_id,
            packet.packet_id,
            packet.received,
            packet.sequence,
            packet.sent,
            clock_ahead(packet.sent, packet.received),
            modules_of(packet),
            possible(packet.session or Session()),
        )
        key = packet.concentrator_id, packet.packet_id
        held = self.sessions.get(key)
        if held is None or _session_order(heard) < _session_order(held):
            self.sessions[key] = heard

    def hear_event(self, event: ModuleEvent, packet: Packet) -> None:
        """The same event again is the same event, received when it was received first (§2.7)."""
        heard = EventHeard(event, packet.received, packet.concentrator_id)
        key = event_id(event)
        held = self.events.get(key)
        if held is None or heard[1:] < held[1:]:
            self.events[key] = heard

    def hear_state(self, state: ModuleState, packet: Packet, ahead: int) -> None:
        """Of one module and instant the greater sequence, then the greater content (§2.8)."""
        heard = StateHeard(state, packet.sequence, ahead, packet.received, packet.concentrator_id)
        key = state.module_id, state.observed
        held = self.states.get(key)
        if held is None or state_order(held) < state_order(heard):
            self.states[key] = heard


@dataclass(frozen=True, slots=True)
class News:
    """What of stored telemetry may change readings.

    `faults`: new events of faults by module. `clocks`: by module true instants, of before and of now, of
    observations that changed where a clock is wrong.
    """

    faults: Mapping[str, Set[str]]
    clocks: Mapping[str, Set[int]]


def modules_spoken_of(told: Telemetry, channels: Iterable[tuple[str, int]]) -> tuple[Set[str], Set[str]]:
    """Modules all of whose channels telemetry may bear on, and those of which it does if a clock was wrong.

    Whoever tells of a clock holds a channel of its module at least, so that of two neither misses the other.
    """
    held = {module for module, _ in channels}
    certain = {one.event.module_id for one in told.events.values() if is_of_fault(one.event)}
    possible: set[str] = set()
    for (module, _), state in told.states.items():
        offset = state.clock_offset
        wrong = offset is not None and (is_wrong(offset) or state.ahead)
        (certain if wrong or module not in held else possible).add(module)
    return certain, possible - certain


def clock_ahead(sent: int, received: int) -> int:
    """κ: how far a concentrator's clock is ahead, in seconds; 0 when that may be the network (§2.9)."""
    ahead = sent - received
    return ahead if abs(ahead) > NETWORK_S else 0


def event_id(event: ModuleEvent) -> str:
    """The same event has the same id (docs/domain.md §2.7)."""
    return hashlib.blake2b(repr(tuple(event)).encode(), digest_size=16).hexdigest()


def state_order(heard: StateHeard) -> tuple[object, ...]:
    """By which of two states of one module and instant the greater counts; null is below every value."""
    _, _, *numbers, packet_mode, relay_path = heard.state
    content = tuple((value is not None, 0 if value is None else value) for value in numbers)
    ours = heard.clock_offset or 0, -heard.received, heard.concentrator_id
    return heard.sequence, content, packet_mode, tuple(relay_path), *ours


def _session_order(heard: SessionHeard) -> tuple[object, ...]:
    power, *numbers = heard.state
    content = tuple((value is not None, 0 if value is None else value) for value in numbers)
    return heard.received, heard.sequence, heard.sent, heard.modules, power, content


def possible(session: Session) -> Session:
    """A session's state without what is impossible (docs/domain.md §2.5)."""
    return session._replace(
        supply_mv=_within(session.supply_mv, 0, 400_000),
        signal_dbm=_within(session.signal_dbm, -200, 0),
        backlog_packets=_within(session.backlog_packets, 0, 1_000_000),
        backlog_from=_within(session.backlog_from, *CLOCKS),
    )


def _within(number: int | None, least: int, most: int) -> int | None:
    return number if number is not None and least <= number <= most else None


def modules_of(packet: Packet) -> int:
    """How many modules a packet speaks of, refused elements too."""
    parts: Sequence[Sequence[tuple[object, ...]]] = (
        packet.archives,
        packet.registers,
        packet.measurements,
        packet.events,
        packet.states,
    )
    return len({element[0] for part in parts for element in part})
