"""Group days (domain.md §4.1 to §4.6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.estimates import (
    Estimate,
    Readings,
    estimate,
    full_days_before,
    is_reported,
    reported_for_day,
)
from balance_oracle.fittings import UsagePoint
from balance_oracle.groups import MEMBER, SUPPLY, UNITS, Group, Membership
from balance_oracle.settings import HOUR, Settings, half_up
from balance_oracle.tolerance import MILLION, EstimateTerm, MeterTerm, tolerance


@dataclass(frozen=True)
class Cell:
    """One membership in one hour in which it is valid.

    ``value`` is what enters: the reading, or x̂ for a member not reported; null for a silent supply meter.
    """

    reported: bool
    reported_for_day: bool
    value: int | None
    estimate: Estimate | None
    class_ppm: int
    pulse: int

    @property
    def entering(self) -> int:
        return self.value if self.value is not None else 0


class Row:
    """One membership through a day: its cells by hour index."""

    def __init__(self, membership: Membership, cells: Mapping[int, Cell]) -> None:
        self.membership = membership
        self.cells = cells
        self.weight = sum(cell.entering for cell in cells.values())

    def over(self, hours: Sequence[int]) -> list[Cell]:
        return [self.cells[index] for index in hours if index in self.cells]

    def contribution(self, index: int) -> int:
        """c · x of the hour, in millionths of base units; 0 when not valid."""
        cell = self.cells.get(index)
        return self.membership.coefficient * cell.entering if cell is not None else 0

    def meter_term(self, hours: Sequence[int]) -> MeterTerm:
        cells = self.over(hours)
        return MeterTerm(
            sum(cell.entering * cell.class_ppm for cell in cells),
            max((cell.pulse for cell in cells), default=0),
            self.membership.coefficient,
        )


class GroupDay:
    """One group on one metering day."""

    def __init__(
        self,
        group: Group,
        day: int,
        points: Mapping[str, UsagePoint],
        readings: Readings,
        days: MeteringDays,
        settings: Settings,
    ) -> None:
        self._group = group
        self._day = day
        self._points = points
        self._readings = readings
        self._days = days
        self._settings = settings
        self._hours = list(days.hours(day))
        self._heard = [self._heard_of_members(index) for index in range(len(self._hours))]
        rows = [self._row(membership) for membership in group.memberships]
        self._supply = [row for row in rows if row.cells and row.membership.role == SUPPLY]
        self._members = [row for row in rows if row.cells and row.membership.role == MEMBER]

    def figures(self) -> dict[str, Any]:
        """In the shape of GroupDayComputed, without version and history."""
        indices = range(len(self._hours))
        hours = [self._span([index], for_day=False) for index in indices]
        silent = {
            row.membership.usage_point_id
            for row in (*self._supply, *self._members)
            if not all(cell.reported_for_day for cell in row.cells.values())
        }
        return {
            "group_id": self._group.group_id,
            "resource": self._group.resource,
            "unit": UNITS[self._group.resource],
            "day_start_at": self._day * 1000,
            "step_s": HOUR,
            "day": self._span(list(indices), for_day=True),
            "hours": hours,
            "missing_usage_points": sorted(silent),
        }

    def _row(self, membership: Membership) -> Row:
        hours = self._readings.get((membership.usage_point_id, self._day))
        past = full_days_before(self._readings, membership.usage_point_id, self._day, self._days)
        cells = {}
        for index, start in enumerate(self._hours):
            if not membership.valid_at(start):
                continue
            own = hours[index] if hours is not None else None
            point = self._points.get(membership.usage_point_id)
            meter = point.meter_at(start) if point is not None else None
            guess = None
            if membership.role == MEMBER and not is_reported(own):
                guess = estimate(own, past, self._heard[index], index)
            cells[index] = Cell(
                reported=is_reported(own),
                reported_for_day=reported_for_day(hours, index),
                value=guess.value if guess is not None else (own[0] if own is not None else None),
                estimate=guess,
                class_ppm=meter.class_ppm if meter is not None else 0,
                pulse=meter.weight if meter is not None else 0,
            )
        return Row(membership, cells)

    def _heard_of_members(self, index: int) -> list[int]:
        """Values of the members reported in the hour."""
        values = []
        for membership in self._group.memberships:
            hours = self._readings.get((membership.usage_point_id, self._day))
            if membership.role == MEMBER and hours is not None and membership.valid_at(self._hours[index]):
                value = hours[index][0]
                if is_reported(hours[index]) and value is not None:
                    values.append(value)
        return values

    def _span(self, hours: Sequence[int], *, for_day: bool) -> dict[str, Any]:
        """Result of one hour, or of the day as a whole."""
        members, supply = (
            sum(_held(half_up(sum(row.contribution(i) for row in side), MILLION)) for i in hours)
            for side in (self._members, self._supply)
        )
        due = [row for row in self._members if row.over(hours)]
        reported = [row for row in due if all(_heard(cell, for_day) for cell in row.over(hours))]
        share = self._missing_share_ppm(due, hours, for_day=for_day)
        coverage = self._coverage(hours, share, len(reported) == len(due), for_day=for_day)
        span: dict[str, Any] = {
            "supply": None,
            "members": members,
            "imbalance": None,
            "tolerance": None,
            "coverage": coverage,
            "verdict": "UNDECIDED",
            "members_due": len(due),
            "members_reported": len(reported),
            "missing_share_ppm": share,
        }
        if coverage != "NOT_COMPUTABLE":
            width = _held(self._tolerance(hours, for_day=for_day))
            span |= {"supply": supply, "imbalance": supply - members, "tolerance": width}
            if coverage != "UNRELIABLE":
                span["verdict"] = verdict(supply - members, width)
        return span

    def _coverage(self, hours: Sequence[int], share: int, everyone: bool, *, for_day: bool) -> str:
        for index in hours:
            supply = [row.cells[index] for row in self._supply if index in row.cells]
            members = [row for row in self._members if index in row.cells]
            if not supply or not members or not all(_heard(cell, for_day) for cell in supply):
                return "NOT_COMPUTABLE"
        if share > self._settings.unreliable_share_ppm:
            return "UNRELIABLE"
        return "COMPLETE" if everyone else "ESTIMATED"

    def _missing_share_ppm(self, due: Sequence[Row], hours: Sequence[int], *, for_day: bool) -> int:
        """§4.4: the usual consumption the missing stand for, of all."""
        if for_day:
            cells = [cell for row in due for cell in row.over(hours)]
            missing = [cell for cell in cells if not cell.reported_for_day]
            part, whole = sum(cell.entering for cell in missing), sum(row.weight for row in due)
            count, total = len(missing), len(cells)
        else:
            silent = [row for row in due if not all(cell.reported for cell in row.over(hours))]
            part, whole = sum(row.weight for row in silent), sum(row.weight for row in due)
            count, total = len(silent), len(due)
        if whole != 0:
            return half_up(part * MILLION, whole)
        return half_up(count * MILLION, total) if total else 0

    def _tolerance(self, hours: Sequence[int], *, for_day: bool) -> int:
        estimates = [
            EstimateTerm(row.membership.coefficient, variances)
            for row in self._members
            if (variances := _variances(row.over(hours), for_day))
        ]
        return tolerance(
            [row.meter_term(hours) for row in self._supply],
            [row.meter_term(hours) for row in self._members],
            estimates,
            self._settings,
        )


def _held(number: int) -> int:
    """§4.3: sums and tolerances lie within ±10^17."""
    return max(-(10**17), min(number, 10**17))


def _heard(cell: Cell, for_day: bool) -> bool:
    return cell.reported_for_day if for_day else cell.reported


def _variances(cells: Sequence[Cell], for_day: bool) -> list[Fraction]:
    return [
        cell.estimate.variance for cell in cells if cell.estimate is not None and not _heard(cell, for_day)
    ]


def verdict(imbalance: int, width: int) -> str:
    """§4.6, of a group-day that is reliable."""
    if abs(imbalance) <= width:
        return "WITHIN_TOLERANCE"
    return "LOSS" if imbalance > 0 else "SURPLUS"
