"""Who is where: buildings, homes, modules, meters and concentrators of a field, as arrays.

Modules lie in the order of their concentrators and meters in that of their modules: what a concentrator
gathers is a slice of both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from balance_simulator.field.plan import FieldPlan, stream_of

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

HOME, COMMON, LOGGER, DIRECT = range(4)
"""Kinds of module: in a home, at a common meter, with sensors, the input of a concentrator itself."""
GAS, WATER = range(2)
RESOURCES = ("GAS", "WATER")
MODES = ("DAILY", "INTRADAY_60", "INTRADAY_30", "INTRADAY_15", "WEEKLY", "MONTHLY")
DAILY, INTRADAY_60, INTRADAY_30, INTRADAY_15, WEEKLY, MONTHLY = range(6)
MODE_SHARES = (
    (INTRADAY_60, 0.004),
    (INTRADAY_30, 0.002),
    (INTRADAY_15, 0.002),
    (WEEKLY, 0.015),
    (MONTHLY, 0.015),
)

MOST_A_CONCENTRATOR = 240
DIRECT_SHARE, LOGGER_SHARE = 50, 300
LEAST_FOR_ALL_KINDS = 60
"""From this size on a fleet has modules of every kind and mode."""
WATER_GROUPS_OF = 3
"""One group of so many is of water, in a building that has a gas group too."""

DRIFT_S = 25
"""How far a sound clock drifts within the span, at most: concentrators set it now and then."""

MAINS, SOLAR, DIRECT_MAINS, DIRECT_BATTERY = "MAINS", "SOLAR", "DIRECT_MAINS", "DIRECT_BATTERY"


@dataclass(frozen=True)
class Modules:
    """Modules: `first` and `meters` say which meters each has; `skew_s`, `drift_ppm` how its clock goes."""

    ids: list[str]
    kind: Ints
    mode: Ints
    building: Ints
    concentrator: Ints
    firmware: Ints
    skew_s: Floats
    drift_ppm: Floats
    first: Ints
    meters: Ints


@dataclass(frozen=True)
class Meters:
    """Meters with a pulse output. `error` is each one's own, a share; flows in base units an hour."""

    ids: list[str]
    module: Ints
    channel: Ints
    resource: Ints
    group: Ints
    common: Bools
    class_ppm: Ints
    weight: Ints
    digits: Ints
    q_max: Ints
    start_flow: Floats
    error: Floats
    initial: Ints


@dataclass(frozen=True)
class Concentrators:
    """Concentrators; `modules` are the bounds of the slice of modules each gathers, `session_s` how long
    after the day's end each calls.
    """

    ids: list[str]
    variant: list[str]
    plan: list[str]
    payer: list[str]
    skew_s: Floats
    session_s: Ints
    modules: Ints


@dataclass(frozen=True)
class Groups:
    """Balance groups: the common meter of each, and its standing loss as a share of what its members use."""

    ids: list[str]
    resource: Ints
    common: Ints
    standing_loss: Floats


@dataclass(frozen=True)
class Layout:
    """All of it."""

    modules: Modules
    meters: Meters
    concentrators: Concentrators
    groups: Groups

    def homes(self) -> Bools:
        """Modules in a home."""
        return np.isin(self.modules.kind, (HOME, DIRECT))

    def meter_slice(self, concentrator: int) -> tuple[int, int]:
        """Bounds of the meters whose modules a concentrator gathers."""
        low, high = self.concentrators.modules[concentrator : concentrator + 2]
        first = np.append(self.modules.first, len(self.meters.ids))
        return int(first[low]), int(first[high])


def lay_out(plan: FieldPlan) -> Layout:
    """The field of a plan."""
    rng = np.random.default_rng(stream_of(plan.seed, 1))
    kind, building, concentrator, watered = _places(plan, rng)
    mode = _modes(kind, rng)
    count = len(kind)
    firmware = rng.integers(14, 22, count)
    firmware[(mode == WEEKLY) | (mode == MONTHLY)] = 18 + firmware[(mode == WEEKLY) | (mode == MONTHLY)] % 4
    concentrators = _concentrators(kind, mode, concentrator, rng)
    meters, groups, first, per_module = _meters(plan, kind, building, watered, rng)
    direct = kind == DIRECT
    ids = [
        concentrators.ids[c] if own else f"M-{m + 1:06d}"
        for m, (c, own) in enumerate(zip(concentrator.tolist(), direct.tolist(), strict=True))
    ]
    modules = Modules(
        ids,
        kind,
        mode,
        building,
        concentrator,
        firmware,
        skew_s=rng.normal(0, 25, count).clip(-90, 90),
        drift_ppm=rng.uniform(-1, 1, count) * min(10, DRIFT_S / (plan.days * 0.0864)),
        first=first,
        meters=per_module,
    )
    return Layout(modules, meters, concentrators, groups)


