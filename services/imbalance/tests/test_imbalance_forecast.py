"""Forecasts of usage points and groups on a real database: what is told, when, and when it is withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_chassis.outbox import Outbox
from balance_imbalance.adapters.postgres_forecasts import MarkForecastsOfWeather, PostgresForecasts
from balance_imbalance.adapters.postgres_weather import PostgresWeatherMarks, PostgresWeatherStore
from balance_imbalance.adapters.publishing import Renderer
from balance_imbalance.computing.forecasting import Forecasts
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST
from balance_imbalance.domain.messages import UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_kernel.quantity import Quality, Resource
from balance_schemas import avsc
from balance_schemas.codec import Codec

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported
CODEC = Codec({name: n for n, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
FEBRUARY, MARCH, APRIL = -28, 0, 31
MISSING = Quality.MISSING.code


class Keeper:
    """The steps of the worker by hand; days are numbers from 2026-03-01."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.last = -1
        self.computed: list[tuple[int, int]] = []

    def day(self, number: int) -> datetime:
        return datetime.fromtimestamp(self.house.day_start(number), UTC)

    def fall_due(self, number: int) -> None:
        """The clock comes to 37 h after the end of that day; forecasts follow."""
        self.last = number
        self.keep()

    def keep(self) -> None:
        """Mark and compute until nothing is left."""
        weather = PostgresWeatherMarks(
            self.house.pool, self.house.calendar, 28, [MarkForecastsOfWeather(self.house.calendar)]
        )
        while weather.mark():
            pass
        for kind, fills in ((FORECAST, True), (GROUP_FORECAST, False)):
            steps = Forecasts(
                PostgresForecasts(self.house.pool, self.house.calendar, self.house.rules, kind),
                lambda: datetime.fromtimestamp(self.house.day_start(self.last + 1) + 37 * 3600, UTC),
                self.house.calendar,
                self.house.rules,
                fills,
                100,
                lambda computed, changed: self.computed.append((computed, changed)),
            )
            steps.step()
            while steps.compute(quiet_s=0):
                pass

    def rows(self) -> Mapping[tuple[str, int], Mapping[str, Any]]:
        """Rows of the view by subject and number of the month's first day."""
        days = {self.day(number): number for number in range(-800, 200)}
        found = self.house.rows("SELECT * FROM imbalance.v_forecasts")
        return {(row["subject_id"], days[row["month_start"]]): row for row in found}

    def of(self, subject: str, month: int = MARCH) -> tuple[Any, ...]:
        """Used, expected, method, days known, days to come."""
        row = self.rows()[subject, month]
        return tuple(row[name] for name in ("used", "expected", "method", "days_known", "days_to_come"))

    def published(self) -> Sequence[Mapping[str, Any]]:
        """Forecasts named to the publisher, rendered, decoded and forgotten."""
        outbox, render = Outbox("imbalance"), Renderer(CODEC)
        with self.house.pool.connection() as conn:
            rows = outbox.claim(conn, 1000)
            ours = [row for row in rows if "forecasts" in row.topic]
            values = [CODEC.decode(outgoing.value or b"")[1] for outgoing in render(conn, ours)]
            outbox.forget(conn, rows)
        return sorted(values, key=lambda value: (value["subject_id"], value["month_start_at"]))

    def point(
        self, name: str, version: int = 1, spans: Iterable[tuple[int, int]] = ((-900, 900),), **given: Any
    ) -> None:
        """Describe a usage point of gas with meters fitted from a day up to another."""
        meters = [
            Meter(
                self.house.day_start(start), self.house.day_start(end) if end < 900 else FOREVER, 15_000, 10
            )
            for start, end in spans
        ]
        given = {"resource": Resource.GAS, "object_path": ("R", "T"), **given}
        self.house.describe(UsagePoint(name, version, meters, **given))

    def hear(self, name: str, days: Iterable[int], value: int = 10, version: int = 1) -> None:
        """The same in every hour of these days."""
        self.house.hear(*(self.house.reading(name, day, value, version) for day in days))

    def weather(self, days: Iterable[int], degrees: int, version: int = 1) -> None:
        """A file tells the same temperature in every hour of these days."""
        store = PostgresWeatherStore(self.house.pool)
        told = [
            WeatherDay(("R",), WeatherKind.FILE, "f", self.house.day_start(day), [degrees * 1000] * 24)
            for day in days
        ]
        store.store([WeatherReport(day, version, day.day_start) for day in told])


@pytest.fixture
def keeper(house: House) -> Keeper:
    with house.pool.connection() as conn:
        conn.execute(
            "TRUNCATE imbalance.forecasts, imbalance.forecast_subjects, imbalance.weather_days, "
            "imbalance.weather_changes, imbalance.weather_sources CASCADE"
        )
    return Keeper(house)


