"""`vee.two_devices`: jumps that alternate (docs/domain.md §3.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from balance_ingest.domain.days import DAY_S, HOUR_S

INTERVAL_GAP_S = 7 * DAY_S + HOUR_S
REGISTER_GAP_S = DAY_S
FEWEST = 4


class Jump(NamedTuple):
    """A jump of `size` pulses, with its sign, that begins at an instant."""

    begin: int
    size: int


def two_devices(jumps: Sequence[Jump], gap_s: int) -> Iterator[range]:
    """`vee.two_devices`: runs of four jumps or more, as ranges of positions in `jumps` (docs/domain.md §3.6).

    Each jump has the opposite sign of the one before, a size within 10 % of it, and begins at most `gap_s`
    after it.
    """
    first = 0
    for position in range(1, len(jumps) + 1):
        if position < len(jumps) and _continues(jumps[position - 1], jumps[position], gap_s):
            continue
        if position - first >= FEWEST:
            yield range(first, position)
        first = position


def _continues(before: Jump, jump: Jump, gap_s: int) -> bool:
    return (
        (jump.size < 0) != (before.size < 0)
        and 10 * abs(abs(jump.size) - abs(before.size)) <= abs(before.size)
        and jump.begin - before.begin <= gap_s
    )
