"""A result as a row of `imbalance.group_days`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from balance_kernel.calendar import HOUR_S

from balance_imbalance.domain.figures import Flags, GroupDay, Ints
from balance_imbalance.domain.rules import ALGORITHM_VERSION, Coverage, Rules, Verdict
from balance_imbalance.ports import Result

_LAYOUT = (
    ("balance_group", "int4"),
    ("day_start", "timestamptz"),
    ("step_s", "int4"),
    ("supply", "int8"),
    ("members", "int8"),
    ("imbalance", "int8"),
    ("tolerance", "int8"),
    ("coverage", "int2"),
    ("verdict", "int2"),
    ("members_due", "int4"),
    ("members_reported", "int4"),
    ("missing_share_ppm", "int4"),
    ("hour_supply", "int8[]"),
    ("hour_members", "int8[]"),
    ("hour_imbalance", "int8[]"),
    ("hour_tolerance", "int8[]"),
    ("hour_coverage", "int2[]"),
    ("hour_verdict", "int2[]"),
    ("hour_members_due", "int4[]"),
    ("hour_members_reported", "int4[]"),
    ("hour_missing_share_ppm", "int4[]"),
    ("u_supply_class", "float8"),
    ("u_members_class", "float8"),
    ("u_pulse", "float8"),
    ("u_estimate", "float8"),
    ("supply_pulse", "int8"),
    ("missing", "int4[]"),
    ("withdrawn", "bool"),
    ("version", "int8"),
    ("algorithm_version", "int4"),
    ("settings_hash", "text"),
    ("computed_at", "timestamptz"),
)
COLUMNS = tuple(name for name, _ in _LAYOUT)
TYPES = tuple(kind for _, kind in _LAYOUT)


def to_row_group_day(result: Result, rules: Rules, computed_at: datetime) -> Sequence[Any]:
    """The row of a first version; one without figures is withdrawn: not computable, with nobody due
    (§4.7).
    """
    figures = _withdrawn(result.hours) if result.figures is None else _figures(result.figures)
    return (
        result.due.group,
        result.due.day_start,
        HOUR_S,
        *figures,
        result.figures is None,
        1,
        ALGORITHM_VERSION,
        rules.settings_hash,
        computed_at,
    )


def _figures(given: GroupDay) -> Sequence[Any]:
    day, hours, terms = given.day, given.hours, given.terms
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
        _where(hours.computable, hours.supply),
        hours.members.tolist(),
        _where(hours.computable, hours.imbalance),
        _where(hours.computable, hours.tolerance),
        hours.coverage.tolist(),
        hours.verdict.tolist(),
        hours.members_due.tolist(),
        hours.members_reported.tolist(),
        hours.missing_share_ppm.tolist(),
        *((terms.supply_class, terms.members_class, terms.pulse, terms.estimate) if terms else (None,) * 4),
        given.supply_pulse,
        list(given.missing),
    )


def _withdrawn(hours: int) -> Sequence[Any]:
    nothing, none = [0] * hours, [None] * hours
    coverage, verdict = int(Coverage.NOT_COMPUTABLE), int(Verdict.UNDECIDED)
    return (
        *(None, 0, None, None, coverage, verdict, 0, 0, 0),
        *(none, nothing, none, none, [coverage] * hours, [verdict] * hours, nothing, nothing, nothing),
        *(None, None, None, None),
        0,
        [],
    )


def _where(there: Flags, values: Ints) -> Sequence[int | None]:
    """Values as a list, None where they are not there."""
    listed: list[int] = values.tolist()
    if there.all():
        return listed
    return [value if flag else None for value, flag in zip(listed, there.tolist(), strict=True)]
