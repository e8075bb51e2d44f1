"""Modules and concentrators of the register, with what follows from their settings: whoever changes these
holds ASSETS alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from balance_chassis.postgres import copy_binary
from balance_kernel.plans import (
    LONGEST_ALLOWANCE,
    Allowance,
    PlanSpan,
    SessionSetting,
    Setting,
    allowances_of,
    differing,
    packet_spans,
    session_spans,
)
from psycopg import Connection
from psycopg.types.json import Jsonb

from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.work import Now, Pool, mark_days
from balance_ingest.domain.batteries import CONCENTRATOR, MODULE, LifeTable, forecast_end, in_use
from balance_ingest.domain.days import DAY_S, Days, Span
from balance_ingest.domain.plans import BatteryFitting, DescribedConcentrator, DescribedModule
from balance_ingest.ports import Pair

_FORECAST_AT_ONCE = 2000
_HEARD_AFTER_S = (LONGEST_ALLOWANCE + 8) * DAY_S
_FORECAST = ("device", "device_id", "fitted_at", "used_until", "battery_type", "forecast_end")
_FORECAST_TYPES = ("text", "text", "int8", "int8", "text", "int8")
_PLAN = ("valid_from", "valid_until", "allowance_days")
_PLAN_TYPES = ("int8", "int8", "int2")

Spans = Mapping[str, Sequence[PlanSpan]]
Batteries = Mapping[str, Sequence[BatteryFitting]]


class PostgresPlans:
    """Implements `ports.Plans`."""

    def __init__(self, pool: Pool, days: Days, now: Now, lives: LifeTable) -> None:
        """Take the pool, the metering days, the clock and the lives of batteries."""
        self._pool = pool
        self._days = days
        self._now = now
        self._lives = lives

    def describe(
        self, modules: Sequence[DescribedModule], concentrators: Sequence[DescribedConcentrator]
    ) -> int:
        """See the port."""
        with self._pool.connection() as conn:
            conn.execute(statement("lock_assets_exclusive"))
            callers = _kept(conn, "keep_concentrators", map(_concentrator_row, concentrators))
            senders = _kept(conn, "keep_modules", map(_module_row, modules))
            rows = conn.execute(statement("modules_set_to"), {"concentrators": callers})
            senders = sorted({*senders, *(module for (module,) in rows)})
            _write_session_plans(conn, callers)
            changed = _write_packet_plans(conn, senders)
            self._write_forecasts(conn, senders, callers)
            marked = self._touched(conn, changed)
            mark_days(conn, marked, self._now)
        return len(marked)

    def forecast_again(self) -> None:
        """Forecast every battery by the table of lives as it is now, some at a time: nobody waits long."""
        for name, of_modules in (("every_module", True), ("every_concentrator", False)):
            with self._pool.connection() as conn:
                ids = [id_ for (id_,) in conn.execute(statement(name))]
            for first in range(0, len(ids), _FORECAST_AT_ONCE):
                some = ids[first : first + _FORECAST_AT_ONCE]
                with self._pool.connection() as conn:
                    conn.execute(statement("lock_assets_exclusive"))
                    self._write_forecasts(conn, *((some, []) if of_modules else ([], some)))

    def _write_forecasts(
        self, conn: Connection[Any], modules: Sequence[str], concentrators: Sequence[str]
    ) -> None:
        settings, batteries = _modules(conn, modules)
        sessions = _sessions(conn, {s.concentrator_id for one in settings.values() for s in one})[0]
        packets = {name: packet_spans(one, sessions) for name, one in settings.items()}
        _keep_forecasts(conn, self._lives, MODULE, packets, batteries)
        _keep_forecasts(conn, self._lives, CONCENTRATOR, *_sessions(conn, concentrators))

    def _touched(self, conn: Connection[Any], changed: Mapping[str, Sequence[Span]]) -> set[Pair]:
        """Channel-days whose allowance is another one, from the first evidence as far as silence may tell."""
        marked: set[Pair] = set()
        rows = conn.execute(statement("channels_of_modules"), {"modules": list(changed)}) if changed else ()
        for module, channel, first, until in rows:
            for start, end in changed[module]:
                days = self._days.between(max(start, first), min(end, until + _HEARD_AFTER_S))
                marked.update((channel, day) for day in days)
        return marked


def _kept(conn: Connection[Any], name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids of the rows that were of a greater version."""
    told = list(rows)
    return [id_ for (id_,) in conn.execute(statement(name), {"rows": Jsonb(told)})] if told else []


