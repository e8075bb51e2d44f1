"""What really happened in a field, in a folder: labels of faults and arrays of days.

labels.jsonl          a fault a line
points.json           usage points in the order of the arrays, groups, and each meter's and clock's own error
days/2025-11-01.npz   consumed, registered (meters by hours), lost (groups by hours), outdoor_milli_c, start_s
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.fault_kinds import KINDS
from balance_simulator.field.faults import Fault, expected_rule
from balance_simulator.field.layout import Layout
from balance_simulator.field.stream import DayTruth, Field

LABELS, POINTS, DAYS = "labels.jsonl", "points.json", "days"
LEAST_VACANT_DAYS = 3

Label = dict[str, Any]


def write_day(folder: Path, truth: DayTruth) -> None:
    """Add a day's arrays."""
    days = folder / DAYS
    days.mkdir(parents=True, exist_ok=True)
    with (days / f"{truth.day.isoformat()}.npz").open("wb") as file:
        np.savez(
            file,
            consumed=truth.consumed.astype(np.int32),
            registered=truth.registered.astype(np.int32),
            lost=truth.lost.astype(np.int32),
            outdoor_milli_c=truth.outdoor_milli_c.astype(np.int32),
            start_s=np.int64(truth.start_s),
        )


def write(folder: Path, field: Field) -> None:
    """Write labels and points; after the last day, for some faults show only when they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(label, separators=(",", ":")) + "\n" for label in labels(field))
    (folder / LABELS).write_text("".join(lines), "utf-8")
    meters, clock = field.layout.meters, field.conditions.clock_offset
    points = {
        "seed": field.plan.seed,
        "zone": field.plan.zone,
        "usage_points": meters.ids,
        "module": [field.layout.modules.ids[m] for m in meters.module.tolist()],
        "group": [_name(field.layout.groups.ids, g) for g in meters.group.tolist()],
        "groups": field.layout.groups.ids,
        "error_ppm": np.rint(meters.error * 1e6).astype(int).tolist(),
        "clock_offset_s": [round(clock(m, field.plan.start_s)) for m in meters.module.tolist()],
        "notes": list(field.faults.notes),
    }
    (folder / POINTS).write_text(json.dumps(points, indent=1) + "\n", "utf-8")


def labels(field: Field) -> Iterator[Label]:
    """The faults of a field by name, and who was away (a trap). Of registers that wrap, when they did."""
    wrapped = dict(reversed(field.rollovers))
    for fault in field.faults.every:
        if fault.kind != "rollover":
            yield _label(field, fault)
        elif fault.meter in wrapped:
            day = wrapped[fault.meter]
            start, end = field.plan.day_start(day), field.plan.day_start(day + 1)
            yield _label(
                field, Fault("rollover", start, end, 0.0, fault.module, fault.meter, group=fault.group)
            )
    if "vacant" in field.plan.faults:
        yield from _vacant(field)


def read_labels(folder: Path) -> list[Label]:
    """The labels of a folder."""
    return [json.loads(line) for line in (folder / LABELS).read_text("utf-8").splitlines()]


def read_points(folder: Path) -> dict[str, Any]:
    """Names in the order of the arrays."""
    points: dict[str, Any] = json.loads((folder / POINTS).read_text("utf-8"))
    return points


def read_day(folder: Path, day: date) -> dict[str, NDArray[np.int64]]:
    """The arrays of a day by name."""
    with np.load(folder / DAYS / f"{day.isoformat()}.npz") as arrays:
        return {name: arrays[name].astype(np.int64) for name in arrays.files}


def _vacant(field: Field) -> Iterator[Label]:
    modules, plan = field.layout.modules, field.plan
    first, until = field.homes.away
    for module in np.flatnonzero(until - first >= LEAST_VACANT_DAYS).tolist():
        start, end = plan.day_start(int(first[module])), plan.day_start(int(until[module]))
        yield _label(field, Fault("vacant", start, end, 0.0, module, int(modules.first[module])))


def _label(field: Field, fault: Fault) -> Label:
    layout: Layout = field.layout
    return {
        "kind": fault.kind,
        "rule": expected_rule(fault),
        "passing": KINDS[fault.kind].passing,
        "start": datetime.fromtimestamp(fault.start_s, UTC).isoformat(),
        "end": datetime.fromtimestamp(fault.end_s, UTC).isoformat(),
        "magnitude": fault.magnitude,
        "usage_point": _name(layout.meters.ids, fault.meter),
        "module": _name(layout.modules.ids, fault.module),
        "concentrator": _name(layout.concentrators.ids, fault.concentrator),
        "other_concentrator": _name(layout.concentrators.ids, fault.other),
        "group": _name(layout.groups.ids, fault.group),
    }


def _name(names: list[str], index: int) -> str | None:
    return names[index] if index >= 0 else None
