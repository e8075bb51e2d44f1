"""Which faults a field has: drawn by its seed, each with its place, its time and its size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from balance_simulator.field import fault_kinds
from balance_simulator.field.fault_kinds import KINDS
from balance_simulator.field.layout import (
    DAILY,
    DIRECT_BATTERY,
    GAS,
    HOME,
    LOGGER,
    SOLAR,
    Layout,
)
from balance_simulator.field.plan import FieldPlan, stream_of

HOUR_S, DAY_S = 3600, 86_400
NOON = 12
SHARE = 500
"""One of so many modules has a fault of one kind."""
CONCENTRATOR_SHARE, GROUP_SHARE = 60, 20

EARLY_S = 3_000
SILENT = {"gsm_outage", "unpaid_sim", "solar_dark"}
HEARD = {"conflicting_duplicate", "moved", "hours_from_one"}
"""Kinds that show only where the concentrator calls."""
FROM_THE_START = {"clock_drift", "concentrator_clock", "unknown_channel"}
ZERO_DAYS, USUAL_DAYS, SPIKE_DAYS = 14, 15, 90
"""Days of nothing, of the past, and of a long past that rules of docs/domain.md §3.15 need."""

LONGEST_DAYS = {
    "radio_outage": (2, 3),
    "archive_lost": (5, 9),
    "gsm_outage": (3, 9),
    "solar_dark": (19, 28),
    "short_circuit": (2, 8),
    "open_circuit": (2, 8),
    "no_sensor": (2, 8),
    "magnet": (1, 4),
    "exchange_declared": (0, 0),
    "exchange_undeclared": (0, 0),
    "rollover": (0, 0),
    "register_reset": (0, 0),
    "two_devices": (6, 10),
    "spike": (0, 0),
    "surge": (0, 0),
    "conflicting_duplicate": (1, 1),
    "duplicate_delivery": (2, 5),
    "moved": (0, 0),
    "clock_set_back": (1, 1),
    "sensor_out_of_range": (1, 2),
    "sensor_not_a_number": (1, 2),
    "future_packet": (1, 1),
    "stuck": (3, 12),
    "hours_from_one": (3, 15),
}
"""Least and most days; kinds that are not here go on to the end. 0 days: an instant."""
WHOLE_DAYS = {
    "radio_outage",
    "archive_lost",
    "battery_dead",
    "gsm_outage",
    "unpaid_sim",
    "solar_dark",
    "two_devices",
    "clock_drift",
    "concentrator_clock",
    "conflicting_duplicate",
    "duplicate_delivery",
    "hours_from_one",
    "clock_set_back",
    "future_packet",
    "unknown_channel",
}


@dataclass(frozen=True)
class Fault:
    """A fault of [start_s, end_s) in epoch seconds; indices are -1 where it is about none.

    `magnitude` is what the kind says: a factor for slow, base units an hour for leak and stuck, base units
    for spike and surge, the new register for exchanges and resets, the register's distance for two devices,
    seconds for clocks. `other` is the other concentrator.
    """

    kind: str
    start_s: int
    end_s: int
    magnitude: float = 0.0
    module: int = -1
    meter: int = -1
    concentrator: int = -1
    group: int = -1
    other: int = -1
    first_day: int = 0
    last_day: int = 0

    def on(self, day: int) -> bool:
        """Whether any of it lies in the day of this index."""
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True)
class Faults:
    """The faults of a field, and words about those that found no place."""

    every: tuple[Fault, ...]
    notes: tuple[str, ...]

    def of(self, *kinds: str) -> list[Fault]:
        """Those of some kinds."""
        return [fault for fault in self.every if fault.kind in kinds]

    def by_day(self, days: int) -> dict[int, list[Fault]]:
        """Those of each day."""
        result: dict[int, list[Fault]] = defaultdict(list)
        for fault in self.every:
            for day in range(fault.first_day, min(fault.last_day, days - 1) + 1):
                result[day].append(fault)
        return result


def draw(plan: FieldPlan, layout: Layout) -> Faults:
    """The faults of a plan: of no module, concentrator or group more than one."""
    places = _Places(plan, layout)
    every: list[Fault] = []
    notes: list[str] = []
    for kind in sorted(plan.faults, key=lambda name: KINDS[name].on != fault_kinds.CONCENTRATOR):
        if plan.days < KINDS[kind].least_days:
            notes.append(f"no {kind}: it needs {KINDS[kind].least_days} days")
            continue
        found = list(_of_kind(kind, plan, layout, places))
        if not found and kind != "vacant":
            notes.append(f"no {kind}: the fleet has no place left for it")
        every += found
    return Faults(tuple(every), tuple(notes))


class _Places:
    """What may still have a fault."""

    def __init__(self, plan: FieldPlan, layout: Layout) -> None:
        rng = np.random.default_rng(stream_of(plan.seed, 5))
        modules, concentrators = layout.modules, layout.concentrators
        usual = (modules.kind == HOME) & (modules.mode == DAILY)
        unusual = (modules.kind == HOME) & (modules.mode != DAILY)
        self.modules = rng.permutation(np.flatnonzero(usual)).tolist()
        self.unusual = rng.permutation(np.flatnonzero(unusual)).tolist()
        self.loggers = rng.permutation(np.flatnonzero(modules.kind == LOGGER)).tolist()
        variants = np.array(concentrators.variant)
        self.solar = rng.permutation(np.flatnonzero(variants == SOLAR)).tolist()
        plain = (variants != SOLAR) & (variants != DIRECT_BATTERY)
        self.concentrators = rng.permutation(np.flatnonzero(plain)).tolist()
        self.groups = rng.permutation(len(layout.groups.ids)).tolist()
        self.silent: set[int] = set()
        self.rng = rng

    def other(self, concentrator: int, layout: Layout) -> int:
        """The next concentrator that calls every night, if there is one."""
        count = len(layout.concentrators.ids)
        after = [(concentrator + n) % count for n in range(1, count)]
        fine = [c for c in after if c not in self.silent and layout.concentrators.plan[c] != "WEEKLY"]
        return (fine or after)[0]

    def forget(self, layout: Layout, concentrator: int) -> None:
        """Nothing of what is gathered by a concentrator shows any more."""
        low, high = layout.concentrators.modules[concentrator : concentrator + 2].tolist()
        for pool in (self.modules, self.unusual, self.loggers):
            pool[:] = [module for module in pool if not low <= module < high]

    def heard(self, kind: str, layout: Layout) -> list[int]:
        """Modules whose concentrator calls every night, and early where only then it shows."""
        gatherer, session_s = layout.modules.concentrator, layout.concentrators.session_s
        latest = EARLY_S if kind == "hours_from_one" else DAY_S
        return [m for m in self.modules if gatherer[m] not in self.silent and session_s[gatherer[m]] < latest]

    def take(self, pool: list[int], count: int) -> list[int]:
        """The next of a pool, at most so many."""
        taken = pool[:count]
        del pool[:count]
        return taken


def _of_kind(kind: str, plan: FieldPlan, layout: Layout, places: _Places) -> Iterator[Fault]:
    on = KINDS[kind].on
    if kind == "vacant":
        return  # labelled by who is away, `truth_folder`
    if on == fault_kinds.GROUP:
        count = max(1, len(layout.groups.ids) // GROUP_SHARE)
        for group in places.take(places.groups, count):
            common = int(layout.groups.common[group])
            about = Fault(kind, 0, 0, group=group, meter=common, module=int(layout.meters.module[common]))
            yield _timed(about, plan, layout, places.rng)
    elif on == fault_kinds.CONCENTRATOR:
        pool = places.solar if kind == "solar_dark" else places.concentrators
        count = max(1, len(layout.concentrators.ids) // CONCENTRATOR_SHARE)
        if kind == "unpaid_sim" and count == 1:  # a small fleet would lose too much of itself
            pool.sort(
                key=lambda c: int(layout.concentrators.modules[c + 1] - layout.concentrators.modules[c])
            )
        for concentrator in places.take(pool, count):
            if kind == "unpaid_sim":
                places.forget(layout, concentrator)
            if kind in SILENT:
                places.silent.add(concentrator)
            yield _timed(Fault(kind, 0, 0, concentrator=concentrator), plan, layout, places.rng)
    else:
        for module in _modules(kind, layout, places):
            fault = _at_module(kind, module, layout, places.rng)
            if kind in ("conflicting_duplicate", "moved"):
                fault = replace(fault, other=places.other(fault.concentrator, layout))
            yield _timed(fault, plan, layout, places.rng)


def _modules(kind: str, layout: Layout, places: _Places) -> list[int]:
    count = max(1, len(layout.modules.ids) // SHARE)
    if KINDS[kind].on == fault_kinds.LOGGER:
        return places.take(places.loggers, 1)
    if kind in ("conflicting_duplicate", "moved") and len(layout.concentrators.ids) < 2:
        return []
    pool = places.heard(kind, layout) if kind in HEARD else places.modules
    found = places.take(pool, count)
    places.modules = [m for m in places.modules if m not in set(found)]
    if kind == "battery_dead":
        found += places.take(places.unusual, max(1, count // 4))
    return found


def _at_module(kind: str, module: int, layout: Layout, rng: np.random.Generator) -> Fault:
    """About the module, or about one of its meters (gas more often)."""
    fault = Fault(kind, 0, 0, module=module, concentrator=int(layout.modules.concentrator[module]))
    if KINDS[kind].on == fault_kinds.METER:
        first, meters = int(layout.modules.first[module]), int(layout.modules.meters[module])
        meter = first + int(meters > 1 and rng.random() < 0.3)
        fault = replace(fault, meter=meter, group=int(layout.meters.group[meter]))
    return fault


def _timed(fault: Fault, plan: FieldPlan, layout: Layout, rng: np.random.Generator) -> Fault:
    """When it begins and ends, and how great it is."""
    span = plan.days
    least, most = LONGEST_DAYS.get(fault.kind, (span, span))
    whole = fault.kind in WHOLE_DAYS
    latest = max(1, min(int(span * 0.6), span - 1 - (least + 1 if fault.kind in LONGEST_DAYS else 0)))
    first = 1 if latest <= 1 else int(rng.integers(max(1, min(span // 5, latest - 1)), latest + 1))
    first = 0 if fault.kind in FROM_THE_START else min(first, span - 1)
    days = int(rng.integers(least, max(least, min(most, span - 2 - first)) + 1))  # with an after, if it can
    hour = NOON if fault.kind == "moved" else int(rng.integers(1, 22))
    start = plan.day_start(first) + (0 if whole else hour * HOUR_S)
    end = plan.day_start(min(first + days, span)) + (
        0 if whole or days == 0 else start - plan.day_start(first)
    )
    end = start + HOUR_S if days == 0 else max(start + HOUR_S, min(end, plan.end_s))
    last = first
    while last + 1 < span and plan.day_start(last + 1) < end:
        last += 1
    sized = replace(fault, start_s=start, end_s=end, first_day=first, last_day=last)
    return _sized(sized, layout, rng)


def _sized(fault: Fault, layout: Layout, rng: np.random.Generator) -> Fault:
    kind, meters = fault.kind, layout.meters
    q_max = float(meters.q_max[fault.meter]) if fault.meter >= 0 else 0.0
    sizes = {
        "slow": lambda: rng.uniform(0.5, 0.85),
        "leak": lambda: _leak(fault.group, layout) * rng.uniform(0.08, 0.25),
        "stuck": lambda: float(meters.weight[fault.meter] * rng.integers(3, 12)),
        "spike": lambda: q_max * rng.uniform(0.55, 0.75),
        "surge": lambda: q_max * rng.uniform(1.4, 3.0),
        "exchange_declared": lambda: float(rng.integers(0, 30)),
        "exchange_undeclared": lambda: float(rng.integers(0, 30)),
        "two_devices": lambda: float(rng.integers(100_000, 800_000)),
        "clock_set_back": lambda: -HOUR_S * float(rng.integers(1, 4)),
        "clock_drift": lambda: float(rng.choice([-1, 1]) * rng.uniform(300, 900)),
        "concentrator_clock": lambda: float(rng.choice([-1, 1]) * rng.uniform(150, 600)),
        "hours_from_one": lambda: float(HOUR_S),
        "conflicting_duplicate": lambda: float(rng.integers(3, 40)),
        "future_packet": lambda: float(DAY_S * rng.integers(2, 400)),
    }
    magnitude = sizes[kind]() if kind in sizes else 0.0
    return replace(fault, magnitude=round(float(magnitude), 6))


def _leak(group: int, layout: Layout) -> float:
    """About what the members of a group use in an hour, base units."""
    members = int(((layout.meters.group == group) & ~layout.meters.common).sum())
    return members * (150_000.0 if layout.groups.resource[group] == GAS else 10_000.0)


def windows(faults: Sequence[Fault], start_s: int, hours: int) -> Iterator[tuple[Fault, slice]]:
    """Each fault with the hours of a day that begin within it."""
    for fault in faults:
        low = max(0, -(-(fault.start_s - start_s) // HOUR_S))
        high = min(hours, -(-(fault.end_s - start_s) // HOUR_S))
        if low < high:
            yield fault, slice(low, high)


def expected_rule(fault: Fault) -> str | None:
    """The rule that should find a fault, when the field is old enough for it to have learnt what is usual."""
    rule = KINDS[fault.kind].rule
    if fault.kind == "spike" and fault.first_day >= SPIKE_DAYS:
        return "vee.spike"
    enough = fault.first_day >= USUAL_DAYS
    if rule == "vee.zero":
        enough = enough and fault.last_day - fault.first_day >= ZERO_DAYS
    return rule if enough or rule not in ("vee.zero", "vee.above_usual") else None
