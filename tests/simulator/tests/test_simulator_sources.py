"""CSV files to series: units, gaps, zones and changes of clocks."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from balance_simulator import sources
from balance_simulator.checking import Problems
from balance_simulator.localtime import LocalTimes
from balance_simulator.scenario import Source
from balance_simulator.series import Increments, Registers, Series

CHISINAU = "Europe/Chisinau"


def read(
    folder: Path, csv: str, *, resource: str = "WATER", zone: str = CHISINAU, **fields: object
) -> Sequence[Series]:
    path = folder / "my.csv"
    path.write_text(csv, "utf-8")
    settings = {"time": None, "times": LocalTimes(), "register": False, "unit": "l", **fields}
    found = Problems()
    series = sources.read(Source(path=path, **settings), lambda _: resource, zone, found)  # type: ignore[arg-type]
    found.stop("my.csv")
    return series


def seconds(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def hourly(*times: str) -> str:
    return "time,a\n" + "".join(f"{time},{number}\n" for number, time in enumerate(times, start=1))


def test_gaps_stay_gaps(tmp_path: Path) -> None:
    csv = "time,a,b\n2025-11-01 00:00,1,2\n2025-11-01 01:00,,4\n2025-11-01 03:00,5,NaN\n"
    one, other = read(tmp_path, csv)
    assert isinstance(one, Increments)
    assert isinstance(other, Increments)
    assert one.present.tolist() == [True, False, False, True]
    assert one.values[one.present].tolist() == [1000, 5000]
    assert other.present.tolist() == [True, True]
    assert one.start_s == seconds("2025-10-31 22:00")


@pytest.mark.parametrize(
    ("unit", "resource", "base"),
    [
        ("l", "WATER", 1_500),
        ("m3", "GAS", 1_500_000),
        ("kwh", "HEAT", 1_500),
        ("mwh", "ELECTRICITY", 1_500_000),
    ],
)
def test_units_become_base_units(tmp_path: Path, unit: str, resource: str, base: int) -> None:
    (one,) = read(tmp_path, "time,a\n2025-11-01 00:00,1.5\n", unit=unit, resource=resource)
    assert one.values.tolist() == [base]
    assert not one.in_pulses


def test_pulses_stay_pulses(tmp_path: Path) -> None:
    (one,) = read(tmp_path, "time,a\n2025-11-01 00:00,7\n", unit="pulses")
    assert (one.values.tolist(), one.in_pulses) == ([7], True)


def test_a_decimal_comma_is_read_with_a_semicolon(tmp_path: Path) -> None:
    (one,) = read(
        tmp_path, "time;a\n01.11.2025 00:00;1,5\n", delimiter=";", times=LocalTimes(form="%d.%m.%Y %H:%M")
    )
    assert one.values.tolist() == [1500]


def test_a_long_file_is_told_apart_by_its_key(tmp_path: Path) -> None:
    csv = "meter,time,litres\nA,2025-11-01 00:07,5\nB,2025-11-01 00:01,7\nA,2025-11-01 01:09,6\n"
    one, other = read(tmp_path, csv, key="meter", value="litres", time="time", register=True)
    assert isinstance(one, Registers)
    assert (one.usage_point, one.values.tolist(), np.diff(one.at_s).tolist()) == ("A", [5000, 6000], [3720])
    assert other.usage_point == "B"


def test_columns_rename_and_choose(tmp_path: Path) -> None:
    csv = "time,a,b\n2025-11-01 00:00,1,2\n"
    (one,) = read(tmp_path, csv, columns={"b": "FLAT"})
    assert (one.usage_point, one.values.tolist()) == ("FLAT", [2000])


def test_from_and_to_cut_the_file(tmp_path: Path) -> None:
    csv = hourly(*(f"2025-11-01 {hour:02}:00" for hour in range(6)))
    since, until = (datetime(2025, 11, 1, hour, tzinfo=UTC) for hour in (0, 2))
    (one,) = read(tmp_path, csv, zone="UTC", since=since, until=until)
    assert one.values.tolist() == [1000, 2000]


def test_an_hour_that_happens_twice_and_is_written_twice(tmp_path: Path) -> None:
    csv = hourly("2025-10-26 01:00", "2025-10-26 02:00", "2025-10-26 02:00", "2025-10-26 03:00")
    (one,) = read(tmp_path, csv)
    assert one.values.tolist() == [1000, 2000, 3000, 4000]
    assert one.start_s == seconds("2025-10-25 22:00")


@pytest.mark.parametrize(("ambiguous", "missing"), [("earlier", 3), ("later", 2)])
def test_an_hour_that_happens_twice_and_is_written_once(tmp_path: Path, ambiguous: str, missing: int) -> None:
    csv = hourly("2025-10-26 00:00", "2025-10-26 01:00", "2025-10-26 02:00", "2025-10-26 03:00")
    (one,) = read(tmp_path, csv, times=LocalTimes(ambiguous=ambiguous))
    assert isinstance(one, Increments)
    assert np.flatnonzero(~one.present).tolist() == [missing]


def test_an_ambiguous_hour_can_be_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a time that happened once"):
        read(tmp_path, hourly("2025-10-26 02:00"), times=LocalTimes(ambiguous="refuse"))


def test_an_hour_that_does_not_exist(tmp_path: Path) -> None:
    csv = hourly("2025-03-30 00:00", "2025-03-30 01:00", "2025-03-30 02:00", "2025-03-30 04:00")
    with pytest.raises(ValueError, match="zone: plain"):
        read(tmp_path, csv)
    (dropped,) = read(tmp_path, csv, times=LocalTimes(nonexistent="drop"))
    (shifted,) = read(tmp_path, csv, times=LocalTimes(nonexistent="shift"))
    assert isinstance(dropped, Increments)
    assert dropped.present.tolist() == [True, True, False, True]
    assert shifted.values.tolist() == [1000, 2000, 3000, 4000]


def test_a_plain_clock_keeps_winter_time(tmp_path: Path) -> None:
    times = LocalTimes(zone="plain")
    (summer,) = read(tmp_path, hourly("2025-07-01 00:00"), times=times)
    (winter,) = read(tmp_path, hourly("2025-01-01 00:00"), times=times)
    assert summer.start_s == seconds("2025-06-30 22:00")
    assert winter.start_s == seconds("2024-12-31 22:00")


def test_an_offset_of_the_file_or_of_its_times_wins(tmp_path: Path) -> None:
    (given,) = read(tmp_path, hourly("2025-07-01 00:00"), times=LocalTimes(zone="+05:00"))
    (written,) = read(tmp_path, hourly("2025-07-01T00:00:00Z"))
    assert given.start_s == seconds("2025-06-30 19:00")
    assert written.start_s == seconds("2025-07-01 00:00")


@pytest.mark.parametrize(
    ("csv", "words"),
    [
        (hourly("2025-11-01 00:00", "2025-11-01 01:00", "2025-11-01 02:30"), "15, 30 or 60|3600 s apart"),
        (hourly("2025-11-01 00:00", "2025-11-01 01:00", "2025-11-01 01:00"), "each interval once"),
        (hourly("2025-11-01 00:00", "2425-11-01 01:00", "2025-11-01 01:00"), "wild time"),
        ("time,a\n2025-11-01 00:00\n", "2 columns as in the header"),
        ("time,a\n2025-11-01 00:00,1e30\n", "a number"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path: Path, csv: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(tmp_path, csv)
