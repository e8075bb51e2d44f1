"""Entities of the register from the wire: what is understood, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_imbalance.adapters import wire_assets
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.messages import (
    Assets,
    Concentrator,
    Group,
    Module,
    NamedMembership,
    UsagePoint,
    newest_assets,
)
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.entrypoints.kafka import decode_asset
from balance_kernel.calendar import Calendar
from balance_kernel.plans import SessionSetting, Setting
from balance_kernel.quantity import Resource, Role
from balance_schemas import avsc
from balance_schemas.codec import Codec

CALENDAR = Calendar("Europe/Chisinau", 0)
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)


def understood(name: str, value: dict[str, Any]) -> object:
    return decode_asset(CODEC, CALENDAR, CODEC.encode(name, value))


def point(**given: Any) -> dict[str, Any]:
    value = {"usage_point_id": "UP-1", "version": 3, "state": "ACTIVE", "resource": "GAS"}
    return {**value, "meters": [], "channels": [], **given}


def meter(**given: Any) -> dict[str, Any]:
    value = {"meter_number": "M-1", "fitted_at": 0, "accuracy_class_ppm": 15_000, "pulse_weight": 10}
    return {**value, "register_digits": 8, "q_max": 6000, **given}


def channel(**given: Any) -> dict[str, Any]:
    return {"module_id": "D-1", "channel": 2, "fitted_at": 1999, **given}


def group(**given: Any) -> dict[str, Any]:
    entry = {"usage_point_id": "", "role": "SUPPLY", "valid_from": 1999, "group_id": "N", **given}
    value = {"group_id": "G", "version": 1, "state": "ACTIVE", "resource": "GAS", "name": "House"}
    return {**value, "members": [entry]}


def device(kind: str, *settings: dict[str, Any], **given: Any) -> dict[str, Any]:
    more = {"variant": "SOLAR", "sim_payer": "UTILITY"} if kind == "concentrator" else {}
    value = {f"{kind}_id": "X-1", "version": 2, "state": "ACTIVE", "settings": list(settings)}
    return {**value, **more, **given}


def test_a_usage_point_comes_with_all_that_balances_need_of_it() -> None:
    value = point(
        object_path=["Ialoveni", "Crasescu"],
        is_outdoor=True,
        meters=[meter(q_start=5, is_temperature_compensated=True), meter(fitted_at=2000)],
        channels=[channel(), channel(removed_at=5000)],
    )
    assert understood(wire_assets.USAGE_POINT, value) == UsagePoint(
        "UP-1",
        3,
        [Meter(0, FOREVER, 15_000, 10, 5, True), Meter(2, FOREVER, 15_000, 10, 0, False)],
        Resource.GAS,
        ("Ialoveni", "Crasescu"),
        True,
        [ChannelFitting("D-1", 2, 1, FOREVER), ChannelFitting("D-1", 2, 1, 5)],
    )


def test_a_membership_names_a_group_or_a_usage_point() -> None:
    told = understood(wire_assets.GROUP, group())
    assert isinstance(told, Group)
    assert told.memberships == [NamedMembership("", Role.SUPPLY, 1_000_000, 1, FOREVER, "N")]
    told = understood(wire_assets.GROUP, group(usage_point_id="UP-1", group_id=None))
    assert isinstance(told, Group)
    assert told.memberships == [NamedMembership("UP-1", Role.SUPPLY, 1_000_000, 1, FOREVER)]


def test_settings_of_devices_are_put_in_order_of_time() -> None:
    settings = [{"valid_from": at, "packet_mode": mode} for at, mode in ((9000, "DAILY"), (1000, "WEEKLY"))]
    settings[1]["concentrator_id"] = "J-1"
    assert understood(wire_assets.MODULE, device("module", *settings)) == Module(
        "X-1", 2, [Setting(1, "WEEKLY", "J-1"), Setting(9, "DAILY")]
    )
    calls = [{"valid_from": at, "session_plan": plan} for at, plan in ((9000, "DAILY"), (1000, "MONTHLY"))]
    assert understood(wire_assets.CONCENTRATOR, device("concentrator", *calls)) == Concentrator(
        "X-1", 2, [SessionSetting(1, "MONTHLY"), SessionSetting(9, "DAILY")]
    )


def test_what_is_deleted_has_no_history() -> None:
    deleted = {"state": "DELETED"}
    gone = point(meters=[meter()], channels=[channel()], is_outdoor=True, **deleted)
    assert understood(wire_assets.USAGE_POINT, gone) == UsagePoint("UP-1", 3, [], Resource.GAS, (), False, [])
    setting = {"valid_from": 0, "packet_mode": "WEEKLY"}
    assert understood(wire_assets.MODULE, device("module", setting, **deleted)) == Module("X-1", 2, [])
    call = {"valid_from": 0, "session_plan": "WEEKLY"}
    told = understood(wire_assets.CONCENTRATOR, device("concentrator", call, **deleted))
    assert told == Concentrator("X-1", 2, [])


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (wire_assets.GROUP, group(usage_point_id="UP-1"), "a usage point or a group, found both"),
        (wire_assets.GROUP, group(group_id=None), "an id of 1 to"),
        (wire_assets.GROUP, group(group_id=""), "an id of 1 to"),
        (wire_assets.GROUP, group(group_id="N\x00"), "an id of 1 to"),
        (wire_assets.GROUP, group(coefficient_ppm=10**9 + 1), "N: expected SUPPLY or MEMBER"),
        (wire_assets.USAGE_POINT, point(object_path=["x"] * 17), "object_path of at most 16"),
        (wire_assets.USAGE_POINT, point(object_path=["x" * 250] * 2 + ["x"]), "found 3 of 501"),
        (wire_assets.USAGE_POINT, point(object_path=["a\x00"]), "object_path"),
        (wire_assets.USAGE_POINT, point(meters=[meter(q_start=-1)]), "a starting flow of 0 to"),
        (wire_assets.USAGE_POINT, point(meters=[meter(q_start=2**62)]), "a starting flow of 0 to"),
        (wire_assets.USAGE_POINT, point(channels=[channel(module_id="")]), "an id of 1 to"),
        (wire_assets.USAGE_POINT, point(channels=[channel(removed_at=2**62)]), "an instant of the years"),
        (wire_assets.MODULE, device("module") | {"module_id": "x" * 257}, "an id of 1 to"),
        (
            wire_assets.MODULE,
            device("module", {"valid_from": 2**62, "packet_mode": "DAILY"}),
            "an instant of the years",
        ),
        (
            wire_assets.MODULE,
            device("module", {"valid_from": 0, "packet_mode": "DAILY", "concentrator_id": ""}),
            "an id of 1 to",
        ),
        (
            wire_assets.CONCENTRATOR,
            device("concentrator", {"valid_from": -(2**62), "session_plan": "DAILY"}),
            "an instant of the years",
        ),
    ],
)
def test_absurd_entities_are_refused(name: str, value: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        understood(name, value)


def test_the_greatest_version_of_each_entity_stands() -> None:
    told = [
        each
        for version in (1, 3, 2)
        for each in (
            UsagePoint("X", version, []),
            Group("X", version, Resource.GAS, "", []),
            Module("X", version, []),
            Concentrator("X", version, []),
        )
    ]
    newest = newest_assets(told)
    assert newest == Assets(
        [UsagePoint("X", 3, [])],
        [Group("X", 3, Resource.GAS, "", [])],
        [Module("X", 3, [])],
        [Concentrator("X", 3, [])],
    )
