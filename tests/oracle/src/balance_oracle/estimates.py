"""What a usage point used that was not heard: sample estimates of rows (domain.md §4.1, §4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from balance_oracle.days import MeteringDays
from balance_oracle.readings import Hour
from balance_oracle.settings import half_up
from balance_oracle.weather import Row

REPORTED = ("VALID", "EDITED")
PAST_SPAN, PAST_DAYS, ENOUGH_DAYS = 28, 14, 4

_T = "12.7062 4.3027 3.1824 2.7764 2.5706 2.4469 2.3646 2.3060 2.2622 2.2281 2.2010 2.1788 2.1604"
T_QUANTILES = {n: Fraction(text) for n, text in enumerate(_T.split(), start=2)}

Readings = Mapping[tuple[str, int], Sequence[Hour]]


def t_quantile(n: int) -> Fraction:
    """Of Student's t with n − 1 degrees of freedom, 95 % two-sided.

    >>> float(t_quantile(2)), float(t_quantile(25))
    (12.7062, 2.06)
    """
    return T_QUANTILES.get(n) or Fraction("1.96") + Fraction("2.4") / (n - 1)


@dataclass(frozen=True)
class Sample:
    """Rows of hourly values like a day of a usage point; without rows it estimates nothing."""

    rows: Sequence[Sequence[Fraction | int]]

    def _column(self, hour: int) -> list[Fraction | int]:
        return [row[min(hour, len(row) - 1)] for row in self.rows]

    def value(self, hour: int) -> int:
        """x̂_h."""
        if not self.rows:
            return 0
        mean = Fraction(sum(self._column(hour)), len(self.rows))
        return half_up(mean.numerator, mean.denominator)

    def _sums(self, hours: Sequence[int]) -> list[Fraction]:
        """Of each row over the hours."""
        columns = [self._column(hour) for hour in hours]
        return [Fraction(sum(parts)) for parts in zip(*columns, strict=True)]

    def variance(self, hours: Sequence[int]) -> Fraction:
        """u², by the sums of the rows over the hours."""
        sums = self._sums(hours)
        n = len(sums)
        if n == 0:
            return Fraction(0)
        if n == 1:
            return Fraction(sum(self.value(hour) for hour in hours)) ** 2
        mean = sum(sums, Fraction(0)) / n
        spread = sum(((one - mean) ** 2 for one in sums), Fraction(0)) / (n - 1)
        return t_quantile(n) ** 2 / 4 * spread * (1 + Fraction(1, n))

    def most(self, hours: Sequence[int]) -> Fraction:
        """The greatest row sum."""
        return max(self._sums(hours), default=Fraction(0))


def is_reported(hour: Hour | None) -> bool:
    """Whether a reading stands for an hour on its own (§4.1)."""
    return hour is not None and hour[1] in REPORTED


def is_valued(hour: Hour | None) -> bool:
    """Whether an hour has a value, be it from a closed gap (§4.1)."""
    return hour is not None and hour[1] in (*REPORTED, "ESTIMATED")


def run_of_estimates(hours: Sequence[Hour], index: int) -> tuple[int, int]:
    """First and last hour of the run of ESTIMATED hours that ``index`` lies in."""
    first = last = index
    while first > 0 and hours[first - 1][1] == "ESTIMATED":
        first -= 1
    while last + 1 < len(hours) and hours[last + 1][1] == "ESTIMATED":
        last += 1
    return first, last


def reported_for_day(hours: Sequence[Hour] | None, index: int) -> bool:
    """Whether hour ``index`` counts as reported for its day: also inside a closed run of ESTIMATED hours."""
    if hours is None:
        return False
    if is_reported(hours[index]):
        return True
    if hours[index][1] != "ESTIMATED":
        return False
    first, last = run_of_estimates(hours, index)
    return first > 0 and last < len(hours) - 1


def full_days_before(
    readings: Readings, usage_point_id: str, day: int, days: MeteringDays
) -> list[tuple[int, Row]]:
    """Days and values of the newest 14 of the 28 days before with every hour VALID or EDITED."""
    found: list[tuple[int, Row]] = []
    for back in range(1, PAST_SPAN + 1):
        before = days.shifted(day, -back)
        hours = readings.get((usage_point_id, before))
        if hours is not None and all(is_reported(hour) for hour in hours) and len(found) < PAST_DAYS:
            found.append((before, [value for value, _ in hours if value is not None]))
    return found
