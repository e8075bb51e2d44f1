"""Flow to pulses over a whole fleet: error, starting flow, clock, remainder carried, register that wraps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.layout import Layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HOUR_S = 3600.0


@dataclass(frozen=True)
class RegisterChange:
    """A meter's register set to another number at the start of an hour of the day, by a meter of a weight."""

    meter: int
    hour: int
    register: int
    weight: int


@dataclass(frozen=True)
class Counted:
    """A day's pulses by module hour, and the registers at its start and end. `final` are the registers
    just before each change, in their order.
    """

    pulses: NDArray[np.int32]
    start: Ints
    end: Ints
    amounts: NDArray[np.int64]
    final: list[int]


class Registers:
    """Every meter's register, the remainder below a pulse, and what its module's clock has already seen."""

    def __init__(self, layout: Layout) -> None:
        """All at their initial readings."""
        meters = layout.meters
        self.register = meters.initial.copy()
        self.weight = meters.weight.copy()
        self._turn = 10**meters.digits
        self._rest = np.zeros(len(meters.ids))
        self._edge: Floats | None = None
        self._gain = 1 + meters.error
        self._start_flow = meters.start_flow
        self._module = meters.module
        self._common = np.flatnonzero(meters.common)

    def registered(self, flow: Floats, trickle: Floats) -> Floats:
        """What meters register: with their own error, and nothing of what trickles below the starting flow in
        hours when little else flows.

        What is used in bursts flows faster than that however little it is in an hour. A common meter does not
        turn in hours when all that it sees is less.
        """
        result: Floats = flow * self._gain[:, None]
        slow = np.flatnonzero((trickle > 0) & (trickle < self._start_flow))
        unseen, gain = trickle[slow][:, None], self._gain[slow][:, None]
        still = flow[slow] - unseen < self._start_flow[slow][:, None]
        result[slow] -= unseen * gain * still
        common = self._common
        result[common] *= flow[common] >= self._start_flow[common][:, None]
        return result

    def day(
        self, before: Floats, today: Floats, after: Floats, skew_s: Floats, changes: Sequence[RegisterChange]
    ) -> Counted:
        """Count a day. `before` is the last hour of the day before, `after` the first of the day after.

        A module whose clock is ahead closes its hours early: a share of each lies in the hour before.
        """
        share = np.clip(skew_s[self._module] / HOUR_S, -1, 1)
        ahead, behind = np.maximum(share, 0)[:, None], np.maximum(-share, 0)[:, None]
        amounts = today * (1 - ahead - behind)
        amounts[:, 1:] += ahead * today[:, :-1]
        amounts[:, :-1] += behind * today[:, 1:]
        amounts[:, 0] += ahead[:, 0] * before
        amounts[:, -1] += behind[:, 0] * after
        if self._edge is not None:  # the clock went on drifting: hours begin where the last one ended
            opening = behind[:, 0] * today[:, 0] - ahead[:, 0] * before
            amounts[:, 0] = np.maximum(amounts[:, 0] + opening - self._edge, 0)
        self._edge = behind[:, 0] * after - ahead[:, 0] * today[:, -1]
        return self._count(amounts, changes)

    def _count(self, amounts: Floats, changes: Sequence[RegisterChange]) -> Counted:
        start = self.register.copy()
        reached = np.cumsum(amounts, axis=1)
        reached += self._rest[:, None]
        reached /= self.weight[:, None]
        whole = np.floor(reached).astype(np.int64)
        pulses = np.diff(whole, axis=1, prepend=0).astype(np.int32)
        self._rest = (reached[:, -1] - whole[:, -1]) * self.weight
        self.register = (start + whole[:, -1]) % self._turn
        counted = pulses * self.weight[:, None]
        final = [self._changed(change, amounts, pulses, counted, start) for change in changes]
        return Counted(pulses, start, self.register.copy(), counted, final)

    def _changed(
        self,
        change: RegisterChange,
        amounts: Floats,
        pulses: NDArray[np.int32],
        counted: Ints,
        start: Ints,
    ) -> int:
        """Count the rest of a meter's day from its new register; the register just before the change."""
        row, hour = change.meter, change.hour
        final = int((start[row] + pulses[row, :hour].sum()) % self._turn[row])
        reached = np.cumsum(amounts[row, hour:]) / change.weight
        whole = np.floor(reached).astype(np.int64)
        pulses[row, hour:] = np.diff(whole, prepend=0)
        counted[row, hour:] = pulses[row, hour:] * change.weight
        last = int(whole[-1]) if len(whole) else 0
        self._rest[row] = (float(reached[-1]) - last) * change.weight if len(whole) else 0.0
        self.weight[row] = change.weight
        self.register[row] = (change.register + last) % self._turn[row]
        return final
