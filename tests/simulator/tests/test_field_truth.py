"""A field in a folder: packets, fleet, labels and arrays that belong together."""

import json
from pathlib import Path

import numpy as np
from balance_simulator.field import truth_folder
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.saving import save
from balance_simulator.field.stream import Field


def test_a_saved_field_can_be_read_again(tmp_path: Path) -> None:
    plan = FieldPlan(modules=90, groups=3, days=9)
    told = []
    count = save(
        Field(plan), tmp_path, tmp_path / "truth", lambda day, packets: told.append((day.truth.day, packets))
    )
    lines = (tmp_path / "packets.jsonl").read_text("utf-8").splitlines()
    assert count == len(lines) == told[-1][1]
    assert [day for day, _ in told] == [plan.day(n) for n in range(9)]
    fleet = json.loads((tmp_path / "fleet.json").read_text("utf-8"))
    assert {key: len(part) > 0 for key, part in fleet.items()} == dict.fromkeys(
        ("usage_points", "balance_groups", "modules", "concentrators"), True
    )
    points = truth_folder.read_points(tmp_path / "truth")
    arrays = truth_folder.read_day(tmp_path / "truth", plan.day(3))
    assert arrays["consumed"].shape == arrays["registered"].shape == (len(points["usage_points"]), 24)
    assert arrays["lost"].shape == (3, 24)
    assert int(arrays["start_s"]) == plan.day_start(3)
    described = [p["usage_point_id"] for p in fleet["usage_points"]]
    assert described[: len(points["usage_points"])] == points["usage_points"]
    kinds = [label["kind"] for label in truth_folder.read_labels(tmp_path / "truth")]
    assert len(kinds) > 10


def test_truth_and_packets_tell_of_the_same_pulses(tmp_path: Path) -> None:
    plan = FieldPlan(modules=40, groups=1, days=3, faults=())
    save(Field(plan), tmp_path, tmp_path / "truth")
    points = truth_folder.read_points(tmp_path / "truth")
    fleet = json.loads((tmp_path / "fleet.json").read_text("utf-8"))
    weight = {p["usage_point_id"]: p["meters"][0]["pulse_weight"] for p in fleet["usage_points"]}
    channel = {
        (p["channels"][0]["module_id"], p["channels"][0]["channel"]): p["usage_point_id"]
        for p in fleet["usage_points"]
    }
    seen = 0
    for line in (tmp_path / "packets.jsonl").read_text("utf-8").splitlines():
        for archive in json.loads(line)["archives"]:
            name = channel[archive["module_id"], archive["channel"]]
            if name in points["usage_points"] and archive["kind"] == "ARCHIVED":
                day = next(n for n in range(3) if plan.day_start(n) * 1000 == archive["start_at"])
                arrays = truth_folder.read_day(tmp_path / "truth", plan.day(day))
                row = arrays["registered"][points["usage_points"].index(name)]
                assert np.array_equal(np.array(archive["values"]) * weight[name], row)
                seen += 1
    assert seen == 3 * len(points["usage_points"])
