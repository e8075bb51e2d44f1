"""Events and states of modules and sessions of concentrators, in PostgreSQL (docs/domain.md §2.7–§2.9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from balance_chassis.postgres import copy_binary
from balance_schemas import catalogue
from psycopg import Connection

from balance_ingest.adapters.outcomes import name_keys
from balance_ingest.adapters.queries import statement
from balance_ingest.domain.clocks import AFTER_S, REACH_S, ClockDay, clock_days, is_odd, is_wrong
from balance_ingest.domain.cutting import ChannelKey
from balance_ingest.domain.days import EARLIEST, LATEST, Days
from balance_ingest.domain.faults import Fault, faults_of, is_of_fault
from balance_ingest.domain.packets import ModuleEvent
from balance_ingest.domain.telemetry import EventHeard, News, SessionHeard, StateHeard, Telemetry

EVENT, STATE, SESSION = "event", "state", "session"
"""What a key of the outbox is of; behind it what names its row."""

_EVENT = ("event_id", "module_id", "channel", "kind", "phase", "occurred_s", "value", "command_id")
_EVENT_TYPES = ("uuid", "text", "int2", "text", "text", "int8", "int8", "text", "text", "int8")
_STATE = ("module_id", "observed_s", "received_s", "sequence", "clock_s", "clock_offset_s", "battery_mv")
_STATE_TYPES = ("text", *["int8"] * 5, "int2", "int2", "text", "text", "text", "text[]")
_SESSION = ("concentrator_id", "packet_id", "received_s", "sequence", "sent_s", "clock_offset_s")
_SESSION_TYPES = ("text", "text", *["int8"] * 5, "int4", "int4", "int4", "int2", "int2", "text")

Odd = tuple[str, int, int, int]
"""A row of `odd_clocks`: module, observed, true instant, offset."""


def keep(conn: Connection[Any], told: Telemetry, lane: int) -> News:
    """Join telemetry with what is there, name what is new to the publisher, and say what rules must know."""
    conn.execute(statement("make_incoming_telemetry"))
    keys: list[list[str]] = []
    events, clocks = _keep_events(conn, told.events), _Clocks(conn)
    keys.extend([EVENT, one] for one in events)
    keys.extend([STATE, module] for module in _keep_states(conn, told.states, clocks))
    keys.extend([SESSION, *key] for key in _keep_sessions(conn, told.sessions.values(), lane))
    name_keys(conn, catalogue.MODULE_EVENTS, keys)
    faults: dict[str, set[str]] = {}
    for one in events:
        event = told.events[one].event
        if is_of_fault(event):
            faults.setdefault(event.module_id, set()).add(one)
    return News(faults, clocks.changed)


def _keep_events(conn: Connection[Any], events: Mapping[str, EventHeard]) -> Sequence[str]:
    if not events:
        return []
    rows = ((UUID(key), *one.event, one.concentrator_id, one.received) for key, one in events.items())
    with conn.cursor(binary=True) as cur:
        columns = (*_EVENT, "concentrator_id", "received_s")
        copy_binary(cur, "incoming_events", columns, _EVENT_TYPES, rows)
        cur.execute(statement("upsert_events"))
        return [key.hex for (key,) in cur]


def _keep_states(
    conn: Connection[Any], states: Mapping[tuple[str, int], StateHeard], clocks: _Clocks
) -> Sequence[str]:
    """Modules whose newest state is another one now."""
    if not states:
        return []
    clocks.look(states)
    with conn.cursor(binary=True) as cur:
        columns = (*_STATE, "signal_dbm", "concentrator_id", "packet_mode", "firmware", "relay_path")
        copy_binary(cur, "incoming_states", columns, _STATE_TYPES, map(_state_row, states.values()))
        cur.execute(statement("upsert_states"))
        changed = cur.fetchall()
        clocks.note(changed)
        newest: dict[str, int] = {}
        for module, observed, *_ in changed:
            newest[module] = max(observed, newest.get(module, observed))
        if not newest:
            return []
        span = {"first": min(newest.values()), "last": max(newest.values())}
        columns_of = {"modules": list(newest), "observed": list(newest.values())}
        cur.execute(statement("upsert_latest_states"), columns_of | span)
        return [module for (module,) in cur]


def _state_row(heard: StateHeard) -> Sequence[Any]:
    state = heard.state
    return (
        state.module_id,
        state.observed,
        heard.received,
        heard.sequence,
        state.module_clock,
        heard.clock_offset,
        state.battery_mv,
        state.signal_dbm,
        heard.concentrator_id,
        state.packet_mode,
        state.firmware,
        list(state.relay_path) or None,
    )


def _keep_sessions(
    conn: Connection[Any], sessions: Iterable[SessionHeard], lane: int
) -> Sequence[tuple[str, str]]:
    rows = [
        (
            *(one.concentrator_id, one.packet_id, one.received, one.sequence),
            *(min(max(one.sent, EARLIEST), LATEST), one.ahead, one.state.backlog_from),
            *(one.state.supply_mv, one.state.backlog_packets, one.modules, one.state.signal_dbm),
            *(lane, one.state.power),
        )
        for one in sessions
    ]
    if not rows:
        return []
    state = ("backlog_from_s", "supply_mv", "backlog_packets", "modules", "signal_dbm", "lane", "power")
    with conn.cursor(binary=True) as cur:
        copy_binary(cur, "incoming_sessions", (*_SESSION, *state), _SESSION_TYPES, rows)
        cur.execute(statement("upsert_sessions"))
        found: Sequence[tuple[str, str]] = cur.fetchall()
    return found


class _Clocks:
    """Which observations of clocks changed, where any near them is wrong; keeps `odd_clocks`."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        self._near: Sequence[Odd] = ()
        self.changed: dict[str, set[int]] = {}

    def look(self, states: Mapping[tuple[str, int], StateHeard]) -> None:
        """Read the odd ones about some states, before these are written."""
        told = [one for one in states.values() if one.clock_offset is not None]
        observed = [observed for _, observed in states]
        instants = [*observed, *(one.state.observed - one.ahead for one in told)]
        believable = [instant for instant in instants if EARLIEST < instant < LATEST]
        self._near = self._conn.execute(
            statement("odd_clocks_near"),
            {
                "modules": sorted({module for module, _ in states}),
                "start": min(believable) - REACH_S,
                "end": max(believable) + REACH_S,
                "first": min(observed),
                "last": max(observed),
            },
        ).fetchall()

    def note(self, rows: Sequence[tuple[str, int, int | None, int | None]]) -> None:
        """Keep the odd ones among written rows, and say which modules' days depend on what changed."""
        held = {(module, observed): heard for module, observed, heard, _ in self._near}
        new: list[Odd] = [
            (module, observed, clock - offset, offset)
            for module, observed, clock, offset in rows
            if clock is not None and offset is not None and is_odd(observed, clock - offset, offset)
        ]
        odd = {(module, observed) for module, observed, *_ in new}
        written = {(module, observed) for module, observed, *_ in rows}
        gone = sorted((written & held.keys()) - odd)
        self._write(new, gone)
        doubtful = {module for module, _, _, offset in (*self._near, *new) if is_wrong(offset)}
        for module, observed, clock, offset in rows:
            if module in doubtful:
                instants = self.changed.setdefault(module, set())
                instants.add(observed)
                instants.add(held.get((module, observed), observed))
                if clock is not None and offset is not None:
                    instants.add(clock - offset)

    def _write(self, new: Sequence[Odd], gone: Sequence[tuple[str, int]]) -> None:
        if new:
            modules, observed, heard, offsets = (list(column) for column in zip(*new, strict=True))
            columns = {"modules": modules, "observed": observed, "heard": heard, "offsets": offsets}
            self._conn.execute(statement("put_odd_clocks"), columns)
        if gone:
            modules, observed = (list(column) for column in zip(*gone, strict=True))
            self._conn.execute(statement("drop_odd_clocks"), {"modules": modules, "observed": observed})


