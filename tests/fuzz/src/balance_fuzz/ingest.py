"""`make fuzz-ingest`: atheris, led by coverage, at every door of ingest; the corpus is the examples.

The first byte chooses the door and the second the schema id, so that most of what is tried is framed.
Arguments are libFuzzer's. It ends with an error at the first finding, and says which bytes it were.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["balance_ingest", "balance_schemas", "balance_chassis", "fastavro"]):
    from balance_fuzz.doors import DOORS, corpus, enter

_FRAME_BYTES = 5


def try_one(data: bytes) -> None:
    """Any bytes: one that chooses the door, one that is the schema id, and the record."""
    if len(data) >= 2:
        enter(DOORS[data[0] % len(DOORS)], b"\x00\x00\x00\x00" + data[1:])


def main() -> None:
    """Fuzz as libFuzzer's arguments say."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in corpus().items():
            door = next(number for number, group in enumerate(DOORS) if name.startswith(f"{group}."))
            (Path(folder) / name).write_bytes(bytes([door]) + data[_FRAME_BYTES - 1 :])
        atheris.Setup([*sys.argv, folder], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
