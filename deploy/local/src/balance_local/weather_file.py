"""A CSV of outdoor temperatures as people write it.

    object;time;temperature
    Chișinău > Botanica;2026-01-10 05:00;-4,5

Times without an offset are of the clock given (a zone, an offset, or `plain` for one without summer time). An
hour that the clocks run through twice stands there twice, the earlier first. Several values in one hour are
averaged.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from io import StringIO
from pathlib import Path

from balance_kernel.calendar import Calendar
from balance_kernel.weather import COLDEST, HOTTEST, WEATHER_DAYS, is_temperature, is_weather_day
from balance_simulator.checking import Expected, Problems
from balance_simulator.localtime import LocalTimes, clock_name

from balance_local.stack import Say

KIND = "FILE"
OBJECT, TIME, TEMPERATURE = "object", "time", "temperature"
SEPARATOR = ">"
NOT_KNOWN = 10**9
"""Stands for a temperature that the file does not know; it is none (`is_temperature`)."""
_NOT_KNOWN = frozenset({"", "-", "na", "n/a", "nan", "null", "none"})
_MOST_SHOWN = 20
_MOST_DEGREES = 10**5
_ADVICE = "write it so, or say the clock of the file: --zone UTC, +02:00, or plain for winter time all year"
_MOST_CHARACTERS = 500
_MOST_PARTS = 16

ObjectPath = tuple[str, ...]


class WeatherFileError(ValueError):
    """A file of weather is wrong. `problems` holds a sentence for each thing that is."""

    def __init__(self, path: Path, problems: Sequence[object]) -> None:
        """Keep all problems and show the first of them."""
        lines = [f"- {problem}" for problem in problems[:_MOST_SHOWN]]
        more = len(problems) - _MOST_SHOWN
        super().__init__(
            "\n".join([f"{path} cannot be loaded:", *lines, *([f"- and {more} more"] if more > 0 else [])])
        )
        self.problems = tuple(map(str, problems))


@dataclass(frozen=True)
class WeatherFile:
    """What a file says: by object, (seconds since 1970, thousandths of a degree Celsius) in its order.

    ``name`` tells it from other files of the same object.
    """

    name: str
    observations: Mapping[ObjectPath, Sequence[tuple[int, int]]]


def read_file(
    path: Path, name: str | None, object_path: str | None, zone: str, calendar: Calendar, say: Say
) -> WeatherFile:
    """The observations of a CSV; what is odd about them is said. Raises WeatherFileError with everything
    that is wrong.

    `object_path` is that of every row, for a file without a column of objects; `zone` the clock of times
    without an offset, empty for that of the metering ``calendar``.
    """
    problems = Problems()
    _check_clock(zone, problems)
    rows = _rows(path, object_path, problems)
    name = path.stem if name is None else name
    if not name or "\0" in name or len(name) > _MOST_CHARACTERS // 2:
        problems.note("--name", f"1 to {_MOST_CHARACTERS // 2} characters", name)
    if problems:
        raise WeatherFileError(path, problems)
    paths = [parsed_path(row.object_text, f"line {row.line}", problems) for row in rows]
    keys, lines = [row.object_text for row in rows], [row.line for row in rows]
    wrong_times = Problems()
    instants = LocalTimes(zone).instants([row.time for row in rows], lines, keys, calendar.zone, wrong_times)
    problems.extend(replace(problem, do=_ADVICE) for problem in wrong_times)
    values = [_value(row, problems) for row in rows]
    if problems:
        raise WeatherFileError(path, problems)
    _say_odd_values(rows, values, say)
    observations = _gathered(rows, paths, instants, values, calendar, problems)
    if problems:
        raise WeatherFileError(path, problems)
    return WeatherFile(name, observations)


def parsed_path(text: str, where: str, problems: Problems) -> ObjectPath:
    """`Chișinău > Botanica` as parts, nothing as the empty path; what is wrong is noted."""
    parts = tuple(part.strip() for part in text.split(SEPARATOR)) if text.strip() else ()
    if not all(parts) or "\0" in text or len(parts) > _MOST_PARTS or len(text) > _MOST_CHARACTERS // 2:
        most = f"at most {_MOST_PARTS} parts and {_MOST_CHARACTERS // 2} characters"
        problems.note(where, f"an object such as Region {SEPARATOR} Town, {most}", text)
    return parts


def path_text(path: ObjectPath) -> str:
    """The same in words."""
    return f" {SEPARATOR} ".join(path) or "everywhere"


@dataclass(frozen=True)
class _Row:
    line: int
    object_text: str
    time: str
    temperature: str


def _check_clock(zone: str, problems: Problems) -> None:
    try:
        if zone:
            clock_name(zone)
    except Expected as error:
        problems.note("--zone", error.expected, zone)


def _rows(path: Path, object_path: str | None, problems: Problems) -> Sequence[_Row]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        problems.note("the file", "a CSV in UTF-8", str(found))
        return []
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    lines = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [column.strip().lower() for column in next(lines, [])]
        if not _columns_fit(columns, object_path, problems):
            return []
        rows = [
            _row(lines.line_num, dict(zip(columns, line, strict=False)), object_path, delimiter)
            for line in lines
            if any(cell.strip() for cell in line)
        ]
    except csv.Error as error:
        problems.note(f"line {lines.line_num}", "a line of CSV", str(error))
        return []
    if not rows:
        problems.note("the file", "rows below the header", "none")
    return rows


def _columns_fit(columns: Sequence[str], object_path: str | None, problems: Problems) -> bool:
    found = ", ".join(columns) or "nothing"
    for column in (TIME, TEMPERATURE):
        if columns.count(column) != 1:
            problems.note("line 1", f"a header with one column {column}", found)
    if object_path is None and OBJECT not in columns:
        problems.note(
            "line 1",
            f"a column {OBJECT}",
            found,
            "or say for all rows: --object 'Region > Town', '' everywhere",
        )
    if object_path is not None and OBJECT in columns:
        problems.note("--object", f"a file without a column {OBJECT}", found, "leave --object out")
    return not problems


def _row(line: int, cells: Mapping[str, str], object_path: str | None, delimiter: str) -> _Row:
    temperature = cells.get(TEMPERATURE, "").strip().replace("−", "-")
    return _Row(
        line,
        cells.get(OBJECT, "") if object_path is None else object_path,
        cells.get(TIME, "").strip(),
        temperature if delimiter == "," else temperature.replace(",", "."),
    )


def _value(row: _Row, problems: Problems) -> int | None:
    """Thousandths of a degree, None when the file does not know."""
    if row.temperature.lower() in _NOT_KNOWN:
        return None
    try:
        degrees = Decimal(row.temperature)
    except InvalidOperation:
        degrees = Decimal("Infinity")
    if not degrees.is_finite() or abs(degrees) > _MOST_DEGREES:
        problems.note(f"line {row.line}", "a temperature in °C such as -4.5, or nothing", row.temperature)
        return None
    return int((degrees * 1000).to_integral_value(ROUND_HALF_UP))


def _say_odd_values(rows: Sequence[_Row], values: Sequence[int | None], say: Say) -> None:
    unknown = [row for row, value in zip(rows, values, strict=True) if value is None]
    absurd = [
        row
        for row, value in zip(rows, values, strict=True)
        if value is not None and not is_temperature(value)
    ]
    if unknown:
        say(f"rows without a temperature: {len(unknown):,}, the first in line {unknown[0].line}")
    if absurd:
        say(
            f"rows outside {COLDEST // 1000} … {HOTTEST // 1000} °C, taken as not known: {len(absurd):,}, "
            f"the first in line {absurd[0].line}, {absurd[0].temperature}"
        )


def _gathered(
    rows: Sequence[_Row],
    paths: Sequence[ObjectPath],
    instants: Sequence[datetime | None],
    values: Sequence[int | None],
    calendar: Calendar,
    problems: Problems,
) -> Mapping[ObjectPath, Sequence[tuple[int, int]]]:
    """By object; a time that stands twice is noted. A value that is not known keeps its day."""
    found: defaultdict[ObjectPath, list[tuple[int, int]]] = defaultdict(list)
    lines: dict[tuple[ObjectPath, datetime], int] = {}
    now = datetime.now(UTC)
    for row, path, instant, value in zip(rows, paths, instants, values, strict=True):
        if instant is None:
            continue
        if not 1 < instant.year < 9999 or not is_weather_day(calendar.day_start(instant), now, calendar):
            problems.note(f"line {row.line}", f"a time of {WEATHER_DAYS}", row.time)
            continue
        first = lines.setdefault((path, instant), row.line)
        if first != row.line:
            problems.note(
                f"line {row.line}",
                "each time of an object once",
                f"{row.time} as in line {first}",
                "take one of them out, or say the clock of the file with --zone",
            )
        found[path].append((round(instant.timestamp()), NOT_KNOWN if value is None else value))
    return found
