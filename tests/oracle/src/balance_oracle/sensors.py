"""Sensors and their kinds (domain.md §3.14)."""

from __future__ import annotations

from balance_oracle.evidence import Finding
from balance_oracle.fittings import UsagePoint

RANGES = {
    "00": (80_000, 120_000),
    "01": (-40_000, 60_000),
    "02": (-55_000, 84_000),
    "03": (0, 5_000_000),
    "04": (0, 500_000),
    "05T": (-40_000, 60_000),
    "05H": (0, 100_000),
    "06T": (-40_000, 80_000),
    "06H": (0, 100_000),
    "07": (0, 1_000_000),
    "08": (0, 1_000),
    "09": (0, 1_000_000),
    "NOISE": (20_000, 130_000),
    "LIGHT": (0, 150_000_000),
    "RADIATION": (0, 1_000_000),
    "BEE_SWARMING": (50_000, 2_000_000),
    "VOC": (0, 60_000_000),
    "CO": (0, 1_000_000),
    "CH4": (0, 50_000_000),
    "C2H2": (0, 25_000_000),
    "CO2": (250_000, 10_000_000),
    "DRINKING_WATER_CONDUCTIVITY": (0, 10_000_000),
    "DRINKING_WATER_TURBIDITY": (0, 1_000_000),
    "DRINKING_WATER_PH": (0, 14_000),
    "PROCESS_WATER_CONDUCTIVITY": (0, 200_000_000),
    "PROCESS_WATER_PH": (0, 14_000),
    "NEUTRAL_WIRE": (0, 500_000),
    "SPARKING": (0, 50_000),
    "MAINS_VOLTAGE": (0, 500_000),
    "BATTERY_CHARGE": (0, 100_000),
    "ACCESS": (0, 1_000),
    "LIQUID_LEVEL": (0, 100_000),
    "WATER_PRESSURE": (0, 1_600_000),
    "FLOOD": (0, 1_000),
    "MAINS_PRESENCE": (0, 1_000),
    "TEMPERATURE_GUARD": (-55_000, 84_000),
}
"""Least and greatest value of each kind of docs/sensor-kinds.md, in thousandths of its unit."""

THERMOMETER = "01"


def kind_of(point: UsagePoint) -> str | None:
    """The kind of a usage point that is measured."""
    default = THERMOMETER if point.resource == "TEMPERATURE" else None
    return point.sensor_kind if point.sensor_kind is not None else default


def value_range(point: UsagePoint) -> tuple[int, int] | None:
    """What values may be; None when there is no telling."""
    kind = kind_of(point)
    return RANGES.get(kind) if kind is not None else None


def unknown_kind(point: UsagePoint) -> set[Finding]:
    """One finding for a sensor of no kind, or of one that is not in the table."""
    if point.resource != "SENSOR" or not point.fittings or kind_of(point) in RANGES:
        return set()
    first = min(fitting.fitted for fitting in point.fittings)
    return {("vee.unknown_sensor_kind", point.usage_point_id, first, first)}
