"""A CSV of outdoor temperatures: what is understood, what is said, what is refused with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from balance_kernel.calendar import Calendar
from balance_kernel.weather import hourly_means
from balance_local import weather_file
from balance_local.cli import app
from balance_local.weather_file import NOT_KNOWN, WeatherFile, WeatherFileError
from typer.testing import CliRunner

ZONE = "Europe/Chisinau"
WINTER = int(datetime(2026, 1, 9, 22, tzinfo=UTC).timestamp())


@dataclass
class Reading:
    """Reads files and keeps what was said."""

    folder: Path
    said: list[str] = field(default_factory=list)

    def file(self, text: str, **given: str | None) -> WeatherFile:
        path = self.folder / "winter.csv"
        path.write_text(text, "utf-8")
        options = {"name": None, "object_path": None, "zone": "", **given}
        return weather_file.read_file(path, **options, calendar=Calendar(ZONE), say=self.said.append)  # type: ignore[arg-type]

    def told(self, *rows: str, zone: str = "") -> Sequence[tuple[int, int]]:
        """Observations of rows of time and temperature, everywhere."""
        read = self.file("time,temperature\n" + "\n".join(rows) + "\n", object_path="", zone=zone)
        return read.observations[()]

    def problems(self, text: str, **given: str | None) -> str:
        with pytest.raises(WeatherFileError) as caught:
            self.file(text, **given)
        return str(caught.value)

    def refused(self, *rows: str, zone: str = "") -> str:
        return self.problems("time,temperature\n" + "\n".join(rows) + "\n", object_path="", zone=zone)


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return Reading(tmp_path)


def test_a_file_tells_objects_by_their_paths(reading: Reading) -> None:
    read = reading.file(
        "Object,Time,Temperature,remark\n"
        "Town > Street,2026-01-10 00:00,-4.25,cold\n"
        ",2026-01-09T22:00Z,1\n"
        "Town>Street,2026-01-10T01:00+02:00,-5,\n\n"
    )
    assert read.name == "winter"
    assert read.observations == {
        ("Town", "Street"): [(WINTER, -4250), (WINTER + 3600, -5000)],
        (): [(WINTER, 1000)],
    }
    assert reading.said == []


def test_a_file_of_another_office_is_read_too(reading: Reading) -> None:
    text = "\ufefftime;temperature\r\n2026-01-10 00:00;−4,5\r\n"
    assert reading.file(text, object_path="Town").observations == {("Town",): [(WINTER, -4500)]}
    tabs = "time\ttemperature\n2026-01-10 00:00\t0.0005\n"
    assert reading.file(tabs, object_path="").observations == {(): [(WINTER, 1)]}


def test_times_are_of_the_clock_that_is_said(reading: Reading) -> None:
    row = "2026-07-10 03:00,20"
    local, utc, offset, winter = (
        reading.told(row, zone=zone)[0][0] for zone in ("", "UTC", "+05:00", "plain")
    )
    assert (utc - local, offset - local, winter - local) == (10_800, -7_200, 3_600)


def means(observations: Sequence[tuple[int, int]]) -> Mapping[datetime, Sequence[int | None]]:
    return hourly_means(observations, Calendar(ZONE, 0))


def test_an_hour_that_the_clocks_run_through_twice(reading: Reading) -> None:
    hours = [*range(3), 2, *range(3, 24)]
    rows = [f"2026-10-25 {hour:02}:00,{n}" for n, hour in enumerate(hours)]
    ((_, values),) = means(reading.told(*rows)).items()
    assert values == [1000 * n for n in range(25)]
    once = [row for n, row in enumerate(rows) if n != 3]
    ((_, values),) = means(reading.told(*once)).items()
    assert values == [0, 1000, 2000, None, *[1000 * n for n in range(4, 25)]]
    assert "each time of an object once, found 2026-10-25 02:00 as in line 5" in reading.refused(
        *rows, rows[3]
    )


def test_an_hour_that_the_clocks_skip(reading: Reading) -> None:
    rows = [f"2026-03-29 {hour:02}:00,{hour}" for hour in range(24)]
    said = reading.refused(*rows)
    assert "line 4: expected a time that exists, found 2026-03-29 02:00" in said
    assert "--zone UTC" in said
    there = [row for row in rows if " 02:00" not in row]
    ((_, values),) = means(reading.told(*there)).items()
    assert values == [1000 * hour for hour in range(24) if hour != 2]


def test_a_time_that_stands_twice_is_refused_and_halves_of_an_hour_are_not(reading: Reading) -> None:
    rows = ["2026-01-10 00:00,-4", "2026-01-10 00:30,-5"]
    ((_, values),) = means(reading.told(*rows)).items()
    assert values[:2] == [-4500, None]
    said = reading.refused(*rows, "2026-01-09T22:00Z,-4")
    assert "line 4: expected each time of an object once, found 2026-01-09T22:00Z as in line 2" in said


def test_what_is_no_temperature_is_not_known_and_said(reading: Reading) -> None:
    rows = [f"2026-01-10 0{hour}:00,{value}" for hour, value in enumerate(("85", "", "NaN", "-", "-71"))]
    assert {value for _, value in reading.told(*rows)} == {85_000, NOT_KNOWN, -71_000}
    ((_, values),) = means(reading.told(*rows)).items()
    assert values == [None] * 24
    assert reading.said[:2] == [
        "rows without a temperature: 3, the first in line 3",
        "rows outside -70 … 60 °C, taken as not known: 2, the first in line 2, 85",
    ]


@pytest.mark.parametrize("value", ["cold", "inf", "1e99", "4,5", "0x1", "12 °C"])
def test_what_is_no_number_is_refused(value: str, reading: Reading) -> None:
    text = f'time,temperature\n2026-01-10 00:00,"{value}"\n'
    assert (
        f"line 2: expected a temperature in °C such as -4.5, or nothing, found {value}"
        in reading.problems(text, object_path="")
    )


@pytest.mark.parametrize(
    ("text", "given", "words"),
    [
        ("", {"object_path": ""}, "line 1: expected a header with one column time, found nothing"),
        ("when,celsius\n", {"object_path": ""}, "one column temperature, found when, celsius"),
        ("time,temperature\n", {"object_path": ""}, "expected rows below the header, found none"),
        ("time,temperature\n2026-01-10,1\n", {}, "--object 'Region > Town'"),
        ("object,time,temperature\na,2026-01-10,1\n", {"object_path": "b"}, "leave --object out"),
        ("object,time,temperature\na >> b,2026-01-10,1\n", {}, "line 2: expected an object such as"),
        ("time,temperature\n2026-01-10,1\n", {"object_path": "a" * 251}, "250 characters"),
        ("time,temperature\n10.01.2026,1\n", {"object_path": ""}, "line 2: expected an ISO time such as"),
        ("time,temperature\n9999-12-31,1\n", {"object_path": ""}, "expected a time of a day from 1990"),
        ("time,temperature\n0002-01-01,1\n", {"object_path": ""}, "expected a time of a day from 1990"),
        (
            "time,temperature\n2026-01-10,1\n",
            {"object_path": "", "zone": "Mars/Olympus"},
            "found Mars/Olympus",
        ),
        ("time,temperature\n2026-01-10,1\n", {"object_path": "", "name": ""}, "--name: expected 1 to 250"),
        ('time,temperature\n"2026-01-10,1\n', {"object_path": ""}, "expected a line of CSV"),
    ],
)
def test_a_file_of_something_else_is_refused(
    text: str, given: dict[str, str], words: str, reading: Reading
) -> None:
    assert words in reading.problems(text, **given)


def test_days_of_which_there_can_be_no_weather_are_refused(reading: Reading) -> None:
    calendar = Calendar(ZONE)
    start = calendar.day_start(datetime.now(UTC) + timedelta(hours=23))
    late = calendar.shift(start, 2)
    assert reading.told("1990-01-01,1", f"{start:%Y-%m-%dT%H:%M}Z,1")
    said = reading.refused("1989-12-31 23:59,1", "1990-01-01,1", "1926-11-02,1", f"{late:%Y-%m-%dT%H:%M}Z,1")
    assert said.count("\n") == 3
    for line in (2, 4, 5):
        assert f"line {line}: expected a time of a day from 1990 to one day after it is told, found" in said


def test_everything_wrong_is_counted_and_some_of_it_shown(reading: Reading) -> None:
    said = reading.refused(*["yesterday,cold"] * 30)
    assert said.count("\n") == 21
    assert said.endswith("- and 40 more")


def test_the_command_refuses_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALANCE_LOCAL_ROOT", str(tmp_path))
    path = tmp_path / "winter.csv"
    load = ["-i", "nobody", "weather", "load", str(path), "--object", "Town"]
    assert "expected a CSV in UTF-8, found No such file" in CliRunner().invoke(app, load).output
    path.write_bytes(b"time,temperature\n\xff\xfe\n")
    assert "expected a CSV in UTF-8" in CliRunner().invoke(app, load).output
    path.write_text("time,temperature\n2026-01-10 00:00,1\n")
    result = CliRunner().invoke(app, load)
    assert result.exit_code == 1
    assert "there is no installation nobody" in result.output
