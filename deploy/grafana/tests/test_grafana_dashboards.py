"""The dashboards as files: as their code says, with words, bounded in time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from balance_grafana import writing
from balance_grafana.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "dashboards").glob("*.json"))
BOUNDS = {
    "ingest.v_deliveries": "day_start",
    "ingest.v_sessions": "received_at",
    "imbalance.v_group_days": "day_start",
    "imbalance.v_group_hours": "day_start",
    "imbalance.v_group_rolling": "day_start",
    "imbalance.v_group_months": "day_start",
}
"""Views over tables that are cut by time, and the column that a statement on them must bound."""
WHOLE = {
    "ingest.v_concentrators",
    "ingest.v_modules",
    "ingest.v_findings",
    "imbalance.v_group_states",
}
"""Views of how things are: a row for each thing there is."""


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def panels(dashboard: Any) -> Iterator[Any]:
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", ())
        else:
            yield panel


def statements() -> Iterator[Any]:
    """Every statement: of panels and of template variables."""
    for path in FILES:
        dashboard = read(path)
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield pytest.param(target["rawSql"], id=f"{path.stem}: {panel['title']}")
        for variable in dashboard["templating"]["list"]:
            yield pytest.param(variable["query"], id=f"{path.stem}: ${variable['name']}")


def test_the_files_are_what_the_code_makes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [path.stem for path in FILES] == ["deliveries", "imbalance"]
    assert main(["--check"]) == 0
    monkeypatch.setattr(writing, "FOLDER", tmp_path)
    assert main(["--check"]) == 1
    assert main([]) == 0
    (tmp_path / "imbalance.json").write_text("{}")
    assert [path.name for path in writing.stale()] == ["imbalance.json"]
    assert main(["--whatever"]) == 2


@pytest.mark.parametrize("statement", list(statements()))
def test_every_statement_bounds_the_time_of_what_it_reads(statement: str) -> None:
    found = set(re.findall(r"\b(?:ingest|imbalance)\.\w+", statement))
    assert found
    assert found <= BOUNDS.keys() | WHOLE, "say of a new view which column cuts it"
    for view in found & BOUNDS.keys():
        column = rf"(?:\w+\.)?{BOUNDS[view]}"
        macro = re.search(rf"\$__timeFilter\({column}\)", statement)
        both = re.search(rf"{column} > \$__timeFrom\(\)", statement) and re.search(
            rf"{column} <= \$__timeTo\(\)", statement
        )
        assert macro or both, f"{view} without a bound of {BOUNDS[view]}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_panel_says_what_it_shows(path: Path) -> None:
    dashboard = read(path)
    assert dashboard["links"]
    assert dashboard["uid"] == f"balance-{path.stem}"
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert len(panel["description"]) > 40, panel["title"]
        assert panel["datasource"]["uid"] == "balance"
        if panel["type"] == "timeseries":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(titles) == len(set(titles))


def test_no_panel_lies_on_another() -> None:
    for path in FILES:
        taken: set[tuple[int, int]] = set()
        for panel in panels(read(path)):
            place = panel["gridPos"]
            squares = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
            assert not squares & taken, panel["title"]
            assert max(x for x, _ in squares) < 24, panel["title"]
            taken |= squares


def test_every_link_leads_to_a_dashboard_and_a_variable_there() -> None:
    there = {read(path)["uid"]: read(path) for path in FILES}
    links = 0
    for dashboard in there.values():
        for uid, query in re.findall(r'/d/([\w-]+)(\?[^"]*)?', json.dumps(dashboard)):
            names = {variable["name"] for variable in there[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", query)) <= names
            links += 1
    assert links >= 4


def test_provisioning_names_no_host_and_the_uid_that_panels_use() -> None:
    sources = yaml.safe_load((ROOT / "provisioning/datasources/balance.yaml").read_text("utf-8"))
    (source,) = sources["datasources"]
    assert source["uid"] == "balance"
    given = [source["url"], source["user"], *source["secureJsonData"].values()]
    given += [source["jsonData"]["database"], source["jsonData"]["sslmode"]]
    assert all(re.fullmatch(r"\$\{BALANCE_GRAFANA_[A-Z_]+\}", value) for value in given)
    boards = yaml.safe_load((ROOT / "provisioning/dashboards/balance.yaml").read_text("utf-8"))
    assert boards["providers"][0]["options"]["path"] == "${BALANCE_GRAFANA_DASHBOARDS}"
    readme = (ROOT / "README.md").read_text("utf-8")
    names = {value[2:-1] for value in given} | {"BALANCE_GRAFANA_DASHBOARDS"}
    assert {
        name for name in names if name not in readme and name.split("_POSTGRES")[1] not in readme
    } == set()
