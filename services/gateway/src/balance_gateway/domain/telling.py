"""How a usage point, a module or a concentrator stands, in a few sentences.

Rows are those of the statements of `sql/register_pages.sql`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from balance_gateway.domain.kinds import Value
from balance_gateway.domain.meters import UNITS, dial
from balance_gateway.domain.sentences import Day, Sentence, say

Row = Mapping[str, Any]
_WEAK_DBM = -105
_REPORTS: Mapping[str, Sentence] = {
    "DAILY": say("Reports daily."),
    "INTRADAY_60": say("Reports every hour."),
    "INTRADAY_30": say("Reports every half hour."),
    "INTRADAY_15": say("Reports every quarter of an hour."),
    "WEEKLY": say("Reports its register weekly."),
    "MONTHLY": say("Reports its register monthly."),
}
_CALLS: Mapping[str, Sentence] = {
    "CONTINUOUS": say("Calls all day."),
    "DAILY": say("Calls daily."),
    "WEEKLY": say("Calls weekly."),
    "MONTHLY": say("Calls monthly."),
}


class Look(StrEnum):
    """What a person is to do about it: the one meaning of a colour."""

    FINE = "fine"
    UNSURE = "unsure"
    ACT = "act"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Told:
    """How something stands."""

    look: Look
    sentences: Sequence[Sentence]


def fitted(spells: Sequence[Value], at: float) -> Value | None:
    """What of these is fitted at an instant, ms since 1970; the last one for all that is to come."""
    return next(
        (s for s in reversed(spells) if s["fitted_at"] <= at and (s["removed_at"] or float("inf")) > at), None
    )


def point_told(
    point: Value,
    now: datetime,
    module: Row | None,
    deliveries: Sequence[Row],
    register: Row | None,
    open_: int,
) -> Told:
    """A usage point, its module as heard, its newest deliveries first, how many findings are open."""
    if point["state"] == "DELETED":
        return Told(Look.NONE, [say("Deleted from the register.")])
    at = now.timestamp() * 1000
    channel = fitted(point["channels"], at)
    if channel is None:
        return Told(Look.NONE, [say("No module counts it: readings are entered by people.")])
    look, sentences = _heard(channel["module_id"], module)
    if look is Look.FINE:
        last = next((row for row in deliveries if row["received_hours"]), None)
        late = any(row["status"] in ("PARTIAL", "MISSING") for row in deliveries[:3])
        look = Look.UNSURE if late or last is None else look
        sentences += list(_last(last))
    sentences += _register(point, fitted(point["meters"], at), register)
    if open_:
        look = Look.UNSURE if look is Look.FINE else look
        sentences.append(say("Findings open: %(number)s.", number=open_))
    return Told(look, sentences)


def module_told(described: Value | None, module: Row | None, name: str) -> Told:
    """A module, described on the register or not, and as it was heard."""
    if described is not None and described["state"] == "DELETED":
        return Told(Look.NONE, [say("Deleted from the register.")])
    look, sentences = _heard(name, module)
    if described is None:
        sentences.append(say("The register does not describe it."))
    if module is None:
        return Told(look, sentences)
    if module["battery_finding"]:
        look = Look.ACT
        sentences.append(say("Change its battery: %(why)s.", why=module["battery_finding"]))
    if module["signal_dbm"] is not None and module["signal_dbm"] < _WEAK_DBM:
        look = Look.UNSURE if look is Look.FINE else look
        sentences.append(say("Its signal is weak: %(dbm)s dBm.", dbm=module["signal_dbm"]))
    return Told(look, sentences)


def concentrator_told(described: Value | None, heard: Row | None) -> Told:
    """A concentrator, described on the register or not, and as it was heard."""
    if described is not None and described["state"] == "DELETED":
        return Told(Look.NONE, [say("Deleted from the register.")])
    sentences: list[Sentence] = []
    if described is None:
        sentences.append(say("The register does not describe it."))
    if heard is None or not (heard["heard_at"] or heard["silent_since"]):
        return Told(Look.NONE, [say("It was never heard."), *sentences])
    look = Look.FINE
    if heard["silent_since"] is not None:
        look = Look.ACT
        silent = say("Silent since %(day)s.", day=Day(heard["silent_since"]))
        sentences = [silent, *_blind(heard), *sentences]
        if heard["probably_unpaid"]:
            sentences.append(say("Probably nobody paid its mobile subscription."))
    else:
        calls = _CALLS.get(heard["session_plan"])
        last = say("Last heard %(day)s.", day=Day(heard["heard_at"]))
        sentences = [*([calls] if calls else []), last, *sentences]
        if heard["backlog_packets"]:
            look = Look.UNSURE
            sentences.append(say("It still holds %(number)s packets.", number=heard["backlog_packets"]))
    if heard["battery_finding"]:
        look = Look.ACT
        sentences.append(say("Change its battery: %(why)s.", why=heard["battery_finding"]))
    return Told(look, sentences)


def _heard(name: str, module: Row | None) -> tuple[Look, list[Sentence]]:
    if module is None or not (module["heard_at"] or module["silent_since"]):
        return Look.NONE, [say("Module %(module)s was never heard.", module=name)]
    if module["silent_since"] is not None:
        since = Day(module["silent_since"])
        return Look.ACT, [
            say("Silent since %(day)s: module %(module)s is not heard.", day=since, module=name)
        ]
    return Look.FINE, [_REPORTS.get(module["packet_mode"], _REPORTS["DAILY"])]


def _last(row: Row | None) -> Iterator[Sentence]:
    if row is None:
        yield say("Nothing came in the days shown below.")
    elif row["expected_hours"]:
        yield say(
            "Last came %(day)s, %(received)s of %(expected)s h.",
            day=Day(row["day_start"]),
            received=row["received_hours"],
            expected=row["expected_hours"],
        )


def _register(point: Value, meter: Value | None, register: Row | None) -> Iterator[Sentence]:
    if register is not None and meter is not None and point["resource"] in UNITS:
        yield say(
            "Register %(register)s %(unit)s.",
            register=dial(register["register"], meter, point["resource"]),
            unit=UNITS[point["resource"]].dial,
        )


def _blind(heard: Row) -> Iterator[Sentence]:
    if heard["blind_usage_points"]:
        yield say("Usage points gone blind: %(number)s.", number=heard["blind_usage_points"])
