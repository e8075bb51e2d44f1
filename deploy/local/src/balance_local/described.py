"""A described fleet: usage points, balance groups, modules and concentrators as people write them, made into
records of the contract.

The shape is that of the Avro records, with times as `2024-10-01T00:00:00+03:00` and without `version`. Every
error of a fleet is reported at once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from balance_schemas import avsc

USAGE_POINT = "balance.v1.UsagePointDescribed"
BALANCE_GROUP = "balance.v1.BalanceGroupDescribed"
MODULE = "balance.v1.ModuleDescribed"
CONCENTRATOR = "balance.v1.ConcentratorDescribed"

Described = Mapping[str, Any]
_UNSPECIFIED = "UNSPECIFIED"
_MEMBERSHIP = "Membership"
_FILE_KEYS = ("usage_points", "balance_groups", "modules", "concentrators")
_INTEGERS = {"int": 2**31, "long": 2**63}


class FleetError(ValueError):
    """A described fleet is wrong. `problems` holds a sentence for each thing that is."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep all problems and show all of them."""
        super().__init__(
            "the described fleet is wrong:\n" + "\n".join(f"- {problem}" for problem in problems)
        )
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Entity:
    """One aggregate: its key on the topic, its record's name, its value with instants in ms and version 0."""

    key: str
    record: str
    value: dict[str, Any]


@dataclass(frozen=True)
class Written:
    """A fleet as it is written."""

    usage_points: Sequence[Described] = ()
    balance_groups: Sequence[Described] = ()
    modules: Sequence[Described] = ()
    concentrators: Sequence[Described] = ()


def read_file(path: Path) -> Written:
    """The lists of a YAML file as they are written. Raises FleetError."""
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        raise FleetError([f"{path}: expected a file of YAML, found: {found}"]) from error
    if not isinstance(document, dict) or set(document) - set(_FILE_KEYS):
        found = ", ".join(map(str, document)) if isinstance(document, dict) else type(document).__name__
        raise FleetError([f"{path}: expected lists of {', '.join(_FILE_KEYS)}, found {found}"])
    lists = [document.get(key) or [] for key in _FILE_KEYS]
    wrong = [
        f"{key}: expected a list"
        for key, found in zip(_FILE_KEYS, lists, strict=True)
        if not isinstance(found, list)
    ]
    if wrong:
        raise FleetError(wrong)
    return Written(*lists)


def entities(
    usage_points: Sequence[Described],
    balance_groups: Sequence[Described],
    known: Mapping[str, str] | None = None,
    modules: Sequence[Described] = (),
    concentrators: Sequence[Described] = (),
    known_concentrators: Collection[str] = (),
    known_groups: Mapping[str, str] | None = None,
) -> list[Entity]:
    """Records of a fleet. `known` gives the resource of usage points published before, `known_groups` that of
    balance groups, `known_concentrators` the concentrators. Raises FleetError.
    """
    problems: list[str] = []
    points = list(read_all(USAGE_POINT, "usage_point_id", "usage-point", usage_points, problems))
    groups = list(read_all(BALANCE_GROUP, "group_id", "balance-group", balance_groups, problems))
    radio = list(read_all(MODULE, "module_id", "module", modules, problems))
    gatherers = list(read_all(CONCENTRATOR, "concentrator_id", "concentrator", concentrators, problems))
    if not problems:  # what follows relies on the shape
        for entity in points:
            problems.extend(f"{entity.key}: {problem}" for problem in _usage_point_problems(entity.value))
        problems.extend(_channel_problems(points))
        resources = {**(known or {}), **{e.value["usage_point_id"]: e.value["resource"] for e in points}}
        nested = {**(known_groups or {}), **{e.value["group_id"]: e.value["resource"] for e in groups}}
        for entity in groups:
            problems.extend(
                f"{entity.key}: {problem}" for problem in _group_problems(entity.value, resources, nested)
            )
        gathering = {*known_concentrators, *(e.value["concentrator_id"] for e in gatherers)}
        for entity in (*radio, *gatherers):
            problems.extend(
                f"{entity.key}: {problem}" for problem in _device_problems(entity.value, gathering)
            )
    if problems:
        raise FleetError(problems)
    return [*points, *groups, *radio, *gatherers]


