"""The statements of `sql/queries.sql`, by name."""

from __future__ import annotations

from typing import LiteralString

from balance_chassis.queries import statements

SCHEMA = "gateway"


def statement(name: str) -> LiteralString:
    """One of them. Raises KeyError for a name that the file does not have."""
    return statements("balance_gateway")[name]
