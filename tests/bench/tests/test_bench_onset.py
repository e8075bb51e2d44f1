"""The small size of the bench of onsets, and its page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_the_small_size_judges_finds_and_writes_its_page(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.onset", "--size", "small", "--into", str(tmp_path)]
    subprocess.run(command, check=True, timeout=600)
    report = json.loads((tmp_path / "onset.json").read_text())
    assert report["groups"] == 4
    assert report["healthy_onsets_per_group_year"] < 3
    assert report["leaks_of_10_percent_tried"] == 4
    assert report["leaks_of_10_percent_found_percent"] == 100
    assert report["leaks_of_10_percent_size_error_percent"] < 10
    assert report["bursts_alarmed_percent"] == 100
    assert "| 10 % | 100.0 % |" in (tmp_path / "onset.md").read_text()