def read_all(
    record: str, id_field: str, kind: str, written: Sequence[Described], problems: list[str]
) -> Iterator[Entity]:
    """Entities of one record type with version 0 and a key of kind and id; what is wrong is added to
    `problems`.
    """
    seen: set[str] = set()
    for number, one in enumerate(written, 1):
        identifier = one.get(id_field) if isinstance(one, Mapping) else None
        at = f"{kind}/{identifier}" if identifier else f"{kind} no. {number}"
        if at in seen:
            problems.append(f"{at}: expected each once, found it again at no. {number}")
        seen.add(at)
        value = dict(one) if isinstance(one, Mapping) else one
        if isinstance(value, dict):
            value["version"] = 0  # given when it is published
            value.setdefault("state", "ACTIVE")
        yield Entity(f"{kind}/{identifier}", record, _Reader(problems).read(avsc.newest(record), value, at))


class _Reader:
    """Reads a value as its Avro schema says; what does not fit is noted, and reading goes on."""

    def __init__(self, problems: list[str]) -> None:
        self._problems = problems
        self._named: dict[str, Any] = {}

    def read(self, schema: Any, value: Any, at: str) -> Any:
        if isinstance(schema, list):
            others = [branch for branch in schema if branch != "null"]
            return None if value is None and len(others) < len(schema) else self.read(others[0], value, at)
        if isinstance(schema, str):
            return (
                self.read(self._named[schema], value, at)
                if schema in self._named
                else self._plain(schema, value, at)
            )
        if "name" in schema:
            self._named[schema["name"]] = schema
        kind = schema["type"]
        if kind == "record":
            return self._record(schema, value, at)
        if kind == "array":
            if isinstance(value, list | tuple):
                return [self.read(schema["items"], one, f"{at}[{n}]") for n, one in enumerate(value, 1)]
            return self._wrong(at, "a list", value)
        if kind == "enum":
            symbols = [symbol for symbol in schema["symbols"] if symbol != _UNSPECIFIED]
            return value if value in symbols else self._wrong(at, f"one of {', '.join(symbols)}", value)
        if schema.get("logicalType") == "timestamp-millis":
            return self._instant(value, at)
        return self._plain(kind, value, at)

    def _record(self, schema: Any, value: Any, at: str) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong(at, "fields", value)
        fields = {field["name"]: field for field in schema["fields"]}
        for name in value:
            if name not in fields:
                self._problems.append(f"{at}: unknown field {name}; expected {', '.join(fields)}")
        read = {}
        is_nested = schema["name"] == _MEMBERSHIP and value.get("group_id") is not None
        for name, field in fields.items():
            if is_nested and name == "usage_point_id":
                read[name] = ""
                if value.get(name):
                    self._wrong(at, "a point or a group", value)
            elif name in value:
                read[name] = self.read(field["type"], value[name], f"{at}.{name}")
            elif "default" in field:
                read[name] = field["default"]
            else:
                self._problems.append(f"{at}.{name} is missing: {field['doc']}")
        return read

    def _instant(self, value: Any, at: str) -> Any:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                return self._wrong(at, "an instant such as 2024-10-01T00:00:00+03:00", value)
        if isinstance(value, datetime) and value.tzinfo:
            return round(value.timestamp() * 1000)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        return self._wrong(at, "an instant with its offset, such as 2024-10-01T00:00:00+03:00", value)

    def _plain(self, kind: str, value: Any, at: str) -> Any:
        if kind in _INTEGERS:
            limit = _INTEGERS[kind]
            fits = isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit
            return value if fits else self._wrong(at, "a whole number", value)
        if kind == "boolean":
            return value if isinstance(value, bool) else self._wrong(at, "true or false", value)
        if kind == "string":
            return value if isinstance(value, str) and value else self._wrong(at, "a text", value)
        raise TypeError(f"{at}: no reader for Avro type {kind}")

    def _wrong(self, at: str, expected: str, found: Any) -> None:
        self._problems.append(f"{at}: expected {expected}, found {found!r}")


