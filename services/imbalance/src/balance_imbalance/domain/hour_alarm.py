"""The hourly alarm: successive hours far above what the group makes expected (docs/domain.md §8.6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan
from statistics import median

import numpy as np
from balance_kernel.calendar import HOUR_S

from balance_imbalance.domain.baseline import HourlyBaseline, WatchedDay, rounded
from balance_imbalance.domain.onset_rules import OnsetRules


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm as known so far: instants in seconds, base units an hour."""

    start_s: int
    excesses: tuple[float, ...]
    """Of its hours above."""
    last_s: int
    """Start of the last hour that made it what it is: one above, or the one it ended by."""
    ended_s: int | None = None

    @property
    def confirmed_s(self) -> int:
        """End of its second hour: when it could first be known."""
        return self.start_s + 2 * HOUR_S

    @property
    def excess_per_hour(self) -> int:
        """Base units an hour."""
        return rounded(median(self.excesses))


@dataclass(frozen=True, slots=True)
class HourState:
    """The open alarm, and the last hour: its start, None when it was not judged; its excess, if above."""

    alarm: Alarm | None = None
    last_s: int | None = None
    last_excess: float | None = None


def judge_hours(
    state: HourState, day: WatchedDay, usual: HourlyBaseline | None, rules: OnsetRules
) -> tuple[HourState, list[Alarm]]:
    """Go over the hours of a day; the state after them, and each alarm touched as it then stands."""
    if usual is None:
        ended = [replace(state.alarm, ended_s=day.start_s, last_s=day.start_s)] if state.alarm else []
        return HourState(), ended
    clock = day.clock_hours
    excess = day.hour_imbalance - usual.usual[clock]
    limit = rules.hour_sigmas * np.maximum(usual.spread[clock], day.hour_tolerance / 2)
    touched: dict[int, Alarm] = {}
    for hour, (found, is_above) in enumerate(zip(excess.tolist(), (excess > limit).tolist(), strict=True)):
        start_s = day.start_s + hour * HOUR_S
        # NaN: the hour does not count, or has no baseline
        state = (
            HourState(state.alarm) if isnan(found) else _judged(state, start_s, found if is_above else None)
        )
        if state.alarm:
            touched[state.alarm.start_s] = state.alarm
        if state.alarm and state.alarm.ended_s is not None:
            state = replace(state, alarm=None)
    return state, list(touched.values())


def _judged(state: HourState, start_s: int, excess: float | None) -> HourState:
    """The state after an hour that is judged; an alarm that ends stands in it with its end."""
    alarm, before = state.alarm, state.last_excess
    succeeds = state.last_s == start_s - HOUR_S
    if alarm and excess is not None:
        alarm = replace(alarm, excesses=(*alarm.excesses, excess), last_s=start_s)
    elif alarm and succeeds and before is None:
        alarm = replace(alarm, ended_s=start_s - HOUR_S, last_s=start_s)
    elif alarm is None and succeeds and before is not None and excess is not None:
        alarm = Alarm(start_s - HOUR_S, (before, excess), start_s)
    return HourState(alarm, start_s, excess)