def _module_row(module: DescribedModule) -> Mapping[str, Any]:
    return {
        "module_id": module.name,
        "version": module.version,
        "deleted": module.deleted,
        "settings": module.settings,
        "batteries": module.batteries,
    }


def _concentrator_row(concentrator: DescribedConcentrator) -> Mapping[str, Any]:
    return {
        "concentrator_id": concentrator.name,
        "version": concentrator.version,
        "deleted": concentrator.deleted,
        "variant": concentrator.variant,
        "sim_payer": concentrator.sim_payer,
        "object_path": concentrator.object_path,
        "settings": concentrator.settings,
        "batteries": concentrator.batteries,
    }


def _modules(
    conn: Connection[Any], modules: Sequence[str]
) -> tuple[Mapping[str, Sequence[Setting]], Batteries]:
    rows = conn.execute(statement("settings_of_modules"), {"modules": modules}).fetchall() if modules else []
    settings = {name: [Setting(*one) for one in told] for name, told, _ in rows}
    return settings, {name: [BatteryFitting(*one) for one in told] for name, _, told in rows}


def _sessions(conn: Connection[Any], concentrators: Iterable[str | None]) -> tuple[Spans, Batteries]:
    """Session plans and batteries of concentrators."""
    names = sorted(name for name in concentrators if name is not None)
    if not names:
        return {}, {}
    rows = conn.execute(statement("settings_of_concentrators"), {"concentrators": names}).fetchall()
    spans = {name: session_spans([SessionSetting(*one) for one in told]) for name, told, _ in rows}
    return spans, {name: [BatteryFitting(*one) for one in told] for name, _, told in rows}


def _write_session_plans(conn: Connection[Any], concentrators: Sequence[str]) -> None:
    if not concentrators:
        return
    conn.execute(statement("forget_session_plans"), {"concentrators": concentrators})
    spans, _ = _sessions(conn, concentrators)
    rows = [(name, s.plan, s.start, s.end, s.allowance_days) for name, told in spans.items() for s in told]
    columns, types = ("concentrator_id", "session_plan", *_PLAN), ("text", "text", *_PLAN_TYPES)
    with conn.cursor() as cur:
        copy_binary(cur, "ingest.session_plans", columns, types, rows)


def _write_packet_plans(conn: Connection[Any], modules: Sequence[str]) -> Mapping[str, Sequence[Span]]:
    """Write the plans of modules; the spans in which the allowance of each is another one now."""
    if not modules:
        return {}
    old: dict[str, list[Allowance]] = defaultdict(list)
    for module, *span in conn.execute(statement("allowances_of_modules"), {"modules": modules}):
        old[module].append(Allowance(*span))
    settings, _ = _modules(conn, modules)
    sessions, _ = _sessions(conn, {s.concentrator_id for told in settings.values() for s in told})
    plans = {module: packet_spans(told, sessions) for module, told in settings.items()}
    conn.execute(statement("forget_packet_plans"), {"modules": modules})
    rows = [
        (name, s.plan, s.concentrator_id, s.start, s.end, s.allowance_days)
        for name, told in plans.items()
        for s in told
    ]
    columns = ("module_id", "packet_mode", "concentrator_id", *_PLAN)
    with conn.cursor() as cur:
        copy_binary(cur, "ingest.packet_plans", columns, ("text", "text", "text", *_PLAN_TYPES), rows)
    changed = {name: differing(old.get(name, ()), allowances_of(told)) for name, told in plans.items()}
    return {name: spans for name, spans in changed.items() if spans}


def _keep_forecasts(
    conn: Connection[Any], lives: LifeTable, device: str, plans: Spans, batteries: Batteries
) -> None:
    """Write the forecasts of those devices whose forecasts differ from what is there."""
    if not plans:
        return
    held: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for name, *row in conn.execute(statement("forecasts"), {"device": device, "ids": list(plans)}):
        held[name].add(tuple(row))
    told = {
        name: {
            (battery.fitted, until, battery.battery_type, forecast_end(lives, device, battery, plans[name]))
            for battery, until in in_use(fitted)
        }
        for name, fitted in batteries.items()
    }
    changed = [name for name, rows in told.items() if rows != held.get(name, set())]
    if changed:
        conn.execute(statement("forget_forecasts"), {"device": device, "ids": changed})
        rows = [(device, name, *row) for name in changed for row in told[name]]
        with conn.cursor() as cur:
            copy_binary(cur, "ingest.battery_forecasts", _FORECAST, _FORECAST_TYPES, rows)
