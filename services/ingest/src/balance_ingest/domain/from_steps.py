"""Hours from register readings (docs/domain.md §3.7.3)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.join import Bools
from balance_ingest.domain.sheet import ESTIMATED, MISSING, VALID, Sheet
from balance_ingest.domain.steps import Step

ESTIMATED_FROM_S = 2 * HOUR_S
MOST = 10**15
"""No hour is confirmed with more base units than this; what is above it is shown as little more."""


def fill_hours(sheet: Sheet, steps: Sequence[Step], day: int, hours: slice, mine: Bools) -> None:
    """Write values and qualities of `mine` among a day's hours from the steps that overlap them."""
    start, end = day, day + (hours.stop - hours.start) * HOUR_S
    touching = _touching(steps, start, end)
    suspect = np.zeros(len(mine), bool)
    for step in touching:
        if step.quarantined:
            touched = sheet.hours_in(max(step.start, start), min(step.end, end))
            suspect[touched.start - hours.start : touched.stop - hours.start] = True
    sound = [s for s in touching if not s.quarantined]
    values, covered, estimated = _amounts(sound, start, hours.stop - hours.start)
    quality = np.where(covered == HOUR_S, np.where(estimated, ESTIMATED, VALID), MISSING)
    sheet.value[hours] = np.where(mine, values, sheet.value[hours])
    sheet.quality[hours] = np.where(mine, quality, sheet.quality[hours])
    sheet.suspect[hours] |= suspect & mine


def offered_hours(steps: Sequence[Step], day: int, hours: int) -> tuple[Ints, Bools]:
    """Values of a day's hours without the quarantine of steps that may be confirmed, and where there is
    one.
    """
    touching = _touching(steps, day, day + hours * HOUR_S)
    values, covered, _ = _amounts([s for s in touching if not s.quarantined or s.confirmable], day, hours)
    blocked = np.zeros(hours, bool)
    for step in touching:
        if step.quarantined and not step.confirmable:
            first, after = max(step.start - day, 0), min(step.end - day, hours * HOUR_S)
            blocked[first // HOUR_S : -(-after // HOUR_S)] = True
    return values, (covered == HOUR_S) & ~blocked


def _touching(steps: Sequence[Step], start: int, end: int) -> Sequence[Step]:
    """Those of successive steps that overlap [start, end) and are used."""
    first = bisect_right(steps, start, key=lambda step: step.end)
    after = bisect_left(steps, end, lo=first, key=lambda step: step.start)
    return [step for step in steps[first:after] if step.used]


def _amounts(steps: Sequence[Step], start: int, hours: int) -> tuple[Ints, Ints, Ints]:
    """By hour of a day: consumption in base units, seconds covered, whether a long step takes part."""
    value, covered, estimated = [0] * hours, [0] * hours, [0] * hours
    for step in steps:
        first, last = max(step.start, start), min(step.end, start + hours * HOUR_S)
        begin, after = (first - start) // HOUR_S, -((start - last) // HOUR_S)
        edges = [first, *range(start + HOUR_S * (begin + 1), start + HOUR_S * after, HOUR_S), last]
        until = [_consumed_until(step, edge) for edge in edges]
        long = step.end - step.start > ESTIMATED_FROM_S
        for position in range(begin, after):
            inside = position - begin
            value[position] += until[inside + 1] - until[inside]
            covered[position] += edges[inside + 1] - edges[inside]
            estimated[position] |= long
    # Exact until here, whatever the registers and the weight.
    shown = [min(one, MOST + 1) for one in value]
    return np.array(shown, np.int64), np.array(covered, np.int64), np.array(estimated, np.int64)


def _consumed_until(step: Step, instant: int) -> int:
    """round(consumption · (t − start) / length) at an instant, half up."""
    length = step.end - step.start
    return (2 * step.consumption * (instant - step.start) + length) // (2 * length)
