"""Homes for random worlds of balance groups: what they are, what they use, what of it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.describe import Described, fitting, meter, usage_point
from balance_oracle.fleets import HOUR_MS, PATHS, Place, instant_of
from balance_oracle.readings import Hour
from balance_oracle.skies import Sky

RUNS = (1, 1, 2, 5, 24, 26, 50, 80)
DAY_MS = 24 * HOUR_MS

Used = dict[int, list[int]]
Read = dict[int, list[Hour]]


@dataclass(frozen=True)
class Home:
    """A usage point as described in the end, and its hours as they were and as they were read."""

    described: Described
    used: Used
    read: Read


def make_home(random: Random, place: Place, name: str, resource: str, sky: Sky) -> Home:
    """A home by chance; its module is named like it."""
    used = _used(random, sky, heated=resource in ("GAS", "HEAT") and random.random() < 0.7)
    return Home(_described(random, place, name, resource), used, spoilt(random, place, used))


def make_supply(
    random: Random, place: Place, name: str, resource: str, homes: Sequence[Home], share: float
) -> Home:
    """A supply meter through which a share of what the homes use goes, and what is lost."""
    lost, shaken = random.choice((0, 0, 1, 30, 3000)), random.choice((0, 0.01, 0.1))
    used = {
        day: [
            round(sum(home.used[day][hour] for home in homes) * share * (1 + shaken * random.random())) + lost
            for hour in range(len(_hours(place, day)))
        ]
        for day in place.day_starts
    }
    read = spoilt(random, place, used)
    if random.random() < 0.6:
        read = {day: [(value, "VALID") for value in hours] for day, hours in used.items()}
    return Home(_described(random, place, name, resource), used, read)


def make_thermometer(random: Random, place: Place, name: str, module_id: str) -> Home:
    """A thermometer on channel 0 of a module."""
    level = random.choice((-5_000, 19_000, 22_000))
    used = {day: [level + random.randint(-900, 900) for _ in _hours(place, day)] for day in place.day_starts}
    point = usage_point(
        name, [_scale(place)], [fitting(module_id, 0, _before(place))], resource="TEMPERATURE"
    )
    return Home(point, used, _with_absurd(random, spoilt(random, place, used)))


def make_logger(random: Random, place: Place, name: str, sky: Sky) -> Home:
    """An outdoor thermometer of some object."""
    path = random.choice(PATHS)
    point = usage_point(
        name,
        [_scale(place)],
        [fitting(f"R-{name}", 1, _before(place))],
        resource="TEMPERATURE",
        object_path=path[: random.randint(0, len(path))],
        outdoor=random.random() < 0.9,
    )
    return Home(point, sky, _with_absurd(random, spoilt(random, place, sky)))


def spoilt(random: Random, place: Place, used: Used) -> Read:
    """What is read: all of it, or with gaps open and closed, lost days, a long silence."""
    hours: list[Hour] = [(value, "VALID") for day in place.day_starts for value in used[day]]
    for _ in range(random.choice((0, 0, 1, 3, 8))):
        _spoil(random, hours)
    read: Read = {}
    for day in place.day_starts:
        count = len(used[day])
        read[day], hours = hours[:count], hours[count:]
    lost = random.choice((0, 0, 0, 0.05, 0.4))
    gone = {day for day in place.day_starts if random.random() < lost}
    if random.random() < 0.35:
        first = random.randrange(len(place.day_starts))
        gone |= set(place.day_starts[first : first + random.choice((2, 7, 8, 15, 40))])
    return {day: found for day, found in read.items() if day not in gone}


def _spoil(random: Random, hours: list[Hour]) -> None:
    """A run of hours of another quality."""
    quality = random.choice(("ESTIMATED", "ESTIMATED", "ESTIMATED", "EDITED", "SUSPECT", "MISSING"))
    first = random.randrange(len(hours))
    for place in range(first, min(first + random.choice(RUNS), len(hours))):
        value = hours[place][0]
        shown = None if quality in ("SUSPECT", "MISSING") else (value or 0) + random.choice((0, 0, 1))
        hours[place] = shown, quality


def _with_absurd(random: Random, read: Read) -> Read:
    if random.random() < 0.3:
        for hours in read.values():
            if random.random() < 0.5:
                hours[random.randrange(len(hours))] = random.choice((85_000, -300_000)), "VALID"
    return read


def _used(random: Random, sky: Sky, *, heated: bool) -> Used:
    """Hour by hour: nothing, little, much; by the weather or not."""
    size = random.choice((0, 3, 50, 2000, 2000, 400_000))
    profile = [random.randint(0, size) for _ in range(25)]
    steady = random.random() < 0.3
    used: Used = {}
    for day, temperatures in sky.items():
        cold = max(0, 16_000 - sum(temperatures) // len(temperatures)) / 4000 if heated else 1.0
        used[day] = [
            round(profile[hour] * cold * (1 if steady else random.uniform(0.5, 1.5)))
            for hour in range(len(temperatures))
        ]
    return used


def _described(random: Random, place: Place, name: str, resource: str) -> Described:
    before = _before(place)
    traits: dict[str, Any] = {
        "pulse_weight": random.choice((0, 1, 10, 1000)),
        "class_ppm": random.choice((0, 10_000, 15_000, 30_000)),
        "q_start": random.choice((None, None, 0, 16, 5000)),
        "compensated": random.random() < 0.15,
    }
    meters = [meter(before, q_max=10**9, **traits)]
    if random.random() < 0.3:
        when = instant_of(random, place)
        meters[0]["removed_at"] = when
        traits |= {"compensated": random.random() < 0.5, "pulse_weight": 5, "q_start": 700}
        meters.append(meter(when + random.choice((0, 0, 5 * HOUR_MS)), q_max=10**9, **traits))
    channels = [fitting(f"R-{name}", 1, before)]
    if random.random() < 0.2:
        when = instant_of(random, place)
        channels[0]["removed_at"] = when
        channels.append(fitting(f"R-{name}-2", 2, when))
    return usage_point(name, meters, channels, resource=resource, object_path=random.choice(PATHS))


def _before(place: Place) -> int:
    return place.start_ms - 40 * DAY_MS


def _scale(place: Place) -> Described:
    return meter(_before(place), pulse_weight=1, class_ppm=0)


def _hours(place: Place, day: int) -> range:
    return MeteringDays(place.zone, place.day_start_hour).hours(day)


def reading_day(
    name: str, resource: str, unit: str, day: int, hours: Sequence[Hour], version: int
) -> Mapping[str, Any]:
    """A ReadingDay of the contract."""
    qualities = [quality for _, quality in hours]
    return {
        "usage_point_id": name,
        "resource": resource,
        "unit": unit,
        "day_start_at": day * 1000,
        "step_s": 3600,
        "version": version,
        "values": [value for value, _ in hours],
        "qualities": [] if set(qualities) == {"VALID"} else qualities,
        "minima": [],
        "maxima": [],
        "sensor_kind": None,
    }
