"""Packet plans: how long a day may be awaited, and what of it is missing afterwards (docs/domain.md §3.8,
§3.17).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_ingest.adapters import wire_described
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.history import FOREVER
from balance_ingest.domain.plans import falling_due, first_of, is_due
from balance_kernel.calendar import Calendar
from balance_kernel.plans import (
    Allowance,
    PlanSpan,
    SessionSetting,
    Setting,
    allowance_at,
    allowances_of,
    differing,
    packet_spans,
    session_spans,
)

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
EVER = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())


def day(number: int) -> int:
    """Start of the day of that number, in seconds."""
    return DAYS.shift(DAY, number)


def module(name: str = "R-1", version: int = 1, *modes: tuple[int, str], **given: Any) -> dict[str, Any]:
    """A module of these modes, each from an instant on; DAILY for ever without."""
    settings = [
        {
            "valid_from": since * 1000,
            "packet_mode": mode,
            "concentrator_id": given.get("concentrator"),
        }
        for since, mode in modes or [(EVER, "DAILY")]
    ]
    batteries = [{"battery_type": kind, "fitted_at": at * 1000} for kind, at in given.get("batteries", ())]
    return {
        "module_id": name,
        "version": version,
        "state": given.get("state", "ACTIVE"),
        "settings": settings,
        "batteries": batteries,
    }


def concentrator(
    name: str = "J-1", version: int = 1, *plans: tuple[int, str], **given: Any
) -> dict[str, Any]:
    """A concentrator of these session plans, each from an instant on; DAILY for ever without."""
    batteries = [{"battery_type": kind, "fitted_at": at * 1000} for kind, at in given.get("batteries", ())]
    return {
        "concentrator_id": name,
        "version": version,
        "state": given.get("state", "ACTIVE"),
        "variant": given.get("variant", "MAINS"),
        "sim_payer": given.get("payer", "CUSTOMER"),
        "object_path": ["Ialoveni"],
        "settings": [
            {"valid_from": since * 1000, "session_plan": plan} for since, plan in plans or [(EVER, "DAILY")]
        ],
        "batteries": batteries,
    }


def archive(number: int, values: list[int] | None = None, name: str = "R-1", **given: Any) -> dict[str, Any]:
    """A day of one channel, whole unless values are given."""
    told = {
        "module_id": name,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": day(number) * 1000,
        "step_s": HOUR_S,
        "values": [2] * DAYS.hours_by_start[day(number)] if values is None else values,
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    return told | given


def packet(received: int, *archives: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """A packet received at an instant."""
    told = {
        "packet_id": f"P-{received}-{given.get('concentrator_id', 'J-1')}",
        "concentrator_id": "J-1",
        "sequence": received,
        "sent_at": received * 1000,
        "received_at": received * 1000,
        "archives": list(archives),
        "registers": [],
        "measurements": [],
        "module_events": [],
        "module_states": [],
        "session": None,
    }
    return told | given


def point(name: str = "UP-1", version: int = 1, channels: Any = (("R-1", EVER, None),)) -> dict[str, Any]:
    """A usage point with a meter of 10 mL a pulse, read by channel 1 of modules in turn."""
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
    return {
        "usage_point_id": name,
        "version": version,
        "state": "ACTIVE",
        "resource": "WATER",
        "meters": [meter],
        "channels": [
            {
                "module_id": one,
                "channel": 1,
                "fitted_at": fitted * 1000,
                "removed_at": None if removed is None else removed * 1000,
            }
            for one, fitted, removed in channels
        ],
        "sensor_kind": None,
    }


def test_the_allowance_is_the_greater_of_mode_and_session_plan() -> None:
    sessions = {"J-1": session_spans([SessionSetting(100, "DAILY"), SessionSetting(300, "WEEKLY")])}
    settings = [
        Setting(200, "DAILY", "J-1"),
        Setting(400, "MONTHLY", "J-1"),
        Setting(500, "UNSPECIFIED", None),
        Setting(600, "WEEKLY", "J-unknown"),
    ]
    assert packet_spans(settings, sessions) == [
        PlanSpan(200, 300, "DAILY", 0, "J-1"),
        PlanSpan(300, 400, "DAILY", 7, "J-1"),
        PlanSpan(400, 500, "MONTHLY", 31, "J-1"),
        PlanSpan(500, 600, "DAILY", 0, None),
        PlanSpan(600, FOREVER, "WEEKLY", 7, "J-unknown"),
    ]
    allowances = allowances_of(packet_spans(settings, sessions))
    told = [allowance_at(allowances, at) for at in (0, 299, 300, 400, 499, 500, 600, FOREVER - 1)]
    assert told == [0, 0, 7, 31, 31, 0, 7, 7]


def test_the_last_of_settings_of_one_instant_counts_and_equal_ones_are_one_span() -> None:
    settings = [Setting(5, "DAILY"), Setting(5, "WEEKLY"), Setting(9, "WEEKLY"), Setting(12, "INTRADAY_15")]
    told = packet_spans(settings, {})
    assert told == [PlanSpan(5, 12, "WEEKLY", 7, None), PlanSpan(12, FOREVER, "INTRADAY_15", 0, None)]
    assert packet_spans([], {}) == session_spans([]) == []


def test_a_day_is_due_when_its_allowance_has_passed_too() -> None:
    allowances = [Allowance(day(0), day(2), 7)]
    assert is_due([], day(0), day(1), day(1))
    assert not is_due([], day(0), day(1), day(1) - 1)
    assert not is_due(allowances, day(0), day(1), day(1) + 7 * DAY_S - 1)
    assert is_due(allowances, day(0), day(1), day(1) + 7 * DAY_S)
    assert is_due(allowances, day(2), day(3), day(3))


def test_every_day_falls_due_however_many_at_a_time() -> None:
    """The day a daily module owes and that of seven days before a weekly one owes fall due at one instant."""
    first, last = day(0), day(60)
    for most in range(1, 10):
        told: list[tuple[int, int, int]] = []
        reached = first
        while due := first_of(falling_due(DAYS, reached, last), most):
            told.extend(due)
            reached = due[-1][0]
        assert told == falling_due(DAYS, first, last)


def test_days_fall_due_once_each_also_where_the_clocks_change() -> None:
    """The allowance is of days of 24 h: across the change of clocks it ends an hour beside a day's edge."""
    first, last = day(0), day(60)
    bounds = [first, *sorted(Random(3).sample(range(first, last), 40)), last]
    told = [one for after, until in pairwise(bounds) for one in falling_due(DAYS, after, until)]
    assert told == falling_due(DAYS, first, last)
    assert len(set(told)) == len(told)
    assert {allowed for _, _, allowed in told} == {0, 7, 31}
    assert all(instant == DAYS.end_of(at) + allowed * DAY_S for instant, at, allowed in told)
    assert any(instant not in DAYS.hours_by_start for instant, _, allowed in told if allowed)


