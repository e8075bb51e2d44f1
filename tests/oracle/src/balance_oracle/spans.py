"""Spans longer than a day, and the 24 hours that end with an hour (domain.md §4.8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from balance_oracle.cells import Row
from balance_oracle.days import MeteringDays
from balance_oracle.imbalance import GroupDay
from balance_oracle.settings import HOUR, Settings
from balance_oracle.tolerance import (
    PRECISE,
    class_square,
    clock_square,
    estimate_square,
    expanded_root,
    pulse_square,
    root,
    verdict,
)

MOST = 9 * 10**18
MILLION = 10**6
ROLLING_DAYS = {"7 d": 7, "30 d": 30}

Span = dict[str, Any]
Key = tuple[str, str, int]
"""Group, ``month``, ``7 d``, ``30 d`` or ``24 h``, and when the span begins (month) or ends, in seconds."""


@dataclass(frozen=True)
class Edges:
    """Whether a run of ESTIMATED hours is open where it touches the start, and the end of a day."""

    start: bool
    end: bool

    def open_hours(self, row: Row) -> list[int]:
        """Hours without a value, and ESTIMATED ones whose run touches an edge."""
        return [
            hour
            for hour, cell in row.cells.items()
            if cell.value is None or (self.start and cell.touches[0]) or (self.end and cell.touches[1])
        ]


def all_spans(group_days: Iterable[GroupDay], days: MeteringDays, settings: Settings) -> dict[Key, Span]:
    """Months, rolling days and rolling hours of every group."""
    by_group: dict[str, list[GroupDay]] = defaultdict(list)
    for one in group_days:
        by_group[one.group.group_id].append(one)
    found: dict[Key, Span] = {}
    for group_id, of_group in by_group.items():
        of_group.sort(key=lambda one: one.day)
        months: dict[int, list[GroupDay]] = defaultdict(list)
        for one in of_group:
            months[days.first_of_month(one.day)].append(one)
            for name, length in ROLLING_DAYS.items():
                first = days.shifted(one.day, 1 - length)
                inside = [other for other in of_group if first <= other.day <= one.day]
                found[group_id, name, days.end(one.day)] = span_of_days(inside, days, settings)
        for start, inside in months.items():
            found[group_id, "month", start] = span_of_days(inside, days, settings)
        for end, span in spans_of_hours(of_group, settings).items():
            found[group_id, "24 h", end] = span
    return found


def span_of_days(due: Sequence[GroupDay], days: MeteringDays, settings: Settings) -> Span:
    """Of the group-days there are in a span, in order."""
    there = [one for one in due if one.day_result["coverage"] != "NOT_COMPUTABLE"]
    starts = {one.day for one in there}
    ends = {days.end(one.day) for one in there}
    edges = {one.day: Edges(one.day not in ends, days.end(one.day) not in starts) for one in there}
    nights = [night for one in there if (night := one.night) is not None and night["imbalance"] is not None]
    sums = _sums([one.day_result for one in there], sum(one.members_estimated for one in there))
    span: Span = {"days_due": len(due), "days_computable": len(there), "supply_pulse": _pulse(there)} | sums
    span["night_hours"] = sum(night["hours"] for night in nights) if nights else None
    span["night_imbalance"] = sum(night["imbalance"] for night in nights) if nights else None
    if not there:
        return span | _nothing()
    enough = MILLION * len(there) >= settings.computable_share_ppm * len(due)
    complete = len(there) == len(due) and not any(
        edges[one.day].open_hours(row) for one in there for row in (*one.supply, *one.members)
    )
    width = expanded_root(_uncertainty_of_days(there, edges, settings))
    return span | _judged(span, width, enough, complete, settings)


def _uncertainty_of_days(
    there: Sequence[GroupDay], edges: Mapping[int, Edges], settings: Settings
) -> Decimal:
    """Terms of the days linearly; the pulse, and clocks at the ends, once."""
    pulses = []
    linear: dict[str, list[Fraction]] = defaultdict(list)
    for one in there:
        hours, rows = list(one.hours), (*one.supply, *one.members)
        linear["supply"].append(class_square(one.supply, (), hours, settings))
        linear["members"].append(class_square((), one.members, hours, settings))
        linear["estimates"].append(estimate_square(rows, edges[one.day].open_hours))
        pulses.append(pulse_square(rows, hours))
    first, last = there[0], there[-1]
    change = Fraction(last.flow(len(last.hours) - 1) - first.flow(0))
    once = max(pulses) + clock_square(change, settings)
    with localcontext(PRECISE):
        square = sum((sum(map(root, terms)) ** 2 for terms in linear.values()), Decimal(0))
        return (square + root(once) ** 2).sqrt()


@dataclass(frozen=True)
class SpanHour:
    """What one hour brings into the 24 hours: its result, u without clocks, what is estimated."""

    day: GroupDay
    result: Mapping[str, Any]
    uncertainty: Decimal
    estimated: int


def spans_of_hours(of_group: Sequence[GroupDay], settings: Settings) -> dict[int, Span]:
    """The 24 hours that end with each hour, by when they end."""
    hours = {one.day + hour * HOUR: _span_hour(one, hour) for one in of_group for hour in one.hours}
    return {
        start + HOUR: _span_of_hours([hours.get(start - back * HOUR) for back in range(23, -1, -1)], settings)
        for start in hours
    }


def _span_hour(day: GroupDay, hour: int) -> SpanHour:
    terms = day.terms([hour], for_day=False)
    uncertainty = root(terms.square - terms.clocks)
    return SpanHour(day, day.hour_results[hour], uncertainty, day.estimated([hour], for_day=False))


def _span_of_hours(inside: Sequence[SpanHour | None], settings: Settings) -> Span:
    there = [one for one in inside if one is not None]
    results = [one.result for one in there]
    if len(there) < 24 or any(one["coverage"] == "NOT_COMPUTABLE" for one in results):
        return _nothing()
    span = _sums(results, sum(one.estimated for one in there))
    change = Fraction(results[-1]["supply"] - results[0]["supply"])
    with localcontext(PRECISE):
        linear = sum((one.uncertainty for one in there), Decimal(0))
        u = (linear**2 + root(clock_square(change, settings)) ** 2).sqrt()
    complete = all(one["coverage"] == "COMPLETE" for one in results)
    span["supply_pulse"] = _pulse(dict.fromkeys(one.day for one in there))
    return span | _judged(span, expanded_root(u), True, complete, settings)


def _sums(results: Sequence[Mapping[str, Any]], estimated: int) -> Span:
    names = ("supply", "members", "imbalance", "unregistered")
    if not results:
        return dict.fromkeys((*names, "members_estimated"))
    added = {name: _held(sum(one[name] for one in results)) for name in names}
    return added | {"members_estimated": _held(estimated)}


def _judged(span: Span, width: int, enough: bool, complete: bool, settings: Settings) -> Span:
    part, whole = abs(span["members_estimated"]), abs(span["members"])
    if not enough or part * MILLION > settings.unreliable_share_ppm * whole:
        return {"coverage": "UNRELIABLE", "tolerance": width, "verdict": "UNDECIDED"}
    return {
        "coverage": "COMPLETE" if complete else "ESTIMATED",
        "tolerance": width,
        "verdict": verdict(span["imbalance"], width, span["unregistered"]),
    }


def _nothing() -> Span:
    return {"coverage": "NOT_COMPUTABLE", "tolerance": None, "verdict": "UNDECIDED"}


def _pulse(there: Iterable[GroupDay]) -> int:
    return max((row.pulse(one.hours) for one in there for row in one.supply), default=0)


def _held(number: int) -> int:
    return max(-MOST, min(number, MOST))
