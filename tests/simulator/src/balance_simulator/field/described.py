"""The field on the asset register: usage points, groups, modules and concentrators as records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from balance_simulator.field import sensors
from balance_simulator.field.conditions import Conditions
from balance_simulator.field.faults import DAY_S, Faults
from balance_simulator.field.layout import DIRECT_BATTERY, RESOURCES, Layout
from balance_simulator.field.plan import FieldPlan

Record = dict[str, Any]
SINCE_DAYS = 400
"""Everything was fitted so long before the field begins."""


class Register:
    """Records of the field; instants in integer milliseconds, versions left to whoever publishes."""

    def __init__(self, plan: FieldPlan, layout: Layout, conditions: Conditions, faults: Faults) -> None:
        """The field as it is at its start."""
        self._layout, self._conditions, self._faults = layout, conditions, faults
        self._since = (plan.start_s - SINCE_DAYS * DAY_S) * 1000
        self._initial = layout.meters.initial
        self._exchanged: dict[int, Record] = {}

    def start_registers(self, registers: Any) -> None:
        """Take note of the registers at the start of the field."""
        self._initial = registers.copy()

    def exchanged(self, meter: int, at_s: int, final: int, initial: int, weight: int) -> Record:
        """The usage point of a meter that was exchanged, as it stands from now on."""
        self._exchanged[meter] = {"at": at_s * 1000, "final": final, "initial": initial, "weight": weight}
        return self._usage_point(meter)

    def usage_points(self) -> Iterator[Record]:
        """UsagePointDescribed: every meter, every thermometer, every sensor."""
        layout = self._layout
        for meter in range(len(layout.meters.ids)):
            yield self._usage_point(meter)
        for name in layout.modules.ids:
            yield self._thermometer(f"{name}/t", name, 0, "TEMPERATURE", "01")
        for module, kinds in sensors.fitted(layout).items():
            for channel, kind in enumerate(kinds, start=1):
                name = layout.modules.ids[module]
                yield self._thermometer(sensors.usage_point_id(name, channel), name, channel, "SENSOR", kind)

    def groups(self) -> Iterator[Record]:
        """BalanceGroupDescribed."""
        layout = self._layout
        members: Mapping[int, list[int]] = {g: [] for g in range(len(layout.groups.ids))}
        for meter in np.flatnonzero(layout.meters.group >= 0).tolist():
            members[int(layout.meters.group[meter])].append(meter)
        for group, meters in members.items():
            yield {
                "group_id": layout.groups.ids[group],
                "state": "ACTIVE",
                "resource": RESOURCES[layout.groups.resource[group]],
                "name": f"Field {layout.groups.ids[group]}",
                "members": [
                    {
                        "usage_point_id": layout.meters.ids[meter],
                        "role": "SUPPLY" if layout.meters.common[meter] else "MEMBER",
                        "coefficient_ppm": 1_000_000,
                        "valid_from": self._since,
                        "valid_to": None,
                    }
                    for meter in meters
                ],
            }

    def modules(self) -> Iterator[Record]:
        """ModuleDescribed, with the concentrator of each and the batteries."""
        layout = self._layout
        moved = {fault.module: fault for fault in self._faults.of("moved")}
        names = layout.concentrators.ids
        for m, name in enumerate(layout.modules.ids):
            mode, batteries = self._conditions.modes[m], self._conditions.batteries(m)
            since_ms = min([self._since, *(at_s * 1000 for _, at_s in batteries)])
            settings = [self._setting(mode, names[layout.modules.concentrator[m]], since_ms)]
            if m in moved:
                settings.append(self._setting(mode, names[moved[m].other], moved[m].start_s * 1000))
            yield {
                "module_id": name,
                "state": "ACTIVE",
                "settings": settings,
                "batteries": [{"battery_type": kind, "fitted_at": at_s * 1000} for kind, at_s in batteries],
                "firmware": int(layout.modules.firmware[m]),
            }

    def concentrators(self) -> Iterator[Record]:
        """ConcentratorDescribed."""
        part = self._layout.concentrators
        for c, name in enumerate(part.ids):
            battery = [{"battery_type": "ER26500", "fitted_at": self._since + 300 * DAY_S * 1000}]
            yield {
                "concentrator_id": name,
                "state": "ACTIVE",
                "variant": part.variant[c],
                "sim_payer": part.payer[c],
                "object_path": ["Field", f"Concentrator {name}"],
                "settings": [{"valid_from": self._since, "session_plan": part.plan[c]}],
                "batteries": battery if part.variant[c] == DIRECT_BATTERY else [],
            }

    def everything(self) -> dict[str, list[Record]]:
        """All of it by the keys of a fleet file."""
        return {
            "usage_points": list(self.usage_points()),
            "balance_groups": list(self.groups()),
            "modules": list(self.modules()),
            "concentrators": list(self.concentrators()),
        }

    def _setting(self, mode: str, concentrator: str, since_ms: int) -> Record:
        return {"valid_from": since_ms, "packet_mode": mode, "concentrator_id": concentrator}

    def _usage_point(self, meter: int) -> Record:
        meters = self._layout.meters
        name, module = meters.ids[meter], self._layout.modules.ids[meters.module[meter]]
        return {
            "usage_point_id": name,
            "state": "ACTIVE",
            "resource": RESOURCES[meters.resource[meter]],
            "sp_id": f"SP-{meter + 1:07d}",
            "acc_id": f"ACC-{meter + 1:07d}",
            "object_path": ["Field", *name.split("/")[:2]],
            "meters": self._meters(meter),
            "channels": [self._channel(module, int(meters.channel[meter]))],
            "sensor_kind": None,
        }

    def _meters(self, meter: int) -> list[Record]:
        meters, change = self._layout.meters, self._exchanged.get(meter)
        first = {
            "meter_number": f"{meter + 1:08d}",
            "fitted_at": self._since,
            "removed_at": change["at"] if change else None,
            "accuracy_class_ppm": int(meters.class_ppm[meter]),
            "pulse_weight": int(meters.weight[meter]),
            "register_digits": int(meters.digits[meter]),
            "q_max": int(meters.q_max[meter]),
            "initial_register": None,
            "final_register": change["final"] if change else None,
        }
        if not change:
            return [first]
        new = {"fitted_at": change["at"], "removed_at": None, "pulse_weight": change["weight"]}
        registers = {"initial_register": change["initial"], "final_register": None}
        return [first, {**first, "meter_number": f"{meter + 1:08d}-2", **new, **registers}]

    def _thermometer(self, name: str, module: str, channel: int, resource: str, kind: str) -> Record:
        return {
            "usage_point_id": name,
            "state": "ACTIVE",
            "resource": resource,
            "sp_id": None,
            "acc_id": None,
            "object_path": ["Field"],
            "meters": [
                {
                    "meter_number": name,
                    "fitted_at": self._since,
                    "removed_at": None,
                    "accuracy_class_ppm": 1,
                    "pulse_weight": 1,
                    "register_digits": 8,
                    "q_max": 1,
                    "initial_register": None,
                    "final_register": None,
                }
            ],
            "channels": [self._channel(module, channel)],
            "sensor_kind": kind,
        }

    def _channel(self, module: str, channel: int) -> Record:
        return {"module_id": module, "channel": channel, "fitted_at": self._since, "removed_at": None}
