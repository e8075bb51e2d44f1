"""Hourly means of observations, and what is a temperature."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from balance_kernel.calendar import Calendar
from balance_kernel.weather import hourly_means, is_temperature, is_weather_day, source_key

CALENDAR = Calendar("Europe/Chisinau", 0)
DAY = datetime(2026, 3, 27, 22, tzinfo=UTC)
SHORT_DAY = datetime(2026, 3, 28, 22, tzinfo=UTC)
AT = int(DAY.timestamp())


@pytest.mark.parametrize(
    ("value", "is_one"),
    [(None, False), (-70_001, False), (-70_000, True), (60_000, True), (60_001, False), (85_000, False)],
)
def test_what_is_a_temperature(value: int | None, is_one: bool) -> None:
    assert is_temperature(value) is is_one


@pytest.mark.parametrize(
    ("day", "is_one"),
    [
        ((1989, 12, 31), False),
        ((1990, 1, 1), True),
        ((2026, 3, 28), True),
        ((2026, 3, 29), True),
        ((2026, 3, 30), False),
    ],
)
def test_of_which_days_weather_may_be_told(day: tuple[int, int, int], is_one: bool) -> None:
    assert is_weather_day(CALENDAR.start_of(date(*day)), DAY, CALENDAR) is is_one


def test_an_hour_is_the_mean_of_what_was_observed_in_it() -> None:
    means = hourly_means([(AT + 3599, 3), (AT, 2), (AT + 3600, -1), (AT + 5400, -2)], CALENDAR)
    assert list(means) == [DAY]
    assert means[DAY] == [3, -1, *[None] * 22]


def test_days_have_the_hours_of_the_calendar() -> None:
    start = int(SHORT_DAY.timestamp())
    means = hourly_means([(start + 3600 * hour, hour) for hour in range(-1, 24)], CALENDAR)
    assert [len(values) for values in means.values()] == [24, 23, 24]
    assert means[DAY][23] == -1
    assert means[SHORT_DAY] == list(range(23))


def test_what_is_no_temperature_says_nothing() -> None:
    assert hourly_means([(AT, 85_000)], CALENDAR) == {DAY: [None] * 24}
    assert hourly_means([(AT, 85_000), (AT + 60, 7_000)], CALENDAR)[DAY][0] == 7_000


def test_a_source_has_one_key() -> None:
    assert source_key(("Chișinău", 'a"b'), "SERVICE", "s") == '[["Chișinău","a\\"b"],"SERVICE","s"]'.encode()
