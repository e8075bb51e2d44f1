"""Finding, the log of changes with restore, and what all pages of the register have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from balance_gateway.domain import finding
from balance_gateway.domain.amending import amendments
from balance_gateway.domain.changes import Author
from balance_gateway.domain.people import Role
from balance_gateway.domain.problems import RefusedError
from balance_gateway.entrypoints.desk import allowed, held_inside, person, rooms, shown
from balance_gateway.entrypoints.pages import saying
from balance_gateway.entrypoints.pages.navigation import STAFF
from balance_gateway.handlers import ConflictError

room = Blueprint("register", __name__)
EDITORS = (Role.OPERATOR, Role.ADMINISTRATOR)
READERS_OF_CHANGES = (*EDITORS, Role.AUDITOR)
DAYS_SHOWN = timedelta(days=31)
MOST_CHANGES = 50
_MOST_FOUND = 51
_LONGEST_REASON = 256
_PAST_ALL = 2**62
Row = Mapping[str, Any]

for _name, _filter in saying.FILTERS.items():
    room.add_app_template_filter(_filter, _name)


def author(way: str = "form") -> Author:
    """Who is signed in, as the author of a change, with the reason of the form."""
    return Author(person().login, way, line("reason") or None, person().subtree)


def line(name: str) -> str:
    """A field of the form as one line of text, without what cannot be printed."""
    text = request.form.get(name, "").strip()[:_LONGEST_REASON]
    return "".join(letter for letter in text if letter.isprintable())


def entity(kind: str, name: str) -> Row | None:
    """An entity as it stands: kind, name, version, value, changed_at; None without one."""
    if not name.isprintable():
        abort(404)
    return rooms().reads.row("entity", kind=kind, name=name)


def now() -> datetime:
    """How far the installation's time has come; by our clock before the first packet."""
    found = rooms().reads.row("time_come")
    received: datetime | None = found["received_at"] if found else None
    return received if received is not None and received.year > 1970 else datetime.now(UTC)


def changes_of(kind: str, name: str, most: int = 10) -> Sequence[Row]:
    """The newest changes of an entity, told."""
    rows = rooms().reads.rows("changes_of_entity", kind=kind, name=name, before=_PAST_ALL, most=most)
    return told(rows)


def told(rows: Sequence[Row]) -> Sequence[Row]:
    """Rows of the log with what differed in words, and the page of what was changed."""
    return [
        {
            **row,
            "differed": [saying.amendment(one) for one in amendments(row["before"], row["after"])],
            "address": saying.address(row["kind"], row["name"]),
        }
        for row in rows
    ]


@room.get("/find")
@allowed(*STAFF)
def find() -> ResponseReturnValue:
    """What has the words asked for; the one that has all of it for an id is gone to at once."""
    said = request.args.get("q", "").replace("\x00", "").strip()[:200]
    if not said:
        return shown("register/find.html", said="", found=[], is_cut=False)
    rows = rooms().reads.rows(
        "find_entities",
        whole=finding.asked_whole(said),
        asked=finding.asked(said),
        place=finding.asked_place(person().subtree),
        modules=finding.OF_MODULES,
        most=_MOST_FOUND,
    )
    found = list({(row["kind"], row["name"]): row for row in reversed(rows)}.values())[::-1]
    whole = [row for row in found if row["whole"]]
    direct = whole if len(whole) == 1 else found
    if len(direct) == 1 and (address := saying.address(direct[0]["kind"], direct[0]["name"])):
        return redirect(address)
    found.sort(key=lambda row: (not row["whole"], row["kind"] != "usage-point", row["kind"], row["name"]))
    shown_rows = [
        {**row, "address": saying.address(row["kind"], row["name"])} for row in found[: _MOST_FOUND - 1]
    ]
    return shown("register/find.html", said=said, found=shown_rows, is_cut=len(found) >= _MOST_FOUND)


@room.get("/changes")
@allowed(*READERS_OF_CHANGES)
def changes() -> ResponseReturnValue:
    """The log, newest first; of one entity with `kind` and `name`. Paged by `before`."""
    before = request.args.get("before", _PAST_ALL, type=int)
    kind, name = request.args.get("kind", ""), request.args.get("name", "").replace("\x00", "")
    given: dict[str, Any] = {"before": before, "most": MOST_CHANGES + 1}
    if kind in saying.KINDS and name:
        stands = entity(kind, name)
        if stands is None:
            abort(404)
        held_inside(stands["value"].get("object_path"))
        rows = rooms().reads.rows("changes_of_entity", kind=kind, name=name, **given)
    else:
        kind = name = ""
        place = finding.json_beginning(person().subtree)
        rows = rooms().reads.rows("latest_changes", place=place, **given)
    by = "version" if name else "number"
    older = rows[MOST_CHANGES - 1][by] if len(rows) > MOST_CHANGES else None
    return shown(
        "register/changes.html",
        changes=told(rows[:MOST_CHANGES]),
        kind=kind,
        name=name,
        older=older,
        is_first=before == _PAST_ALL,
        may_change=person().role in EDITORS,
    )


@room.get("/changes/<int:number>")
@allowed(*READERS_OF_CHANGES)
def change(number: int) -> ResponseReturnValue:
    """A change, and what would differ if what it made were brought back."""
    return _change(number)


@room.post("/changes/<int:number>")
@allowed(*EDITORS)
def restore(number: int) -> ResponseReturnValue:
    """Bring back what a change had made."""
    found, _stands = _found_change(number)
    if not line("reason"):
        return _change(number, wrong={"reason": _("why it is brought back")}), 422
    try:
        version = rooms().registering.restore(
            number, author("restore"), request.form.get("version", 0, type=int)
        )
    except RefusedError as error:
        return _change(number, problems=[str(problem) for problem in error.problems]), 422
    except ConflictError:
        return _change(number, is_conflict=True), 409
    flash(_("Brought back as version %(version)s.", version=version))
    return redirect(saying.address(found["kind"], found["name"]) or url_for("register.changes"))


def _change(number: int, **values: Any) -> str:
    found, stands = _found_change(number)
    (row,) = told([found])
    return shown(
        "register/change.html",
        change=row,
        stands=stands,
        would_differ=[saying.amendment(one) for one in amendments(stands["value"], found["after"])],
        may_change=person().role in EDITORS,
        **values,
    )


def _found_change(number: int) -> tuple[Row, Row]:
    """A change of the log, and its entity as it stands; 404 without one, or outside the subtree."""
    found = rooms().reads.row("change", number=number)
    stands = entity(found["kind"], found["name"]) if found else None
    if found is None or stands is None:
        abort(404)
    for value in (stands["value"], found["before"], found["after"]):
        if value is not None:  # what has no place in the tree is shown to those of the whole tree alone
            held_inside(value.get("object_path"))
    return found, stands
