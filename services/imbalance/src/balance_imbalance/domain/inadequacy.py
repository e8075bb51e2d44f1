"""An abnormally warm home with little or no gas: what was found, what was to be expected (docs/domain.md §7).

Quantities are base units of a metering day, temperatures thousandths of a degree Celsius. Arrays are by home.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import numpy as np
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality
from numpy.typing import NDArray

from balance_imbalance.domain.figures import Flags, Floats, Ints
from balance_imbalance.domain.sums import half_up
from balance_imbalance.domain.weather import HEATING_BASE

WholeNumbers = NDArray[Any]
"""An object array of Python's integers: sums of squares have no bounds."""

ALGORITHM_VERSION = 1
"""Raised with every change of the computation that can change a row."""
NOTHING = np.iinfo(np.int64).min
"""Stands in integer arrays for what is not known."""
MOST_CONSUMED = 10**9
"""What a home uses on a day at most: 1,000 m³, 1 GWh."""
COLDEST_ROOM, WARMEST_ROOM = -10_000, 45_000
"""What lies outside is no room: 85 °C is a thermometer that was just switched on."""
_VALID, _ESTIMATED, _EDITED = (q.code for q in (Quality.VALID, Quality.ESTIMATED, Quality.EDITED))


class State(IntEnum):
    """Whether a day counts, and if not why: names are the symbols of the contract."""

    UNSPECIFIED = 0
    COUNTS = 1
    NO_OUTDOOR_TEMPERATURE = 2
    NOT_COLD = 3
    TOO_FEW_READINGS = 4
    NO_INDOOR_TEMPERATURE = 5
    ABSURD_INDOOR_TEMPERATURE = 6
    WITHDRAWN = 7


@dataclass(frozen=True, slots=True)
class InadequacyRules:
    """Settings of §7; temperatures in thousandths of a degree."""

    cold_below: int = 8_000
    heating_base: int = HEATING_BASE
    free_heat: int = 3_000
    """θ: degrees that people, sun and lamps bring."""
    recent_days: int = 30
    """The greatest depth: what is being judged teaches nothing."""
    lookback_days: int = 365
    least_days: int = 14
    least_homes: int = 5

    @property
    def settings_hash(self) -> str:
        """16 hexadecimal digits; equal for equal settings."""
        return hashlib.sha256(repr(astuple(self)).encode()).hexdigest()[:16]

    def past_of(self, calendar: Calendar, day: datetime) -> tuple[datetime, datetime]:
        """The days that a day learns from, half-open."""
        end = calendar.shift(day, -self.recent_days)
        return calendar.shift(end, -self.lookback_days), end

    def learners_of(self, calendar: Calendar, day: datetime) -> tuple[datetime, datetime]:
        """The days that learn from a day, half-open."""
        first = calendar.shift(day, self.recent_days + 1)
        return first, calendar.shift(first, self.lookback_days)


@dataclass(frozen=True)
class Found:
    """What was found of each home: consumption, room and outdoor temperature (`NOTHING` where unknown)."""

    consumed: Ints
    indoor: Ints
    outdoor: Ints
    absurd: Flags
    """Whether the thermometer told hours that no room has, and too few others."""

    def states(self, rules: InadequacyRules) -> Ints:
        """Of each home whether the day counts: the first reason against it that applies (`State`)."""
        state: Ints = np.select(
            [
                self.outdoor == NOTHING,
                self.outdoor >= rules.cold_below,
                self.consumed == NOTHING,
                self.absurd,
                self.indoor == NOTHING,
            ],
            [
                State.NO_OUTDOOR_TEMPERATURE,
                State.NOT_COLD,
                State.TOO_FEW_READINGS,
                State.ABSURD_INDOOR_TEMPERATURE,
                State.NO_INDOOR_TEMPERATURE,
            ],
            State.COUNTS,
        ).astype(np.int64)
        return state

    def degrees(self, rules: InadequacyRules) -> Ints:
        """max(0, T_in - T_out - θ); 0 where one of them is not known."""
        known = (self.indoor != NOTHING) & (self.outdoor != NOTHING)
        indoor, outdoor = np.where(known, self.indoor, 0), np.where(known, self.outdoor, 0)
        return np.maximum(0, np.where(known, indoor - outdoor - rules.free_heat, 0))


def consumption(values: Ints, qualities: Ints) -> Ints:
    """What each home used on a day, (m, h) values and quality codes to (m,); `NOTHING` where coverage is too
    low.

    Of 90 % of the hours or more, in proportion for the others; runs of ESTIMATED hours count that are
    exact, those inside the day.
    """
    estimated = qualities == _ESTIMATED
    at_edge = np.logical_and.accumulate(estimated, axis=1)
    at_edge |= np.logical_and.accumulate(estimated[:, ::-1], axis=1)[:, ::-1]
    counts = (qualities == _VALID) | (qualities == _EDITED) | (estimated & ~at_edge)
    hours, heard = values.shape[1], counts.sum(axis=1)
    sums = np.where(counts, np.clip(values, -MOST_CONSUMED, MOST_CONSUMED + 1), 0).sum(axis=1)
    consumed = half_up(sums * hours, np.maximum(heard, 1))
    fine = (heard * 10 >= hours * 9) & (consumed >= 0) & (consumed <= MOST_CONSUMED)
    return np.where(fine, consumed, NOTHING)


