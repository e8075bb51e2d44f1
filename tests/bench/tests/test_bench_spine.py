"""The spine bench runs in its small size and writes what others read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

KEYS = {
    "end_to_end_readings_per_second",
    "raw_copy_array_rows_readings_per_second",
    "raw_copy_hourly_rows_readings_per_second",
    "naive_faust_readings_per_second",
}


@pytest.mark.stack
def test_the_spine_bench_measures_all_four_ways(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.spine", "--size", "small", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "spine.json").read_text())
    assert all(report[key] > 0 for key in KEYS)
    assert report["readings_per_repetition"] == 2 * 11 * 24
    assert "| Faust, one message and one row a reading |" in (tmp_path / "spine.md").read_text()
