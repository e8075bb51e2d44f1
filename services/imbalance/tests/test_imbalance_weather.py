"""Temperature at an object, its mean and degree-days, days scaled to the weather (docs/domain.md §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from balance_imbalance.domain.weather import (
    Weather,
    WeatherDay,
    WeatherKind,
    day_mean,
    degree_days,
    scaled_rows,
)
from balance_imbalance.domain.weather_reports import (
    WeatherReport,
    WeatherSpan,
    merged,
    newest_reports,
    rounds,
    windows,
)
from balance_kernel.calendar import Calendar
from hypothesis import given
from hypothesis import strategies as st

LOGGER, SERVICE, FILE = WeatherKind.LOGGER, WeatherKind.SERVICE, WeatherKind.FILE
TOWN, STREET = ("Town",), ("Town", "Street")
HOUSE = ("Town", "Street", "5")
CALENDAR = Calendar("Europe/Chisinau", 0)


def told(path: tuple[str, ...], kind: WeatherKind, name: str, *values: int | None) -> WeatherDay:
    return WeatherDay(path, kind, name, 0, values)


def at(path: tuple[str, ...], *days: WeatherDay, hours: int = 3) -> Sequence[int | None]:
    return Weather.of(days).temperatures(path, 0, hours)


def test_an_hour_is_that_of_the_longest_path_of_which_it_is_known() -> None:
    days = (
        told((), FILE, "country", 1, 1, 1),
        told(TOWN, FILE, "town", 2, 2, None),
        told(STREET, FILE, "street", None, 3, None),
        told(("Town", "Other"), LOGGER, "x", 9, 9, 9),
    )
    assert at(HOUSE, *days) == [2, 3, 1]
    assert at(STREET, *days) == [2, 3, 1]
    assert at(TOWN, *days) == [2, 2, 1]
    assert at(("Elsewhere", "Street"), *days) == [1, 1, 1]
    assert at((), *days) == [1, 1, 1]


def test_a_path_begins_another_by_whole_parts() -> None:
    assert at(("Town 5",), told(TOWN, FILE, "f", 1, 1, 1)) == [None, None, None]


def test_loggers_go_before_services_before_files_and_of_several_the_first_name() -> None:
    days = (
        told(TOWN, FILE, "a", 1, 1, 1),
        told(TOWN, SERVICE, "b", 2, 2, None),
        told(TOWN, LOGGER, "z", None, None, None),
        told(TOWN, LOGGER, "y", 4, None, None),
        told(TOWN, LOGGER, "Z", 5, None, None),
    )
    assert {tuple(at(TOWN, *order)) for order in permutations(days)} == {(5, 2, 1)}


def test_of_two_of_one_name_the_one_given_first_goes_before() -> None:
    thermometer, reported = told(TOWN, LOGGER, "T-1", 1, None, None), told(TOWN, LOGGER, "T-1", 2, 2, None)
    assert at(TOWN, thermometer, reported) == [1, 2, None]


@pytest.mark.parametrize("value", [85_000, -70_001, 60_001, 10**12])
def test_what_no_air_has_is_no_temperature(value: int) -> None:
    assert at(TOWN, told(TOWN, LOGGER, "a", value, -70_000, 60_000), told((), FILE, "f", 7, 7, 7)) == [
        7,
        -70_000,
        60_000,
    ]


def test_hours_beyond_what_was_told_are_not_known() -> None:
    weather = Weather.of([told(TOWN, FILE, "short", 1, 1), told((), FILE, "long", 2, 2, 2)])
    assert weather.temperatures(TOWN, 0, 5) == [1, 1, 2, None, None]
    assert weather.temperatures(TOWN, 0, 1) == [1]
    assert weather.temperatures(TOWN, 86_400, 2) == [None, None]


def test_it_is_said_who_told_an_hour() -> None:
    town = told(TOWN, SERVICE, "s", 1, None)
    hours = Weather.of([town]).by_hour(HOUSE, 0, 2)
    assert hours[0] is not None
    assert (hours[0].temperature, hours[0].told_by) == (1, town)
    assert hours[1] is None


@pytest.mark.parametrize(
    ("temperatures", "mean"),
    [
        ([1, 2], 2),
        ([-1, -2], -1),
        ([10] * 18 + [None] * 6, 10),
        ([10] * 17 + [None] * 7, None),
        ([10] * 18 + [None] * 5, 10),
        ([10] * 17 + [None] * 6, None),
        ([10] * 19 + [None] * 6, 10),
        ([10] * 18 + [None] * 7, None),
        ([None] * 24, None),
        ([], None),
    ],
)
def test_the_mean_needs_three_quarters_of_the_hours(
    temperatures: Sequence[int | None], mean: int | None
) -> None:
    assert day_mean(temperatures) == mean


def test_degree_days_count_below_the_base_alone() -> None:
    assert (degree_days(-4_000), degree_days(16_000), degree_days(30_000)) == (20_000, 0, 0)
    weather = Weather.of([told(TOWN, FILE, "f", *[4_000] * 24)], base=18_000)
    assert (weather.mean(HOUSE, 0, 24), weather.degree_days(HOUSE, 0, 24)) == (4_000, 14_000)
    assert weather.degree_days(("Elsewhere",), 0, 24) is None


COLD = [0, 2_000, 5_000, 5_000, 8_000, 10_000, 12_000]


def rows_of(*sums: int) -> Any:
    """Days of two hours of these sums."""
    return np.array([[total // 2, total - total // 2] for total in sums], np.int64)


def line(*cold: int) -> Any:
    return rows_of(*(1_000 + z // 10 for z in cold))


def test_rows_on_a_line_become_what_the_line_says_of_the_day() -> None:
    scaled = scaled_rows(line(*COLD), COLD, 20_000)
    assert scaled.sum(axis=1) == pytest.approx([3_000] * 7)
    assert scaled.shape == (7, 2)


def test_rows_without_weather_are_left_out_when_the_others_are_scaled() -> None:
    rows = np.vstack([line(*COLD), rows_of(7_777, 8_888)])
    assert len(scaled_rows(rows, [*COLD, None, None], 20_000)) == 7
    assert scaled_rows(rows, [*COLD[:6], None, None, None], 20_000).tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("sums", "cold", "day"),
    [
        (line(*COLD), COLD, None),
        (line(*COLD[:6]), COLD[:6], 20_000),
        (line(*COLD), [5_000] * 7, 20_000),
        (rows_of(*(9_000 - z // 10 for z in COLD)), COLD, 20_000),
        (rows_of(100, 100, 100, 100, 100, 100, 100), COLD, 20_000),
        (rows_of(500, 90, 700, 20, 650, 40, 600), COLD, 20_000),
        (rows_of(-900, -300, 600, 600, 1_500, 2_100, 2_700), COLD, 20_000),
        (rows_of(200, 400, 700, 700, 1_000, 1_200, 1_400), [z + 10_000 for z in COLD], 3_000),
        (rows_of(0, 0, 0, 0, 0, 0, 0), COLD, 20_000),
    ],
    ids=[
        "no mean",
        "six days",
        "one cold",
        "falling",
        "level",
        "unclear",
        "row below 0",
        "day below 0",
        "zero",
    ],
)
def test_otherwise_rows_stand_as_they_are(sums: Any, cold: Sequence[int], day: int | None) -> None:
    assert scaled_rows(sums, cold, day).tolist() == sums.tolist()


def test_a_row_is_multiplied_by_a_quarter_to_four() -> None:
    steep = [100, 500, 1_000, 1_000, 2_000, 3_000, 10_000]
    rows = rows_of(*steep)
    up, down = scaled_rows(rows, steep, 10_000), scaled_rows(rows, steep, 100)
    assert (up.sum(axis=1) / rows.sum(axis=1)).tolist() == pytest.approx([4, 4, 4, 4, 4, 10 / 3, 1])
    assert (down.sum(axis=1) / rows.sum(axis=1)).tolist() == pytest.approx(
        [1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25]
    )


def test_the_slope_counts_from_twice_its_error_on() -> None:
    # b = 1, residuals ±r of no slope: SE² = 8 r² / (6 · 8), so 2·SE = 1 at r² = 1.5.
    cold = [-1, 1, -1, 1, -1, 1, -1, 1]
    for r, scaled in ((2, False), (1, True)):
        sums = [100 * (10 + z) + 100 * r * s for z, s in zip(cold, (1, 1, -1, -1, 1, 1, -1, -1), strict=True)]
        rows = rows_of(*sums)
        assert (scaled_rows(rows, [z + 1 for z in cold], 2).tolist() != rows.tolist()) is scaled


@given(
    st.lists(st.tuples(st.integers(0, 40_000), st.integers(0, 10**12)), min_size=7, max_size=14),
    st.integers(0, 40_000),
)
def test_scaled_rows_are_near_their_days_and_of_their_shape(days: list[tuple[int, int]], day: int) -> None:
    cold, rows = [z for z, _ in days], rows_of(*(y for _, y in days))
    scaled = scaled_rows(rows, cold, day)
    assert np.all(scaled >= rows / 4)
    assert np.all(scaled <= rows * 4.0)
    backwards = scaled_rows(rows[::-1], cold[::-1], day)[::-1]
    assert backwards.tolist() == scaled.tolist()


def report(version: int, value: int, name: str = "a", day: int = 0) -> WeatherReport:
    return WeatherReport(WeatherDay(TOWN, FILE, name, day, (value,)), version, 0)


def test_the_greatest_version_of_a_day_stands() -> None:
    first, second, other, later = report(1, 1), report(2, 2), report(1, 3, "b"), report(1, 4, day=86_400)
    for order in permutations((first, second, other, later)):
        assert newest_reports(order) == [second, later, other]


def test_spans_that_adjoin_are_one() -> None:
    days = list(CALENDAR.days(datetime(2026, 3, 26, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)))

    def span(path: tuple[str, ...], first: int, last: int) -> WeatherSpan:
        return WeatherSpan(path, days[first], days[last])

    changes = [span(TOWN, i, i) for i in (4, 0, 1, 2, 3)] + [
        span(TOWN, 6, 6),
        span((), 0, 0),
        span(TOWN, 2, 3),
    ]
    assert merged(changes, CALENDAR) == [span((), 0, 0), span(TOWN, 0, 4), span(TOWN, 6, 6)]


DAYS = list(CALENDAR.days(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)))


def test_scattered_days_stay_apart_and_come_some_of_an_object_at_once() -> None:
    scattered = [WeatherSpan(TOWN, day, day) for day in DAYS[::2]]
    other = WeatherSpan((), DAYS[0], DAYS[0])
    spans = merged([*scattered, other], CALENDAR)
    assert spans == [other, *scattered]
    assert list(rounds(spans, 8)) == [[other, *scattered[:8]], scattered[8:]]
    assert list(rounds([], 8)) == []


def test_spans_are_cut_at_windows() -> None:
    def span(first: int, last: int) -> WeatherSpan:
        return WeatherSpan(TOWN, DAYS[first], DAYS[last])

    spans = [span(0, 4), span(3, 3), span(20, 20), span(22, 29)]
    assert list(windows(spans, 4, CALENDAR)) == [
        [span(0, 3), span(3, 3)],
        [span(4, 4)],
        [span(20, 20), span(22, 23)],
        [span(24, 27)],
        [span(28, 29)],
    ]
