"""Small described fleets with a history, for tests that let messages come in any order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.describe import (
    Described,
    balance_group,
    fitting,
    membership,
    meter,
    nested,
    usage_point,
)

PLACES = (
    ("UTC", 0, 1_767_225_600),
    ("Europe/Chisinau", 0, 1_774_562_400),
    ("Europe/Chisinau", 8, 1_792_735_200),
)
"""Zone, day-start hour and an instant (s) near the days; the last two meet a change of the clocks."""

PATHS: tuple[tuple[str, ...], ...] = (
    ("Centre", "Ialoveni", "Crasescu", "5/2"),
    ("Centre", "Ialoveni", "Crasescu", "7"),
    ("Centre", "Ialoveni"),
    ("North",),
    (),
)
"""Objects that usage points lie at."""

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Place:
    """The calendar of an installation and the days that are played, in seconds."""

    zone: str
    day_start_hour: int
    day_starts: tuple[int, ...]

    @property
    def start_ms(self) -> int:
        return self.day_starts[0] * 1000

    @property
    def end_ms(self) -> int:
        return MeteringDays(self.zone, self.day_start_hour).end(self.day_starts[-1]) * 1000


@dataclass(frozen=True)
class Channel:
    """A module channel as the fleet has it: what it reads, and from which register it counts."""

    module_id: str
    channel: int
    first_register: int
    digits: int
    usual_count: int


@dataclass(frozen=True)
class Fleet:
    """Every version of every asset, the channels that count, and those that measure."""

    usage_points: tuple[Described, ...]
    balance_groups: tuple[Described, ...]
    channels: tuple[Channel, ...]
    modules: tuple[Described, ...] = ()
    concentrators: tuple[Described, ...] = ()
    sensors: tuple[Channel, ...] = ()

    @property
    def module_ids(self) -> list[str]:
        """Modules that report."""
        return sorted({channel.module_id for channel in (*self.channels, *self.sensors)})


def make_place(
    random: Random,
    least_days: int = 2,
    most_days: int = 8,
    places: Sequence[tuple[str, int, int]] = PLACES,
) -> Place:
    """Some days in one of the calendars."""
    zone, start_hour, instant = random.choice(places)
    days = MeteringDays(zone, start_hour)
    first = days.containing(instant)
    count = random.randint(least_days, most_days)
    return Place(zone, start_hour, tuple(days.shifted(first, n) for n in range(count)))


def make_fleet(random: Random, place: Place, most_members: int = 3, house: str = "") -> Fleet:
    """A supply meter and some members in one or two groups, each asset in one to three versions.

    ``house`` ends every id.
    """
    channels: list[Channel] = []
    versions: list[Described] = []
    names = [f"S{house}", *(f"F-{n}{house}" for n in range(random.randint(1, most_members)))]
    for name in names:
        point, found = _make_usage_point(random, place, name)
        channels += found
        versions += history_of(random, point)
    if random.random() < 0.3:
        versions += history_of(random, _thermometer(random, place, house))
        channels.append(Channel(f"R-F-0{house}", 0, 0, 8, 20_000))
    groups = [
        version
        for group_id in ("G-1", "G-2")[: random.randint(1, 2)]
        for version in history_of(random, _make_group(random, place, group_id + house, names))
    ]
    if random.random() < 0.5:
        groups += history_of(random, _make_nest(random, place, house))
    return Fleet(tuple(versions), tuple(groups), tuple(channels))


def latest(versions: Iterable[Described], key: str) -> list[Described]:
    """The greatest version of each asset."""
    newest: dict[str, Described] = {}
    for version in versions:
        known = newest.get(version[key])
        if known is None or known["version"] < version["version"]:
            newest[version[key]] = version
    return list(newest.values())


def _make_usage_point(random: Random, place: Place, name: str) -> tuple[Described, list[Channel]]:
    before = place.start_ms - 40 * 24 * HOUR_MS
    digits = random.choice((4, 6, 8))
    usual = random.choice((0, 1, 5, 40))
    traits: dict[str, Any] = {
        "pulse_weight": random.choice((1, 10, 1000)),
        "digits": digits,
        "class_ppm": random.choice((10_000, 15_000, 30_000)),
        "q_start": random.choice((None, 0, 3, 900)),
        "compensated": random.random() < 0.2,
    }
    traits["q_max"] = random.choice((60, 400, 10**6)) * traits["pulse_weight"]
    meters = [meter(before, **traits)]
    register = random.choice((0, 500, 10**digits - 60))
    if random.random() < 0.3:
        when = instant_of(random, place)
        meters[0]["removed_at"] = when
        meters[0]["final_register"] = random.choice((None, register + 5, register + 500))
        meters.append(meter(when, initial=random.choice((None, 0, 10))) | {"pulse_weight": 5})
    modules = [fitting(f"R-{name}", 1, before)]
    channels = [Channel(f"R-{name}", 1, register, digits, usual)]
    if random.random() < 0.25:
        when = instant_of(random, place)
        modules[0]["removed_at"] = when
        modules.append(fitting(f"R-{name}-2", 2, when + random.choice((0, HOUR_MS // 2, 5 * HOUR_MS))))
        channels.append(Channel(f"R-{name}-2", 2, 0, digits, usual))
    path = PATHS[random.randrange(len(PATHS))]
    return usage_point(name, meters, modules, object_path=path), channels


def _thermometer(random: Random, place: Place, house: str) -> Described:
    before = place.start_ms - 24 * HOUR_MS
    scale = meter(before, pulse_weight=1, class_ppm=0)
    channel = fitting(f"R-F-0{house}", 0, before)
    path = PATHS[random.randrange(len(PATHS))]
    outdoor = random.random() < 0.4
    return usage_point(
        f"T-1{house}", [scale], [channel], resource="TEMPERATURE", object_path=path[:2], outdoor=outdoor
    )


def _make_group(random: Random, place: Place, group_id: str, names: list[str]) -> Described:
    before = place.start_ms - 30 * 24 * HOUR_MS
    members = []
    for name in names:
        start = instant_of(random, place) if random.random() < 0.1 else before
        end = instant_of(random, place) if random.random() < 0.1 else None
        if end is not None and end <= start:
            end = None
        coefficient = random.choice((1_000_000, 1_000_000, 500_000, -1_000_000))
        role = "SUPPLY" if name.startswith("S") else "MEMBER"
        members.append(membership(name, role, start, end, coefficient))
    return balance_group(group_id, members)


def _make_nest(random: Random, place: Place, house: str) -> Described:
    """A group of groups: of some that are there, of itself, of one that nobody described."""
    before = place.start_ms - 30 * 24 * HOUR_MS
    members = [membership(f"S{house}", "SUPPLY", before)]
    for name in random.sample(("G-1", "G-1", "G-2", "G-3", "G-9"), random.randint(1, 3)):
        start = instant_of(random, place) if random.random() < 0.3 else before
        role = random.choice(("MEMBER", "MEMBER", "SUPPLY"))
        members.append(nested(name + house, role, start, None, random.choice((1_000_000, -500_000))))
    return balance_group("G-3" + house, members)


def history_of(random: Random, asset: Described) -> list[Described]:
    """The asset as it is in the end, after versions in which it was poorer, deleted or not there at all."""
    kind = next(name for name in ("members", "channels", "settings") if name in asset)
    poorer = [asset | {kind: asset[kind][:-1]}, asset | {"state": "DELETED"}]
    if kind == "channels":
        poorer.append(asset | {"meters": [m | {"pulse_weight": 3} for m in asset["meters"]]})
    versions = random.sample(poorer, random.randint(0, 2))
    final = asset | {"state": "DELETED"} if random.random() < 0.05 else asset
    return [version | {"version": n + 1} for n, version in enumerate([*versions, final])]


def instant_of(random: Random, place: Place) -> int:
    """An instant of the played days: on an hour, a quarter, or anywhere."""
    grain = random.choice((24 * HOUR_MS, HOUR_MS, HOUR_MS // 4, 1000))
    span = place.end_ms - place.start_ms
    return place.start_ms + random.randrange(0, span // grain + 1) * grain
