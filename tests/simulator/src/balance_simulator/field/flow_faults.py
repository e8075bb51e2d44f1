"""What faults do to the gas and water of a day, before and inside meters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from balance_simulator.field.counting import Floats, Ints, RegisterChange, Registers
from balance_simulator.field.faults import HOUR_S, Fault, windows
from balance_simulator.field.layout import Layout

NOTHING_COUNTED = {"short_circuit", "open_circuit", "no_sensor", "magnet", "stopped", "bypass"}
NIGHT = (22, 6)
REGISTER_KINDS = {"exchange_declared", "exchange_undeclared", "register_reset"}


def leaking(flow: Floats, lost: Floats, faults: Sequence[Fault], start_s: int, layout: Layout) -> None:
    """Add the leaks to what common meters see and to what is lost."""
    for fault, hours in windows(faults, start_s, flow.shape[1]):
        if fault.kind == "leak":
            flow[layout.groups.common[fault.group], hours] += fault.magnitude
            lost[fault.group, hours] += fault.magnitude


def registering(registered: Floats, faults: Sequence[Fault], start_s: int, local_hours: Ints) -> None:
    """Change what meters register."""
    for fault, hours in windows(faults, start_s, registered.shape[1]):
        if fault.kind in NOTHING_COUNTED:
            registered[fault.meter, hours] = 0
        elif fault.kind == "bypass_night":
            night = (local_hours[hours] >= NIGHT[0]) | (local_hours[hours] < NIGHT[1])
            registered[fault.meter, hours] *= ~night
        elif fault.kind == "slow":
            registered[fault.meter, hours] *= fault.magnitude
        elif fault.kind == "stuck":
            registered[fault.meter, hours] = fault.magnitude
        elif fault.kind in ("spike", "surge"):
            registered[fault.meter, hours] += fault.magnitude


def register_changes(
    faults: Sequence[Fault], start_s: int, hours: int, registers: Registers
) -> list[RegisterChange]:
    """Registers set anew in a day. A declared exchange brings a meter of another weight."""
    changes = []
    for fault in faults:
        hour = (fault.start_s - start_s) // HOUR_S
        if fault.kind in REGISTER_KINDS and 0 <= hour < hours:
            weight = int(registers.weight[fault.meter])
            new = new_weight(weight) if fault.kind == "exchange_declared" else weight
            changes.append(RegisterChange(fault.meter, hour, int(fault.magnitude), new))
    return changes


def new_weight(weight: int) -> int:
    """The pulse of the meter that comes after: ten times finer, or a litre's as coarse."""
    return weight // 10 if weight > 1_000 else weight * 10


def wrap_soon(registers: Registers, faults: Sequence[Fault], layout: Layout, days_before: int) -> None:
    """Let registers that are to wrap begin as far before their end as their meter counts until then."""
    for fault in faults:
        if fault.kind == "rollover":
            usual = 3_500_000 if layout.meters.resource[fault.meter] == 0 else 250_000  # base units a day
            ahead = max(3, int(usual * min(2, max(1, days_before)) / 2 / layout.meters.weight[fault.meter]))
            registers.register[fault.meter] = 10 ** int(layout.meters.digits[fault.meter]) - ahead


def clocks(skew_s: Floats, drift_ppm: Floats, faults: Sequence[Fault]) -> tuple[Floats, Floats]:
    """Offsets and drifts of module clocks with those that went wrong."""
    skew, drift = skew_s.copy(), drift_ppm.copy()
    for fault in faults:
        if fault.kind == "clock_drift":
            skew[fault.module] = fault.magnitude
            drift[fault.module] = np.sign(fault.magnitude) * 60
    return skew, drift
