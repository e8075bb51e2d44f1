"""Operators' decisions in a file: every error at once, a version for each change."""

from pathlib import Path
from typing import Any

import pytest
from balance_kernel.calendar import Calendar
from balance_local import edits
from balance_local.cli import app
from balance_local.edits import EditsError, decisions, read_file
from typer.testing import CliRunner

CALENDAR = Calendar("Europe/Chisinau", 0)


def edit(name: str = "E-1", **changes: Any) -> dict[str, Any]:
    """Two hours put in."""
    told = {
        "edit_id": name,
        "action": "EDIT",
        "usage_point_id": "UP-1",
        "start_at": "2026-03-10T00:00:00+02:00",
        "end_at": "2026-03-10T02:00:00+02:00",
        "values": [120, 80],
        "reason": "METER_CHECKED",
        "decided_by": "operator-7",
        "decided_at": "2026-03-12T09:30:00+02:00",
    }
    return told | changes


def problems(*written: Any, calendar: Calendar = CALENDAR) -> str:
    """What is wrong with some decisions."""
    with pytest.raises(EditsError) as caught:
        decisions(written, calendar)
    return str(caught.value)


def test_a_decision_stands_unless_it_says_otherwise() -> None:
    first, second = decisions([edit(), edit("E-2", state="WITHDRAWN", version=9)], CALENDAR)
    assert (first.key, first.record, first.value["state"]) == ("E-1", edits.READING_EDIT, "STANDING")
    assert (second.value["state"], second.value["version"]) == ("WITHDRAWN", 0)
    assert first.value["start_at"] == 1_773_093_600_000
    assert first.value["of_conflict"] == "UNSPECIFIED"


def test_everything_wrong_is_said_at_once() -> None:
    said = problems(edit(action="GUESS"), edit("E-2", start_at="yesterday"), "E-3", edit("E-4"), edit("E-4"))
    assert "edit/E-1.action: expected one of EDIT, CONFIRM, found 'GUESS'" in said
    assert "edit/E-2.start_at: expected an instant such as" in said
    assert "edit no. 3: expected fields" in said
    assert "edit/E-4: expected each once" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": [1]}, "expected 2 values for this EDIT, found 1"),
        ({"action": "CONFIRM"}, "expected 0 values for this CONFIRM, found 2"),
        ({"end_at": "2026-03-10T01:30:00+02:00"}, "expected whole hours"),
        ({"start_at": "2026-03-10T00:30:00+02:00"}, "expected whole hours"),
        ({"end_at": "2026-03-10T00:00:00+02:00"}, "expected whole hours"),
        ({"end_at": "2027-03-12T00:00:00+02:00"}, "from 1 to 8784 of them"),
        ({"start_at": 10**18}, "expected an instant of this age"),
    ],
)
def test_a_decision_that_cannot_be_carried_out_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in problems(edit(), edit("E-2", **changes))


def test_hours_are_those_of_the_metering_day() -> None:
    assert "expected whole hours" in problems(edit(), calendar=Calendar("Asia/Kolkata", 0))
    quarter_to = edit(start_at="2026-03-10T03:30:00+02:00", end_at="2026-03-10T05:30:00+02:00")
    assert len(decisions([quarter_to], Calendar("Asia/Kolkata", 0))) == 1


@pytest.mark.parametrize("text", ["edits: 7", "- edits", "edits: [", "decisions: []"])
def test_a_file_of_something_else_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BALANCE_LOCAL_ROOT", str(tmp_path))
    path = tmp_path / "edits.yaml"
    path.write_text(text)
    with pytest.raises(EditsError, match="expected"):
        read_file(path)
    with pytest.raises(EditsError, match="No such file"):
        read_file(tmp_path / "none.yaml")
    result = CliRunner().invoke(app, ["-i", "nobody", "edits", "apply", str(path)])
    assert result.exit_code == 1
    assert "there is no installation nobody" in result.output
