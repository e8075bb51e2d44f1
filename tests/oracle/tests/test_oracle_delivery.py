"""domain.md §3.8 and §3.17 to §3.20 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

import pytest
from balance_oracle import compute
from balance_oracle.describe import (
    archive,
    at,
    concentrator,
    fitting,
    meter,
    module,
    module_event,
    module_state,
    packet,
    session,
    usage_point,
)

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FLAT = usage_point("UP-1", [meter(EVER)], [fitting("R-1", 1, EVER)])
WEEKLY = module("R-1", [(EVER, "WEEKLY", None)])
MONTHLY = [concentrator("J-1", [(EVER, "MONTHLY")])]


def found(
    packets: list[dict[str, Any]],
    clock: int,
    modules: list[dict[str, Any]] | None = None,
    concentrators: list[dict[str, Any]] | None = None,
) -> set[tuple[str, str, float]]:
    """(rule, subject, hours from the first day on)."""
    result = compute(
        packets,
        [FLAT],
        [],
        zone="UTC",
        clock=clock,
        modules=modules or [],
        concentrators=concentrators or [],
    )
    return {(rule, subject, (start - DAY_1) / HOUR_MS) for rule, subject, start in result.findings}


def day_told(**told: Any) -> dict[str, Any]:
    """The first day, told when it is over."""
    return packet(1, DAY_1 + DAY_MS, [archive("R-1", 1, DAY_1, [5, 6] * 12)], **told)


def missing(clock_day: float, modules: list[dict[str, Any]], concentrators: list[dict[str, Any]]) -> int:
    rules = found([day_told()], DAY_1 + int(clock_day * DAY_MS), modules, concentrators)
    return sum(1 for rule, *_ in rules if rule == "vee.missing")


@pytest.mark.parametrize(
    ("modules", "concentrators", "due_on_day"),
    [
        ([], [], 2 + 1.5),
        ([WEEKLY], [], 2 + 1.5 + 7),
        ([WEEKLY | {"state": "DELETED"}], [], 2 + 1.5),
        ([module("R-1", [(EVER, "DAILY", "J-1")])], MONTHLY, 2 + 1.5 + 31),
        ([module("R-1", [(EVER, "UNSPECIFIED", "J-2")])], MONTHLY, 2 + 1.5),
    ],
)
def test_the_second_day_is_due_by_plan(
    modules: list[dict[str, Any]], concentrators: list[dict[str, Any]], due_on_day: float
) -> None:
    assert missing(due_on_day - 0.001, modules, concentrators) == 0
    assert missing(due_on_day, modules, concentrators) == 1


def test_silence_begins_three_days_after_the_last_packet() -> None:
    clock = DAY_1 + 4 * DAY_MS
    assert ("delivery.silent_concentrator", "J-1", 24) in found([day_told()], clock)
    assert not {r for r, *_ in found([day_told()], clock - 1000) if r.startswith("delivery")}
    assert ("delivery.silent_module", "R-1", 24) not in found([day_told()], clock)
    other = packet(2, clock - DAY_MS)  # J-1 was heard again, but not the module
    assert ("delivery.silent_module", "R-1", 24) in found([day_told(), other], clock)
    assert not {f for f in found([day_told(), other], clock, [WEEKLY]) if f[0] == "delivery.silent_module"}


def test_a_described_concentrator_that_was_never_heard_is_silent_since_its_first_setting() -> None:
    described = [concentrator("J-7", [(DAY_1, "WEEKLY")])]
    silent = "delivery.silent_concentrator", "J-7", 0.0
    assert silent in found([], DAY_1 + 9 * DAY_MS, concentrators=described)
    assert silent not in found([], DAY_1 + 9 * DAY_MS - 1000, concentrators=described)
    gone = [described[0] | {"state": "DELETED"}]
    assert silent not in found([], DAY_1 + 9 * DAY_MS, concentrators=gone)


def test_mains_and_a_good_signal_and_then_silence_is_an_unpaid_subscription() -> None:
    unpaid = "delivery.unpaid_sim", "J-1", 24.0
    clock = DAY_1 + 7 * DAY_MS
    assert unpaid in found([day_told(session=session("MAINS", -105))], clock)
    assert unpaid not in found([day_told(session=session("MAINS", -105))], clock - 1000)
    assert unpaid not in found([day_told(session=session("MAINS", -106))], clock)
    assert unpaid not in found([day_told(session=session("BACKUP", -70))], clock)
    solar = [concentrator("J-1", variant="SOLAR")]
    assert unpaid not in found([day_told(session=session("MAINS", -70))], clock, concentrators=solar)


def low(device: dict[str, Any], *packets: dict[str, Any], days: int = 0) -> bool:
    key = "modules" if "module_id" in device else "concentrators"
    given = found(list(packets), DAY_1 + days * DAY_MS, **{key: [device]})
    return "delivery.battery" in {rule for rule, *_ in given}


def test_a_battery_is_forecast_by_what_it_was_used_for() -> None:
    daily = module("R-1", [], [("ER26500", DAY_1)])  # 2,190 days
    assert not low(daily, days=2190 - 91)
    assert low(daily, days=2190 - 90)
    # 1,095 days used up half of it, and 1,826 weekly days are the other half of 3,652.
    slower = module("R-1", [(DAY_1 + 1095 * DAY_MS, "WEEKLY", None)], [("ER26500", DAY_1)])
    assert not low(slower, days=1095 + 1826 - 91)
    assert low(slower, days=1095 + 1826 - 90)
    assert not low(module("R-1", [], [("unheard-of", DAY_1)]), days=9999)
    assert not low(module("R-1", [], [("ER26500", DAY_1), ("ER26500", DAY_1 + 2000 * DAY_MS)]), days=2190)


def test_a_battery_of_a_concentrator_lasts_by_its_plan() -> None:
    weekly = concentrator("J-1", [(EVER, "WEEKLY")], [("ER26500", DAY_1)])  # 1,826 days
    assert not low(weekly, days=1826 - 91)
    assert low(weekly, days=1826 - 90)
    assert not low(concentrator("J-1", [], [("ICR18650", DAY_1)]), days=9999)  # recharged


def test_a_battery_is_low_when_it_says_so() -> None:
    one = module("R-1", [], [("ER26500", DAY_1)])
    told = packet(1, DAY_1, module_states=[module_state("R-1", DAY_1, None, 3299)])
    newer = packet(2, DAY_1, module_states=[module_state("R-1", DAY_1 + 1000, None, 3300)])
    assert low(one, told)
    assert not low(one, told, newer)
    begun = packet(3, DAY_1, module_events=[module_event("R-1", "BATTERY_LOW", "BEGUN", DAY_1)])
    ended = packet(4, DAY_1, module_events=[module_event("R-1", "BATTERY_LOW", "ENDED", DAY_1)])
    assert low(one, begun)
    assert not low(one, begun, ended)


def test_a_concentrator_whose_clock_is_off_is_found_day_by_day() -> None:
    within = packet(1, DAY_1 + 5 * HOUR_MS, clock_ahead_s=60)
    ahead = packet(2, DAY_1 + 25 * HOUR_MS, clock_ahead_s=61)
    assert found([within, ahead], DAY_1 + 26 * HOUR_MS) == {("delivery.clock", "J-1", 24)}


def test_more_is_expected_of_who_last_said_so_and_of_who_is_silent() -> None:
    def expected(*packets: dict[str, Any], days: int = 1) -> frozenset[str]:
        told = compute(list(packets), [FLAT], [], zone="UTC", clock=DAY_1 + days * DAY_MS)
        return told.backlog_expected

    some = packet(1, DAY_1 + HOUR_MS, session=session(backlog_packets=3))
    says_nothing = packet(2, DAY_1 + 2 * HOUR_MS, session=session())
    none_left = packet(3, DAY_1 + 3 * HOUR_MS, session=session(backlog_packets=0))
    assert expected(some, says_nothing) == {"J-1"}
    assert expected(some, says_nothing, none_left) == set()
    assert expected(some, says_nothing, none_left, days=4) == {"J-1"}
