"""Figures in the database: what is stored, shown and published of them, and what they are gathered from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from balance_imbalance.adapters.postgres_weather import PostgresWeatherStore
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.messages import Module, UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_imbalance.handlers import handle_weather
from balance_kernel.plans import Setting
from balance_kernel.quantity import Resource

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

MISSING, ESTIMATED, VALID = 5, 2, 1
TOWN = ("town",)


def furnish(house: House, days: int, silent_from: int) -> None:
    """Group G of supply S and members A, B; B is heard on the days before ``silent_from`` alone."""
    house.describe(*(house.meter_of(point) for point in "SAB"), house.group_of("G", ["S"], ["A", "B"]))
    for day in range(days):
        heard = {"S": 300, "A": 100, **({"B": 200 + day} if day < silent_from else {})}
        house.hear(*(house.reading(point, day, value) for point, value in heard.items()))
    house.settle()


def stored(house: House, day: int) -> Mapping[str, Any]:
    row: Mapping[str, Any]
    (row,) = house.rows(
        "SELECT * FROM imbalance.group_days WHERE extract(epoch FROM day_start)::bigint = %s",
        house.day_start(day),
    )
    return row


def gas(point: str, module: str, resource: Resource = Resource.GAS, **given: Any) -> UsagePoint:
    """On a channel of a module for ever; a thermometer on channel 0."""
    fitted = ChannelFitting(module, 0 if resource is Resource.TEMPERATURE else 1, 0, FOREVER)
    return UsagePoint(point, 1, [Meter(0, FOREVER, 15_000, 10, **given)], resource, TOWN, channels=[fitted])


def test_an_estimated_day_is_stored_shown_and_published(house: House) -> None:
    """B's past is 200, 201, 202, 203 an hour: 202 are expected, 203 its most, and its days spread by 31."""
    furnish(house, days=5, silent_from=4)
    row, shown, message = stored(house, 4), house.days("G")[4], house.published()["G", 4]
    assert (row["month"], row["clock_s"], row["supply_first"], row["supply_last"]) == (
        date(2026, 3, 1),
        180,
        300,
        300,
    )
    assert row["u_estimate"] == pytest.approx(0.5 * 3.1824 * 24 * (5 / 3) ** 0.5 * 1.25**0.5)
    assert row["u_estimate_inside"] == row["u_estimate_first"] == row["u_estimate_last"] == row["u_estimate"]
    assert row["silent"] == row["missing"]
    assert (row["not_reported"], row["gap_from_start"], row["hour_unregistered"]) == (None, [], None)
    assert row["hour_members_estimated"] == [202] * 24
    bounds = {"imbalance": -48, "imbalance_lowest": 4800 - 24 * 203, "imbalance_highest": 4800}
    assert {name: shown[name] for name in bounds} == bounds
    assert {name: message["day"][name] for name in bounds} == bounds
    assert message["members_estimated"] == shown["members_estimated"] == 24 * 202
    night = {"hours": 2, "supply": 600, "members": 604, "imbalance": -4}
    assert message["night"] == night == {name: shown[f"night_{name}"] for name in night}
    assert [message["hours"][7][name] for name in bounds] == [-2, 200 - 203, 200]
    hour = house.rows("SELECT * FROM imbalance.v_group_hours ORDER BY start_at DESC LIMIT 1")[0]
    assert [hour[name] for name in bounds] == [-2, -3, 200]
    assert (hour["members_estimated"], hour["unregistered"]) == (202, 0)


def test_a_complete_day_leaves_out_what_says_nothing(house: House) -> None:
    furnish(house, days=1, silent_from=1)
    row, message = stored(house, 0), house.published()["G", 0]
    assert row["hour_imbalance_lowest"] is row["hour_members_estimated"] is row["base_supply"] is None
    assert row["unmetered"] == row["silent"] == row["problems"] == []
    assert {hour["imbalance_lowest"] for hour in message["hours"]} == {0}
    assert {hour["unregistered"] for hour in message["hours"]} == {0}
    assert (message["base"], message["problems"], message["is_recomputation"]) == (None, [], False)
    hour = house.rows("SELECT * FROM imbalance.v_group_hours LIMIT 1")[0]
    assert (hour["imbalance_highest"], hour["members_estimated"]) == (0, 0)


