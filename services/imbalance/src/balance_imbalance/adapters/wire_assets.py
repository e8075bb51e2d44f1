"""Entities of the register, from the contract's records (schemas: instants are raw milliseconds)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from balance_chassis.errors import BadRecord
from balance_kernel.plans import SessionSetting, Setting
from balance_kernel.quantity import Resource, Role

from balance_imbalance.adapters.wire import MOST_VALUE, check_id, instant
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.messages import Asset, Concentrator, Group, Module, NamedMembership, UsagePoint
from balance_imbalance.domain.register import FOREVER, MOST_COEFFICIENT_PPM, Meter

USAGE_POINT = "balance.v1.UsagePointDescribed"
GROUP = "balance.v1.BalanceGroupDescribed"
MODULE = "balance.v1.ModuleDescribed"
CONCENTRATOR = "balance.v1.ConcentratorDescribed"

_MOST_DEPTH = 16
_MOST_CHARACTERS = 500
"""Of an object path: as much as weather may be told of (wire_weather.py)."""
_ROLES = {role.value: role for role in Role}
_RESOURCES = {resource.value: resource for resource in Resource}


def from_wire_usage_point(value: Mapping[str, Any]) -> UsagePoint:
    """A usage point with its meters and channels. Raises BadRecord for absurd numbers."""
    usage_point_id = check_id(value["usage_point_id"], "usage_point_id")
    path = value["object_path"]
    characters = sum(map(len, path))
    if len(path) > _MOST_DEPTH or characters > _MOST_CHARACTERS or "\x00" in "".join(path):
        raise BadRecord(
            f"{usage_point_id}: expected an object_path of at most {_MOST_DEPTH} names of at most "
            f"{_MOST_CHARACTERS} characters together, without NUL, found {len(path)} of {characters}: "
            "correct it in the register"
        )
    deleted = value["state"] == "DELETED"
    return UsagePoint(
        usage_point_id,
        value["version"],
        [] if deleted else [_meter(meter, usage_point_id) for meter in value["meters"]],
        _RESOURCES[value["resource"]],
        tuple(path),
        value["is_outdoor"] and not deleted,
        [] if deleted else [_channel(channel, usage_point_id) for channel in value["channels"]],
    )


def from_wire_group(value: Mapping[str, Any]) -> Group:
    """A balance group and its memberships. Raises BadRecord for absurd numbers."""
    group_id = check_id(value["group_id"], "group_id")
    deleted = value["state"] == "DELETED"
    memberships = [] if deleted else [_membership(member, group_id) for member in value["members"]]
    if "\x00" in value["name"]:
        raise BadRecord(f"{group_id}: expected a name without NUL, found {value['name'][:80]!r}")
    return Group(group_id, value["version"], _RESOURCES[value["resource"]], value["name"], memberships)


def from_wire_module(value: Mapping[str, Any]) -> Module:
    """A module and its settings in order of time. Raises BadRecord for what cannot be one."""
    module_id = check_id(value["module_id"], "module_id")
    deleted = value["state"] == "DELETED"
    settings = [] if deleted else [_setting(setting, module_id) for setting in value["settings"]]
    return Module(module_id, value["version"], sorted(settings, key=lambda setting: setting.since))


def from_wire_concentrator(value: Mapping[str, Any]) -> Concentrator:
    """A concentrator and its settings in order of time. Raises BadRecord for what cannot be one."""
    concentrator_id = check_id(value["concentrator_id"], "concentrator_id")
    deleted = value["state"] == "DELETED"
    settings = [
        SessionSetting(instant(setting["valid_from"], concentrator_id), setting["session_plan"])
        for setting in ([] if deleted else value["settings"])
    ]
    ordered = sorted(settings, key=lambda setting: setting.since)
    return Concentrator(concentrator_id, value["version"], ordered)


ASSETS: Mapping[str, Callable[[Mapping[str, Any]], Asset]] = {
    USAGE_POINT: from_wire_usage_point,
    GROUP: from_wire_group,
    MODULE: from_wire_module,
    CONCENTRATOR: from_wire_concentrator,
}
"""What is made of a record of the register, by its full name."""


def _meter(meter: Mapping[str, Any], usage_point_id: str) -> Meter:
    weight, class_ppm, q_start = meter["pulse_weight"], meter["accuracy_class_ppm"], meter["q_start"] or 0
    where = f"{usage_point_id}, meter {meter['meter_number']}"
    if not 0 <= weight <= MOST_VALUE or class_ppm < 0 or not 0 <= q_start <= MOST_VALUE:
        raise BadRecord(
            f"{where}: expected a pulse weight and a starting flow of 0 to {MOST_VALUE} and a class not "
            f"negative, found {weight}, {q_start} and {class_ppm}"
        )
    fitted_at, removed_at = _validity(meter["fitted_at"], meter["removed_at"], where)
    return Meter(fitted_at, removed_at, class_ppm, weight, q_start, meter["is_temperature_compensated"])


def _channel(channel: Mapping[str, Any], usage_point_id: str) -> ChannelFitting:
    module_id = check_id(channel["module_id"], f"module_id of {usage_point_id}")
    where = f"{usage_point_id}, channel of {module_id}"
    return ChannelFitting(
        module_id, channel["channel"], *_validity(channel["fitted_at"], channel["removed_at"], where)
    )


def _setting(setting: Mapping[str, Any], module_id: str) -> Setting:
    concentrator_id = setting["concentrator_id"]
    if concentrator_id is not None:
        check_id(concentrator_id, f"concentrator_id of {module_id}")
    return Setting(instant(setting["valid_from"], module_id), setting["packet_mode"], concentrator_id)


def _membership(member: Mapping[str, Any], group_id: str) -> NamedMembership:
    point, nested, coefficient = member["usage_point_id"], member["group_id"], member["coefficient_ppm"]
    where = f"{group_id}, member {nested or point}"
    if nested is None:
        check_id(point, "usage_point_id")
    else:
        check_id(nested, "group_id")
        if point:
            raise BadRecord(f"{where}: expected a usage point or a group, found both: {point} too")
    if abs(coefficient) > MOST_COEFFICIENT_PPM or member["role"] == Role.UNSPECIFIED:
        raise BadRecord(
            f"{where}: expected SUPPLY or MEMBER with a coefficient up to {MOST_COEFFICIENT_PPM} millionths, "
            f"found {member['role']} with {coefficient}"
        )
    span = _validity(member["valid_from"], member["valid_to"], where)
    return NamedMembership(point, _ROLES[member["role"]], coefficient, *span, nested)


def _validity(start_ms: int, end_ms: int | None, where: str) -> tuple[int, int]:
    start = instant(start_ms, where)
    return start, FOREVER if end_ms is None else instant(end_ms, where)
