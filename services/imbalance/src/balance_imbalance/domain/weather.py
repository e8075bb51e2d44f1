"""Outdoor temperature at an object, its mean and degree-days, and days scaled to the weather
(docs/domain.md §5).

Temperatures and degree-days are thousandths of a degree Celsius; day starts are seconds since 1970 (UTC).
The view `v_weather` has the rules of §5.1 and §5.2 once more, in SQL; what holds the two together is
test_the_view_says_what_is_computed_with (tests/test_imbalance_weather_stack.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from balance_kernel.weather import COLDEST, HOTTEST, is_temperature

from balance_imbalance.domain.figures import Floats, Ints

__all__ = [
    "COLDEST",
    "HEATING_BASE",
    "HOTTEST",
    "HourWeather",
    "ObjectPath",
    "Weather",
    "WeatherDay",
    "WeatherKind",
    "day_mean",
    "degree_days",
    "is_temperature",
    "scaled_rows",
]

ObjectPath = tuple[str, ...]

HEATING_BASE = 16_000
"""Default of the outdoor temperature below which buildings are heated."""
_LEAST_DAYS = 7
_MOST_FACTOR = 4


class WeatherKind(IntEnum):
    """Who tells a temperature, in the order of precedence: names are the symbols of the contract."""

    UNSPECIFIED = 0
    LOGGER = 1
    SERVICE = 2
    FILE = 3


@dataclass(frozen=True, slots=True)
class WeatherDay:
    """What one source says of one metering day at one object: a temperature or None an hour."""

    object_path: ObjectPath
    kind: WeatherKind
    name: str
    day_start: int
    values: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class HourWeather:
    """A temperature and who told it."""

    temperature: int
    told_by: WeatherDay


@dataclass(frozen=True)
class Weather:
    """The weather of some metering days, for every object beneath the objects it was read for.

    ``base`` is the heating base. Days it holds nothing of are unknown.
    """

    base: int = HEATING_BASE
    _told: Mapping[tuple[ObjectPath, int], Sequence[WeatherDay]] = field(default_factory=dict)
    _hours: dict[tuple[ObjectPath, int], Sequence[HourWeather | None]] = field(
        default_factory=dict, repr=False, compare=False
    )
    _means: dict[tuple[ObjectPath, int, int], int | None] = field(
        default_factory=dict, repr=False, compare=False
    )

    @classmethod
    def of(cls, days: Iterable[WeatherDay], base: int = HEATING_BASE) -> Weather:
        """Of the days of any sources, each (object path, kind, name, day) once."""
        told: defaultdict[tuple[ObjectPath, int], list[WeatherDay]] = defaultdict(list)
        for day in days:
            told[day.object_path, day.day_start].append(day)
        for sources in told.values():
            sources.sort(key=lambda day: (day.kind, day.name))
        return cls(base, dict(told))

    def by_hour(self, object_path: ObjectPath, day_start: int, hours: int) -> Sequence[HourWeather | None]:
        """Of each hour the temperature at the object and who told it, None where nobody did (§5.1)."""
        known = self._known(object_path, day_start)
        return [known[hour] if hour < len(known) else None for hour in range(hours)]

    def temperatures(self, object_path: ObjectPath, day_start: int, hours: int) -> Sequence[int | None]:
        """Of each hour the temperature at the object, None where it is not known (§5.1)."""
        told = self.by_hour(object_path, day_start, hours)
        return [None if hour is None else hour.temperature for hour in told]

    def mean(self, object_path: ObjectPath, day_start: int, hours: int) -> int | None:
        """The outdoor mean of the day at the object, None when it is not known (§5.2)."""
        object_path = self._nearest(object_path, day_start)
        key = (object_path, day_start, hours)
        if key not in self._means:
            self._means[key] = day_mean(self.temperatures(object_path, day_start, hours))
        return self._means[key]

    def degree_days(self, object_path: ObjectPath, day_start: int, hours: int) -> int | None:
        """Degree-days of the day at the object, None when its mean is not known (§5.2)."""
        mean = self.mean(object_path, day_start, hours)
        return None if mean is None else degree_days(mean, self.base)

    def _nearest(self, object_path: ObjectPath, day_start: int) -> ObjectPath:
        """The longest path that begins this one of which anything is told: the weather is the same there."""
        while object_path and (object_path, day_start) not in self._told:
            object_path = object_path[:-1]
        return object_path

    def _known(self, object_path: ObjectPath, day_start: int) -> Sequence[HourWeather | None]:
        """As many hours as anyone told of, from the object itself and what lies above it."""
        key = (object_path, day_start)
        found = self._hours.get(key)
        if found is None:
            above = self._known(object_path[:-1], day_start) if object_path else ()
            found = self._hours[key] = _filled(self._told.get(key, ()), above)
        return found


def _filled(told: Sequence[WeatherDay], above: Sequence[HourWeather | None]) -> Sequence[HourWeather | None]:
    """The first source in order that knows an hour, else what is known above."""
    if not told:
        return above
    hours: list[HourWeather | None] = [None] * max(len(above), *(len(day.values) for day in told))
    for day in told:
        for hour, value in enumerate(day.values):
            if hours[hour] is None and is_temperature(value):
                hours[hour] = HourWeather(value, day)
    return [own or (above[hour] if hour < len(above) else None) for hour, own in enumerate(hours)]


def day_mean(temperatures: Sequence[int | None]) -> int | None:
    """Mean of a day's hours, rounded half up; None when fewer than 75 % of them are known (§5.2)."""
    known = [value for value in temperatures if value is not None]
    if not known or 4 * len(known) < 3 * len(temperatures):
        return None
    return (2 * sum(known) + len(known)) // (2 * len(known))


