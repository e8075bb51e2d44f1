"""Governance: every record is documented, named by the rules, and shown by valid examples."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from balance_schemas import avsc, catalogue, codec, examples

IDS = {name: number for number, name in enumerate(avsc.names(), start=1)}
ALL_EXAMPLES = [e for topic in catalogue.load().topics for e in examples.of_topic(topic)]

RECORD_NAME = re.compile(r"([A-Z][a-z]+)+(ed)")
FIELD_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
PERIOD_BOUNDS = {"valid_from", "valid_to"}
UNITS = ("_s", "_ppm", "_bytes", "_mv", "_dbm", "_milli_c")
COUNTS = {
    "version",
    "algorithm_version",
    "sequence",
    "channel",
    "missing",  # positions
    "register_digits",
    "members_due",
    "missing_not_listed",
    "unmetered_not_listed",
    "members_reported",
    "backlog_packets",
    "modules",
    "like_homes",
    "days_known",
    "days_to_come",
    "hours",
    "hours_above",
    "baseline_days",
    "firmware",
}
IN_PULSES = {"register_start", "register_end", "initial_register", "final_register"}
IN_BASE_UNITS = {
    *("values", "supply", "members", "imbalance", "tolerance", "pulse_weight", "q_max"),
    *("value", "averages", "minima", "maxima"),
    *("consumed", "expected_by_own_past", "expected_by_like_homes"),
    *("used", "expected", "lowest", "highest"),
    *("members_estimated", "unregistered", "imbalance_lowest", "imbalance_highest", "q_start"),
    *("size_per_day", "size_per_hour", "baseline_constant", "excess_per_hour"),
}
"""Quantities in the base unit of the resource (mL, Wh, thousandths), which no suffix could name."""


def named_types(schema: avsc.Schema) -> Iterator[dict[str, Any]]:
    """Every record and enum defined in a schema."""
    if isinstance(schema, list):
        for branch in schema:
            yield from named_types(branch)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "enum"):
            yield schema
        for field in schema.get("fields", ()):
            yield from named_types(field["type"])
        if schema["type"] == "array":
            yield from named_types(schema["items"])


def innermost(schema: avsc.Schema) -> avsc.Schema:
    """The type below unions with null and arrays."""
    if isinstance(schema, list):
        return innermost(next(branch for branch in schema if branch != "null"))
    if isinstance(schema, dict) and schema["type"] == "array":
        return innermost(schema["items"])
    return schema


ALL_TYPES = [(name, kind) for name in avsc.names() for kind in named_types(avsc.newest(name))]
ALL_FIELDS = [
    pytest.param(kind, field, id=f"{name}:{kind['name']}.{field['name']}")
    for name, kind in ALL_TYPES
    for field in kind.get("fields", ())
]


@pytest.mark.parametrize("name", avsc.names())
def test_a_record_is_named_subject_and_past_participle(name: str) -> None:
    schema = avsc.newest(name)
    assert f"{schema['namespace']}.{schema['name']}" == name
    assert RECORD_NAME.fullmatch(schema["name"])


@pytest.mark.parametrize(("name", "kind"), ALL_TYPES, ids=lambda v: v if isinstance(v, str) else v["name"])
def test_a_type_is_documented_and_an_enum_has_a_default(name: str, kind: dict[str, Any]) -> None:
    assert kind.get("doc", "").strip().endswith("."), f"{name}: {kind['name']} has no doc"
    if kind["type"] == "enum":
        assert kind["default"] == kind["symbols"][0] == "UNSPECIFIED"


@pytest.mark.parametrize(("kind", "field"), ALL_FIELDS)
def test_a_field_is_documented_and_named_by_the_rules(kind: dict[str, Any], field: dict[str, Any]) -> None:
    name, inner = field["name"], innermost(field["type"])
    assert field.get("doc", "").strip().endswith("."), f"{kind['name']}.{name} has no doc"
    assert FIELD_NAME.fullmatch(name)
    instant = isinstance(inner, dict) and "logicalType" in inner
    assert instant == (name.endswith("_at") or name in PERIOD_BOUNDS)
    if instant:
        assert inner == {"type": "long", "logicalType": "timestamp-millis"}
    if inner in ("int", "long"):
        assert name.endswith(UNITS) or name in COUNTS | IN_PULSES | IN_BASE_UNITS
    if name in IN_PULSES:
        assert "pulses" in field["doc"]
    assert inner not in ("float", "double"), "quantities are integers in a base unit"
    assert inner != "bytes" or name == "payload", "nothing but what could not be read is kept as bytes"


@pytest.mark.parametrize(("kind", "field"), ALL_FIELDS)
def test_what_may_be_null_is_null_by_default(kind: dict[str, Any], field: dict[str, Any]) -> None:
    if isinstance(field["type"], list):
        assert field["type"][0] == "null", f"{kind['name']}.{field['name']}: null comes first in its union"
        assert field["default"] is None


def test_a_type_in_several_records_is_the_same_in_each() -> None:
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, kind in ALL_TYPES:
        other, seen = first.setdefault(kind["name"], (name, kind))
        assert kind == seen, f"{kind['name']} in {name} differs from {other}"


def test_no_array_has_items_that_take_no_bytes() -> None:
    """Such an array could claim any length: a few bytes of garbage would fill the memory."""

    def may_be_empty(schema: avsc.Schema) -> bool:
        if isinstance(schema, dict) and schema["type"] == "record":
            return all(may_be_empty(field["type"]) for field in schema["fields"])
        return bool(schema == "null")

    for name, kind in ALL_TYPES:
        for field in kind.get("fields", ()):
            if isinstance(field["type"], dict) and field["type"]["type"] == "array":
                assert not may_be_empty(field["type"]["items"]), f"{name}: {field['name']}"


@pytest.mark.parametrize("example", ALL_EXAMPLES, ids=lambda e: f"{e.topic}/{e.name}")
def test_an_example_is_valid_and_comes_back_as_it_went(example: examples.Example) -> None:
    raw = codec.Codec(IDS, raw_timestamps=True)
    name, value = raw.decode(raw.encode(example.record, example.value))
    assert name == example.record
    assert name in catalogue.load().topics[example.topic].records
    assert holds(value, example.value)
    assert example.says.endswith(".")


def holds(whole: Any, part: Any) -> bool:
    """Whether everything of the part is in the whole, which may have more fields (defaults)."""
    if isinstance(part, dict):
        return all(holds(whole[field], value) for field, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(holds, whole, part))
    return bool(whole == part)


def test_the_examples_show_short_and_long_days_nulls_and_nothing() -> None:
    days = [
        len(day["values"])
        for e in ALL_EXAMPLES
        if e.record == "balance.v1.ReadingDaysComputed"
        for day in e.value["days"]
    ]
    assert {23, 24, 25} <= set(days)
    names = {e.name for e in ALL_EXAMPLES}
    assert {"missing-hours", "nothing-heard", "no-days", "absurd-numbers", "from-the-future"} <= names


def test_no_example_names_a_field_of_a_person() -> None:
    for name, kind in ALL_TYPES:
        for field in kind.get("fields", ()):
            assert not re.search(r"phone|e_?mail|address|surname|first_name|customer", field["name"]), name
