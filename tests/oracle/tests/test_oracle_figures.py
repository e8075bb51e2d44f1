"""Bounds, clocks, starting flow, night, base conditions and unmetered members of domain.md §4 by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from balance_oracle.balances import all_group_days, described_points, make_known
from balance_oracle.days import MeteringDays
from balance_oracle.describe import (
    at,
    balance_group,
    fitting,
    membership,
    meter,
    module,
    usage_point,
    weather_day,
)
from balance_oracle.forecast import all_forecasts
from balance_oracle.imbalance import GroupDay
from balance_oracle.known import Known
from balance_oracle.onset import Watch, WatchedDay
from balance_oracle.plans import make_plans
from balance_oracle.readings import Hour
from balance_oracle.settings import Settings
from balance_oracle.spans import all_spans

EVER = at("2020-01-01 00:00")
DAY = at("2026-01-05 00:00") // 1000
LENGTH = 86_400

Told = Mapping[tuple[str, int], Sequence[Hour]]


def valid(*values: int) -> list[Hour]:
    """A day of these hours; the last goes on."""
    return [(values[min(hour, len(values) - 1)], "VALID") for hour in range(24)]


def point(name: str, *, resource: str = "GAS", channel: int = 1, **traits: Any) -> dict[str, Any]:
    settings = {"class_ppm": 0, "pulse_weight": 0} | traits
    module_id = "R-A" if resource == "TEMPERATURE" else f"R-{name}"
    fitted = [fitting(module_id, channel, EVER)]
    return usage_point(name, [meter(EVER, **settings)], fitted, resource=resource)


def known_of(told: Told, points: Sequence[dict[str, Any]] = (), zone: str = "UTC", **more: Any) -> Known:
    """One supply meter S and whoever else is told of as members, but thermometers (T…)."""
    names = sorted({name for name, _ in told} | {"S"})
    described = {name: point(name) for name in names} | {one["usage_point_id"]: one for one in points}
    members = [membership("S", "SUPPLY", EVER)]
    members += [membership(name, "MEMBER", EVER) for name in names if name[0] not in "ST"]
    return make_known(
        [balance_group("G", members)],
        described_points(described.values()),
        make_plans(more.get("modules", ()), ()),
        told,
        more.get("weather", ()),
        MeteringDays(zone, 0),
        Settings(),
    )


def days_of(told: Told, ended: int = 0, **more: Any) -> list[GroupDay]:
    """The group-days, by a clock 36 hours after the day of that number ended."""
    known = known_of(told, **more)
    return list(all_group_days(known, DAY + (ended + 1) * LENGTH + 36 * 3600))


def test_clocks_matter_when_the_flow_changes() -> None:
    told = {("S", DAY): valid(0, 0, 1000), ("A", DAY): valid(0, 0, 1000)}
    (one,) = days_of(told)
    # δ = 0.05 h; hour 1: (1000 − 0)/2, so 2·0.05·500; the day: 2·0.05·1000
    assert [one.hour_results[hour]["tolerance"] for hour in range(4)] == [0, 50, 50, 0]
    assert one.day_result["tolerance"] == 100


def test_what_idles_below_its_starting_flow_widens_the_side_of_losses() -> None:
    told = {("S", DAY): valid(40), ("A", DAY): valid(0, 25), ("B", DAY): valid(0)}
    (one,) = days_of(told, points=[point("A", q_start=20), point("B", q_start=100)])
    # hour 0: 0.1·(20 + 100), then 0.1·100
    assert [one.hour_results[hour]["unregistered"] for hour in (0, 1)] == [12, 10]
    assert one.day_result["unregistered"] == 12 + 23 * 10
    assert one.hour_results[0]["verdict"] == "LOSS"
    assert one.hour_results[1]["verdict"] == "LOSS"
    assert days_of(told, points=[point("A", q_start=400)])[0].hour_results[0]["verdict"] == "WITHIN_TOLERANCE"


def test_the_night_is_local_and_once_a_year_longer() -> None:
    autumn = at("2026-10-24 21:00") // 1000
    told = {(name, autumn): [(7, "VALID")] * 25 for name in ("S", "A")}
    known = known_of(told, zone="Europe/Chisinau")
    (one,) = all_group_days(known, autumn + 25 * 3600)
    assert one.night == {"hours": 3, "supply": 21, "members": 21, "imbalance": 0}
    holed = told | {("S", autumn): [(7, "VALID")] * 3 + [(None, "MISSING")] + [(7, "VALID")] * 21}
    (one,) = all_group_days(known_of(holed, zone="Europe/Chisinau"), autumn + 25 * 3600)
    assert one.night == {"hours": 3, "supply": None, "members": 21, "imbalance": None}


def test_gas_at_base_conditions() -> None:
    thermometer = point("T", resource="TEMPERATURE", channel=0)
    told = {("S", DAY): valid(1000), ("A", DAY): valid(1000), ("T", DAY): valid(-10_000)}
    (one,) = days_of(told, points=[thermometer])
    # 24,000 · 293.15 / 263.15 for both: the supply takes the members' temperature
    assert one.base is not None
    assert (one.base["supply"], one.base["members"], one.base["imbalance"]) == (26_736, 26_736, 0)
    # 2 · 26,736 · (2/√3) / 263.15
    assert one.base["tolerance"] == 235
    outdoors = [weather_day((), "FILE", "a", DAY * 1000, [0] * 24)]
    (one,) = days_of(told, points=[thermometer], weather=outdoors)
    assert one.base is not None
    assert (one.base["supply"], one.base["verdict"]) == (25_757, "SURPLUS")
    compensated = [thermometer, point("A", compensated=True), point("S", compensated=True)]
    (one,) = days_of(told, points=compensated)
    assert one.base is not None
    assert (one.base["supply"], one.base["tolerance"]) == (24_000, 0)
    assert days_of({key: told[key] for key in told if key[0] != "T"})[0].base is None


def test_who_is_silent_for_a_week_and_its_allowance_is_unmetered() -> None:
    told = {("S", DAY + n * LENGTH): valid(5) for n in range(15)} | {("A", DAY): valid(5)}
    unmetered = [one.figures()["unmetered_usage_points"] for one in days_of(told, 14)]
    assert unmetered == [[]] * 7 + [["A"]] * 8
    weekly = [module("R-A", [(EVER, "WEEKLY", None)])]
    unmetered = [one.figures()["unmetered_usage_points"] for one in days_of(told, 14, modules=weekly)]
    assert unmetered == [[]] * 14 + [["A"]]


def test_an_estimated_gap_across_midnight_is_uncertain_at_an_edge_alone() -> None:
    gap: list[Hour] = [*valid(10)[:23], (10, "ESTIMATED")]
    back: list[Hour] = [(10, "ESTIMATED"), *valid(10)[1:]]
    told = {("S", DAY): valid(10), ("S", DAY + LENGTH): valid(10)}
    days = days_of(told | {("A", DAY): gap, ("A", DAY + LENGTH): back}, 1)
    assert [one.day_result["tolerance"] for one in days] == [20, 20]
    spans = all_spans(days, MeteringDays("UTC", 0), Settings())
    two, one = (spans["G", "7 d", DAY + n * LENGTH] for n in (2, 1))
    assert (two["coverage"], two["tolerance"], two["imbalance"]) == ("COMPLETE", 0, 0)
    assert (one["coverage"], one["tolerance"]) == ("ESTIMATED", 20)
    assert spans["G", "month", at("2026-01-01 00:00") // 1000] == two


def test_a_month_in_which_the_same_is_used_every_day_ends_as_it_went_on() -> None:
    told = {("S", DAY + n * LENGTH): valid(1) for n in range(-4, 20)}
    known = known_of(told)
    found = all_forecasts(known, {}, DAY + 20 * LENGTH + 36 * 3600)
    january = found["USAGE_POINT", "S", at("2026-01-01 00:00") // 1000]
    assert (january["used"], january["expected"], january["method"]) == (24 * 24, 24 * 31, "MEAN")
    assert (january["lowest"], january["highest"], january["days_to_come"]) == (744, 744, 7)


def test_a_group_that_loses_more_is_noticed_and_comes_back() -> None:
    def day(number: int, lost: int) -> WatchedDay:
        wiggle = 1 if number % 2 else -1
        return WatchedDay(number, number * LENGTH, lost + wiggle, 10_000 + 100 * wiggle, 0.0, ())

    steady = [day(number, 100) for number in range(40)]
    leak = [day(number, 400) for number in range(40, 50)]
    well = [day(number, 100) for number in range(50, 70)]
    (onset,) = Watch([*steady, *leak, *well]).onsets
    # z is held at 20, so that one day is enough; back again W falls by a half a day from 8
    assert (onset.since, onset.alarmed, onset.ended, onset.side) == (40, 40, 50, "RISE")
    assert 290 <= onset.size_a_day <= 310
