"""A described fleet is read as the contract says, with every error at once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from balance_local.described import FleetError, entities, read_file

SINCE = "2024-10-01T00:00:00+03:00"
SINCE_MS = 1_727_730_000_000


def usage_point(name: str = "UP-1", **changes: Any) -> dict[str, Any]:
    meter = {
        "meter_number": "1",
        "fitted_at": SINCE,
        "accuracy_class_ppm": 15000,
        "pulse_weight": 10,
        "register_digits": 8,
        "q_max": 6_000_000,
    }
    channel = {"module_id": f"m-{name}", "channel": 0, "fitted_at": SINCE}
    return {"usage_point_id": name, "resource": "GAS", "meters": [meter], "channels": [channel], **changes}


def group(*members: str, **changes: Any) -> dict[str, Any]:
    memberships = [
        {"usage_point_id": name, "role": "MEMBER" if number else "SUPPLY", "valid_from": SINCE}
        for number, name in enumerate(members)
    ]
    return {"group_id": "G-1", "resource": "GAS", "name": "House", "members": memberships, **changes}


def problems_of(
    points: list[Any], groups: list[Any] | None = None, known: dict[str, str] | None = None
) -> str:
    with pytest.raises(FleetError) as caught:
        entities(points, groups or [], known)
    return "\n".join(caught.value.problems)


def test_a_fleet_becomes_keyed_records_with_defaults_filled_in() -> None:
    point, house = entities([usage_point()], [group("UP-1")])
    assert (point.key, house.key) == ("usage-point/UP-1", "balance-group/G-1")
    assert point.value["state"] == "ACTIVE"
    assert point.value["meters"][0]["fitted_at"] == SINCE_MS
    assert point.value["meters"][0]["removed_at"] is None
    assert house.value["members"][0]["coefficient_ppm"] == 1_000_000


def test_what_is_true_or_false_is_said_so() -> None:
    (point,) = entities([usage_point(is_outdoor=True)], [])
    assert point.value["is_outdoor"] is True
    assert point.value["meters"][0]["is_temperature_compensated"] is False
    assert "is_outdoor: expected true or false, found 1" in problems_of([usage_point(is_outdoor=1)])


def test_a_group_may_name_a_group_in_place_of_a_point() -> None:
    nested = {"group_id": "G-1", "role": "MEMBER", "valid_from": SINCE}
    supply = {"usage_point_id": "UP-2", "role": "SUPPLY", "valid_from": SINCE}
    outer = {"group_id": "G-2", "resource": "GAS", "name": "Street", "members": [supply, nested]}
    described = entities([usage_point(), usage_point("UP-2")], [group("UP-1"), outer])
    member = described[-1].value["members"][1]
    assert (member["usage_point_id"], member["group_id"]) == ("", "G-1")
    known = entities([usage_point("UP-2")], [outer], known_groups={"G-1": "GAS"})
    assert known[-1].value == described[-1].value
    assert "member G-1: expected a balance group" in problems_of([usage_point("UP-2")], [outer])
    both = {**outer, "members": [supply, {**nested, "usage_point_id": "UP-2"}]}
    assert "expected a point or a group" in problems_of([usage_point("UP-2")], [group("UP-2"), both])


@pytest.mark.parametrize("instant", [SINCE, SINCE_MS, datetime(2024, 9, 30, 21, tzinfo=UTC)])
def test_an_instant_may_be_a_text_a_number_or_a_datetime(instant: Any) -> None:
    channel = {"module_id": "m", "channel": 0, "fitted_at": instant}
    (point,) = entities([usage_point(channels=[channel])], [])
    assert point.value["channels"][0]["fitted_at"] == SINCE_MS


def test_the_version_is_not_the_writers_to_give() -> None:
    (point,) = entities([usage_point(version=7)], [])
    assert point.value["version"] == 0


def test_every_error_of_the_shape_is_reported_at_once() -> None:
    found = problems_of(
        [usage_point(resource="GAZ", colour="red", meters=[{"meter_number": 1}]), "UP-2"], [{}]
    )
    assert "usage-point/UP-1.resource: expected one of GAS, WATER" in found
    assert "unknown field colour" in found
    assert "meters[1].meter_number: expected a text, found 1" in found
    assert "meters[1].q_max is missing" in found
    assert "usage-point no. 2: expected fields, found 'UP-2'" in found
    assert "balance-group no. 1.group_id is missing" in found


@pytest.mark.parametrize("instant", ["2024-10-01T00:00:00", "tomorrow", "2024-10-01", True])
def test_an_instant_without_its_offset_is_refused(instant: Any) -> None:
    channel = {"module_id": "m", "channel": 0, "fitted_at": instant}
    assert "channels[1].fitted_at: expected an instant" in problems_of([usage_point(channels=[channel])])


def test_what_overlaps_in_time_is_refused() -> None:
    point = usage_point()
    point["meters"] *= 2
    found = problems_of(
        [point, usage_point("UP-2", channels=usage_point()["channels"])], [group("UP-1", "UP-1")]
    )
    assert "meters: expected them in order of time and not overlapping" in found
    assert (
        "usage-point/UP-2: channel 0 of module m-UP-1: expected it free, found it at usage-point/UP-1"
        in found
    )
    assert "memberships of UP-1" in found


def test_a_meter_cannot_show_more_than_its_digits() -> None:
    meter = {**usage_point()["meters"][0], "initial_register": 10**8, "q_max": 0}
    found = problems_of([usage_point(meters=[meter])])
    assert "initial_register: expected at most 8 digits" in found
    assert "q_max: expected a number above 0, found 0" in found


def test_a_group_has_a_supply_and_known_members_of_its_resource() -> None:
    members = [
        {"usage_point_id": name, "role": "MEMBER", "valid_from": SINCE} for name in ("UP-1", "UP-9", "UP-8")
    ]
    found = problems_of([usage_point(resource="WATER")], [group(members=members)], known={"UP-8": "GAS"})
    assert "expected a SUPPLY meter at least" in found
    assert "member UP-9: expected a usage point described here or published before" in found
    assert "member UP-1: expected GAS as of the group, found WATER" in found
    assert "UP-8" not in found


def test_an_entity_is_described_once() -> None:
    assert "found it again at no. 2" in problems_of([usage_point(), usage_point()])


def module(name: str = "M-1", **changes: Any) -> dict[str, Any]:
    setting = {"valid_from": SINCE, "packet_mode": "DAILY", "concentrator_id": "J-1"}
    battery = {"battery_type": "ER26500", "fitted_at": SINCE}
    return {"module_id": name, "settings": [setting], "batteries": [battery], **changes}


def concentrator(name: str = "J-1", **changes: Any) -> dict[str, Any]:
    setting = {"valid_from": SINCE, "session_plan": "DAILY"}
    return {
        "concentrator_id": name, "variant": "MAINS", "sim_payer": "UTILITY", "object_path": [],
        "settings": [setting], **changes,
    }  # fmt: skip


def test_modules_and_concentrators_become_keyed_records() -> None:
    made = entities([], [], None, [module()], [concentrator()])
    assert [(one.key, one.record) for one in made] == [
        ("module/M-1", "balance.v1.ModuleDescribed"),
        ("concentrator/J-1", "balance.v1.ConcentratorDescribed"),
    ]
    assert made[0].value["settings"][0]["valid_from"] == SINCE_MS
    assert made[1].value["batteries"] == []


def test_a_concentrator_published_before_may_be_named() -> None:
    (made,) = entities([], [], None, [module()], [], {"J-1"})
    assert made.value["settings"][0]["concentrator_id"] == "J-1"


def test_every_error_of_modules_and_concentrators_is_reported_at_once() -> None:
    setting = module()["settings"][0]
    with pytest.raises(FleetError) as caught:
        entities(
            [], [], None, [module(settings=[setting, setting]), module("M-2")], [concentrator(settings=[])]
        )
    found = "\n".join(caught.value.problems)
    assert "module/M-1: settings: expected them in order of time" in found
    assert "concentrator/J-1: settings: expected one at least" in found
    with pytest.raises(FleetError) as caught:
        entities([], [], None, [module(), module("M-2", settings=[{}])], [])
    assert "module/M-2.settings[1].packet_mode is missing" in "\n".join(caught.value.problems)
    with pytest.raises(
        FleetError, match="expected a concentrator described here or published before, found J-1"
    ):
        entities([], [], None, [module()], [])


def test_a_file_may_hold_all_four_lists(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("modules: [{module_id: M-1}]\nconcentrators: []\n")
    assert read_file(file).modules == [{"module_id": "M-1"}]
    assert read_file(file).usage_points == []


@pytest.mark.parametrize("text", ["- a list", "fleet: []", "usage_points: all", "a: [", "\x00"])
def test_a_file_of_another_shape_is_refused_in_words(tmp_path: Path, text: str) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    with pytest.raises(FleetError, match="expected"):
        read_file(file)
