"""Volumes of gas at base conditions (domain.md §4.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from balance_oracle.cells import Row
from balance_oracle.groups import MEMBER
from balance_oracle.known import Known
from balance_oracle.tolerance import MILLION
from balance_oracle.weather import is_temperature

ABSOLUTE_ZERO = -273_150
TEMPERATURE_VARIANCE = Fraction(4, 3) * 10**6
"""Square of 2/√3 K, in thousandths."""


@dataclass(frozen=True)
class BaseVolumes:
    """Sums at base temperature in base units, and u² of what the temperature adds."""

    supply: Fraction
    members: Fraction
    temperature_square: Fraction


def base_volumes(rows: Sequence[Row], hours: Sequence[int], day: int, known: Known) -> BaseVolumes | None:
    """Of the memberships of a day; null where temperatures are not known."""
    names = {row.membership.usage_point_id for row in rows}
    own = {
        name: _own_temperature(name, day, known) for name in names if not _is_compensated(name, day, known)
    }
    mean = _mean_of_members(rows, own)
    sums = {"SUPPLY": Fraction(0), "MEMBER": Fraction(0)}
    uncompensated = Fraction(0)
    for row in rows:
        name, role = row.membership.usage_point_id, row.membership.role
        volume = Fraction(row.weighted(hours), MILLION)
        if name in own:
            t = own[name]
            if t is None and role != MEMBER:
                t = _outdoor(name, day, known)
            if t is None:
                t = mean
            if t is None:
                return None
            volume *= (known.settings.base_temperature - ABSOLUTE_ZERO) / (t - ABSOLUTE_ZERO)
            uncompensated += volume if role == MEMBER else 0
        sums[role] += volume
    square = Fraction(0)
    if mean is not None:
        square = TEMPERATURE_VARIANCE * (uncompensated / (mean - ABSOLUTE_ZERO)) ** 2
    return BaseVolumes(sums["SUPPLY"], sums["MEMBER"], square)


def _mean_of_members(rows: Sequence[Row], own: Mapping[str, Fraction | None]) -> Fraction | None:
    """Over usage points that have a temperature and are not compensated."""
    members = {row.membership.usage_point_id for row in rows if row.membership.role == MEMBER}
    told = [t for name in members if (t := own.get(name)) is not None]
    return sum(told, Fraction(0)) / len(told) if told else None


def _is_compensated(name: str, day: int, known: Known) -> bool:
    point = known.points.get(name)
    meter = point.meter_at(day) if point is not None else None
    return meter is not None and meter.is_compensated


def _own_temperature(name: str, day: int, known: Known) -> Fraction | None:
    """Mean of the day by the thermometer on its module."""
    point = known.points.get(name)
    modules = point.modules_at(day) if point is not None else set()
    beside = sorted(
        one.usage_point_id
        for one in known.points.values()
        if one.resource == "TEMPERATURE" and one.modules_at(day) & modules
    )
    hours = known.readings.get((beside[0], day), ()) if beside else ()
    told = [
        value
        for value, quality in hours
        if value is not None and quality in ("VALID", "EDITED") and is_temperature(value)
    ]
    return Fraction(sum(told), len(told)) if told else None


def _outdoor(name: str, day: int, known: Known) -> Fraction | None:
    point = known.points.get(name)
    mean = known.weather.mean(point.object_path, day) if point is not None else None
    return None if mean is None else Fraction(mean)
