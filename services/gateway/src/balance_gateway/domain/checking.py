"""What may stand on the register together: rules over entities whose shape is right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from balance_kernel.calendar import HOUR_S, Calendar

from balance_gateway.domain.kinds import (
    BALANCE_GROUP,
    CONCENTRATOR,
    MODULE,
    READING_EDIT,
    USAGE_POINT,
    Entity,
    Value,
)
from balance_gateway.domain.problems import Path, Problem, expected
from balance_gateway.domain.radio import RADIO_BUDGET, Settings, over_budget

LEAST_FIRMWARE = 18
"""From which a module has the modes WEEKLY and MONTHLY (docs/domain.md §3.17)."""
_RARE_MODES = ("WEEKLY", "MONTHLY")
_MOST_PATH = 16
_ABOVE_ZERO = ("accuracy_class_ppm", "pulse_weight", "register_digits", "q_max")
_MOST_DIGITS = 18
_HOUR_MS = HOUR_S * 1000
_MOST_HOURS = 366 * 24
Found = Iterator[tuple[Path, str]]
Fitting = tuple[int, float, str]
"""From when, until when (inf: it stands), whose."""


@dataclass(frozen=True)
class Known:
    """What stands on the register beside the entities that are checked."""

    resources: Mapping[str, str] = field(default_factory=dict)
    """Of usage points, by id."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Resources of balance groups, by id."""
    concentrators: Collection[str] = ()
    channels: Mapping[tuple[str, int], Sequence[Fitting]] = field(default_factory=dict)
    """By module and channel the usage points that it counts."""
    settings: Settings = field(default_factory=dict)
    """Of modules gathered by concentrators that the checked ones name."""


def problems_of(
    entities: Sequence[Entity], known: Known, calendar: Calendar, accepted: Collection[str] = ()
) -> list[Problem]:
    """All that is wrong with these entities among what is known; of `accepted` rules nothing is said."""
    active = [entity for entity in entities if entity.value["state"] == "ACTIVE"]
    resources = {**known.resources, **_resources(entities, USAGE_POINT.word)}
    groups = {**known.groups, **_resources(entities, BALANCE_GROUP.word)}
    gathering = {*known.concentrators, *(e.name for e in entities if e.kind is CONCENTRATOR)}
    checks: Mapping[str, Callable[[Value], Found]] = {
        USAGE_POINT.word: _usage_point,
        BALANCE_GROUP.word: lambda value: _group(value, resources, groups),
        MODULE.word: lambda value: _module(value, gathering),
        CONCENTRATOR.word: _device,
        READING_EDIT.word: lambda value: _edit(value, calendar),
    }
    problems = [
        Problem(entity.subject, path, words)
        for entity in entities
        for path, words in checks[entity.kind.word](entity.value)
    ]
    problems += _channels([e for e in active if e.kind is USAGE_POINT], known.channels)
    if RADIO_BUDGET not in accepted:
        problems += over_budget([e for e in active if e.kind is MODULE], known.settings)
    return problems


def _resources(entities: Sequence[Entity], word: str) -> dict[str, str]:
    return {entity.name: entity.value["resource"] for entity in entities if entity.kind.word == word}


def _usage_point(point: Value) -> Found:
    for position, meter in enumerate(point["meters"]):
        at: Path = ("meters", position)
        for name in _ABOVE_ZERO:
            if meter[name] <= 0:
                yield (*at, name), expected("a number above 0", meter[name])
        digits = meter["register_digits"]
        if digits > _MOST_DIGITS:
            yield (*at, "register_digits"), expected(f"at most {_MOST_DIGITS}", digits)
            continue
        for name in ("initial_register", "final_register"):
            if meter[name] is not None and not 0 <= meter[name] < 10**digits:
                yield (*at, name), expected(f"at most {digits} digits", meter[name])
    for position, channel in enumerate(point["channels"]):
        if channel["channel"] < 0:
            yield ("channels", position, "channel"), expected("0 or a number above", channel["channel"])
    yield from _in_order("meters", point["meters"], "fitted_at", "removed_at")
    yield from _in_order("channels", point["channels"], "fitted_at", "removed_at")
    yield from _path(point)


def _path(value: Value) -> Found:
    if len(value["object_path"]) > _MOST_PATH:
        yield ("object_path",), expected(f"at most {_MOST_PATH} names", len(value["object_path"]))


