"""Pages of room groups: the board, a group, the object tree."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, cast

from flask import Blueprint, abort, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_babel import lazy_gettext as _l

from balance_gateway.domain import boards, finding, histories, places, sparks
from balance_gateway.domain.boards import Choice, Standing, State
from balance_gateway.domain.sentences import Amount, Day, Sentence
from balance_gateway.entrypoints.desk import allowed, held_inside, inside, locale, person, rooms, shown
from balance_gateway.entrypoints.pages import words
from balance_gateway.entrypoints.pages.navigation import STAFF
from balance_gateway.entrypoints.pages.spreadsheets import csv_response
from balance_gateway.ports import Reads

room = Blueprint("groups", __name__)

_A_PAGE = 50
_SPARK_DAYS = 30
_SPAN_DAYS = 31
_SPAN_MONTHS = 24
_USE_DAYS = 7
_COLUMNS = (
    "supply",
    "members",
    "imbalance",
    "tolerance",
    "unit",
    "coverage",
    "verdict",
    "members_reported",
    "members_due",
)
"""Of a table of hours, days or months, in base units."""
_STATEMENTS = {"hour": "group_hours", "day": "group_days", "month": "group_months"}
_EARLIEST = date(2000, 1, 1)
_STATE_WORDS = {
    State.LOSING: _l("losing"),
    State.SURPLUS: _l("surplus"),
    State.UNRELIABLE: _l("unreliable"),
    State.NO_DATA: _l("no data"),
    State.FINE: _l("fine"),
}
_ORDER_WORDS = {
    "loss": _l("loss a day"),
    "share": _l("share of supply"),
    "coverage": _l("who is heard least"),
    "name": _l("name"),
}
_RESOURCE_WORDS = {
    "GAS": _l("gas"),
    "WATER": _l("water"),
    "HOT_WATER": _l("hot water"),
    "HEAT": _l("heat"),
    "ELECTRICITY": _l("electricity"),
}
_VERDICT_WORDS = {
    "LOSS": (State.LOSING.tone, _l("loss")),
    "SURPLUS": (State.SURPLUS.tone, _l("surplus")),
    "WITHIN_TOLERANCE": (State.FINE.tone, _l("within tolerance")),
}
_COVERAGE_WORDS = {
    "UNRELIABLE": _l("unreliable"),
    "NOT_COMPUTABLE": _l("not known"),
}


@room.app_template_filter("said")
def said(sentence: Sentence) -> str:
    """A sentence in the language of the request."""
    values = {name: _written(value) for name, value in sentence.values.items()}
    return str(gettext(sentence.text, **values))


def _written(value: object) -> str:
    zone = rooms().calendar.zone
    if isinstance(value, Amount):
        return words.quantity(value.value, value.unit, locale())
    if isinstance(value, Day):
        return words.day(value.start, zone, locale())
    if isinstance(value, datetime):
        return words.instant(value, zone, locale())
    return str(value)


@room.app_template_filter("verdict")
def verdict(row: Mapping[str, Any]) -> tuple[str, str]:
    """Tone and word of a day, hour or month."""
    if row["coverage"] == "NOT_COMPUTABLE":
        return State.NO_DATA.tone, str(_COVERAGE_WORDS["NOT_COMPUTABLE"])
    tone, word = _VERDICT_WORDS.get(row["verdict"], (State.UNRELIABLE.tone, _COVERAGE_WORDS["UNRELIABLE"]))
    return tone, str(word)


@room.get("/groups")
@allowed(*STAFF)
def board() -> ResponseReturnValue:
    """All groups, the worst first."""
    standings, choice = _standings(), _choice()
    found = boards.chosen(standings, choice)
    number = max(1, request.args.get("page", 1, type=int))
    pages = max(1, -(-len(found) // _A_PAGE))
    number = min(number, pages)
    rows = found[(number - 1) * _A_PAGE : number * _A_PAGE]
    return shown(
        "groups/board.html",
        rows=rows,
        trends=_trends(rows, standings),
        counts=boards.counts(boards.found_by(standings, choice)),
        total=len(standings),
        found=len(found),
        choice=choice,
        page=number,
        pages=pages,
        state_words=_STATE_WORDS,
        order_words=_ORDER_WORDS,
        resources={one.resource: _RESOURCE_WORDS.get(one.resource, one.resource) for one in standings},
        address=_board_address,
        width=sparks.WIDTH,
        height=sparks.HEIGHT,
    )


@room.get("/groups.csv")
@allowed(*STAFF)
def board_csv() -> ResponseReturnValue:
    """The groups chosen, all pages of them."""
    head = (
        "group_id", "name", "resource", "state", "sentence", "imbalance_per_day", "unit", "share_of_supply",
        "tolerance_share", "members_reported", "members_due", "since", "newest_day",
    )  # fmt: skip
    calendar = rooms().calendar

    def day(instant: datetime | None) -> str:
        return calendar.date_of(instant).isoformat() if instant else ""

    rows = [
        (
            one.group_id,
            one.name,
            one.resource,
            one.state.value,
            said(one.sentence),
            *histories.in_units(one.per_day, one.unit),
            one.share,
            one.tolerance_share,
            one.reported,
            one.due,
            day(one.since),
            day(one.newest_day),
        )
        for one in boards.chosen(_standings(), _choice())
    ]
    return csv_response("groups", head, rows)


def _choice() -> Choice:
    args = request.args
    return Choice(
        args.get("state", ""), args.get("resource", ""), args.get("q", ""), args.get("order", "loss")
    )


def _board_address(endpoint: str = ".board", **changed: Any) -> str:
    """The board with what was chosen, some of it otherwise; the first page of it."""
    kept = {name: value for name, value in request.args.items() if name != "page"}
    return url_for(endpoint, **{name: value for name, value in {**kept, **changed}.items() if value})


def _standings() -> list[Standing]:
    """All groups that lie in the subtree of who asks."""
    reads = rooms().reads
    rows = reads.rows("group_states", group_id=None)
    if not inside(()):
        where = _all_places()
        rows = [row for row in rows if inside(where.get(row["group_id"], ()))]
    return [boards.standing(row) for row in rows]


def _all_places() -> Mapping[str, places.Path]:
    reads = rooms().reads
    head = reads.row("register_head") or {}
    return _places_at(cast(Hashable, reads), head.get("number"))


@lru_cache(maxsize=2)
def _places_at(reads: Reads, head: int | None) -> Mapping[str, places.Path]:  # noqa: ARG001
    """Where all groups lie. All usage points are read for it: once for each change of the register."""
    return places.group_places(reads.rows("group_places", group_id=None))


def _trends(rows: Sequence[Standing], standings: Sequence[Standing]) -> dict[str, sparks.Spark]:
    """Small charts of these groups, all of the same days: those that end with the newest of any."""
    newest = max((one.newest_day for one in standings if one.newest_day), default=None)
    if newest is None or not rows:
        return {}
    calendar = rooms().calendar
    until = calendar.date_of(newest)
    days: dict[str, list[Mapping[str, Any]]] = {}
    for row in rooms().reads.rows(
        "group_trends",
        groups=[one.group_id for one in rows],
        after=calendar.shift(newest, -_SPARK_DAYS),
        until=newest,
    ):
        place = (until - calendar.date_of(row["day_start"])).days
        days.setdefault(row["group_id"], []).append({**row, "place": place})
    return {group: sparks.spark(found, _SPARK_DAYS) for group, found in days.items()}


@room.get("/g/<path:name>")
@allowed(*STAFF)
def group(name: str) -> ResponseReturnValue:
    """How a group stands, its days, its members."""
    standing = _standing_of(name)
    until = _until(standing)
    step = _step()
    if until is None:
        return _group_shown(standing, step=step, until=None, **_members(name, None, ()))
    days = _rows(name, "day", until)
    calendar = rooms().calendar
    return _group_shown(
        standing,
        step=step,
        until=calendar.date_of(until),
        newest=calendar.date_of(standing.newest_day or until),
        earlier=calendar.date_of(calendar.shift(until, -_SPAN_DAYS)),
        later=calendar.date_of(calendar.shift(until, _SPAN_DAYS)),
        days=days[::-1],
        months=_rows(name, "month", until)[::-1] if step == "month" else (),
        again=histories.computed_again(days),
        onsets=rooms().reads.rows("group_onsets", group_id=name),
        alarms=rooms().reads.rows("group_hour_alarms", group_id=name),
        **_members(name, until, days),
    )


def _group_shown(standing: Standing, **values: Any) -> str:
    words_of = {"state_words": _STATE_WORDS, "resource_words": _RESOURCE_WORDS}
    return shown("groups/group.html", one=standing, **words_of, **values)


@room.get("/g/<path:name>/figures.json")
@allowed(*STAFF)
def figures(name: str) -> ResponseReturnValue:
    """Hours, days or months of a group for its chart."""
    until = _until(_standing_of(name))
    return jsonify(histories.figures(_rows(name, _step(), until) if until else []))


@room.get("/g/<path:name>/figures.csv")
@allowed(*STAFF)
def figures_csv(name: str) -> ResponseReturnValue:
    """The same as a table."""
    standing = _standing_of(name)
    until, step = _until(standing), _step()
    rows = _rows(name, step, until) if until else []
    instants = [(row["start_at"].isoformat(), row["end_at"].isoformat()) for row in rows]
    return csv_response(
        f"{step}s",
        ("start_at", "end_at", *_COLUMNS),
        [(*span, *(row[column] for column in _COLUMNS)) for span, row in zip(instants, rows, strict=True)],
    )


def _standing_of(name: str) -> Standing:
    reads = rooms().reads
    row = reads.row("group_states", group_id=name)
    if row is None:
        abort(404)
    if not inside(()):
        held_inside(places.group_places(reads.rows("group_places", group_id=name)).get(name, ()))
    return boards.standing(row)


def _step() -> str:
    step = request.args.get("step", "day")
    return step if step in _STATEMENTS else "day"


def _until(standing: Standing) -> datetime | None:
    """Start of the last day to be shown: the one asked for, else the newest; None without any."""
    calendar, newest = rooms().calendar, standing.newest_day
    if newest is None:
        return None
    try:
        asked = date.fromisoformat(request.args.get("until", ""))
    except ValueError:
        return newest
    return calendar.start_of(min(max(asked, _EARLIEST), calendar.date_of(newest)))


def _rows(name: str, step: str, until: datetime) -> Sequence[Mapping[str, Any]]:
    days = _SPAN_DAYS if step != "month" else _SPAN_MONTHS * 31
    after = rooms().calendar.shift(until, -days)
    return rooms().reads.rows(_STATEMENTS[step], group_id=name, after=after, until=until)


def _members(name: str, until: datetime | None, days: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Supply meters, members and who is silent, as of the end of the last day."""
    reads = rooms().reads
    rows = reads.rows("group_members", group_id=name)
    at = days[-1]["end_at"] if days else datetime.now().astimezone()
    held = {role: histories.holding(rows, role, at) for role in ("SUPPLY", "MEMBER")}
    points = [row["usage_point_id"] for found in held.values() for row in found if row["usage_point_id"]]
    last = days[-_USE_DAYS:]
    silences = histories.silences(days)
    told = histories.Told(
        used=_by_point(reads.rows("used_by_members", days=[day["day_start"] for day in last], points=points)),
        findings=_by_point(
            reads.rows("findings_of_members", points=points, after=days[0]["day_start"])
            if until and days
            else []
        ),
        silences={one.usage_point_id: one for one in silences},
        hours=int(sum((day["end_at"] - day["start_at"]).total_seconds() for day in last)) // 3600,
    )
    return {
        "supply_meters": histories.members(held["SUPPLY"], told, at),
        "members": histories.members(held["MEMBER"], told, at),
        "silences": silences,
        "use_days": len(last),
    }


def _by_point(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {row["usage_point_id"]: row for row in rows}


@room.get("/objects")
@allowed(*STAFF)
def objects() -> ResponseReturnValue:
    """The object tree, a level at a time, with the states of the groups beneath."""
    path = tuple(request.args.getlist("at")) or person().subtree
    held_inside(path)
    reads, place = rooms().reads, finding.asked_place(path)
    where, standings = _all_places(), _standings()
    children = reads.rows("objects_beneath", place=place, depth=len(path))
    # A child without a name is the object itself: only then there are usage points of its own to be sought.
    has_points = any(child["name"] is None for child in children)
    return shown(
        "groups/objects.html",
        path=path,
        branches=places.branches(path, children, where, standings),
        points=reads.rows("points_of_object", place=place, path=list(path)) if has_points else (),
        groups=[one for one in boards.chosen(standings, Choice()) if where.get(one.group_id, ()) == path],
        state_words=_STATE_WORDS,
        resource_words=_RESOURCE_WORDS,
    )
