"""Plain days beside which a gap may begin or end, told all at once (docs/domain.md §3.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from balance_ingest.domain.days import Ints
from balance_ingest.domain.join import Bools


@dataclass(frozen=True, slots=True)
class Bordered:
    """Whole days that were new, of metered channels: channel, usage point, start and end int64[n]; whether
    they have START and END, and whether END of the day before and START of the day after are there bool[n].
    """

    channel: Ints
    point: Ints
    day: Ints
    end: Ints
    starts: Bools
    ends: Bools
    before: Bools
    after: Bools

    def __len__(self) -> int:
        return len(self.channel)

    @classmethod
    def of(cls, parts: list[Bordered]) -> Bordered:
        """All days of several, by channel and day."""
        joined = [np.concatenate(column) for column in zip(*(part._columns() for part in parts), strict=True)]
        order = np.lexsort((joined[2], joined[0]))
        return cls(*(column[order] for column in joined))

    def _columns(self) -> list[Ints | Bools]:
        return [
            self.channel,
            self.point,
            self.day,
            self.end,
            self.starts,
            self.ends,
            self.before,
            self.after,
        ]


class Open(NamedTuple):
    """Which days are not known to have a mark on each side with nothing missing between; bool[n]."""

    before: Bools
    after: Bools


def open_sides(rows: Bordered) -> Open:
    """Look along days that follow one another for registers. The rows are by channel and day.

    A register at a day's edge that was there before keeps what is beyond it as it was; whole days between
    leave no gap.
    """
    linked = np.zeros(len(rows), bool)
    linked[1:] = (rows.channel[1:] == rows.channel[:-1]) & (rows.end[:-1] == rows.day[1:])
    closed_before = _reached(rows.before, rows.starts, linked)
    backwards = np.zeros(len(rows), bool)
    backwards[1:] = linked[:0:-1]
    closed_after = _reached(rows.after[::-1], rows.ends[::-1], backwards)[::-1]
    return Open(~closed_before, ~closed_after)


def _reached(here: Bools, beyond: Bools, linked: Bools) -> Bools:
    """Which rows have `here`, or a row before them in their chain that has `here` or `beyond`."""
    index = np.arange(len(here))
    chain = np.maximum.accumulate(np.where(linked, 0, index))
    newest = np.maximum.accumulate(np.where(here, index, -1))
    passed = np.maximum.accumulate(np.where(beyond, index, -1))
    passed = np.concatenate([[-1], passed[:-1]])
    found: Bools = np.maximum(newest, passed) >= chain
    return found
