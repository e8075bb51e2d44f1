"""Every statement of every panel, on a real database with the data of a field full of faults."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from balance_chaos.stage import own_stack
from balance_grafana import meaning
from balance_local import installation, simulating
from balance_local.screen import Screen
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.stream import Field
from rich.console import Console

pytestmark = pytest.mark.stack

FILES = sorted((Path(__file__).resolve().parents[1] / "dashboards").glob("*.json"))
NAME = "grafana_test"
PLAN = FieldPlan(modules=72, groups=9, days=35, seed=3)
WORDS = {
    word for words in (meaning.VERDICTS, meaning.COVERAGES, meaning.STATUSES) for word, _ in words.values()
}
"""Series that are there when their verdict, coverage or status is."""


@dataclass(frozen=True)
class Panel:
    """A panel's statement and what it says of the columns that come."""

    title: str
    kind: str
    shape: str
    sql: str
    named: Sequence[str]


@dataclass(frozen=True)
class Reader:
    """The database as Grafana sees it: the role, the span of time, the variables."""

    connection: psycopg.Connection[Any]
    start: datetime
    end: datetime
    variables: Mapping[str, str]

    def rows(self, sql: str, **variables: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """Names of columns, and rows."""
        cursor = self.connection.execute(expand(sql, self.start, self.end, {**self.variables, **variables}))
        return [column.name for column in cursor.description or ()], cursor.fetchall()


def expand(sql: str, start: datetime, end: datetime, variables: Mapping[str, str]) -> bytes:
    """Macros and variables as Grafana's PostgreSQL data source writes them out."""
    first, last = (f"'{instant:%Y-%m-%dT%H:%M:%S.000Z}'" for instant in (start, end))
    sql = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 BETWEEN {first} AND {last}", sql)
    sql = sql.replace("$__timeFrom()", first).replace("$__timeTo()", last)
    for name, value in variables.items():
        quoted = ",".join("'" + one.replace("'", "''") + "'" for one in value.split("|"))
        sql = sql.replace(f"${{{name}:sqlstring}}", quoted).replace(f"${{{name}:raw}}", value)
    assert "$" not in sql, f"a macro or a variable that is not known: {sql}"
    return sql.encode()


def panels() -> Iterator[Any]:
    for path in FILES:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel.get("targets", ()):
                named = [one["matcher"]["options"] for one in panel["fieldConfig"].get("overrides", ())]
                made = Panel(panel["title"], panel["type"], target["format"], target["rawSql"], named)
                yield pytest.param(made, id=f"{path.stem}: {panel['title']}")


def variables() -> Mapping[str, str]:
    found = {}
    for path in FILES:
        for variable in json.loads(path.read_text("utf-8"))["templating"]["list"]:
            found[variable["name"]] = variable["query"]
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[installation.Installation]:
    """An installation that lived through 35 days of every kind of fault."""
    screen = Screen(Console(width=150, no_color=True), rich=False)
    with own_stack("grafana"):
        simulating.run(Field(PLAN), screen, simulating.Options(NAME, tmp_path_factory.mktemp("truth")))
        made = installation.opened(NAME)
        yield made
        made.drop()


@pytest.fixture(scope="module")
def reader(place: installation.Installation) -> Iterator[Reader]:
    with psycopg.connect(place.dsn, autocommit=True) as connection:
        connection.execute("SET ROLE balance_reader")
        row = connection.execute(
            "SELECT min(day_start), max(day_start) FROM imbalance.v_group_days "
            "WHERE day_start > '2000-01-01' AND day_start < '2100-01-01'"
        ).fetchone()
        assert row
        start, end = row[0], row[1] + timedelta(days=2)
        yield Reader(connection, start, end, chosen(Reader(connection, start, end, {})))


def chosen(plain: Reader) -> Mapping[str, str]:
    """What the variables begin with: every resource, the worst group, all concentrators."""
    statements = variables()
    _, resources = plain.rows(statements["resource"])
    everything = "|".join(resource for (resource,) in resources)
    columns, groups = plain.rows(statements["group"], resource=everything)
    assert columns == ["__value", "__text"]
    assert len(groups) == PLAN.groups
    return {"resource": everything, "group": groups[0][0], "concentrator": "%"}


@pytest.mark.parametrize("panel", list(panels()))
def test_a_panel_shows_rows_with_the_columns_it_speaks_of(reader: Reader, panel: Panel) -> None:
    columns, rows = reader.rows(panel.sql)
    assert rows, "there is data, and the panel shows none of it"
    series = {str(value) for row in rows for value in row if isinstance(value, str)}
    assert set(panel.named) <= {*columns, *series, *WORDS}
    filled = {name for position, name in enumerate(columns) if any(row[position] is not None for row in rows)}
    assert filled, "there is nothing in any column"
    if panel.shape == "time_series":
        assert columns[0] == "time"
        assert all(isinstance(row[0], datetime) for row in rows)
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        texts = [
            name for name in columns[1:] if any(isinstance(row[columns.index(name)], str) for row in rows)
        ]
        assert texts in ([], ["metric"])
        assert set(columns) - {"time", "metric"}
    if panel.kind == "stat":
        assert len(rows) == 1


def test_a_variable_narrows_what_panels_show(reader: Reader) -> None:
    _, found = reader.rows(variables()["concentrator"])
    (one, *_), everything = found[0], {panel.values[0].title: panel.values[0] for panel in panels()}
    for title in ("Concentrators", "Channels by what came", "Packets received, live and from backlogs"):
        _, all_rows = reader.rows(everything[title].sql)
        columns, rows = reader.rows(everything[title].sql, concentrator=one)
        total = [sum(row[-1] for row in some if isinstance(row[-1], int)) for some in (rows, all_rows)]
        assert len(rows) < len(all_rows) or total[0] < total[1], title
        if "concentrator_id" in columns:
            assert {row[columns.index("concentrator_id")] for row in rows} == {one}


def test_a_name_with_an_apostrophe_chooses_nothing_and_breaks_nothing(reader: Reader) -> None:
    for panel in panels():
        if "${group:sqlstring}" in panel.values[0].sql:
            assert reader.rows(panel.values[0].sql, group="O'Hara; DROP TABLE x")[1] == []


def test_outside_the_span_of_time_there_is_nothing(reader: Reader) -> None:
    """Statements that are bounded show nothing of a year in which nothing was."""
    past = Reader(
        reader.connection,
        reader.start - timedelta(days=999),
        reader.start - timedelta(days=900),
        reader.variables,
    )
    for panel in panels():
        if "$__time" in panel.values[0].sql:
            assert past.rows(panel.values[0].sql)[1] == [], panel.values[0].title
