"""What computing readings needs to know beside evidence and history, loaded once for some usage points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balance_ingest.domain.plans import Allowance


@dataclass(frozen=True)
class Circumstances:
    """By channel id; what is not there is nothing out of the ordinary."""

    allowances: Mapping[int, Sequence[Allowance]] = field(default_factory=dict)
    """How much longer days of a channel may be awaited (docs/domain.md §3.17)."""

    @property
    def longest_allowance(self) -> int:
        """The longest of all allowances in days."""
        return max((one.days for spans in self.allowances.values() for one in spans), default=0)


ORDINARY = Circumstances()
