"""Evidence of many channel-days as arrays, and how it joins (docs/domain.md §2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from balance_ingest.domain.days import HOUR_S, Ints
from balance_ingest.domain.join import Bools, Index, Slots, differ, fold, join, speak_differently

POINTS_STEP = 0
"""The step by which rows of POINT registers are told apart from rows of intervals."""

_DAY_BITS = 34


class Shape(NamedTuple):
    """What rows of a block have in common: length of an interval in seconds, hours of the day."""

    step: int
    hours: int

    @property
    def slots(self) -> int:
        """Intervals a day."""
        return self.hours * HOUR_S // self.step


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of interval evidence of one shape: n rows, S slots. Each row is one (channel, day, step).

    `channel` and `day` (its start) are int64[n], `slots` arrays are [n, S], `start` and `end`, the registers
    of the day's edges, [n].
    """

    shape: Shape
    channel: Ints
    day: Ints
    slots: Slots
    start: Slots
    end: Slots

    def __len__(self) -> int:
        return len(self.channel)

    @classmethod
    def nothing(cls, shape: Shape, channel: Ints, day: Ints) -> Block:
        """Rows that hold no evidence yet."""
        n = len(channel)
        return cls(shape, channel, day, Slots.absent((n, shape.slots)), Slots.absent(n), Slots.absent(n))

    @property
    def spoken(self) -> Bools:
        """Which rows say anything: an archive all of whose positions are missing does not."""
        return self.slots.there.any(axis=1) | self.start.there | self.end.there

    def at(self, index: Index) -> Block:
        """Some of its rows."""
        return Block(
            self.shape,
            self.channel[index],
            self.day[index],
            self.slots.at(index),
            self.start.at(index),
            self.end.at(index),
        )

    def keyed(self, channels: Ints) -> Block:
        """The same rows with `channels[channel]` for channel."""
        return Block(self.shape, channels[self.channel], self.day, self.slots, self.start, self.end)

    def folded(self) -> Block:
        """One row for each (channel, day), in that order, the rows of each joined."""
        channel, day, group = _groups(self.channel, self.day)
        n = len(channel)
        parts = (fold(part, group, n) for part in (self.slots, self.start, self.end))
        return Block(self.shape, channel, day, *parts)

    def joined(self, other: Block) -> Block:
        """Joined with a block of the same rows."""
        return Block(
            self.shape,
            self.channel,
            self.day,
            join(self.slots, other.slots),
            join(self.start, other.start),
            join(self.end, other.end),
        )

    def rows_differing(self, other: Block) -> Bools:
        """Which rows are to be written, when `other` is what is there."""
        return (
            differ(self.slots, other.slots).any(axis=1)
            | differ(self.start, other.start)
            | differ(self.end, other.end)
        )

    def rows_speaking_differently(self, other: Block) -> Bools:
        """Which rows say something else to the rules than `other` does."""
        return (
            speak_differently(self.slots, other.slots).any(axis=1)
            | speak_differently(self.start, other.start)
            | speak_differently(self.end, other.end)
        )


@dataclass(frozen=True, slots=True)
class Points:
    """POINT registers of many channels: n registers, one each (channel, instant), in that order when
    folded.
    """

    channel: Ints
    instant: Ints
    slots: Slots

    def __len__(self) -> int:
        return len(self.channel)

    @classmethod
    def none(cls) -> Points:
        """No registers."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), Slots.absent(0))

    def at(self, index: Index) -> Points:
        """Some of them."""
        return Points(self.channel[index], self.instant[index], self.slots.at(index))

    def keyed(self, channels: Ints) -> Points:
        """The same with `channels[channel]` for channel."""
        return Points(channels[self.channel], self.instant, self.slots)

    def folded(self) -> Points:
        """One for each (channel, instant), all of one joined."""
        channel, instant, group = _groups(self.channel, self.instant)
        return Points(channel, instant, fold(self.slots, group, len(channel)))

    def with_(self, other: Points) -> Points:
        """All registers of both, joined."""
        return Points(
            np.concatenate([self.channel, other.channel]),
            np.concatenate([self.instant, other.instant]),
            Slots(*(np.concatenate(pair) for pair in zip(self.slots, other.slots, strict=True))),
        ).folded()

    def differing_from(self, other: Points) -> Bools:
        """Which of these are not the same in `other`, or are not in it at all; both folded."""
        return differ(self.slots, self.counterpart(other))

    def speaking_differently_from(self, other: Points) -> Bools:
        """Which of these say something else to the rules than in `other`."""
        return speak_differently(self.slots, self.counterpart(other))

    def counterpart(self, other: Points) -> Slots:
        """What another, folded too, says at the same channels and instants."""
        found = Slots.absent(len(self))
        if len(self) and len(other):
            mine, theirs = _keys(self.channel, self.instant), _keys(other.channel, other.instant)
            at = np.searchsorted(theirs, mine)
            at[at == len(theirs)] = 0
            same = theirs[at] == mine
            found.put(np.flatnonzero(same), other.slots.at(at[same]))
        return found


def _keys(channel: Ints, instant: Ints) -> Ints:
    """One number for (channel, instant) that sorts like the pair; instants are below 2^34, channels below
    2^29.
    """
    return (channel << _DAY_BITS) | instant


def _groups(channel: Ints, instant: Ints) -> tuple[Ints, Ints, Ints]:
    """(channels, instants, group of each row) of the pairs there are, in order."""
    keys, group = np.unique(_keys(channel, instant), return_inverse=True)
    return keys >> _DAY_BITS, keys & ((1 << _DAY_BITS) - 1), group.astype(np.int64)
