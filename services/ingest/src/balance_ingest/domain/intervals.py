"""Hours from intervals, and what is wrong with one by its counts (docs/domain.md §3.1, §3.2, §3.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.join import Bools, Slots


class HourCounts(NamedTuple):
    """By hour of a day: sum of the counts, number of intervals it is made of (0: none), what is wrong with
    them.
    """

    total: Ints
    parts: Ints
    conflict: Bools
    negative: Bools

    @property
    def there(self) -> Bools:
        """Hours that have all intervals of a step."""
        return self.parts > 0

    def values(self, weight: Ints | int, averaged: bool) -> Ints:
        """Values in base units (docs/domain.md §3.1): by pulse weight, or the mean, rounded half up."""
        if averaged:
            parts = np.maximum(self.parts, 1)
            mean: Ints = (2 * self.total + parts) // (2 * parts)
            return mean
        return np.asarray(self.total * weight, np.int64)


def hours_from_intervals(steps: Mapping[int, Slots], hours: int) -> HourCounts:
    """For each hour the finest step all of whose intervals have evidence (docs/domain.md §3.1)."""
    found = HourCounts(
        np.zeros(hours, np.int64), np.zeros(hours, np.int64), np.zeros(hours, bool), np.zeros(hours, bool)
    )
    for step in sorted(steps, reverse=True):
        parts = HOUR_S // step
        revision, low, high = (part.reshape(hours, parts) for part in steps[step])
        whole = (revision >= 0).all(axis=1)
        found.total[whole] = low.sum(axis=1)[whole]
        found.parts[whole] = parts
        found.conflict[whole] = conflicting_duplicate(low, high)[whole]
        found.negative[whole] = negative_counts(low)[whole]
    return found


def conflicting_duplicate(low: Ints, high: Ints) -> Bools:
    """`vee.conflicting_duplicate`: an interval of the hour was reported twice, differently (docs/domain.md
    §3.1).
    """
    return np.asarray((low != high).any(axis=1), bool)


def negative_counts(low: Ints) -> Bools:
    """`vee.negative_consumption` in counts: an interval of the hour is below zero (docs/domain.md §3.2)."""
    return np.asarray((low < 0).any(axis=1), bool)


def high(values: Ints, weight: Ints, q_max: Ints) -> Bools:
    """`vee.high`: an hour's value is above Qmax and one pulse weight (docs/domain.md §3.5). All in base
    units.
    """
    return np.asarray(values > q_max + weight, bool)
