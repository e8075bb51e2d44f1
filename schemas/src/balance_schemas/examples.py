"""Messages as they may occur on each topic, usual and odd: `examples/<topic>/<name>.json`.

A file holds `record` (full name), `says` (one sentence) and `value`, with instants as RFC 3339 text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from balance_schemas import avsc

EXAMPLES: Traversable = files("balance_schemas") / "examples"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Example:
    """One example. `written` is the value in the file; `value` the same with instants in milliseconds."""

    topic: str
    name: str
    record: str
    says: str
    written: Mapping[str, Any]
    value: Mapping[str, Any]


def topics() -> list[str]:
    """Topics that have a folder of examples."""
    return sorted(folder.name for folder in EXAMPLES.iterdir())


def of_topic(topic: str) -> list[Example]:
    """Examples of one topic by name. Raises FileNotFoundError for a topic without a folder."""
    return sorted((_read(topic, file) for file in (EXAMPLES / topic).iterdir()), key=lambda e: e.name)


def of_record(record: str) -> Iterator[Example]:
    """Examples of one record on any topic."""
    return (example for topic in topics() for example in of_topic(topic) if example.record == record)


def _read(topic: str, file: Traversable) -> Example:
    document = json.loads(file.read_text("utf-8"))
    schema = avsc.newest(document["record"])
    named: dict[str, Any] = {}
    return Example(
        topic=topic,
        name=file.name.removesuffix(".json"),
        record=document["record"],
        says=document["says"],
        written=document["value"],
        value=_in_milliseconds(schema, document["value"], named),
    )


def _in_milliseconds(schema: avsc.Schema, value: Any, named: dict[str, Any]) -> Any:
    """`value` with the text of each instant replaced by milliseconds since 1970, found by the schema."""
    if isinstance(schema, str):
        schema = named.get(schema, schema)
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        return None if value is None else _in_milliseconds(branches[0], value, named)
    if schema == "bytes":
        return value.encode("latin-1")  # as Avro writes bytes in JSON
    if not isinstance(schema, dict):
        return value
    if "name" in schema:
        named[schema["name"]] = schema
    if schema.get("logicalType") == "timestamp-millis":
        return (datetime.fromisoformat(value) - _EPOCH) // timedelta(milliseconds=1)
    if schema["type"] == "array":
        return [_in_milliseconds(schema["items"], item, named) for item in value]
    if schema["type"] == "record":
        # in the order of the schema: a named type is met where it is defined before where it is referred to
        known = [f for f in schema["fields"] if f["name"] in value]
        return {**value, **{f["name"]: _in_milliseconds(f["type"], value[f["name"]], named) for f in known}}
    return value