def test_where_allowances_differ() -> None:
    old = [Allowance(10, 20, 7)]
    assert differing(old, [Allowance(10, 15, 7), Allowance(15, 30, 31)]) == [(15, 20), (20, 30)]
    assert differing(old, old) == differing([], []) == []
    assert differing([], old) == differing(old, []) == [(10, 20)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"module_id": ""}, "module_id"),
        ({"version": -1}, "version"),
        (
            {"settings": [{"valid_from": 10**15, "packet_mode": "DAILY", "concentrator_id": None}]},
            "valid_from",
        ),
        (
            {"settings": [{"valid_from": 0, "packet_mode": "DAILY", "concentrator_id": "x" * 65}]},
            "concentrator_id",
        ),
        ({"batteries": [{"battery_type": "\0", "fitted_at": 0}]}, "battery_type"),
        ({"batteries": [{"battery_type": "ER26500", "fitted_at": -(10**15)}]}, "fitted_at"),
    ],
)
def test_a_module_that_cannot_be_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRecord, match=words):
        wire_described.from_wire_module(module() | change)


def test_a_concentrator_that_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(BadRecord, match="object_path"):
        wire_described.from_wire_concentrator(concentrator() | {"object_path": ["x"] * 17})
    with pytest.raises(BadRecord, match="the number of settings"):
        wire_described.from_wire_concentrator(concentrator("J-1", 1, *[(EVER, "DAILY")] * 1001))


def missing(house: Any, subject: str = "UP-1") -> set[int]:
    """Numbers of the days with a finding of missing hours."""
    house.work()
    found = {start for rule, name, start, _ in house.findings() if (rule, name) == ("vee.missing", subject)}
    return {number for number in range(-5, 120) if day(number) in found}


def pass_time(house: Any, until: int) -> None:
    """Somebody else is heard at an instant: the clock of a replay."""
    house.hear(packet(until, archive(0, name="R-else"), concentrator_id="J-else"))


