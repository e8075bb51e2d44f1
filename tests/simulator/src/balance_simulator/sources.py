"""CSV files to series: wide or long, increments or registers, in any unit and zone. Gaps stay gaps."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from balance_simulator import quantities
from balance_simulator.checking import Expected, Problems
from balance_simulator.scenario import Source
from balance_simulator.series import Increments, Ints, Registers, Series

STEPS = (900, 1800, 3600)
MOST_INTERVALS = 2_000_000
SHOWN = 5
"""Mistakes of one file shown before the rest is only counted."""


@dataclass(frozen=True)
class Cell:
    """One number of a file: line, usage point, time and number as written."""

    line: int
    usage_point: str
    time: str
    number: str


def read(source: Source, resource_of: Callable[[str], str], zone: str, problems: Problems) -> list[Series]:
    """Series of all usage points of a file, in the order of its columns. Mistakes are noted in `problems`."""
    own = Problems()
    series: list[Series] = []
    try:
        cells = list(_cells(source, own))
        if not own:
            series = _series(source, cells, resource_of, zone, own)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        own.note("file", "a readable CSV in UTF-8", error)
    for problem in own[:SHOWN]:
        problems.note(f"{source.path.name}: {problem.where}", problem.expected, problem.found, problem.do)
    if len(own) > SHOWN:
        problems.note(source.path.name, "no more mistakes", f"{len(own) - SHOWN} more")
    return series


def _cells(source: Source, problems: Problems) -> Iterator[Cell]:
    with source.path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, delimiter=source.delimiter)
        header = [name.strip() for name in next(rows, [])]
        time = source.time or (header[0] if header else "time")
        wanted = [time, *([source.key, source.value or ""] if source.key else source.columns or ())]
        absent = [column for column in wanted if column not in header]
        if absent:
            problems.note(
                "header", f"column {', '.join(absent)}", ", ".join(header), "check names and delimiter"
            )
            return
        points = _columns(source, header, time)
        at, width = header.index(time), len(header)
        for line, row in enumerate(rows, start=2):
            if not any(row):
                continue
            if len(row) != width:
                problems.note(f"line {line}", f"{width} columns as in the header", f"{len(row)}")
                continue
            for column, name in points.items():
                key, number = name, row[column]
                if key is None:
                    key, number = row[column].strip(), row[header.index(source.value or "")]
                    if source.columns and key not in source.columns:
                        continue
                    key = (source.columns or {}).get(key, key)
                yield Cell(line, key, row[at].strip(), number.strip())


def _columns(source: Source, header: Sequence[str], time: str) -> Mapping[int, str | None]:
    """Position → usage point; in a long file the key's position → None."""
    if source.key:
        return {header.index(source.key): None}
    named = source.columns or {column: column for column in header if column != time}
    return {header.index(column): point for column, point in named.items()}


def _series(
    source: Source, cells: list[Cell], resource_of: Callable[[str], str], zone: str, problems: Problems
) -> list[Series]:
    instants = _instants(source, cells, zone, problems)
    numbers: dict[str, list[tuple[int, int, float]]] = defaultdict(list)
    order = dict.fromkeys(cell.usage_point for cell in cells)
    for cell, instant in zip(cells, instants, strict=True):
        if instant is None or not _inside(source, instant):
            continue
        number = _number(cell, source, problems)
        if number is not None:
            numbers[cell.usage_point].append((int(instant.timestamp()), cell.line, number))
    step = source.step_s or _step(source, cells, instants)
    result: list[Series] = []
    for point in order:
        try:
            factor = quantities.factor(source.unit, resource_of(point))
        except Expected as error:
            problems.note("unit", error.expected, source.unit, error.do)
            return []
        made: Series | None = None
        if numbers[point] and source.register:
            made = _registers(point, numbers[point], factor)
        elif numbers[point]:
            made = _increments(point, numbers[point], factor, step, problems)
        result += [made] if made is not None else []
    return result


def _step(source: Source, cells: Sequence[Cell], instants: Sequence[datetime | None]) -> int:
    """The smallest distance between successive times of the file (of one key of a long file)."""
    times: dict[str, set[int]] = defaultdict(set)
    for cell, instant in zip(cells, instants, strict=True):
        if instant is not None:
            times[cell.usage_point if source.key else ""].add(int(instant.timestamp()))
    smallest = [int(np.diff(sorted(seconds)).min()) for seconds in times.values() if len(seconds) > 1]
    return min(smallest, default=3600)


def _instants(source: Source, cells: list[Cell], zone: str, problems: Problems) -> list[datetime | None]:
    """Instants of all cells; the rows of a wide file are looked at once."""
    if source.key:
        return source.times.instants(
            [c.time for c in cells], [c.line for c in cells], [c.usage_point for c in cells], zone, problems
        )
    rows = {cell.line: cell.time for cell in cells}
    found = source.times.instants(list(rows.values()), list(rows), [""] * len(rows), zone, problems)
    by_line = dict(zip(rows, found, strict=True))
    return [by_line[cell.line] for cell in cells]


def _inside(source: Source, instant: datetime) -> bool:
    return (source.since is None or instant >= source.since) and (
        source.until is None or instant < source.until
    )


def _number(cell: Cell, source: Source, problems: Problems) -> float | None:
    """The number of a cell; None for a gap: an empty cell, NaN, NA, null or -."""
    text = cell.number if source.delimiter == "," else cell.number.replace(",", ".")
    if text.lower() in ("", "nan", "na", "n/a", "null", "none", "-"):
        return None
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number) or abs(number) > 1e12:
        problems.note(
            f"line {cell.line}, {cell.usage_point}", "a number, or an empty cell for a gap", cell.number
        )
        return None
    return number


def _base(numbers: Sequence[float], factor: int | None) -> Ints:
    base: Ints = np.rint(np.array(numbers) * (factor or 1)).astype(np.int64)
    return base


def _registers(point: str, numbers: list[tuple[int, int, float]], factor: int | None) -> Registers:
    numbers = sorted(numbers)
    at = np.array([second for second, _, _ in numbers], np.int64)
    return Registers(point, at, _base([number for _, _, number in numbers], factor), factor is None)


def _increments(
    point: str, numbers: list[tuple[int, int, float]], factor: int | None, step: int, problems: Problems
) -> Increments | None:
    numbers = sorted(numbers)
    at = np.array([second for second, _, _ in numbers], np.int64)
    gaps = np.diff(at)
    if step not in STEPS:
        advice = "sum finer ones to 15min; give coarser ones as values: register (the running sum)"
        problems.note(point, "intervals of 15, 30 or 60 minutes", f"{step} s", advice)
        return None
    place, rest = np.divmod(at - at[0], step)
    for wrong, expected in (
        (np.flatnonzero(rest), f"times {step} s apart"),
        (np.flatnonzero(gaps == 0) + 1, "once"),
    ):
        if wrong.size:
            line = numbers[int(wrong[0])][1]
            problems.note(f"{point}, line {line}", f"each interval {expected}", f"{wrong.size} that are not")
            return None
    if place[-1] >= MOST_INTERVALS:
        problems.note(
            point, f"at most {MOST_INTERVALS} intervals", f"{place[-1] + 1}", "look for a wild time"
        )
        return None
    values = np.zeros(int(place[-1]) + 1, np.int64)
    present = np.zeros(len(values), np.bool_)
    values[place] = _base([number for _, _, number in numbers], factor)
    present[place] = True
    return Increments(point, int(at[0]), step, values, present, factor is None)
