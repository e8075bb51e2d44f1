"""What is known of the weather, and own days scaled to it (domain.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.fittings import UsagePoint
from balance_oracle.readings import Hour
from balance_oracle.settings import half_up

COLDEST, HOTTEST = -70_000, 60_000
RANKS = {"LOGGER": 0, "SERVICE": 1, "FILE": 2}
KNOWN_QUARTERS, LEAST_ROWS = 3, 7

Path = tuple[str, ...]
Readings = Mapping[tuple[str, int], Sequence[Hour]]
Row = Sequence[Fraction | int]


@dataclass(frozen=True)
class Source:
    """Who tells temperatures of an object: kind and name, and whether it is no usage point."""

    path: Path
    kind: str
    name: str
    is_reported: bool

    @property
    def order(self) -> tuple[int, str, bool]:
        return RANKS[self.kind], self.name, self.is_reported


def is_temperature(value: int | None) -> bool:
    """§5.1: −70 … +60 °C."""
    return value is not None and COLDEST <= value <= HOTTEST


class Weather:
    """Temperatures in thousandths of a degree Celsius, by source, day and hour."""

    def __init__(self, days: MeteringDays) -> None:
        self._days = days
        self._known: dict[Path, dict[Source, dict[int, list[int | None]]]] = {}
        self._means: dict[tuple[Path, int], int | None] = {}

    def hear(self, source: Source, day: int, temperatures: Sequence[int | None]) -> None:
        self._means.clear()
        kept = [one if is_temperature(one) else None for one in temperatures]
        self._known.setdefault(source.path, {}).setdefault(source, {})[day] = kept

    def temperature(self, path: Path, day: int, hour: int) -> int | None:
        """§5.1: the nearest object above for which anything is known in the hour, the best source there."""
        for length in range(len(path), -1, -1):
            sources = self._known.get(path[:length], {})
            for source in sorted(sources, key=lambda one: one.order):
                temperatures = sources[source].get(day)
                if temperatures is not None and temperatures[hour] is not None:
                    return temperatures[hour]
        return None

    def mean(self, path: Path, day: int) -> int | None:
        """§5.2: null when less than 75 % of the hours are known."""
        if (path, day) not in self._means:
            self._means[path, day] = self._mean(path, day)
        return self._means[path, day]

    def _mean(self, path: Path, day: int) -> int | None:
        count = len(self._days.hours(day))
        known = [t for hour in range(count) if (t := self.temperature(path, day, hour)) is not None]
        return half_up(sum(known), len(known)) if 4 * len(known) >= KNOWN_QUARTERS * count else None


def make_weather(
    told: Iterable[Mapping[str, Any]],
    points: Iterable[UsagePoint],
    readings: Readings,
    days: MeteringDays,
) -> Weather:
    """From WeatherDayReported in any versions, and the outdoor thermometers among the usage points."""
    weather = Weather(days)
    for one in sorted(told, key=lambda one: int(one["version"])):
        source = Source(tuple(one["object_path"]), one["kind"], one["name"], True)
        weather.hear(source, one["day_start_at"] // 1000, one["values"])
    outdoor = {p.usage_point_id: p for p in points if p.is_outdoor and p.resource == "TEMPERATURE"}
    for (usage_point_id, day), hours in readings.items():
        if usage_point_id in outdoor:
            source = Source(outdoor[usage_point_id].object_path, "LOGGER", usage_point_id, False)
            weather.hear(source, day, [v if quality in ("VALID", "EDITED") else None for v, quality in hours])
    return weather


def scaled(
    rows: Sequence[tuple[int, Row]],
    hours: int,
    today: int | None,
    mean: Callable[[int], int | None],
    limit: int,
) -> list[Row]:
    """§5.3: (day, values) rows of the own past, newest first, as they would be in today's weather.

    ``hours``: how many the day has.
    ``today``: outdoor mean of the day; ``mean``: that of another day; ``limit``: where heating begins.
    """
    as_they_are = [row for _, row in rows]
    told = [(row, Fraction(max(0, limit - t))) for day, row in rows if (t := mean(day)) is not None]
    if today is None or len(told) < LEAST_ROWS:
        return as_they_are
    line = _line([z for _, z in told], [Fraction(sum(cut(row, hours))) for row, _ in told])
    if line is None:
        return as_they_are
    a, b = line
    expected = [a + b * z for _, z in told]
    of_today = a + b * max(0, limit - today)
    if min(of_today, *expected) <= 0:
        return as_they_are
    factors = [max(Fraction(1, 4), min(of_today / one, Fraction(4))) for one in expected]
    return [[value * factor for value in row] for (row, _), factor in zip(told, factors, strict=True)]


def cut(row: Row, hours: int) -> Row:
    """§4.2: as long as the day, the last hour standing for those it lacks."""
    return [row[min(hour, len(row) - 1)] for hour in range(hours)]


def _line(z: Sequence[Fraction], y: Sequence[Fraction]) -> tuple[Fraction, Fraction] | None:
    """Least squares ŷ = a + b·z, when b > 0 and b ≥ 2·SE(b)."""
    n = len(z)
    mean_z, mean_y = sum(z, Fraction(0)) / n, sum(y, Fraction(0)) / n
    spread = sum(((one - mean_z) ** 2 for one in z), Fraction(0))
    if spread == 0:
        return None
    b = sum(((p - mean_z) * (q - mean_y) for p, q in zip(z, y, strict=True)), Fraction(0)) / spread
    a = mean_y - b * mean_z
    residuals = sum(((q - a - b * p) ** 2 for p, q in zip(z, y, strict=True)), Fraction(0))
    significant = b > 0 and b**2 * spread * (n - 2) >= 4 * residuals
    return (a, b) if significant else None
