"""Fittings on a line of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from balance_gateway.domain.kinds import Value


class Bar(NamedTuple):
    """What was fitted, and where on the line it lies, in per cent of its length."""

    thing: Value
    offset: float
    width: float


class Line(NamedTuple):
    """A line of time from `start` to `end`, ms since 1970."""

    start: int
    end: int

    def bars(self, things: Sequence[Value]) -> list[Bar]:
        """Each of these; what is fitted still reaches the end."""
        length = max(self.end - self.start, 1)
        found = []
        for thing in things:
            offset = 100 * (thing["fitted_at"] - self.start) / length
            until = self.end if thing["removed_at"] is None else thing["removed_at"]
            found.append(
                Bar(thing, round(offset, 2), max(round(100 * (until - self.start) / length - offset, 2), 0.5))
            )
        return found


def line(things: Sequence[Value], now: int) -> Line | None:
    """From the first fitting to now, or to the last that is to come; None without any."""
    if not things:
        return None
    ends = [t["removed_at"] for t in things if t["removed_at"] is not None]
    starts = [t["fitted_at"] for t in things]
    return Line(min(starts), max(now, *starts, *ends))
