"""Supply meters nobody has: a factor times the sum of homes, as the scenario states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from balance_simulator.checking import Problems
from balance_simulator.scenario import ALL, Composed
from balance_simulator.series import Increments, Ints


def compose(
    plan: Composed, homes: Mapping[str, Increments], zone: str, problems: Problems
) -> Increments | None:
    """The composed series over the whole span of its homes, in base units."""
    names = list(homes) if plan.sum_of == (ALL,) else list(plan.sum_of)
    where = f"composed {plan.usage_point}"
    unknown = [name for name in names if name not in homes]
    if unknown or not names:
        problems.note(where, "usage points with increments", ", ".join(unknown) or "none")
        return None
    chosen = [homes[name] for name in names]
    step = chosen[0].step_s
    if len({home.step_s for home in chosen}) > 1 or any(home.in_pulses for home in chosen):
        problems.note(where, "increments of one step, in litres or kWh", "several steps, or pulses")
        return None
    start, end = min(home.start_s for home in chosen), max(home.end_s for home in chosen)
    total = np.zeros((end - start) // step, np.float64)
    hours = _local_hours(start, len(total), step, zone)
    for home in chosen:
        total += _filled(home, start, len(total), hours, usual=plan.gaps == "usual")
    values = np.rint(total * plan.factor).astype(np.int64)
    return Increments(plan.usage_point, start, step, values, np.ones(len(values), np.bool_))


def said(plan: Composed, homes: Sequence[str]) -> str:
    """The composition in words, for the screen."""
    gaps = "gaps filled with each home's usual hour" if plan.gaps == "usual" else "gaps taken as nothing"
    count = len(homes) if plan.sum_of == (ALL,) else len(plan.sum_of)
    return f"{plan.usage_point} is composed: {plan.factor:g} x the sum of {count} usage points, {gaps}"


def _local_hours(start_s: int, count: int, step_s: int, zone: str) -> Ints:
    place = ZoneInfo(zone)
    seconds = start_s + np.arange(count) * step_s
    return np.array([datetime.fromtimestamp(int(s), UTC).astimezone(place).hour for s in seconds], np.int64)


def _filled(home: Increments, start_s: int, count: int, hours: Ints, *, usual: bool) -> NDArray[np.float64]:
    """The home on the common grid; its gaps hold its mean of that hour of the day, or 0."""
    values, present = np.zeros(count), np.zeros(count, np.bool_)
    place = (home.start_s - start_s) // home.step_s
    values[place : place + len(home.values)] = np.where(home.present, home.values, 0)
    present[place : place + len(home.values)] = home.present
    if usual and present.any():
        sums = np.bincount(hours, np.where(present, values, 0), 24)
        counts = np.bincount(hours[present], minlength=24)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), values[present].mean())
        values = np.where(present, values, means[hours])
    return values
