"""Two devices that feed one channel: runs of alternating jumps (domain.md §3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LEAST_RUN = 4


@dataclass(frozen=True)
class Jump:
    """A jump of a register beginning at ``at``, with a signed size in pulses; ``step`` is its place."""

    at: int
    size: int
    step: int = -1


def alternating(jumps: Sequence[Jump], longest_gap: int) -> list[list[Jump]]:
    """Runs of four jumps or more, each jump opposite to the one before, alike in size and soon after it."""
    runs: list[list[Jump]] = []
    for jump in jumps:
        if runs and _follows(runs[-1][-1], jump, longest_gap):
            runs[-1].append(jump)
        else:
            runs.append([jump])
    return [run for run in runs if len(run) >= LEAST_RUN]


def _follows(before: Jump, jump: Jump, longest_gap: int) -> bool:
    opposite = (before.size < 0) != (jump.size < 0)
    alike = 10 * abs(abs(jump.size) - abs(before.size)) <= abs(before.size)
    return opposite and alike and jump.at - before.at <= longest_gap
