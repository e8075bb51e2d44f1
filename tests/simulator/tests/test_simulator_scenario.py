"""Scenario files: what is read, and that every mistake is named at once."""

from pathlib import Path

import pytest
from balance_simulator import example, playbook, scenario_file
from balance_simulator.checking import ScenarioError
from balance_simulator.playbook import Playbook

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-tos" / "own-data.md"

CSV = "time,common,flat_1,flat_2\n" + "".join(
    f"2025-11-01 {hour:02}:00,0.{hour:02}5,0.01,\n" for hour in range(24)
)
SMALL = """
installation: {name: small, zone: Europe/Chisinau}
fleet:
  resource: WATER
  groups: [{id: HOUSE, supply: common}]
sources: [{file: my.csv, unit: m3}]
"""


def write(folder: Path, yaml: str, csv: str = CSV) -> Path:
    (folder / "my.csv").write_text(csv, "utf-8")
    path = folder / "my.yaml"
    path.write_text(yaml, "utf-8")
    return path


def play(folder: Path, yaml: str, csv: str = CSV) -> Playbook:
    return playbook.prepare(scenario_file.load(write(folder, yaml, csv)))


def problems(folder: Path, yaml: str, csv: str = CSV) -> str:
    with pytest.raises(ScenarioError) as caught:
        play(folder, yaml, csv)
    return str(caught.value)


def blocks(language: str) -> list[str]:
    parts = HOW_TO.read_text("utf-8").split("```")
    return [part.removeprefix(language) for part in parts[1::2] if part.startswith(language + "\n")]


def test_a_few_lines_are_enough(tmp_path: Path) -> None:
    book = play(tmp_path, SMALL)
    assert list(book.fleet.usage_points) == ["common", "flat_1"]
    (group,) = book.groups
    assert [(m["usage_point_id"], m["role"]) for m in group["members"]] == [
        ("common", "SUPPLY"),
        ("flat_1", "MEMBER"),
    ]
    (packet,) = book.packets
    assert [archive["values"][:3] for archive in packet["archives"]] == [[5, 15, 25], [10, 10, 10]]


def test_the_example_is_a_scenario(tmp_path: Path) -> None:
    assert play(tmp_path, example.text()).packets


def test_the_example_with_everything_uncommented_is_one_too(tmp_path: Path) -> None:
    lines = []
    for line in example.text().splitlines():
        key = line.strip().removeprefix("# ")
        optional = (
            line.strip().startswith("# ") and (":" in key or key.startswith("-")) and "A scenario" not in key
        )
        lines.append(line.replace("# ", "", 1) if optional else line)
    yaml = "\n".join(line for line in lines if not line.strip().startswith(("key:", "value:", "delimiter:")))
    yaml = yaml.replace("values: register", "values: increments").replace(
        "columns: {Common meter: common, Flat 1: flat_1}", ""
    )
    scenario = scenario_file.load(write(tmp_path, yaml))
    assert scenario.delivery.shuffle
    assert scenario.delivery.silences[0].concentrator == "J-0001"
    assert scenario.usage_points[1].meters[1].initial_register == 0
    assert scenario.composed[0].factor == 1.02


def test_every_scenario_of_the_how_to_plays(tmp_path: Path) -> None:
    yamls, csvs = blocks("yaml"), blocks("csv")
    assert len(yamls) == len(csvs) >= 3
    for yaml, csv in zip(yamls, csvs, strict=True):
        assert play(tmp_path, yaml, csv.lstrip()).packets


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    words = problems(
        tmp_path,
        """
installation: {name: My House, zone: Europe/Kishinev}
fleet:
  resource: STEAM
  usual_meter: {class: many, pulse: 3}
  groups: [{id: HOUSE, supply: common, colour: red}]
sources: [{file: other.csv, unit: feet, step: 5min}]
delivery: {seed: -1, silent: [{concentrator: J-1, from: 2025-11-05, to: 2025-11-04}]}
""",
    )
    for part in (
        "installation.name", "installation.zone", "fleet.resource", "usual_meter.class", "usual_meter.pulse",
        "groups[0].colour", "sources[0].file", "sources[0].unit", "sources[0].step", "delivery.seed",
        "delivery.silent[0]",
    ):  # fmt: skip
        assert part in words
    assert "expected" in words
    assert "found" in words


def test_gas_in_energy_is_told_what_to_do(tmp_path: Path) -> None:
    words = problems(
        tmp_path,
        """
installation: {name: house}
fleet: {resource: GAS, groups: [{id: HOUSE, supply: common}]}
sources: [{file: my.csv, unit: kWh}]
""",
    )
    assert "found kWh; gas is balanced in volume: divide by the calorific value" in words


def test_mistakes_in_the_numbers_name_line_and_column(tmp_path: Path) -> None:
    words = problems(tmp_path, SMALL, "time,common,flat_1\n2025-11-01 00:00,1.0,x\nyesterday,1.0,2.0\n")
    assert "my.csv: line 2, flat_1: expected a number" in words
    assert "my.csv: line 3: expected an ISO time" in words


def test_many_mistakes_of_one_file_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"2025-11-01 {hour:02}:00,a,b\n" for hour in range(24))
    words = problems(tmp_path, SMALL, "time,common,flat_1\n" + rows)
    assert words.count("expected a number") == 5
    assert "43 more" in words


def test_a_missing_column_names_those_that_exist(tmp_path: Path) -> None:
    yaml = SMALL.replace("unit: m3", "unit: m3, columns: {Common: common}")
    assert "column Common, found time, common, flat_1, flat_2" in problems(tmp_path, yaml)


def test_a_group_of_unknown_usage_points_is_refused(tmp_path: Path) -> None:
    words = problems(tmp_path, SMALL.replace("supply: common", "supply: [common, cellar], members: [common]"))
    assert "found cellar" in words
    assert "common on both" in words


def test_a_step_that_is_no_archive_says_what_to_do(tmp_path: Path) -> None:
    csv = "time,common\n" + "".join(f"2025-11-{day:02} 00:00,1\n" for day in range(1, 5))
    assert "give coarser ones as values: register" in problems(tmp_path, SMALL, csv)


def test_an_unset_folder_of_data_is_named(tmp_path: Path) -> None:
    words = problems(tmp_path, SMALL.replace("my.csv", "'${BALANCE_NO_SUCH_FOLDER}/my.csv'"))
    assert "set BALANCE_NO_SUCH_FOLDER" in words


def test_yaml_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    assert "expected YAML" in problems(tmp_path, "installation: {name: [}")
