"""The statements of `sql/queries.sql`, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast


@cache
def statements() -> Mapping[str, LiteralString]:
    """Text of each statement by the name that its `-- name:` line gives it."""
    text = (files("balance_ingest") / "sql" / "queries.sql").read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    # The file is ours, and nothing is put into a statement but by placeholders.
    return {
        name: cast(LiteralString, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def statement(name: str) -> LiteralString:
    """One of them. Raises KeyError for a name that the file does not have."""
    return statements()[name]
