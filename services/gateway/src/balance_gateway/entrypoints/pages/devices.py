"""The pages of radio modules and concentrators: settings in time, and how they were heard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue

from balance_gateway.domain import radio, telling
from balance_gateway.domain.kinds import CONCENTRATOR, MODULE, USAGE_POINT
from balance_gateway.entrypoints.desk import allowed, inside, person, refuse, rooms, shown
from balance_gateway.entrypoints.pages.navigation import STAFF
from balance_gateway.entrypoints.pages.register import (
    DAYS_SHOWN,
    EDITORS,
    READERS_OF_CHANGES,
    Row,
    changes_of,
    entity,
    now,
)

room = Blueprint("devices", __name__)
_MOST_FINDINGS = 50
_MOST_STATES = 31
_MOST_SESSIONS = 31


@room.get("/m/<path:name>")
@allowed(*STAFF)
def module(name: str) -> ResponseReturnValue:
    """How a module stands, what it counts, and who gathers it."""
    stands = entity(MODULE.word, name)
    reads, at = rooms().reads, now()
    heard = reads.row("module_as_heard", name=name)
    points = reads.rows("entities_naming", kind=USAGE_POINT.word, to_kind=MODULE.word, name=name)
    if stands is None and heard is None and not points:
        abort(404)
    value = stands["value"] if stands else None
    if not any(inside(path) for path in _places(value, heard, points)):
        refuse(404)
    shown_points = [point for point in points if inside(point["value"]["object_path"])]
    names = {point["name"] for point in shown_points}
    deliveries = reads.rows("deliveries_of_module", name=name, since=at - DAYS_SHOWN)
    return shown(
        "register/module.html",
        name=name,
        module=value,
        heard=heard,
        told=telling.module_told(value, heard, name),
        points=[(point["name"], _channels(point["value"], name)) for point in shown_points],
        deliveries=[row for row in deliveries if row["usage_point_id"] in names],
        states_heard=reads.rows("module_states", name=name, since=at - DAYS_SHOWN, most=_MOST_STATES),
        findings=reads.rows("findings_of_module", name=name, most=_MOST_FINDINGS),
        changes=changes_of(MODULE.word, name) if stands else [],
        may_change=person().role in EDITORS,
        may_see_changes=person().role in READERS_OF_CHANGES,
    )


@room.get("/c/<path:name>")
@allowed(*STAFF)
def concentrator(name: str) -> ResponseReturnValue:
    """How a concentrator stands, its modules, and what they cost its radio."""
    stands = entity(CONCENTRATOR.word, name)
    reads = rooms().reads
    heard = reads.row("concentrator_as_heard", name=name)
    if stands is None and heard is None:
        abort(404)
    value = stands["value"] if stands else None
    if not inside(value["object_path"] if value else ()):
        refuse(404)
    modules = reads.rows("modules_of_concentrator", name=name)
    settings = {row["module_id"]: row["settings"] for row in modules if row["settings"]}
    return shown(
        "register/concentrator.html",
        name=name,
        concentrator=value,
        heard=heard,
        told=telling.concentrator_told(value, heard),
        modules=modules,
        packets=float(radio.packets_a_day(settings, name, int(now().timestamp() * 1000))),
        budget=radio.BUDGET,
        sessions=reads.rows("sessions", name=name, most=_MOST_SESSIONS),
        findings=reads.rows("findings_of_concentrator", name=name, most=_MOST_FINDINGS),
        changes=changes_of(CONCENTRATOR.word, name) if stands else [],
        may_change=person().role in EDITORS,
        may_see_changes=person().role in READERS_OF_CHANGES,
    )


def _places(
    value: Mapping[str, Any] | None, heard: Row | None, points: Sequence[Row]
) -> Iterator[Sequence[str]]:
    """Where what a module counts and what gathers it lies; nowhere is for those of the whole tree."""
    yield from (point["value"]["object_path"] for point in points)
    gathering = {setting["concentrator_id"] for setting in value["settings"]} if value else set()
    if heard is not None:
        gathering.add(heard["heard_by"])
    for name in gathering - {None}:
        found = entity(CONCENTRATOR.word, name)
        if found is not None:
            yield found["value"]["object_path"]
    yield ()


def _channels(point: Mapping[str, Any], module_id: str) -> list[Mapping[str, Any]]:
    return [channel for channel in point["channels"] if channel["module_id"] == module_id]
