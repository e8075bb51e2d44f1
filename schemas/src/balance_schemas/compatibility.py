"""Whether every record can be read by, and can read, every version of it ever released (FULL_TRANSITIVE).

The registry refuses what breaks this, but only when it is asked; here it is known before a commit. Needs the
package `avro`, which only those who change records have to install.
"""

import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from balance_schemas import avsc


def breaks(newer: avsc.Schema, older: avsc.Schema) -> list[str]:
    """What stands against reading each with the other, a line each; empty when they are fully compatible."""
    return [
        *(f"the newer cannot read the older: {why}" for why in _obstacles(reader=newer, writer=older)),
        *(f"the older cannot read the newer: {why}" for why in _obstacles(reader=older, writer=newer)),
    ]


def check(folder: Traversable = avsc.RECORDS) -> list[str]:
    """Every error of a folder of records: incompatible, changed after its release, or never released."""
    return [error for name in avsc.names(folder) for error in _errors(name, folder)]


def release(folder: Path) -> list[Path]:
    """Freeze each record that changed since its last release as its next version; the files written.

    Nothing is written while any change is incompatible: raises ValueError with what breaks.
    """
    fresh = {name: avsc.newest(name, folder) for name in avsc.names(folder) if not _released(name, folder)}
    broken = [e for name in fresh for e in _incompatible(name, folder)]
    if broken:
        raise ValueError("\n".join(broken))
    return [_freeze(folder / "versions" / name, schema) for name, schema in fresh.items()]


def _errors(name: str, folder: Traversable) -> Iterator[str]:
    released = avsc.versions(name, folder)
    if list(released) != list(range(1, len(released) + 1)):
        yield f"{name}: expected versions numbered from 1 without a gap, found {sorted(released)}"
    if not _released(name, folder):
        last = f"its released version {max(released)}" if released else "any released version"
        yield (
            f"{name}: expected the same as {last} (but for doc), found a difference. A released version "
            "is never changed: run `python -m balance_schemas release` to add the next one"
        )
    yield from _incompatible(name, folder)


def _incompatible(name: str, folder: Traversable) -> Iterator[str]:
    newest = avsc.newest(name, folder)
    for number, earlier in avsc.versions(name, folder).items():
        for why in breaks(newest, earlier):
            yield (
                f"{name}: expected to be compatible both ways with version {number}, found that {why}. New "
                "fields need a default, old fields stay; else it is a new record on a new topic"
            )


def _released(name: str, folder: Traversable) -> bool:
    """Whether the newest is the last released version; documentation may be improved at any time."""
    released = avsc.versions(name, folder)
    newest = avsc.without(avsc.newest(name, folder), "doc")
    return bool(released) and newest == avsc.without(released[max(released)], "doc")


def _obstacles(*, reader: avsc.Schema, writer: avsc.Schema) -> Iterator[str]:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # of the library
    result = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    if result.compatibility is not SchemaCompatibilityType.compatible:
        yield f"{', '.join(sorted(result.messages))} at {', '.join(sorted(result.locations))}"


def _freeze(folder: Path, schema: avsc.Schema) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{len(list(folder.iterdir())) + 1}.avsc"
    target.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return target
