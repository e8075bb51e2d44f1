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
    """Handles changed group-days. ``changed`` is told (onsets, alarms) of each transaction."""

    store: OnsetStore
    rules: OnsetRules
    changed: Callable[[int, int], None]

    def handle(self, messages: Sequence[ChangedGroupDay | str]) -> None:
        """Go again over each group's days from the first that changed, in one transaction."""
        groups: dict[str, list[ChangedGroupDay]] = {}
        for message in messages:
            if isinstance(message, ChangedGroupDay):
                groups.setdefault(message.group_id, []).append(message)
        if not groups:
            return
        onsets = alarms = 0
        with self.store.work() as work:
            numbers = work.numbers(sorted(groups))
            for group, group_id in sorted((number, group_id) for group_id, number in numbers.items()):
                days = groups[group_id]
                found = work.since(group, _first(days))
                followed = follow(found.state, found.past, found.days, self.rules)
                written = work.write(found, followed, all(day.is_recomputation for day in days))
                onsets, alarms = onsets + written[0], alarms + written[1]
        self.changed(onsets, alarms)


def _first(days: Sequence[ChangedGroupDay]) -> datetime:
    return min(day.day_start for day in days)
