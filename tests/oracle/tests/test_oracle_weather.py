"""domain.md §5 by hand."""

from __future__ import annotations

from fractions import Fraction

from balance_oracle.balances import described_points
from balance_oracle.days import MeteringDays
from balance_oracle.describe import Described, at, fitting, meter, usage_point, weather_day
from balance_oracle.readings import Hour
from balance_oracle.weather import Row, Weather, make_weather, scaled

EVER = at("2020-01-01 00:00")
DAY_MS = at("2026-01-05 00:00")
DAY = DAY_MS // 1000
DAYS = MeteringDays("UTC", 0)


def told(path: tuple[str, ...], kind: str, name: str, value: int | None, version: int = 1) -> Described:
    return weather_day(path, kind, name, DAY_MS, [value] * 24, version=version)


def weather(*days: Described) -> Weather:
    return make_weather(days, [], {}, DAYS)


def test_the_nearest_object_and_the_best_source_count() -> None:
    all_of = [
        told((), "LOGGER", "a", 1),
        told(("R",), "FILE", "a", 2),
        told(("R",), "SERVICE", "b", 3),
        told(("R",), "SERVICE", "a", None),
        told(("R", "L"), "FILE", "z", 5),
        told(("Q",), "LOGGER", "a", 6),
    ]
    known = weather(*all_of)
    assert known.temperature(("R", "L", "S"), DAY, 0) == 5
    assert known.temperature(("R", "M"), DAY, 0) == 3
    assert known.temperature(("P",), DAY, 0) == 1
    assert weather(*all_of[1:]).temperature(("P",), DAY, 0) is None


def test_the_greatest_version_stands_and_what_is_no_temperature_is_none() -> None:
    assert weather(told((), "FILE", "a", 7, 2), told((), "FILE", "a", 8)).mean((), DAY) == 7
    assert weather(told((), "FILE", "a", 60_000)).mean((), DAY) == 60_000
    assert weather(told((), "FILE", "a", 60_001)).mean((), DAY) is None


def test_an_outdoor_thermometer_is_a_logger_and_goes_before_a_weather_day_of_its_name() -> None:
    outdoor = usage_point(
        "O",
        [meter(EVER)],
        [fitting("R-O", 1, EVER)],
        resource="TEMPERATURE",
        object_path=["R"],
        outdoor=True,
    )
    hours: list[Hour] = [(5, "VALID"), (5, "ESTIMATED"), (None, "MISSING"), *[(7, "EDITED")] * 21]
    points = described_points([outdoor]).values()
    known = make_weather([told(("R",), "LOGGER", "O", 9)], points, {("O", DAY): hours}, DAYS)
    assert [known.temperature(("R",), DAY, hour) for hour in range(4)] == [5, 9, 9, 7]


def test_three_quarters_of_the_hours_make_a_mean() -> None:
    some = weather_day((), "FILE", "a", DAY_MS, [*[1, 2] * 9, *[None] * 6])
    assert weather(some).mean((), DAY) == 2
    assert weather(some | {"values": [*[1] * 17, *[None] * 7]}).mean((), DAY) is None


def rows(sums: list[int]) -> list[tuple[int, Row]]:
    """Two hours a day, the newest first, the day numbered by its place."""
    return [(place, [one, 0]) for place, one in enumerate(sums)]


def test_rows_are_scaled_along_the_line() -> None:
    # y = 100 + z / 10 at temperatures of 6, 7 … 12 °C: z = 10,000 … 4,000
    past = rows([100 + (10_000 - 1000 * n) // 10 for n in range(7)])
    found = scaled(past, 2, 16_000, lambda day: 6000 + 1000 * day, 16_000)
    # ŷ of the day is 100; factors 100/1100 … are held at a quarter
    assert [row[0] for row in found] == [Fraction(one, 4) for one in (1100, 1000, 900, 800, 700, 600, 500)]
    assert scaled(past, 2, 6000, lambda day: 6000 + 1000 * day, 16_000)[3] == [1100, 0]


def test_rows_stand_as_they_are_without_a_line() -> None:
    past = rows([100, 120, 90, 100, 110, 100, 95, 105])
    as_they_are = [row for _, row in past]
    steady = lambda _: 5000  # noqa: E731
    falling = lambda day: 5000 - 500 * day  # noqa: E731
    assert scaled(past, 2, 5000, steady, 16_000) == as_they_are
    assert scaled(past, 2, None, falling, 16_000) == as_they_are
    assert scaled(past[:6], 2, 5000, falling, 16_000) == as_they_are[:6]
    # warmer days used more: the line falls with z
    assert scaled(rows([80, 70, 60, 50, 40, 30, 20]), 2, 5000, falling, 16_000)[0] == [80, 0]


def test_rows_of_days_without_a_mean_are_left_out_only_when_the_rest_is_scaled() -> None:
    past = rows([200, 300, 400, 500, 600, 700, 800, 900])
    mean = lambda day: None if day == 0 else 10_000 - 1000 * day  # noqa: E731
    assert len(scaled(past, 2, 5000, mean, 16_000)) == 7
    assert len(scaled(past, 2, None, mean, 16_000)) == 8
