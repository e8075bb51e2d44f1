"""Clocks of modules and concentrators: offsets of days, hours moved by them, archives of the future
(docs/domain.md §2.9, §3.13).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from balance_ingest.domain.channel_days import ChannelEvidence, DayEvidence
from balance_ingest.domain.clocks import ClockDay, MovedHours, clock_days, days_told_of
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.join import Slots
from balance_kernel.calendar import Calendar
from hypothesis import given
from hypothesis import strategies as st

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
LONG_DAY = DAYS.day_of(int(datetime(2026, 10, 25, 12, tzinfo=UTC).timestamp()))
EVER = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())


def day(number: int) -> int:
    """Start of the day of that number."""
    return DAYS.shift(DAY, number)


@pytest.mark.parametrize(
    ("offsets", "clock"),
    [
        ([], None),
        ([120], None),
        ([-120, 0], None),
        ([121], ClockDay(121, 121, 121)),
        ([600, 650, 700], ClockDay(650, 600, 700)),
        ([600, 700], ClockDay(600, 600, 700)),
        ([0, 121], ClockDay(0, 0, 121)),
        ([6 * 3600 + 1], ClockDay(21_601, 21_601, 21_601)),
    ],
)
def test_the_offset_of_a_day_is_the_lower_median(offsets: list[int], clock: ClockDay | None) -> None:
    found = clock_days([(DAY + n, offset) for n, offset in enumerate(offsets)], [DAY], DAYS)
    assert found.get(DAY) == clock


def test_what_moves_and_what_does_not() -> None:
    moving = ClockDay(21_600, 21_600, 21_600), ClockDay(-600, -650, -530)
    still = ClockDay(21_601, 21_601, 21_601), ClockDay(-600, -651, -530)
    assert [clock.moves for clock in (*moving, *still)] == [True, True, False, False]
    assert [clock.unsure for clock in (*moving, *still)] == [False, False, False, True]


@given(st.integers(-5, 5 * DAY_S))
def test_an_observation_tells_of_the_days_it_tells_of(after: int) -> None:
    instant = DAY + after
    days = [day(n) for n in range(-5, 8)]
    assert set(clock_days([(instant, 900)], days, DAYS)) == set(days_told_of(instant, DAYS)) & set(days)


@pytest.mark.parametrize("instant", [-(2**62), 0, 2**62])
def test_an_observation_out_of_time_tells_of_no_day_that_matters(instant: int) -> None:
    assert len(days_told_of(instant, DAYS)) <= 3


def evidence(step: int, first: int, counts: Sequence[int]) -> ChannelEvidence:
    """Days from `first` on, of these counts."""
    found = ChannelEvidence()
    at, left = first, np.array(counts, np.int64)
    while len(left):
        slots = (DAYS.end_of(at) - at) // step
        values = left[:slots]
        found.days[at] = DayEvidence({step: Slots(np.ones(len(values), np.int64), values, values.copy())})
        at, left = DAYS.end_of(at), left[slots:]
    return found


@given(st.sampled_from((900, 1800, 3600)), st.integers(-21_600, 21_600), st.integers(0, 2**32))
def test_moved_hours_are_the_intervals_by_the_seconds_they_share(step: int, offset: int, seed: int) -> None:
    before, end = DAYS.shift(LONG_DAY, -1), DAYS.shift(LONG_DAY, 2)
    counts = np.random.default_rng(seed).integers(0, 50, (end - before) // step)
    moved = MovedHours(evidence(step, before, counts.tolist()), LONG_DAY, offset, DAYS)
    second = np.repeat(counts, step)
    expected = []
    for hour in range(25):
        start = LONG_DAY + hour * HOUR_S + offset - before
        total = int(second[start : start + HOUR_S].sum())
        expected.append((2 * total * 10 + step) // (2 * step))
    assert moved.there.all()
    assert moved.values(np.full(25, 10), averaged=False).tolist() == expected


def test_a_mean_is_moved_by_seconds_and_rounded_half_up() -> None:
    told = evidence(3600, day(-1), [*[0] * 24, *[10] * 24, *[-20] * 24])
    moved = MovedHours(told, DAY, 1800, DAYS)
    assert moved.values(np.ones(24, np.int64), averaged=True).tolist() == [*[10] * 23, -5]
    assert moved.extreme(told, True, 99).tolist() == [*[10] * 23, -20]
    assert moved.extreme(ChannelEvidence(), False, 99).tolist() == [99] * 24


def test_an_hour_that_lacks_an_interval_or_holds_a_bad_one_says_so() -> None:
    told = evidence(3600, day(-1), [*[1] * 48])
    slots = told.days[DAY].steps[3600]
    slots.high[5] = 7
    slots.low[9] = slots.high[9] = -1
    moved = MovedHours(told, DAY, 600, DAYS)
    assert np.flatnonzero(~moved.there).tolist() == [23]
    assert np.flatnonzero(moved.conflict).tolist() == [4, 5]
    assert np.flatnonzero(moved.negative).tolist() == [8, 9]
    weight = np.full(24, 6)
    assert moved.values(weight, averaged=False)[4:6].tolist() == [6, 6]
    assert moved.values(weight, averaged=False, largest=True)[4:6].tolist() == [12, 36]
    aligned = MovedHours(told, DAY, 3600, DAYS)
    assert np.flatnonzero(aligned.conflict).tolist() == [4]


def test_large_counts_keep_every_digit() -> None:
    told = evidence(900, day(-1), [2**31 - 1] * 96 * 3)
    moved = MovedHours(told, DAY, 601, DAYS)
    assert moved.values(np.full(24, 10**9), averaged=False).tolist() == [4 * (2**31 - 1) * 10**9] * 24


def archive(number: int, counts: Sequence[int] | int = 2, **given: Any) -> dict[str, Any]:
    """A whole day of one channel."""
    hours = DAYS.hours_by_start[day(number)]
    told = {
        "module_id": "R-1",
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": day(number) * 1000,
        "step_s": HOUR_S,
        "values": [counts] * hours if isinstance(counts, int) else list(counts),
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    return told | given


def state(number: int, ahead: int | None, hours: float = 12, module: str = "R-1") -> dict[str, Any]:
    """A module heard at noon of a day, its clock so far ahead of the concentrator's."""
    observed = day(number) + int(hours * HOUR_S)
    return {
        "module_id": module,
        "observed_at": observed * 1000,
        "module_clock_at": None if ahead is None else (observed + ahead) * 1000,
        "battery_mv": None,
        "signal_dbm": None,
        "firmware": None,
        "packet_mode": "DAILY",
        "relay_path": [],
    }


