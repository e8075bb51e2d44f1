"""The bench of validation runs in its small size; how findings are judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.stack
def test_a_small_labelled_field_has_no_false_finding_and_exact_gaps(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.vee", "--size", "small", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "vee.json").read_text())
    assert report["labels"] >= 20
    assert report["labels_missed"] <= 2, done.stdout
    assert report["gap_totals_exact"] > 5
    assert report["gap_totals_inexact"] == 0
    assert "## Findings by rule" in (tmp_path / "vee.md").read_text()
