"""A field with every fault, played once for all tests that only look at it."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pytest
from balance_simulator.field import truth_folder
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.stream import DayTruth, Field

Packet = dict[str, Any]


@dataclass
class Played:
    """Everything that came out of a field."""

    field: Field
    packets: list[Packet]
    truths: list[DayTruth]
    changed: list[dict[str, Any]]

    def label(self, kind: str) -> dict[str, Any]:
        """The first label of a kind."""
        return next(one for one in truth_folder.labels(self.field) if one["kind"] == kind)

    def fault(self, kind: str) -> Any:
        """The first fault of a kind."""
        return self.field.faults.of(kind)[0]

    def day(self, index: int) -> int:
        """Milliseconds of a day's start."""
        return self.field.plan.day_start(index) * 1000

    def of(self, part: str, module_id: str) -> list[tuple[Packet, dict[str, Any]]]:
        """(packet, element) of a module in one part of the packets."""
        return [(p, one) for p in self.packets for one in p[part] if one["module_id"] == module_id]

    def archives(self, meter: int, kind: str = "ARCHIVED") -> dict[int, dict[str, Any]]:
        """Archives of a meter by start; of several about one start the first."""
        layout = self.field.layout
        name = layout.modules.ids[layout.meters.module[meter]]
        made: dict[int, dict[str, Any]] = {}
        for _, one in self.of("archives", name):
            if one["channel"] == layout.meters.channel[meter] and one["kind"] == kind:
                made.setdefault(one["start_at"], one)
        return made

    def receipts(self, module_id: str) -> dict[int, list[int]]:
        """Receipts of ARCHIVED channel 0 by start of the archive."""
        made: dict[int, list[int]] = defaultdict(list)
        for packet, one in self.of("archives", module_id):
            if one["channel"] == 0 and one["kind"] == "ARCHIVED":
                made[one["start_at"]].append(packet["received_at"])
        return made

    def consumed(self) -> Any:
        """True flow of all days, meters by hours."""
        return np.concatenate([truth.consumed for truth in self.truths], axis=1)

    def registered(self) -> Any:
        """What pulses stand for, of all days, meters by hours."""
        return np.concatenate([truth.registered for truth in self.truths], axis=1)


def play(plan: FieldPlan) -> Played:
    field = Field(plan)
    played = Played(field, [], [], [])
    for day in field.days():
        played.packets += day.packets
        played.truths.append(day.truth)
        played.changed += day.changed
    return played


@pytest.fixture(scope="session")
def faulty() -> Played:
    """240 modules, 30 days, every kind of fault."""
    return play(FieldPlan())


@pytest.fixture(scope="session")
def sound() -> Played:
    """120 modules of three groups (one of water), 9 days over the end of summer time, no fault."""
    return play(FieldPlan(modules=120, groups=3, days=9, first_day=date(2025, 10, 20), faults=()))