def test_a_flow_below_the_start_is_stored_and_published_by_the_hour(house: House) -> None:
    house.describe(house.meter_of("S"), gas("A", "M", q_start=50), house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("S", 0, 300), house.reading("A", 0, [20, *[300] * 23]))
    house.settle()
    message = house.published()["G", 0]
    assert [hour["unregistered"] for hour in message["hours"]] == [3, *[0] * 23]
    assert message["day"]["unregistered"] == house.days("G")[0]["unregistered"] == 3


def test_edges_of_estimated_runs_are_kept_apart(house: House) -> None:
    """The day alone is unsure of both, the first of a longer span of the leading run."""
    house.describe(*(house.meter_of(point) for point in "SAB"), house.group_of("G", ["S"], ["A", "B"]))
    hours = [ESTIMATED] * 2 + [VALID] * 20 + [ESTIMATED] * 2
    inner = [VALID] * 9 + [ESTIMATED] + [VALID] * 14
    house.hear(
        house.reading("S", 0, 300, qualities=inner),
        house.reading("A", 0, 100),
        house.reading("B", 0, [10, 10, *[200] * 20, 70, 70], qualities=hours),
    )
    house.settle()
    row, b, s = stored(house, 0), numbered(house, "B"), numbered(house, "S")
    assert (row["gap_from_start"], row["gap_to_end"], row["silent"]) == ([b], [b], [])
    assert (row["missing"], row["not_reported"]) == ([b], sorted([b, s]))
    assert [row[f"u_estimate{part}"] for part in ("", "_first", "_inside", "_last")] == [400, 200, 0, 200]


def numbered(house: House, point: str) -> int:
    (row,) = house.rows("SELECT usage_point FROM imbalance.usage_points WHERE usage_point_id = %s", point)
    number: int = row["usage_point"]
    return number


def unmetered_days(house: House) -> Mapping[int, Sequence[str]]:
    """By number of the day, who counts as unmetered."""
    return {day: row["unmetered_usage_points"] for day, row in house.days("G").items()}


def test_a_member_silent_for_seven_days_is_unmetered(house: House) -> None:
    """B was heard last on day 3: days 4 to 10 are seven. C, heard never, became a member on day 5."""
    furnish(house, days=14, silent_from=4)
    house.describe(house.group_of("G", ["S"], {"A": (-9, 99), "B": (-9, 99), "C": (5, 99)}, version=2))
    house.settle()
    assert unmetered_days(house) == {
        day: [*(["B"] if day >= 10 else []), *(["C"] if day >= 11 else [])] for day in range(14)
    }
    house.published()
    house.hear(house.reading("B", 4, 0, qualities=[MISSING] * 23 + [ESTIMATED]), backlog=True)
    house.settle()
    assert unmetered_days(house)[10] == []
    assert unmetered_days(house)[11] == ["B", "C"]
    assert {day for _, day in house.published()} == {4, 10}


def test_who_is_read_monthly_may_be_silent_for_longer(house: House) -> None:
    """7 + 31 days; a reading 37 days back counts, though it is no past to estimate from."""
    house.describe(
        house.meter_of("S"),
        gas("A", "M"),
        Module("M", 1, [Setting(0, "MONTHLY", None)]),
        house.group_of("G", ["S"], ["A"]),
    )
    house.hear(house.reading("A", 0, 100), *(house.reading("S", day, 100) for day in range(40)))
    house.settle()
    assert [day for day, points in unmetered_days(house).items() if points] == [38, 39]
    house.published()
    house.hear(house.reading("A", 1, 100), backlog=True)
    touched = house.settle()
    assert ("G", 38) in touched
    assert [day for day, points in unmetered_days(house).items() if points] == [39]
    assert ("G", 40) not in touched