def packet(
    archives: Sequence[Mapping[str, Any]] = (),
    states: Sequence[Mapping[str, Any]] = (),
    sequence: int = 1,
    **given: Any,
) -> dict[str, Any]:
    """A packet of nine days later."""
    told = {
        "packet_id": f"P-{sequence}",
        "concentrator_id": "J-1",
        "sequence": sequence,
        "sent_at": day(9) * 1000,
        "received_at": day(9) * 1000,
        "archives": list(archives),
        "registers": [],
        "measurements": [],
        "module_events": [],
        "module_states": list(states),
        "session": None,
    }
    return told | given


def point(resource: str = "WATER", channel: int = 1) -> dict[str, Any]:
    """A usage point with a meter of 10 mL a pulse."""
    meter = {
        "meter_number": "M-1",
        "fitted_at": EVER * 1000,
        "removed_at": None,
        "accuracy_class_ppm": 15_000,
        "pulse_weight": 10,
        "register_digits": 5,
        "q_max": 6000,
        "initial_register": None,
        "final_register": None,
    }
    fitted = {"module_id": "R-1", "channel": channel, "fitted_at": EVER * 1000, "removed_at": None}
    return {
        "usage_point_id": "UP-1",
        "version": 1,
        "state": "ACTIVE",
        "resource": resource,
        "sensor_kind": None,
        "meters": [meter],
        "channels": [fitted],
    }


def values(house: Any, number: int = 0) -> list[int | None]:
    """Values of a day."""
    found: list[int | None] = house.readings()["UP-1", day(number) * 1000][0]
    return found


def drifts(house: Any) -> set[tuple[str, str, int]]:
    """(severity, subject, day) of the findings about clocks."""
    query = """SELECT severity, coalesce(usage_point_id, module_id || '/' || channel),
            extract(epoch FROM interval_start_at)::bigint
        FROM ingest.v_findings WHERE state = 'OPEN' AND rule = 'vee.clock_drift'"""
    return {
        (severity, subject, DAYS.index(at) - DAYS.index(DAY)) for severity, subject, at in house.rows(query)
    }


RISING = [*range(24)]
STACK = pytest.mark.stack


@STACK
def test_hours_of_a_fast_clock_are_moved_back(house: Any) -> None:
    house.describe(point())
    days = [archive(-1, 0), archive(0, RISING), archive(1, 30)]
    house.hear(packet(days, [state(n, 1800) for n in (-1, 0, 1)]))
    house.work()
    assert values(house) == [(2 * hour + 1) * 5 for hour in range(23)] + [(23 + 30) * 5]
    assert values(house, 1)[-1] is None
    assert drifts(house) == {("INFORMATION", "UP-1", n) for n in (-1, 0, 1)}


@STACK
def test_a_state_that_comes_after_the_day_moves_it_and_another_lets_it_stand(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(n, RISING) for n in range(3)]))
    assert values(house, 1)[0] == 0
    house.hear(packet([], [state(1, -3600)], 2))
    house.work()
    assert values(house, 1)[:3] == [230, 0, 10]
    assert drifts(house) == {("INFORMATION", "UP-1", n) for n in (0, 1)}
    house.hear(packet([], [state(1, 0, hours=13)], 3))
    house.work()
    assert values(house, 1)[:3] == [0, 10, 20]
    assert drifts(house) == {("WARNING", "UP-1", n) for n in (0, 1)}
    house.hear(packet([], [state(1, 0)], 4))
    house.work()
    assert drifts(house) == set()
    assert values(house, 1) == [10 * hour for hour in range(24)]