def _usage_point_problems(point: Described) -> Iterator[str]:
    for meter in point["meters"]:
        number = meter["meter_number"]
        for field in ("accuracy_class_ppm", "pulse_weight", "register_digits", "q_max"):
            if meter[field] <= 0:
                yield f"meter {number}: {field}: expected a number above 0, found {meter[field]}"
        for field in ("initial_register", "final_register"):
            if meter[field] is not None and not 0 <= meter[field] < 10 ** meter["register_digits"]:
                digits = meter["register_digits"]
                yield f"meter {number}: {field}: expected at most {digits} digits, found {meter[field]}"
    yield from _order_problems("meters", point["meters"], "fitted_at", "removed_at")
    yield from _order_problems("channels", point["channels"], "fitted_at", "removed_at")


def _group_problems(
    group: Described, resources: Mapping[str, str], groups: Mapping[str, str]
) -> Iterator[str]:
    if group["state"] == "ACTIVE" and not any(member["role"] == "SUPPLY" for member in group["members"]):
        yield "expected a SUPPLY meter at least, found none"
    spells: dict[str, list[Described]] = {}
    for member in group["members"]:
        nested = member["group_id"]
        name, described = (nested, groups) if nested else (member["usage_point_id"], resources)
        spells.setdefault(f"group {name}" if nested else name, []).append(member)
        if name not in described:
            kind = "balance group" if nested else "usage point"
            yield f"member {name}: expected a {kind} described here or published before"
        elif described[name] != group["resource"]:
            yield f"member {name}: expected {group['resource']} as of the group, found {described[name]}"
    for name, members in spells.items():
        by_time = sorted(members, key=lambda member: member["valid_from"])
        yield from _order_problems(f"memberships of {name}", by_time, "valid_from", "valid_to")


def _channel_problems(points: Sequence[Entity]) -> Iterator[str]:
    """A module channel counts one meter at a time."""
    fitted: dict[tuple[str, int], list[tuple[int, float, str]]] = {}
    for entity in points:
        if entity.value["state"] == "ACTIVE":
            for c in entity.value["channels"]:
                until = float("inf") if c["removed_at"] is None else c["removed_at"]
                fitted.setdefault((c["module_id"], c["channel"]), []).append(
                    (c["fitted_at"], until, entity.key)
                )
    for (module, channel), spells in fitted.items():
        for (_, until, first), (since, _, second) in pairwise(sorted(spells)):
            if since < until and first != second:
                yield f"{second}: channel {channel} of module {module}: expected it free, found it at {first}"


def _device_problems(device: Described, concentrators: Collection[str]) -> Iterator[str]:
    """Of a module or a concentrator: what is fitted and set stands until the next."""
    if device["state"] == "ACTIVE" and not device["settings"]:
        yield "settings: expected one at least, from when it is there, found none"
    for what, since in (("settings", "valid_from"), ("batteries", "fitted_at")):
        if any(later[since] <= earlier[since] for earlier, later in pairwise(device[what])):
            yield f"{what}: expected them in order of time, each later than the one before"
    for setting in device["settings"]:
        name = setting.get("concentrator_id")
        if name is not None and name not in concentrators:
            yield f"settings: expected a concentrator described here or published before, found {name}"


def _order_problems(what: str, spells: Sequence[Described], since: str, until: str) -> Iterator[str]:
    for spell in spells:
        if spell[until] is not None and spell[until] <= spell[since]:
            yield f"{what}: expected {until} after {since}"
    for earlier, later in pairwise(spells):
        if earlier[until] is None or later[since] < earlier[until]:
            yield f"{what}: expected them in order of time and not overlapping"
