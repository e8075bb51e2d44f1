"""Temperatures outdoors for random worlds, and who tells them."""

from __future__ import annotations

from math import cos, pi
from random import Random

from balance_oracle.days import MeteringDays
from balance_oracle.describe import Described, weather_day
from balance_oracle.fleets import PATHS, Place

Sky = dict[int, list[int]]


def make_sky(random: Random, place: Place) -> Sky:
    """Temperature by day and hour, in thousandths: a spell of weather, or always the same."""
    days = MeteringDays(place.zone, place.day_start_hour)
    level, moves = random.choice((-8, 3, 9, 14, 21)), random.choice((0, 1, 4, 4))
    sky: Sky = {}
    for day in place.day_starts:
        level = max(-30, min(level + random.randint(-moves, moves), 35))
        hours = len(days.hours(day))
        sky[day] = [round(1000 * (level - 3 * moves * cos(pi * hour / 12))) for hour in range(hours)]
    return sky


def weather_days(random: Random, place: Place, sky: Sky) -> list[Described]:
    """What up to five sources tell, in some versions, with gaps and impossible values."""
    told: list[Described] = []
    if random.random() < 0.6:
        told += [weather_day((), "FILE", "airport", day * 1000, sky[day]) for day in sky]
    for number in range(random.choice((0, 1, 2, 5))):
        path = random.choice(PATHS)
        cut = path[: random.randint(0, len(path))]
        kind = random.choice(("LOGGER", "SERVICE", "FILE"))
        name = random.choice(("O-1", "a", "b", f"source-{number}"))
        if any((one["object_path"], one["kind"], one["name"]) == (list(cut), kind, name) for one in told):
            continue
        wrong, lost, holes = random.choice((0, 500, 3000)), random.choice((0, 0.1, 0.5)), random.random() / 2
        for day in place.day_starts:
            for version in range(random.choice((1, 1, 2))):
                values = [
                    None if random.random() < holes * (random.random() < 0.3) else t + wrong for t in sky[day]
                ]
                if random.random() < 0.1:
                    values[random.randrange(len(values))] = random.choice((85_000, -70_001, 60_001))
                if random.random() >= lost:
                    told.append(weather_day(cut, kind, name, day * 1000, values, version=version + 1))
    return told