@STACK
def test_a_neighbour_that_comes_later_fills_the_hour_at_the_edge(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(1, RISING)], [state(n, 3600) for n in range(3)]))
    assert values(house, 1)[-1] is None
    house.hear(packet([archive(2, 7)], sequence=2))
    assert values(house, 1)[-1] == 70
    house.hear(packet([archive(2, 8)], sequence=3))
    assert values(house, 1)[-1] == 80


@STACK
def test_a_clock_that_is_far_out_moves_nothing(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(0, RISING)], [state(0, 6 * 3600 + 1)]))
    assert values(house) == [10 * hour for hour in range(24)]
    assert drifts(house) == {("WARNING", "UP-1", 0)}


@STACK
def test_the_error_of_the_concentrator_is_taken_off(house: Any) -> None:
    house.describe(point())
    late = packet([archive(n, RISING) for n in (-1, 0, 1)], [state(0, 3600, hours=-36)], 1)
    late["sent_at"] = (day(9) - 2 * DAY_S) * 1000
    house.hear(late)
    house.work()
    # Observed 36 h before the day by a clock that is 48 h slow: at noon of the day, and 47 h slow itself.
    assert drifts(house) == {("WARNING", "UP-1", -1), ("WARNING", "UP-1", 0)}
    house.hear(packet([], [state(0, 3600 + 2 * DAY_S, hours=-36)], 2, sent_at=late["sent_at"]))
    house.work()
    assert drifts(house) == {("INFORMATION", "UP-1", -1), ("INFORMATION", "UP-1", 0)}
    assert values(house)[:2] == [10, 20]


@STACK
def test_a_clock_that_is_right_and_one_that_is_not_told_change_nothing(house: Any) -> None:
    house.describe(point())
    told = [state(0, 90), state(0, -30, hours=30), state(0, None, hours=13)]
    assert house.hear(packet([archive(0, RISING)], told)) == 1
    assert drifts(house) == set()


@STACK
def test_a_mean_temperature_is_moved_too(house: Any) -> None:
    house.describe(point("TEMPERATURE", 0))
    told = [archive(n, [1000 * hour for hour in RISING], channel=0) for n in (0, 1)]
    house.hear(packet(told, [state(0, 900)]))
    assert values(house)[:2] == [250, 1250]
    assert values(house)[-1] == (23_000 * 3) // 4


@STACK
def test_a_moved_high_hour_is_judged_as_any(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(0, [2] * 12 + [2000] + [2] * 11), archive(1)], [state(0, 1800)]))
    rules = {(rule, (start - DAY) // HOUR_S) for rule, _, start, _ in house.findings()}
    assert ("vee.high", 11) in rules
    assert [hour for hour, value in enumerate(values(house)) if value is None] == [11, 12]


@STACK
def test_an_archive_of_hours_to_come_stands_and_is_found(house: Any) -> None:
    house.describe(point())
    received: dict[str, Any] = {"received_at": (day(1) - 121) * 1000, "sent_at": (day(1) - 121) * 1000}
    house.hear(packet([archive(0)], **received))
    assert values(house) == [20] * 24
    assert drifts(house) == {("WARNING", "R-1/1", 0)}
    in_time: dict[str, Any] = {"received_at": (day(2) - 120) * 1000, "sent_at": (day(2) - 120) * 1000}
    house.hear(packet([archive(1)], sequence=2, **in_time))
    assert drifts(house) == {("WARNING", "R-1/1", 0)}
    longer = archive(0, [2] * 25)
    house.hear(packet([longer], sequence=3, received_at=day(1) * 1000, sent_at=day(1) * 1000))
    end = "SELECT interval_end_at FROM ingest.v_findings WHERE rule = 'vee.clock_drift'"
    assert house.rows(end) == [(datetime.fromtimestamp(day(1) + HOUR_S, UTC),)]
    house.hear(packet([archive(0)], **received))
    assert house.rows(end) == [(datetime.fromtimestamp(day(1) + HOUR_S, UTC),)]


@STACK
def test_every_order_ends_in_the_same_readings(house: Any) -> None:
    packets = [
        packet([archive(0, RISING)], [state(0, 1700)]),
        packet([archive(1, RISING)], [state(1, 1800), state(0, 9000, hours=2)], 2),
        packet([archive(-1, 5), archive(2, RISING)], [state(0, 1750, hours=2), state(2, 600)], 3),
        packet([], [state(2, 1800), state(3, 1800)], 4, sent_at=(day(9) + 90) * 1000),
    ]
    seen = set()
    for order in list(itertools.permutations(packets))[::5]:
        clean = house.empty()
        clean.describe(point())
        for number, one in enumerate(order):
            clean.hear(one, backlog=number % 2 == 0)
        clean.hear(order[0])
        clean.work()
        seen.add(repr((sorted(clean.readings().items()), sorted(clean.findings()))))
    assert len(seen) == 1
    assert any(rule == "vee.clock_drift" for rule, *_ in clean.findings())
