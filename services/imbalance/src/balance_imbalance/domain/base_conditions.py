"""Gas volumes of a day at base temperature, beside as read (docs/domain.md §4.5)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from balance_imbalance.domain.coverage import verdict
from balance_imbalance.domain.figures import BaseConditions, Floats, Ints, Side, Span, Temperatures, Terms
from balance_imbalance.domain.rules import PPM, Rules
from balance_imbalance.domain.sums import rounded
from balance_imbalance.domain.tolerance import expanded

_KELVIN = 273.15
_U_TEMPERATURE = 2.0 / np.sqrt(3.0)
"""Standard uncertainty of the temperature of gas: uniform within 2 K."""


def at_base(
    sides: tuple[Side, Side],
    volumes: tuple[Ints, Ints],
    day: Span,
    terms: Terms | None,
    known: Temperatures,
    rules: Rules,
) -> BaseConditions | None:
    """The day at base temperature: (supply, members) with their volumes (m,); None where a temperature
    lacks.
    """
    members = sides[1]
    indoors = _own_temperatures(members, known.indoor)
    mean = sum(indoors.values()) / len(indoors) if indoors else None
    outdoor = known.outdoor
    of_supply, of_members = _of(sides[0], known.indoor, outdoor, mean), _of(members, known.indoor, {}, mean)
    if terms is None or of_supply is None or of_members is None:
        return None
    scaled = (
        _scaled(sides[0], volumes[0], of_supply, rules),
        _scaled(members, volumes[1], of_members, rules),
    )
    supplied, taken = (int(rounded(each.sum())) for each in scaled)
    uncompensated = float(scaled[1][~members.compensated].sum())
    by_temperature = 0.0 if mean is None else uncompensated * _U_TEMPERATURE / (_KELVIN + mean)
    tolerance = expanded(np.array(_variance(terms) + by_temperature**2))
    judged = verdict(
        np.array(day.coverage), np.array(supplied - taken), tolerance, np.array(day.unregistered)
    )
    return BaseConditions(supplied, taken, supplied - taken, int(tolerance), int(judged))


def _own_temperatures(members: Side, indoor: Mapping[int, float]) -> Mapping[int, float]:
    """°C of the usage points of members that have a thermometer and are not compensated, each once."""
    points: list[int] = members.usage_points[~members.compensated].tolist()
    return {point: indoor[point] for point in points if point in indoor}


def _of(
    side: Side, indoor: Mapping[int, float], outdoor: Mapping[int, float], mean: float | None
) -> Floats | None:
    """°C of each membership, (m,), anything where it is compensated; None when one has none."""
    found = []
    for point, compensated in zip(side.usage_points.tolist(), side.compensated.tolist(), strict=True):
        known = indoor.get(point, outdoor.get(point, mean))
        if known is None and not compensated:
            return None
        found.append(0.0 if known is None else known)
    return np.array(found)


def _scaled(side: Side, volumes: Ints, temperatures: Floats, rules: Rules) -> Floats:
    """c · V at base temperature, (m,)."""
    factors = (_KELVIN + rules.base_temperature) / (_KELVIN + temperatures)
    scaled: Floats = side.coefficients / PPM * volumes * np.where(side.compensated, 1.0, factors)
    return scaled


def _variance(terms: Terms) -> float:
    of_terms = (terms.supply_class, terms.members_class, terms.pulse, terms.clock, terms.estimate)
    return sum(term**2 for term in of_terms)
