"""A result as a row of `imbalance.group_days`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from balance_chassis.lanes import RECOMPUTATION
from balance_kernel.calendar import HOUR_S, Calendar

from balance_imbalance.domain.figures import Flags, GroupDay, Hours, Ints, Span, Terms
from balance_imbalance.domain.rules import ALGORITHM_VERSION, Coverage, Rules, Verdict
from balance_imbalance.ports import Result

_SPAN = (
    ("supply", "int8"),
    ("members", "int8"),
    ("imbalance", "int8"),
    ("tolerance", "int8"),
    ("coverage", "int2"),
    ("verdict", "int2"),
    ("members_due", "int4"),
    ("members_reported", "int4"),
    ("missing_share_ppm", "int4"),
    ("unregistered", "int8"),
    ("imbalance_lowest", "int8"),
    ("imbalance_highest", "int8"),
)
_TERMS = (
    "u_supply_class",
    "u_members_class",
    "u_pulse",
    "u_clock",
    "u_estimate",
    "u_estimate_first",
    "u_estimate_inside",
    "u_estimate_last",
)
_LISTS = ("missing", "unmetered", "not_reported", "silent", "gap_from_start", "gap_to_end")
_LAYOUT = (
    ("balance_group", "int4"),
    ("day_start", "timestamptz"),
    ("step_s", "int4"),
    ("month", "date"),
    *_SPAN,
    *((f"hour_{name}", f"{kind}[]") for name, kind in _SPAN),
    ("hour_u", "float8[]"),
    ("hour_members_estimated", "int8[]"),
    *((name, "float8") for name in _TERMS),
    ("supply_first", "int8"),
    ("supply_last", "int8"),
    ("supply_pulse", "int8"),
    ("members_estimated", "int8"),
    ("night_hours", "int2"),
    ("night_supply", "int8"),
    ("night_members", "int8"),
    ("night_imbalance", "int8"),
    ("base_supply", "int8"),
    ("base_members", "int8"),
    ("base_imbalance", "int8"),
    ("base_tolerance", "int8"),
    ("base_verdict", "int2"),
    *((name, "int4[]") for name in _LISTS),
    ("problems", "int2[]"),
    ("clock_s", "int4"),
    ("withdrawn", "bool"),
    ("version", "int8"),
    ("algorithm_version", "int4"),
    ("settings_hash", "text"),
    ("is_recomputation", "bool"),
    ("computed_at", "timestamptz"),
)
COLUMNS = tuple(name for name, _ in _LAYOUT)
TYPES = tuple(kind for _, kind in _LAYOUT)


def to_row_group_day(
    result: Result, rules: Rules, calendar: Calendar, computed_at: datetime
) -> Sequence[Any]:
    """The row of a first version; one without figures is withdrawn: not computable, with nobody due
    (§4.7).
    """
    figures = _withdrawn(result.hours) if result.figures is None else _figures(result.figures)
    return (
        result.due.group,
        result.due.day_start,
        HOUR_S,
        calendar.date_of(result.due.day_start).replace(day=1),
        *figures,
        rules.clock_s,
        result.figures is None,
        1,
        ALGORITHM_VERSION,
        rules.settings_hash,
        result.due.lane == RECOMPUTATION,
        computed_at,
    )


def _figures(given: GroupDay) -> Sequence[Any]:
    terms, night, base, absent = given.terms, given.night, given.base, given.absent
    return (
        *_span(given.day),
        *_hours(given.hours),
        *(_terms(terms) if terms else (None,) * len(_TERMS)),
        *((given.supply_first, given.supply_last) if terms else (None, None)),
        given.supply_pulse,
        given.members_estimated,
        *((night.hours, night.supply, night.members, night.imbalance) if night else (None,) * 4),
        *((base.supply, base.members, base.imbalance, base.tolerance, base.verdict) if base else (None,) * 5),
        list(absent.missing),
        list(absent.unmetered),
        None if absent.not_reported == absent.missing else list(absent.not_reported),
        list(absent.silent),
        list(absent.gap_from_start),
        list(absent.gap_to_end),
        list(given.problems),
    )


def _span(day: Span) -> Sequence[Any]:
    return (
        day.supply,
        day.members,
        day.imbalance,
        day.tolerance,
        day.coverage,
        day.verdict,
        day.members_due,
        day.members_reported,
        day.missing_share_ppm,
        day.unregistered,
        day.imbalance_lowest,
        day.imbalance_highest,
    )


def _hours(hours: Hours) -> Sequence[Any]:
    there, lowest, highest = hours.computable, hours.imbalance_lowest, hours.imbalance_highest
    return (
        _where(there, hours.supply),
        hours.members.tolist(),
        _where(there, hours.imbalance),
        _where(there, hours.tolerance),
        hours.coverage.tolist(),
        hours.verdict.tolist(),
        hours.members_due.tolist(),
        hours.members_reported.tolist(),
        hours.missing_share_ppm.tolist(),
        hours.unregistered.tolist() if hours.unregistered.any() else None,
        None if lowest is None else _where(there, lowest),
        None if highest is None else _where(there, highest),
        hours.uncertain.tolist(),
        None if hours.members_estimated is None else hours.members_estimated.tolist(),
    )


def _terms(terms: Terms) -> Sequence[float]:
    return (
        terms.supply_class,
        terms.members_class,
        terms.pulse,
        terms.clock,
        terms.estimate,
        terms.estimate_first,
        terms.estimate_inside,
        terms.estimate_last,
    )


def _withdrawn(hours: int) -> Sequence[Any]:
    nothing, none = [0] * hours, [None] * hours
    coverage, verdict = int(Coverage.NOT_COMPUTABLE), int(Verdict.UNDECIDED)
    return (
        *(None, 0, None, None, coverage, verdict, 0, 0, 0, 0, None, None),
        *(none, nothing, none, none, [coverage] * hours, [verdict] * hours, nothing, nothing, nothing),
        *(None, None, None, [0.0] * hours, None),
        *(None,) * len(_TERMS),
        *(None, None, 0, 0),
        *(None,) * 9,
        *([], [], None, [], [], [], []),
    )


def _where(there: Flags, values: Ints) -> Sequence[int | None]:
    """Values as a list, None where they are not there."""
    listed: list[int] = values.tolist()
    if there.all():
        return listed
    return [value if flag else None for value, flag in zip(listed, there.tolist(), strict=True)]