def test_a_thermometer_tells_base_conditions_also_when_it_is_heard_late(house: House) -> None:
    """A's gas is at 10 °C; S, without a thermometer and weather, is taken to be as warm."""
    house.describe(
        gas("S", "MS"),
        gas("A", "MA"),
        gas("T", "MA", Resource.TEMPERATURE),
        house.group_of("G", ["S"], ["A"]),
    )
    for day in (0, 1):
        house.hear(house.reading("S", day, 1000), house.reading("A", day, 990))
    house.settle()
    assert house.days("G")[0]["base_supply"] is None
    house.published()
    hours = [VALID] * 22 + [ESTIMATED, VALID]
    house.hear(house.reading("T", 0, [*[10_000] * 22, -9_000, 85_000], qualities=hours))
    assert house.settle() == {("G", 0)}
    row, message = house.days("G")[0], house.published()["G", 0]
    assert (row["base_supply"], row["base_members"]) == (
        round(24_000 * 293.15 / 283.15),
        round(23_760 * 293.15 / 283.15),
    )
    assert message["base"] == {
        "supply": row["base_supply"],
        "members": row["base_members"],
        "imbalance": row["base_supply"] - row["base_members"],
        "tolerance": row["base_tolerance"],
        "verdict": row["base_verdict"],
    }
    tell_weather(house, {0: 0})
    house.hear(house.reading("A", 0, 991, version=2))
    house.settle()
    assert house.days("G")[0]["base_supply"] == round(24_000 * 293.15 / 273.15)


def tell_weather(house: House, days: Mapping[int, int]) -> None:
    """Thousandths of a degree in all hours of a day, by number, for the town."""
    with house.pool.connection() as conn:
        conn.execute("TRUNCATE imbalance.weather_sources, imbalance.weather_days CASCADE")
    reports = [
        WeatherReport(WeatherDay(TOWN, WeatherKind.FILE, "f", house.day_start(day), [value] * 24), 1, 0)
        for day, value in days.items()
    ]
    handle_weather(reports, PostgresWeatherStore(house.pool))


@pytest.mark.parametrize(("resource", "hourly"), [(Resource.GAS, 14), (Resource.WATER, 10)])
def test_the_past_is_scaled_to_the_weather_of_the_day(house: House, resource: Resource, hourly: int) -> None:
    """A home uses 4 an hour and 1 more a degree below 16 °C: of gas 14 on a day of 6 °C."""
    below = [2, 4, 5, 6, 7, 8, 16, 0]
    tell_weather(house, {day: 16_000 - 1000 * degrees for day, degrees in enumerate([*below, 10])})
    home = replace(gas("B", "MB"), resource=resource)
    house.describe(gas("S", "MS"), home, house.group_of("G", ["S"], ["B"]))
    for day, degrees in enumerate(below):
        house.hear(house.reading("B", day, 4 + degrees), house.reading("S", day, 20))
    house.hear(house.reading("S", 8, 20))
    house.settle()
    row = stored(house, 8)
    assert row["members_estimated"] == 24 * hourly
    assert (row["u_estimate"] < 1e-6) == (resource is Resource.GAS)


def test_an_imbalance_of_three_pulses_has_no_share(house: House) -> None:
    """Nor has one of nothing at all."""
    house.describe(house.meter_of("S", pulse=1000), house.meter_of("A"), house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("S", 0, [1000, 0, 2000, *[0] * 21]), house.reading("A", 0, 0))
    house.hear(house.reading("S", 1, 0), house.reading("A", 1, 0))
    house.settle()
    days = house.days("G")
    assert [days[day]["relative_imbalance"] for day in (0, 1)] == [None, None]
    assert (days[0]["imbalance"], days[0]["verdict"]) == (3000, "LOSS")
    assert (days[1]["imbalance"], days[1]["verdict"]) == (0, "WITHIN_TOLERANCE")


def test_a_group_without_a_side_says_so(house: House) -> None:
    house.describe(house.group_of("G", ["S"], {"A": (0, 1)}))
    house.hear(house.reading("S", 0, 100), house.reading("A", 0, 100), house.reading("S", 1, 100))
    house.describe(house.group_of("H", {"S": (0, 1)}, ["A"]))
    house.hear(house.reading("A", 1, 100))
    house.settle()
    messages = house.published()
    assert {key: message["problems"] for key, message in messages.items()} == {
        ("G", 0): [],
        ("G", 1): ["NO_MEMBER"],
        ("H", 0): [],
        ("H", 1): ["NO_SUPPLY"],
    }
    assert house.days("G")[1]["problems"] == ["NO_MEMBER"]
    assert messages["H", 1]["day"]["coverage"] == "NOT_COMPUTABLE"
