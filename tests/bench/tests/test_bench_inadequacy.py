"""The bench of the inadequacy coefficient runs in its small size; how homes are judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from balance_bench.inadequacy import AT_30, AT_70, OTHERWISE, UNTOUCHED, Judged
from balance_bench.inadequacy_play import Seen


@pytest.mark.stack
def test_a_small_winter_finds_thieves_and_no_others(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.inadequacy", "--size", "small", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "inadequacy.json").read_text())
    assert report["30_percent_homes_warm"] >= 1
    assert report["30_percent_homes_flagged_within_seven_days"] == report["30_percent_homes_warm"]
    assert report["70_percent_homes_flagged_within_seven_days"] == 0
    assert report["untouched_home_days_flagged"] <= 0.02 * report["untouched_home_days_computable"]
    assert report["untouched_home_days_flagged_by_own_past"] == 0
    assert report["night_rows"] == report["fleet_homes"]
    assert "## Why not computable" in (tmp_path / "inadequacy.md").read_text()


def row(home: int, flagged: bool, verdict: str | None = None, computable: bool = True) -> dict[str, Any]:
    return {
        "usage_point_id": f"H-{home:05d}",
        "k_own": None,
        "k": 0.6 if flagged else 0.1 if computable else None,
        "is_flagged": flagged,
        "reason": None if computable else "not computable: too few days: 1 of 7 count",
        "group_verdict": verdict,
    }


def test_flags_count_by_what_the_home_was_on_that_day() -> None:
    """Cut on day 50: a flag before is false, of all others the first tells how soon."""
    seen = Seen(heated=[True, True, False, True], shares=[1.0, 0.3, 1.0, 0.7])
    seen.tables = {
        49: [row(0, False), row(1, True), row(2, True, "WITHIN_TOLERANCE"), row(3, False)],
        55: [row(0, False), row(1, True, "LOSS"), row(2, False), row(3, False)],
        56: [row(0, False, computable=False), row(1, True, "LOSS"), row(2, False), row(3, False)],
    }
    judged = Judged()
    judged.add(seen, 50)
    assert judged.flagged_days == {UNTOUCHED: 1, OTHERWISE: 1, AT_30: 2}
    assert judged.home_days == {UNTOUCHED: 5, OTHERWISE: 3, AT_30: 2, AT_70: 2}
    assert judged.after == [6]
    assert (judged.within_seven[AT_30], judged.warm[AT_30], judged.ever_flagged[OTHERWISE]) == (1, 1, 1)
    assert (judged.warm[UNTOUCHED], judged.with_loss[AT_30], judged.lossless[OTHERWISE]) == (0, 2, 1)
    assert judged.reasons == {"too few days": 1}
