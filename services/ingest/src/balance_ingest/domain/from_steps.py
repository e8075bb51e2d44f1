"""Hours from register readings (docs/domain.md §3.7.3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.join import Bools
from balance_ingest.domain.sheet import ESTIMATED, MISSING, VALID, Sheet
from balance_ingest.domain.steps import Step

ESTIMATED_FROM_S = 2 * HOUR_S
_SAFE = 2**62


def fill_hours(sheet: Sheet, steps: Sequence[Step], day: int, hours: slice, mine: Bools) -> None:
    """Write values and qualities of `mine` among a day's hours from the steps that overlap them."""
    start, end = day, day + (hours.stop - hours.start) * HOUR_S
    touching = [s for s in steps if s.used and s.start < end and start < s.end]
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
    end = day + hours * HOUR_S
    touching = [s for s in steps if s.used and s.start < end and day < s.end]
    values, covered, _ = _amounts([s for s in touching if not s.quarantined or s.confirmable], day, hours)
    blocked = np.zeros(hours, bool)
    for step in touching:
        if step.quarantined and not step.confirmable:
            first, after = max(step.start, day) - day, min(step.end, end) - day
            blocked[first // HOUR_S : -(-after // HOUR_S)] = True
    return values, (covered == HOUR_S) & ~blocked


def _amounts(steps: Sequence[Step], start: int, hours: int) -> tuple[Ints, Ints, Ints]:
    """By hour of a day: consumption in base units, seconds covered, whether a long step takes part."""
    value, covered = np.zeros(hours, np.int64), np.zeros(hours, np.int64)
    estimated = np.zeros(hours, np.int64)
    for step in steps:
        first, last = max(step.start, start), min(step.end, start + hours * HOUR_S)
        begin, after = (first - start) // HOUR_S, -((start - last) // HOUR_S)
        edges = start + HOUR_S * np.arange(begin, after + 1, dtype=np.int64)
        edges[0], edges[-1] = first, last
        value[begin:after] += np.diff(_consumed_until(step, edges)).astype(np.int64)
        covered[begin:after] += np.diff(edges)
        estimated[begin:after] |= step.end - step.start > ESTIMATED_FROM_S
    return value, covered, estimated


def _consumed_until(step: Step, instants: Ints) -> Ints:
    """round(consumption · (t − start) / length) at each instant, half up and exact however large the
    numbers.
    """
    length = step.end - step.start
    if step.consumption * length * 2 + length < _SAFE:
        return (2 * step.consumption * (instants - step.start) + length) // (2 * length)
    exact = [(2 * step.consumption * (t - step.start) + length) // (2 * length) for t in instants.tolist()]
    return np.array(exact, np.int64)
