"""Tables as people keep them, row by row, as entities: a row an entity, or a fitting more of it.

A column is a field of the record (`sp_id`), or of the things in one of its lists (`meters.fitted_at`).
Rows with the same id are one entity: each row may bring one thing more to each list. The columns say which
kind a table is of: the field of its id is among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from balance_gateway.domain.kinds import KINDS, Kind
from balance_gateway.domain.problems import Path, Problem, expected

Cell = str | date | datetime | None
"""None where the cell is empty; numbers as texts."""
Schema = Mapping[str, Any]
PATH_SEPARATOR = ">"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: its title, the names of its columns, and its rows with their numbers in the file."""

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[Cell]]]


@dataclass(frozen=True)
class Origin:
    """Where an entity stands in a file: its sheet, its first row, and rows of things in its lists."""

    sheet: str
    row: int
    rows: Mapping[Path, int] = field(default_factory=dict)

    def locate(self, problem: Problem) -> str:
        """The problem with sheet, row and column in place of subject and path."""
        row = self.rows.get(problem.path[:2], self.row)
        column = ".".join(part for part in problem.path if isinstance(part, str))
        at = f"{self.sheet}: row {row}" + (f", column {column}" if column else "")
        return f"{at}: {problem.words}"


@dataclass(frozen=True, slots=True)
class Gathered:
    """An entity as its rows tell it."""

    fields: Mapping[str, Any]
    origin: Origin


def kind_of(sheet: Sheet) -> Kind | None:
    """Which kind it is of: that whose id is named first. None when none is."""
    ids = {kind.id_field: kind for kind in KINDS}
    return next((ids[column] for column in sheet.columns if column in ids), None)


def unknown_columns(sheet: Sheet, schema: Schema) -> Iterator[str]:
    """What is wrong with its columns, a sentence each."""
    names = list(_columns(schema))
    for position, column in enumerate(sheet.columns, 1):
        if not column:
            if any(len(row) >= position and row[position - 1] is not None for _, row in sheet.rows):
                yield f"{sheet.title}: column {position}: expected a name in the first row, found nothing"
        elif column not in names:
            yield f"{sheet.title}: column {column}: expected one of {', '.join(names)}"
        elif column in sheet.columns[: position - 1]:
            yield f"{sheet.title}: column {column}: expected it once, found it twice"


def gather(sheet: Sheet, kind: Kind, schema: Schema) -> tuple[Sequence[Gathered], Sequence[str]]:
    """Entities of a table whose columns are right, and what is wrong with its rows, a sentence each."""
    lists = _lists(schema)
    found: dict[str, tuple[dict[str, Any], Origin, dict[Path, int]]] = {}
    wrong: list[str] = []
    identity = sheet.columns.index(kind.id_field)
    for number, row in sheet.rows:
        cells = dict(zip(sheet.columns, row, strict=False))
        name = row[identity] if identity < len(row) else None
        if all(cell is None for cell in row):
            continue
        if not isinstance(name, str):
            wrong.append(f"{sheet.title}: row {number}, column {kind.id_field}: {expected('an id', name)}")
            continue
        if name not in found:
            rows: dict[Path, int] = {}
            found[name] = ({}, Origin(sheet.title, number, rows), rows)
        fields, _, rows = found[name]
        for column, cell in _told(cells, lists):
            if fields.setdefault(column, cell) != cell:
                said = expected(f"{fields[column]} as in a row before", cell)
                wrong.append(f"{sheet.title}: row {number}, column {column}: {said}")
        for plural, items in lists.items():
            thing = {item: cell for item in items if (cell := cells.get(f"{plural}.{item}")) is not None}
            if any(f"{plural}.{item}" in cells for item in items):
                things = fields.setdefault(plural, [])
                if thing:
                    rows[plural, len(things)] = number
                    things.append(thing)
    return [Gathered(fields, origin) for fields, origin, _ in found.values()], wrong


def _told(cells: Mapping[str, Cell], lists: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Any]]:
    """Fields that are no lists of things; a path is written A > B > C."""
    for column, cell in cells.items():
        if cell is None or "." in column or not column:
            continue
        if column in lists:  # of texts
            yield column, [part.strip() for part in str(cell).split(PATH_SEPARATOR) if part.strip()]
        else:
            yield column, cell


def _columns(schema: Schema) -> Iterator[str]:
    lists = _lists(schema)
    for each in schema["fields"]:
        if each["name"] == "version":
            continue
        items = lists.get(each["name"])
        yield from [f"{each['name']}.{item}" for item in items] if items else [each["name"]]


def _lists(schema: Schema) -> dict[str, Sequence[str]]:
    """Lists of the record with the fields of the things in them; none where they are texts."""
    found: dict[str, Sequence[str]] = {}
    for each in schema["fields"]:
        kind = each["type"]
        if isinstance(kind, Mapping) and kind.get("type") == "array":
            items = kind["items"]
            found[each["name"]] = (
                [item["name"] for item in items["fields"]] if isinstance(items, Mapping) else []
            )
    return found


def columns(schema: Schema) -> Sequence[str]:
    """Names of the columns that a table of these entities may have, as a file to start from has them."""
    return list(_columns(schema))
