"""Estimated readings and moved hours against what really happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.typing import NDArray

from balance_bench.vee_play import Outcome, milliseconds

HOUR_MS = 3_600_000
CLASSES = ((2, "1–2 hours"), (23, "3–23 hours"), (7 * 25, "1–7 days"), (29 * 24, "8–28 days"))
WEEKLY = "weekly registers"
REGISTER_LIES = {"hours_from_one", "two_devices", "exchange_undeclared", "register_reset", "clock_drift"}
"""Faults under which a register does not say what its hours came to: nothing is exact beside them."""

Key = tuple[str, str]
"""(resource, class of length)."""


@dataclass
class Errors:
    """Relative errors: of hours by the mean true hour of the gap, of days by its mean true day."""

    gaps: int = 0
    hours: list[float] = field(default_factory=list)
    naive_hours: list[float] = field(default_factory=list)
    days: list[float] = field(default_factory=list)
    naive_days: list[float] = field(default_factory=list)

    def add(self, other: Errors) -> None:
        """Take in others."""
        self.gaps += other.gaps
        for name in ("hours", "naive_hours", "days", "naive_days"):
            getattr(self, name).extend(getattr(other, name))


@dataclass
class Estimated:
    """Totals of gaps that are the truth to the unit, those that are not, those no register speaks of, and
    the errors inside of gaps.
    """

    exact: int = 0
    inexact: list[str] = field(default_factory=list)
    not_comparable: int = 0
    errors: dict[Key, Errors] = field(default_factory=lambda: defaultdict(Errors))
    clock: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    battery_days: list[float] = field(default_factory=list)

    def add(self, other: Estimated) -> None:
        """Take in another field's."""
        self.exact += other.exact
        self.not_comparable += other.not_comparable
        for length, errors in other.errors.items():
            self.errors[length].add(errors)
        for key, shares in other.clock.items():
            self.clock[key] += shares
        for name in ("inexact", "battery_days"):
            getattr(self, name).extend(getattr(other, name))


@dataclass(frozen=True)
class _Series:
    """A usage point's hours on end, from the start of a day; NaN where there is no value."""

    day_edges: Sequence[int]
    """Positions of the starts of days, and of the end."""
    values: NDArray[np.float64]
    estimated: NDArray[np.bool_]
    true: NDArray[np.float64]
    consumed: NDArray[np.float64]


def compare(played: Outcome) -> Estimated:
    """All estimates and moved hours of a field."""
    result = Estimated()
    lying = {label["module"] for label in played.labels if label["kind"] in REGISTER_LIES}
    lying |= {
        played.modules_of[label["usage_point"]]
        for label in played.labels
        if label["kind"] in REGISTER_LIES and label["usage_point"]
    }
    for row, name in enumerate(played.truth.names):
        if name not in played.readings:
            continue
        module = played.modules_of[name]
        for series in _series(played, name, row):
            for low, high in _runs(series.estimated):
                if module in lying:
                    result.not_comparable += 1
                else:
                    _compare_gap(played, name, series, low, high, result)
    _compare_clocks(played, result)
    for label in played.labels:
        if label["kind"] == "battery_dead" and label["module"] in played.forecasts:
            death_s = milliseconds(label["start"]) / 1000
            result.battery_days.append((played.forecasts[label["module"]] - death_s) / 86_400)
    return result


def _series(played: Outcome, name: str, row: int) -> Iterator[_Series]:
    """Days on end, as one; days that are no reading days part them."""
    days = sorted(played.truth.registered)
    read = played.readings[name]
    run: list[int] = []
    for day in [*days, None]:
        if day is not None and day in read:
            run.append(day)
        elif run:
            sizes = [len(read[one][0]) for one in run]
            values = [np.nan if v is None else v for one in run for v in read[one][0]]
            yield _Series(
                [0, *np.cumsum(sizes).tolist()],
                np.array(values, float),
                np.array([q == "ESTIMATED" for one in run for q in read[one][1]]),
                np.concatenate([played.truth.registered[one][row] for one in run]).astype(float),
                np.concatenate([played.truth.consumed[one][row] for one in run]).astype(float),
            )
            run = []