def room_temperature(values: Ints, qualities: Ints) -> tuple[Ints, Flags]:
    """Mean of each room's hours, (m, h) to (m,), and whether absurd hours are why there is none.

    Of 75 % of the hours or more, VALID or EDITED and of a room.
    """
    heard = (qualities == _VALID) | (qualities == _EDITED)
    counts = heard & (values >= COLDEST_ROOM) & (values <= WARMEST_ROOM)
    number, hours = counts.sum(axis=1), values.shape[1]
    enough = number * 4 >= hours * 3
    means = half_up(np.where(counts, values, 0).sum(axis=1), np.maximum(number, 1))
    absurd = ~enough & (heard.sum(axis=1) * 4 >= hours * 3)
    return np.where(enough, means, NOTHING), absurd


@dataclass(frozen=True)
class Past:
    """Sums over each home's good days: number, Σx, Σg, Σx², Σxg, Σg², x degrees and g consumption."""

    count: WholeNumbers
    x: WholeNumbers
    g: WholeNumbers
    xx: WholeNumbers
    xg: WholeNumbers
    gg: WholeNumbers

    @classmethod
    def of(cls, sums: Sequence[Sequence[int]]) -> Past:
        """Of a row of six sums a home."""
        table = np.empty((6, len(sums)), dtype=object)
        for home, row in enumerate(sums):
            table[:, home] = [int(value) for value in row]
        return cls(*table)

    def expected(self, degrees: Ints, rules: InadequacyRules) -> Ints:
        """ĝ of each home's own past on a day of so many degrees; `NOTHING` where it does not tell.

        g = a + b·x by least squares over 14 days or more, b > 0 and b >= 2·SE(b), ĝ > 0 with a standard
        error of a quarter at most. Decided in whole numbers, so that no rounding decides.
        """
        n, x = self.count, degrees.astype(object)
        zz, zg = n * self.xx - self.x * self.x, n * self.xg - self.x * self.g
        residual = (n * self.gg - self.g * self.g) * zz - zg * zg
        away = n * x - self.x
        scaled = self.g * zz + zg * away  # ĝ · n · zz
        clear = (n >= rules.least_days) & (zz > 0) & (zg > 0) & (zg * zg * (n - 2) >= 4 * residual)
        sure = (scaled > 0) & (16 * residual * (zz + away * away) <= (n - 2) * scaled * scaled)
        usable = clear.astype(bool) & sure.astype(bool)
        result = np.full(len(degrees), NOTHING)
        below = np.where(usable, n * zz, 1)
        whole = (2 * scaled + below) // (2 * below)
        usable &= (whole <= MOST_CONSUMED).astype(bool)
        result[usable] = whole[usable].astype(np.int64)
        return result


@dataclass(frozen=True)
class LikeHomes:
    """Of each home what its like homes tell: how many they are, their mean room, what is expected by them."""

    count: Ints
    indoor: Ints
    expected: Ints


def like_homes(
    buildings: Ints, found: Found, degrees: Ints, counts: Flags, rules: InadequacyRules
) -> LikeHomes:
    """The other homes of each home's building (by number, negative for none) whose day counts.

    ĝ is the median of their consumption a degree times the home's degrees, of 5 homes or more and above 0.
    """
    homes = len(buildings)
    result = LikeHomes(np.zeros(homes, np.int64), *(np.full(homes, NOTHING) for _ in range(2)))
    like = counts & (degrees > 0) & (buildings >= 0)
    order = np.argsort(buildings[like], kind="stable")
    members = np.flatnonzero(like)[order]
    for group in np.split(members, np.flatnonzero(np.diff(buildings[members])) + 1):
        if len(group):
            _of_building(group, found, degrees, rules, result)
    return result


@dataclass(frozen=True)
class Expected:
    """Of each home what was to be expected on a day, and its like homes (`NOTHING` where unknown)."""

    own: Ints
    by_like_homes: Ints
    like_homes: Ints
    like_homes_indoor: Ints


def expectations(buildings: Ints, found: Found, past: Past, rules: InadequacyRules) -> Expected:
    """By the own past and by like homes; ``past`` is that of the homes whose day counts, in their order."""
    counts = found.states(rules) == State.COUNTS
    degrees = found.degrees(rules)
    like = like_homes(buildings, found, degrees, counts, rules)
    own = np.full(len(buildings), NOTHING)
    own[counts] = past.expected(degrees[counts], rules)
    return Expected(own, like.expected, like.count, like.indoor)


def _of_building(group: Ints, found: Found, degrees: Ints, rules: InadequacyRules, result: LikeHomes) -> None:
    """Fill in the homes of one building."""
    others = len(group) - 1
    result.count[group] = others
    if others == 0:
        return
    indoor = found.indoor[group]
    result.indoor[group] = half_up(indoor.sum() - indoor, np.full(len(group), others))
    if others < rules.least_homes:
        return
    a_degree = found.consumed[group] / degrees[group]
    order = np.argsort(a_degree, kind="stable")
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group))
    expected = np.floor(_medians_without(a_degree[order], rank) * degrees[group] + 0.5)
    fine = (expected > 0) & (expected <= MOST_CONSUMED)
    result.expected[group] = np.where(fine, expected, NOTHING)


def _medians_without(ordered: Floats, rank: Ints) -> Floats:
    """Median of the ordered values without the one of each rank."""
    last = len(ordered) - 2
    low, high = (ordered[position + (position >= rank)] for position in (last // 2, (last + 1) // 2))
    median: Floats = (low + high) / 2
    return median
