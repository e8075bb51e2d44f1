"""How balance groups stand: a state and a sentence of each, and which to look at first.

A row is one of the statement `group_states`: figures of the 7 metering days that end with the group's newest,
quantities in base units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from balance_gateway.domain.sentences import Amount, Day, Sentence, say

Row = Mapping[str, Any]
_MOSTLY = 0.8
"""Share of a loss from which on an onset is said to be all of it."""


class State(StrEnum):
    """How a group stands, the worst first."""

    LOSING = "losing"
    SURPLUS = "surplus"
    UNRELIABLE = "unreliable"
    NO_DATA = "no-data"
    FINE = "fine"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(State).index(self)

    @property
    def tone(self) -> str:
        """Which colour it has: act (act now), unsure, none (no data), fine."""
        return _TONES[self]


_TONES = {
    State.LOSING: "act",
    State.SURPLUS: "act",
    State.UNRELIABLE: "unsure",
    State.NO_DATA: "none",
    State.FINE: "fine",
}

_OF_VERDICTS = {"LOSS": State.LOSING, "SURPLUS": State.SURPLUS, "WITHIN_TOLERANCE": State.FINE}
_PROBLEMS = {
    "NO_SUPPLY": say("The register names no supply meter"),
    "NO_MEMBER": say("The register names no member"),
    "OVERLAPPING_MEMBERSHIP": say("The register names a usage point twice at a time"),
    "NESTED_CYCLE": say("Nested groups name one another"),
    "UNKNOWN_GROUP": say("A nested group is not on the register"),
}
_PREVENTING = ("NO_SUPPLY", "NO_MEMBER")


@dataclass(frozen=True, slots=True)
class Standing:
    """A group on the board. Shares are of the supply; `per_day` is the mean imbalance a day, base units."""

    group_id: str
    name: str
    resource: str
    unit: str
    state: State
    sentence: Sentence
    notices: Sequence[Sentence]
    per_day: float | None
    share: float | None
    tolerance_share: float | None
    reported: int
    due: int
    since: datetime | None
    newest_day: datetime | None


def standing(row: Row) -> Standing:
    """How a group stands by its row."""
    state = state_of(row)
    tolerance, supply = row["tolerance_7d"], row["supply_7d"]
    return Standing(
        group_id=row["group_id"],
        name=row["name"],
        resource=row["resource"],
        unit=row["unit"],
        state=state,
        sentence=_SENTENCES[state](row),
        notices=_notices(row),
        per_day=per_day(row),
        share=row["relative_imbalance_7d"],
        tolerance_share=tolerance / supply if tolerance is not None and supply and supply > 0 else None,
        reported=row["members_reported"] or 0,
        due=row["members_due"] or 0,
        since=_since(row, state),
        newest_day=row["day_start"],
    )


def state_of(row: Row) -> State:
    """Losing, surplus or fine by the verdict; without one, whether anything is known at all."""
    known = _OF_VERDICTS.get(row["verdict_7d"])
    if known is not None:
        return known
    return State.UNRELIABLE if row["coverage_7d"] == "UNRELIABLE" else State.NO_DATA


def per_day(row: Row) -> float | None:
    """Mean imbalance of the days that are known, base units; None without any."""
    if row["imbalance_7d"] is None or not row["days_known"]:
        return None
    return float(row["imbalance_7d"]) / int(row["days_known"])


def _explains(state: State, side: str | None) -> bool:
    return (state, side) in ((State.LOSING, "RISE"), (State.SURPLUS, "FALL"))


def _since(row: Row, state: State) -> datetime | None:
    """Since when it is so: the onset that explains it, else the first of the days that are all alike."""
    if state not in (State.LOSING, State.SURPLUS):
        return None
    found: datetime | None = (
        row["onset_since_day"] if _explains(state, row["onset_side"]) else row["alike_since"]
    )
    return found


def _losing(row: Row) -> Sentence:
    amount, since = _amount(row), _since(row, State.LOSING)
    if since is None and (row["days_alike"] or 0) > 1:
        return say(
            "Losing %(amount)s a day, on each of the last %(days)s days",
            amount=amount,
            days=row["days_alike"],
        )
    if since is None:
        return say("Losing %(amount)s a day", amount=amount)
    if not _explains(State.LOSING, row["onset_side"]):
        return say("Losing %(amount)s a day, on each day since %(day)s", amount=amount, day=Day(since))
    size = row["onset_size_per_day"]
    if size >= _MOSTLY * amount.value:
        return say("Losing %(amount)s a day since %(day)s", amount=amount, day=Day(since))
    more = Amount(size, row["unit"])
    return say(
        "Losing %(amount)s a day, %(more)s of it since %(day)s", amount=amount, more=more, day=Day(since)
    )


def _surplus(row: Row) -> Sentence:
    amount, since = _amount(row), _since(row, State.SURPLUS)
    if since is None:
        return say("Members count %(amount)s a day more than is supplied", amount=amount)
    return say(
        "Members count %(amount)s a day more than is supplied, since %(day)s", amount=amount, day=Day(since)
    )


def _unreliable(row: Row) -> Sentence:
    if 10 * row["days_known"] < 7 * row["days_due"]:
        return say(
            "Unreliable: the supply meter was heard on %(known)s of %(due)s days",
            known=row["days_known"],
            due=row["days_due"],
        )
    if row["members_reported"] < row["members_due"]:
        return say(
            "Unreliable: %(reported)s of %(due)s members heard",
            reported=row["members_reported"],
            due=row["members_due"],
        )
    return say("Unreliable: too much of the last 7 days is estimated")


def _no_data(row: Row) -> Sentence:
    if row["day_start"] is None:
        return say("No reading of it has come yet")
    for problem in _PREVENTING:
        if problem in row["problems"]:
            return _PROBLEMS[problem]
    return say("Not known: the supply meter is not heard")


def _fine(row: Row) -> Sentence:
    if row["onset_side"] is None:
        return say("Within tolerance")
    amount, since = Amount(abs(row["onset_size_per_day"]), row["unit"]), Day(row["onset_since_day"])
    if row["onset_side"] == "RISE":
        return say(
            "Within tolerance, but %(amount)s a day more than before since %(day)s", amount=amount, day=since
        )
    return say(
        "Within tolerance, but %(amount)s a day less than before since %(day)s", amount=amount, day=since
    )


_SENTENCES: Mapping[State, Callable[[Row], Sentence]] = {
    State.LOSING: _losing,
    State.SURPLUS: _surplus,
    State.UNRELIABLE: _unreliable,
    State.NO_DATA: _no_data,
    State.FINE: _fine,
}


def _notices(row: Row) -> list[Sentence]:
    """What to know besides the sentence: an alarm that stands, faults of the register."""
    found: list[Sentence] = []
    if row["hour_alarm_start_at"] is not None and row["hour_alarm_ended_at"] is None:
        found.append(say("Hourly alarm since %(instant)s", instant=row["hour_alarm_start_at"]))
    return found + [_PROBLEMS[problem] for problem in row["problems"] or () if problem in _PROBLEMS]


def _amount(row: Row) -> Amount:
    return Amount(abs(per_day(row) or 0.0), row["unit"])


Key = Callable[[Standing], tuple[Any, ...]]
ORDERS: Mapping[str, Key] = {
    # Volumes before energies: base units of one are not compared with those of the other.
    "loss": lambda one: (one.state.rank, one.unit != "MILLILITRE", -abs(one.per_day or 0), one.group_id),
    "share": lambda one: (one.share is None, -abs(one.share or 0), one.group_id),
    "coverage": lambda one: (one.reported / one.due if one.due else -1.0, one.group_id),
    "name": lambda one: (one.group_id,),
}
"""What groups can be ordered by; `loss` is by the worst state, then by how much a day."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants to see of a board; empty for all."""

    state: str = ""
    resource: str = ""
    search: str = ""
    order: str = "loss"


def chosen(standings: Iterable[Standing], choice: Choice) -> list[Standing]:
    """Those that are asked for, in the order asked for (by loss when there is no such order)."""
    kept = [one for one in found_by(standings, choice) if not choice.state or one.state == choice.state]
    return sorted(kept, key=ORDERS.get(choice.order, ORDERS["loss"]))


def found_by(standings: Iterable[Standing], choice: Choice) -> list[Standing]:
    """Those of the resource whose id or name has all words that are sought, whatever their state."""
    sought = choice.search.casefold().split()
    return [
        one
        for one in standings
        if choice.resource in ("", one.resource)
        and all(word in f"{one.group_id} {one.name}".casefold() for word in sought)
    ]


def counts(standings: Iterable[Standing]) -> dict[State, int]:
    """How many there are of each state, the worst first."""
    states = [one.state for one in standings]
    return {state: states.count(state) for state in State}
