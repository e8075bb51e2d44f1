"""A packet that a device wrote as JSON: the fields of the contract's record, by its own schema.

Instants are milliseconds since 1970 or RFC 3339 text. A value that is no number (null, NaN, Infinity) is a
position the device has nothing for, and goes into `missing`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from balance_chassis.errors import BadRecord
from balance_schemas import avsc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANGES = {"int": 31, "long": 63}
_SHOWN = 60


def document_of(payload: bytes) -> dict[str, Any]:
    """The object that the bytes hold. Raises BadRecord."""
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadRecord(
            f"expected JSON in UTF-8, found {len(payload)} bytes that are not ({error}): "
            "write JSON, or name the content type of what is written"
        ) from None
    if not isinstance(document, dict):
        raise BadRecord(f"expected an object with the fields of a packet, found {_show(document)}")
    return document


def record_of(document: Mapping[str, Any], record: str) -> dict[str, Any]:
    """A value of the contract's record, every field there, instants in milliseconds. Raises BadRecord."""
    return _record(_schema(record), _without_gaps(document), "")


@cache
def _schema(record: str) -> Any:
    """The record's schema with every name replaced by what it names."""
    named: dict[str, Any] = {}

    def resolved(schema: Any) -> Any:
        if isinstance(schema, str):
            return named.get(schema, schema)
        if isinstance(schema, list):
            return [resolved(branch) for branch in schema]
        if schema["type"] == "record":
            fields = [{**field, "type": resolved(field["type"])} for field in schema["fields"]]
            schema = {**schema, "fields": fields}
        elif schema["type"] == "array":
            schema = {**schema, "items": resolved(schema["items"])}
        if "name" in schema:
            named[schema["name"]] = schema
        return schema

    return resolved(avsc.newest(record))


def _without_gaps(document: Mapping[str, Any]) -> Mapping[str, Any]:
    changes: tuple[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]], ...] = (
        ("archives", lambda run: _gaps_missing(run, "values")),
        ("measurements", lambda run: _gaps_missing(run, "averages", "minima", "maxima")),
        ("registers", _gaps_left_out),
    )
    mended = dict(document)
    for field, change in changes:
        if isinstance(runs := mended.get(field), list):
            mended[field] = [change(run) if isinstance(run, dict) else run for run in runs]
    return mended


def _gaps_missing(run: dict[str, Any], main: str, *beside: str) -> dict[str, Any]:
    values, missing = run.get(main), run.get("missing", [])
    if not isinstance(values, list) or not isinstance(missing, list):
        return run
    gaps = [position for position, value in enumerate(values) if _is_gap(value)]
    # A position said to be missing may hold anything; beside it, only where the main value is a gap too.
    empty = set(gaps) | {position for position in missing if type(position) is int}
    filled = {
        field: [0 if at in empty and _is_gap(value) else value for at, value in enumerate(run[field])]
        for field in (main, *beside)
        if isinstance(run.get(field), list)
    }
    told = {position for position in missing if isinstance(position, int | float)}
    return {**run, **filled, "missing": [*missing, *(gap for gap in gaps if gap not in told)]}


def _gaps_left_out(run: dict[str, Any]) -> dict[str, Any]:
    offsets, values = run.get("offsets_s"), run.get("values")
    if not isinstance(offsets, list) or not isinstance(values, list) or len(offsets) != len(values):
        return run
    said = [(offset, value) for offset, value in zip(offsets, values, strict=True) if not _is_gap(value)]
    return {**run, "offsets_s": [offset for offset, _ in said], "values": [value for _, value in said]}


def _is_gap(value: object) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _read(schema: Any, value: Any, path: str) -> Any:
    if isinstance(schema, list):
        return None if value is None else _read(schema[1], value, path)
    kind = schema if isinstance(schema, str) else schema["type"]
    if isinstance(schema, dict) and schema.get("logicalType") == "timestamp-millis":
        return _instant(value, path)
    if kind in _RANGES:
        return _integer(value, _RANGES[kind], path)
    if kind == "string":
        return _text(value, path)
    if kind == "enum":
        return _symbol(schema["symbols"], value, path)
    if kind == "array":
        return _array(schema["items"], value, path)
    return _record(schema, value, path)


def _record(schema: Any, value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, f"an object of {schema['name']}", value)
    fields = {field["name"]: field for field in schema["fields"]}
    for name in value:
        if name not in fields:
            raise BadRecord(
                f"expected fields of {schema['name']} ({', '.join(fields)}), found "
                f"{_path(path, name[:_SHOWN])!r}: leave it out, or bring the edge up to date"
            )
    read: dict[str, Any] = {}
    for name, field in fields.items():
        where = _path(path, name)
        if name in value:
            read[name] = _read(field["type"], value[name], where)
        elif "default" in field:
            read[name] = field["default"]
        else:
            raise BadRecord(f"expected {where}, found nothing: {field['doc']}")
    return read


def _array(items: Any, value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(path, "a list", value)
    if isinstance(items, str) and items in _RANGES:  # nearly all there is
        least, most = -(1 << _RANGES[items]), (1 << _RANGES[items]) - 1
        if all(type(one) is int and least <= one <= most for one in value):
            return value
    return [_read(items, one, f"{path}[{position}]") for position, one in enumerate(value)]


def _integer(value: Any, bits: int, path: str) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if type(value) is not int or not -(1 << bits) <= value < 1 << bits:
        raise _wrong(path, f"a whole number within {bits + 1} signed bits", value)
    return value


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "text", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _wrong(path, "text that UTF-8 can hold", value) from None
    return value


def _symbol(symbols: list[str], value: Any, path: str) -> str:
    if not isinstance(value, str) or value not in symbols:
        raise _wrong(path, f"one of {', '.join(symbols)}", value)
    return value


def _instant(value: Any, path: str) -> int:
    if not isinstance(value, str):
        return _integer(value, 63, path)
    expected = "milliseconds since 1970 or an instant such as 2024-10-01T00:00:00Z"
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise _wrong(path, expected, value) from None
    if instant.tzinfo is None:
        raise _wrong(path, f"{expected}, with its zone", value)
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def _path(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _wrong(path: str, expected: str, found: object) -> BadRecord:
    return BadRecord(f"expected {expected} at {path}, found {_show(found)}: correct it in the device")


def _show(value: object) -> str:
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = "null" if value is None else ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
