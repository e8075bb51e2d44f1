"""Which days a nightly result is of, and which of them a late day touches."""

from __future__ import annotations

from datetime import UTC, datetime

from balance_imbalance.domain import forecast_days
from balance_imbalance.domain.nightly import days_after, each_day
from balance_kernel.calendar import Calendar

CALENDAR = Calendar("Europe/Chisinau", 0)


def day(text: str) -> datetime:
    return CALENDAR.day_start(datetime.fromisoformat(f"{text}T12:00").replace(tzinfo=UTC))


def names(days: object) -> list[str]:
    return [CALENDAR.date_of(each).isoformat() for each in days]  # type: ignore[attr-defined]


def test_a_month_ends_where_the_next_begins_whatever_the_clocks_do() -> None:
    assert forecast_days.month_start(CALENDAR, day("2026-03-31")) == day("2026-03-01")
    assert forecast_days.month_end(CALENDAR, day("2026-03-01")) == day("2026-04-01")
    assert forecast_days.month_end(CALENDAR, day("2026-12-31")) == day("2027-01-01")


def test_a_forecast_is_as_of_the_last_day_due_and_a_month_that_ended_as_of_its_last() -> None:
    fallen = forecast_days.fallen(CALENDAR, day("2026-03-30"), day("2026-04-02"))
    assert names(fallen) == ["2026-03-31", "2026-04-02"]
    assert names(forecast_days.fallen(CALENDAR, day("2026-04-02"), day("2026-04-03"))) == ["2026-04-03"]
    assert names(forecast_days.fallen(CALENDAR, day("2026-04-03"), day("2026-04-03"))) == []


def test_a_late_day_touches_its_month_and_those_as_of_a_day_up_to_two_months_later() -> None:
    assert names(forecast_days.touched(CALENDAR, day("2026-01-05"), day("2026-06-20"))) == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
    ]
    assert names(forecast_days.touched(CALENDAR, day("2026-03-05"), day("2026-04-09"))) == [
        "2026-03-31",
        "2026-04-09",
    ]
    assert names(forecast_days.touched(CALENDAR, day("2026-04-05"), day("2026-04-09"))) == ["2026-04-09"]


def test_a_result_of_each_day_is_touched_by_the_days_it_looks_back_to() -> None:
    assert names(each_day(CALENDAR, day("2026-03-27"), day("2026-03-30"))) == [
        "2026-03-28",
        "2026-03-29",
        "2026-03-30",
    ]
    assert names(days_after(2)(CALENDAR, day("2026-03-28"), day("2026-04-30"))) == [
        "2026-03-28",
        "2026-03-29",
        "2026-03-30",
    ]
    assert names(days_after(2)(CALENDAR, day("2026-03-28"), day("2026-03-29"))) == [
        "2026-03-28",
        "2026-03-29",
    ]


def test_weather_touches_the_months_of_later_years_too() -> None:
    touched = forecast_days.touched_by_weather(
        CALENDAR, day("2024-02-29"), day("2024-02-29"), day("2026-06-20")
    )
    assert names(sorted(touched)) == [
        *("2024-02-29", "2024-03-31", "2024-04-30"),
        *("2025-02-28", "2025-03-31", "2026-02-28", "2026-03-31"),
    ]
