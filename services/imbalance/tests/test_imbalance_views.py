"""Months, rolling spans and states of groups, computed by the database from group-days (domain.md §4.8)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import floor, hypot
from typing import Any

import pytest
from balance_imbalance.adapters.partitions import Partitions

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported
Day = dict[str, Any]

COMPLETE, ESTIMATED, UNRELIABLE, NOT_COMPUTABLE = 1, 2, 3, 4
COVERAGES = ("UNSPECIFIED", "COMPLETE", "ESTIMATED", "UNRELIABLE", "NOT_COMPUTABLE")
ADDED = ("supply", "members", "members_estimated", "unregistered", "u_supply_class", "u_members_class")
PLACES = ("u_estimate_inside", "u_estimate_first", "u_estimate_last", "u_estimate")
PLAIN: Day = {
    "supply": 100_000,
    "members": 99_000,
    "members_estimated": 0,
    "unregistered": 0,
    "coverage": COMPLETE,
    "u_supply_class": 800.0,
    "u_members_class": 600.0,
    "u_pulse": 30.0,
    "u_estimate": 0.0,
    "u_estimate_first": 0.0,
    "u_estimate_inside": 0.0,
    "u_estimate_last": 0.0,
    "clock_s": 180,
    "supply_first": 3_000,
    "supply_last": 5_000,
    "night_hours": 2,
    "night_supply": 4_000,
    "night_members": 3_000,
    "withdrawn": False,
    "problems": [],
    "missing": [],
    "unmetered": [],
    "silent": [],
    "gap_from_start": [],
    "gap_to_end": [],
}
DARK: Day = {
    **{name: None for name in PLAIN if name.startswith(("u_", "night_"))},
    **{"supply": None, "supply_first": None, "supply_last": None, "coverage": NOT_COMPUTABLE},
    **{"members": 50_000, "missing": [1], "silent": [1]},
}


def put(house: House, days: Mapping[int, Day], group: str = "G") -> None:
    """Group-days by number, PLAIN where they do not say otherwise; the group is described and its days
    there.
    """
    house.describe(house.group_of(group, ["S"], ["A", "B"]))
    starts = {number: datetime.fromtimestamp(house.day_start(number), UTC) for number in days}
    Partitions(house.pool, "imbalance.group_days").ensure(starts.values())
    rows = [row(house, {**PLAIN, **day}, starts[number], group) for number, day in days.items()]
    columns = ", ".join(rows[0])
    marks = ", ".join(["%s"] * len(rows[0]))
    with house.pool.connection() as conn, conn.cursor() as cur:
        statement = f"INSERT INTO imbalance.group_days ({columns}) VALUES ({marks})"
        cur.executemany(statement.encode(), [list(one.values()) for one in rows])
        conn.execute(
            "UPDATE imbalance.groups SET first_day = %s, filled_to = %s",
            [min(starts.values()), max(starts.values())],
        )


def row(house: House, day: Day, start: datetime, group: str) -> Day:
    hours = house.calendar.hours(start)
    imbalance = None if day["supply"] is None else day["supply"] - day["members"]
    night = None if day["night_supply"] is None else day["night_supply"] - day["night_members"]
    numbers = house.rows("SELECT balance_group FROM imbalance.groups WHERE group_id = %s", group)
    by_hour = {
        name: [0] * hours for name in ("hour_members_due", "hour_members_reported", "hour_missing_share_ppm")
    }
    return {
        "balance_group": numbers[0]["balance_group"],
        "day_start": start,
        "step_s": 3600,
        "imbalance": imbalance,
        "night_imbalance": night,
        "tolerance": None if imbalance is None else 2_000,
        "verdict": 4 if imbalance is None else 1,
        "members_due": 2,
        "members_reported": 2 - len(day["missing"]),
        "missing_share_ppm": 0,
        "hour_supply": [day["supply"] and day["supply"] // 24] * hours,
        "hour_members": [day["members"] // 24] * hours,
        "hour_imbalance": [None if imbalance is None else imbalance // 24] * hours,
        "hour_tolerance": [None if imbalance is None else 100] * hours,
        "hour_coverage": [day["coverage"]] * hours,
        "hour_verdict": [1] * hours,
        "supply_pulse": 10,
        "version": 1,
        "algorithm_version": 2,
        "settings_hash": "none",
        "computed_at": start,
        **by_hour,
        **day,
    }  # fmt: skip


def expected(days: Mapping[int, Day], of: Sequence[int]) -> Day:
    """§4.8 in plain words, for the days of these numbers."""
    there = {number: {**PLAIN, **days[number]} for number in of if number in days}
    good = {number: day for number, day in there.items() if day["coverage"] != NOT_COMPUTABLE}
    if not good:
        return {"coverage": "NOT_COMPUTABLE", "verdict": "UNDECIDED", "supply": None, "tolerance": None}
    total = {name: sum(day[name] for day in good.values()) for name in ADDED}
    places = {
        (False, False): "u_estimate",
        (False, True): "u_estimate_first",
        (True, True): "u_estimate_inside",
        (True, False): "u_estimate_last",
    }
    estimate = sum(day[places[n - 1 in good, n + 1 in good]] for n, day in good.items())
    first, last = good[min(good)], good[max(good)]
    clock = last["clock_s"] / 3600 * (last["supply_last"] - first["supply_first"])
    pulse = max(day["u_pulse"] for day in good.values())
    u = hypot(total["u_supply_class"], total["u_members_class"], pulse, clock, estimate)
    tolerance, imbalance = floor(2 * u + 0.5), total["supply"] - total["members"]
    open_edges = any(
        day["silent"]
        or (day["gap_from_start"] and n - 1 not in good)
        or (day["gap_to_end"] and n + 1 not in good)
        for n, day in good.items()
    )
    coverage = COMPLETE if len(good) == len(there) and not open_edges else ESTIMATED
    if len(good) < 0.7 * len(there) or total["members_estimated"] > 0.3 * total["members"]:
        coverage = UNRELIABLE
    verdict = "WITHIN_TOLERANCE"
    if coverage == UNRELIABLE:
        verdict = "UNDECIDED"
    elif imbalance > tolerance + total["unregistered"]:
        verdict = "LOSS"
    elif imbalance < -tolerance:
        verdict = "SURPLUS"
    return {
        "days_due": len(there),
        "days_computable": len(good),
        "supply": total["supply"],
        "members": total["members"],
        "members_estimated": total["members_estimated"],
        "imbalance": imbalance,
        "unregistered": total["unregistered"],
        "tolerance": tolerance,
        "coverage": COVERAGES[coverage],
        "verdict": verdict,
        "night_hours": sum(day["night_hours"] for day in good.values()),
        "night_imbalance": sum(day["night_supply"] - day["night_members"] for day in good.values()),
    }


def at(house: House, number: int) -> datetime:
    return datetime.fromtimestamp(house.day_start(number), UTC)


def rolling(house: House, span: str) -> Mapping[datetime, Day]:
    found = house.rows("SELECT * FROM imbalance.v_group_rolling WHERE span = %s", span)
    return {one["day_start"]: one for one in found}


def agrees(found: Mapping[str, Any], wanted: Day) -> None:
    assert {name: found[name] for name in wanted} == wanted


def any_days(seed: int, count: int) -> Mapping[int, Day]:
    """Group-days of every kind, some of them not there at all."""
    dice = random.Random(seed)
    days: dict[int, Day] = {}
    for number in range(count):
        kind = dice.random()
        if kind < 0.1:
            continue
        if kind < 0.25:
            days[number] = DARK
            continue
        estimates = [dice.randrange(5_000) for _ in range(4)]
        days[number] = {
            "supply": dice.randrange(80_000, 120_000),
            "members": dice.randrange(70_000, 120_000),
            "members_estimated": dice.choice([0, 0, 10_000, 60_000]),
            "unregistered": dice.randrange(1_000),
            "u_pulse": dice.uniform(0, 3_000),
            "clock_s": 180,
            "supply_first": dice.randrange(9_000),
            "supply_last": dice.randrange(9_000),
            "silent": dice.choice([[], [], [1]]),
            "gap_from_start": dice.choice([[], [2]]),
            "gap_to_end": dice.choice([[], [2]]),
            **dict(zip(PLACES, sorted(estimates), strict=True)),
        }
    return days


@pytest.mark.parametrize("seed", range(3))
def test_spans_are_what_their_days_add_up_to(house: House, seed: int) -> None:
    """Over the change of clocks on day 28 and two ends of months, whatever the days are."""
    days = any_days(seed, 70)
    put(house, days)
    for span, length in (("7 d", 7), ("30 d", 30)):
        found = rolling(house, span)
        assert sorted(found) == [at(house, number) for number in sorted(days)]
        for number in days:
            agrees(found[at(house, number)], expected(days, range(number - length + 1, number + 1)))
    months = house.rows("SELECT * FROM imbalance.v_group_months ORDER BY month")
    assert [f"{month['month']:%m-%d}" for month in months] == ["03-01", "04-01", "05-01"]
    for month, numbers in zip(months, (range(31), range(31, 61), range(61, 92)), strict=True):
        agrees(month, expected(days, numbers))
        assert month["day_start"] == at(house, numbers[0])


def test_a_gap_inside_is_exact_and_one_across_the_edge_is_not(house: House) -> None:
    """B is ESTIMATED from the evening of day 3 to the morning of day 5."""
    terms = {
        "u_estimate": 9_000.0,
        "u_estimate_first": 0.0,
        "u_estimate_inside": 0.0,
        "u_estimate_last": 9_000.0,
    }
    from_evening = {**terms, "gap_to_end": [2], "coverage": ESTIMATED, "missing": [2]}
    to_morning = {**from_evening, "gap_to_end": [], "gap_from_start": [2]}
    to_morning |= {"u_estimate_first": 9_000.0, "u_estimate_last": 0.0}
    whole = {**from_evening, "gap_from_start": [2], "u_estimate_first": 9_000.0}
    days = {**{n: {} for n in range(12)}, 3: from_evening, 4: whole, 5: to_morning}
    put(house, days)
    found = rolling(house, "7 d")
    exact, cut = found[at(house, 8)], found[at(house, 4)]
    assert (exact["coverage"], cut["coverage"]) == ("COMPLETE", "ESTIMATED")
    assert exact["tolerance"] < cut["tolerance"]
    assert found[at(house, 10)]["coverage"] == "ESTIMATED", "it begins with day 4, in the middle of the gap"
    assert found[at(house, 11)]["coverage"] == "ESTIMATED"
    dark = {**days, 4: DARK}
    house.empty()
    put(house, dark)
    agrees(rolling(house, "7 d")[at(house, 8)], expected(dark, range(2, 9)))


def test_a_loss_must_exceed_what_idle_meters_pass(house: House) -> None:
    days = {number: {"members": 95_000, "unregistered": 3_000} for number in range(7)}
    put(house, days)
    (span,) = [one for start, one in rolling(house, "7 d").items() if start == at(house, 6)]
    assert span["tolerance"] < span["imbalance"] < span["tolerance"] + span["unregistered"]
    assert span["verdict"] == "WITHIN_TOLERANCE"


def test_the_share_that_makes_a_span_unreliable_is_the_worker_s(house: House) -> None:
    put(house, {number: {"members_estimated": 40_000, "silent": [2]} for number in range(7)})
    assert rolling(house, "7 d")[at(house, 6)]["verdict"] == "UNDECIDED"
    house.rows("UPDATE imbalance.rules_in_force SET unreliable_share_ppm = 500000 RETURNING 1")
    try:
        assert rolling(house, "7 d")[at(house, 6)]["coverage"] == "ESTIMATED"
    finally:
        house.rows("UPDATE imbalance.rules_in_force SET unreliable_share_ppm = 300000 RETURNING 1")


def test_24_hours_end_with_each_hour(house: House) -> None:
    """Day 28 has 23 hours. Hour 5 of day 29 has no supply: no 24 hours with it are computable."""
    days: dict[int, Day] = {number: {} for number in range(27, 31)}
    for number in days:
        hours = house.calendar.hours(at(house, number))
        first = number * 100
        days[number] = {
            "hour_supply": [first + hour for hour in range(hours)],
            "hour_members": [first] * hours,
            "hour_imbalance": list(range(hours)),
            "hour_u": [3.0] * hours,
            "hour_unregistered": [2] * hours,
        }
    days[29]["hour_supply"][5] = days[29]["hour_imbalance"][5] = None
    put(house, days)
    found = house.rows(
        "SELECT * FROM imbalance.v_group_rolling WHERE span = '24 h' AND day_start >= %s ORDER BY end_at",
        at(house, 28),
    )
    assert len(found) == 23 + 24 + 24
    assert [one["end_at"] for one in found] == [at(house, 28) + timedelta(hours=n + 1) for n in range(71)]
    hours = [hour for number in days for hour in days[number]["hour_supply"]]
    members = [hour for number in days for hour in days[number]["hour_members"]]
    for n, one in enumerate(found):
        last = 24 + n
        supply = hours[last - 23 : last + 1]
        assert one["members"] == sum(members[last - 23 : last + 1])
        assert one["unregistered"] == 48
        if None in supply:
            assert (one["supply"], one["tolerance"], one["coverage"]) == (None, None, "NOT_COMPUTABLE")
            continue
        assert (one["supply"], one["imbalance"]) == (sum(supply), sum(supply) - one["members"])
        assert one["tolerance"] == floor(2 * hypot(72.0, 0.05 * (supply[-1] - supply[0])) + 0.5)
        assert (one["coverage"], one["days_computable"]) == ("COMPLETE", 1)
    computable = [n for n, one in enumerate(found) if one["imbalance"] is not None]
    assert computable == [*range(23 + 5), *range(23 + 29, 71)]


def test_columns_of_water_and_of_gas(house: House) -> None:
    put(house, {number: {"members_estimated": 1_000} for number in range(31)})
    (gas,) = house.rows("SELECT * FROM imbalance.v_group_months")
    assert (gas["unaccounted_for_gas"], gas["unaccounted_for_gas_share"]) == (31_000, 0.01)
    assert gas["water_losses"] is None
    house.rows("UPDATE imbalance.groups SET resource = 2 RETURNING 1")
    (water,) = house.rows("SELECT * FROM imbalance.v_group_months")
    names = ("system_input", "billed_metered", "billed_unmetered", "water_losses")
    assert [water[name] for name in names] == [3_100_000, 31 * 98_000, 31_000, 31_000]
    assert (water["minimum_night_flow"], water["net_night_flow"]) == (2_000.0, 500.0)
    assert water["night_losses_a_day"] == 12_000.0
    assert water["unaccounted_for_gas"] is None


def test_the_state_of_a_group_is_its_newest_day_and_what_leads_to_it(house: House) -> None:
    days: dict[int, Day] = {number: {} for number in range(40)}
    days[40] = {"withdrawn": True}
    days[39] = {"missing": [1, 2], "unmetered": [2], "problems": [3, 5], "coverage": ESTIMATED}
    put(house, days)
    house.rows(
        "UPDATE imbalance.group_days SET withdrawn = true WHERE day_start >= %s RETURNING 1", at(house, 40)
    )
    (state,) = house.rows("SELECT * FROM imbalance.v_group_states")
    assert (state["day_start"], state["missing"], state["unmetered"]) == (at(house, 39), 2, 1)
    assert state["problems"] == ["OVERLAPPING_MEMBERSHIP", "UNKNOWN_GROUP"]
    assert (state["coverage"], state["verdict"], state["imbalance"]) == (
        "ESTIMATED",
        "WITHIN_TOLERANCE",
        1_000,
    )
    for name, length in (("7d", 7), ("30d", 30)):
        wanted = expected(days, range(40 - length, 40))
        for column in ("imbalance", "tolerance", "coverage", "verdict"):
            assert state[f"{column}_{name}"] == wanted[column]


def test_missing_usage_points_of_a_month_are_named_once(house: House) -> None:
    house.describe(house.group_of("G", ["S"], ["A", "B"]))
    numbers = {
        one["usage_point_id"]: one["usage_point"]
        for one in house.rows("SELECT usage_point_id, usage_point FROM imbalance.usage_points")
    }
    put(house, {0: {"missing": [numbers["B"]]}, 1: {}, 2: {"missing": [numbers["B"], numbers["A"]]}})
    (month,) = house.rows("SELECT * FROM imbalance.v_group_months")
    assert month["missing_usage_points"] == ["A", "B"]


def test_absurd_sums_are_held(house: House) -> None:
    put(house, {number: {"supply": 24 * 10**17, "supply_last": 10**17} for number in range(31)})
    (month,) = house.rows("SELECT supply, imbalance, verdict FROM imbalance.v_group_months")
    assert month == {"supply": 9 * 10**18, "imbalance": 9 * 10**18, "verdict": "LOSS"}


@pytest.mark.parametrize(
    "query",
    [
        "v_group_months WHERE day_start >= '2026-06-01' AND day_start < '2026-07-02'",
        "v_group_rolling WHERE span = '7 d' AND day_start >= '2026-06-15' AND day_start < '2026-06-17'",
        "v_group_rolling WHERE span = '24 h' AND day_start >= '2026-06-15' AND day_start < '2026-06-17'",
        "v_group_rolling WHERE group_id = 'G' AND day_start >= '2026-06-15' AND day_start < '2026-06-17'",
    ],
)
def test_a_bounded_query_reads_the_partitions_of_its_span_alone(house: House, query: str) -> None:
    """Months before and after are not even looked into."""
    put(house, {number: {} for number in range(0, 210, 3)})
    plan = house.rows(f"EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM imbalance.{query}")
    lines = [one["QUERY PLAN"] for one in plan if " on group_days_" in one["QUERY PLAN"]]
    read = {line.split(" on ")[1].split()[0] for line in lines if "never executed" not in line}
    assert {"group_days_2026_06"} <= read
    assert read <= {"group_days_2026_05", "group_days_2026_06", "group_days_2026_07"}


def test_states_are_looked_up_group_by_group(house: House) -> None:
    """By key, whatever is known of the tables: no month but those of the last 30 days is looked into."""
    put(house, {number: {} for number in range(0, 210, 3)})
    with house.pool.connection() as conn:
        conn.execute("ANALYZE imbalance.group_days")
    plan = house.rows("EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM imbalance.v_group_states")
    lines = [one["QUERY PLAN"] for one in plan if " on group_days_" in one["QUERY PLAN"]]
    read = {line.split(" on ")[1].split()[0] for line in lines if "never executed" not in line}
    assert read == {"group_days_2026_08", "group_days_2026_09"}
