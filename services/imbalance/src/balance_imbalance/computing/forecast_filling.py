"""What a usage point used in the hours of a month that were not reported (docs/domain.md §6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from balance_kernel.quantity import Quality

from balance_imbalance.domain.assembly import DegreeDays
from balance_imbalance.domain.estimate import past_rows
from balance_imbalance.domain.figures import Flags, Ints
from balance_imbalance.domain.forecast_subjects import Subject
from balance_imbalance.domain.rules import PAST_DAYS_USED
from balance_imbalance.domain.samples import Sample
from balance_imbalance.domain.weather import scaled_rows

_VALUED = np.isin(
    np.arange(len(Quality)), [q.code for q in (Quality.VALID, Quality.ESTIMATED, Quality.EDITED)]
)
Reported = tuple[Sequence[int], Sequence[int]]
"""Values and quality codes by hour of a day that is not whole."""


_Key = tuple[int, int, int, int | None]
"""What rows of one usage point depend on: the first and the last day, hours and degree-days of the day."""


@dataclass(frozen=True, slots=True)
class FilledDay:
    """What a day came to; ``is_gap``: it has hours to estimate and nothing to estimate them from."""

    used: int
    read: int
    uncertain: float
    is_gap: bool


@dataclass
class Filling:
    """Fills the days of one usage point. ``complete`` are its whole days, newest first."""

    subject: Subject
    complete: Sequence[tuple[int, Ints]]
    degree_days: DegreeDays
    _samples: dict[_Key, Sample] = field(default_factory=dict)

    def day(self, start: int, earliest: int, hours: int, reported: Reported | None) -> FilledDay:
        """The day that begins at ``start``, from the past since ``earliest`` (seconds)."""
        values, valued = _values(reported, hours)
        read = int(values[valued].sum())
        lacking = self.subject.hours(start, hours) & ~valued
        if not lacking.any():
            return FilledDay(read, read, 0.0, is_gap=False)
        sample = self._sample(start, earliest, hours)
        if sample is None:
            return FilledDay(0, 0, 0.0, is_gap=True)
        uncertain, _ = sample.over(lacking[None, :])
        return FilledDay(read + int(sample.expected[lacking].sum()), read, float(uncertain[0]), is_gap=False)

    def _sample(self, start: int, earliest: int, hours: int) -> Sample | None:
        newest = [(at, day) for at, day in self.complete if earliest <= at < start][:PAST_DAYS_USED]
        if not newest:
            return None
        number = self.subject.number
        that_day = self.degree_days(number, start, hours)
        key = (newest[0][0], newest[-1][0], hours, that_day)
        if key not in self._samples:
            rows = past_rows([day for _, day in newest], hours)
            of_rows = [self.degree_days(number, at, len(day)) for at, day in newest]
            self._samples[key] = Sample(scaled_rows(rows, of_rows, that_day))
        return self._samples[key]


def is_valued(reported: Reported) -> bool:
    """Whether an hour of it has a value."""
    return bool(_VALUED[np.array(reported[1])].any())


def _values(reported: Reported | None, hours: int) -> tuple[Ints, Flags]:
    if reported is None or len(reported[0]) != hours:
        return np.zeros(hours, np.int64), np.zeros(hours, np.bool_)
    return np.array(reported[0], np.int64), _VALUED[np.array(reported[1])]
