"""From histories and stored readings to the input of one group-day (docs/domain.md §4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from balance_kernel.calendar import HOUR_S
from balance_kernel.quantity import Quality, Resource, Role

from balance_imbalance.domain.estimate import past_days
from balance_imbalance.domain.figures import GroupDayInput, Ints, Side
from balance_imbalance.domain.register import Membership, Meter, ProblemSpan

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
            (row, meter.fitted_at, meter.removed_at, meter.class_ppm, meter.pulse_weight)
            for row, membership in enumerate(self.memberships)
            for meter in sorted(self.meters.get(membership.usage_point, ()), key=lambda m: m.fitted_at)
        ]
        object.__setattr__(self, "_span", np.array(span, np.int64).reshape(-1, 3))
        object.__setattr__(self, "_fitted", np.array(fitted, np.int64).reshape(-1, 5))

    def side(self, table: ReadingTable, day_start: int, hours: int) -> Side:
        """The memberships valid in an hour of the day, with what was read."""
        starts = day_start + HOUR_S * np.arange(hours)
        valid = (self._span[:, :1] <= starts) & (starts < self._span[:, 1:2])
        there = np.flatnonzero(valid.any(axis=1))
        points = [self.memberships[row].usage_point for row in there.tolist()]
        errors, pulses = self._meters(starts)
        rows = table.find(points, day_start)
        qualities = table.qualities[rows, :hours]
        return Side(
            usage_points=np.array(points, np.int64),
            coefficients=self._span[there, 2],
            valid=valid[there],
            values=table.values[rows, :hours],
            reported=(qualities == Quality.VALID.code) | (qualities == Quality.EDITED.code),
            estimated=qualities == Quality.ESTIMATED.code,
            errors=errors[there],
            pulses=pulses[there],
        )

    def _meters(self, starts: Ints) -> tuple[Ints, Ints]:
        """Class and pulse weight of the meter fitted at each hour's start, (m, h) each; 0 without one."""
        errors = np.zeros((len(self.memberships), len(starts)), np.int64)
        pulses = np.zeros_like(errors)
        fitting, hour = np.nonzero((self._fitted[:, 1:2] <= starts) & (starts < self._fitted[:, 2:3]))
        row = self._fitted[fitting, 0]
        errors[row, hour] = self._fitted[fitting, 3]
        pulses[row, hour] = self._fitted[fitting, 4]
        return errors, pulses


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


CompleteDays = Mapping[int, Sequence[tuple[int, Ints]]]
"""By usage point: start and values of its days with all hours VALID or EDITED, newest first."""


def silent_members(members: Side) -> Sequence[int]:
    """Usage points of members without a value in an hour: those whose own past is asked for (§4.2)."""
    silent = (members.valid & ~members.valued).any(axis=1)
    found: list[int] = np.unique(members.usage_points[silent]).tolist()
    return found


def day_input(
    supply: Side, members: Side, complete: CompleteDays, day_start: int, earliest: int, hours: int
) -> GroupDayInput:
    """The input of a day; its past are the complete days from ``earliest`` up to, not including, the day
    itself.
    """
    past = {}
    for point in silent_members(members):
        days = [values for start, values in complete.get(point, ()) if earliest <= start < day_start]
        if days:
            past[point] = past_days(days, hours)
    return GroupDayInput(hours, supply, members, past)
