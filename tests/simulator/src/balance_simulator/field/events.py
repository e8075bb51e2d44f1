"""What modules tell besides their counts, kept until a concentrator hears them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from balance_simulator.field.conditions import Conditions
from balance_simulator.field.faults import DAY_S, Fault, Faults
from balance_simulator.field.layout import Layout

Event = dict[str, Any]
CONDITIONS = {
    "short_circuit": "SHORT_CIRCUIT",
    "open_circuit": "OPEN_CIRCUIT",
    "no_sensor": "NO_SENSOR",
    "magnet": "MAGNET",
}


class Events:
    """All module events of a field, by module in order of time."""

    def __init__(self, layout: Layout, faults: Faults, conditions: Conditions) -> None:
        """Those of the faults."""
        self._layout, self._conditions = layout, conditions
        self._waiting: dict[int, list[tuple[int, Event]]] = defaultdict(list)
        for fault in faults.every:
            self._of_fault(fault)
        for module, low_s in conditions.low_s.items():
            self._add(module, None, "BATTERY_LOW", "BEGUN", low_s)
        for waiting in self._waiting.values():
            waiting.sort(key=lambda pair: pair[0])

    def of(self, modules: Sequence[int], until_s: int) -> list[Event]:
        """What these modules have to tell when they are heard at an instant; told once."""
        told: list[Event] = []
        if not self._waiting:
            return told
        for module in modules:
            if module in self._waiting:
                waiting = self._waiting[module]
                told += [event for at_s, event in waiting if at_s <= until_s]
                self._waiting[module] = [pair for pair in waiting if pair[0] > until_s]
                if not self._waiting[module]:
                    del self._waiting[module]
        return told

    def _of_fault(self, fault: Fault) -> None:
        if fault.kind in CONDITIONS:
            channel = int(self._layout.meters.channel[fault.meter])
            self._add(fault.module, channel, CONDITIONS[fault.kind], "BEGUN", fault.start_s)
            self._add(fault.module, channel, CONDITIONS[fault.kind], "ENDED", fault.end_s)
        elif fault.kind == "clock_set_back":
            noon = fault.start_s + DAY_S // 2
            self._add(fault.module, None, "CLOCK_SET", "OCCURRED", noon, round(fault.magnitude))
            self._add(fault.module, None, "CLOCK_SET", "OCCURRED", fault.end_s - 1, -round(fault.magnitude))
        elif fault.kind == "register_reset":
            self._add(fault.module, None, "RESTARTED", "OCCURRED", fault.start_s)

    def _add(
        self, module: int, channel: int | None, kind: str, phase: str, at_s: int, value: int | None = None
    ) -> None:
        shown = at_s + self._conditions.clock_offset(module, at_s)
        event = {
            "module_id": self._layout.modules.ids[module],
            "channel": channel,
            "kind": kind,
            "phase": phase,
            "occurred_at": round(shown * 1000),
            "value": value,
            "command_id": None,
        }
        self._waiting[module].append((at_s, event))
