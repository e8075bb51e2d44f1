"""Kinds of sensor: what one measures, in which unit, and what it cannot mean (docs/sensor-kinds.md)."""

from __future__ import annotations

from dataclasses import dataclass

from balance_kernel.quantity import Resource

SENSED = frozenset({Resource.SENSOR, Resource.TEMPERATURE})
"""Resources that are read by sensors, not by meters."""
THERMOMETER = "01"
"""Kind of a usage point of resource TEMPERATURE of which the register says none."""


@dataclass(frozen=True, slots=True)
class SensorKind:
    """A row of the table; range and limits are thousandths of `unit`."""

    code: str
    name: str
    quantity: str
    unit: str
    least: int
    greatest: int
    accuracy: str
    lower_limit: int | None
    upper_limit: int | None
    experimental: bool
    source: str


def told_kind(resource: Resource, described: str | None) -> str | None:
    """What is kept beside readings: the kind, but none of what its resource says by itself."""
    kind = kind_of(resource, described)
    return None if resource is Resource.TEMPERATURE and kind == THERMOMETER else kind


def kind_of(resource: Resource, described: str | None) -> str | None:
    """Code of a usage point's kind (docs/domain.md §3.14): 01 for a TEMPERATURE without one, none for
    meters.
    """
    if resource not in SENSED:
        return None
    return described or (THERMOMETER if resource is Resource.TEMPERATURE else None)