def test_amid_a_month_and_at_its_end(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.hear("A", range(10))
    keeper.fall_due(9)
    assert keeper.of("A") == (2400, 2400 + 21 * 240, "MEAN", 10, 21)
    row = keeper.rows()["A", MARCH]
    assert (row["lowest"], row["highest"]) == (7440, 7440)
    assert (row["subject_kind"], row["resource"], row["unit"]) == ("USAGE_POINT", "GAS", "MILLILITRE")
    assert (row["as_of"], row["reason"], row["version"], row["previous"]) == (keeper.day(9), None, 1, None)
    keeper.hear("A", range(10, 31))
    keeper.fall_due(31)
    assert keeper.of("A") == (7430, 7430, "MEASURED", 31, 0)
    assert keeper.rows()["A", MARCH]["previous"]["expected"] == 7440
    assert keeper.of("A", APRIL)[:1] + keeper.of("A", APRIL)[2:] == (240, "MEAN", 0, 29)


def test_what_is_published_is_the_row_and_nothing_when_nothing_changed(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.hear("A", range(10))
    keeper.fall_due(9)
    [value] = keeper.published()
    assert (value["subject_kind"], value["subject_id"], value["unit"]) == ("USAGE_POINT", "A", "MILLILITRE")
    assert (value["used"], value["expected"], value["method"], value["reason"]) == (
        2400,
        7440,
        "MEAN",
        "UNSPECIFIED",
    )
    assert value["as_of_day_start_at"] == keeper.house.day_start(9) * 1000
    keeper.hear("A", [4], version=2)
    keeper.keep()
    assert keeper.published() == []
    keeper.hear("A", [4], 20, version=3)
    keeper.keep()
    [value] = keeper.published()
    assert (value["version"], value["used"], value["previous"]["used"]) == (2, 2640, 2400)


def test_too_few_days_then_enough(keeper: Keeper) -> None:
    keeper.point("A", spans=[(10, 900)])
    keeper.hear("A", range(10, 17))
    keeper.fall_due(15)
    assert keeper.of("A") == (6 * 240, None, "NONE", 6, 15)
    assert keeper.rows()["A", MARCH]["reason"] == "TOO_FEW_DAYS"
    keeper.fall_due(16)
    assert keeper.of("A") == (7 * 240, 7 * 240 + 14 * 240, "MEAN", 7, 14)


def test_a_silence_is_estimated_from_the_own_past_with_its_uncertainty(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.hear("A", range(-14, 10, 2), 10)
    keeper.hear("A", range(-13, 10, 2), 12)
    keeper.fall_due(11)
    row = keeper.rows()["A", MARCH]
    assert row["used"] == 5 * 240 + 5 * 288 + 2 * 264
    assert (row["days_known"], row["days_to_come"]) == (10, 19)
    certain = row["highest"] - row["lowest"]
    keeper.hear("A", [10, 11], 11)
    keeper.keep()
    after = keeper.rows()["A", MARCH]
    assert after["used"] == row["used"]
    assert after["highest"] - after["lowest"] < certain


def test_a_month_of_silence_is_expected_and_then_nothing_is_said(keeper: Keeper) -> None:
    """Days whose past is more than 28 days old are gaps; after 42 days nothing is left to tell of."""
    keeper.point("A")
    keeper.hear("A", range(-20, 0))
    keeper.fall_due(30)
    used, expected, method, known, to_come = keeper.of("A")
    assert (used, known, to_come, method) == (28 * 240, 0, 3, "MEAN")
    assert expected == used + 3 * 240
    keeper.fall_due(34)
    assert keeper.of("A", APRIL) == (0, 30 * 240, "MEAN", 0, 30)
    keeper.fall_due(35)
    assert keeper.of("A", APRIL) == (0, None, "NONE", 0, 30)
    keeper.fall_due(41)
    assert ("A", APRIL) not in keeper.rows()
    assert keeper.published()[-1]["reason"] == "WITHDRAWN"


def test_a_month_without_any_data_has_no_forecast(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.point("B")
    keeper.hear("B", range(10))
    keeper.fall_due(9)
    assert set(keeper.rows()) == {("B", MARCH)}


def test_a_meter_exchanged_leaves_a_gap_that_is_estimated(keeper: Keeper) -> None:
    keeper.point("A", spans=[(-900, 6), (6, 900)])
    keeper.hear("A", range(-10, 10))
    half = [MISSING if 9 <= hour < 11 else Quality.VALID.code for hour in range(24)]
    values = [0 if 9 <= hour < 11 else 10 for hour in range(24)]
    house = keeper.house
    house.hear(house.reading("A", 6, values, 2, qualities=half))
    keeper.fall_due(9)
    assert keeper.of("A") == (2400, 7440, "MEAN", 9, 21)


def test_days_without_a_meter_are_neither_used_nor_to_come(keeper: Keeper) -> None:
    keeper.point("A", spans=[(-900, 4), (8, 20)])
    keeper.hear("A", [*range(-10, 4), *range(8, 10)])
    keeper.fall_due(9)
    assert keeper.of("A") == (6 * 240, 16 * 240, "MEAN", 6, 10)


def test_a_usage_point_that_is_deleted_or_of_no_consumption_is_withdrawn(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.point("B")
    for name in "AB":
        keeper.hear(name, range(10))
    keeper.fall_due(9)
    assert len(keeper.rows()) == 2
    keeper.point("A", 2, spans=[])
    keeper.point("B", 2, resource=Resource.TEMPERATURE)
    keeper.keep()
    assert keeper.rows() == {}
    gone = keeper.published()
    assert [(value["reason"], value["used"], value["version"]) for value in gone] == [
        ("WITHDRAWN", None, 2)
    ] * 2
    keeper.point("A", 3)
    keeper.keep()
    assert keeper.of("A")[0] == 2400


def test_negative_values_and_nothing_used(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.point("B")
    keeper.hear("A", range(10), 0)
    keeper.hear("B", range(9), 10)
    keeper.hear("B", [9], -400)
    keeper.fall_due(9)
    assert keeper.of("A") == (0, 0, "MEAN", 10, 21)
    assert keeper.rows()["A", MARCH]["highest"] == 0
    row = keeper.rows()["B", MARCH]
    assert row["used"] == 9 * 240 - 9600
    assert row["used"] == row["lowest"] == row["expected"] < row["highest"]


def test_gas_follows_the_weather_of_past_years(keeper: Keeper) -> None:
    """Days below 16 °C use 24·(10 + degree-days); April was colder in the year before."""
    keeper.point("A")
    house = keeper.house
    for day in range(-20, 40):
        degrees = 6 + day % 5
        keeper.weather([day], degrees)
        house.hear(house.reading("A", day, 10 + 16 - degrees))
    keeper.weather(range(-365 + 20, -365 + 75), 2)
    keeper.fall_due(39)
    used, expected, method, known, to_come = keeper.of("A", APRIL)
    assert (method, known, to_come) == ("DEGREE_DAYS", 9, 21)
    # One day of the window has 23 hours.
    assert expected - used == pytest.approx(21 * 24 * (10 + 14), rel=0.002)


def test_gas_without_weather_or_with_a_gap_in_it_falls_back(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.point("B", object_path=("X",))
    house = keeper.house
    for day in range(-20, 10):
        degrees = 6 + day % 5
        if day not in (3, 4):
            keeper.weather([day], degrees)
        house.hear(*(house.reading(point, day, 10 + 16 - degrees) for point in "AB"))
    keeper.fall_due(9)
    assert keeper.of("A")[2] == "DEGREE_DAYS"
    assert keeper.of("B")[2] == "MEAN"
    used, expected, *_ = keeper.of("A")
    newest = [day for day in range(9, -20, -1) if day not in (3, 4)][:14]
    mean = sum(10 - day % 5 for day in newest) / 14
    assert expected - used == round(21 * 24 * (10 + mean))


def test_weather_that_comes_later_computes_anew_what_depends_on_it(keeper: Keeper) -> None:
    keeper.point("A")
    house = keeper.house
    for day in range(-20, 10):
        house.hear(house.reading("A", day, 10 + 16 - (6 + day % 5)))
    keeper.fall_due(9)
    assert keeper.of("A")[2] == "MEAN"
    for day in range(-20, 10):
        keeper.weather([day], 6 + day % 5)
    keeper.keep()
    assert keeper.of("A")[2] == "DEGREE_DAYS"
    before = keeper.of("A")[1]
    keeper.weather(range(-365, -365 + 40), -10)
    keeper.keep()
    assert keeper.of("A")[1] > before


def test_weather_marks_forecasts_that_stand(keeper: Keeper) -> None:
    """Of a usage point that was read and the group that it supplies; nobody ever read the other."""
    house = keeper.house
    for name in ("S", "silent"):
        keeper.point(name)
    house.describe(house.group_of("G", ["S"], ["A"]), house.group_of("never", ["silent"], ["B"]))
    keeper.hear("S", range(10))
    house.settle()
    keeper.fall_due(9)
    assert {subject for subject, _ in keeper.rows()} == {"S", "G"}
    keeper.weather([*range(-400, -300), 5], 3)
    marks = PostgresWeatherMarks(house.pool, house.calendar, 28, [MarkForecastsOfWeather(house.calendar)])
    assert marks.mark() == 101
    points = house.rows(
        "SELECT usage_point_id, day_start FROM imbalance.forecast_markers m "
        "JOIN imbalance.usage_points u ON u.usage_point = m.subject_id"
    )
    groups = house.rows(
        "SELECT group_id, day_start FROM imbalance.group_forecast_markers m "
        "JOIN imbalance.groups g ON g.balance_group = m.subject_id"
    )
    assert {(row["usage_point_id"], row["day_start"]) for row in points} == {("S", keeper.day(9))}
    assert {(row["group_id"], row["day_start"]) for row in groups} == {("G", keeper.day(9))}


def test_a_group_is_forecast_by_its_supply(keeper: Keeper) -> None:
    keeper.point("S")
    keeper.point("T")
    house = keeper.house
    house.describe(house.group_of("G", ["S", "T"], ["A"]))
    for name in "ST":
        keeper.hear(name, range(10))
    house.settle()
    keeper.fall_due(9)
    assert keeper.of("G") == (4800, 31 * 480, "MEAN", 10, 21)
    row = keeper.rows()["G", MARCH]
    assert (row["subject_kind"], row["resource"]) == ("BALANCE_GROUP", "GAS")
    house.hear(house.reading("S", 5, [0] * 24, 2, qualities=[MISSING] * 24))
    house.settle()
    keeper.keep()
    used, expected, method, known, to_come = keeper.of("G")
    assert (used, expected, method, known, to_come) == (9 * 480, 31 * 480, "MEAN", 9, 22)


def test_a_group_whose_supply_ends_expects_nothing_after(keeper: Keeper) -> None:
    keeper.point("S")
    house = keeper.house
    house.describe(house.group_of("G", ["S"], ["A"]))
    keeper.hear("S", range(10))
    house.settle()
    keeper.fall_due(9)
    assert keeper.of("G")[4] == 21
    house.describe(house.group_of("G", {"S": (-900, 15)}, ["A"], 2))
    house.settle()
    keeper.keep()
    assert keeper.of("G") == (2400, 15 * 240, "MEAN", 10, 5)


def test_the_order_of_arrival_does_not_matter(keeper: Keeper) -> None:
    """Late and early, in pieces or at once, the clock before or after: the same forecasts."""
    house = keeper.house
    days = [(name, day) for name in "AB" for day in range(-30, 36) if (day * 7 + ord(name)) % 11]

    def value(name: str, day: int) -> int:
        return 5 + (day * 13 + ord(name)) % 17

    def hear(some: Sequence[tuple[str, int]]) -> None:
        house.hear(*(house.reading(name, day, value(name, day)) for name, day in sorted(some)))

    def told() -> list[tuple[Any, ...]]:
        names = ("used", "expected", "lowest", "highest", "days_known", "days_to_come", "method", "as_of")
        return sorted((key, *(row[name] for name in names)) for key, row in keeper.rows().items())

    keeper.point("A")
    keeper.point("B")
    hear(days)
    keeper.fall_due(35)
    at_once = told()
    assert len(at_once) == 8
    house.empty()
    with house.pool.connection() as conn:
        conn.execute("TRUNCATE imbalance.forecasts, imbalance.forecast_subjects")
    keeper.fall_due(-20)
    for part in range(5):
        hear(days[part::5])
        keeper.fall_due(-20 + 12 * part)
    keeper.point("B")
    keeper.fall_due(35)
    keeper.point("A")
    keeper.keep()
    assert told() == at_once


def test_other_settings_compute_all_anew_and_an_older_day_never_wins(keeper: Keeper) -> None:
    keeper.point("A")
    keeper.hear("A", range(12))
    keeper.fall_due(9)
    first = keeper.rows()["A", MARCH]["settings_hash"]
    keeper.published()
    house = keeper.house
    house.rules = replace(house.rules, heating_base=15_000)
    keeper.keep()
    row = keeper.rows()["A", MARCH]
    assert row["settings_hash"] != first
    assert row["version"] == 1
    assert keeper.published() == []
    keeper.fall_due(11)
    house.rows(
        "INSERT INTO imbalance.forecast_markers (subject_id, day_start, lane) "
        "SELECT usage_point, to_timestamp(%s), 1 FROM imbalance.usage_points RETURNING 1",
        house.day_start(9),
    )
    keeper.keep()
    assert keeper.rows()["A", MARCH]["as_of"] == keeper.day(11)


def test_the_view_is_open_to_readers(keeper: Keeper, as_reader: Any) -> None:
    keeper.point("A")
    keeper.hear("A", range(10))
    keeper.fall_due(9)
    assert as_reader("SELECT subject_id, expected FROM imbalance.v_forecasts") == [("A", 7440)]
