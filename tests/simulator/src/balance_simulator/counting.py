"""Amounts to pulses as meter and module count: whole ones, the remainder carried to the next interval."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from balance_simulator.fleet import Meter, UsagePoint
from balance_simulator.series import Bools, Increments, Ints, Registers


@dataclass(frozen=True)
class Counts:
    """Pulses of successive intervals with the register before and after each (None for a thermometer)."""

    start_s: int
    step_s: int
    pulses: Ints
    present: Bools
    before: Ints | None
    after: Ints | None


def count(series: Increments, point: UsagePoint) -> tuple[Counts, list[tuple[int | None, int | None]]]:
    """Counts of a usage point, and the (initial, final) register of each of its meters.

    A meter exchanged inside an interval counts from the next one on. Intervals the file says nothing about
    count nothing; no register is claimed for a day that has one (`reports`).
    """
    if point.resource == "TEMPERATURE":
        return Counts(series.start_s, series.step_s, series.values, series.present, None, None), [
            (None, None) for _ in point.meters
        ]
    values = np.where(series.present, series.values, 0)
    starts = series.start_s + np.arange(len(values)) * series.step_s
    pulses, before, after = (np.zeros(len(values), np.int64) for _ in range(3))
    pairs: list[tuple[int | None, int | None]] = []
    for index, meter in enumerate(point.meters):
        own = _owned(starts, meter, first=index == 0)
        initial = _initial(meter, point.id)
        total = np.cumsum(values[own])
        reached = total if series.in_pulses else total // meter.pulse_weight
        pulses[own] = np.diff(reached, prepend=0)
        turn = 10**meter.digits
        after[own] = (initial + reached) % turn
        before[own] = (initial + reached - pulses[own]) % turn
        last = int(after[own][-1]) if own.any() else initial
        pairs.append((initial, last if meter.removed_at else None))
    return Counts(series.start_s, series.step_s, pulses, series.present, before, after), pairs


def register_pulses(series: Registers, point: UsagePoint) -> Ints:
    """Registers in pulses, by the weight of the meter fitted at each instant."""
    if series.in_pulses:
        return series.values
    weights = np.array([point.meter_at(int(second)).pulse_weight for second in series.at_s], np.int64)
    return series.values // weights


def _owned(starts: Ints, meter: Meter, *, first: bool) -> Bools:
    """Intervals that begin while the meter is fitted; the first meter also has all before."""
    fitted = -1 if first else meter.fitted_at.timestamp()
    removed = meter.removed_at.timestamp() if meter.removed_at else float("inf")
    owned: Bools = (starts >= fitted) & (starts < removed)
    return owned


def _initial(meter: Meter, usage_point: str) -> int:
    """The given register, else a made-up one that the meter's number alone decides."""
    if meter.initial_register is not None:
        return meter.initial_register
    return zlib.crc32(f"{usage_point}/{meter.number}".encode()) % int(10 ** min(meter.digits, 5))
