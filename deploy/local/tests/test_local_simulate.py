"""`balance simulate` writes a field to a folder without any stack, and refuses in words what cannot be."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from balance_gateway.adapters import files
from balance_gateway.bootstrap import readers
from balance_gateway.domain.checking import Known, problems_of
from balance_gateway.domain.radio import RADIO_BUDGET
from balance_kernel.calendar import Calendar
from balance_local import simulating
from balance_local.cli import app
from balance_simulator.field import truth_folder
from typer.testing import CliRunner


def simulate(*words: str) -> str:
    result = CliRunner().invoke(app, ["simulate", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_field_goes_to_a_folder_and_says_what_it_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = simulate("--modules", "70", "--days", "3", "--groups", "2", "--seed", "5", "--out", str(out))
    assert "a field of 70 modules, seed 5" in said
    assert "no two_devices: it needs 7 days" in said
    packets = [json.loads(line) for line in (out / "packets.jsonl").read_text("utf-8").splitlines()]
    assert f"{len(packets)} packets in" in said.replace(",", "")
    assert {packet["lane"] for packet in packets} <= {"live", "backlog"}
    assert truth_folder.read_labels(out / "truth")


def test_its_fleet_is_one_the_register_takes(tmp_path: Path) -> None:
    simulate("--modules", "70", "--days", "2", "--groups", "3", "--out", str(tmp_path))
    document = files.read("fleet.json", (tmp_path / "fleet.json").read_bytes())
    reader, calendar = readers(Calendar()), Calendar()
    entities, problems = [], []
    for one in document.written:
        entity, wrong = reader(one.kind).read(one.fields, one.kind.word, None)
        entities += [entity] if entity else []
        problems += wrong
    assert problems + problems_of(entities, Known(), calendar, accepted=(RADIO_BUDGET,)) == []
    kinds = [entity.kind.word for entity in entities]
    assert (kinds.count("module"), kinds.count("balance-group")) == (70, 3)
    assert kinds.count("concentrator") > 2


def test_only_the_faults_asked_for_and_the_truth_where_it_is_wanted(tmp_path: Path) -> None:
    truth = tmp_path / "truth here"
    simulate(
        "--modules", "80", "--days", "9", "--from", "2026-01-05", "--faults", "leak,slow",
        "--out", str(tmp_path / "out"), "--truth", str(truth),
    )  # fmt: skip
    assert {label["kind"] for label in truth_folder.read_labels(truth)} == {"leak", "slow"}
    assert min(file.stem for file in (truth / "days").iterdir()) == "2026-01-05"
    assert not (tmp_path / "out" / "truth").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--modules", "0"], "modules: expected a number from 1 to 67000, found 0"),
        (["--faults", "rust"], "expected all, none or kinds of radio_outage"),
        (["--modules", "10", "--groups", "9"], "expected at most 2, four modules a group"),
        (["--from", "2200-01-01"], "from: expected a day of the years 2000 to 2098, found 2200-01-01"),
        (["--zone", "Mars/Olympus"], "zone: expected a zone such as Europe/Chisinau"),
    ],
)
def test_a_field_that_cannot_be_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path / "out"), *words])
    assert result.exit_code == 1
    assert said in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--out", "--truth"])
def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_started(
    option: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["simulate", option, str(tmp_path / "file")])
    assert result.exit_code == 2
    assert "expected a folder that can be written" in result.output


def test_a_speed_without_live_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "--out", str(tmp_path / "out"), "--speed", "20"])
    assert result.exit_code == 2
    assert "--speed is for --live" in result.output


class _Sent(simulating._Sender):
    """Sends nowhere and notes when."""

    def __init__(self, speed: float) -> None:
        self._speed, self._by_wall, self._began = speed, False, None
        self.at: list[tuple[float, int]] = []

    async def _send(self, part: list[Any]) -> None:
        self.at += [(time.time(), packet["received_at"]) for packet in part]


def test_a_live_field_keeps_time() -> None:
    def packets() -> Iterator[Any]:
        yield from ({"received_at": 1_000_000 + 60_000 * n} for n in (0, 0, 1, 2, 4))

    sender = _Sent(speed=400.0)
    asyncio.run(sender.send(packets()))
    began, first = sender.at[0]
    assert [received for _, received in sender.at] == [p["received_at"] for p in packets()]
    for at, received in sender.at:
        due = (received - first) / 1000 / 400
        assert due - simulating.SOON_S - 0.01 <= at - began < due + 0.5
