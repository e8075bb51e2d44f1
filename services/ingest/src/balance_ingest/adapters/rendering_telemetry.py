"""Current rows of events, states and sessions as records of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import Connection

from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.telemetry import EVENT, SESSION, STATE

MODULE_EVENT = "balance.v1.ModuleEventReported"
MODULE_STATE = "balance.v1.ModuleStateReported"
CONCENTRATOR_SESSION = "balance.v1.ConcentratorSessionReported"


class Told(NamedTuple):
    """A record to publish: its message key, name, value, and identity."""

    key: str
    record: str
    value: Mapping[str, Any]
    event_id: str


def current(conn: Connection[Any], keys: Sequence[tuple[str, ...]]) -> Iterator[Told]:
    """Records of outbox keys, each of its row as it stands now."""
    named: dict[str, list[tuple[str, ...]]] = {EVENT: [], STATE: [], SESSION: []}
    for kind, *name in keys:
        named[kind].append(tuple(name))
    with conn.cursor(binary=True) as cur:
        if named[EVENT]:
            cur.execute(statement("current_events"), {"ids": [name for (name,) in named[EVENT]]})
            yield from map(_event, cur)
        if named[STATE]:
            cur.execute(statement("current_states"), {"modules": [name for (name,) in named[STATE]]})
            yield from map(_state, cur)
        if named[SESSION]:
            concentrators, packets = (list(part) for part in zip(*named[SESSION], strict=True))
            cur.execute(statement("current_sessions"), {"concentrators": concentrators, "packets": packets})
            yield from map(_session, cur)


def _event(row: Sequence[Any]) -> Told:
    event_id, concentrator, received, module, channel, kind, phase, occurred, value, command = row
    told = {
        "event_id": event_id.hex,
        "concentrator_id": concentrator,
        "received_at": received * 1000,
        "module_id": module,
        "channel": channel,
        "kind": kind,
        "phase": phase,
        "occurred_at": occurred * 1000,
        "value": value,
        "command_id": command,
    }
    return Told(module, MODULE_EVENT, told, event_id.hex)


def _state(row: Sequence[Any]) -> Told:
    version, concentrator, received, module, observed, clock, *how, offset = row
    battery, signal, firmware, packet_mode, relay_path = how
    told = {
        "version": version,
        "concentrator_id": concentrator,
        "received_at": received * 1000,
        "module_id": module,
        "observed_at": observed * 1000,
        "module_clock_at": _milliseconds(clock),
        "battery_mv": battery,
        "signal_dbm": signal,
        "firmware": firmware,
        "packet_mode": packet_mode,
        "relay_path": relay_path,
        "clock_offset_s": offset,
    }
    return Told(module, MODULE_STATE, told, f"{module}/{version}")


def _session(row: Sequence[Any]) -> Told:
    concentrator, packet, sequence, sent, received, power, *state, backlog_from, modules, ahead = row
    supply, signal, backlog = state
    told = {
        "concentrator_id": concentrator,
        "packet_id": packet,
        "sequence": sequence,
        "sent_at": sent * 1000,
        "received_at": received * 1000,
        "power": power,
        "supply_mv": supply,
        "signal_dbm": signal,
        "backlog_packets": backlog,
        "backlog_from_at": _milliseconds(backlog_from),
        "modules": modules,
        "clock_offset_s": ahead,
    }
    return Told(concentrator, CONCENTRATOR_SESSION, told, f"{concentrator}/{packet}")


def _milliseconds(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
