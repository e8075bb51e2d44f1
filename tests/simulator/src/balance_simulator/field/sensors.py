"""Data loggers: what their sensors measure, on average and at its least and greatest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from balance_simulator.field.demand import Floats
from balance_simulator.field.faults import Fault, windows
from balance_simulator.field.layout import LOGGER, Layout
from balance_simulator.field.plan import FieldPlan, stream_of

HOUR_S = 3600


@dataclass(frozen=True)
class SensorKind:
    """What sensors of a kind see, in the kind's unit: usual value, how far it swings, and what cannot be.

    `weather` sensors follow the outdoor temperature instead. `extremes` says whether it keeps them.
    """

    usual: float
    swing: float
    absurd: float
    extremes: bool
    weather: bool = False


KINDS = {
    "00": SensorKind(103.0, 0.8, 900.0, True),
    "01": SensorKind(21.0, 1.0, 180.0, False),
    "02": SensorKind(0.0, 0.0, -140.0, True, weather=True),
    "03": SensorKind(40.0, 25.0, 60_000.0, True),
    "04": SensorKind(3.0, 2.0, 9_000.0, True),
    "05T": SensorKind(21.0, 1.0, 180.0, False),
    "05H": SensorKind(45.0, 6.0, 250.0, False),
    "06T": SensorKind(12.0, 3.0, -140.0, True),
    "06H": SensorKind(70.0, 12.0, 250.0, True),
    "07": SensorKind(0.5, 0.2, 90_000.0, False),
    "08": SensorKind(0.0, 0.0, 90_000.0, False),
    "CO2": SensorKind(650.0, 180.0, 90_000.0, True),
    "NOISE": SensorKind(45.0, 8.0, 900.0, True),
    "MAINS_VOLTAGE": SensorKind(231.0, 5.0, 4_000.0, True),
    "WATER_PRESSURE": SensorKind(380.0, 40.0, 9_000.0, True),
    "09": SensorKind(0.12, 0.02, 90_000.0, True),
}
"""Kinds of the D100FC by their code, and some of the others."""
PAIRS = (
    ("00", "02"),
    ("03", "04"),
    ("05T", "05H"),
    ("06T", "06H"),
    ("CO2", "NOISE"),
    ("07", "08"),
    ("09", "01"),
    ("MAINS_VOLTAGE", "WATER_PRESSURE"),
)
"""The two sensors of successive loggers, on channels 1 and 2."""


def fitted(layout: Layout) -> dict[int, tuple[str, str]]:
    """Kinds of the sensors on channels 1 and 2 of each logger."""
    loggers = np.flatnonzero(layout.modules.kind == LOGGER).tolist()
    return {module: PAIRS[n % len(PAIRS)] for n, module in enumerate(loggers)}


def usage_point_id(module_id: str, channel: int) -> str:
    """Name of a sensor's usage point."""
    return f"{module_id}/sensor-{channel}"


class Sensors:
    """All sensors of a field."""

    def __init__(self, plan: FieldPlan, layout: Layout) -> None:
        """Fit them."""
        self._seed, self._layout = plan.seed, layout
        self._fitted = fitted(layout)

    def day(
        self, index: int, start_s: int, outdoor: Floats, faults: Sequence[Fault]
    ) -> dict[int, list[dict[str, Any]]]:
        """ChannelMeasurements of a day by module, ARCHIVED."""
        rng = np.random.default_rng(stream_of(self._seed, 6, index))
        return {
            module: [
                self._measured(module, channel, kind, start_s, outdoor, faults, rng)
                for channel, kind in enumerate(kinds, start=1)
            ]
            for module, kinds in self._fitted.items()
        }

    def _measured(
        self,
        module: int,
        channel: int,
        code: str,
        start_s: int,
        outdoor: Floats,
        faults: Sequence[Fault],
        rng: np.random.Generator,
    ) -> dict[str, Any]:
        kind = KINDS[code]
        hours = len(outdoor)
        walk = np.cumsum(rng.normal(0, 0.3, hours)).clip(-1, 1)
        average = outdoor.copy() if kind.weather else np.maximum(kind.usual + kind.swing * walk, 0)
        spread = np.abs(rng.normal(0, 0.2 + kind.swing * 0.2, hours))
        missing: list[int] = []
        for fault, within in windows(faults, start_s, hours):
            if fault.module == module and channel == 1 and fault.kind == "sensor_out_of_range":
                average[within] = kind.absurd
            elif fault.module == module and channel == 1 and fault.kind == "sensor_not_a_number":
                missing = list(range(within.start, within.stop))
                average[within] = 0
        values = np.rint(average * 1000).astype(np.int64)
        wide = np.rint(spread * 1000).astype(np.int64)
        return {
            "module_id": self._layout.modules.ids[module],
            "channel": channel,
            "kind": "ARCHIVED",
            "sensor_kind": code,
            "start_at": start_s * 1000,
            "step_s": HOUR_S,
            "averages": values.tolist(),
            "minima": (values - wide).tolist() if kind.extremes else [],
            "maxima": (values + wide).tolist() if kind.extremes else [],
            "missing": missing,
        }