def _places(plan: FieldPlan, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, int]:
    """Kind, building and concentrator of each module, and how many buildings have water meters too."""
    water = plan.groups // WATER_GROUPS_OF
    buildings = plan.groups - water
    every = plan.modules >= LEAST_FOR_ALL_KINDS
    direct = max(2, plan.modules // DIRECT_SHARE) if every else 0
    loggers = min(60, max(3, plan.modules // LOGGER_SHARE)) if every else 0
    homes = plan.modules - direct - loggers - buildings
    sites = max(1, buildings)
    sizes = 1 + rng.multinomial(homes - sites, rng.dirichlet(np.full(sites, 8.0)))
    kind: list[int] = []
    place: list[int] = []
    gatherer: list[int] = []
    concentrator = 0
    for site, size in enumerate(sizes.tolist()):
        own = [COMMON] * bool(buildings) + [HOME] * size
        own += [LOGGER] * (loggers // sites + (site < loggers % sites))
        halves = max(-(-len(own) // MOST_A_CONCENTRATOR), 1 + (every and sites == 1))
        kind += own
        place += [site] * len(own)
        gatherer += (concentrator + np.arange(len(own)) * halves // len(own)).tolist()
        concentrator += halves
    kind += [DIRECT] * direct
    place += [-1] * direct
    gatherer += range(concentrator, concentrator + direct)
    return np.array(kind), np.array(place), np.array(gatherer), water


def _modes(kind: Ints, rng: np.random.Generator) -> Ints:
    mode = np.full(len(kind), DAILY)
    free = rng.permutation(np.flatnonzero(kind == HOME))
    if len(kind) >= LEAST_FOR_ALL_KINDS:
        taken = 0
        for which, share in MODE_SHARES:
            count = max(1, round(share * len(kind)))
            mode[free[taken : taken + count]] = which
            taken += count
    mode[np.flatnonzero(kind == COMMON)[::5]] = INTRADAY_60
    return mode


def _concentrators(kind: Ints, mode: Ints, concentrator: Ints, rng: np.random.Generator) -> Concentrators:
    count = int(concentrator[-1]) + 1
    bounds = np.searchsorted(concentrator, np.arange(count + 1))
    variant, plans, ids = [], [], []
    for c in range(count):
        low, high = bounds[c : c + 2]
        intraday = np.isin(mode[low:high], (INTRADAY_60, INTRADAY_30, INTRADAY_15)).any()
        if kind[low] == DIRECT:
            variant.append((DIRECT_BATTERY, DIRECT_MAINS)[c % 2])
            plans.append(("WEEKLY", "DAILY")[c % 2])
            ids.append(f"J-D{c + 1:04d}")
        else:
            variant.append(SOLAR if c % 8 == 1 else MAINS)
            plans.append("CONTINUOUS" if intraday else "DAILY")
            ids.append(f"J-{c + 1:04d}")
    payer = np.where(rng.random(count) < 0.4, "UTILITY", "CUSTOMER").tolist()
    skew = rng.normal(0, 4, count).clip(-15, 15)
    session = np.where(
        np.arange(count) % 2 == 0, rng.integers(420, 2_700, count), rng.integers(420, 9_000, count)
    )
    return Concentrators(ids, variant, plans, payer, skew, session, bounds)


@dataclass
class _Columns:
    """Meters in the making, a list a column."""

    ids: list[str]
    module: list[int]
    channel: list[int]
    resource: list[int]
    group: list[int]
    common: list[bool]

    def add(self, name: str, module: int, channel: int, resource: int, group: int, common: bool) -> None:
        self.ids.append(name)
        self.module.append(module)
        self.channel.append(channel)
        self.resource.append(resource)
        self.group.append(group)
        self.common.append(common)


def _meters(
    plan: FieldPlan, kind: Ints, building: Ints, watered: int, rng: np.random.Generator
) -> tuple[Meters, Groups, Ints, Ints]:
    """Meters and groups; of each module the first meter and how many."""
    buildings = plan.groups - watered
    columns = _Columns([], [], [], [], [], [])
    first, flat = [], [0] * (max(1, buildings) + 1)
    for m, (what, site) in enumerate(zip(kind.tolist(), building.tolist(), strict=True)):
        first.append(len(columns.ids))
        if what == LOGGER:
            continue
        flat[site] += 1
        place = "common" if what == COMMON else f"{flat[site]:04d}"
        stem = f"F-{site + 1:04d}/{place}" if site >= 0 else f"F-SINGLE/{place}"
        grouped = site >= 0 and buildings > 0
        columns.add(f"{stem}/gas", m, 1, GAS, site if grouped else -1, what == COMMON)
        if 0 <= site < watered:
            columns.add(f"{stem}/water", m, 2, WATER, buildings + site, what == COMMON)
    common, water = np.array(columns.common), np.array(columns.resource) == WATER
    group = np.array(columns.group)
    size = np.bincount(group[group >= 0], minlength=plan.groups)
    members = np.where(common, np.maximum(size[group], 1) if plan.groups else 1, 1)
    count = len(common)
    coarse = rng.random(count)
    weight = np.where(water, np.where(coarse < 0.2, 10_000, 1_000), np.where(coarse < 0.05, 100_000, 10_000))
    weight = np.where(common, np.where(water, 10_000, 100_000), weight)
    class_ppm = np.where(water, 20_000, 15_000)
    meters = Meters(
        columns.ids,
        np.array(columns.module),
        np.array(columns.channel),
        np.array(columns.resource),
        group,
        common,
        class_ppm,
        weight,
        np.where(common, 9, 8),
        np.where(water, 3_000_000, 6_000_000) * np.where(common, np.ceil(members * 0.5) + 1, 1).astype(int),
        np.where(common, np.where(water, 15_000, 25_000), np.where(water, 8_000, 5_000)).astype(float),
        rng.uniform(-1, 1, count) * class_ppm * 1e-6,
        rng.integers(1_000, 900_000, count),
    )
    return meters, _groups(plan, watered, columns, rng), np.array(first), np.diff([*first, count])


def _groups(plan: FieldPlan, watered: int, columns: _Columns, rng: np.random.Generator) -> Groups:
    common = np.zeros(plan.groups, np.int64)
    for p, (group, is_common) in enumerate(zip(columns.group, columns.common, strict=True)):
        if is_common:
            common[group] = p
    gas = plan.groups - watered
    ids = [f"F-{g + 1:04d}" for g in range(gas)] + [f"F-{g + 1:04d}-WATER" for g in range(watered)]
    resource = np.array([GAS] * gas + [WATER] * watered, np.int64)
    return Groups(ids, resource, common, rng.uniform(0, 0.004, plan.groups))
