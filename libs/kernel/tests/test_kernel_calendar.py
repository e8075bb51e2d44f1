import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource, Unit
from hypothesis import given
from hypothesis import strategies as st

ZONES = ["Europe/Chisinau", "Europe/Madrid", "UTC", "Asia/Kolkata", "America/New_York"]


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 7, 1), 24)]
)
def test_a_day_has_the_hours_the_law_gives_it(day: date, hours: int) -> None:
    calendar = Calendar("Europe/Chisinau")
    assert calendar.hours(calendar.start_of(day)) == hours


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.sampled_from(ZONES), st.integers(0, 23))
def test_every_instant_lies_in_exactly_the_day_named(instant: datetime, zone: str, hour: int) -> None:
    calendar = Calendar(zone, hour)
    instant = instant.replace(tzinfo=UTC)
    start = calendar.day_start(instant)
    assert start <= instant < calendar.next_day(start)
    assert calendar.day_start(start) == start
    assert calendar.shift(calendar.next_day(start), -1) == start


def test_a_gas_day_starts_at_its_hour() -> None:
    calendar = Calendar("Europe/Chisinau", 6)
    assert calendar.day_start(datetime(2026, 1, 10, 3, tzinfo=UTC)) == datetime(2026, 1, 9, 4, tzinfo=UTC)


def test_days_cover_a_span_without_gap() -> None:
    calendar = Calendar("Europe/Madrid")
    days = list(calendar.days(datetime(2016, 10, 28, 12, tzinfo=UTC), datetime(2016, 11, 2, tzinfo=UTC)))
    assert len(days) == 6
    assert {b - a for a, b in itertools.pairwise(days)} == {timedelta(hours=24), timedelta(hours=25)}


def test_codes_are_positions_and_units_are_known() -> None:
    assert [quality.code for quality in (Quality.VALID, Quality.MISSING)] == [1, 5]
    assert Resource.HEAT.unit is Unit.WATT_HOUR