def degree_days(mean: int, base: int = HEATING_BASE) -> int:
    """How far below the heating base a day's mean was, 0 or more (§5.2)."""
    return max(0, base - mean)


def scaled_rows(rows: Ints, degree_days: Sequence[int | None], day: int | None) -> Floats:
    """Past days as they would be in the weather of the day (§5.3): (n, h) to (m, h) base units, m <= n.

    ``rows`` are the past days of one usage point cut to the day's hours, ``degree_days`` theirs at its
    object, ``day`` that of the day; None where there is no outdoor mean. Rows without one are left out when
    the others are scaled. Decided in whole numbers, so that no rounding decides. For usage points of resource
    GAS or HEAT alone.
    """
    kept = [row for row, known in enumerate(degree_days) if known is not None]
    if day is None or len(kept) < _LEAST_DAYS:
        return rows.astype(np.float64)
    cold = [known for known in degree_days if known is not None]
    line = _Line.of(cold, rows[kept].sum(axis=1).tolist())
    if line is None or not line.is_clear:
        return rows.astype(np.float64)
    usual, then = line.at(day), [line.at(z) for z in cold]
    if usual <= 0 or min(then) <= 0:
        return rows.astype(np.float64)
    factors = [min(max(usual / at, 1 / _MOST_FACTOR), _MOST_FACTOR) for at in then]
    scaled: Floats = rows[kept] * np.array(factors)[:, None]
    return scaled


@dataclass(frozen=True, slots=True)
class _Line:
    """y = a + b·z by least squares, in whole numbers: Σz, Σy and n² times the (co)variances."""

    count: int
    sum_z: int
    sum_y: int
    zz: int
    zy: int
    yy: int

    @classmethod
    def of(cls, z: Sequence[int], y: Sequence[int]) -> _Line | None:
        """Through these points; None when all z are equal."""
        count, sum_z, sum_y = len(z), sum(z), sum(y)
        zz = count * sum(a * a for a in z) - sum_z * sum_z
        zy = count * sum(a * b for a, b in zip(z, y, strict=True)) - sum_z * sum_y
        yy = count * sum(b * b for b in y) - sum_y * sum_y
        return cls(count, sum_z, sum_y, zz, zy, yy) if zz else None

    @property
    def is_clear(self) -> bool:
        """b > 0 and b >= 2·SE(b), where SE² = (yy·zz - zy²) / (zz²·(n - 2))."""
        return self.zy > 0 and self.zy**2 * (self.count - 2) >= 4 * (self.yy * self.zz - self.zy**2)

    def at(self, z: int) -> int:
        """ŷ at z, times n·zz: of one line only the quotients are used."""
        return self.sum_y * self.zz + self.zy * (self.count * z - self.sum_z)
