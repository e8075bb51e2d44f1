"""How much of a group was heard, and what its imbalance says (docs/domain.md §4.4, §4.6)."""

from __future__ import annotations

import numpy as np

from balance_imbalance.domain.figures import Absent, Flags, Ints, Side
from balance_imbalance.domain.rules import PPM, Coverage, Rules, Verdict
from balance_imbalance.domain.sums import INT64_SAFE, half_up


def computable(supply: Side, members: Side, there: Flags) -> Flags:
    """By hour, (h,): a supply meter and a member valid, and every supply meter ``there``, (m, h)."""
    silent = (supply.valid & ~there).any(axis=0)
    found: Flags = np.asarray(supply.valid.any(axis=0) & members.valid.any(axis=0) & ~silent)
    return found


def shares(part: Ints, whole: Ints, absent: Ints, due: Ints) -> Ints:
    """part / whole in millionths, rounded; by count where whole is 0; 0 where nobody is due."""
    part, whole = np.where(whole == 0, absent, part), np.where(whole == 0, due, whole)
    whole = np.where(whole == 0, 1, whole)
    if np.abs(part).max(initial=0) > INT64_SAFE / (2 * PPM):
        part, whole = part.astype(object), whole.astype(object)
    # Values below zero, which no meter has, could take it anywhere.
    share: Ints = np.clip(half_up(part * PPM, whole), 0, PPM).astype(np.int64)
    return share


def coverage(there: Flags, estimated: Flags, share: Ints, rules: Rules) -> Ints:
    """By span: ``there`` whether it is computable, ``estimated`` whether anything was not reported."""
    found: Ints = np.select(
        [~there, share > rules.unreliable_share_ppm, estimated],
        [Coverage.NOT_COMPUTABLE, Coverage.UNRELIABLE, Coverage.ESTIMATED],
        Coverage.COMPLETE,
    )
    return found


def verdict(coverages: Ints, imbalance: Ints, tolerance: Ints, unregistered: Ints) -> Ints:
    """By span; what idle meters may not have registered excuses losses alone."""
    undecided = (coverages == Coverage.NOT_COMPUTABLE) | (coverages == Coverage.UNRELIABLE)
    found: Ints = np.select(
        [undecided, imbalance > tolerance + unregistered, imbalance < -tolerance],
        [Verdict.UNDECIDED, Verdict.LOSS, Verdict.SURPLUS],
        Verdict.WITHIN_TOLERANCE,
    )
    return found


def absent(supply: Side, members: Side, unmetered: frozenset[int]) -> Absent:
    """The usage points of both sides of which something lacks."""
    found: tuple[set[int], ...] = (set(), set(), set(), set(), set())
    for side in (supply, members):
        if (side.valid & ~side.reported).any():
            lists = (
                ~side.reported_in_day,
                ~side.reported,
                ~side.valued,
                side.leading,
                side.trailing,
            )
            for points, flags in zip(found, lists, strict=True):
                points.update(side.usage_points[(side.valid & flags).any(axis=1)].tolist())
    missing, not_reported, silent, from_start, to_end = (tuple(sorted(points)) for points in found)
    return Absent(
        missing,
        tuple(point for point in missing if point in unmetered),
        not_reported,
        silent,
        from_start,
        to_end,
    )
