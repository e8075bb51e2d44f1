"""Everything that is ever sent in a small world, clean and dirty, and the orders in which it may come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random

from balance_oracle.deciding import make_edits
from balance_oracle.describe import Described, archive, packet, registers
from balance_oracle.devices import (
    described_concentrators,
    described_modules,
    event_packets,
    state_packets,
    with_sessions,
)
from balance_oracle.fleets import PLACES, Channel, Fleet, Place, latest, make_fleet, make_place
from balance_oracle.sections import NOT_YET
from balance_oracle.sensing import make_sensors, measurement_packets
from balance_oracle.settings import Settings
from balance_oracle.skies import make_sky, weather_days
from balance_oracle.tables import Tables, compute
from balance_oracle.telemetry import ELEMENTS

HOUR_S = 3600
GAPS_S = (300, 1800, 3600, 3600, 7000, 7201, 20_000, 90_000)


@dataclass(frozen=True)
class World:
    """An installation's calendar, every version of its assets and edits, and every packet, in no order.

    ``left_out`` are sections of the page of which it holds nothing and which its tables go without.
    """

    place: Place
    fleet: Fleet
    packets: tuple[Described, ...]
    edits: tuple[Described, ...] = ()
    weather: tuple[Described, ...] = ()
    left_out: frozenset[str] = frozenset()

    def tables(self) -> Tables:
        """What the tables must be in the end, with the newest receipt as clock."""
        return compute(
            self.packets,
            latest(self.fleet.usage_points, "usage_point_id"),
            latest(self.fleet.balance_groups, "group_id"),
            zone=self.place.zone,
            day_start_hour=self.place.day_start_hour,
            modules=latest(self.fleet.modules, "module_id"),
            concentrators=latest(self.fleet.concentrators, "concentrator_id"),
            edits=self.edits,
            weather=self.weather,
            settings=Settings(left_out=self.left_out),
        )

    def messages(self) -> list[Described]:
        """Packets, asset versions, edits and weather days, one of each."""
        fleet = self.fleet
        assets = (*fleet.usage_points, *fleet.balance_groups, *fleet.modules, *fleet.concentrators)
        return [*assets, *self.edits, *self.weather, *self.packets]

    def as_delivered(self, messages: Sequence[Described]) -> World:
        """The same world, of the packets that were really sent: split, contradicting, twice."""
        return replace(self, packets=tuple(one for one in messages if "packet_id" in one))


def make_world(
    random: Random,
    places: Sequence[tuple[str, int, int]] = PLACES,
    left_out: frozenset[str] = NOT_YET,
) -> World:
    """A world by chance, in one of the places; the same for the same state of ``random``."""
    days = random.choice(((2, 8), (2, 8), (2, 8), (2, 8), (15, 30)))
    place = make_place(random, *days, places=places)
    return _furnished(random, place, left_out, "")


def make_town(random: Random, houses: int, *, days: int, left_out: frozenset[str] = NOT_YET) -> World:
    """Many small worlds side by side, in one calendar."""
    place = make_place(random, days, days)
    worlds = [_furnished(random, place, left_out, f".{number}") for number in range(houses)]
    fleets = [world.fleet for world in worlds]
    return World(
        place,
        Fleet(
            tuple(version for fleet in fleets for version in fleet.usage_points),
            tuple(version for fleet in fleets for version in fleet.balance_groups),
            tuple(channel for fleet in fleets for channel in fleet.channels),
            tuple(version for fleet in fleets for version in fleet.modules),
            tuple(version for fleet in fleets for version in fleet.concentrators),
            tuple(channel for fleet in fleets for channel in fleet.sensors),
        ),
        tuple(packet for world in worlds for packet in world.packets),
        tuple(edit for world in worlds for edit in world.edits),
        tuple(weather_days(random, place, make_sky(random, place))),
        left_out,
    )


def _furnished(random: Random, place: Place, left_out: frozenset[str], house: str) -> World:
    """One house with everything in it that is not left out."""
    fleet = make_fleet(random, place, house=house)
    packets = make_packets(random, place, fleet, house)
    extra = Random(random.getrandbits(64))
    edits: list[Described] = []
    if "sensors" not in left_out:
        points, sensors = make_sensors(extra, place, house)
        fleet = replace(fleet, usage_points=(*fleet.usage_points, *points), sensors=tuple(sensors))
        packets += measurement_packets(extra, place, fleet.sensors, len(packets) + 1)
    if "due" not in left_out:
        fleet = replace(
            fleet,
            modules=tuple(described_modules(extra, place, fleet, house)),
            concentrators=tuple(described_concentrators(extra, place, house)),
        )
    if "faults" not in left_out:
        packets += event_packets(extra, place, fleet, len(packets) + 1, house)
    if "clocks" not in left_out:
        packets += state_packets(extra, place, fleet, len(packets) + 1, house)
    if "edits" not in left_out:
        edits = make_edits(extra, place, fleet)
    if "delivery" not in left_out:
        packets = with_sessions(extra, packets)
    weather = weather_days(extra, place, make_sky(extra, place)) if not house else []
    return World(place, fleet, tuple(packets), tuple(edits), tuple(weather), left_out)


def make_packets(random: Random, place: Place, fleet: Fleet, house: str = "") -> list[Described]:
    """What every channel, and one that nobody registered, reports over the days."""
    stranger = Channel(f"R-X{house}", 3, 0, 8, 2)
    packets: list[Described] = []
    for channel in (*fleet.channels, stranger):
        for archives, entries, received in _reports(random, place, channel):
            sequence = len(packets) + 1
            concentrator = random.choice(("J-1", "J-2")) + house
            one = packet(sequence, received, archives, entries, concentrator_id=concentrator)
            packets.append(one)
            if random.random() < 0.05:
                packets.append(_contradicting(random, one))
            if random.random() < 0.1:
                packets.append(_superseded(random, one, len(packets) + 1))
    if random.random() < 0.5:
        packets.append(_later(random, place, len(packets) + 1, house))
    return packets


def delivered(world: World, random: Random) -> list[Described]:
    """All messages in some order: packets split by element, everything shuffled, some of it twice."""
    messages: list[Described] = []
    for message in world.messages():
        messages += _split(message) if "archives" in message and random.random() < 0.3 else [message]
    messages += [message for message in messages if random.random() < 0.2]
    random.shuffle(messages)
    return messages


def _split(whole: Described) -> list[Described]:
    nothing: Described = {name: [] for name in ELEMENTS}
    parts = [nothing | {name: [element]} for name in ELEMENTS for element in whole[name]]
    return [whole | part | {"packet_id": f"{whole['packet_id']}/{n}"} for n, part in enumerate(parts)] or [
        whole
    ]


def _contradicting(random: Random, one: Described) -> Described:
    """The same report under the same sequence with another number in it."""
    archives = []
    for element in one["archives"]:
        values = list(element["values"])
        values[random.randrange(len(values))] += 1
        archives.append(element | {"values": values})
    return one | {"archives": archives, "packet_id": one["packet_id"] + "-again"}


def _later(random: Random, place: Place, sequence: int, house: str) -> Described:
    """A packet that says nothing but that days have passed."""
    received = place.end_ms + random.choice((30, 40, 100, 150, 300, 900)) * HOUR_S * 1000
    return packet(sequence, received, concentrator_id="J-1" + house)


def _superseded(random: Random, one: Described, sequence: int) -> Described:
    """Numbers of the same intervals that yield: not final, though they have a higher sequence."""
    archives = [
        element | {"kind": "CURRENT", "values": [value + random.randint(0, 9) for value in element["values"]]}
        for element in one["archives"]
    ]
    return one | {
        "archives": archives,
        "registers": [],
        "sequence": sequence,
        "packet_id": f"early-{sequence}",
    }


Report = tuple[list[Described], list[Described], int]


def _reports(random: Random, place: Place, channel: Channel) -> list[Report]:
    counted = (_daily, _daily, _daily, _whole, _intraday, _holey, _holey, _holey)
    habit = random.choice((*counted, _irregular, _alternating, _sparse, _weekly, _weekly))
    if channel.channel == 0 or (channel.module_id.startswith("R-S") and random.random() < 0.7):
        habit = _daily
    reports = habit(random, place, channel)
    if random.random() < 0.2:
        reports += _irregular(random, place, channel) if channel.channel else []
    return [_spoilt(random, report) for report in reports]


class Counter:
    """The register of a device: counts by chance and never tires."""

    def __init__(self, random: Random, channel: Channel) -> None:
        self._random = random
        self._channel = channel
        self._modulus = 10**channel.digits
        self.register = channel.first_register

    def count(self) -> int:
        """The next interval."""
        if self._channel.channel == 0:
            return self._channel.usual_count + self._random.randint(-30_000, 1000)
        value = self._random.randint(0, self._channel.usual_count)
        self.register = (self.register + value) % self._modulus
        return value


def _day_end(place: Place, index: int) -> int:
    return place.day_starts[index + 1] if index + 1 < len(place.day_starts) else place.end_ms // 1000


def _archive(counter: Counter, channel: Channel, start: int, end: int, step: int, kind: str) -> Described:
    before = counter.register
    values = [counter.count() for _ in range(start, end, step)]
    known = channel.channel != 0
    return archive(
        channel.module_id,
        channel.channel,
        start * 1000,
        values,
        step_s=step,
        kind=kind,
        register_start=before if known else None,
        register_end=counter.register if known else None,
    )


def _daily(random: Random, place: Place, channel: Channel) -> list[Report]:
    """One archive a day; sometimes a day in two parts, or first as CURRENT."""
    counter = Counter(random, channel)
    step = random.choice((3600, 3600, 1800))
    two_devices = random.random() < 0.3
    reports: list[Report] = []
    silent = random.choice((0.0, 0.0, 0.3))
    for index, start in enumerate(place.day_starts):
        if random.random() < silent:
            continue
        end = _day_end(place, index)
        middle = start + 3 * HOUR_S if random.random() < 0.2 else end
        kind = "CURRENT" if random.random() < 0.2 else "ARCHIVED"
        archives = [_archive(counter, channel, start, middle, step, kind)]
        if middle < end:
            archives.append(_archive(counter, channel, middle, end, step, "ARCHIVED"))
        if two_devices:
            counter.register += 500 if index % 2 == 0 else -500
        reports.append((archives, [], end * 1000 + random.choice((60_000, 5_000_000))))
    return reports


def _whole(random: Random, place: Place, channel: Channel) -> list[Report]:
    """One archive over all days, as after a long silence, from somewhere in the first."""
    step = random.choice((900, 1800, 3600))
    start = place.day_starts[0] + random.choice((0, 0, 5 * HOUR_S, 13 * HOUR_S + 1800 // step * step))
    end = place.end_ms // 1000
    one = _archive(
        Counter(random, channel), channel, start, start + (end - start) // step * step, step, "ARCHIVED"
    )
    return [([one], [], end * 1000)]


def _intraday(random: Random, place: Place, channel: Channel) -> list[Report]:
    """A few hours a packet, in a fine step, with the day's archive at times."""
    counter = Counter(random, channel)
    step = random.choice((900, 1800, 3600))
    reports: list[Report] = []
    start, last = place.day_starts[0], _day_end(place, random.randrange(len(place.day_starts)))
    while start < last:
        end = min(start + random.choice((1, 2, 6)) * HOUR_S, last)
        kind = random.choice(("CURRENT", "ARCHIVED"))
        reports.append(([_archive(counter, channel, start, end, step, kind)], [], (end + 30) * 1000))
        start = end
    return reports


