"""Evidence of one channel over some days, as the rules read it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from balance_ingest.domain.evidence import Block, Points
from balance_ingest.domain.join import Slots, join


@dataclass(frozen=True, slots=True)
class Register:
    """A register in pulses as reported: low < high when two reports of one revision disagree."""

    low: int
    high: int

    @property
    def value(self) -> int | None:
        """Its value; None in conflict, which counts as no register (docs/domain.md §2.3)."""
        return self.low if self.low == self.high else None


@dataclass(slots=True)
class DayEvidence:
    """One day of one channel. `steps` maps the length of an interval to all slots of the day."""

    steps: dict[int, Slots] = field(default_factory=dict)
    start: Register | None = None
    end: Register | None = None

    @property
    def finest(self) -> int | None:
        """The finest step of which the day has any interval; None without interval evidence."""
        return min((step for step, slots in self.steps.items() if slots.there.any()), default=None)


@dataclass(slots=True)
class ChannelEvidence:
    """Days with interval rows by their start, and POINT registers in order of time."""

    days: dict[int, DayEvidence] = field(default_factory=dict)
    instants: list[int] = field(default_factory=list)
    points: list[Register] = field(default_factory=list)

    def points_in(self, start: int, end: int) -> Sequence[tuple[int, Register]]:
        """POINT registers in [start, end), conflicts too."""
        span = slice(bisect_left(self.instants, start), bisect_left(self.instants, end))
        return list(zip(self.instants[span], self.points[span], strict=True))

    def has_any(self, start: int, end: int) -> bool:
        """Whether a day [start, end) has evidence of any kind."""
        return start in self.days or bisect_left(self.instants, start) < bisect_left(self.instants, end)

    def has_any_between(self, start: int, end: int) -> bool:
        """Whether any day of [start, end) has evidence of any kind."""
        return self.has_any(start, end) or any(start <= day < end for day in self.days)

    def has_intervals(self, day: int) -> bool:
        """Whether a day has interval evidence."""
        found = self.days.get(day)
        return found is not None and found.finest is not None


NO_EVIDENCE = ChannelEvidence()


def by_channel(blocks: Iterable[Block], points: Points) -> Mapping[int, ChannelEvidence]:
    """Evidence by channel. Registers of a day's edge that came with several steps are joined."""
    found: dict[int, ChannelEvidence] = {}
    edges: dict[tuple[int, int, bool], Slots] = {}
    for block in blocks:
        for row, (channel, day) in enumerate(zip(block.channel.tolist(), block.day.tolist(), strict=True)):
            evidence = found.setdefault(channel, ChannelEvidence())
            evidence.days.setdefault(day, DayEvidence()).steps[block.shape.step] = block.slots.at(row)
            for at_end, part in ((False, block.start), (True, block.end)):
                if part.revision[row] >= 0:
                    key, slots = (channel, day, at_end), part.at(slice(row, row + 1))
                    edges[key] = join(edges[key], slots) if key in edges else slots
    for (channel, day, at_end), slots in edges.items():
        register = Register(int(slots.low[0]), int(slots.high[0]))
        if at_end:
            found[channel].days[day].end = register
        else:
            found[channel].days[day].start = register
    rows = zip(
        points.channel.tolist(),
        points.instant.tolist(),
        points.slots.low.tolist(),
        points.slots.high.tolist(),
        strict=True,
    )
    for channel, instant, low, high in rows:
        evidence = found.setdefault(channel, ChannelEvidence())
        evidence.instants.append(instant)
        evidence.points.append(Register(low, high))
    return found
