"""One usage point or group that cannot be computed stops no other: group-days, forecasts, inadequacy."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_chassis.setting_aside import Returning
from balance_imbalance.adapters.inadequacy_rows import HomesOfDay
from balance_imbalance.adapters.postgres_forecasts import PostgresForecasts
from balance_imbalance.adapters.postgres_inadequacy import PostgresInadequacy
from balance_imbalance.computing.forecasting import Forecasting, Forecasts
from balance_imbalance.computing.group_days import Computation
from balance_imbalance.computing.inadequacy import Inadequacy
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.kinds import FORECAST
from balance_imbalance.domain.messages import UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.rules import Rules
from balance_kernel.quantity import Resource

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

HOMES = range(3)
DAYS = range(1, 12)


def path(number: int) -> tuple[str, ...]:
    """Of a home in a building of its own."""
    return "R", "T", "S", str(number), "1"


def home(number: int, at: tuple[str, ...] = ()) -> list[UsagePoint]:
    """A usage point of gas with its thermometer."""
    at = at or path(number)
    gas, room = ([ChannelFitting(f"M{number}", channel, 0, FOREVER)] for channel in (1, 2))
    return [
        UsagePoint(f"H{number}", 1, [Meter(0, FOREVER, 15_000, 10)], Resource.GAS, at, False, gas),
        UsagePoint(f"T{number}", 1, [], Resource.TEMPERATURE, at, False, room),
    ]


@pytest.fixture
def street(house: House) -> House:
    """Three homes with thermometers, each in a group of its own, read on some days of March."""
    for number in HOMES:
        house.describe(*home(number), house.meter_of(f"S{number}"))
        house.describe(house.group_of(f"G{number}", [f"S{number}"], [f"H{number}"]))
        for point, value in ((f"H{number}", 100), (f"T{number}", 20_000), (f"S{number}", 110)):
            house.hear(*(house.reading(point, day, value) for day in DAYS), clock_day=13)
    return house


def age(house: House, markers: str) -> None:
    """Let what is marked have been marked a minute ago."""
    house.rows(f"UPDATE imbalance.{markers} SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")


def clock() -> datetime:
    return datetime(2026, 3, 20, tzinfo=UTC)


def forecast(house: House) -> dict[str, int]:
    """Run the step twice; how many days each forecast of a home knows."""
    store = PostgresForecasts(house.pool, house.calendar, Rules(), FORECAST)
    steps = Forecasts(store, clock, house.calendar, Rules(), True, 4000, lambda *_: None)
    for _ in range(2):
        steps.step()
        age(house, "forecast_markers")
    steps.step()
    found = house.rows("SELECT subject_id, days_known FROM imbalance.v_forecasts WHERE subject_id LIKE 'H%%'")
    return {row["subject_id"]: row["days_known"] for row in found}


def judge(house: House) -> dict[str, int]:
    """Run the step twice; how many inadequacy days each home has."""
    store = PostgresInadequacy(house.pool, house.calendar, InadequacyRules())
    steps = Inadequacy(store, clock, house.calendar, 36 * 3600, lambda *_: None)
    for _ in range(2):
        steps.step()
        age(house, "inadequacy_markers")
    steps.step()
    found = house.rows("SELECT usage_point_id, count(*) FROM imbalance.v_inadequacy_days GROUP BY 1")
    return {row["usage_point_id"]: row["count"] for row in found}


def number_of(house: House, point: str) -> int:
    (row,) = house.rows("SELECT usage_point FROM imbalance.usage_points WHERE usage_point_id = %s", point)
    return int(row["usage_point"])


def set_aside(house: House, result: str) -> list[tuple[str, int]]:
    found = house.rows(
        "SELECT subject_id, day_start FROM imbalance.v_set_aside WHERE result = %s ORDER BY 1, 2", result
    )
    return [(row["subject_id"], house.calendar.date_of(row["day_start"]).day) for row in found]


def come_back(house: House) -> None:
    """Let an hour pass for what is set aside."""
    house.rows(
        "UPDATE imbalance.markers_set_aside SET set_aside_at = set_aside_at - INTERVAL '1 hour' RETURNING 1"
    )
    tables = ["markers", "forecast_markers", "group_forecast_markers", "inadequacy_markers"]
    assert Returning(house.pool, "imbalance", tables).step() > 0
    assert house.rows("SELECT FROM imbalance.markers_set_aside") == []


def test_a_home_at_a_path_that_no_index_holds_stops_no_other(street: House) -> None:
    chance = random.Random(1)
    names = ["".join(chr(chance.randrange(0x4E00, 0x9FFF)) for _ in range(256)) for _ in range(5)]
    street.describe(*home(7, tuple(names)))
    assert judge(street) == {f"H{number}": len(DAYS) for number in HOMES}
    assert len(street.rows("SELECT FROM imbalance.inadequacy_homes")) == len(HOMES) + 1


@pytest.mark.parametrize(
    "change",
    ['"values" = "values"[1:23]', "day_start = day_start - INTERVAL '1 hour'"],
    ids=["short", "shifted"],
)
def test_a_stored_day_that_is_none_of_the_calendar_any_more_is_left_out(street: House, change: str) -> None:
    street.rows(
        f"UPDATE imbalance.reading_days SET {change} "
        "WHERE usage_point IN (%s, %s) AND day_start = to_timestamp(%s) RETURNING 1",
        number_of(street, "H0"),
        number_of(street, "T0"),
        street.day_start(DAYS[-1]),
    )
    street.compute()
    assert {group: len(street.days(group)) for group in ("G0", "G1", "G2")} == dict.fromkeys(
        ("G0", "G1", "G2"), len(DAYS)
    )
    assert forecast(street).keys() == {"H0", "H1", "H2"}
    assert judge(street) == {"H0": len(DAYS) - 1, "H1": len(DAYS), "H2": len(DAYS)}
    assert street.rows("SELECT FROM imbalance.markers_set_aside") == []


def test_a_group_day_that_fails_is_set_aside_and_comes_again(
    street: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = Computation.results
    (row,) = street.rows("SELECT balance_group FROM imbalance.groups WHERE group_id = 'G1'")
    poisoned = row["balance_group"], datetime.fromtimestamp(street.day_start(5), UTC)

    def poisonous(computation: Computation, due: Sequence[Any]) -> Sequence[Any]:
        found = results(computation, due)
        if any((each.group, each.day_start) == poisoned for each in due):
            raise ZeroDivisionError
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Computation, "results", poisonous)
        street.compute()
    assert sorted(street.days("G1")) == [day for day in DAYS if day != 5]
    assert sorted(street.days("G0")) == sorted(street.days("G2")) == list(DAYS)
    assert set_aside(street, "GROUP_DAY") == [("G1", 6)]
    (first,) = street.rows("SELECT first_day FROM imbalance.groups WHERE group_id = 'G1'")
    assert first["first_day"].timestamp() == street.day_start(DAYS[0])
    computed = sum(each for each, _ in street.counted)
    assert computed == 3 * len(DAYS) - 1
    come_back(street)
    street.compute()
    assert sorted(street.days("G1")) == list(DAYS)


def test_a_forecast_that_fails_is_set_aside_and_comes_again(
    street: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = forecast(street)
    street.rows("DELETE FROM imbalance.forecasts RETURNING 1")
    for number in HOMES:
        street.hear(street.reading(f"H{number}", 3, 99, version=2))
    with monkeypatch.context() as patched:
        patched.setattr(Forecasting, "forecasts", poisoned_by(Forecasting.forecasts, number_of(street, "H1")))
        assert forecast(street) == {name: days for name, days in whole.items() if name != "H1"}
    assert {name for name, _ in set_aside(street, "FORECAST")} == {"H1"}
    come_back(street)
    assert forecast(street) == whole


def poisoned_by(do: Callable[..., Any], number: int) -> Callable[..., Any]:
    """The same, failing for one subject."""

    def poisonous(it: Any, due: Sequence[tuple[Any, ...]]) -> Any:
        found = do(it, due)
        if any(each[0] == number for each in due):
            raise ZeroDivisionError
        return found

    return poisonous


def test_a_home_that_cannot_be_judged_is_set_aside_and_comes_again(
    street: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(HomesOfDay, "add", poisoned_by(HomesOfDay.add, number_of(street, "H1")))
        assert judge(street) == {"H0": len(DAYS), "H2": len(DAYS)}
    assert {name for name, _ in set_aside(street, "INADEQUACY_DAY")} == {"H1"}
    come_back(street)
    assert judge(street) == {f"H{number}": len(DAYS) for number in HOMES}
