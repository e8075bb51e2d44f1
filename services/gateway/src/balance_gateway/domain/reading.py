"""Reads what people wrote about an entity into the value of its record, and notes all that does not fit.

The Avro schema of the record says which fields there are. Texts from a table are taken for numbers, instants
and yes or no.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from balance_kernel.calendar import Calendar

from balance_gateway.domain.kinds import Entity, Kind, Value
from balance_gateway.domain.problems import Path, Problem, expected

_UNSPECIFIED = "UNSPECIFIED"
_LIMITS = {"int": 2**31, "long": 2**63}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})|(\d{2})\.(\d{2})\.(\d{4})")
_LONGEST_TEXT = 256
_INSTANT = "a day such as 2024-10-01, or an instant such as 2024-10-01T00:00:00+03:00"
_NO_TEXT = ("group_id", "usage_point_id")
_SPACES = str.maketrans("", "", " \u00a0\u2009\u202f")


class Reader:
    """Reads entities of one kind; `schema` is that of its record, `calendar` says when a day starts."""

    def __init__(self, kind: Kind, schema: Mapping[str, Any], calendar: Calendar) -> None:
        """Take them."""
        self._kind = kind
        self._schema = schema
        self._calendar = calendar
        self._zone = ZoneInfo(calendar.zone)
        self._named: dict[str, Any] = {}
        self._problems: list[Problem] = []
        self._subject = ""

    def read(self, written: Any, subject: str, standing: Value | None) -> tuple[Entity | None, list[Problem]]:
        """The entity, None without an id, and what is wrong.

        Fields that are not written stay as they stand; a new entity has the schema's defaults, and nothing
        in its lists.
        """
        self._subject, self._problems = subject, []
        if not isinstance(written, Mapping):
            self._wrong((), "fields", written)
            return None, self._problems
        given = dict(written)
        if standing is not None:
            given = {**standing, **given}
        given["version"] = 0  # given when it is stored
        if given.get("state") is None:
            given["state"] = self._kind.usual
        value = self._read(self._schema, given, ())
        name = value.get(self._kind.id_field)
        if not isinstance(name, str) or self._problems:
            return None, self._problems
        del value["version"]
        return Entity(self._kind, name, value), self._problems

    def _read(self, schema: Any, value: Any, path: Path) -> Any:
        if isinstance(schema, list):
            others = [branch for branch in schema if branch != "null"]
            return None if value is None and len(others) < len(schema) else self._read(others[0], value, path)
        if isinstance(schema, str):
            named = self._named.get(schema)
            return self._plain(schema, value, path) if named is None else self._read(named, value, path)
        if "name" in schema:
            self._named[schema["name"]] = schema
        kind = schema["type"]
        if kind == "record":
            return self._record(schema, value, path)
        if kind == "array":
            if isinstance(value, list | tuple):
                return [self._read(schema["items"], one, (*path, n)) for n, one in enumerate(value)]
            return self._wrong(path, "a list", value)
        if kind == "enum":
            symbols = [symbol for symbol in schema["symbols"] if symbol != _UNSPECIFIED]
            return value if value in symbols else self._wrong(path, f"one of {', '.join(symbols)}", value)
        if schema.get("logicalType") == "timestamp-millis":
            return self._instant(value, path)
        return self._plain(kind, value, path)

    def _record(self, schema: Any, value: Any, path: Path) -> Any:
        if not isinstance(value, Mapping):
            return self._wrong(path, "fields", value)
        fields = {field["name"]: field for field in schema["fields"]}
        for name in value:
            if name not in fields:
                names = ", ".join(fields)
                self._note((*path, str(name)), f"no such field; expected {names}")
        is_membership = set(_NO_TEXT) <= set(fields)
        read = {}
        for name, field in fields.items():
            if is_membership and name == "usage_point_id":
                read[name] = self._member(value, (*path, name))
            elif "default" in field and value.get(name) in (None, field["default"]):
                read[name] = field["default"]
            elif name in value:
                read[name] = self._read(field["type"], value[name], (*path, name))
            elif isinstance(field["type"], Mapping) and field["type"]["type"] == "array":
                read[name] = []
            else:
                self._note((*path, name), f"is missing: {field['doc']}")
        return read

    def _member(self, membership: Mapping[str, Any], path: Path) -> Any:
        """The usage point of a membership; empty when a group stands in its place."""
        point, group = membership.get("usage_point_id"), membership.get("group_id")
        if not group:
            return self._plain("string", point, path)
        if point:
            self._wrong(path, "a point or a group", point)
        return ""

    def _instant(self, value: Any, path: Path) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        said = _instant_of(value.strip()) if isinstance(value, str) else value
        if isinstance(said, datetime):
            instant = self._local(said) if said.tzinfo is None else said
            if instant is None:
                return self._wrong(path, f"a time that the clocks of {self._zone.key} show once", value)
            return round(instant.timestamp() * 1000)
        if isinstance(said, date):
            return round(self._calendar.start_of(said).timestamp() * 1000)
        return self._wrong(path, _INSTANT, value)

    def _local(self, naive: datetime) -> datetime | None:
        """By the utility's clocks; None when they show it twice or never. Midnight alone is the start of the
        metering day, as a table's cell of a date is.
        """
        if not (naive.hour or naive.minute or naive.second or naive.microsecond):
            return self._calendar.start_of(naive.date())
        early, late = (naive.replace(tzinfo=self._zone, fold=fold) for fold in (0, 1))
        return early if early.utcoffset() == late.utcoffset() else None

    def _plain(self, kind: str, value: Any, path: Path) -> Any:
        if kind in _LIMITS:
            number = _whole(value)
            fits = number is not None and -_LIMITS[kind] <= number < _LIMITS[kind]
            return number if fits else self._wrong(path, "a whole number", value)
        if kind == "boolean":
            if isinstance(value, str):
                value = _TRUTHS.get(value.strip().lower(), value)
            return value if isinstance(value, bool) else self._wrong(path, "true or false", value)
        if kind == "string":
            if not isinstance(value, str) or not value.strip() or not value.isprintable():
                return self._wrong(path, "a text", value)
            text = value.strip()
            return (
                text
                if len(text) <= _LONGEST_TEXT
                else self._wrong(path, f"{_LONGEST_TEXT} characters at most", text)
            )
        raise TypeError(f"{path}: no reader for Avro type {kind}")

    def _wrong(self, path: Path, what: str, found: Any) -> None:
        self._note(path, expected(what, found))

    def _note(self, path: Path, words: str) -> None:
        self._problems.append(Problem(self._subject, path, words))


def _instant_of(text: str) -> date | datetime | str:
    """A date or a time; the text itself when it is neither."""
    try:
        if day := _DAY.fullmatch(text):
            year, month, number, *of = day.groups()
            return date(int(year), int(month), int(number)) if year else date(*map(int, reversed(of)))
        return datetime.fromisoformat(text)
    except ValueError:
        return text


def _whole(value: Any) -> int | None:
    """A whole number, also as a table writes it: 1 000, 8.0."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value == int(value) else None
    if isinstance(value, str) and _WHOLE.fullmatch(text := value.translate(_SPACES)):
        return int(text.split(".")[0])
    return None


def instant_text(milliseconds: int) -> str:
    """An instant as people and files write it, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z")
