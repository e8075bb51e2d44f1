"""The bench of validation runs in its small size; how holes are cut and findings judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from balance_bench.vee_holes import Hole, cut
from balance_bench.vee_judging import CONSEQUENCE, FALSE, LABEL, TRAP, judge
from balance_bench.vee_play import Outcome, Seen, Truth
from balance_oracle.describe import archive, at, packet
from balance_simulator.field.plan import FieldPlan

DAY, HOUR_MS = at("2026-01-05"), 3_600_000


@pytest.mark.stack
def test_a_small_labelled_field_is_judged_and_its_gaps_are_exact(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "balance_bench.vee", "--size", "small", "--into", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "vee.json").read_text())
    assert report["labels"] >= 20
    assert report["labels_missed"] <= 2, done.stdout
    assert report["gap_totals_exact"] > 5
    assert report["gap_totals_inexact"] == 0
    assert "## Findings by rule" in (tmp_path / "vee.md").read_text()


def test_a_hole_takes_whole_archives_and_single_hours() -> None:
    hole = Hole("M-1", DAY + 12 * HOUR_MS, DAY + 48 * HOUR_MS)
    first, second = (archive("M-1", 1, DAY + n * 24 * HOUR_MS, [5] * 24) for n in range(2))
    left = cut(packet(1, DAY, [first, second, archive("M-2", 1, DAY, [5] * 24)]), {"M-1": hole})
    assert [one["module_id"] for one in left["archives"]] == ["M-1", "M-2"]
    assert left["archives"][0]["missing"] == list(range(12, 24))
    assert left["archives"][1]["missing"] == []


def label(kind: str, rule: str | None, **about: str) -> dict[str, Any]:
    names = dict.fromkeys(("usage_point", "module", "concentrator", "other_concentrator", "group"))
    span = {"start": "2026-01-05T00:00:00+00:00", "end": "2026-01-07T00:00:00+00:00"}
    return {"kind": kind, "rule": rule, "passing": False, "magnitude": 0.0, **span, **names, **about}


def seen(rule: str, point: str, day: int) -> Seen:
    start = DAY + day * 24 * HOUR_MS
    return Seen(rule, point, None, None, None, start, start + 24 * HOUR_MS, "")


def test_a_finding_is_of_a_label_a_consequence_a_trap_or_false() -> None:
    labels = [
        label("archive_lost", "vee.missing", module="M-1"),
        label("two_devices", "vee.two_devices", usage_point="U-2", module="M-2"),
        label("gsm_outage", "delivery.silent_concentrator", concentrator="J-3"),
        label("vacant", None, usage_point="U-4", module="M-4"),
    ]
    findings = [
        seen("vee.missing", "U-1", 2),
        seen("vee.missing", "U-1", 9),
        seen("vee.register_continuity", "U-2", 0),
        seen("vee.missing", "U-3", 1),
        seen("vee.zero", "U-4", 0),
        seen("vee.high", "U-4", 0),
    ]
    judged = judge(
        Outcome(
            FieldPlan(modules=4, groups=0),
            labels,
            Truth([], {}, {}),
            {f"U-{n}": f"M-{n}" for n in range(1, 5)},
            {"M-3": ["J-3"]},
            {},
            {},
            findings,
            [],
            {},
            {},
            0,
            0.0,
        )
    )
    assert judged.findings["vee.missing"] == {LABEL: 1, CONSEQUENCE: 1, FALSE: 1}
    assert judged.findings["vee.register_continuity"] == {CONSEQUENCE: 1}
    assert judged.findings["vee.zero"] == {TRAP: 1}
    assert judged.findings["vee.high"] == {FALSE: 1}
    assert judged.found == {"vee.missing": 1}
    assert judged.labels["vee.two_devices"] - judged.found["vee.two_devices"] == 1
