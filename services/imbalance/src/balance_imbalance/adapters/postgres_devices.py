"""Modules and concentrators of the register, and what follows from them for usage points: allowances and
thermometers. Whoever changes these holds ASSETS alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from balance_chassis.postgres import copy_binary
from balance_kernel.plans import (
    Allowance,
    SessionSetting,
    Setting,
    allowances_of,
    packet_spans,
    session_spans,
)
from balance_kernel.quantity import Resource
from psycopg import Connection
from psycopg.types.json import Jsonb

from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.adapters.register_rows import read_channels, read_equipment
from balance_imbalance.adapters.spans import as_end, as_instant
from balance_imbalance.domain.equipment import (
    Equipment,
    FittedThermometer,
    ThermometerSpan,
    allowances_of_point,
    thermometers_of_point,
)
from balance_imbalance.domain.messages import Assets, Concentrator, Module
from balance_imbalance.domain.register import FOREVER, ChangedSpan, differing

_ALLOWANCE = ("usage_point", "valid_from", "valid_to", "days"), ("int4", "timestamptz", "timestamptz", "int2")
_THERMOMETER = (
    ("usage_point", "valid_from", "valid_to", "thermometer"),
    ("int4", "timestamptz", "timestamptz", "int4"),
)
_Spans = Sequence[tuple[int, int, int]]


def points_touched(
    conn: Connection[Any], assets: Assets, numbers: Mapping[str, int]
) -> tuple[Sequence[int], Sequence[int]]:
    """Usage points described by a message, and all whose equipment it may change: those too that hang on a
    module of one of them, before or after, on a described module, or on one of a described concentrator.
    """
    described = [numbers[point.usage_point_id] for point in assets.points]
    modules = {module.module_id for module in assets.modules}
    modules.update(channel.module_id for point in assets.points for channel in point.channels)
    modules.update(c.module_id for held in read_channels(conn, described).values() for c in held)
    if assets.concentrators:
        named = {"concentrators": [concentrator.concentrator_id for concentrator in assets.concentrators]}
        modules.update(module for (module,) in conn.execute(statement("modules_set_to"), named))
    beside = conn.execute(statement("points_on_modules"), {"modules": sorted(modules)}) if modules else ()
    return described, sorted({*described, *(point for (point,) in beside)})


def keep_devices(
    conn: Connection[Any], modules: Sequence[Module], concentrators: Sequence[Concentrator]
) -> int:
    """Keep descriptions of a greater version; gives how many these were."""
    rows = {
        "keep_modules": [
            {"module_id": one.module_id, "version": one.version, "settings": one.settings} for one in modules
        ],
        "keep_concentrators": [
            {"concentrator_id": one.concentrator_id, "version": one.version, "settings": one.settings}
            for one in concentrators
        ],
    }
    return sum(conn.execute(statement(name), {"rows": Jsonb(told)}).rowcount for name, told in rows.items())


def settle_equipment(
    conn: Connection[Any], points: Sequence[int]
) -> tuple[Sequence[ChangedSpan], Sequence[ChangedSpan]]:
    """Work allowances and thermometers of usage points out afresh; spans in which either is another one."""
    held, given = read_equipment(conn, points), _equipment(conn, points)
    allowed = [
        ChangedSpan(point, start, end)
        for point in points
        for start, end in differing(held.allowances.get(point, ()), given.allowances.get(point, ()))
    ]
    warmed = [
        ChangedSpan(point, start, end)
        for point in points
        for start, end in differing(
            _timed(held.thermometers.get(point, ())), _timed(given.thermometers.get(point, ()))
        )
    ]
    _replace(conn, "allowances", "forget_allowances", *_ALLOWANCE, allowed, given.allowances)
    timed = {point: _timed(spans) for point, spans in given.thermometers.items()}
    _replace(conn, "thermometers", "forget_thermometers", *_THERMOMETER, warmed, timed)
    return allowed, warmed


def _equipment(conn: Connection[Any], points: Sequence[int]) -> Equipment:
    channels = read_channels(conn, points)
    modules = sorted({channel.module_id for fitted in channels.values() for channel in fitted})
    allowances, thermometers = _allowances(conn, modules), _thermometers(conn, modules)
    allowed: dict[int, Sequence[Allowance]] = {}
    warmed: dict[int, Sequence[ThermometerSpan]] = {}
    for point, fitted in channels.items():
        allowed[point] = allowances_of_point(fitted, allowances)
        warmed[point] = thermometers_of_point(fitted, thermometers)
    return Equipment(allowed, warmed)


def _allowances(conn: Connection[Any], modules: Sequence[str]) -> Mapping[str, Sequence[Allowance]]:
    rows = conn.execute(statement("settings_of_modules"), {"modules": modules}).fetchall()
    settings = {module: [Setting(*one) for one in told] for module, told in rows}
    callers = {one.concentrator_id for told in settings.values() for one in told if one.concentrator_id}
    rows = conn.execute(statement("settings_of_concentrators"), {"concentrators": sorted(callers)}).fetchall()
    sessions = {name: session_spans([SessionSetting(*one) for one in told]) for name, told in rows}
    return {module: allowances_of(packet_spans(told, sessions)) for module, told in settings.items()}


def _thermometers(conn: Connection[Any], modules: Sequence[str]) -> Mapping[str, Sequence[FittedThermometer]]:
    found: defaultdict[str, list[FittedThermometer]] = defaultdict(list)
    asked = {"modules": modules, "temperature": Resource.TEMPERATURE.code, "forever": FOREVER}
    for module, *fitted in conn.execute(statement("thermometers_on_modules"), asked):
        found[module].append(FittedThermometer(*fitted))
    return found


def _timed(spans: Iterable[ThermometerSpan]) -> _Spans:
    return [(span.start, span.end, span.thermometer) for span in spans]


def _replace(
    conn: Connection[Any],
    table: str,
    forget: str,
    columns: Sequence[str],
    types: Sequence[str],
    changed: Sequence[ChangedSpan],
    given: Mapping[int, _Spans],
) -> None:
    points = sorted({span.subject for span in changed})
    if not points:
        return
    conn.execute(statement(forget), {"usage_points": points})
    rows = (
        (point, as_instant(start), as_end(end), what)
        for point in points
        for start, end, what in given.get(point, ())
    )
    with conn.cursor() as cur:
        copy_binary(cur, f"{SCHEMA}.{table}", columns, types, rows)
