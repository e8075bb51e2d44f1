"""What computing readings needs to know beside evidence and history, loaded once for some usage points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balance_kernel.plans import Allowance

from balance_ingest.domain.clocks import ClockDay
from balance_ingest.domain.faults import Fault


@dataclass(frozen=True)
class Circumstances:
    """By channel id; what is not there is nothing out of the ordinary."""

    allowances: Mapping[int, Sequence[Allowance]] = field(default_factory=dict)
    """How much longer days of a channel may be awaited (docs/domain.md §3.17)."""

    faults: Mapping[int, Sequence[Fault]] = field(default_factory=dict)
    """When its sensor was out of order (docs/domain.md §3.10)."""
    clocks: Mapping[int, Mapping[int, ClockDay]] = field(default_factory=dict)
    """Days on which the clock of its module was wrong (docs/domain.md §3.13)."""

    def bear_on(self, channel: int, day: int, end: int) -> bool:
        """Whether a fault or a wrong clock of a channel bears on a day."""
        faults = self.faults.get(channel, ())
        return day in self.clocks.get(channel, ()) or any(fault.overlaps(day, end) for fault in faults)

    @property
    def longest_allowance(self) -> int:
        """The longest of all allowances in days."""
        return max((one.days for spans in self.allowances.values() for one in spans), default=0)


ORDINARY = Circumstances()
