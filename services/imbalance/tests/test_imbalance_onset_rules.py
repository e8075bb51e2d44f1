"""Onset, its end and its size, and the hourly alarm, on days made by hand (docs/domain.md §8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from balance_imbalance.adapters.onset_rows import clock_hours, from_row_state, to_row_state
from balance_imbalance.domain.baseline import WatchedDay, fit, fit_hours
from balance_imbalance.domain.hour_alarm import Alarm
from balance_imbalance.domain.onset import Followed, Side, State, follow
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_kernel.calendar import Calendar

RULES = OnsetRules()
LOSS, NOISE = 1_000, (0.0, 0.004, -0.003, 0.002, -0.004, 0.001, 0.003)


def day(number: int, extra: float = 0.0) -> WatchedDay:
    """24 equal hours: 100,000 a day used, more on some days; a standing loss, a little noise, and extra."""
    used = 100_000 + 7_000 * (number * 5 % 6)
    lost = LOSS + NOISE[number % 7] * used + extra
    hours = np.full(24, lost / 24)
    tolerance = np.full(24, 100.0)
    return WatchedDay(number, 86_400 * number, used + lost, lost, 0.0, hours, tolerance, np.arange(24))


def followed(*days: WatchedDay) -> Followed:
    return follow(State(), [], days, RULES)


def days(count: int, extra: Callable[[int], float] = lambda _: 0.0) -> list[WatchedDay]:
    return [day(number, extra(number)) for number in range(count)]


def test_a_group_that_stays_as_it_is_raises_nothing() -> None:
    found = followed(*days(365))
    assert (found.onsets, found.alarms) == ({}, {})


def test_a_baseline_is_the_constant_loss_and_the_proportional_error() -> None:
    made = [
        WatchedDay(n, 0, 1000.0 + n, 50 + 0.02 * (1000 + n), 0.0, np.zeros(24), np.zeros(24), np.arange(24))
        for n in range(28)
    ]
    baseline = fit(made, RULES)
    assert baseline is not None
    assert baseline.constant == pytest.approx(50)
    assert baseline.slope == pytest.approx(0.02)
    assert (baseline.spread, baseline.days) == (0.002, 28)
    assert fit(made[:27], RULES) is None


def test_where_supply_follows_the_loss_the_slope_does_not_explain_it_away() -> None:
    made = [
        WatchedDay(n, 0, 1000.0 + 9 * n, 9.0 * n, 0.0, np.zeros(24), np.zeros(24), np.arange(24))
        for n in range(28)
    ]
    baseline = fit(made, RULES)
    assert baseline is not None
    assert baseline.slope == 0.9


@pytest.mark.parametrize(("extra", "side"), [(20_000.0, Side.RISE), (-20_000.0, Side.FALL)])
def test_a_change_for_good_is_an_onset_with_date_side_and_size(extra: float, side: Side) -> None:
    (onset,) = followed(*days(120, lambda number: extra if number >= 60 else 0)).onsets.values()
    assert (onset.alarmed, onset.side, onset.ended) == (60, side, None)
    assert 57 <= onset.since <= 60
    assert onset.size_per_day == pytest.approx(extra, rel=0.03)
    assert onset.size_per_hour == pytest.approx(extra / 24, rel=0.03)


def test_a_small_change_is_dated_back_to_where_its_run_began() -> None:
    (onset, *_) = followed(*days(120, lambda number: 900.0 if number >= 60 else 0)).onsets.values()
    assert onset.alarmed > onset.since
    assert abs(onset.since - 60) <= 3


def test_a_strange_day_ends_and_the_days_before_are_the_baseline_again() -> None:
    found = followed(*days(110, lambda number: 30_000.0 if number in (60, 90) else 0))
    assert [(onset.alarmed, onset.ended) for onset in found.onsets.values()] == [(60, 61), (90, 91)]
    assert found.state.regime.first == 0
    assert (60, 61) in found.state.regime.aside


def test_a_repair_ends_the_leak_and_the_fall_it_was_seen_as() -> None:
    found = followed(*days(160, lambda number: 20_000.0 if 60 <= number < 100 else 0))
    assert [(onset.side, onset.alarmed, onset.ended) for onset in found.onsets.values()] == [
        (Side.RISE, 60, 100),
        (Side.FALL, 100, 100),
    ]
    assert found.state.open == ()


def test_an_onset_that_stood_for_a_year_is_looked_at_no_more() -> None:
    found = followed(*days(500, lambda number: 20_000.0 if 60 <= number < 440 else 0))
    assert found.onsets[60].ended is None
    assert found.onsets[440].side is Side.FALL


def test_days_that_do_not_count_change_nothing() -> None:
    made = days(120, lambda number: 20_000.0 if number >= 60 else 0)
    holes = [replace(each, supply=None, imbalance=None) if each.number % 5 == 0 else each for each in made]
    (onset,) = followed(*holes).onsets.values()
    assert (onset.alarmed, onset.since) == (61, 61)
    (without,) = followed(*(each for each in made if each.number % 5)).onsets.values()
    assert without == onset


def test_what_estimates_can_explain_is_no_evidence() -> None:
    made = days(120, lambda number: 20_000.0 if number >= 60 else 0)
    unsure = [replace(each, u_estimate=11_000.0) if each.number >= 60 else each for each in made]
    assert followed(*unsure).onsets == {}
    unread = [replace(each, u_reading=80_000.0) if each.number >= 60 else each for each in made]
    assert followed(*unread).onsets == {}


def burst(number: int, first: int, last: int, extra: float) -> WatchedDay:
    made = day(number)
    hours = made.hour_imbalance.copy()
    hours[first : last + 1] += extra
    return replace(made, hour_imbalance=hours)


def test_halves_are_rounded_up() -> None:
    (onset,) = followed(*days(60, lambda n: 5_000 if n >= 50 else 0)).onsets.values()
    sized = [replace(onset, excesses=(low, low + 1)).size_per_day for low in (2.0, 3.0, -3.0, -4.0)]
    assert sized == [3, 4, -2, -3]
    assert replace(onset, excesses=(60.0,)).size_per_hour == 3
    alarms = [Alarm(0, (low, low + 1), 0).excess_per_hour for low in (2.0, 3.0)]
    assert alarms == [3, 4]


def test_two_hours_above_are_an_alarm_and_one_is_none() -> None:
    assert followed(*days(40), burst(40, 13, 13, 3_000)).alarms == {}
    (alarm,) = followed(*days(40), burst(40, 13, 14, 3_000), day(41)).alarms.values()
    assert alarm.start_s == 86_400 * 40 + 13 * 3600
    assert (alarm.confirmed_s, alarm.ended_s) == (alarm.start_s + 2 * 3600, alarm.start_s + 2 * 3600)
    assert len(alarm.excesses) == 2
    assert alarm.excess_per_hour == pytest.approx(3_000, rel=0.1)


def test_an_alarm_goes_over_midnight_and_bears_an_hour_that_is_not_judged() -> None:
    late, early = burst(40, 23, 23, 3_000), burst(41, 0, 4, 3_000)
    hours = early.hour_imbalance.copy()
    hours[2] = np.nan
    early = replace(early, hour_imbalance=hours)
    (alarm,) = followed(*days(40), late, early).alarms.values()
    assert alarm.start_s == 86_400 * 40 + 23 * 3600
    assert (len(alarm.excesses), alarm.ended_s) == (5, 86_400 * 41 + 5 * 3600)


def test_an_hour_less_sure_than_its_excess_is_none_above() -> None:
    unsure = replace(burst(40, 13, 16, 3_000), hour_tolerance=np.full(24, 1_200.0))
    assert followed(*days(40), unsure).alarms == {}


def test_the_hours_of_a_day_that_does_not_count_are_judged() -> None:
    partial = replace(burst(40, 13, 14, 3_000), supply=None, imbalance=None)
    assert len(followed(*days(40), partial).alarms) == 1


def test_an_alarm_ends_where_an_onset_takes_over() -> None:
    changed = replace(day(40, 36_000.0), hour_imbalance=burst(40, 12, 23, 3_000).hour_imbalance)
    found = followed(*days(40), changed, day(41, 72_000.0))
    assert list(found.onsets) == [40]
    (alarm,) = found.alarms.values()
    assert (len(alarm.excesses), alarm.ended_s) == (12, 86_400 * 41)


def test_clock_hours_come_twice_or_not_at_all_when_clocks_change() -> None:
    calendar = Calendar("Europe/Berlin", 0)
    autumn = calendar.day_start(datetime(2026, 10, 25, 12, tzinfo=UTC))
    hours = clock_hours(calendar.zone, autumn, 25)
    assert hours.tolist()[:6] == [0, 1, 2, 2, 3, 4]
    made = WatchedDay(1, 0, 1.0, 1.0, 0.0, np.arange(25.0), np.zeros(25), hours)
    assert made.by_clock.shape == (2, 24)
    assert made.by_clock[:, 2].tolist() == [3.0, 2.0]
    assert fit_hours([made] * 14, RULES).usual[2] == 2.5


def test_following_in_parts_is_following_at_once() -> None:
    made = days(200, lambda number: 20_000.0 if 60 <= number < 80 or number >= 150 else 0)
    made[120] = burst(120, 20, 23, 3_000)
    whole = followed(*made)
    onsets: dict[int, Any] = {}
    alarms: dict[int, Any] = {}
    state = State()
    for number, one in enumerate(made):
        part = follow(from_row_state(to_row_state(state)), made[max(0, number - 60) : number], [one], RULES)
        onsets |= part.onsets
        alarms |= part.alarms
        state = part.state
    assert (onsets, alarms, state) == (whole.onsets, whole.alarms, whole.state)
    assert len(onsets) > 1
    assert len(alarms) > 0
