"""Hypothesis strategies for any value of an Avro schema, more often than not near what devices send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balance_schemas import avsc
from hypothesis import strategies as st

_LONG, _INT = 2**63, 2**31
_INSTANT_MS = 1_773_093_600_000
_DAY_MS = 86_400_000
_EDGES = st.sampled_from([-1, 0, 1, _INT - 1, _INT, -_INT, _LONG - 1, -_LONG, 10**15, 10**15 + 1])
_INSTANTS = st.integers(-3, 1).map(lambda day: _INSTANT_MS + day * _DAY_MS) | st.integers(
    _INSTANT_MS - _DAY_MS, _INSTANT_MS
)
_TEXT = st.sampled_from(["R-1", "J-1", "", "\x00", "x" * 65]) | st.text(max_size=80)
_NEAR: Mapping[str, st.SearchStrategy[Any]] = {
    "step_s": st.sampled_from([900, 1800, 3600, 0, -3600, 86_400, 1]),
    "sequence": st.integers(0, 2**62 - 1),
    "channel": st.integers(-1, 16),
    "missing": st.lists(st.integers(-1, 30), max_size=4),
    "offsets_s": st.lists(st.integers(-1, _DAY_MS), max_size=6),
    "values": st.lists(st.integers(-5, 10**6), max_size=48),
}
"""By name of a field: what a device might have meant."""


def of_record(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """Values of a record of the contract, instants in milliseconds."""
    return _of(avsc.newest(name), {})


def _of(schema: avsc.Schema, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    if isinstance(schema, list):
        return st.one_of([_of(branch, named) for branch in schema])
    if isinstance(schema, str):
        return named[schema.rpartition(".")[2]] if schema[0].isupper() or "." in schema else _PLAIN[schema]
    kind = schema["type"]
    if kind == "record":
        named[schema["name"]] = found = st.fixed_dictionaries(
            {field["name"]: _of_field(field, named) for field in schema["fields"]}
        )
        return found
    if kind == "enum":
        named[schema["name"]] = symbols = st.sampled_from(schema["symbols"])
        return symbols
    if kind == "array":
        return st.lists(_of(schema["items"], named), max_size=5)
    if schema.get("logicalType") == "timestamp-millis":
        return _INSTANTS | _PLAIN["long"]
    return _of(kind, named)


def _of_field(field: Mapping[str, Any], named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    found = _of(field["type"], named)
    near = _NEAR.get(field["name"])
    if near is None or isinstance(field["type"], list):
        return found
    return near | near | found


_PLAIN: Mapping[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(0, 30) | st.integers(-_INT, _INT - 1),
    "long": st.integers(0, 1000) | _EDGES | st.integers(-_LONG, _LONG - 1),
    "double": st.floats(),
    "string": _TEXT,
    "bytes": st.binary(max_size=20),
}