def _irregular(random: Random, place: Place, channel: Channel) -> list[Report]:
    """Registers whenever the device likes, some a pulse below the one before."""
    counter = Counter(random, channel)
    instants, levels = [], []
    at = place.day_starts[0] - random.choice((0, 1800, 100_000))
    while at < place.end_ms // 1000:
        for _ in range(random.randint(0, 4)):
            counter.count()
        instants.append(at)
        levels.append(max(0, counter.register - random.choice((0, 0, 0, 1))))
        at += random.choice(GAPS_S)
    return _register_reports(random, channel, instants, levels)


def _alternating(random: Random, place: Place, channel: Channel) -> list[Report]:
    """Two devices under one key, for some hours among honest ones."""
    instants = list(range(place.day_starts[0], place.end_ms // 1000, 2 * HOUR_S))
    first, last = sorted((random.randrange(len(instants)), random.randrange(len(instants))))
    levels = [
        100 + n + (50_000 if first <= n < last and (n - first) % 2 == 0 else 0) for n in range(len(instants))
    ]
    return _register_reports(random, channel, instants, levels)


def _sparse(random: Random, place: Place, channel: Channel) -> list[Report]:
    """A register a day or so, now and then after a month."""
    counter = Counter(random, channel)
    start = place.day_starts[0]
    instants = [start - random.choice((31, 32, 33)) * 24 * HOUR_S, start + 100, place.end_ms // 1000 - 50]
    levels = []
    for _ in instants:
        levels.append(counter.register)
        counter.count()
    return _register_reports(random, channel, instants, levels)


def _holey(random: Random, place: Place, channel: Channel) -> list[Report]:
    """Days in pieces of some hours, many of them lost, with registers at most of their edges."""
    counter = Counter(random, channel)
    step = random.choice((900, 1800, 3600))
    lost, shares = random.choice((0.1, 0.3, 0.6)), random.choice((1, 2, 5))
    reports: list[Report] = []
    for index, start in enumerate(place.day_starts):
        end = _day_end(place, index)
        inner = random.sample(range(start + HOUR_S, end, HOUR_S), shares - 1)
        pieces = []
        for first, last in pairwise([start, *sorted(inner), end]):
            piece = _archive(counter, channel, first, last, step, "ARCHIVED")
            if random.random() < 0.1:
                piece |= {"register_start": None}
            if random.random() >= lost:
                pieces.append(piece)
        if pieces:
            reports.append((pieces, [], end * 1000 + 60_000))
    return reports


def _weekly(random: Random, place: Place, channel: Channel) -> list[Report]:
    """A register each day or week and no hours, but for some days told in full."""
    counter = Counter(random, channel)
    every, told = random.choice((1, 2, 7)), random.choice((0, 0.3, 0.7))
    reports: list[Report] = []
    for index, start in enumerate(place.day_starts):
        if index % every == 0:
            entry = registers(channel.module_id, channel.channel, start * 1000, [0], [counter.register])
            reports.append(([], [entry], start * 1000 + 90_000))
        end = _day_end(place, index)
        one = _archive(counter, channel, start, end, 3600, "ARCHIVED")
        if random.random() < told:
            reports.append(([one], [], end * 1000 + 60_000))
    return reports


def _register_reports(
    random: Random, channel: Channel, instants: Sequence[int], levels: Sequence[int]
) -> list[Report]:
    reports: list[Report] = []
    pairs = list(zip(instants, levels, strict=True))
    while pairs:
        some, pairs = pairs[: (size := random.randint(1, 12))], pairs[size:]
        start = some[0][0]
        entry = registers(
            channel.module_id,
            channel.channel,
            start * 1000,
            [at - start for at, _ in some],
            [level for _, level in some],
        )
        reports.append(([], [entry], (some[-1][0] + 90) * 1000))
    return reports


def _spoilt(random: Random, report: Report) -> Report:
    """Now and then a report with a fault of the kind the field shows."""
    archives, entries, received = report
    if random.random() >= 0.15:
        return report
    if archives:
        return [_spoilt_archive(random, archives[0]), *archives[1:]], entries, received
    return archives, [_spoilt_registers(random, entries[0])], received


def _spoilt_archive(random: Random, element: Described) -> Described:
    values = list(element["values"])
    place = random.randrange(len(values))
    fault = random.choice(("hole", "negative", "high", "register", "future", "stale", "absurd", "edge"))
    if fault == "hole":
        return element | {"missing": sorted({place, random.randrange(len(values))})}
    if fault in ("negative", "high"):
        values[place] = -3 if fault == "negative" else 10**6
        return element | {"values": values}
    if fault == "register" and element["register_end"] is not None:
        return element | {
            "register_end": max(0, element["register_end"] + random.choice((-400, -2, 2, 3, 77)))
        }
    if fault == "edge":
        return element | {"register_start": None}
    shifts = {"future": 40 * 24, "stale": -1200 * 24}
    if fault in shifts:
        return element | {"start_at": element["start_at"] + shifts[fault] * HOUR_S * 1000}
    return element | random.choice(
        ({"step_s": 60}, {"channel": 77}, {"kind": "UNSPECIFIED"}, {"missing": [-1]})
    )


def _spoilt_registers(random: Random, element: Described) -> Described:
    values = list(element["values"])
    place = random.randrange(len(values))
    fault = random.choice(("fall", "high", "future", "absurd"))
    if fault == "future":
        return element | {"start_at": element["start_at"] + 50 * 24 * HOUR_S * 1000}
    if fault == "absurd":
        return element | {"values": values[:-1]}
    values[place] = values[place] // 2 if fault == "fall" else values[place] + 20_000
    return element | {"values": values}
