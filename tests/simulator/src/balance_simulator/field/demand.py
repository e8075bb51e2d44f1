"""What homes really use: gas for heat, hot water and cooking, water, and how warm they are.

Heat follows the degrees between the wanted and the felt temperature (degree-days), the rest follows who is
at home. Everything is an array of homes by hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.layout import GAS, WATER, Layout
from balance_simulator.field.plan import FieldPlan, stream_of

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

ML_A_WATT_HOUR = 1e6 / (9_300 * 0.9)
"""Gas for a watt-hour of heat: 9.3 kWh a m³, nine tenths of it used."""
FREE_HEAT_C = 3.5
"""Degrees that people, sun and neighbours bring."""
HOT_WATER_ML, COOKING_ML, WATER_ML = 220_000, 90_000, 120_000
"""Gas for hot water and for cooking, and cold water, per person and day."""
DRIPPING = 0.04
"""Share of homes whose water drips day and night."""
CUT = 0.7
_KEPT = float(np.exp(-CUT))
"""Of exponential draws, what exceeds CUT: half of the hours have none, the mean stays one."""

_PRESENCE = np.array(
    [
        [2, 1, 1, 1, 1, 3, 8, 10, 9, 8, 8, 9, 10, 9, 8, 8, 9, 10, 12, 13, 12, 10, 8, 4],
        [2, 1, 1, 1, 2, 8, 15, 12, 3, 1, 1, 1, 1, 1, 1, 2, 5, 12, 18, 19, 17, 13, 9, 4],
        [8, 5, 3, 1, 1, 1, 2, 3, 4, 6, 9, 12, 12, 10, 8, 6, 4, 3, 3, 4, 6, 9, 11, 10],
        [2, 1, 1, 1, 1, 1, 3, 6, 11, 14, 14, 13, 13, 11, 10, 10, 10, 11, 13, 14, 13, 11, 8, 5],
    ]
)
"""Activity by hour of the clock: at home, at work, on night shift; the last is everybody's weekend."""
PRESENCE = (_PRESENCE / _PRESENCE.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class Used:
    """A day: what flowed through each meter (base units, meters by hours) and the rooms (°C, modules).

    `trickle` is the part of each meter's flow that never stops, base units an hour: pilot lights and drips.
    """

    flow: Floats
    trickle: Floats
    indoor: Array
    outdoor: Floats
    lost: Floats


class Homes:
    """The homes of a field and their habits."""

    def __init__(self, plan: FieldPlan, layout: Layout) -> None:
        """Draw who lives where."""
        rng = np.random.default_rng(stream_of(plan.seed, 3))
        count = len(layout.modules.ids)
        self._plan, self._layout = plan, layout
        self._persons = np.minimum(1 + rng.poisson(1.5, count), 6).astype(np.float32)
        self._habit = rng.integers(0, 3, count)
        self._watts = np.where(
            rng.random(count) < 0.75, rng.lognormal(np.log(75), 0.35, count), 0.0
        ).astype(np.float32)  # fmt: skip
        self.heats_with_gas = self._watts > 0
        self._hot = np.where(rng.random(count) < 0.8, 1.0, 0.0).astype(np.float32)
        self._wanted = rng.normal(20.5, 1.0, count).clip(17, 24).astype(np.float32)
        self._pilot = np.where(rng.random(count) < 0.3, rng.uniform(2_000, 9_000, count), 0).astype(
            np.float32
        )
        self._drip = np.where(rng.random(count) < DRIPPING, rng.uniform(500, 12_000, count), 0)
        self._bias = rng.uniform(-1.5, 1.5, count).astype(np.float32)
        self.away = self._vacancies(rng, count)
        meters = layout.meters
        own = ~meters.common
        self._gas = np.flatnonzero(own & (meters.resource == GAS))
        self._water = np.flatnonzero(own & (meters.resource == WATER))
        members = np.flatnonzero(own & (meters.group >= 0))
        self._members = members[np.argsort(meters.group[members], kind="stable")]
        self._starts = np.searchsorted(meters.group[self._members], np.arange(len(layout.groups.ids)))

    def _vacancies(self, rng: np.random.Generator, count: int) -> Ints:
        """First day away and first day back of one absence per home; both 0 for those who stay."""
        days = self._plan.days
        leave = rng.random(count) < min(0.6, 0.002 * days + 0.01)
        first = rng.integers(0, max(1, days), count)
        until = np.minimum(first + rng.integers(3, 16, count), days)
        return np.where(leave & self._layout.homes(), np.stack([first, until]), 0)

    def day(self, index: int, weekday: int, hours: Ints, outdoor: Floats, felt: Floats) -> Used:
        """What one day uses; `hours` are the hours of the clock."""
        rng = np.random.default_rng(stream_of(self._plan.seed, 4, index))
        here = ~((self.away[0] <= index) & (index < self.away[1]))
        habit = np.where(weekday >= 5, 3, self._habit)
        shape = PRESENCE[:, hours][habit] * (self._persons * here)[:, None]
        size = shape.shape
        bursts = np.maximum(rng.standard_exponential(size, np.float32) - np.float32(CUT), 0)
        bursts *= shape / np.float32(_KEPT)
        cooking = np.maximum(rng.standard_exponential(size, np.float32) - np.float32(CUT), 0)
        cooking *= shape * np.float32(COOKING_ML / _KEPT)
        wanted = np.where(here, self._wanted, np.float32(13.0))
        heat = wanted[:, None] - np.float32(FREE_HEAT_C) - felt.astype(np.float32)[None, :]
        np.maximum(heat, 0, out=heat)
        heat *= rng.uniform(0.75, 1.25, (size[0], 1)).astype(np.float32)
        heat *= (self._watts * np.float32(ML_A_WATT_HOUR))[:, None]
        gas = heat + cooking + bursts * (self._hot * np.float32(HOT_WATER_ML))[:, None]
        pilot = self._pilot * here
        gas += pilot[:, None]
        flow = np.zeros((len(self._layout.meters.ids), size[1]))
        flow[self._gas] = gas[self._layout.meters.module[self._gas]]
        rows = self._layout.meters.module[self._water]
        extra = np.maximum(rng.standard_exponential((len(rows), size[1]), np.float32) - np.float32(CUT), 0)
        flow[self._water] = (bursts[rows] + extra * shape[rows] / np.float32(_KEPT)) * (WATER_ML / 2)
        flow[self._water] += self._drip[rows][:, None]
        trickle = np.zeros(len(flow))
        trickle[self._gas] = pilot[self._layout.meters.module[self._gas]]
        trickle[self._water] = self._drip[rows]
        lost = self._through_common_meters(flow)
        indoor = self._indoor(rng, wanted, felt, size)
        return Used(flow, trickle, indoor, outdoor, lost)

    def _through_common_meters(self, flow: Floats) -> Floats:
        """Fill in the rows of common meters: their members and the standing losses, which are returned."""
        groups = self._layout.groups
        if not len(groups.ids):
            return np.zeros((0, flow.shape[1]))
        sums: Floats = np.add.reduceat(flow[self._members], self._starts, axis=0)
        lost: Floats = groups.standing_loss[:, None] * sums.mean(axis=1, keepdims=True) * np.ones_like(sums)
        flow[groups.common] = sums + lost
        return lost

    def _indoor(self, rng: np.random.Generator, wanted: Array, felt: Floats, size: tuple[int, ...]) -> Array:
        """Rooms are as warm as wanted, warmer in summer, with each module's own bias."""
        indoor = np.maximum(wanted[:, None], (felt * 0.8 + 4.5).astype(np.float32)[None, :])
        indoor += (self._bias + rng.normal(0, 0.3, size[0]).astype(np.float32))[:, None]
        indoor += rng.standard_normal(size, np.float32) * np.float32(0.15)
        return indoor
