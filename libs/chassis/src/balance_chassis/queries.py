"""The statements of a service's `sql/*.sql`, by name."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast


@cache
def statements(package: str) -> Mapping[str, LiteralString]:
    """Text of each statement of a package by the name that its `-- name:` line gives it.

    Raises ValueError for a name that is given twice.
    """
    sources = sorted((f for f in (files(package) / "sql").iterdir() if f.name.endswith(".sql")), key=str)
    parts = [
        part
        for source in sources
        for part in re.split(r"^-- name: (\w+)$", source.read_text("utf-8"), flags=re.MULTILINE)[1:]
    ]
    names = parts[::2]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{package}: expected each statement once, found twice: {', '.join(twice)}")
    # The file is ours, and nothing is put into a statement but by placeholders.
    return {name: cast(LiteralString, body.strip()) for name, body in zip(names, parts[1::2], strict=True)}
