"""What is metered, in which unit, and what a value is worth.

The string values are the symbols of the contract; ``code`` is the small integer kept in tables.
"""

from __future__ import annotations

from enum import StrEnum


class _Coded(StrEnum):
    """An enum of the contract whose members also have a small integer for tables: their position."""

    @property
    def code(self) -> int:
        return list(type(self)).index(self)


class Resource(_Coded):
    """What is metered."""

    UNSPECIFIED = "UNSPECIFIED"
    GAS = "GAS"
    WATER = "WATER"
    HOT_WATER = "HOT_WATER"
    HEAT = "HEAT"
    ELECTRICITY = "ELECTRICITY"
    TEMPERATURE = "TEMPERATURE"
    SENSOR = "SENSOR"

    @property
    def unit(self) -> Unit:
        """Base unit of its integers."""
        return _UNITS[self]


class Unit(_Coded):
    """Base unit of the integers on the wire and in tables."""

    UNSPECIFIED = "UNSPECIFIED"
    MILLILITRE = "MILLILITRE"
    WATT_HOUR = "WATT_HOUR"
    MILLIDEGREE_CELSIUS = "MILLIDEGREE_CELSIUS"
    THOUSANDTH = "THOUSANDTH"


class Quality(_Coded):
    """What a value is worth (docs/domain.md §3)."""

    UNSPECIFIED = "UNSPECIFIED"
    VALID = "VALID"
    ESTIMATED = "ESTIMATED"
    EDITED = "EDITED"
    SUSPECT = "SUSPECT"
    MISSING = "MISSING"


class Role(_Coded):
    """Which side of the balance a usage point is on."""

    UNSPECIFIED = "UNSPECIFIED"
    SUPPLY = "SUPPLY"
    MEMBER = "MEMBER"


_UNITS = {
    Resource.UNSPECIFIED: Unit.UNSPECIFIED,
    Resource.GAS: Unit.MILLILITRE,
    Resource.WATER: Unit.MILLILITRE,
    Resource.HOT_WATER: Unit.MILLILITRE,
    Resource.HEAT: Unit.WATT_HOUR,
    Resource.ELECTRICITY: Unit.WATT_HOUR,
    Resource.TEMPERATURE: Unit.MILLIDEGREE_CELSIUS,
    Resource.SENSOR: Unit.THOUSANDTH,
}
