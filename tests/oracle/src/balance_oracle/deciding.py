"""Decisions of operators about readings, for random worlds."""

from __future__ import annotations

from random import Random

from balance_oracle.describe import Described, edit
from balance_oracle.fleets import HOUR_MS, Fleet, Place


def make_edits(random: Random, place: Place, fleet: Fleet) -> list[Described]:
    """Edits and confirmations that overlap, are withdrawn, and stand again; each in some versions."""
    names = sorted({point["usage_point_id"] for point in fleet.usage_points})
    hours = (place.end_ms - place.start_ms) // HOUR_MS
    found: list[Described] = []
    for name in names:
        for number in range(random.choice((0, 0, 1, 2, 5))):
            length = min(hours, random.choice((1, 3, 24, 30, 100)))
            first = random.randrange(hours - length + 1)
            start = place.start_ms + first * HOUR_MS
            values = [random.choice((0, 5, 70)) for _ in range(length)] if random.random() < 0.5 else None
            one = edit(
                f"E-{name}-{number}",
                name,
                start,
                start + length * HOUR_MS,
                values,
                of_conflict=random.choice(("UNSPECIFIED", "SMALLEST", "LARGEST")),
                decided_at=place.end_ms + random.choice((0, 1000, 1000, 1900, 2000)),
            )
            states = [random.choice(("STANDING", "WITHDRAWN")) for _ in range(random.choice((0, 0, 1, 2)))]
            found += [
                one | {"version": n + 1, "state": state} for n, state in enumerate(["STANDING", *states])
            ]
    return found
