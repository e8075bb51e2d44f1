"""Days with hours of closed gaps, as they are and as a transaction leaves them (docs/domain.md §3.11)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from balance_chassis.copying import Numbers
from psycopg import Connection

from balance_ingest.adapters.queries import statement
from balance_ingest.domain.days import as_datetime


class EstimatedDays:
    """Rows of `ingest.estimated_days`. A table of few rows: normal days are not in it."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._computed: list[tuple[int, int, int]] = []
        self._days: dict[tuple[int, int], bool] = {}

    def near(
        self, conn: Connection[Any], points: Sequence[int], first: int, last: int
    ) -> Mapping[int, Sequence[int]]:
        """Days of usage points from the first to the last, as this transaction found them."""
        span = {"first": as_datetime(first), "last": as_datetime(last)}
        found: dict[int, list[int]] = defaultdict(list)
        rows = conn.execute(statement("estimated_days"), {"points": Numbers(points), **span}, prepare=True)
        for point, day in rows:
            found[point].append(day)
        return found

    def keep(self, point: int, days: Sequence[int], estimated: Collection[int]) -> None:
        """Successive days of a usage point, and which of them are estimated; the last word counts."""
        self._computed.append((point, days[0], days[-1]))
        self._days.update({(point, day): day in estimated for day in days})

    def write(self, conn: Connection[Any]) -> None:
        """Write what was kept."""
        if not self._computed:
            return
        points, firsts, lasts = zip(*self._computed, strict=True)
        conn.execute(
            statement("forget_estimated_days"),
            {"points": Numbers(points), "firsts": Numbers(firsts), "lasts": Numbers(lasts)},
        )
        estimated = [pair for pair, is_estimated in self._days.items() if is_estimated]
        if estimated:
            points, days = zip(*estimated, strict=True)
            conn.execute(statement("keep_estimated_days"), {"points": Numbers(points), "days": Numbers(days)})
