"""What the days to come of a month will bring, of many subjects at once (docs/domain.md §6.3, §6.4).

Arrays have a row a subject. Quantities are base units, degree-days thousandths of a degree. Sums go over
axes of a fixed length, so that a subject's figures do not depend on the others computed with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from balance_imbalance.domain.figures import Flags, Floats, Ints
from balance_imbalance.domain.rules import MOST_SUM

ALGORITHM_VERSION = 1
"""Raised with every change of the computation that can change a forecast."""

WINDOW_DAYS = 42
MOST_DAYS = 31
"""Days of the longest month."""
DRIFT_HEATING, DRIFT = 0.3, 0.12
"""λ: how far the level of the days to come lies from that of the days before, in variances of a day."""
_HALF_LIFE_DAYS = 14
_LEAST_DAYS = 7
_LEAST_COLD_DAYS = 10
_RECENT_DAYS = 14
_PERSISTENCE = 3.0
"""By how much the variance of a sum of days' temperatures exceeds that of independent days."""


class Method(IntEnum):
    """How the days to come are expected: names are the symbols of the contract, numbers what tables hold."""

    UNSPECIFIED = 0
    MEASURED = 1
    DEGREE_DAYS = 2
    MEAN = 3
    NONE = 4


class Reason(IntEnum):
    """Why there are no figures: names are the symbols of the contract, numbers what tables hold."""

    UNSPECIFIED = 0
    TOO_FEW_DAYS = 1
    WITHDRAWN = 2


@dataclass(frozen=True, slots=True)
class Past:
    """The window, (n, 42), the newest day first: column k is k days before the day a forecast is as of.

    ``totals`` mean nothing where ``whole`` is false; ``degree_days`` are NaN where unknown or where weather
    does not count.
    """

    totals: Floats
    whole: Flags
    degree_days: Floats


@dataclass(frozen=True, slots=True)
class Coming:
    """The days of the month, (n, 31), by date; ``there`` says which are to come.

    ``degree_days`` are NaN where neither they nor those of past years are known; ``variance`` of them is 0
    where they are known, else that of past years.
    """

    there: Flags
    degree_days: Floats
    variance: Floats


@dataclass(frozen=True, slots=True)
class Expected:
    """E and V of the days to come without u_used, (n,) each, and the method by which; NONE: too few days."""

    total: Floats
    variance: Floats
    method: Ints


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """Figures of a month's end in base units, (n,) each."""

    used: Ints
    expected: Ints
    lowest: Ints
    highest: Ints


def expect(past: Past, coming: Coming, drift: Floats) -> Expected:
    """E, V and method of each subject; ``drift`` is λ, (n,)."""
    days = coming.there.sum(axis=1).astype(np.float64)
    mean, mean_variance = _by_mean(past, days, drift)
    line, line_variance, is_clear = _by_degree_days(past, coming, days, drift)
    method = np.where(is_clear, int(Method.DEGREE_DAYS), int(Method.MEAN))
    method = np.where(past.whole.sum(axis=1) < _LEAST_DAYS, int(Method.NONE), method)
    method = np.where(days == 0, int(Method.MEASURED), method)
    figures = np.stack([np.where(is_clear, line, mean), np.where(is_clear, line_variance, mean_variance)])
    total, variance = np.where((method == Method.MEASURED) | (method == Method.NONE), 0.0, figures)
    return Expected(total, variance, method.astype(np.int64))


def month_end(used: Floats, read: Floats, uncertain: Floats, expected: Expected) -> MonthEnd:
    """Used so far, and the month's end with the interval made for 95 % of months.

    ``used`` with what is estimated, ``read`` (K) without, ``uncertain`` (u_used): (n,) each.
    """
    variance = expected.variance + uncertain**2
    width = 2 * np.sqrt(variance)
    coming = expected.total
    above = coming + width
    some = coming > 0
    ratio = np.where(some, np.sqrt(variance) / np.where(some, coming, 1.0), 0.0)
    above = np.maximum(above, coming * np.exp(2 * np.sqrt(np.log1p(ratio**2))))
    lowest = np.maximum(np.minimum(read, used), used + coming - width)
    return MonthEnd(_rounded(used), _rounded(used + coming), _rounded(lowest), _rounded(used + above))


