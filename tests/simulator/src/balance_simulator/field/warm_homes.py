"""Homes as their rooms and gas meters tell of them, some of which take a part of their gas past the meter.

The rooms of such a home stay as warm as they were: only what is registered falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.demand import Homes
from balance_simulator.field.faults import HOUR_S
from balance_simulator.field.layout import GAS, lay_out
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.weather import Weather

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class HeatCut:
    """From a day on the meter of a home (its number) registers this share of its gas."""

    home: int
    first_day: int
    share: float


@dataclass(frozen=True)
class WarmDay:
    """A day: registered gas (mL) and rooms (thousandths of a degree), homes by hours; outdoors by hour.

    `supply` is what the common meter of each building registers, buildings by hours; it is never cut.
    """

    index: int
    start_s: int
    gas: Ints
    indoor: Ints
    outdoor: Ints
    supply: Ints


class WarmHomes:
    """The homes with gas of a plan's buildings, day by day."""

    def __init__(self, plan: FieldPlan, cuts: Sequence[HeatCut] = ()) -> None:
        """Lay them out."""
        self.plan, self.cuts = plan, cuts
        self._layout = layout = lay_out(plan)
        self._homes = Homes(plan, layout)
        meters = layout.meters
        gas = (meters.resource == GAS) & (meters.group >= 0)
        self._members = np.flatnonzero(gas & ~meters.common)
        self._modules = meters.module[self._members]
        self._common = layout.groups.common[layout.groups.resource == GAS]
        self.building: Ints = meters.group[self._members]
        """Of each home the number of its building."""
        self.heated: Bools = self._homes.heats_with_gas[self._modules]
        """Which homes heat with gas: the others are warm by other means."""

    def __len__(self) -> int:
        return len(self._members)

    def days(self) -> Iterator[WarmDay]:
        """The days in order, to be gone through once."""
        plan, zone, weather = self.plan, ZoneInfo(self.plan.zone), Weather(self.plan)
        for index in range(plan.days):
            start, end = plan.day_start(index), plan.day_start(index + 1)
            hours = np.array(
                [datetime.fromtimestamp(s, UTC).astimezone(zone).hour for s in range(start, end, HOUR_S)]
            )
            day = plan.day(index)
            outdoor, felt = weather.next_day(day.timetuple().tm_yday, hours)
            used = self._homes.day(index, day.weekday(), hours, outdoor, felt)
            gas = used.flow[self._members]
            for cut in self.cuts:
                if index >= cut.first_day:
                    gas[cut.home] *= cut.share
            yield WarmDay(
                index,
                start,
                np.rint(gas).astype(np.int64),
                (np.rint(used.indoor[self._modules] * 10) * 100).astype(np.int64),
                np.rint(used.outdoor * 1000).astype(np.int64),
                np.rint(used.flow[self._common]).astype(np.int64),
            )
