"""What is done when group-days changed: their groups' onsets and hourly alarms are found again (§8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from balance_imbalance.domain.messages import ChangedGroupDay
from balance_imbalance.domain.onset import follow
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_imbalance.ports import OnsetStore


@dataclass(frozen=True)
class Watching:
    """Handles changed group-days. ``changed`` is told (days, onsets, alarms) of each transaction."""

    store: OnsetStore
    rules: OnsetRules
    changed: Callable[[int, int, int], None]

    def handle(self, messages: Sequence[ChangedGroupDay | str]) -> None:
        """Go again over each group's days from the first that changed, some groups in a transaction."""
        first: dict[str, datetime] = {}
        for message in messages:
            if isinstance(message, ChangedGroupDay):
                day = message.day_start
                first[message.group_id] = min(day, first.get(message.group_id, day))
        while first:
            with self.store.work() as work:
                done, found = work.unfollowed(first)
                gone_over = [(one, follow(one.state, one.past, one.days, self.rules)) for one in found]
                onsets, alarms = work.write(gone_over) if gone_over else (0, 0)
            if found:  # else it was gone over when an earlier message came
                self.changed(sum(len(one.days) for one in found), onsets, alarms)
            first = {group_id: day for group_id, day in first.items() if group_id not in done}


def group_of(message: ChangedGroupDay | str) -> str | None:
    """The group a message is of; None for one that is of no group-day."""
    return message.group_id if isinstance(message, ChangedGroupDay) else None
