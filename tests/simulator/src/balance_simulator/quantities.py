"""Units of files and meters, and what a meter is when the scenario does not say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from balance_simulator.checking import Expected

VOLUME = {"ml": 1, "l": 1_000, "dal": 10_000, "hl": 100_000, "m3": 1_000_000}
ENERGY = {"wh": 1, "kwh": 1_000, "mwh": 1_000_000, "gcal": 1_163_000}
TEMPERATURE = {"c": 1_000, "mc": 1}
PULSES = "pulses"

UNITS = {
    "GAS": VOLUME,
    "WATER": VOLUME,
    "HOT_WATER": VOLUME,
    "HEAT": ENERGY,
    "ELECTRICITY": ENERGY,
    "TEMPERATURE": TEMPERATURE,
}
"""Base units (mL, Wh, 0.001 °C) in one of each unit, by resource. Lower case; Gcal is 1,163 kWh."""

_WRITTEN = {
    "m³": "m3",
    "litre": "l",
    "litres": "l",
    "liter": "l",
    "liters": "l",
    "°c": "c",
    "pulse": "pulses",
}
_QUANTITY = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([^\s/0-9][^\s/]*)?\s*(?:/\s*h)?\s*")


@dataclass(frozen=True)
class MeterKind:
    """A usual meter: error limit in millionths, base units a pulse, digits, greatest base units an hour."""

    class_ppm: int
    pulse_weight: int
    digits: int
    q_max: int


USUAL = {
    "GAS": MeterKind(15_000, 10_000, 8, 6_000_000),
    "WATER": MeterKind(20_000, 1_000, 8, 3_125_000),
    "HOT_WATER": MeterKind(30_000, 1_000, 8, 3_125_000),
    "HEAT": MeterKind(30_000, 1_000, 8, 60_000),
    "ELECTRICITY": MeterKind(10_000, 1, 9, 15_000),
    "TEMPERATURE": MeterKind(10_000, 1, 9, 100_000),
}
"""A flat's meter by resource: gas G4, water DN 15, heat, one-phase electricity, a thermometer."""


def unit_name(value: Any) -> str:
    """A unit as this package writes it: l, m3, kwh, pulses …"""
    name = str(value).strip().lower()
    return _WRITTEN.get(name, name)


def unit(value: Any, resource: str) -> str:
    """A unit of a file of that resource, temperatures included. Raises Expected."""
    name = unit_name(value)
    known = [*UNITS[resource], PULSES]
    if name not in known and name not in TEMPERATURE:
        advice = "gas is balanced in volume: divide by the calorific value" * (name in ENERGY)
        raise Expected(f"a unit of {resource}: {', '.join(known)}", advice if resource == "GAS" else "")
    return name


def factor(unit: str, resource: str) -> int | None:
    """Base units in one `unit`; None for pulses, whose weight is the meter's. Raises Expected."""
    if unit == PULSES:
        return None
    if unit not in UNITS[resource]:
        raise Expected(f"a unit of {resource}: {', '.join(UNITS[resource])} or pulses")
    return UNITS[resource][unit]


def quantity(value: Any, resource: str) -> int:
    """Base units of a quantity with its unit, such as `10 l`, `2.5 m3` or `6 m3/h`. Raises Expected."""
    match = _QUANTITY.fullmatch(str(value))
    units = UNITS[resource]
    if match is None or match[2] is None or unit_name(match[2]) not in units:
        raise Expected(
            f"a number and a unit of {resource} ({', '.join(units)})", "write it as `10 l` or `2.5 m3`"
        )
    base = round(float(match[1]) * units[unit_name(match[2])])
    if base < 1:
        raise Expected("a quantity of one base unit (mL, Wh) or more")
    return base
