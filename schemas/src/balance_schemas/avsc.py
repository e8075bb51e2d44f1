"""The Avro records as they lie in `records/`: the newest of each, and every released version.

`records/<full name>.avsc` is the record as it is written today. `records/versions/<full name>/<n>.avsc` are
its released versions, numbered from 1 and never changed again; the registry is given these.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

Schema = Any
"""An Avro schema as JSON: a dict for a record, a list for a union, a string for a primitive or a name."""

RECORDS: Traversable = files("balance_schemas") / "records"


def names(folder: Traversable = RECORDS) -> tuple[str, ...]:
    """Full names of all records, sorted, e.g. `balance.v1.FindingChanged`."""
    return tuple(sorted(f.name.removesuffix(".avsc") for f in folder.iterdir() if f.name.endswith(".avsc")))


def newest(name: str, folder: Traversable = RECORDS) -> Schema:
    """The record as it is written today. Raises FileNotFoundError for a record that does not exist."""
    return json.loads((folder / f"{name}.avsc").read_text("utf-8"))


def versions(name: str, folder: Traversable = RECORDS) -> Mapping[int, Schema]:
    """Released versions of a record by number, oldest first; empty for one never released."""
    released = folder / "versions" / name
    if not released.is_dir():
        return {}
    numbered = sorted((int(f.name.removesuffix(".avsc")), f) for f in released.iterdir())
    return {number: json.loads(f.read_text("utf-8")) for number, f in numbered}


def without(schema: Schema, *attributes: str) -> Schema:
    """A copy of a schema without the named attributes (`doc`, `logicalType`), at any depth.

    Field defaults are values, not schemas, and are kept as they are.
    """
    if isinstance(schema, list):
        return [without(branch, *attributes) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: value if key == "default" else without(value, *attributes)
        for key, value in schema.items()
        if key not in attributes
    }
