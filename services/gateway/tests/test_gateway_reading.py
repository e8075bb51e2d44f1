"""What people write becomes the value of a record, with every error at once."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from balance_gateway.domain.kinds import USAGE_POINT
from balance_gateway.handlers import Written
from balance_kernel.calendar import Calendar

SINCE = "2024-10-01T00:00:00+03:00"
SINCE_MS = 1_727_730_000_000


def test_a_fleet_becomes_entities_with_defaults_filled_in(a: Any) -> None:
    (point, house), problems = a.read(a.usage_point(), a.group("UP-1"))
    assert problems == []
    assert (point.subject, house.subject) == ("usage-point/UP-1", "balance-group/G-1")
    assert point.value["state"] == "ACTIVE"
    assert point.value["meters"][0]["fitted_at"] == SINCE_MS
    assert point.value["meters"][0]["removed_at"] is None
    assert point.value["meters"][0]["is_temperature_compensated"] is False
    assert house.value["members"][0]["coefficient_ppm"] == 1_000_000
    assert "version" not in point.value


def test_what_is_not_written_stays_as_it_stands(a: Any) -> None:
    standing = a.read(a.usage_point(acc_id="A-1"))[0][0].value
    (point,), _ = a.read(Written(USAGE_POINT, {"usage_point_id": "UP-1", "sp_id": "S-1"}), standing=standing)
    assert point.value == {**standing, "sp_id": "S-1"}
    (point,), _ = a.read(Written(USAGE_POINT, {"usage_point_id": "UP-1", "acc_id": None}), standing=standing)
    assert point.value["acc_id"] is None


def test_a_group_may_name_a_group_in_place_of_a_point(a: Any) -> None:
    nested = {"group_id": "G-1", "role": "MEMBER", "valid_from": SINCE}
    (outer,), _ = a.read(a.group(name="G-2", members=[nested]))
    assert (outer.value["members"][0]["usage_point_id"], outer.value["members"][0]["group_id"]) == ("", "G-1")
    both = a.group(name="G-2", members=[{**nested, "usage_point_id": "UP-2"}])
    assert "members[1].usage_point_id: expected a point or a group, found UP-2" in a.wrong(both)
    assert "expected a text, found nothing" in a.wrong(
        a.group(members=[{"role": "MEMBER", "valid_from": SINCE}])
    )


@pytest.mark.parametrize(
    "instant",
    [SINCE, SINCE_MS, datetime(2024, 9, 30, 21, tzinfo=UTC), "2024-10-01", "01.10.2024", date(2024, 10, 1),
     datetime(2024, 10, 1), "2024-10-01T00:00", "2024-09-30T21:00:00Z", " 2024-10-01 "],
)  # fmt: skip
def test_an_instant_is_an_instant_or_the_start_of_a_day_by_the_utilitys_clocks(instant: Any, a: Any) -> None:
    (point,), problems = a.read(a.usage_point(meters=[a.meter(fitted_at=instant)]))
    assert problems == []
    assert point.value["meters"][0]["fitted_at"] == SINCE_MS


def test_a_day_starts_with_the_metering_day(a: Any) -> None:
    (point,), _ = a.read(
        a.usage_point(meters=[a.meter(fitted_at="2024-10-01")]), calendar=Calendar("Europe/Chisinau", 6)
    )
    assert point.value["meters"][0]["fitted_at"] == SINCE_MS + 6 * 3_600_000


@pytest.mark.parametrize("instant", ["tomorrow", True, "2024-13-01", "32.01.2024", 1.5, "", None])
def test_what_is_no_instant_is_refused(instant: Any, a: Any) -> None:
    said = a.wrong(a.usage_point(meters=[a.meter(fitted_at=instant)]))
    assert "meters[1].fitted_at: expected a day such as 2024-10-01, or an instant" in said


@pytest.mark.parametrize("instant", ["2024-10-27T02:30:00", datetime(2024, 3, 31, 2, 30)])
def test_a_time_that_the_clocks_show_twice_or_never_is_refused(instant: Any, a: Any) -> None:
    said = a.wrong(a.usage_point(meters=[a.meter(fitted_at=instant)]))
    assert "expected a time that the clocks of Europe/Chisinau show once, found 2024-" in said


def test_texts_of_a_table_are_taken_for_numbers_and_truths(a: Any) -> None:
    meter = a.meter(q_max="6 000 000", pulse_weight="10.0", register_digits=8.0)
    (point,), problems = a.read(a.usage_point(meters=[meter], is_outdoor="Yes"))
    assert problems == []
    assert (point.value["meters"][0]["q_max"], point.value["is_outdoor"]) == (6_000_000, True)
    said = a.wrong(a.usage_point(meters=[a.meter(q_max="6,5", pulse_weight=True, register_digits=8.5)]))
    assert "q_max: expected a whole number, found 6,5" in said
    assert "pulse_weight: expected a whole number, found true" in said
    assert "register_digits: expected a whole number, found 8.5" in said


@pytest.mark.parametrize("number", [2**63, "9" * 40, float("nan"), float("inf"), -(2**63) - 1])
def test_a_number_beyond_its_field_is_refused(number: Any, a: Any) -> None:
    assert "q_max: expected a whole number" in a.wrong(a.usage_point(meters=[a.meter(q_max=number)]))


@pytest.mark.parametrize("text", ["", "  ", "a\nb", "a\x00", "x" * 257, 7])
def test_a_text_is_short_and_can_be_printed(text: Any, a: Any) -> None:
    assert "sp_id: expected" in a.wrong(a.usage_point(sp_id=text))


def test_every_error_of_the_shape_is_reported_at_once(a: Any) -> None:
    point = a.usage_point(resource="GAZ", colour="red", meters=[{"meter_number": 1}])
    said = a.wrong(point, Written(USAGE_POINT, "UP-2"), a.group(members="all"))
    assert "usage-point/UP-1.resource: expected one of GAS, WATER" in said
    assert "usage-point/UP-1.colour: no such field; expected usage_point_id" in said
    assert "meters[1].meter_number: expected a text, found 1" in said
    assert "meters[1].q_max: is missing: Greatest flow" in said
    assert "usage-point/?: expected fields, found UP-2" in said
    assert "members: expected a list, found all" in said
    assert "None" not in said
    assert "'" not in said


def test_what_stands_unspecified_by_default_may_stay_so(a: Any) -> None:
    (first,), _ = a.read(a.edit())
    assert first.value["of_conflict"] == "UNSPECIFIED"
    (second,), problems = a.read(a.edit(values=[1, 2]), standing=first.value)
    assert problems == []
    assert second.value["values"] == [1, 2]
    assert "expected one of SMALLEST, LARGEST, found ANY" in a.wrong(a.edit(of_conflict="ANY"))
