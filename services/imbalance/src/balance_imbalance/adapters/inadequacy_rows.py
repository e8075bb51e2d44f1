"""Readings of homes as arrays, and inadequacy days as rows and records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from balance_kernel.quantity import Quality

from balance_imbalance.domain.figures import Ints
from balance_imbalance.domain.inadequacy import (
    ALGORITHM_VERSION,
    NOTHING,
    Found,
    InadequacyRules,
    Past,
    State,
    consumption,
    expectations,
    room_temperature,
)
from balance_imbalance.domain.weather import ObjectPath

INADEQUACY_DAY = "balance.v1.InadequacyDayComputed"
_VALID, _MISSING = Quality.VALID.code, Quality.MISSING.code
_LAYOUT = (
    ("usage_point", "int4"),
    ("day_start", "timestamptz"),
    ("state", "int2"),
    ("consumed", "int4"),
    ("indoor", "int4"),
    ("outdoor", "int4"),
    ("expected_own", "int4"),
    ("expected_like_homes", "int4"),
    ("like_homes", "int4"),
    ("like_homes_indoor", "int4"),
    ("version", "int8"),
    ("algorithm_version", "int4"),
    ("settings_hash", "text"),
    ("computed_at", "timestamptz"),
)
COLUMNS = tuple(name for name, _ in _LAYOUT)
TYPES = tuple(kind for _, kind in _LAYOUT)


class HomesOfDay:
    """The homes of one day with what their meters and thermometers said, as far as either said anything."""

    def __init__(self, hours: int) -> None:
        self._hours = hours
        self._points: list[int] = []
        self.paths: list[ObjectPath] = []
        self._buildings: list[int] = []
        self._numbers: dict[tuple[int, tuple[str, ...]], int] = {}
        self._parts: list[tuple[Ints, Ints, Ints, Ints]] = []

    def __len__(self) -> int:
        return len(self._points)

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows of `wanted_homes_of_day`. Those without a reading day (§3) of either are left out.

        So is a stored day of another length than the day has (any more): zones change their rules.
        """
        heard = [row for row in rows if self._is_heard(*row[4:6]) or self._is_heard(*row[6:8])]
        if not heard:
            return
        for point, resource, path, building, *_ in heard:
            self._points.append(point)
            self.paths.append(tuple(path))
            key = (resource, tuple(building))
            self._buildings.append(self._numbers.setdefault(key, len(self._numbers)) if building else -1)
        self._parts.append((*self._arrays(heard, 4), *self._arrays(heard, 6)))

    @property
    def usage_points(self) -> Ints:
        """Their numbers."""
        return np.array(self._points, np.int64)

    @property
    def buildings(self) -> Ints:
        """Of each home its building, by number, negative for none."""
        return np.array(self._buildings, np.int64)

    def found(self, outdoor: Sequence[int | None]) -> Found:
        """What was found of each, with the outdoor mean at each."""
        gas, gas_qualities, room, room_qualities = (
            np.concatenate(part) for part in zip(*self._parts, strict=True)
        )
        indoor, absurd = room_temperature(room, room_qualities)
        means = np.array([NOTHING if mean is None else mean for mean in outdoor], np.int64)
        return Found(consumption(gas, gas_qualities), indoor, means, absurd)

    def _arrays(self, rows: Sequence[tuple[Any, ...]], at: int) -> tuple[Ints, Ints]:
        """(m, h) values and qualities."""
        values = np.zeros((len(rows), self._hours), np.int64)
        qualities = np.full((len(rows), self._hours), _MISSING, np.int64)
        for number, row in enumerate(rows):
            if row[at] is not None and len(row[at]) == self._hours:
                values[number] = row[at]
                qualities[number] = _VALID if row[at + 1] is None else row[at + 1]
        return values, qualities

    def _is_heard(self, values: Sequence[int] | None, qualities: Sequence[int] | None) -> bool:
        if values is None or len(values) != self._hours:
            return False
        return qualities is None or any(quality != _MISSING for quality in qualities)


def rows_of_day(
    day: datetime,
    homes: HomesOfDay,
    found: Found,
    past: Past,
    rules: InadequacyRules,
    computed_at: datetime,
) -> Iterator[Sequence[Any]]:
    """First versions of the rows of a day; ``past`` is that of the homes that count."""
    expected = expectations(homes.buildings, found, past, rules)
    columns = [
        found.states(rules),
        found.consumed,
        found.indoor,
        found.outdoor,
        expected.own,
        expected.by_like_homes,
        expected.like_homes,
        expected.like_homes_indoor,
    ]
    table = np.stack(columns, axis=1).astype(object)
    table[table == NOTHING] = None
    stamp = (1, ALGORITHM_VERSION, rules.settings_hash, computed_at)
    for point, row in zip(homes.usage_points.tolist(), table.tolist(), strict=True):
        yield (point, day, *row, *stamp)


def to_wire_inadequacy_day(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `current_inadequacy_days` as a record."""
    return {
        "usage_point_id": row["usage_point_id"],
        "resource": "HEAT" if row["resource"] == _HEAT else "GAS",
        "unit": "WATT_HOUR" if row["resource"] == _HEAT else "MILLILITRE",
        "day_start_at": round(row["day_start"].timestamp() * 1000),
        "state": State(row["state"]).name,
        "consumed": row["consumed"],
        "expected_by_own_past": row["expected_own"],
        "expected_by_like_homes": row["expected_like_homes"],
        "like_homes": row["like_homes"],
        "indoor_milli_c": row["indoor"],
        "outdoor_milli_c": row["outdoor"],
        "like_homes_indoor_milli_c": row["like_homes_indoor"],
        "version": row["version"],
        "algorithm_version": row["algorithm_version"],
        "settings_hash": row["settings_hash"],
        "computed_at": round(row["computed_at"].timestamp() * 1000),
    }


_HEAT = 4
