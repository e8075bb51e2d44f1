"""Weather days from the wire: what is understood, and what is refused with a reason one can act on."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_imbalance.adapters import wire_weather
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_imbalance.entrypoints.kafka import decode_weather
from balance_kernel.calendar import Calendar
from balance_schemas import avsc
from balance_schemas.codec import Codec

CALENDAR = Calendar("Europe/Chisinau", 0)
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
DAY = int(datetime(2026, 4, 1, 21, tzinfo=UTC).timestamp())
SHORT_DAY = int(datetime(2026, 3, 28, 22, tzinfo=UTC).timestamp())
LONG_DAY = int(datetime(2026, 10, 24, 21, tzinfo=UTC).timestamp())


def day(**given: Any) -> dict[str, Any]:
    return {
        "object_path": ["Town", "Street"],
        "kind": "SERVICE",
        "name": "s",
        "day_start_at": DAY * 1000,
        "step_s": 3600,
        "values": [5_000] * 23 + [None],
        "version": 3,
        "reported_at": DAY * 1000 + 999,
        **given,
    }


def refused(**given: Any) -> str:
    with pytest.raises(BadRecord) as caught:
        decode_weather(CODEC, CALENDAR, CODEC.encode(wire_weather.WEATHER_DAY, day(**given)))
    return str(caught.value)


def test_a_day_goes_through_the_wire() -> None:
    report = WeatherReport(
        WeatherDay(("Town", "Street"), WeatherKind.SERVICE, "s", DAY, (*[5_000] * 23, None)), 3, DAY
    )
    framed = CODEC.encode(wire_weather.WEATHER_DAY, wire_weather.to_wire_weather_day(report))
    assert decode_weather(CODEC, CALENDAR, framed) == report


def test_what_is_no_temperature_is_not_known() -> None:
    framed = CODEC.encode(wire_weather.WEATHER_DAY, day(values=[85_000, -70_001, 60_000] + [None] * 21))
    assert decode_weather(CODEC, CALENDAR, framed).day.values == (None, None, 60_000, *[None] * 21)


@pytest.mark.parametrize(("start", "hours"), [(SHORT_DAY, 23), (LONG_DAY, 25)])
def test_a_day_has_the_hours_of_its_calendar(start: int, hours: int) -> None:
    told = day(day_start_at=start * 1000, values=[1] * hours, reported_at=start * 1000)
    framed = CODEC.encode(wire_weather.WEATHER_DAY, told)
    assert len(decode_weather(CODEC, CALENDAR, framed).day.values) == hours
    said = refused(day_start_at=start * 1000, values=[1] * 24)
    assert f"({hours} hours), found 24 values" in said
    assert "Town > Street by SERVICE s" in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"day_start_at": DAY * 1000 + 3_600_000}, "expected one value an hour of a metering day"),
        ({"day_start_at": DAY * 1000 + 1}, "expected one value an hour of a metering day"),
        ({"step_s": 1800}, "found 24 values of 1800 s"),
        ({"values": []}, "found 0 values"),
        ({"kind": "UNSPECIFIED"}, "expected a kind of LOGGER, SERVICE or FILE"),
        ({"name": ""}, "none empty or with NUL"),
        ({"object_path": ["a", ""]}, "none empty or with NUL"),
        ({"object_path": ["a\x00"]}, "none empty or with NUL"),
        ({"object_path": ["a"] * 17}, "up to 16 parts"),
        ({"name": "n" * 500}, "of up to 500 characters together"),
        ({"day_start_at": 10**17}, "expected an instant of the years 1900 to 2199"),
        ({"reported_at": -(10**17)}, "expected an instant of the years 1900 to 2199"),
    ],
)
def test_what_no_source_can_say_is_refused(given: dict[str, Any], words: str) -> None:
    assert words in refused(**given)


@pytest.mark.parametrize(
    ("start", "accepted"),
    [((1989, 12, 31), False), ((1990, 1, 1), True), ((2026, 4, 3), True), ((2026, 4, 4), False)],
)
def test_days_of_which_there_can_be_no_weather_are_refused(
    start: tuple[int, int, int], accepted: bool
) -> None:
    instant = CALENDAR.start_of(date(*start))
    told = {"day_start_at": int(instant.timestamp()) * 1000, "values": [1] * 24}
    if accepted:
        framed = CODEC.encode(wire_weather.WEATHER_DAY, day(**told))
        assert decode_weather(CODEC, CALENDAR, framed).day.day_start == int(instant.timestamp())
    else:
        said = refused(**told)
        assert "Town > Street by SERVICE s: expected a day from 1990 to one day after it is told" in said
        assert f"found {date(*start)} told 2026-04-02" in said


def test_everywhere_is_an_object_too() -> None:
    framed = CODEC.encode(wire_weather.WEATHER_DAY, day(object_path=[]))
    assert decode_weather(CODEC, CALENDAR, framed).day.object_path == ()
    assert "weather of everywhere" in refused(object_path=[], kind="UNSPECIFIED")


@pytest.mark.parametrize("data", [None, b"", b"\x00junk"])
def test_what_cannot_be_read_is_refused(data: bytes | None) -> None:
    with pytest.raises(BadRecord):
        decode_weather(CODEC, CALENDAR, data)
