"""Fields and values of the register in words of people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from balance_gateway.domain.amending import Amendment, How
from balance_gateway.domain.meters import class_said, dial, form_field, in_units
from balance_gateway.domain.problems import RefusedError
from balance_gateway.entrypoints.desk import locale, rooms
from balance_gateway.entrypoints.pages import words

INSTANTS = ("fitted_at", "removed_at", "valid_from", "valid_to", "start_at", "end_at", "decided_at")
KINDS: Mapping[str, Any] = {
    "usage-point": _l("usage point"),
    "module": _l("radio module"),
    "concentrator": _l("concentrator"),
    "balance-group": _l("balance group"),
    "reading-edit": _l("decision about readings"),
}
ADDRESSES: Mapping[str, str] = {"usage-point": "p", "module": "m", "concentrator": "c", "balance-group": "g"}
WAYS: Mapping[str, Any] = {
    "import": _l("by a file"),
    "form": _l("by a form"),
    "api": _l("by the API"),
    "restore": _l("by restoring"),
}
FIELDS: Mapping[str, Any] = {
    "usage_point_id": _l("usage point"),
    "module_id": _l("module"),
    "concentrator_id": _l("concentrator"),
    "group_id": _l("group"),
    "edit_id": _l("decision"),
    "state": _l("state"),
    "resource": _l("resource"),
    "sp_id": _l("service point (SP_ID)"),
    "acc_id": _l("contract account (ACC_ID)"),
    "object_path": _l("object"),
    "sensor_kind": _l("kind of sensor"),
    "is_outdoor": _l("tells the outdoor temperature"),
    "meter_number": _l("meter number"),
    "fitted_at": _l("fitted"),
    "removed_at": _l("removed"),
    "exchanged_at": _l("exchanged"),
    "accuracy_class_ppm": _l("accuracy class (millionths)"),
    "accuracy_class": _l("accuracy class"),
    "pulse_weight": _l("pulse weight"),
    "register_digits": _l("digits of the register"),
    "q_max": _l("greatest flow"),
    "q_start": _l("starting flow"),
    "initial_register": _l("initial register"),
    "final_register": _l("final register"),
    "is_temperature_compensated": _l("counts at base temperature"),
    "channel": _l("channel"),
    "valid_from": _l("from"),
    "valid_to": _l("until"),
    "packet_mode": _l("packet mode"),
    "session_plan": _l("session plan"),
    "battery_type": _l("battery type"),
    "firmware": _l("firmware"),
    "variant": _l("variant"),
    "sim_payer": _l("payer of the SIM"),
    "name": _l("name"),
    "role": _l("role"),
    "coefficient": _l("coefficient"),
    "action": _l("action"),
    "start_at": _l("from"),
    "end_at": _l("until"),
    "values": _l("values"),
    "reason": _l("reason"),
    "decided_by": _l("decided by"),
    "decided_at": _l("decided"),
}
THINGS: Mapping[str, Any] = {
    "meters": _l("Meter"),
    "channels": _l("Channel"),
    "settings": _l("Setting"),
    "batteries": _l("Battery"),
    "members": _l("Member"),
}
TERMS: Mapping[str, Any] = {
    "ACTIVE": _l("in use"),
    "DELETED": _l("deleted"),
    "STANDING": _l("standing"),
    "WITHDRAWN": _l("withdrawn"),
    "GAS": _l("gas"),
    "WATER": _l("water"),
    "HOT_WATER": _l("hot water"),
    "HEAT": _l("heat"),
    "ELECTRICITY": _l("electricity"),
    "TEMPERATURE": _l("temperature"),
    "SENSOR": _l("sensor"),
    "DAILY": _l("daily"),
    "INTRADAY_60": _l("every hour"),
    "INTRADAY_30": _l("every 30 minutes"),
    "INTRADAY_15": _l("every 15 minutes"),
    "WEEKLY": _l("weekly"),
    "MONTHLY": _l("monthly"),
    "CONTINUOUS": _l("all day"),
    "MAINS": _l("mains"),
    "DIRECT_MAINS": _l("direct input, mains"),
    "DIRECT_BATTERY": _l("direct input, battery"),
    "SOLAR": _l("solar"),
    "BATTERY": _l("battery"),
    "BACKUP": _l("backup cell"),
    "UTILITY": _l("the utility"),
    "CUSTOMER": _l("the customer"),
    "UNSPECIFIED": _l("not known"),
    "SUPPLY": _l("supply meter"),
    "MEMBER": _l("member"),
    "RECEIVED": _l("received"),
    "AWAITED": _l("awaited"),
    "PARTIAL": _l("partial"),
    "MISSING": _l("missing"),
    "INFORMATION": _l("information"),
    "WARNING": _l("warning"),
    "ERROR": _l("error"),
    "LIVE": _l("live"),
    "BACKLOG": _l("backlog"),
}


def instant(milliseconds: int) -> str:
    """An instant of the register by the utility's clocks."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return words.instant(moment, rooms().calendar.zone, locale())


