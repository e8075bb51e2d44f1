"""The ingest bench runs in its small size and writes what others read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from balance_bench.sampling import INGEST, OTHER, by_step

KEYS = {
    "stored_readings_per_second",
    "raw_copy_array_rows_readings_per_second",
    "stored_over_raw_copy_array_rows_ratio",
    "live_p50_seconds_during_backlog",
    "live_p99_seconds_during_backlog",
    "backlog_readings_per_second",
}


@pytest.mark.stack
def test_the_ingest_bench_measures_throughput_and_live_packets_amid_a_backlog(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.ingest", "--size", "small", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "ingest.json").read_text())
    assert all(report[key] > 0 for key in KEYS)
    assert report["fleet_modules"] == 2013
    assert report["backlog_readings"] == 2013 * 14 * 24
    assert report["live_packets_during_backlog"] > 0
    assert "2,013 modules" in (tmp_path / "ingest.md").read_text()


def test_the_innermost_known_function_names_the_step_of_a_sample() -> None:
    stacks = [
        "run (a.py:1);handle_packets (h.py:2);harvest (c.py:3);fold (j.py:4) 5",
        "run (a.py:1);join_evidence (s.py:9);PostgresWork.keep_blocks (p.py:1);Cursor.execute (x.py:1) 7",
        "run (a.py:1);Loop._run_once (b.py:3);EpollSelector.select (selectors.py:4) 40",
        "run (a.py:1);Thread.run (threading.py:4) 2",
    ]
    assert by_step(stacks, INGEST) == Counter({"screen and cut packets": 5, "write evidence": 7, OTHER: 2})
