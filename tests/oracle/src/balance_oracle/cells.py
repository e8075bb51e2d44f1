"""One membership through a day, hour by hour (domain.md §4.1, §4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from balance_oracle.estimates import Sample
from balance_oracle.groups import Membership

NO_MORE = Fraction(0)


@dataclass(frozen=True)
class Cell:
    """One membership in one hour in which it is valid.

    ``value`` is the reading, null when there is none; ``entering`` what enters the sums: the reading, x̂ for
    a member without one, 0 for a supply meter without one. ``touches``: whether a run of ESTIMATED hours it
    is part of touches the first, and the last hour of the day.
    """

    value: int | None
    entering: int
    reported: bool
    reported_for_day: bool
    touches: tuple[bool, bool]
    class_ppm: int
    pulse: int
    starting_flow: int

    def is_heard(self, *, for_day: bool) -> bool:
        return self.reported_for_day if for_day else self.reported


@dataclass(frozen=True)
class Row:
    """One membership through a day: its cells by hour of the day, and what it is estimated by."""

    membership: Membership
    cells: Mapping[int, Cell]
    sample: Sample

    @property
    def weight(self) -> int:
        """w of §4.4."""
        return self.entering(self.cells)

    def hours_of(self, hours: Iterable[int]) -> list[int]:
        """Those of the hours in which it is valid."""
        return [hour for hour in hours if hour in self.cells]

    def missing(self, hours: Iterable[int], *, for_day: bool) -> list[int]:
        """Hours in which it is valid and not reported, in the sense of the hour or the day."""
        return [h for h in self.hours_of(hours) if not self.cells[h].is_heard(for_day=for_day)]

    def entering(self, hours: Iterable[int]) -> int:
        return sum(self.cells[hour].entering for hour in self.hours_of(hours))

    def weighted(self, hours: Iterable[int]) -> int:
        """c · x in millionths of base units."""
        return self.membership.coefficient * self.entering(hours)

    def variance(self, hours: Sequence[int]) -> Fraction:
        """u² of what enters for hours that are not reported."""
        if not hours:
            return Fraction(0)
        if self.sample.rows:
            return self.sample.variance(hours)
        values = (self.cells[hour].value for hour in hours)
        return Fraction(sum(abs(value) for value in values if value is not None)) ** 2

    def greatest(self, hours: Sequence[int]) -> Fraction:
        """What it can have used at most in hours that are not reported."""
        return max(self.sample.most(hours), Fraction(self.entering(hours)), Fraction(0))

    def errors_ppm(self, hours: Iterable[int]) -> int:
        """Σ x·e, in millionths of base units."""
        cells = (self.cells[hour] for hour in self.hours_of(hours))
        return sum(cell.entering * cell.class_ppm for cell in cells)

    def pulse(self, hours: Iterable[int]) -> int:
        return max((self.cells[hour].pulse for hour in self.hours_of(hours)), default=0)
