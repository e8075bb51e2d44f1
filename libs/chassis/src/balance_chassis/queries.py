"""The statements of a service's `sql/queries.sql`, by name."""

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
    text = (files(package) / "sql" / "queries.sql").read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    names = parts[::2]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{package}: expected each statement once, found twice: {', '.join(twice)}")
    # The file is ours, and nothing is put into a statement but by placeholders.
    return {name: cast(LiteralString, body.strip()) for name, body in zip(names, parts[1::2], strict=True)}
