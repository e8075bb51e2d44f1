"""Files into the register: shown first, done when somebody says so."""

from __future__ import annotations

import csv
import io
from itertools import islice
from pathlib import PurePath
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from balance_gateway.adapters import files
from balance_gateway.domain.amending import amendments
from balance_gateway.domain.changes import Change
from balance_gateway.domain.kinds import BY_WORD, KINDS
from balance_gateway.entrypoints.desk import allowed, rooms, shown
from balance_gateway.entrypoints.pages import saying
from balance_gateway.entrypoints.pages.register import EDITORS, author
from balance_gateway.handlers import NothingThereError, Proposal

room = Blueprint("imports", __name__)
_MOST_SHOWN = 1_000
_LONGEST_NAME = 120


@room.get("/import")
@allowed(*EDITORS)
def start() -> ResponseReturnValue:
    """The form, and files to start from."""
    return shown("register/import.html", kinds=KINDS)


@room.get("/import/template/<kind>.csv")
@allowed(*EDITORS)
def template(kind: str) -> ResponseReturnValue:
    """The first line of a table of a kind."""
    found = BY_WORD.get(kind)
    if found is None:
        abort(404)
    text = io.StringIO()
    csv.writer(text).writerow(files.template(found))
    headers = {"Content-Disposition": f'attachment; filename="{found.plural}.csv"'}
    return Response(text.getvalue(), mimetype="text/csv", headers=headers)


@room.post("/import")
@allowed(*EDITORS)
def propose() -> ResponseReturnValue:
    """Show what a file would change, or everything that is wrong with it."""
    upload = request.files.get("file")
    if upload is None or not upload.filename:
        wrong = {"file": _("Choose a file: .csv, .xlsx, .xls, .ods or .yaml.")}
        return shown("register/import.html", kinds=KINDS, wrong=wrong), 422
    name = "".join(c for c in PurePath(upload.filename).name[-_LONGEST_NAME:] if c.isprintable())
    try:
        proposal = rooms().importing.propose(name, upload.read(), author("import"))
    except files.FileError as error:
        return _problems(name, error.problems), 422
    if proposal.problems:
        return _problems(name, proposal.problems), 422
    return _shown(proposal)


@room.post("/import/<token>")
@allowed(*EDITORS)
def do(token: str) -> ResponseReturnValue:
    """Do what was shown."""
    if not token.isprintable():
        abort(404)
    try:
        proposal = rooms().importing.do(token, author("import"))
    except NothingThereError:
        wrong = {"file": _("The file is kept for an hour, and is gone: give it again.")}
        return shown("register/import.html", kinds=KINDS, wrong=wrong), 410
    if proposal.problems:
        return _problems(proposal.file_name, proposal.problems), 409
    flash(
        _(
            "Imported %(name)s: entities changed: %(number)s.",
            name=proposal.file_name,
            number=len(proposal.found.changes),
        )
    )
    return redirect(url_for("register.changes"))


def _problems(name: str, problems: Any) -> str:
    few = list(islice(problems, _MOST_SHOWN))
    return shown(
        "register/import.html",
        kinds=KINDS,
        name=name,
        problems=few,
        hidden=len(problems) - len(few),
        number=len(problems),
    )


def _shown(proposal: Proposal) -> str:
    changes = proposal.found.changes
    return shown(
        "register/proposal.html",
        proposal=proposal,
        new=sum(1 for change in changes if change.before is None),
        changes=[_told(change) for change in changes[:_MOST_SHOWN]],
        hidden=max(0, len(changes) - _MOST_SHOWN),
    )


def _told(change: Change) -> dict[str, Any]:
    before = change.before.value if change.before else None
    return {
        "kind": change.entity.kind.word,
        "name": change.entity.name,
        "is_new": before is None,
        "differed": [saying.amendment(one) for one in amendments(before, change.entity.value)],
    }
