"""One function a message: what is to be done when it arrives; and what the worker does when something is
due.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from balance_kernel.calendar import Calendar

from balance_imbalance.computing.group_days import Computation
from balance_imbalance.domain.days import last_ended
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.messages import Asset, ReadingDays, newest_assets, newest_days
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.weather_reports import WeatherReport, newest_reports
from balance_imbalance.ports import (
    Due,
    GroupDayStore,
    ReadingDayStore,
    Register,
    WeatherMarks,
    WeatherStore,
)

_GROUPS_A_SWEEP = 100
_log = logging.getLogger(__name__)


def handle_reading_days(messages: Sequence[ReadingDays], store: ReadingDayStore) -> int:
    """Keep the greatest version of each reading day and mark what it touches; gives how many days changed."""
    return store.store(newest_days(messages), max(message.clock_at for message in messages))


def handle_assets(assets: Sequence[Asset], register: Register) -> int:
    """Keep the greatest version of each entity and mark what it touches; gives how many group-days were
    marked.
    """
    return register.describe(newest_assets(assets)) if assets else 0


def handle_weather(reports: Sequence[WeatherReport], store: WeatherStore) -> int:
    """Keep the greatest version of each weather day; gives how many changed."""
    return store.store(newest_reports(reports))


class MarkingWeather:
    """Marks what depends on weather that changed."""

    def __init__(self, marks: WeatherMarks) -> None:
        self._marks = marks

    def step(self) -> int:
        """Mark for some of what changed, one transaction; gives how much."""
        return self._marks.mark()


@dataclass(frozen=True)
class Computing:
    """Computes what is marked. ``computed`` is told (group-days computed, changed) of each transaction."""

    store: GroupDayStore
    rules: Rules
    calendar: Calendar
    limit_days: int
    computed: Callable[[int, int], None]

    def step(self) -> int:
        """Compute what is marked and due, one transaction; gives how many group-days it were."""
        with self.store.work(self.limit_days) as (work, due):
            if not due:
                return 0
            # The clock is read after the markers: one set by a later clock must not meet an earlier one here.
            last = _last_ended(self.store, self.rules, self.calendar)

            def compute(some: Sequence[Due]) -> None:
                results = Computation(work, self.rules, self.calendar, last).results(some)
                self.computed(len(some), work.write(results))

            work.bear(due, compute)
        return len(due)


class Sweep:
    """Marks what no message marks: days that exist without readings (§4.7), and, once, days of other
    settings. Before all else it tells the views what they must know of the settings.
    """

    def __init__(
        self,
        store: GroupDayStore,
        rules: Rules,
        calendar: Calendar,
        recompute_from: date | None = None,
        inadequacy: InadequacyRules | None = None,
    ) -> None:
        self._store = store
        self._rules = rules
        self._inadequacy = inadequacy or InadequacyRules()
        self._calendar = calendar
        self._recompute_from = recompute_from
        self._settings_seen = False

    def step(self) -> int:
        """Look at some groups, one transaction; gives how many."""
        if not self._settings_seen:
            self._store.put_rules_in_force(self._inadequacy)
            self._warn_of_old_register()
            since = self._calendar.start_of(self._recompute_from) if self._recompute_from else None
            self._store.mark_other_settings(since)
            self._settings_seen = True
        last = _last_ended(self._store, self._rules, self._calendar)
        return 0 if last is None else self._store.fill(last, _GROUPS_A_SWEEP)

    def _warn_of_old_register(self) -> None:
        untold = self._store.groups_to_be_told_again()
        if untold:
            _log.error(
                "the register is incomplete: %d balance groups were kept by a release that knew neither "
                "nested groups nor objects nor modules, and were not told since. Stop the worker, move its "
                "consumer group imbalance-assets to the start of its topic, and start it again",
                untold,
            )


def _last_ended(store: GroupDayStore, rules: Rules, calendar: Calendar) -> datetime | None:
    clock = store.clock()
    return None if clock is None else last_ended(calendar, clock, rules.grace_s)
