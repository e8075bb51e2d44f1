"""The page of a usage point, its edit form, and the exchange of its meter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from balance_gateway.domain import meters, telling, timelines
from balance_gateway.domain.kinds import USAGE_POINT
from balance_gateway.domain.people import path_of
from balance_gateway.domain.problems import RefusedError
from balance_gateway.entrypoints.desk import allowed, held_inside, person, rooms, shown
from balance_gateway.entrypoints.pages import saying
from balance_gateway.entrypoints.pages.navigation import STAFF
from balance_gateway.entrypoints.pages.register import (
    DAYS_SHOWN,
    EDITORS,
    READERS_OF_CHANGES,
    Row,
    author,
    changes_of,
    entity,
    line,
    now,
)
from balance_gateway.handlers import ConflictError, Written

room = Blueprint("points", __name__)
_EDITED = ("sp_id", "acc_id", "object_path", "is_outdoor")
_THERMOMETERS = ("TEMPERATURE", "SENSOR")
_EXCHANGED = (
    "fitted_at",
    "final_register",
    "meter_number",
    "accuracy_class",
    "register_digits",
    "pulse_weight",
    "q_max",
    "initial_register",
)
_MOST_FINDINGS = 50


@room.get("/p/<path:name>")
@allowed(*STAFF)
def page(name: str) -> ResponseReturnValue:
    """How a usage point stands, what is fitted there and what was changed."""
    return _page(_standing(name))


@room.post("/p/<path:name>")
@allowed(*EDITORS)
def edit(name: str) -> ResponseReturnValue:
    """Change its ids, its place, and whether it tells the weather; refused if somebody else was quicker."""
    stands = _standing(name)
    given: dict[str, Any] = {field: line(field) for field in ("sp_id", "acc_id", "object_path")}
    fields: dict[str, Any] = {
        USAGE_POINT.id_field: stands["name"],
        "sp_id": given["sp_id"] or None,
        "acc_id": given["acc_id"] or None,
        "object_path": list(path_of(given["object_path"])),
    }
    if stands["value"]["resource"] in _THERMOMETERS:
        fields["is_outdoor"] = given["is_outdoor"] = "is_outdoor" in request.form
    version = request.form.get("version", 0, type=int)
    try:
        found = rooms().registering.change(Written(USAGE_POINT, fields), author(), version)
    except RefusedError as error:
        wrong, others = saying.field_errors(error, _EDITED)
        return _page(stands, given=given, wrong=wrong, problems=others), 422
    except ConflictError:
        stands = _standing(name)
        return _page(stands, given=given, conflict=_conflict(stands["value"], fields)), 409
    flash(_("Saved.") if found != version else _("Nothing was different, and nothing was changed."))
    return redirect(url_for("points.page", name=name))


@room.get("/exchange/<path:name>")
@allowed(*EDITORS)
def exchange(name: str) -> ResponseReturnValue:
    """The form of a meter exchange."""
    return _exchange(_standing(name))


@room.post("/exchange/<path:name>")
@allowed(*EDITORS)
def take_exchange(name: str) -> ResponseReturnValue:
    """Old meter off, new meter on, as one change."""
    stands = _standing(name)
    given = {field: line(field) for field in _EXCHANGED}
    version = request.form.get("version", 0, type=int)
    try:
        fitted = meters.exchanged(stands["value"], given)
        fields = {USAGE_POINT.id_field: stands["name"], "meters": fitted}
        rooms().registering.change(Written(USAGE_POINT, fields), author(), version)
    except RefusedError as error:
        wrong, others = saying.field_errors(error, _EXCHANGED)
        return _exchange(stands, given=given, wrong=wrong, problems=others), 422
    except ConflictError:
        return _exchange(_standing(name), given=given, is_conflict=True), 409
    flash(_("Meter %(number)s is on the register.", number=given["meter_number"]))
    return redirect(url_for("points.page", name=name))


def _standing(name: str) -> Row:
    """The usage point; 404 without one, or outside the subtree of who asks."""
    stands = entity(USAGE_POINT.word, name)
    if stands is None:
        abort(404)
    held_inside(stands["value"]["object_path"])
    return stands


def _page(stands: Row, **values: Any) -> str:
    point, name, at = stands["value"], stands["name"], now()
    reads = rooms().reads
    since = at - DAYS_SHOWN
    deliveries = reads.rows("deliveries_of_point", name=name, since=since)
    findings = reads.rows("findings_of_point", name=name, most=_MOST_FINDINGS)
    channel = telling.fitted(point["channels"], at.timestamp() * 1000)
    heard = reads.row("module_as_heard", name=channel["module_id"]) if channel else None
    register = _register(channel, since)
    span = timelines.line([*point["meters"], *point["channels"]], int(at.timestamp() * 1000))
    return shown(
        "register/point.html",
        name=name,
        version=stands["version"],
        point=point,
        told=telling.point_told(point, at, heard, deliveries, register, len(findings)),
        deliveries=deliveries,
        findings=findings,
        groups=reads.rows("groups_of_point", name=name),
        line=span,
        meters=span.bars(point["meters"]) if span else [],
        channels=span.bars(point["channels"]) if span else [],
        units=meters.UNITS.get(point["resource"]),
        changes=changes_of(USAGE_POINT.word, name),
        may_change=person().role in EDITORS,
        may_see_changes=person().role in READERS_OF_CHANGES,
        is_thermometer=point["resource"] in _THERMOMETERS,
        **({"given": _written(point)} | values),
    )


def _register(channel: Row | None, since: datetime) -> Row | None:
    if channel is None:
        return None
    given = {"module": channel["module_id"], "channel": channel["channel"], "since": since}
    return rooms().reads.row("latest_register", **given)


def _written(point: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the edit form as they stand."""
    path = " > ".join(point["object_path"])
    return {**{field: point[field] or "" for field in ("sp_id", "acc_id", "is_outdoor")}, "object_path": path}


def _conflict(point: Mapping[str, Any], fields: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Field, as it now stands, and as it was to be: of those that differ."""
    return [
        (field, saying.value(field, point[field]), saying.value(field, fields[field]))
        for field in _EDITED
        if field in fields and (point[field] or None) != (fields[field] or None)
    ]


def _exchange(stands: Row, **values: Any) -> str:
    point, at = stands["value"], now()
    if point["resource"] not in meters.UNITS:
        abort(404)  # a sensor has no dial
    old = point["meters"][-1] if point["meters"] else None
    channel = telling.fitted(point["channels"], at.timestamp() * 1000)
    register = _register(channel, at - DAYS_SHOWN)
    like = meters.like(old, point["resource"]) if old else {}
    return shown(
        "register/exchange.html",
        name=stands["name"],
        version=stands["version"],
        point=point,
        old=old if old and old["removed_at"] is None else None,
        register=register,
        register_said=meters.dial(register["register"], old, point["resource"]) if register and old else None,
        units=meters.UNITS[point["resource"]],
        **({"given": like | {"fitted_at": saying.local(datetime.now(UTC))}} | values),
    )
