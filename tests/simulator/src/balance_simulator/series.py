"""What was consumed by one usage point, as a file or a composition says it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Increments:
    """Amounts of successive intervals: `values[i]` of [start_s + i·step_s, + step_s), epoch seconds.

    Base units (mL, Wh, 0.001 °C), or pulses when `in_pulses`. Where `present` is false the file says nothing.
    """

    usage_point: str
    start_s: int
    step_s: int
    values: Ints
    present: Bools
    in_pulses: bool = False

    @property
    def end_s(self) -> int:
        """End of the last interval."""
        return self.start_s + len(self.values) * self.step_s


@dataclass(frozen=True)
class Registers:
    """Register readings at irregular instants, epoch seconds, in order of time; base units or pulses."""

    usage_point: str
    at_s: Ints
    values: Ints
    in_pulses: bool = False

    @property
    def start_s(self) -> int:
        """Instant of the first reading."""
        return int(self.at_s[0])

    @property
    def end_s(self) -> int:
        """Instant just after the last reading."""
        return int(self.at_s[-1]) + 1


Series = Increments | Registers