def _runs(marks: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marks.astype(np.int8), [0]])))
    yield from ((int(low), int(high)) for low, high in edges.reshape(-1, 2))


def _compare_gap(played: Outcome, name: str, series: _Series, low: int, high: int, result: Estimated) -> None:
    """The days a gap lies in have registers at their edges: all their hours together are exact."""
    first = max(edge for edge in series.day_edges if edge <= low)
    last = min(edge for edge in series.day_edges if edge >= high)
    found, true = series.values[first:last], series.true[first:last]
    if np.isnan(found).any():
        result.not_comparable += 1
        return
    if found.sum() == true.sum():
        result.exact += 1
    else:
        words = (
            f"seed {played.plan.seed}: {name}, hours {low}–{high}: {found.sum():.0f}, true {true.sum():.0f}"
        )
        result.inexact.append(words)
    weekly = played.modes[played.modules_of[name]] == "WEEKLY"
    length = WEEKLY if weekly else next((words for most, words in CLASSES if high - low <= most), "longer")
    errors = _errors(series, low, high)
    if weekly:  # many gaps end to end: what is even over all of them is no way of anybody
        errors.naive_hours, errors.naive_days = [], []
    result.errors[played.resources[name], length].add(errors)


def _errors(series: _Series, low: int, high: int) -> Errors:
    found, true = series.values[low:high], series.true[low:high]
    mean = true.mean()
    if mean <= 0:
        return Errors(gaps=1)
    naive = np.full(high - low, found.sum() / (high - low))
    errors = Errors(1, _shares(found - true, mean), _shares(naive - true, mean))
    for start, end in pairwise(series.day_edges):
        if low <= start and end <= high:
            a, b = start - low, end - low
            day = mean * (b - a)
            errors.days.append(abs(found[a:b].sum() - true[a:b].sum()) / day)
            errors.naive_days.append(abs(naive[a:b].sum() - true[a:b].sum()) / day)
    return errors


def _shares(errors: NDArray[np.float64], mean: float) -> list[float]:
    shares: list[float] = (np.abs(errors) / mean).tolist()
    return shares


def _compare_clocks(played: Outcome, result: Estimated) -> None:
    """Hours of modules whose clocks are wrong, by the true hours: as counted, and as they were moved.

    Both are scaled to the true total first: the meter's own error is none of the clock's.
    """
    drifting = {label["module"] for label in played.labels if label["kind"] == "clock_drift"}
    for row, name in enumerate(played.truth.names):
        if played.modules_of[name] not in drifting or name not in played.readings:
            continue
        days = [
            (played.truth.consumed[day][row], played.truth.registered[day][row], values)
            for day, (values, qualities) in played.readings[name].items()
            if day in played.truth.consumed and set(qualities) == {"VALID"} and len(values) == 24
        ]
        if not days:
            continue
        true, counted, moved = (np.array(part, float) for part in zip(*days, strict=True))
        resource = played.resources[name].lower()
        for way, found in (("counted", counted), ("moved", moved)):
            if found.sum() and true.sum():
                scaled = found * true.sum() / found.sum()
                result.clock[f"{resource}_{way}_hours"].append(_off(scaled, true))
                result.clock[f"{resource}_{way}_usual_day"].append(_off(scaled.mean(0), true.mean(0)))


def _off(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """All differences as a share of the whole."""
    return float(np.abs(found - true).sum() / true.sum())


def figures(errors: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    """Median and ninth decile of each, in percent."""
    found: dict[str, float | None] = {}
    for name, values in errors.items():
        found[f"{name}_median_percent"] = round(100 * median(values), 1) if values else None
        found[f"{name}_p90_percent"] = round(100 * float(np.quantile(values, 0.9)), 1) if values else None
    return found
