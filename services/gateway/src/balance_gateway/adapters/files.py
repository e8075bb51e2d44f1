"""Files of entities: YAML as lists of records, CSV and XLSX as tables."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

import python_calamine
import yaml
from balance_schemas import avsc

from balance_gateway.domain import tables
from balance_gateway.domain.kinds import KINDS, Kind
from balance_gateway.domain.problems import Problem, shown
from balance_gateway.domain.tables import Cell, Origin, Sheet
from balance_gateway.handlers import Written

_DELIMITERS = ",;\t"
_MOST_ROWS = 1_000_000
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FileError(ValueError):
    """A file is not what it should be. `problems` holds a sentence for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        """Keep all problems and show all of them."""
        super().__init__("\n".join(f"- {problem}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Document:
    """What a file holds, and where in it each entity stands if it is a table."""

    written: Sequence[Written]
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def told(self, problem: Problem) -> str:
        """A problem with the place in the file where it can be mended."""
        origin = self.origins.get(problem.subject)
        return origin.locate(problem) if origin else str(problem)


def read(name: str, content: bytes) -> Document:
    """Entities of a file; its name tells its format. Raises FileError with all that is wrong."""
    suffix = PurePath(name).suffix.lower()
    if suffix in (".yaml", ".yml", ".json"):
        return _described(name, content)
    if suffix == ".csv":
        return _tables([_csv(name, content)])
    if suffix in (".xlsx", ".xls", ".ods"):
        return _tables(list(_workbook(name, content)))
    raise FileError([f"{name}: expected a file .yaml, .csv or .xlsx, found {suffix or 'no ending'}"])


def template(kind: Kind) -> Sequence[str]:
    """Columns of a table of that kind."""
    return tables.columns(avsc.newest(kind.record))


def _described(name: str, content: bytes) -> Document:
    is_json = name.lower().endswith(".json")
    try:
        document = json.loads(content) if is_json else yaml.load(content.decode("utf-8"), _YAML)
    except (UnicodeDecodeError, ValueError, yaml.YAMLError, RecursionError) as error:
        what = "JSON" if is_json else "YAML"
        raise FileError([f"{name}: expected a file of {what}, found: {error}"]) from error
    plurals = {kind.plural: kind for kind in KINDS}
    if not isinstance(document, dict) or set(document) - set(plurals):
        found = ", ".join(map(str, document)) if isinstance(document, dict) else shown(document)
        raise FileError([f"{name}: expected lists of {', '.join(plurals)}, found {found}"])
    wrong = [f"{name}: {key}: expected a list" for key, each in document.items() if not _is_list(each)]
    if wrong:
        raise FileError(wrong)
    return Document([Written(plurals[key], one) for key, each in document.items() for one in each or ()])


def _is_list(found: Any) -> bool:
    return found is None or isinstance(found, list)


def _csv(name: str, content: bytes) -> Sheet:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError([f"{name}: expected UTF-8; save it as CSV UTF-8. {error}"]) from error
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise FileError([f"{name}: expected a table, found: {error}"]) from error
    return _sheet(name, [[cell.strip() or None for cell in row] for row in rows])


def _workbook(name: str, content: bytes) -> Iterator[Sheet]:
    try:
        workbook = python_calamine.load_workbook(io.BytesIO(content))
        for title in workbook.sheet_names:
            rows = workbook.get_sheet_by_name(title).to_python(skip_empty_area=False)
            if any(cell != "" for row in rows for cell in row):
                yield _sheet(title, [[_cell(cell) for cell in row] for row in rows])
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise FileError([f"{name}: expected a workbook, found: {error}"]) from error


def _cell(cell: Any) -> Cell:
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, datetime | date):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _sheet(title: str, rows: Sequence[Sequence[Cell]]) -> Sheet:
    if len(rows) > _MOST_ROWS:
        raise FileError([f"{title}: expected at most {_MOST_ROWS:,} rows, found {len(rows):,}"])
    head = rows[0] if rows else []
    columns = ["" if cell is None else str(cell).lower() for cell in head]
    return Sheet(title, columns, list(enumerate(rows[1:], 2)))


def _tables(sheets: Sequence[Sheet]) -> Document:
    problems: list[str] = []
    written: list[Written] = []
    origins: dict[str, Origin] = {}
    for sheet in sheets:
        kind = tables.kind_of(sheet)
        if kind is None:
            ids = ", ".join(kind.id_field for kind in KINDS)
            problems.append(f"{sheet.title}: expected a column {ids} in the first row, found none of them")
            continue
        schema = avsc.newest(kind.record)
        wrong = list(tables.unknown_columns(sheet, schema))
        if not wrong:
            gathered, wrong_rows = tables.gather(sheet, kind, schema)
            wrong += wrong_rows
            written += [Written(kind, one.fields) for one in gathered]
            for one in gathered:
                origins[f"{kind.word}/{one.fields[kind.id_field]}"] = one.origin
        problems += wrong
    if problems:
        raise FileError(problems)
    return Document(written, origins)
