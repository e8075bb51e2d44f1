"""Modules and concentrators as the register describes them, from the contract's records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balance_chassis.errors import BadRecord
from balance_kernel.plans import SessionSetting, Setting

from balance_ingest.adapters.wire import MAX_HISTORY, check_id, check_range, instant
from balance_ingest.domain.plans import BatteryFitting, DescribedConcentrator, DescribedModule

_MAX_DEPTH = 16
_MAX_NAME = 256


def from_wire_module(value: Mapping[str, Any]) -> DescribedModule:
    """A described module; raises BadRecord for what cannot be one."""
    check_id("module_id", value["module_id"])
    _check_history(value)
    settings = sorted(map(_setting, value["settings"]), key=lambda setting: setting.since)
    batteries = _batteries(value)
    deleted = value["state"] == "DELETED"
    return DescribedModule(
        value["module_id"],
        value["version"],
        deleted,
        () if deleted else tuple(settings),
        () if deleted else batteries,
    )


def from_wire_concentrator(value: Mapping[str, Any]) -> DescribedConcentrator:
    """A described concentrator; raises BadRecord for what cannot be one."""
    check_id("concentrator_id", value["concentrator_id"])
    _check_history(value)
    path = value["object_path"]
    if len(path) > _MAX_DEPTH or any("\x00" in name or len(name) > _MAX_NAME for name in path):
        raise BadRecord(
            f"expected object_path of at most {_MAX_DEPTH} names of at most {_MAX_NAME} characters, "
            f"found {len(path)}: correct it in the register"
        )
    settings = sorted(map(_session_setting, value["settings"]), key=lambda setting: setting.since)
    batteries = _batteries(value)
    deleted = value["state"] == "DELETED"
    return DescribedConcentrator(
        value["concentrator_id"],
        value["version"],
        deleted,
        value["variant"],
        value["sim_payer"],
        tuple(path),
        () if deleted else tuple(settings),
        () if deleted else batteries,
    )


def _check_history(value: Mapping[str, Any]) -> None:
    check_range("version", value["version"], 0, 2**63 - 1)
    for field in ("settings", "batteries"):
        check_range(f"the number of {field}", len(value[field]), 0, MAX_HISTORY)


def _setting(value: Mapping[str, Any]) -> Setting:
    if value["concentrator_id"] is not None:
        check_id("concentrator_id", value["concentrator_id"])
    return Setting(instant("valid_from", value["valid_from"]), value["packet_mode"], value["concentrator_id"])


def _session_setting(value: Mapping[str, Any]) -> SessionSetting:
    return SessionSetting(instant("valid_from", value["valid_from"]), value["session_plan"])


def _batteries(value: Mapping[str, Any]) -> tuple[BatteryFitting, ...]:
    return tuple(sorted(map(_battery, value["batteries"]), key=lambda battery: battery.fitted))


def _battery(value: Mapping[str, Any]) -> BatteryFitting:
    check_id("battery_type", value["battery_type"])
    return BatteryFitting(value["battery_type"], instant("fitted_at", value["fitted_at"]))
