"""The step of the worker that keeps inadequacy days (docs/domain.md §7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from balance_kernel.calendar import Calendar

from balance_imbalance.domain.days import last_ended
from balance_imbalance.ports import InadequacyStore

MARKERS_A_TRANSACTION = 200_000


@dataclass
class Inadequacy:
    """Follows register and clock, and computes. ``computed`` is told (markers taken, rows changed)."""

    store: InadequacyStore
    clock: Callable[[], datetime | None]
    calendar: Calendar
    grace_s: int
    computed: Callable[[int, int], None]
    recompute_from: datetime | None = None
    """First day that other settings or a newer algorithm recompute; None for all."""
    _settings_seen: bool = False

    def step(self) -> int:
        """Do what there is to do, a transaction each; gives how much it was."""
        if not self._settings_seen:
            self.store.mark_other_settings(self.recompute_from)
            self._settings_seen = True
        done = self.store.follow_register()
        clock = self.clock()
        if clock is not None:
            done += self.store.fall_due(last_ended(self.calendar, clock, self.grace_s))
        taken, changed = self.store.compute(MARKERS_A_TRANSACTION)
        self.computed(taken, changed)
        return done + taken
