"""The statements of `sql/*.sql`, by name."""

from __future__ import annotations

from typing import LiteralString

from balance_chassis.queries import statements

SCHEMA = "imbalance"


def statement(name: str) -> LiteralString:
    """One of them. Raises KeyError for a name that no file has."""
    return statements("balance_imbalance")[name]
