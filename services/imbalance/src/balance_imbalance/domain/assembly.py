"""From histories and stored readings to the input of one group-day (docs/domain.md §4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
from balance_kernel.calendar import HOUR_S
from balance_kernel.quantity import Quality, Resource, Role

from balance_imbalance.domain.estimate import past_rows
from balance_imbalance.domain.figures import Floats, Ints, Side
from balance_imbalance.domain.register import Membership, Meter, ProblemSpan
from balance_imbalance.domain.rules import PAST_DAYS_USED
from balance_imbalance.domain.weather import scaled_rows

MOST_HOURS = 25


@dataclass(frozen=True, slots=True)
class ReadingTable:
    """Reading days side by side. ``rows`` finds (usage point, day start) among them.

    ``values`` (n, 25) base units and ``qualities`` (n, 25) codes, padded with 0 and MISSING; the last row is
    MISSING throughout and stands for what is not there.
    """

    values: Ints
    qualities: Ints
    rows: Mapping[tuple[int, int], int]

    @classmethod
    def of(cls, days: Sequence[tuple[int, datetime, Sequence[int], Sequence[int] | None]]) -> ReadingTable:
        """A table of (usage point, day start, values, qualities); qualities are None when all are VALID."""
        values = np.zeros((len(days) + 1, MOST_HOURS), np.int64)
        qualities = np.full((len(days) + 1, MOST_HOURS), Quality.MISSING.code, np.int64)
        by_length: dict[int, list[int]] = {}
        for row, day in enumerate(days):
            by_length.setdefault(len(day[2]), []).append(row)
        for hours, rows in by_length.items():
            values[rows, :hours] = np.array([days[row][2] for row in rows], np.int64)
            qualities[rows, :hours] = Quality.VALID.code
        for row, (_, _, _, codes) in enumerate(days):
            if codes is not None:
                qualities[row, : len(codes)] = codes
        keys = {(point, int(start.timestamp())): row for row, (point, start, _, _) in enumerate(days)}
        return cls(values, qualities, keys)

    def find(self, usage_points: Sequence[int], day_start: int) -> Ints:
        """Row of each usage point on that day, (m,); -1, the missing row, where there is none."""
        found = [self.rows.get((point, day_start), -1) for point in usage_points]
        return np.array(found, np.int64)

    def has_reading_day(self, usage_points: Sequence[int], day_start: int) -> bool:
        """Whether one of them has a reading day: a row that is not MISSING throughout (§3)."""
        found = self.find(usage_points, day_start)
        return bool((self.qualities[found] != Quality.MISSING.code).any())


@dataclass(frozen=True)
class RoleHistory:
    """The memberships of one role of a group with the meters of their usage points, as columns."""

    memberships: Sequence[Membership]
    meters: Mapping[int, Sequence[Meter]]
    _span: Ints = field(init=False)
    _fitted: Ints = field(init=False)

    def __post_init__(self) -> None:
        span = [(m.valid_from, m.valid_to, m.coefficient_ppm) for m in self.memberships]
        fitted = [
            (row, m.fitted_at, m.removed_at, m.class_ppm, m.pulse_weight, m.q_start, m.is_compensated)
            for row, membership in enumerate(self.memberships)
            for m in sorted(self.meters.get(membership.usage_point, ()), key=lambda m: m.fitted_at)
        ]
        object.__setattr__(self, "_span", np.array(span, np.int64).reshape(-1, 3))
        object.__setattr__(self, "_fitted", np.array(fitted, np.int64).reshape(-1, 7))

    def side(self, table: ReadingTable, day_start: int, hours: int) -> Side:
        """The memberships valid in an hour of the day, with what was read."""
        starts = day_start + HOUR_S * np.arange(hours)
        valid = (self._span[:, :1] <= starts) & (starts < self._span[:, 1:2])
        there = np.flatnonzero(valid.any(axis=1))
        points = [self.memberships[row].usage_point for row in there.tolist()]
        errors, pulses, flows, compensated = self._meters(starts)[:, there]
        rows = table.find(points, day_start)
        qualities = table.qualities[rows, :hours]
        return Side(
            usage_points=np.array(points, np.int64),
            coefficients=self._span[there, 2],
            valid=valid[there],
            values=table.values[rows, :hours],
            reported=(qualities == Quality.VALID.code) | (qualities == Quality.EDITED.code),
            estimated=qualities == Quality.ESTIMATED.code,
            errors=errors,
            pulses=pulses,
            starts=flows,
            compensated=compensated[:, 0] > 0,
        )

    def _meters(self, starts: Ints) -> Ints:
        """Class, pulse weight, starting flow and compensation of the meter fitted at each hour's start,
        (4, m, h); 0 without one.
        """
        found = np.zeros((4, len(self.memberships), len(starts)), np.int64)
        fitting, hour = np.nonzero((self._fitted[:, 1:2] <= starts) & (starts < self._fitted[:, 2:3]))
        found[:, self._fitted[fitting, 0], hour] = self._fitted[fitting, 3:].T
        return found


@dataclass(frozen=True)
class GroupHistory:
    """All memberships of a group as resolved (§4.0), in the order of the register."""

    supply: RoleHistory
    members: RoleHistory
    resource: Resource = Resource.UNSPECIFIED
    problems: Sequence[ProblemSpan] = ()

    @classmethod
    def of(
        cls,
        memberships: Sequence[Membership],
        meters: Mapping[int, Sequence[Meter]],
        resource: Resource = Resource.UNSPECIFIED,
        problems: Sequence[ProblemSpan] = (),
    ) -> GroupHistory:
        """From the memberships of both roles."""
        supply, members = (
            RoleHistory([m for m in memberships if m.role is role], meters)
            for role in (Role.SUPPLY, Role.MEMBER)
        )
        return cls(supply, members, resource, problems)

    @cached_property
    def begun(self) -> Mapping[int, int]:
        """By usage point, when the first of its memberships of either role began."""
        found: dict[int, int] = {}
        for m in (*self.supply.memberships, *self.members.memberships):
            if m.valid_from < m.valid_to:
                found[m.usage_point] = min(m.valid_from, found.get(m.usage_point, m.valid_from))
        return found


CompleteDays = Mapping[int, Sequence[tuple[int, Ints]]]
"""By usage point: start and values of its days with all hours VALID or EDITED, newest first."""


DegreeDays = Callable[[int, int, int], int | None]
"""Degree-days of (usage point, day start, hours); None where unknown, or where weather does not count."""


def not_reported(side: Side) -> Sequence[int]:
    """Usage points with an hour not REPORTED, ascending: those whose own past is asked for (§4.2)."""
    lacking = side.valid & ~side.reported
    if not lacking.any():
        return []
    found: list[int] = np.unique(side.usage_points[lacking.any(axis=1)]).tolist()
    return found


def never_valued(side: Side) -> Sequence[int]:
    """Usage points without a value all day, ascending: those that may be unmetered (§4.1)."""
    lacking = ~side.valued.any(axis=1)
    found: list[int] = np.unique(side.usage_points[lacking]).tolist()
    return found


def own_past(
    sides: Sequence[Side],
    complete: CompleteDays,
    day_start: int,
    earliest: int,
    hours: int,
    degree_days: DegreeDays = lambda *_: None,
) -> Mapping[int, Floats]:
    """Rows of the past of usage points that did not report every hour, for `GroupDayInput.past`.

    They are the complete days from ``earliest`` up to, not including, the day itself.
    """
    past = {}
    for point in sorted({point for side in sides for point in not_reported(side)}):
        before = [(at, values) for at, values in complete.get(point, ()) if earliest <= at < day_start]
        if not before:
            continue
        newest = before[:PAST_DAYS_USED]
        rows = past_rows([values for _, values in newest], hours)
        of_rows = [degree_days(point, at, len(values)) for at, values in newest]
        past[point] = scaled_rows(rows, of_rows, degree_days(point, day_start, hours))
    return past
