"""What a replay refuses, and where it finds its scenarios."""

from pathlib import Path

import pytest
from balance_local import replay, screen
from balance_local.cli import app
from balance_local.installation import InstallationError
from balance_simulator import example
from balance_simulator.localtime import Days
from typer.testing import CliRunner


def test_the_installation_of_what_happens_now_is_never_replayed_into() -> None:
    with pytest.raises(InstallationError, match="which is for what happens now"):
        replay.prepare("main", Days("UTC"), screen.here(), keep=True)


def test_nor_is_another_one_with_the_clock_on_the_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALANCE_LOCAL_ROOT", str(tmp_path))
    folder = tmp_path / "installations" / "town"
    folder.mkdir(parents=True)
    (folder / "installation.json").write_text('{"name": "town", "clock": "wall"}')
    with pytest.raises(InstallationError, match="found town"):
        replay.prepare("town", Days("Europe/Chisinau"), screen.here(), keep=False)


def test_ready_scenarios_are_found_by_name_and_read_the_real_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALANCE_REAL_DATA", str(tmp_path))
    ready = sorted(file.stem for file in replay.SCENARIOS.glob("*.yaml"))
    assert len(ready) == 4
    for name in ready:
        with pytest.raises(ValueError, match=rf"expected a file, found {tmp_path}/"):
            replay.load(name)


def test_the_example_is_printed() -> None:
    assert CliRunner().invoke(app, ["replay", "--example"]).output == example.text()


def test_without_a_scenario_the_ready_ones_are_named() -> None:
    assert "ltown-year" in CliRunner().invoke(app, ["replay"]).output


@pytest.mark.parametrize(("words", "name"), [([], None), (["-i", "mine"], "mine"), (["-i", "main"], "main")])
def test_it_is_played_into_the_installation_chosen_or_its_own(
    words: list[str], name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[replay.Options] = []
    monkeypatch.setattr(replay, "load", lambda _: None)
    monkeypatch.setattr(replay, "run", lambda *given: found.append(given[2]))
    assert CliRunner().invoke(app, [*words, "replay", "ltown-year"]).exit_code == 0
    assert found == [replay.Options(name)]


def test_packets_can_be_written_instead(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(
        "fleet: {groups: [{id: H, supply: common}]}\nsources: [{file: my.csv, unit: m3}]\n"
    )
    (tmp_path / "my.csv").write_text("time,common,flat\n2025-11-01 00:00,2,1\n")
    words = ["replay", str(tmp_path / "my.yaml"), "--save", str(tmp_path / "out")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (tmp_path / "out" / "packets.jsonl").read_text().count("\n") == 1
