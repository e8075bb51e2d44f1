"""Described modules and concentrators for random worlds, and what they tell of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from balance_oracle.describe import (
    Described,
    concentrator,
    module,
    module_event,
    module_state,
    packet,
    session,
)
from balance_oracle.fleets import HOUR_MS, Fleet, Place, history_of, instant_of

MODES = ("DAILY", "INTRADAY_15", "WEEKLY", "WEEKLY", "MONTHLY", "UNSPECIFIED")
PLANS = ("CONTINUOUS", "DAILY", "WEEKLY", "MONTHLY", "UNSPECIFIED")
KINDS = ("SHORT_CIRCUIT", "OPEN_CIRCUIT", "NO_SENSOR", "MAGNET", "BATTERY_LOW", "FLOOD", "RELAY_STATE")
OFFSETS_S = (0, 90, -121, 121, 600, -600, -1800, 3600, 5400, -5400, 6 * 3600, 6 * 3600 + 1)
DAY_MS = 24 * HOUR_MS


def concentrator_ids(house: str = "") -> list[str]:
    """Concentrators that deliver."""
    return ["J-1" + house, "J-2" + house]


def described_modules(random: Random, place: Place, fleet: Fleet, house: str) -> list[Described]:
    """Some of the modules, their modes changing here and there, each in some versions."""
    found = []
    for module_id in fleet.module_ids:
        if random.random() < 0.6:
            names = random.choices((None, "J-9", *concentrator_ids(house)), k=len(MODES))
            settings = [
                (since, random.choice(MODES), names[0] if random.random() < 0.5 else names[1])
                for since in _settings_since(random, place)
            ]
            found += history_of(random, module(module_id, settings, _batteries(random, place)))
    return found


def described_concentrators(random: Random, place: Place, house: str) -> list[Described]:
    """Some of those that deliver, and sometimes one that was never heard."""
    found = []
    for name in (*concentrator_ids(house), "J-9" + house):
        if random.random() < 0.5:
            settings = [(since, random.choice(PLANS)) for since in _settings_since(random, place)]
            variant = random.choice(("MAINS", "SOLAR", "DIRECT_BATTERY"))
            one = concentrator(name, settings, _batteries(random, place), variant=variant)
            found += history_of(random, one)
    return found


def _settings_since(random: Random, place: Place) -> list[int]:
    before = place.start_ms - random.choice((0, 10, 300)) * DAY_MS
    return sorted({before, *(instant_of(random, place) for _ in range(random.randint(0, 2)))})


def _batteries(random: Random, place: Place) -> list[tuple[str, int]]:
    ages = sorted((random.choice((0, 20, 40, 560, 1770, 2100, 3600)) for _ in range(2)), reverse=True)
    kinds = ("ER26500", "ER26500", "ER26500", "ICR18650", "unheard-of")
    fitted = [(random.choice(kinds), place.start_ms - age * DAY_MS) for age in ages]
    return fitted[: random.randint(0, 2)]


def event_packets(random: Random, place: Place, fleet: Fleet, first: int, house: str) -> list[Described]:
    """Events of modules in any order: faults that overlap, that nobody closes, that end before they begin."""
    packets: list[Described] = []
    for module_id in fleet.module_ids:
        if random.random() < 0.5:
            continue
        told = [_event(random, place, module_id) for _ in range(random.randint(1, 8))]
        for _ in range(random.randint(1, 3)):
            some = random.sample(told, random.randint(1, len(told)))
            packets.append(_packet(random, place, first + len(packets), house, module_events=some))
    return packets


def _event(random: Random, place: Place, module_id: str) -> Described:
    at = instant_of(random, place) + random.choice((0, 0, 999, 1000))
    channel = random.choice((None, 1, 1, 2, 3))
    kind = random.choice(KINDS)
    event = module_event(module_id, kind, random.choice(("BEGUN", "ENDED", "OCCURRED")), at, channel)
    if random.random() < 0.9:
        return event
    return event | random.choice(
        (
            {"kind": "UNSPECIFIED"},
            {"phase": "UNSPECIFIED"},
            {"channel": 16},
            {"command_id": ""},
            {"command_id": "C-1", "value": 7},
            {"occurred_at": at + 60 * DAY_MS},
            {"occurred_at": at - 1200 * DAY_MS},
        )
    )


def state_packets(random: Random, place: Place, fleet: Fleet, first: int, house: str) -> list[Described]:
    """States of modules, day by day: clocks that are right, ahead, behind, far off, or not to be trusted."""
    packets: list[Described] = []
    for module_id in fleet.module_ids:
        habit = random.choice(("silent", "steady", "steady", "drifting", "unsure"))
        offset = random.choice(OFFSETS_S)
        for day in place.day_starts if habit != "silent" else ():
            if habit == "drifting":
                offset += random.choice((0, 40, 300))
            for _ in range(random.randint(0, 2)):
                ahead = random.choice((0, 0, 0, 30, 61, -500, 7200))
                at = (day + random.randrange(0, 90_000)) * 1000
                error = random.choice((0, 400, -90)) if habit == "unsure" else random.randint(-20, 20)
                state = _state(random, module_id, at, ahead, offset + error)
                packets.append(
                    _packet(
                        random,
                        place,
                        first + len(packets),
                        house,
                        at=at + 5000,
                        clock_ahead_s=ahead,
                        module_states=[state],
                    )
                )
    return packets


def _state(random: Random, module_id: str, at: int, ahead: int, offset: int) -> Described:
    """Of a module whose clock is ``offset`` s ahead, heard at ``at`` by a concentrator ``ahead`` s ahead."""
    kappa = ahead if abs(ahead) > 60 else 0
    clock = None if random.random() < 0.1 else at + offset * 1000
    state = module_state(module_id, at + kappa * 1000, clock, random.choice((None, 3600, 3300, 3299)))
    if random.random() < 0.9:
        return state
    return state | random.choice(
        (
            {"battery_mv": -1},
            {"signal_dbm": 1},
            {"firmware": "\0"},
            {"relay_path": [""]},
            {"relay_path": ["R-1"] * 17},
            {"module_clock_at": -1},
            {"observed_at": at + 40 * DAY_MS},
            {"observed_at": at - 1200 * DAY_MS},
        )
    )


def _packet(
    random: Random,
    place: Place,
    sequence: int,
    house: str,
    *,
    at: int | None = None,
    clock_ahead_s: int = 0,
    module_events: Sequence[Described] = (),
    module_states: Sequence[Described] = (),
) -> Described:
    return packet(
        sequence,
        place.end_ms + random.choice((0, 5000)) if at is None else at,
        concentrator_id=random.choice(concentrator_ids(house)),
        clock_ahead_s=clock_ahead_s,
        module_events=module_events,
        module_states=module_states,
    )


def with_sessions(random: Random, packets: Sequence[Described]) -> list[Described]:
    """The packets with what their concentrators tell of themselves; some with a clock that is off."""
    clocks = {packet["concentrator_id"]: random.choice((0, 0, 45, -3000, 400)) for packet in packets}
    sessions: dict[tuple[str, int], Described | None] = {}
    told = []
    for one in packets:
        key = one["concentrator_id"], one["sequence"]
        if key not in sessions:
            sessions[key] = _session(random) if random.random() < 0.3 else None
        changes: Described = {"session": sessions[key]}
        if not one["module_states"]:
            changes["sent_at"] = one["received_at"] + clocks[one["concentrator_id"]] * 1000
        told.append(one | changes)
    return told


def _session(random: Random) -> Described:
    return session(
        random.choice(("UNSPECIFIED", "MAINS", "MAINS", "BACKUP")),
        random.choice((None, -70, -105, -106, 5)),
        random.choice((None, 0, 3, -1)),
    )
