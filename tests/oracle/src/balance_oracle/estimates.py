"""What a member used that was not heard (domain.md §4.1, §4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from balance_oracle.days import MeteringDays
from balance_oracle.readings import Hour
from balance_oracle.settings import half_up

REPORTED = ("VALID", "EDITED")
PAST_SPAN, PAST_DAYS = 28, 7

Readings = Mapping[tuple[str, int], Sequence[Hour]]


@dataclass(frozen=True)
class Estimate:
    """x̂ in base units and u², the square of its standard uncertainty."""

    value: int
    variance: Fraction

    @classmethod
    def unsure(cls, value: int) -> Estimate:
        """x̂ with u = x̂."""
        return cls(value, Fraction(value) ** 2)


def is_reported(hour: Hour | None) -> bool:
    """Whether a reading stands for an hour on its own (§4.1)."""
    return hour is not None and hour[1] in REPORTED


def reported_for_day(hours: Sequence[Hour] | None, index: int) -> bool:
    """Whether hour ``index`` counts as reported for its day: also inside a closed run of ESTIMATED hours."""
    if hours is None:
        return False
    if is_reported(hours[index]):
        return True
    if hours[index][1] != "ESTIMATED":
        return False
    first = last = index
    while first > 0 and hours[first - 1][1] == "ESTIMATED":
        first -= 1
    while last + 1 < len(hours) and hours[last + 1][1] == "ESTIMATED":
        last += 1
    return first > 0 and last < len(hours) - 1


def full_days_before(
    readings: Readings, usage_point_id: str, day: int, days: MeteringDays
) -> list[list[int]]:
    """Values of the newest seven of the 28 days before with every hour VALID or EDITED."""
    found: list[list[int]] = []
    for back in range(1, PAST_SPAN + 1):
        hours = readings.get((usage_point_id, days.shifted(day, -back)))
        if hours is not None and all(is_reported(hour) for hour in hours) and len(found) < PAST_DAYS:
            found.append([value for value, _ in hours if value is not None])
    return found


def estimate(own: Hour | None, past: Sequence[Sequence[int]], like: Sequence[int], index: int) -> Estimate:
    """§4.2 for one member and hour: from its ESTIMATED reading, its past, the members heard, or nothing."""
    if own is not None and own[1] == "ESTIMATED" and own[0] is not None:
        return Estimate.unsure(own[0])
    if past:
        values = [day[min(index, len(day) - 1)] for day in past]
        mean = half_up(sum(values), len(values))
        return Estimate(mean, sample_variance(values)) if len(values) > 1 else Estimate.unsure(mean)
    if like:
        return Estimate.unsure(half_up(sum(like), len(like)))
    return Estimate(0, Fraction(0))


def sample_variance(values: Sequence[int]) -> Fraction:
    """Σ (x − mean)² / (n − 1)."""
    mean = Fraction(sum(values), len(values))
    return sum(((value - mean) ** 2 for value in values), Fraction(0)) / (len(values) - 1)
