"""Channels that send and that nobody registered, and the form that registers one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from balance_gateway.domain.kinds import USAGE_POINT
from balance_gateway.domain.meters import UNITS
from balance_gateway.domain.problems import RefusedError
from balance_gateway.domain.registering import counted
from balance_gateway.entrypoints.desk import allowed, inside, person, refuse, rooms, shown
from balance_gateway.entrypoints.pages import saying
from balance_gateway.entrypoints.pages.navigation import STAFF
from balance_gateway.entrypoints.pages.register import EDITORS, Row, author, entity, line
from balance_gateway.handlers import ConflictError, Written

room = Blueprint("parked", __name__)
_MOST = 200
_FIELDS = (
    "usage_point_id",
    "fitted_at",
    "resource",
    "sp_id",
    "acc_id",
    "object_path",
    "meter_number",
    "accuracy_class",
    "register_digits",
    "pulse_weight",
    "q_max",
    "initial_register",
)
RESOURCES = (*UNITS, "TEMPERATURE")
_USUAL = {
    "resource": "GAS",
    "accuracy_class": "1.5",
    "register_digits": "8",
    "pulse_weight": "10",
    "q_max": "6",
}
"""Of a home's gas meter G4."""


@room.get("/parked")
@allowed(*STAFF)
def parked() -> ResponseReturnValue:
    """The channels, by module; the next page begins `from` a module."""
    start = request.args.get("from", "").replace("\x00", "")
    rows = rooms().reads.rows("parked", from_module=start, most=_MOST + 1)
    return shown(
        "register/parked.html",
        parked=[row for row in rows[:_MOST] if inside(row["object_path"])],
        onward=rows[_MOST]["module_id"] if len(rows) > _MOST else None,
        is_first=not start,
        may_change=person().role in EDITORS,
    )


@room.get("/parked/<int:channel>/<path:module>")
@allowed(*EDITORS)
def form(channel: int, module: str) -> ResponseReturnValue:
    """The form for one of them."""
    return _form(_parked(channel, module), _USUAL)


@room.post("/parked/<int:channel>/<path:module>")
@allowed(*EDITORS)
def register(channel: int, module: str) -> ResponseReturnValue:
    """Give the channel to a usage point: one that stands, or a new one."""
    row = _parked(channel, module)
    given = {field: line(field) for field in _FIELDS}
    name = given["usage_point_id"]
    stands = entity(USAGE_POINT.word, name) if name else None
    if stands is not None and not inside(stands["value"]["object_path"]):
        refuse(404)
    if stands is None and request.form.get("how") == "old" and name:
        wrong = {"usage_point_id": _("%(name)s is not on the register.", name=name)}
        return _form(row, given, wrong=wrong), 422
    if stands is not None and request.form.get("how") == "new":
        wrong = {"usage_point_id": _("%(name)s is on the register already.", name=name)}
        return _form(row, given, wrong=wrong), 422
    try:
        fields = counted(stands["value"] if stands else None, module, channel, given)
        written = Written(USAGE_POINT, fields)
        rooms().registering.change(written, author(), stands["version"] if stands else None)
    except RefusedError as error:
        wrong, others = saying.field_errors(error, _FIELDS)
        return _form(row, given, wrong=wrong, problems=others), 422
    except ConflictError:
        return _form(row, given, is_conflict=True), 409
    flash(_("Channel %(channel)s of module %(module)s counts from now on.", channel=channel, module=module))
    return redirect(url_for("points.page", name=name))


def _parked(channel: int, module: str) -> Row:
    """The channel; 404 if it is registered, was never heard, or lies outside the subtree of who asks."""
    if not module.isprintable():
        abort(404)
    row = rooms().reads.row("parked_channel", module=module, channel=channel)
    if row is None:
        abort(404)
    if not inside(row["object_path"]):
        refuse(404)
    return row


def _form(row: Row, given: dict[str, Any], **values: Any) -> str:
    resources = {resource: saying.term(resource) for resource in RESOURCES}
    given = {"fitted_at": saying.local(row["first_at"]), **given}
    if not given.get("object_path") and row["object_path"]:
        given["object_path"] = " > ".join(row["object_path"])
    how = "old" if request.values.get("how") == "old" else "new"
    return shown(
        "register/register_channel.html", row=row, given=given, resources=resources, how=how, **values
    )