def local(moment: datetime) -> str:
    """An instant by the utility's clocks as a form takes it: 2026-03-12T09:30."""
    return moment.astimezone(ZoneInfo(rooms().calendar.zone)).strftime("%Y-%m-%dT%H:%M")


def term(symbol: str | None) -> str:
    """A symbol of the contract as people say it; one without words as it is."""
    return "" if symbol is None else str(TERMS.get(symbol, symbol))


def field(name: str) -> str:
    """A field as people call it."""
    return str(FIELDS.get(name, name.replace("_", " ")))


def value(name: str | None, found: Any) -> str:
    """A value of a field."""
    if found is None or found == [] or found == "":
        return str(_("nothing"))
    if isinstance(found, bool):
        return str(_("yes") if found else _("no"))
    if isinstance(found, Mapping):
        told = [
            each
            for each in (*FIELDS, *found)
            if found.get(each) not in (None, []) and found.get(each) is not False
        ]
        return ", ".join(f"{field(each)} {value(each, found[each])}" for each in dict.fromkeys(told))
    if isinstance(found, list):
        return " > ".join(map(str, found[:20]))
    if name in INSTANTS and isinstance(found, int):
        return instant(found)
    return str(TERMS[found]) if found in TERMS else str(found)


def amendment(one: Amendment) -> str:
    """`Meter 2 · meter number: 4711 → 4712`."""
    thing = f"{THINGS.get(one.things, field(one.things))} {one.position}" if one.things else ""
    if one.how is How.ADDED:
        return str(_("%(thing)s new: %(value)s", thing=thing, value=value(None, one.after)))
    if one.how is How.REMOVED:
        return str(_("%(thing)s taken away: %(value)s", thing=thing, value=value(None, one.before)))
    at = f"{thing} · {field(one.field or '')}" if thing else field(one.field or "")
    return f"{at}: {value(one.field, one.before)} → {value(one.field, one.after)}"


def address(kind: str, name: str) -> str | None:
    """The page of an entity; None for a kind that has none."""
    letter = ADDRESSES.get(kind)
    return f"/{letter}/{quote(name)}" if letter else None


def field_errors(error: RefusedError, fields: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """What is wrong by field of a form, and what is with none of these, in sentences."""
    by_field: dict[str, str] = {}
    others: list[str] = []
    for problem in error.problems:
        at = form_field(problem)
        if at in fields:
            by_field.setdefault(at, f"{field(at)}: {problem.words}")
        else:
            others.append(str(problem))
    return by_field, others


FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": instant,
    "term": term,
    "field": field,
    "kind": lambda word: KINDS[word],
    "way": lambda word: WAYS.get(word, word),
    "class_of_meter": class_said,
    "in_units": in_units,
    "dial": dial,
}
"""What templates of the register have besides the filters of every page."""
