"""Group days (domain.md §4.1 to §4.6)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

from balance_oracle.base_conditions import base_volumes
from balance_oracle.cells import Cell, Row
from balance_oracle.estimates import (
    ENOUGH_DAYS,
    Sample,
    is_reported,
    is_valued,
    reported_for_day,
    run_of_estimates,
)
from balance_oracle.groups import MEMBER, SUPPLY, UNITS, Group, Membership
from balance_oracle.known import Known
from balance_oracle.nesting import Problem, problems_on
from balance_oracle.settings import HOUR, half_up
from balance_oracle.tolerance import (
    MILLION,
    Terms,
    class_square,
    clock_square,
    estimate_square,
    expanded,
    held,
    pulse_square,
    verdict,
)

NIGHT = (2, 3)
"""Local hours in which the night's flow is the least."""


class GroupDay:
    """One group on one metering day."""

    def __init__(
        self,
        group: Group,
        day: int,
        memberships: Sequence[Membership],
        register_problems: Sequence[Problem],
        known: Known,
    ) -> None:
        self.group = group
        self.day = day
        self.known = known
        self.memberships = memberships
        self._problems = register_problems
        self._starts = list(known.days.hours(day))
        self.hours = range(len(self._starts))
        self._there = [one for one in memberships if one.valid_in(day, known.days)]
        rows = [self._row(one) for one in self._there]
        self.supply = [row for row in rows if row.membership.role == SUPPLY]
        self.members = [row for row in rows if row.membership.role == MEMBER]

    def figures(self) -> dict[str, Any]:
        """In the shape of GroupDayComputed, without version and history."""
        missing = self.missing_usage_points
        return {
            "group_id": self.group.group_id,
            "resource": self.group.resource,
            "unit": UNITS[self.group.resource],
            "day_start_at": self.day * 1000,
            "step_s": HOUR,
            "day": self.day_result,
            "hours": self.hour_results,
            "missing_usage_points": missing,
            "members_estimated": self.members_estimated,
            "unmetered_usage_points": [one for one in missing if self._is_unmetered(one)],
            "night": self.night,
            "base": self.base,
            "problems": problems_on(self.day, self.memberships, self._problems, self.known.days),
        }

    @cached_property
    def day_result(self) -> dict[str, Any]:
        return self._span(list(self.hours), for_day=True)

    @cached_property
    def hour_results(self) -> list[dict[str, Any]]:
        return [self._span([hour], for_day=False) for hour in self.hours]

    @property
    def missing_usage_points(self) -> list[str]:
        """§4.4."""
        silent = (
            row.membership.usage_point_id
            for row in (*self.supply, *self.members)
            if row.missing(self.hours, for_day=True)
        )
        return sorted(set(silent))

    @property
    def members_estimated(self) -> int:
        """§4.3: what enters for member-hours not reported."""
        return self.estimated(self.hours, for_day=True)

    def estimated(self, hours: Sequence[int], *, for_day: bool) -> int:
        """What enters for member-hours not reported, of the day or an hour."""
        total = sum(row.weighted(row.missing(hours, for_day=for_day)) for row in self.members)
        return held(half_up(total, MILLION))

    @property
    def night(self) -> dict[str, Any] | None:
        """§4.3: sums over the hours of the night."""
        local = [self.known.days.local(start) for start in self._starts]
        spans = [span for span, at in zip(self.hour_results, local, strict=True) if at.hour in NIGHT]
        if not spans:
            return None
        computable = all(span["coverage"] != "NOT_COMPUTABLE" for span in spans)
        return {
            "hours": len(spans),
            "supply": sum(span["supply"] for span in spans) if computable else None,
            "members": sum(span["members"] for span in spans),
            "imbalance": sum(span["imbalance"] for span in spans) if computable else None,
        }

    @property
    def base(self) -> dict[str, Any] | None:
        """§4.5: the day at base conditions."""
        day = self.day_result
        if self.group.resource != "GAS" or day["coverage"] == "NOT_COMPUTABLE":
            return None
        volumes = base_volumes((*self.supply, *self.members), self.hours, self.day, self.known)
        if volumes is None:
            return None
        as_read = self.terms(list(self.hours), for_day=True).square
        width = expanded(as_read + volumes.temperature_square)
        supply, members = (
            held(half_up(one.numerator, one.denominator)) for one in (volumes.supply, volumes.members)
        )
        decided = day["coverage"] != "UNRELIABLE"
        return {
            "supply": supply,
            "members": members,
            "imbalance": supply - members,
            "tolerance": width,
            "verdict": verdict(supply - members, width, day["unregistered"]) if decided else "UNDECIDED",
        }

    def _is_unmetered(self, usage_point_id: str) -> bool:
        first = self.known.silent_since(usage_point_id, self.day)
        return first is not None and any(
            one.valid_from <= first for one in self.memberships if one.usage_point_id == usage_point_id
        )

    def _row(self, membership: Membership) -> Row:
        hours = self.known.readings.get((membership.usage_point_id, self.day))
        silent = hours is None or not all(map(is_reported, hours))
        sample = self._sample(membership) if silent else Sample(())
        point = self.known.points.get(membership.usage_point_id)
        cells = {}
        for hour, start in enumerate(self._starts):
            if not membership.valid_at(start):
                continue
            own = hours[hour] if hours is not None else None
            value = own[0] if own is not None and is_valued(own) else None
            guess = sample.value(hour) if membership.role == MEMBER and value is None else 0
            meter = point.meter_at(start) if point is not None else None
            touches = (False, False)
            if hours is not None and own is not None and own[1] == "ESTIMATED":
                first, last = run_of_estimates(hours, hour)
                touches = first == 0, last == len(hours) - 1
            cells[hour] = Cell(
                value=value,
                entering=guess if value is None else value,
                reported=is_reported(own),
                reported_for_day=reported_for_day(hours, hour),
                touches=touches,
                class_ppm=meter.class_ppm if meter is not None else 0,
                pulse=meter.weight if meter is not None else 0,
                starting_flow=(meter.starting_flow or 0) if meter is not None else 0,
            )
        return Row(membership, cells, sample)

    def _sample(self, membership: Membership) -> Sample:
        """§4.2: own past, other members, less of an own past."""
        known, name = self.known, membership.usage_point_id
        own = known.own_past(name, self.day)
        if len(own) >= ENOUGH_DAYS or membership.role == SUPPLY:
            return Sample(own)
        return Sample(self._other_members(name) or own)

    def _other_members(self, name: str) -> list[list[int]]:
        found = []
        for other in self._there:
            hours = self.known.readings.get((other.usage_point_id, self.day))
            if other.role == MEMBER and other.usage_point_id != name and hours is not None:
                values = [value for value, _ in hours if value is not None]
                if all(is_reported(hour) for hour in hours) and len(values) == len(hours):
                    found.append(values)
        return found

    def _span(self, hours: Sequence[int], *, for_day: bool) -> dict[str, Any]:
        """Result of one hour, or of the day as a whole."""
        due = [row for row in self.members if row.hours_of(hours)]
        reported = [row for row in due if not row.missing(hours, for_day=for_day)]
        share = self._missing_share_ppm(due, hours, for_day=for_day)
        coverage = self._coverage(hours, share, for_day=for_day)
        members = sum(self._sum(self.members, hour) for hour in hours)
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
            "unregistered": self._unregistered(hours),
            "imbalance_lowest": None,
            "imbalance_highest": None,
        }
        if coverage != "NOT_COMPUTABLE":
            supply = sum(self._sum(self.supply, hour) for hour in hours)
            width = expanded(self.terms(hours, for_day=for_day).square)
            lowest, highest = self._bounds(supply - members, hours, for_day=for_day)
            span |= {
                "supply": supply,
                "imbalance": supply - members,
                "tolerance": width,
                "imbalance_lowest": lowest,
                "imbalance_highest": highest,
            }
            if coverage != "UNRELIABLE":
                span["verdict"] = verdict(supply - members, width, span["unregistered"])
        return span

    def _sum(self, rows: Sequence[Row], hour: int) -> int:
        return held(half_up(sum(row.weighted([hour]) for row in rows), MILLION))

    def _coverage(self, hours: Sequence[int], share: int, *, for_day: bool) -> str:
        for hour in hours:
            supply = [row.cells[hour] for row in self.supply if hour in row.cells]
            members = [row for row in self.members if hour in row.cells]
            there = [cell.value is not None if for_day else cell.reported for cell in supply]
            if not supply or not members or not all(there):
                return "NOT_COMPUTABLE"
        if share > self.known.settings.unreliable_share_ppm:
            return "UNRELIABLE"
        silent = any(row.missing(hours, for_day=for_day) for row in (*self.supply, *self.members))
        return "ESTIMATED" if silent else "COMPLETE"

    def _missing_share_ppm(self, due: Sequence[Row], hours: Sequence[int], *, for_day: bool) -> int:
        """§4.4: the usual consumption the missing stand for, of all."""
        whole = sum(row.weight for row in due)
        if for_day:
            part = sum(row.entering(row.missing(hours, for_day=True)) for row in due)
            count = sum(len(row.missing(hours, for_day=True)) for row in due)
            total = sum(len(row.hours_of(hours)) for row in due)
        else:
            silent = [row for row in due if row.missing(hours, for_day=False)]
            part, count, total = sum(row.weight for row in silent), len(silent), len(due)
        if whole != 0:
            return half_up(part * MILLION, whole)
        return half_up(count * MILLION, total) if total else 0

    def _bounds(self, imbalance: int, hours: Sequence[int], *, for_day: bool) -> tuple[int, int]:
        """§4.3: the imbalance had the missing used the most, and nothing."""
        lowest = highest = Fraction(0)
        for row in self.members:
            missing = row.missing(hours, for_day=for_day)
            if missing:
                stands = row.weighted(missing)
                at_most = row.membership.coefficient * row.greatest(missing)
                lowest += stands - max(at_most, Fraction(0))
                highest += stands - min(at_most, Fraction(0))
        least, most = (half_up(one.numerator, one.denominator * MILLION) for one in (lowest, highest))
        return held(imbalance + least), held(imbalance + most)

    def _unregistered(self, hours: Sequence[int]) -> int:
        """§4.5: what the meters of members may have passed below their starting flow."""
        total = 0
        for row in self.members:
            for hour in row.hours_of(hours):
                cell = row.cells[hour]
                if cell.reported and cell.entering >= 0:
                    total += abs(row.membership.coefficient) * max(0, cell.starting_flow - cell.entering)
        share = self.known.settings.idle_share * total / MILLION
        return held(half_up(share.numerator, share.denominator))

    def terms(self, hours: Sequence[int], *, for_day: bool) -> Terms:
        """§4.5: what the tolerance of an hour, or of the day, consists of."""
        rows, settings = (*self.supply, *self.members), self.known.settings
        return Terms(
            class_square(self.supply, self.members, hours, settings),
            pulse_square(rows, hours),
            clock_square(self._change(hours), settings),
            estimate_square(rows, lambda row: row.missing(hours, for_day=for_day)),
        )

    def flow(self, hour: int) -> int:
        """S_h of §4.5; beyond the day the nearest hour of it stands."""
        return self._sum(self.supply, max(0, min(hour, len(self.hours) - 1)))

    def _change(self, hours: Sequence[int]) -> Fraction:
        if len(hours) == 1:
            return Fraction(self.flow(hours[0] + 1) - self.flow(hours[0] - 1), 2)
        return Fraction(self.flow(hours[-1]) - self.flow(hours[0]))
