"""Module events, module states, sessions, and who was heard when (domain.md §2.7 to §2.9, §3.18)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from balance_oracle.evidence import Finding, element_name
from balance_oracle.screening import is_bad_record, is_id, possible_session, refuse_event, refuse_state
from balance_oracle.settings import Settings

ELEMENTS = ("archives", "registers", "measurements", "module_events", "module_states")
PHASES = ("BEGUN", "ENDED", "OCCURRED")
NO_SESSION = {
    "power": "UNSPECIFIED",
    "supply_mv": None,
    "signal_dbm": None,
    "backlog_packets": None,
    "backlog_from_at": None,
}


@dataclass(frozen=True)
class Event:
    """A module event (§2.7), by its identity."""

    module: str
    channel: int | None
    kind: str
    phase: str
    at: int
    value: int | None
    command: str | None

    @property
    def order(self) -> tuple[int, int]:
        """In order of time, BEGUN before ENDED before OCCURRED at one instant."""
        return self.at, PHASES.index(self.phase)


@dataclass(frozen=True)
class State:
    """What a module state tells (§2.8); ``ahead`` is κ of the packet that brought it."""

    at: int
    clock: int | None
    battery_mv: int | None
    ahead: int
    signal_dbm: int | None
    firmware: str | None
    packet_mode: str
    relay_path: tuple[str, ...]


@dataclass(frozen=True)
class Session:
    """One delivery of a concentrator (§2.9); ``ahead`` is κ, ``modules`` how many it spoke of."""

    received: int
    packet_id: str
    power: str
    signal_dbm: int | None
    backlog_packets: int | None
    ahead: int
    sequence: int
    sent: int
    supply_mv: int | None
    modules: int


@dataclass
class Telemetry:
    """All of it; ``heard_modules`` tells (last receipt, concentrator), of equal receipts the greatest id."""

    events: dict[str, set[Event]] = field(default_factory=lambda: defaultdict(set))
    states: dict[str, list[State]] = field(default_factory=lambda: defaultdict(list))
    sessions: dict[str, list[Session]] = field(default_factory=lambda: defaultdict(list))
    heard_modules: dict[str, tuple[int, str]] = field(default_factory=dict)
    findings: set[Finding] = field(default_factory=set)


def listen(packets: Iterable[Mapping[str, Any]], settings: Settings) -> Telemetry:
    """Everything the packets say beside intervals and registers."""
    telemetry = Telemetry()
    states: dict[tuple[str, int], tuple[Any, State]] = {}
    sessions: dict[tuple[str, str], Session] = {}
    for packet in packets:
        if is_bad_record(packet):
            continue
        now, ahead = packet["received_at"] // 1000, clock_ahead(packet, settings)
        for event in packet["module_events"]:
            if rule := refuse_event(event, now, settings):
                _refuse(telemetry, rule, event, event["occurred_at"])
            else:
                telemetry.events[event["module_id"]].add(_event(event))
        for state in packet["module_states"]:
            if rule := refuse_state(state, now, settings):
                _refuse(telemetry, rule, state, state["observed_at"])
            else:
                _hear_state(states, state, packet["sequence"], ahead)
        spoken_of = {element["module_id"] for name in ELEMENTS for element in packet[name]}
        _hear_session(sessions, packet, ahead, len(spoken_of))
        for module in spoken_of:
            if is_id(module):
                heard = now, packet["concentrator_id"]
                telemetry.heard_modules[module] = max(telemetry.heard_modules.get(module, heard), heard)
    for (module, _), (_, kept) in sorted(states.items(), key=lambda item: item[0]):
        telemetry.states[module].append(kept)
    for (concentrator, _), session in sessions.items():
        telemetry.sessions[concentrator].append(session)
    return telemetry


def clock_ahead(packet: Mapping[str, Any], settings: Settings) -> int:
    """κ: how far the concentrator's clock is ahead; 0 when that may be the way through the network."""
    difference: int = packet["sent_at"] // 1000 - packet["received_at"] // 1000
    return difference if abs(difference) > settings.network_delay else 0


def _refuse(telemetry: Telemetry, rule: str, element: Mapping[str, Any], at: int) -> None:
    telemetry.findings.add((rule, element_name(element), at // 1000, at // 1000))


def _event(event: Mapping[str, Any]) -> Event:
    return Event(
        event["module_id"],
        event["channel"],
        event["kind"],
        event["phase"],
        event["occurred_at"] // 1000,
        event["value"],
        event["command_id"],
    )


def _hear_state(
    states: dict[tuple[str, int], tuple[Any, State]],
    state: Mapping[str, Any],
    sequence: int,
    ahead: int,
) -> None:
    """§2.8: of two of one instant the greater sequence, then the greater content."""
    clock = None if state["module_clock_at"] is None else state["module_clock_at"] // 1000
    content = (clock, state["battery_mv"], state["signal_dbm"], state["firmware"])
    paths = (state["packet_mode"], tuple(state["relay_path"]))
    rank = sequence, tuple((one is not None, one or 0) for one in content), paths, ahead
    key = state["module_id"], state["observed_at"] // 1000
    if key not in states or states[key][0] < rank:
        states[key] = rank, State(key[1], clock, state["battery_mv"], ahead, *content[2:], *paths)


def _hear_session(
    sessions: dict[tuple[str, str], Session], packet: Mapping[str, Any], ahead: int, modules: int
) -> None:
    """§2.9: of the earliest receipt of each packet id."""
    said = possible_session(packet["session"] or NO_SESSION)
    session = Session(
        packet["received_at"] // 1000,
        packet["packet_id"],
        said["power"],
        said["signal_dbm"],
        said["backlog_packets"],
        ahead,
        packet["sequence"],
        packet["sent_at"] // 1000,
        said["supply_mv"],
        modules,
    )
    key = packet["concentrator_id"], packet["packet_id"]
    if key not in sessions or session.received < sessions[key].received:
        sessions[key] = session
