"""A day as the modules have it in memory, and the archives they make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.faults import HOUR_S, Fault
from balance_simulator.field.layout import LOGGER, Ints, Layout

Archive = dict[str, Any]
ARCHIVED, CURRENT = "ARCHIVED", "CURRENT"


@dataclass(frozen=True)
class DayRecord:
    """A day of the modules from `module_low` and the meters from `meter_low` on.

    `pulses` (meters by hours), registers before and after; `milli_c` (modules by hours) are channel 0;
    `measured` the ChannelMeasurements by module; `twists` the faults that change what a module says of it.
    """

    layout: Layout
    index: int
    start_s: int
    hours: int
    pulses: NDArray[np.int32]
    start: Ints
    end: Ints
    milli_c: NDArray[np.int32]
    measured: Mapping[int, list[dict[str, Any]]]
    twists: Mapping[int, Sequence[Fault]]
    module_low: int = 0
    meter_low: int = 0

    @property
    def end_s(self) -> int:
        """End of the day."""
        return self.start_s + self.hours * HOUR_S

    def part(self, modules: Sequence[int]) -> DayRecord:
        """Only what is needed of some neighbouring modules, copied: the fleet's day can be forgotten."""
        low, high = min(modules), max(modules) + 1
        first = self.layout.modules.first
        meter_low = int(first[low])
        meter_high = int(first[high]) if high < len(first) else len(self.layout.meters.ids)
        a, b = low - self.module_low, high - self.module_low
        c, d = meter_low - self.meter_low, meter_high - self.meter_low
        return replace(
            self,
            pulses=self.pulses[c:d].copy(),
            start=self.start[c:d].copy(),
            end=self.end[c:d].copy(),
            milli_c=self.milli_c[a:b].copy(),
            measured={m: self.measured[m] for m in modules if m in self.measured},
            twists={m: self.twists[m] for m in modules if m in self.twists},
            module_low=low,
            meter_low=meter_low,
        )

    def archives(self, modules: Iterable[int]) -> list[Archive]:
        """What modules send of the whole day: channel 0 and each meter, hourly."""
        from_module = self.layout.modules
        ids, firsts, counts = from_module.ids, from_module.first, from_module.meters
        channels = self.layout.meters.channel
        start_ms = self.start_s * 1000
        made: list[Archive] = []
        for m in modules:
            own: list[Archive] = [
                {
                    "module_id": ids[m],
                    "channel": 0,
                    "kind": ARCHIVED,
                    "start_at": start_ms,
                    "step_s": HOUR_S,
                    "values": self.milli_c[m - self.module_low].tolist(),
                    "missing": [],
                    "register_start": None,
                    "register_end": None,
                }
            ]
            first = int(firsts[m])
            for p in range(first, first + int(counts[m])):
                row = p - self.meter_low
                own.append(
                    {
                        "module_id": ids[m],
                        "channel": int(channels[p]),
                        "kind": ARCHIVED,
                        "start_at": start_ms,
                        "step_s": HOUR_S,
                        "values": self.pulses[row].tolist(),
                        "missing": [],
                        "register_start": int(self.start[row]),
                        "register_end": int(self.end[row]),
                    }
                )
            for fault in self.twists.get(m, ()):
                own = twisted(own, fault, self)
            made += own
        return made

    def measurements(self, modules: Iterable[int]) -> list[dict[str, Any]]:
        """What loggers among the modules send of the day."""
        kinds = self.layout.modules.kind
        return [one for m in modules if kinds[m] == LOGGER for one in self.measured.get(m, ())]

    def current(self, module: int, low_s: int, high_s: int, step_s: int) -> list[Archive]:
        """CURRENT archives of the meters of a module for [low_s, high_s) after the day's start."""
        modules, made = self.layout.modules, []
        first = int(modules.first[module])
        per_hour = HOUR_S // step_s
        low, high = low_s // step_s, high_s // step_s
        for p in range(first, first + int(modules.meters[module])):
            row = p - self.meter_low
            fine = split(self.pulses[row], per_hour, p + 31 * self.index)
            turn = 10 ** int(self.layout.meters.digits[p])
            before = int(self.start[row]) + int(fine[:low].sum())
            values = fine[low:high]
            made.append(
                {
                    "module_id": modules.ids[module],
                    "channel": int(self.layout.meters.channel[p]),
                    "kind": CURRENT,
                    "start_at": (self.start_s + low_s) * 1000,
                    "step_s": step_s,
                    "values": values.tolist(),
                    "missing": [],
                    "register_start": before % turn,
                    "register_end": (before + int(values.sum())) % turn,
                }
            )
        return made


def split(pulses: NDArray[np.int32], parts: int, mark: int) -> NDArray[np.int64]:
    """Pulses of hours as those of their parts, unevenly, the sum of each hour kept."""
    if parts == 1:
        return pulses.astype(np.int64)
    rng = np.random.default_rng(mark)
    edges = np.sort(rng.random((len(pulses), parts - 1)), axis=1)
    reached = np.floor(edges * pulses[:, None]).astype(np.int64)
    whole = np.column_stack([np.zeros(len(pulses), np.int64), reached, pulses])
    return np.diff(whole, axis=1).reshape(-1)


def twisted(archives: list[Archive], fault: Fault, record: DayRecord) -> list[Archive]:
    """What a module says of a day under a fault of the module itself."""
    if fault.kind == "hours_from_one":
        return [{**one, "start_at": one["start_at"] + HOUR_S * 1000} for one in archives]
    if fault.kind == "clock_set_back":
        return [_set_back(one, record, round(-fault.magnitude / HOUR_S)) for one in archives]
    if fault.kind == "two_devices" and (record.index - fault.first_day) % 2:
        channel = int(record.layout.meters.channel[fault.meter])
        return [_other_device(one, fault) if one["channel"] == channel else one for one in archives]
    if fault.kind == "unknown_channel":
        return [*archives, {**archives[-1], "channel": 7}]
    if fault.kind == "future_packet":
        later = archives[-1]["start_at"] + round(fault.magnitude) * 1000
        return [*archives, {**archives[-1], "start_at": later}]
    return archives


def _set_back(archive: Archive, record: DayRecord, hours: int) -> Archive:
    """At noon the clock goes back: the hours before are written over, those at the end never come."""
    noon = record.hours // 2
    values = archive["values"]
    shown = [*values[: noon - hours], *values[noon:], *([0] * hours)]
    return {**archive, "values": shown, "missing": list(range(record.hours - hours, record.hours))}


def _other_device(archive: Archive, fault: Fault) -> Archive:
    """The archive of another device under the same key: its own register, and hours at another time."""
    values = archive["values"]
    return {
        **archive,
        "values": [*values[5:], *values[:5]],
        "register_start": archive["register_start"] + round(fault.magnitude),
        "register_end": archive["register_end"] + round(fault.magnitude),
    }
