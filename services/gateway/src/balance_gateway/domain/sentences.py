"""Sentences for people as values: the text by which they are translated, and what is put into it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class Amount(NamedTuple):
    """A quantity in its base unit (MILLILITRE, WATT_HOUR, …)."""

    value: float
    unit: str


class Day(NamedTuple):
    """A metering day, by its start."""

    start: datetime


class Sentence(NamedTuple):
    """An English text with %(name)s for each value; who shows it translates the text and writes these."""

    text: str
    values: Mapping[str, object]


def say(text: str, **values: object) -> Sentence:
    """A sentence; the texts given here are those that are translated."""
    return Sentence(text, values)
