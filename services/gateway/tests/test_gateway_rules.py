"""What may not stand on the register together."""

from __future__ import annotations

from typing import Any

import pytest
from balance_gateway.domain.checking import Known, problems_of
from balance_gateway.domain.radio import RADIO_BUDGET
from balance_kernel.calendar import Calendar

SINCE = "2024-10-01T00:00:00+03:00"
SINCE_MS = 1_727_730_000_000
DAY_MS = 86_400_000


def test_a_right_fleet_has_nothing_wrong(a: Any) -> None:
    assert a.wrong(a.usage_point(), a.group("UP-1"), a.module(), a.concentrator(), a.edit()) == ""


def test_what_overlaps_in_time_is_refused(a: Any) -> None:
    point = a.usage_point(meters=[a.meter(), a.meter(meter_number="2")])
    taken = a.usage_point("UP-2", channels=[{"module_id": "m-UP-1", "channel": 0, "fitted_at": SINCE}])
    said = a.wrong(point, taken, a.group("UP-1", "UP-1"))
    assert "usage-point/UP-1.meters[2].fitted_at: expected them in order of time and not overlapping" in said
    free = "expected channel 0 of module m-UP-1 free, found it at usage-point/UP-1"
    assert f"usage-point/UP-2.channels[1]: {free}" in said
    assert "balance-group/G-1.members[2].valid_from: expected them in order" in said


def test_a_channel_of_a_point_that_stands_is_taken_until_it_is_removed(a: Any) -> None:
    def known(until: float) -> Known:
        return Known(channels={("m-UP-1", 0): [(SINCE_MS - DAY_MS, until, "UP-9")]})

    said = a.wrong(a.usage_point(), known=known(float("inf")))
    assert said == (
        "usage-point/UP-1.channels[1]: expected channel 0 of module m-UP-1 free, found it at usage-point/UP-9"
    )
    assert a.wrong(a.usage_point(), known=known(SINCE_MS)) == ""
    assert a.wrong(a.usage_point("UP-9", channels=[]), known=known(float("inf"))) == ""


def test_an_end_is_after_its_beginning(a: Any) -> None:
    meter = a.meter(removed_at=SINCE)
    assert "meters[1].removed_at: expected an end after fitted_at" in a.wrong(a.usage_point(meters=[meter]))


def test_a_meter_cannot_show_more_than_its_digits(a: Any) -> None:
    said = a.wrong(a.usage_point(meters=[a.meter(initial_register=10**8, q_max=0)]))
    assert "meters[1].initial_register: expected at most 8 digits, found 100000000" in said
    assert "meters[1].q_max: expected a number above 0, found 0" in said
    said = a.wrong(a.usage_point(meters=[a.meter(register_digits=2**31 - 1, final_register=1)]))
    assert "register_digits: expected at most 18, found 2147483647" in said


def test_a_group_has_a_supply_and_known_members_of_its_resource(a: Any) -> None:
    members = [
        {"usage_point_id": name, "role": "MEMBER", "valid_from": SINCE} for name in ("UP-1", "UP-9", "UP-8")
    ]
    itself = {"group_id": "G-1", "role": "MEMBER", "valid_from": SINCE}
    said = a.wrong(
        a.usage_point(resource="WATER"),
        a.group(members=[*members, itself]),
        known=Known(resources={"UP-8": "GAS"}),
    )
    assert "balance-group/G-1.members: expected a SUPPLY meter at least" in said
    assert (
        "members[2].usage_point_id: expected a usage point of this file or of the register, found UP-9"
        in said
    )
    assert "members[1].usage_point_id: expected GAS as of the group, found UP-1 of WATER" in said
    assert "members[4].group_id: expected another group than itself, found G-1" in said
    assert "UP-8" not in said


def test_a_module_names_a_concentrator_that_is_known(a: Any) -> None:
    said = a.wrong(a.module())
    assert "module/M-1.settings[1].concentrator_id: expected a concentrator" in said
    assert a.wrong(a.module(), known=Known(concentrators={"J-1"})) == ""
    again = [a.setting(), a.setting()]
    assert "settings[2].valid_from: expected them in order of time" in a.wrong(
        a.module(settings=again), a.concentrator()
    )
    assert "concentrator/J-1.settings: expected one at least" in a.wrong(a.concentrator(settings=[]))


@pytest.mark.parametrize(("mode", "firmware", "is_right"), [
    ("WEEKLY", 18, True), ("MONTHLY", 21, True), ("WEEKLY", 17, False), ("MONTHLY", None, False),
    ("DAILY", None, True), ("INTRADAY_15", 3, True),
])  # fmt: skip
def test_rare_packets_want_firmware_18(mode: str, firmware: int | None, is_right: bool, a: Any) -> None:
    said = a.wrong(a.module(settings=[a.setting(mode)], firmware=firmware), a.concentrator())
    assert (said == "") == is_right
    assert is_right or f"settings[1].packet_mode: expected firmware 18 or later for {mode}" in said


def test_a_concentrator_gathers_240_packets_a_day(a: Any) -> None:
    fleet = [a.module(f"M-{n}") for n in range(144)]
    assert a.wrong(a.concentrator(), *fleet, a.module("Q", settings=[a.setting("INTRADAY_15")])) == ""
    said = a.wrong(
        a.concentrator(), *fleet, a.module("Q", settings=[a.setting("INTRADAY_15")]), a.module("N")
    )
    assert "module/Q.settings[1]: expected at most 240 packets a day at J-1, found 241.0 then" in said


def test_modules_that_stand_count_and_those_that_left_do_not(a: Any) -> None:
    quick = {"packet_mode": "INTRADAY_15", "concentrator_id": "J-1", "valid_from": 0}
    gone = {"packet_mode": "DAILY", "concentrator_id": "J-2", "valid_from": SINCE_MS - 1}
    entities, _ = a.read(a.module(settings=[a.setting("INTRADAY_15")]))
    known = Known(concentrators={"J-1"}, settings={"A": [quick], "B": [quick]})
    (problem,) = problems_of(entities, known, Calendar())
    assert "found 288.0 then" in str(problem)
    assert problems_of(entities, known, Calendar(), accepted=(RADIO_BUDGET,)) == []
    left = Known(concentrators={"J-1"}, settings={"A": [quick], "B": [quick, gone]})
    assert problems_of(entities, left, Calendar()) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"values": [1]}, "values: expected 2 values for this EDIT, found 1"),
        ({"action": "CONFIRM"}, "expected 0 values for this CONFIRM, found 2"),
        ({"end_at": "2026-03-10T01:30:00+02:00"}, "end_at: expected whole hours"),
        ({"start_at": "2026-03-10T00:30:00+02:00"}, "expected whole hours"),
        ({"end_at": "2026-03-10T00:00:00+02:00"}, "expected whole hours"),
        ({"end_at": "2027-03-12T00:00:00+02:00"}, "from 1 to 8784 of them"),
        ({"start_at": 10**18}, "start_at: expected an instant of this age"),
    ],
)
def test_a_decision_that_cannot_be_carried_out_is_refused(
    changes: dict[str, Any], words: str, a: Any
) -> None:
    assert words in a.wrong(a.edit(), a.edit("E-2", **changes))


def test_hours_are_those_of_the_metering_day(a: Any) -> None:
    india = Calendar("Asia/Kolkata", 0)
    assert "expected whole hours" in a.wrong(a.edit(), calendar=india)
    quarter_to = a.edit(start_at="2026-03-10T03:30:00+02:00", end_at="2026-03-10T05:30:00+02:00")
    assert a.wrong(quarter_to, calendar=india) == ""
