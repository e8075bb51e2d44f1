"""The plain days: whole, undisturbed days of a channel, computed all at once.

What `readings.compute` says of one usage point at a time, said of thousands: days whose every interval is
there, whose registers agree with them and with their neighbours, of a channel with one meter and one
fitting. Everything else is left to `compute`. A property test holds the two together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.evidence import Block
from balance_ingest.domain.join import Bools
from balance_ingest.domain.sensor_kinds import SENSED

NOBODY = -1
_SENSED = [resource.code for resource in SENSED]


@dataclass(frozen=True, slots=True)
class Windows:
    """By channel: the one usage point it reads (or NOBODY), the span [start, end) with one meter, and the
    range of a sensor's means; all int64[n].
    """

    point: Ints
    start: Ints
    end: Ints
    weight: Ints
    q_max: Ints
    number: Ints
    resource: Ints
    tolerance: Ints
    least: Ints
    greatest: Ints

    def at(self, index: Bools) -> Windows:
        """Some of them."""
        return Windows(
            self.point[index],
            self.start[index],
            self.end[index],
            self.weight[index],
            self.q_max[index],
            self.number[index],
            self.resource[index],
            self.tolerance[index],
            self.least[index],
            self.greatest[index],
        )


@dataclass(frozen=True, slots=True)
class PlainDays:
    """Reading days with all hours VALID: usage point, day, resource int64[n], values int64[n, hours] in base
    units.
    """

    point: Ints
    day: Ints
    resource: Ints
    values: Ints

    def at(self, index: Bools) -> PlainDays:
        """Some of them."""
        return PlainDays(self.point[index], self.day[index], self.resource[index], self.values[index])


def is_metered(windows: Windows) -> Bools:
    """Which channels read a meter, and not a sensor."""
    metered: Bools = (windows.number > 0) & ~np.isin(windows.resource, _SENSED)
    return metered


def whole(block: Block) -> Bools:
    """Rows with all intervals there and nothing in conflict."""
    told = block.slots
    return told.there.all(axis=1) & ~told.conflict.any(axis=1) & ~block.start.conflict & ~block.end.conflict


def plain_days(block: Block, windows: Windows, before: Ints, after: Ints) -> tuple[Bools, PlainDays]:
    """Which rows are plain, and their readings (docs/domain.md §3.1–§3.5 where nothing is amiss).

    The block's rows are `whole`. `before` is END of the day before each, `after` START of the day after, −1
    for none.
    """
    hours = block.shape.hours
    parts = HOUR_S // block.shape.step
    counts = block.slots.low
    totals = counts.reshape(len(block), hours, parts).sum(axis=2)
    meter = is_metered(windows)
    scaled = totals * windows.weight[:, None]
    values = np.where(meter[:, None], scaled, (2 * totals + parts) // (2 * parts))
    end = block.day + hours * HOUR_S
    fitted = (windows.point != NOBODY) & (windows.start <= block.day) & (end <= windows.end)
    counted = (counts >= 0).all(axis=1) & (values <= (windows.q_max + windows.weight)[:, None]).all(axis=1)
    ranged = (values.min(axis=1) >= windows.least) & (values.max(axis=1) <= windows.greatest)
    sound = counted & _registers_agree(block, windows.tolerance, before, after)
    plain = fitted & np.where(meter, sound, ranged)
    return plain, PlainDays(windows.point[plain], block.day[plain], windows.resource[plain], values[plain])


def _registers_agree(block: Block, tolerance: Ints, before: Ints, after: Ints) -> Bools:
    """Neither jumps at the day's edges, nor counts that do not add up to the registers."""
    start = np.where(block.start.there, block.start.low, -1)
    end = np.where(block.end.there, block.end.low, -1)
    moved = block.slots.low.sum(axis=1) - (end - start)
    adds_up = (start < 0) | (end < 0) | (np.abs(moved) <= tolerance)
    joins_before = (start < 0) | (before < 0) | (np.abs(start - before) <= 1)
    joins_after = (after < 0) | (end < 0) | (np.abs(after - end) <= 1)
    agree: Bools = adds_up & joins_before & joins_after
    return agree
