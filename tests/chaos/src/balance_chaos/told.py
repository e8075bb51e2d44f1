"""What `balance.module-events.v1` tells of modules and concentrators, against the oracle's telemetry."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from balance_local.installation import Installation
from balance_oracle.telemetry import Telemetry
from balance_schemas import catalogue

from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import read_from_beginning

EVENT = "balance.v1.ModuleEventReported"
STATE = "balance.v1.ModuleStateReported"
SESSION = "balance.v1.ConcentratorSessionReported"
Told = dict[Hashable, tuple[Any, ...]]
"""By what it is about: what is told, instants in seconds."""


def expected(telemetry: Telemetry) -> Told:
    """Every event, the newest state of each module, every session (docs/domain.md §2.7–§2.9).

    Of an event not when it was received: it is told once, with the first receipt that was known then.
    """
    told: Told = {}
    for event in set().union(*telemetry.events.values()):
        about = event.module, event.channel, event.kind, event.phase, event.at, event.value, event.command
        told["event", *about] = ()
    for module, states in telemetry.states.items():
        one = max(states, key=lambda state: state.at)
        offset = None if one.clock is None else one.clock - one.at + one.ahead
        how = one.battery_mv, one.signal_dbm, one.firmware, one.packet_mode, one.relay_path
        told["state", module] = (one.at, one.clock, *how, offset)
    for concentrator, sessions in telemetry.sessions.items():
        for session in sessions:
            said = session.power, session.supply_mv, session.signal_dbm, session.backlog_packets
            times = session.sequence, session.sent, session.received, session.ahead
            told["session", concentrator, session.packet_id] = (*times, *said, session.modules)
    return told


def from_topic(made: Installation) -> Told:
    """What somebody knows who has read all of it."""
    codec, kafka = codec_of(made), settings_of(made).kafka
    told: Told = {}
    versions: dict[str, int] = {}
    for data in read_from_beginning(kafka, catalogue.MODULE_EVENTS):
        record, one = codec.decode(data)
        if record == EVENT:
            told["event", *_identity(one)] = ()
        elif record == SESSION:
            told["session", one["concentrator_id"], one["packet_id"]] = _session(one)
        elif versions.get(one["module_id"], 0) < one["version"]:
            versions[one["module_id"]] = one["version"]
            told["state", one["module_id"]] = _state(one)
    return told


def differences(wanted: Told, found: Told) -> Iterator[str]:
    """In words; none when the two are equal."""
    for about in sorted(wanted.keys() | found.keys(), key=str):
        if wanted.get(about) != found.get(about):
            yield f"{about}: expected {wanted.get(about)}, found {found.get(about)}"


def _identity(event: Mapping[str, Any]) -> tuple[Any, ...]:
    about = event["module_id"], event["channel"], event["kind"], event["phase"]
    return (*about, event["occurred_at"] // 1000, event["value"], event["command_id"])


def _state(one: Mapping[str, Any]) -> tuple[Any, ...]:
    clock = None if one["module_clock_at"] is None else one["module_clock_at"] // 1000
    how = one["battery_mv"], one["signal_dbm"], one["firmware"], one["packet_mode"]
    return (one["observed_at"] // 1000, clock, *how, tuple(one["relay_path"]), one["clock_offset_s"])


def _session(one: Mapping[str, Any]) -> tuple[Any, ...]:
    times = one["sequence"], one["sent_at"] // 1000, one["received_at"] // 1000, one["clock_offset_s"]
    said = one["power"], one["supply_mv"], one["signal_dbm"], one["backlog_packets"]
    return (*times, *said, one["modules"])
