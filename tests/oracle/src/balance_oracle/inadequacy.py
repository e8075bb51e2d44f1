"""What homes used on cold days, and what was to be expected (domain.md §7.1 to §7.3), exactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from statistics import median
from typing import Any

from balance_oracle.estimates import is_reported, reported_for_day
from balance_oracle.groups import SUPPLY
from balance_oracle.known import HEATED, Known
from balance_oracle.nesting import resolved
from balance_oracle.settings import half_up
from balance_oracle.weather import Path

COLD, FOR_NOTHING, COLDEST_ROOM, WARMEST_ROOM = 8_000, 3_000, -10_000, 45_000
MOST = 10**9
FIRST_GOOD, LAST_GOOD, LEAST_GOOD, LEAST_LIKE = 395, 31, 14, 5

Key = tuple[str, int]
Building = tuple[str, Path | None, int]
Row = dict[str, Any]


@dataclass(frozen=True)
class HomeDay:
    """A home with a thermometer on a day: g, T_in and T_out, null where unknown."""

    resource: str
    building: Path | None
    consumed: int | None
    indoor: int | None
    outdoor: int | None
    state: str

    @property
    def warmth(self) -> int:
        """x: thousandths of a degree to be heated."""
        if self.indoor is None or self.outdoor is None:
            return 0
        return max(0, self.indoor - self.outdoor - FOR_NOTHING)

    @property
    def is_warm(self) -> bool:
        """Whether it can be, and have, like homes."""
        return self.state == "COUNTS" and self.warmth > 0

    def is_good(self, limit: int) -> bool:
        """Whether it teaches what is usual: all known, and below the temperature where heating begins."""
        known = self.consumed is not None and self.indoor is not None
        return known and self.outdoor is not None and self.outdoor < limit


def inadequacy_days(known: Known, days: Sequence[int]) -> dict[Key, Row]:
    """Rows of these days, which have fallen due, by home and day."""
    supplies = {
        one.usage_point_id
        for group_id in known.groups
        for one in resolved(group_id, known.groups)
        if one.role == SUPPLY
    }
    found = {
        (name, day): home
        for name, point in known.points.items()
        if point.resource in HEATED and name not in supplies
        for day in days
        if (home := _home_day(name, day, known)) is not None
    }
    warm: dict[Building, dict[str, HomeDay]] = defaultdict(dict)
    for (name, day), home in found.items():
        if home.building is not None and home.is_warm:
            warm[home.resource, home.building, day][name] = home
    rows = {}
    for (name, day), home in found.items():
        beside = warm.get((home.resource, home.building, day), {}) if home.is_warm else {}
        like = [other for other_name, other in beside.items() if other_name != name]
        own = _own(name, day, home, found, known) if home.state == "COUNTS" else None
        rows[name, day] = _row(home, like, own)
    return rows


def thermometer_of(name: str, day: int, known: Known) -> str | None:
    """§4.5: the thermometer on its module at the day's start, the first by id."""
    modules = known.points[name].modules_at(day)
    beside = (
        one.usage_point_id
        for one in known.points.values()
        if one.resource == "TEMPERATURE" and one.modules_at(day) & modules
    )
    return min(beside, default=None)


def building_of(path: Path) -> Path | None:
    """The object whose homes are like one at this path."""
    if len(path) < 2:
        return None
    return path[:4] if len(path) > 4 else path[:-1]


def _home_day(name: str, day: int, known: Known) -> HomeDay | None:
    thermometer = thermometer_of(name, day, known)
    if thermometer is None or known.points[thermometer].is_outdoor:
        return None
    if not {(name, day), (thermometer, day)} & known.readings.keys():
        return None
    point = known.points[name]
    consumed = _consumed(name, day, known)
    indoor, is_heard = _indoor(thermometer, day, known)
    outdoor = known.weather.mean(point.object_path, day)
    if outdoor is None:
        state = "NO_OUTDOOR_TEMPERATURE"
    elif outdoor >= COLD:
        state = "NOT_COLD"
    elif consumed is None:
        state = "TOO_FEW_READINGS"
    elif indoor is None:
        state = "ABSURD_INDOOR_TEMPERATURE" if is_heard else "NO_INDOOR_TEMPERATURE"
    else:
        state = "COUNTS"
    return HomeDay(point.resource, building_of(point.object_path), consumed, indoor, outdoor, state)


def _consumed(name: str, day: int, known: Known) -> int | None:
    hours = known.readings.get((name, day), ())
    values = [v for place, (v, _) in enumerate(hours) if reported_for_day(hours, place) and v is not None]
    if not values or 10 * len(values) < 9 * len(hours):
        return None
    total = sum(max(-MOST, min(value, MOST + 1)) for value in values)
    consumed = half_up(total * len(hours), len(values))
    return consumed if 0 <= consumed <= MOST else None