@pytest.mark.stack
def test_an_intraday_day_under_way_lacks_nothing_until_it_is_due(house: Any) -> None:
    house.describe(point())
    house.hear(packet(day(0) + 6 * HOUR_S, archive(0, [2] * 6, kind="CURRENT")))
    assert missing(house) == set()
    pass_time(house, day(1) + 36 * HOUR_S - 1)
    assert missing(house) == set()
    pass_time(house, day(1) + 36 * HOUR_S)
    assert missing(house) == {0}
    house.hear(packet(day(2) + 13 * HOUR_S, archive(0)))
    assert missing(house) == set()


@pytest.mark.stack
def test_a_part_of_an_hour_alone_is_missing_when_it_is_due(house: Any) -> None:
    house.describe(point())
    house.hear(packet(day(0) + HOUR_S, archive(0, [2], step_s=900, kind="CURRENT")))
    assert missing(house) == set()
    pass_time(house, day(4))
    assert missing(house) == {0, 1}
    assert house.readings() == {}


@pytest.mark.stack
def test_a_weekly_session_is_awaited_for_a_week(house: Any) -> None:
    house.describe(point())
    house.plan(module(concentrator="J-1"), concentrator("J-1", 1, (EVER, "WEEKLY")))
    house.hear(packet(day(1), archive(0)))
    due = day(2) + 7 * DAY_S + 36 * HOUR_S
    pass_time(house, due - 1)
    assert missing(house) == set()
    pass_time(house, due)
    assert missing(house) == {1}
    pass_time(house, day(40))
    assert missing(house) == set(range(1, 15))


@pytest.mark.stack
def test_a_module_of_a_month_is_looked_back_for_a_month_and_a_week(house: Any) -> None:
    house.describe(point())
    house.plan(module("R-1", 1, (EVER, "MONTHLY")))
    house.hear(packet(day(1), archive(0)))
    pass_time(house, day(90))
    assert missing(house) == set(range(1, 39))


@pytest.mark.stack
def test_a_change_of_mode_computes_the_days_it_touches(house: Any) -> None:
    house.describe(point())
    house.hear(packet(day(1), archive(0)))
    pass_time(house, day(11))
    assert missing(house) == set(range(1, 8))
    assert house.plan(module("R-1", 1, (EVER, "DAILY"), (day(3), "MONTHLY"))) > 0
    assert missing(house) == {1, 2}
    assert house.plan(module("R-1", 3, (EVER, "DAILY"))) > 0
    assert house.plan(module("R-1", 2, (EVER, "MONTHLY"))) == 0
    assert missing(house) == set(range(1, 8))
    assert house.plan(module("R-1", 4, (EVER, "WEEKLY"))) > 0
    assert missing(house) == {1}
    assert house.plan(module("R-1", 5, (EVER, "WEEKLY"), state="DELETED")) > 0
    assert missing(house) == set(range(1, 8))


@pytest.mark.stack
def test_a_day_of_two_channels_is_due_when_it_is_for_both(house: Any) -> None:
    noon = day(2) + 12 * HOUR_S
    house.describe(point(channels=[("R-1", EVER, noon), ("R-2", noon, None)]))
    house.plan(module("R-2", 1, (EVER, "WEEKLY")))
    house.hear(packet(day(3), archive(1), archive(2, [2] * 12), archive(1, name="R-2")))
    pass_time(house, day(5))
    assert missing(house) == set()
    pass_time(house, day(13))
    assert missing(house) == {2, 3}


@pytest.mark.stack
@pytest.mark.parametrize("seed", range(6))
def test_missing_days_are_the_same_in_any_order(database: Any, seed: int) -> None:
    random = Random(seed)
    house = database.empty()
    heard = [0, 1, 9, 20, 21, 70]
    messages: list[Any] = [
        lambda: house.describe(point()),
        lambda: house.plan(module("R-1", 1, (EVER, "MONTHLY"), concentrator="J-1")),
        lambda: house.plan(module("R-1", 2, (EVER, "DAILY"), (day(25), "WEEKLY"), concentrator="J-1")),
        lambda: house.plan(concentrator("J-1", 1, (EVER, "DAILY"), (day(12), "WEEKLY"))),
        *(lambda n=n: house.hear(packet(day(n + 1), archive(n))) for n in heard),
        lambda: house.hear(packet(day(10), archive(9, [2] * 9), concentrator_id="J-2")),
        lambda: pass_time(house, day(90)),
    ]
    random.shuffle(messages)
    for message in messages:
        message()
        if random.random() < 0.3:
            house.work()
    # DAILY, so looked back for a week, before the 12th; WEEKLY, so a fortnight, from then on.
    assert missing(house) == {*range(2, 9), *range(10, 20), *range(22, 36), *range(71, 81)}
