"""Outdoor temperature: season, day, and the anomaly of the weather that persists for days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.plan import FieldPlan, stream_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

MEAN_C, SEASON_C, DAY_C = 10.5, 12.0, 4.0
"""Chisinau: yearly mean, half of the span from January to July, half of a day's span."""
PERSISTENCE, ANOMALY_C = 0.82, 2.4
BUILDING_HOURS = 18.0
"""Time constant with which a building follows the weather."""


class Weather:
    """Hourly temperature of successive days, in °C, and the same as a building feels it."""

    def __init__(self, plan: FieldPlan) -> None:
        """Start the weather of a field."""
        self._rng = np.random.default_rng(stream_of(plan.seed, 2))
        self._anomaly = self._rng.normal(0, ANOMALY_C / np.sqrt(1 - PERSISTENCE**2))
        self._noise = 0.0
        self._felt: float | None = None

    def next_day(self, day_of_year: int, local_hours: Ints) -> tuple[Floats, Floats]:
        """(outdoor, felt) of the hours of the next day; `local_hours` are their hours on the clock."""
        before = self._anomaly
        self._anomaly = PERSISTENCE * before + self._rng.normal(0, ANOMALY_C)
        season = MEAN_C - SEASON_C * np.cos(2 * np.pi * (day_of_year - 20) / 365.25)
        daily = DAY_C * np.cos(2 * np.pi * (local_hours - 15) / 24)
        share = np.linspace(0, 1, len(local_hours), endpoint=False)
        outdoor = season + daily + before + (self._anomaly - before) * share
        felt = np.empty(len(outdoor))
        noises = self._rng.normal(0, 0.3, len(outdoor))
        last = float(outdoor[0]) if self._felt is None else self._felt
        for hour in range(len(outdoor)):
            self._noise = 0.9 * self._noise + noises[hour]
            outdoor[hour] += self._noise
            last += (outdoor[hour] - last) / BUILDING_HOURS
            felt[hour] = last
        self._felt = last
        return outdoor, felt