def _indoor(thermometer: str, day: int, known: Known) -> tuple[int | None, bool]:
    """T_in, and whether the thermometer was heard at all."""
    hours = known.readings.get((thermometer, day), ())
    heard = [value for value, quality in hours if is_reported((value, quality)) and value is not None]
    rooms = [value for value in heard if COLDEST_ROOM <= value <= WARMEST_ROOM]
    is_heard = bool(heard) and 4 * len(heard) >= 3 * len(hours)
    if not rooms or 4 * len(rooms) < 3 * len(hours):
        return None, is_heard
    return half_up(sum(rooms), len(rooms)), is_heard


def _row(home: HomeDay, like: Sequence[HomeDay], own: int | None) -> Row:
    """``like``: its like homes, of a day that counts; ``own``: what its past makes expected."""
    return {
        "state": home.state,
        "consumed": home.consumed,
        "indoor": home.indoor,
        "outdoor": home.outdoor,
        "expected_own": own,
        "expected_like_homes": _by_like_homes(home, like),
        "like_homes": len(like),
        "like_homes_indoor": half_up(sum(one.indoor or 0 for one in like), len(like)) if like else None,
    }


def _own(name: str, day: int, home: HomeDay, homes: Mapping[Key, HomeDay], known: Known) -> int | None:
    """§7.2: by least squares on the good days."""
    span = [known.days.shifted(day, -back) for back in range(LAST_GOOD, FIRST_GOOD + 1)]
    past = [one for before in span if (one := homes.get((name, before))) is not None]
    good = [one for one in past if one.is_good(known.settings.heating_limit)]
    n = len(good)
    if n < LEAST_GOOD:
        return None
    x, y = [Fraction(one.warmth) for one in good], [Fraction(one.consumed or 0) for one in good]
    mean_x, mean_y = sum(x) / n, sum(y) / n
    spread = sum((one - mean_x) ** 2 for one in x)
    if spread == 0:
        return None
    b = sum((p - mean_x) * (q - mean_y) for p, q in zip(x, y, strict=True)) / spread
    a = mean_y - b * mean_x
    residual = sum((q - a - b * p) ** 2 for p, q in zip(x, y, strict=True)) / (n - 2)
    expected = Fraction(a + b * home.warmth)
    error = residual * (Fraction(1, n) + (home.warmth - mean_x) ** 2 / spread)
    clear = b > 0 and b**2 * spread >= 4 * residual
    if not clear or expected <= 0 or 16 * error > expected**2:
        return None
    rounded = half_up(expected.numerator, expected.denominator)
    return rounded if rounded <= MOST else None


def _by_like_homes(home: HomeDay, like: Sequence[HomeDay]) -> int | None:
    """§7.3."""
    if len(like) < LEAST_LIKE:
        return None
    shares = [Fraction(one.consumed or 0, one.warmth) for one in like]
    expected = home.warmth * Fraction(median(shares))
    rounded = half_up(expected.numerator, expected.denominator)
    return rounded if 0 < rounded <= MOST else None


@dataclass(frozen=True)
class Coefficient:
    """§7.4; ``reason`` is the number of the first reason why it is not computable, 0 when it is."""

    own: Fraction | None
    like_homes: Fraction | None
    reason: int

    @property
    def largest(self) -> Fraction | None:
        return max((one for one in (self.own, self.like_homes) if one is not None), default=None)


def coefficient(rows: Sequence[Row], depth: int) -> Coefficient:
    """Of the rows of a home on the days of the depth."""
    needed = ceil(Fraction(7, 10) * depth)
    told = [row for row in rows if row["outdoor"] is not None]
    counting = [row for row in rows if row["state"] == "COUNTS"]
    own, like_homes = (_lacking(counting, name, needed) for name in ("expected_own", "expected_like_homes"))
    checks = (
        not rows,
        len(told) < needed,
        sum(row["outdoor"] < COLD for row in told) < needed,
        len(counting) < needed,
        bool(counting) and sum(row["indoor"] for row in counting) <= 19_000 * len(counting),
        _follows(counting),
        own is None and like_homes is None,
    )
    reason = next((number for number, holds in enumerate(checks, start=1) if holds), 0)
    return Coefficient(None, None, reason) if reason else Coefficient(own, like_homes, 0)


def _lacking(counting: Sequence[Row], name: str, needed: int) -> Fraction | None:
    known = [row for row in counting if row[name] is not None]
    if len(known) < needed:
        return None
    used, expected = sum(row["consumed"] for row in known), sum(row[name] for row in known)
    return max(Fraction(0), 1 - Fraction(used, expected))


def _follows(counting: Sequence[Row]) -> bool:
    """Whether the thermometer follows the weather: slope and r² of T_in on T_out are a half or more."""
    n = len(counting)
    if n == 0:
        return False
    x, y = [Fraction(row["outdoor"]) for row in counting], [Fraction(row["indoor"]) for row in counting]
    mean_x, mean_y = sum(x) / n, sum(y) / n
    xx = sum((one - mean_x) ** 2 for one in x)
    yy = sum((one - mean_y) ** 2 for one in y)
    xy = sum((p - mean_x) * (q - mean_y) for p, q in zip(x, y, strict=True))
    return bool(xx and yy and 2 * xy >= xx and 2 * xy**2 >= xx * yy)