def doubts(
    conn: Connection[Any], keys: Mapping[int, ChannelKey], days: Sequence[int], calendar: Days
) -> tuple[Mapping[int, Sequence[Fault]], Mapping[int, Mapping[int, ClockDay]]]:
    """Faults of channels, and of the days those on which the clocks of their modules were wrong."""
    modules = {module for module, _ in keys.values()}
    events = events_of_faults(conn, modules)
    faults = {
        channel: found
        for channel, (module, number) in keys.items()
        if (found := faults_of(events.get(module, {}).values(), number))
    }
    if not days:
        return faults, {}
    observed = observations(conn, modules, days[0], calendar.end_of(days[-1]) + AFTER_S)
    by_module = {module: clock_days(told, days, calendar) for module, told in observed.items()}
    clocks = {channel: by_module[module] for channel, (module, _) in keys.items() if by_module.get(module)}
    return faults, clocks


def events_of_faults(
    conn: Connection[Any], modules: Iterable[str]
) -> Mapping[str, Mapping[str, ModuleEvent]]:
    """All events that may begin or end a fault, by module and id."""
    found: dict[str, dict[str, ModuleEvent]] = {}
    with conn.cursor(binary=True) as cur:
        cur.execute(statement("events_of_faults"), {"modules": sorted(modules)})
        for *event, key in cur:
            found.setdefault(event[0], {})[key.hex] = ModuleEvent(*event)
    return found


def observations(
    conn: Connection[Any], modules: Iterable[str], start: int, end: int
) -> Mapping[str, Sequence[tuple[int, int]]]:
    """(true instant, offset) of observations in [start, end) by module, of modules with a wrong one there."""
    span = {"start": start, "end": end}
    found: dict[str, list[tuple[int, int]]] = {}
    wrong: set[str] = set()
    with conn.cursor(binary=True) as cur:
        cur.execute(statement("odd_clocks_of_modules"), {"modules": sorted(modules)} | span)
        for module, heard, offset in cur:
            found.setdefault(module, []).append((heard, offset))
            if is_wrong(offset):
                wrong.add(module)
        if wrong:
            cur.execute(statement("plain_clocks"), {"modules": sorted(wrong)} | span)
            for module, heard, offset in cur:
                found[module].append((heard, offset))
    return {module: found[module] for module in wrong}
