"""The join of evidence, slot by slot (docs/domain.md §2.2)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from balance_ingest.domain.days import Ints

Bools = NDArray[np.bool_]
Index = Ints | Bools | slice | int

ABSENT = -1
"""Revision of a slot that has no evidence. Any evidence has a greater one."""


class Slots(NamedTuple):
    """Evidence by slot, arrays of one shape: revision, smallest and largest value of that revision.

    low < high is a conflict. An absent slot has revision −1 and values 0.
    """

    revision: Ints
    low: Ints
    high: Ints

    @classmethod
    def absent(cls, shape: int | tuple[int, ...]) -> Slots:
        """Slots without any evidence."""
        return cls(np.full(shape, ABSENT, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64))

    @property
    def there(self) -> Bools:
        """Which slots have evidence."""
        there: Bools = self.revision >= 0
        return there

    @property
    def conflict(self) -> Bools:
        """Which slots hold different values of one revision."""
        conflict: Bools = self.low != self.high
        return conflict

    def at(self, index: Index) -> Slots:
        """The slots at an index of the first axis."""
        return Slots(self.revision[index], self.low[index], self.high[index])

    def put(self, index: Index, slots: Slots) -> None:
        """Write slots at an index of the first axis."""
        self.revision[index], self.low[index], self.high[index] = slots


def join(one: Slots, other: Slots) -> Slots:
    """The greater revision wins; equal revisions keep the smallest and the largest value.

    Commutative, associative and idempotent, so neither order nor number of deliveries matters.
    """
    newer = other.revision > one.revision
    tie = other.revision == one.revision
    low = np.where(newer, other.low, np.where(tie, np.minimum(one.low, other.low), one.low))
    high = np.where(newer, other.high, np.where(tie, np.maximum(one.high, other.high), one.high))
    return Slots(np.maximum(one.revision, other.revision), low, high)


def differ(one: Slots, other: Slots) -> Bools:
    """Which slots are not the same."""
    found: Bools = (one.revision != other.revision) | (one.low != other.low) | (one.high != other.high)
    return found


def speak_differently(one: Slots, other: Slots) -> Bools:
    """Which slots say something else to the rules: a change of revision alone does not."""
    found: Bools = (one.there != other.there) | (one.low != other.low) | (one.high != other.high)
    return found


def fold(rows: Slots, group: Ints, groups: int) -> Slots:
    """Join all rows (first axis) of each group; `group` holds each row's group, 0 … groups − 1."""
    order = np.argsort(group, kind="stable")
    if groups == len(group):
        return rows.at(order)
    ranked = group[order]
    first = np.r_[True, ranked[1:] != ranked[:-1]] if len(ranked) else np.zeros(0, bool)
    starts = np.flatnonzero(first)
    layer = np.arange(len(ranked)) - np.repeat(starts, np.diff(np.r_[starts, len(ranked)]))
    joined = Slots.absent((groups, *rows.revision.shape[1:]))
    for number in range(int(layer.max()) + 1 if len(layer) else 0):
        chosen = order[layer == number]
        into = group[chosen]
        joined.put(into, join(joined.at(into), rows.at(chosen)))
    return joined
