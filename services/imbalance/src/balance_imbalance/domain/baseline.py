"""What a group's own days make expected (docs/domain.md §8.1, §8.2)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import copysign, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from balance_imbalance.domain.figures import Floats
from balance_imbalance.domain.onset_rules import OnsetRules

MAD_TO_SIGMA = 1.4826
"""Of a normal distribution, the standard deviation in median absolute deviations."""
MOST_SLOPE = 0.9
"""Where supply changed by the imbalance itself the slope is near 1 and would explain everything away."""
_CLOCK_HOURS = 24


@dataclass(frozen=True)
class WatchedDay:
    """What of a stored group-day takes part: base units; arrays by hour of the day, 23, 24 or 25 of them.

    ``number`` is that of the day in the proleptic calendar (``date.toordinal``), so that days are counted
    without regard to clocks. ``imbalance`` and ``supply`` are None where the day does not count (§8.1);
    ``hour_imbalance`` is NaN where an hour does not.
    """

    number: int
    start_s: int
    supply: float | None
    imbalance: float | None
    u_estimate: float
    hour_imbalance: Floats
    hour_tolerance: Floats
    clock_hours: npt.NDArray[np.int64]
    """Local hour of the clock, 0 to 23, of each hour."""
    u_reading: float = 0.0
    """Standard uncertainty by pulses and clocks."""

    @property
    def counts(self) -> bool:
        """Whether the day counts (§8.1)."""
        return self.supply is not None and self.imbalance is not None

    @cached_property
    def by_clock(self) -> Floats:
        """``hour_imbalance`` in rows of 24 clock hours: a second row where a clock hour comes twice."""
        first = np.full((1, _CLOCK_HOURS), np.nan)
        first[0, self.clock_hours] = self.hour_imbalance
        earlier = np.full((1, _CLOCK_HOURS), np.nan)
        for hour, clock in enumerate(self.clock_hours.tolist()):
            if clock in self.clock_hours[hour + 1 :]:
                earlier[0, clock] = self.hour_imbalance[hour]
        return first if np.isnan(earlier).all() else np.concatenate([first, earlier])


@dataclass(frozen=True, slots=True)
class Baseline:
    """D = ``constant`` + ``slope`` · S within ``spread`` · S, of so many days."""

    constant: float
    slope: float
    spread: float
    days: int

    def residual(self, day: WatchedDay) -> float:
        """D − a − b·S of a day that counts, base units."""
        assert day.imbalance is not None
        assert day.supply is not None
        return day.imbalance - self.constant - self.slope * day.supply

    def score(self, day: WatchedDay, most: float) -> float:
        """z of a day that counts, within ± ``most``."""
        assert day.supply is not None
        residual = self.residual(day)
        # An estimate errs alike for as long as it is needed: what it can explain is no evidence.
        beyond = copysign(max(0.0, abs(residual) - 2 * day.u_estimate), residual)
        scale = max(self.spread * day.supply, day.u_estimate, day.u_reading)
        return max(-most, min(most, beyond / scale))

    def excess(self, day: WatchedDay) -> float:
        """By how much D exceeds what the members' use makes expected: supply grows by it as well (§8.5)."""
        return self.residual(day) / (1 - self.slope)


def rounded(value: float) -> int:
    """Half up (§1.3)."""
    return floor(value + 0.5)


def fit(days: list[WatchedDay], rules: OnsetRules) -> Baseline | None:
    """The baseline of some days that count; None when they are too few."""
    if len(days) < rules.least_days:
        return None
    supply = np.array([day.supply for day in days], np.float64)
    imbalance = np.array([day.imbalance for day in days], np.float64)
    i, j = _pairs(len(days))
    rise, run = imbalance[j] - imbalance[i], supply[j] - supply[i]
    differ = run != 0
    slope = float(np.median(rise[differ] / run[differ])) if differ.any() else 0.0
    slope = max(-MOST_SLOPE, min(MOST_SLOPE, slope))
    constant = float(np.median(imbalance - slope * supply))
    relative = (imbalance - constant - slope * supply) / supply
    spread = MAD_TO_SIGMA * float(np.median(np.abs(relative - np.median(relative))))
    return Baseline(constant, slope, max(spread, rules.least_spread), len(days))


_PAIRS: dict[int, Any] = {}


def _pairs(count: int) -> Any:
    if count not in _PAIRS:
        _PAIRS[count] = np.triu_indices(count, 1)
    return _PAIRS[count]


@dataclass(frozen=True, slots=True)
class HourlyBaseline:
    """By clock hour: what D is expected, NaN where too few hours are known, and the least it varies by."""

    usual: Floats
    spread: Floats


def fit_hours(days: list[WatchedDay], rules: OnsetRules) -> HourlyBaseline:
    """The hourly baseline of the days of a baseline (§8.6)."""
    hours = np.concatenate([day.by_clock for day in days])
    counted = (~np.isnan(hours)).sum(axis=0)
    usual = np.where(counted >= rules.least_hours, _medians(hours), np.nan)
    off = np.abs(hours - usual)
    spread = MAD_TO_SIGMA * np.maximum(_medians(off), _medians(off.reshape(-1, 1))[0])
    return HourlyBaseline(usual, spread)


def _medians(columns: Floats) -> Floats:
    """Median of each column, NaN left out; NaN for a column of nothing else."""
    ordered = np.sort(columns, axis=0)  # NaN come last
    counts = (~np.isnan(columns)).sum(axis=0)
    at = np.arange(columns.shape[1])
    middle: Floats = (ordered[np.maximum(counts - 1, 0) // 2, at] + ordered[counts // 2, at]) / 2
    return np.where(counts > 0, middle, np.nan)