def _group(group: Value, resources: Mapping[str, str], groups: Mapping[str, str]) -> Found:
    if group["state"] == "ACTIVE" and not any(member["role"] == "SUPPLY" for member in group["members"]):
        yield ("members",), "expected a SUPPLY meter at least, found none"
    spells: dict[str, list[tuple[int, Value]]] = {}
    for position, member in enumerate(group["members"]):
        nested = member["group_id"]
        name, described = (nested, groups) if nested else (member["usage_point_id"], resources)
        spells.setdefault(f"group {name}" if nested else name, []).append((position, member))
        at: Path = ("members", position, "group_id" if nested else "usage_point_id")
        if nested == group["group_id"]:
            yield at, f"expected another group than itself, found {name}"
        elif name not in described:
            kind = "balance group" if nested else "usage point"
            yield at, f"expected a {kind} of this file or of the register, found {name}"
        elif described[name] != group["resource"]:
            yield at, f"expected {group['resource']} as of the group, found {name} of {described[name]}"
    for members in spells.values():
        by_time = sorted(members, key=lambda each: int(each[1]["valid_from"]))
        yield from _spells("members", by_time, "valid_from", "valid_to")


def _module(module: Value, concentrators: Collection[str]) -> Found:
    yield from _settings(module)
    for position, setting in enumerate(module["settings"]):
        at: Path = ("settings", position)
        name = setting["concentrator_id"]
        if name is not None and name not in concentrators:
            words = f"expected a concentrator of this file or of the register, found {name}"
            yield (*at, "concentrator_id"), words
        firmware = module["firmware"]
        if setting["packet_mode"] in _RARE_MODES and (firmware is None or firmware < LEAST_FIRMWARE):
            had = "a module whose firmware is not said" if firmware is None else f"firmware {firmware}"
            words = f"expected firmware {LEAST_FIRMWARE} or later for {setting['packet_mode']}, found {had}"
            yield (*at, "packet_mode"), words


def _device(concentrator: Value) -> Found:
    yield from _settings(concentrator)
    yield from _path(concentrator)


def _settings(device: Value) -> Found:
    """Of a module or a concentrator: what is fitted and set stands until the next."""
    if device["state"] == "ACTIVE" and not device["settings"]:
        yield ("settings",), "expected one at least, from when it is there, found none"
    for what, since in (("settings", "valid_from"), ("batteries", "fitted_at")):
        for position, (earlier, later) in enumerate(pairwise(device[what]), 1):
            if later[since] <= earlier[since]:
                yield (
                    (what, position, since),
                    "expected them in order of time, each later than the one before",
                )


def _edit(edit: Value, calendar: Calendar) -> Found:
    """Whole hours of the metering day, and a value for each that is put in place (docs/domain.md §3.12)."""
    start, end = edit["start_at"], edit["end_at"]
    try:
        day = calendar.day_start(datetime.fromtimestamp(start / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        yield ("start_at",), expected("an instant of this age", f"{start} ms after 1970")
        return
    hours, rest = divmod(end - start, _HOUR_MS)
    if rest or (start - round(day.timestamp() * 1000)) % _HOUR_MS or not 0 < hours <= _MOST_HOURS:
        yield ("end_at",), f"expected whole hours, from 1 to {_MOST_HOURS} of them, from start_at to end_at"
        return
    wanted = hours if edit["action"] == "EDIT" else 0
    if len(edit["values"]) != wanted:
        yield ("values",), expected(f"{wanted} values for this {edit['action']}", len(edit["values"]))


def _channels(
    points: Sequence[Entity], standing: Mapping[tuple[str, int], Sequence[Fitting]]
) -> Iterator[Problem]:
    """A module channel counts one meter at a time."""
    fitted: dict[tuple[str, int], list[tuple[int, float, str, int | None]]] = {}
    named = {point.name for point in points}
    for key, spells in standing.items():
        fitted[key] = [(*spell, None) for spell in spells if spell[2] not in named]
    for point in points:
        for position, c in enumerate(point.value["channels"]):
            until = float("inf") if c["removed_at"] is None else c["removed_at"]
            spell = (c["fitted_at"], until, point.name, position)
            fitted.setdefault((c["module_id"], c["channel"]), []).append(spell)
    for (module, channel), every in fitted.items():
        for first, second in pairwise(sorted(every, key=lambda spell: spell[:3])):
            if second[0] < first[1] and first[2] != second[2]:
                mine, other = (second, first) if second[3] is not None else (first, second)
                words = (
                    f"expected channel {channel} of module {module} free, found it at usage-point/{other[2]}"
                )
                yield Problem(f"usage-point/{mine[2]}", ("channels", mine[3] or 0), words)


def _in_order(what: str, spells: Sequence[Value], since: str, until: str) -> Found:
    yield from _spells(what, list(enumerate(spells)), since, until)


def _spells(what: str, spells: Sequence[tuple[int, Value]], since: str, until: str) -> Found:
    """They end after they begin, and do not overlap; with their positions, in order of time."""
    for position, spell in spells:
        if spell[until] is not None and spell[until] <= spell[since]:
            yield (what, position, until), f"expected an end after {since}"
    for (_, earlier), (position, later) in pairwise(spells):
        if earlier[until] is None or later[since] < earlier[until]:
            words = "expected them in order of time and not overlapping, found it before the end of the last"
            yield (what, position, since), words