def _weights(days: Flags) -> Floats:
    ages = np.arange(days.shape[1])
    weights: Floats = np.where(days, 2.0 ** (-ages / _HALF_LIFE_DAYS), 0.0)
    return weights


def _by_mean(past: Past, days: Floats, drift: Floats) -> tuple[Floats, Floats]:
    weights = _weights(past.whole)
    weight, effective = _sizes(weights)
    totals = np.where(past.whole, past.totals, 0.0)
    mean = (weights * totals).sum(axis=1) / weight
    squares = (weights * (totals - mean[:, None]) ** 2).sum(axis=1)
    spread = squares / weight * effective / np.maximum(effective - 1, 1e-9)
    total = np.maximum(mean, 0.0) * days
    return total, spread * _days_variance(days, drift, effective)


def _by_degree_days(past: Past, coming: Coming, days: Floats, drift: Floats) -> tuple[Floats, Floats, Flags]:
    """E, V, and whether consumption clearly rises with the cold."""
    cold = past.whole & ~np.isnan(past.degree_days)
    weights = _weights(cold)
    weight, effective = _sizes(weights)
    y = np.where(cold, past.totals, 0.0)
    z = np.where(cold, past.degree_days, 0.0)
    y_mean, z_mean = ((weights * each).sum(axis=1) / weight for each in (y, z))
    z_off = z - z_mean[:, None]
    z_squares = (weights * z_off**2).sum(axis=1)
    differ = np.where(cold, z, -np.inf).max(axis=1) > np.where(cold, z, np.inf).min(axis=1)
    squares = np.where(differ, z_squares, 1.0)
    slope = (weights * z_off * (y - y_mean[:, None])).sum(axis=1) / squares
    residuals = y - y_mean[:, None] - slope[:, None] * z_off
    spread = (weights * residuals**2).sum(axis=1) / weight * effective / np.maximum(effective - 2, 1e-9)
    of_slope = ((weights * z_off) ** 2).sum(axis=1) / squares**2
    is_clear = (cold.sum(axis=1) >= _LEAST_COLD_DAYS) & differ
    is_clear &= (slope > 0) & (slope >= 2 * np.sqrt(spread * of_slope))

    usual, usual_variance = _recent(cold, z)
    unknown = np.isnan(coming.degree_days)
    then = np.where(unknown, usual[:, None], coming.degree_days)
    variance = np.where(unknown, usual_variance[:, None], coming.variance)
    each_day = np.maximum(y_mean[:, None] + slope[:, None] * (then - z_mean[:, None]), 0.0)
    total = np.where(coming.there, each_day, 0.0).sum(axis=1)
    off = np.where(coming.there, then - z_mean[:, None], 0.0).sum(axis=1)
    weather = _PERSISTENCE * slope**2 * np.where(coming.there, variance, 0.0).sum(axis=1)
    return total, spread * (_days_variance(days, drift, effective) + off**2 * of_slope) + weather, is_clear


def _days_variance(days: Floats, drift: Floats, effective: Floats) -> Floats:
    """Variance of a sum of so many days, in variances of a day: theirs, their level's, the mean's."""
    found: Floats = days + days**2 * (drift + 1 / np.maximum(effective, 1e-9))
    return found


def _sizes(weights: Floats) -> tuple[Floats, Floats]:
    """W, at least a trifle, and n_e."""
    weight = np.maximum(weights.sum(axis=1), 1e-9)
    return weight, weight**2 / np.maximum((weights**2).sum(axis=1), 1e-18)


def _recent(cold: Flags, z: Floats) -> tuple[Floats, Floats]:
    """Plain mean of the newest degree-days of the fit, and the variance of all of them."""
    newest = cold & (np.cumsum(cold, axis=1) <= _RECENT_DAYS)
    mean = np.where(newest, z, 0.0).sum(axis=1) / np.maximum(newest.sum(axis=1), 1)
    count = np.maximum(cold.sum(axis=1), 2)
    middle = np.where(cold, z, 0.0).sum(axis=1) / count
    squares = np.where(cold, (z - middle[:, None]) ** 2, 0.0).sum(axis=1)
    return mean, squares / (count - 1)


def _rounded(values: Floats) -> Ints:
    held = np.clip(np.floor(values + 0.5), -MOST_SUM, MOST_SUM)
    return held.astype(np.int64)
