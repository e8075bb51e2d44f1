"""Hours taken out of a field's packets, so that there are gaps of every length to estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_simulator.field.faults import HOUR_S
from balance_simulator.field.layout import DAILY, HOME
from balance_simulator.field.stream import Field

HOURS = (1, 2, 6, 12)
DAYS = (1, 2, 4, 7, 14, 21)
"""Lengths of holes: hours from noon of a day, and whole days."""
FIRST_DAY_SHARE = 0.25
Packet = Mapping[str, Any]
Label = dict[str, Any]


@dataclass(frozen=True)
class Hole:
    """Hours of one module that nobody was told, in ms."""

    module: str
    start_ms: int
    end_ms: int

    def label(self) -> Label:
        """As labels of the truth are."""
        start, end = (
            datetime.fromtimestamp(ms / 1000, UTC).isoformat() for ms in (self.start_ms, self.end_ms)
        )
        about = dict.fromkeys(("usage_point", "concentrator", "other_concentrator", "group"))
        about |= {"module": self.module, "rule": "vee.missing", "passing": False, "magnitude": 0.0}
        return {"kind": "hole", "start": start, "end": end, **about}


def draw(field: Field) -> list[Hole]:
    """One of each length that fits, each at a module of its own that has no fault."""
    plan, modules = field.plan, field.layout.modules
    silent = {f.concentrator for f in field.faults.every if f.module < 0}
    taken = {f.module for f in field.faults.every}
    free = [
        m
        for m in np.flatnonzero((modules.kind == HOME) & (modules.mode == DAILY)).tolist()
        if m not in taken and int(modules.concentrator[m]) not in silent
    ]
    rng = np.random.default_rng([plan.seed, 77])
    free = rng.permutation(free).tolist()
    first = int(plan.days * FIRST_DAY_SHARE)
    holes = []
    for length in (*HOURS, *(24 * days for days in DAYS)):
        latest = plan.days - 2 - length // 24
        if latest <= first or not free:
            continue
        day = int(rng.integers(first, latest))
        start = plan.day_start(day) + (12 * HOUR_S if length < 24 else 0)
        end = start + length * HOUR_S if length < 24 else plan.day_start(day + length // 24)
        holes.append(Hole(modules.ids[free.pop()], start * 1000, end * 1000))
    return holes


def cut(packet: Packet, holes: Mapping[str, Hole]) -> Packet:
    """The packet without what lies in holes: whole archives left out, single hours missing."""
    if not any(one["module_id"] in holes for one in packet["archives"]):
        return packet
    kept = []
    for archive in packet["archives"]:
        hole = holes.get(archive["module_id"])
        left = archive if hole is None else _left(archive, hole)
        if left is not None:
            kept.append(left)
    return {**packet, "archives": kept}


def _left(archive: Mapping[str, Any], hole: Hole) -> Mapping[str, Any] | None:
    step_ms, count = archive["step_s"] * 1000, len(archive["values"])
    starts: Sequence[int] = [archive["start_at"] + position * step_ms for position in range(count)]
    lost = [p for p, at in enumerate(starts) if hole.start_ms <= at < hole.end_ms]
    if not lost:
        return archive
    if len(lost) == count or archive["kind"] != "ARCHIVED":
        return None
    return {**archive, "missing": sorted({*archive["missing"], *lost})}
