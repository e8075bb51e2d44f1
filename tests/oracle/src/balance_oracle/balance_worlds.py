"""Installations by chance for §4 and §5 of domain.md: readings, register and weather, without packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from balance_oracle.balances import all_group_days, described_points, make_known
from balance_oracle.days import MeteringDays
from balance_oracle.describe import Described, concentrator, module
from balance_oracle.devices import MODES, PLANS
from balance_oracle.fleets import PLACES, Place, history_of, instant_of, latest, make_place
from balance_oracle.groups import UNITS
from balance_oracle.homes import (
    Home,
    make_home,
    make_logger,
    make_supply,
    make_thermometer,
    reading_day,
)
from balance_oracle.imbalance import GroupDay
from balance_oracle.known import Known
from balance_oracle.nests import make_groups
from balance_oracle.plans import make_plans
from balance_oracle.readings import Hour
from balance_oracle.settings import Settings
from balance_oracle.skies import make_sky, weather_days

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class BalanceWorld:
    """Every version of every asset, reading day and weather day, in the shapes of the contract.

    ``clock`` is the installation's in the end, in milliseconds.
    """

    place: Place
    usage_points: tuple[Described, ...]
    groups: tuple[Described, ...]
    modules: tuple[Described, ...]
    concentrators: tuple[Described, ...]
    weather: tuple[Described, ...]
    readings: tuple[Described, ...]
    clock: int
    settings: Settings = field(default_factory=Settings)

    @property
    def assets(self) -> tuple[Described, ...]:
        return (*self.usage_points, *self.groups, *self.modules, *self.concentrators)

    def known(self) -> Known:
        """What stands in the end."""
        readings: dict[tuple[str, int], list[Hour]] = {}
        for one in sorted(self.readings, key=lambda one: int(one["version"])):
            qualities = one["qualities"] or ["VALID"] * len(one["values"])
            key = one["usage_point_id"], one["day_start_at"] // 1000
            readings[key] = list(zip(one["values"], qualities, strict=True))
        return make_known(
            latest(self.groups, "group_id"),
            described_points(latest(self.usage_points, "usage_point_id")),
            make_plans(latest(self.modules, "module_id"), latest(self.concentrators, "concentrator_id")),
            {key: hours for key, hours in readings.items() if {q for _, q in hours} != {"MISSING"}},
            self.weather,
            MeteringDays(self.place.zone, self.place.day_start_hour),
            self.settings,
        )

    def group_days(self) -> list[GroupDay]:
        return list(all_group_days(self.known(), self.clock // 1000))

    def figures(self) -> dict[tuple[str, int], dict[str, Any]]:
        """By group and day start in milliseconds."""
        return {(one.group.group_id, one.day * 1000): one.figures() for one in self.group_days()}


def make_balance_world(
    random: Random, places: Sequence[tuple[str, int, int]] = PLACES, most_days: int = 45
) -> BalanceWorld:
    """A world by chance; the same for the same state of ``random``."""
    place = _moved(random, make_place(random, random.choice((3, 12, 30)), most_days, places))
    sky = make_sky(random, place)
    resource = random.choice(("GAS", "GAS", "GAS", "HEAT", "WATER"))
    names = [f"F-{number}" for number in range(random.randint(1, 5))]
    homes = [make_home(random, place, name, resource, sky) for name in names]
    supplies = [
        make_supply(random, place, f"S-{number}", resource, homes, share)
        for number, share in enumerate(random.choice(((1.0,), (1.0,), (1.0,), (0.3, 0.7), (0.3, 0.7), ())))
    ]
    others = [
        make_thermometer(random, place, f"T-{number}", f"R-{name}")
        for number, name in enumerate([*names, "F-0", "S-0"])
        if random.random() < 0.6
    ]
    others += [make_logger(random, place, f"O-{n}", sky) for n in range(random.choice((0, 0, 1, 2)))]
    described = make_groups(
        random, place, resource, [one.described["usage_point_id"] for one in supplies], names
    )
    everyone = [*homes, *supplies, *others]
    return BalanceWorld(
        place,
        tuple(v for one in everyone for v in _history(random, one.described)),
        tuple(version for one in described for version in _history(random, one)),
        tuple(_modules(random, place, [*names, "S-0"])),
        tuple(version for one in _concentrators(random, place) for version in _history(random, one)),
        tuple(weather_days(random, place, sky)),
        tuple(_readings(random, everyone)),
        place.end_ms + random.choice((0, 12, 36, 60, 300)) * HOUR_MS,
    )


def make_building(
    random: Random, places: Sequence[tuple[str, int, int]] = PLACES, least_days: int = 40
) -> BalanceWorld:
    """A building of like homes through a cold spell, each with a thermometer in its room."""
    place = _moved(random, make_place(random, least_days, least_days + 20, places))
    sky = {day: [t - 12_000 for t in temperatures] for day, temperatures in make_sky(random, place).items()}
    resource = random.choice(("GAS", "HEAT"))
    homes, rooms = [], []
    for number in range(random.randint(7, 10)):
        home = make_home(random, place, f"F-{number}", resource, sky)
        path = ["Centre", "Ialoveni", "Crasescu", "5/2", f"flat {number}"][: random.choice((5,) * 9 + (4,))]
        homes.append(replace(home, described=home.described | {"object_path": path}))
        if random.random() < 0.9:
            rooms.append(make_thermometer(random, place, f"T-{number}", f"R-F-{number}"))
    supply = make_supply(random, place, "S-0", resource, homes, 1.0)
    described = make_groups(random, place, resource, ["S-0"], [f"F-{n}" for n in range(len(homes))])
    everyone = [*homes, *rooms, supply]
    return BalanceWorld(
        place,
        tuple(v for one in everyone for v in _history(random, one.described)),
        tuple(version for one in described[:1] for version in _history(random, one)),
        (),
        (),
        tuple(weather_days(random, place, sky)),
        tuple(_readings(random, everyone)),
        place.end_ms + random.choice((0, 36, 60)) * HOUR_MS,
    )


def _moved(random: Random, place: Place) -> Place:
    """Some days earlier, so that a change of the clocks has a past."""
    days = MeteringDays(place.zone, place.day_start_hour)
    back = random.choice((0, 5, 25))
    return replace(place, day_starts=tuple(days.shifted(day, -back) for day in place.day_starts))


def _history(random: Random, asset: Described) -> list[Described]:
    """Not deleted in the end: of what is deleted there are no readings, which these worlds do not see to."""
    versions = history_of(random, asset)
    return [*versions[:-1], asset | {"version": len(versions)}]


def _modules(random: Random, place: Place, names: Sequence[str]) -> list[Described]:
    found = []
    for name in names:
        if random.random() < 0.3:
            settings = [
                (since, random.choice(MODES), random.choice((None, "J-1")))
                for since in sorted((place.start_ms - 9 * 24 * HOUR_MS, instant_of(random, place)))
            ]
            found += history_of(random, module(f"R-{name}", settings))
    return found


def _concentrators(random: Random, place: Place) -> list[Described]:
    return [concentrator("J-1", [(place.start_ms - HOUR_MS, random.choice(PLANS))])]


def _readings(random: Random, homes: Sequence[Home]) -> list[Described]:
    """Each day in one version, some after others that said something else."""
    told = []
    for home in homes:
        point = home.described
        facts = point["usage_point_id"], point["resource"], UNITS[point["resource"]]
        for day, hours in home.read.items():
            before: list[list[Hour]] = []
            if random.random() < 0.1:
                before.append([((value or 0) + 1, "VALID") for value, _ in hours])
            if random.random() < 0.05:
                before.append([(None, "MISSING")] * len(hours))
            for version, said in enumerate([*before, hours], start=1):
                told.append(dict(reading_day(*facts, day, said, version)))
    return told
