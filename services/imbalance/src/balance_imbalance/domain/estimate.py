"""What a silent member most likely used, and how sure that is (docs/domain.md §4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from balance_imbalance.domain.figures import Flags, Floats, Ints, Side
from balance_imbalance.domain.rules import PAST_DAYS_USED


def half_up(numerators: Ints, denominators: Ints | int) -> Ints:
    """numerators / denominators rounded half up (§1.3), elementwise; denominators > 0."""
    return (2 * numerators + denominators) // (2 * denominators)


def past_days(complete: Sequence[Ints], hours: int) -> Ints:
    """The newest days of a past given newest first, cut to this day's length: (n, hours), n at most seven.

    Hour i is hour min(i, last) of a past day of another length.
    """
    index = np.arange(hours)
    return np.stack([day[np.minimum(index, len(day) - 1)] for day in complete[:PAST_DAYS_USED]])


def with_estimates(members: Side, past: Mapping[int, Ints]) -> tuple[Ints, Floats]:
    """(x, u), both (m, h): value and standard uncertainty of every member in every hour, in base units.

    u is 0 where the member reported. Hours in which a member is not valid hold numbers that mean nothing.
    """
    values = np.where(members.valued, members.values, 0)
    uncertainties = np.where(members.estimated, values, 0).astype(np.float64)
    silent = members.valid & ~members.valued
    if not silent.any():
        return values, uncertainties
    like_homes = _like_homes(values, members.valid & members.reported)
    for row in np.flatnonzero(silent.any(axis=1)):
        own = past.get(int(members.usage_points[row]))
        estimate, uncertainty = (like_homes, like_homes) if own is None else _own_past(own)
        values[row] = np.where(silent[row], estimate, values[row])
        uncertainties[row] = np.where(silent[row], uncertainty, uncertainties[row])
    return values, uncertainties


def _own_past(days: Ints) -> tuple[Ints, Floats]:
    """Mean and sample standard deviation by hour over (n, h) past days; the mean for both when n is 1."""
    count = len(days)
    mean = half_up(days.sum(axis=0), count)
    return mean, days.std(axis=0, ddof=1) if count > 1 else mean.astype(np.float64)


def _like_homes(values: Ints, reported: Flags) -> Ints:
    """Mean by hour of the members that reported, 0 in an hour in which none did."""
    heard = reported.sum(axis=0)
    return np.where(heard > 0, half_up(np.where(reported, values, 0).sum(axis=0), np.maximum(heard, 1)), 0)
