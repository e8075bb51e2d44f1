"""How modules and concentrators are: batteries, signals, relay paths, power."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from balance_simulator.field.faults import DAY_S, Fault, Faults
from balance_simulator.field.layout import (
    DIRECT,
    DIRECT_BATTERY,
    HOME,
    INTRADAY_15,
    INTRADAY_30,
    INTRADAY_60,
    MODES,
    SOLAR,
    Floats,
    Layout,
)
from balance_simulator.field.plan import FieldPlan, stream_of

BATTERY_TYPES = ("ER26500", "ER34615")
BATTERY_SIZE = (1.0, 2.0)
LIFE_DAYS = {
    "DAILY": 2_190,
    "INTRADAY_60": 187,
    "INTRADAY_30": 95,
    "INTRADAY_15": 48,
    "WEEKLY": 3_652,
    "MONTHLY": 3_652,
}
"""Of an ER26500 by packet mode (docs/batteries.md); the other by its size, none longer than LONGEST_DAYS."""
LONGEST_DAYS = 3_652
SPARE_S = 120 * DAY_S
"""Batteries that are not to die have so long left after the end."""
FULL_MV, FALL_MV, FALL_DAYS = 3_620, 950, 9.0
"""A lithium cell keeps its voltage and loses it in its last weeks."""
WEAK_DBM = -92
SOLAR_DAYS_ALONE = (5, 7)


def life_s(battery_type: str, mode: str) -> float:
    """Seconds a battery lasts."""
    size = BATTERY_SIZE[BATTERY_TYPES.index(battery_type)]
    return min(LIFE_DAYS[mode] * size, LONGEST_DAYS) * DAY_S


class Conditions:
    """The state of everything at any instant."""

    def __init__(
        self, plan: FieldPlan, layout: Layout, faults: Faults, skew_s: Floats, drift: Floats
    ) -> None:
        """Fit batteries so that only those die that are to."""
        rng = np.random.default_rng(stream_of(plan.seed, 7))
        modules = layout.modules
        count = len(modules.ids)
        self._plan, self._layout, self._skew, self._drift = plan, layout, skew_s, drift
        kinds = rng.choice(2, count, p=[0.9, 0.1])
        self.battery_type = [BATTERY_TYPES[k] for k in kinds.tolist()]
        self.modes = [MODES[m] for m in modules.mode.tolist()]
        lives = np.array([life_s(t, m) for t, m in zip(self.battery_type, self.modes, strict=True)])
        span = plan.end_s - plan.start_s
        aged = rng.uniform(0, 1, count) * np.maximum(lives - span - SPARE_S, 0)
        self.fitted_s = np.rint(plan.start_s - DAY_S - aged)
        dying = faults.of("battery_dead")
        for fault in dying:
            self.fitted_s[fault.module] = fault.start_s - round(lives[fault.module])
        self.lives_s = lives
        self._empty_s = np.maximum(self.fitted_s + lives, plan.end_s + SPARE_S)  # others are renewed in time
        for fault in dying:
            self._empty_s[fault.module] = fault.start_s
        self.low_s = {f.module: f.start_s - int(rng.integers(1, 5)) * DAY_S // 2 for f in dying}
        self._dbm = rng.normal(-80, 8, count).clip(-108, -50)
        fed = (modules.kind == DIRECT) | np.isin(modules.mode, (INTRADAY_60, INTRADAY_30, INTRADAY_15))
        fed[[f.module for f in dying]] = False
        self._fed = fed.tolist()
        self._firmware = [str(f) for f in modules.firmware.tolist()]
        self._relays = self._relay_paths(rng)
        self._solar = {f.concentrator: f for f in faults.of("solar_dark")}
        self._gsm_dbm = rng.normal(-75, 9, len(layout.concentrators.ids)).clip(-99, -50)

    def batteries(self, module: int) -> list[tuple[str, int]]:
        """(type, fitted at) of a module's batteries: one that would not outlast the span is renewed. Modules
        that send by the hour, and inputs of concentrators, are fed from elsewhere unless they are to die.
        """
        if self._fed[module]:
            return []
        fitted, life = int(self.fitted_s[module]), int(self.lives_s[module])
        made = [(self.battery_type[module], fitted)]
        if self._empty_s[module] >= self._plan.end_s:
            while fitted + life < self._plan.end_s + SPARE_S and life > 2 * SPARE_S:
                fitted += life - SPARE_S
                made.append((self.battery_type[module], fitted))
        return made

    def clock_offset(self, module: int, at_s: float) -> float:
        """Seconds a module's clock is ahead."""
        return float(self._skew[module] + self._drift[module] * 1e-6 * (at_s - self._plan.start_s))

    def clock_offsets(self, at_s: float) -> Floats:
        """The same of all modules."""
        offsets: Floats = self._skew + self._drift * 1e-6 * (at_s - self._plan.start_s)
        return offsets

    def states(self, modules: Iterable[int], ahead: float, collected_s: int) -> list[dict[str, Any]]:
        """ModuleStates as a concentrator whose clock is so far ahead heard them from `collected_s` on."""
        ids = self._layout.modules.ids
        made = []
        for m in modules:
            heard_s = collected_s + m * 7 % 180
            left = (self._empty_s[m] - heard_s) / DAY_S
            made.append(
                {
                    "module_id": ids[m],
                    "observed_at": round((heard_s + ahead) * 1000),
                    "module_clock_at": round((heard_s + self.clock_offset(m, heard_s)) * 1000),
                    "battery_mv": None if self._fed[m] else _millivolts(m, left),
                    "signal_dbm": round(self._dbm[m]) - (m + heard_s // DAY_S) % 5,
                    "firmware": self._firmware[m],
                    "packet_mode": self.modes[m],
                    "relay_path": self._relays.get(m, []),
                }
            )
        return made

    def session(self, concentrator: int, at_s: int, backlog: int, oldest_s: int | None) -> dict[str, Any]:
        """SessionState of a concentrator with so many packets left after this one."""
        variant = self._layout.concentrators.variant[concentrator]
        power, supply = "MAINS", 4_150
        if variant == DIRECT_BATTERY:
            power, supply = "BATTERY", 3_600
        elif variant == SOLAR:
            power, supply = "SOLAR", 4_100
            dark = self._solar.get(concentrator)
            if dark and dark.start_s <= at_s < dark.end_s:
                power, supply = "BACKUP", 4_100 - round(130 * (at_s - dark.start_s) / DAY_S)
        return {
            "power": power,
            "supply_mv": supply - concentrator % 30,
            "signal_dbm": round(self._gsm_dbm[concentrator]) - at_s // DAY_S % 4,
            "backlog_packets": backlog,
            "backlog_from_at": None if oldest_s is None else oldest_s * 1000,
        }

    def _relay_paths(self, rng: np.random.Generator) -> dict[int, list[str]]:
        """Modules too weak to be heard directly come by one or two homes of the same concentrator."""
        modules = self._layout.modules
        weak = np.flatnonzero((self._dbm < WEAK_DBM) & (modules.kind == HOME))
        strong = self._dbm >= WEAK_DBM
        paths = {}
        for m in weak.tolist():
            low, high = self._layout.concentrators.modules[modules.concentrator[m] :][:2]
            near = low + np.flatnonzero(strong[low:high] & (modules.kind[low:high] == HOME))
            if len(near):
                chosen = rng.choice(near, min(len(near), 1 + int(self._dbm[m] < WEAK_DBM - 6)), replace=False)
                paths[m] = [modules.ids[c] for c in chosen.tolist()]
        return paths


def _millivolts(module: int, days_left: float) -> int:
    return round(FULL_MV - module % 40 - FALL_MV * math.exp(-max(days_left, 0) / FALL_DAYS))


def silent_from(fault: Fault) -> int:
    """First instant at which a concentrator under a fault cannot call any more."""
    if fault.kind != "solar_dark":
        return fault.start_s
    least, most = SOLAR_DAYS_ALONE
    return fault.start_s + (least + fault.concentrator % (most - least + 1)) * DAY_S
