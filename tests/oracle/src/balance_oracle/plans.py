"""Described modules and concentrators, and how often they speak (domain.md §3.17). Instants in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from balance_oracle.settings import DAY

ALLOWANCE_DAYS = {"WEEKLY": 7, "MONTHLY": 31}


@dataclass(frozen=True)
class Setting:
    """How a device is set from an instant on: packet mode or session plan; a module's concentrator."""

    since: int
    mode: str
    concentrator: str | None


@dataclass(frozen=True)
class Battery:
    """A battery from the instant it was fitted."""

    battery_type: str
    fitted: int


@dataclass(frozen=True)
class Device:
    """A module or concentrator as described; a deleted one has no settings."""

    device_id: str
    deleted: bool
    variant: str
    settings: tuple[Setting, ...]
    batteries: tuple[Battery, ...]

    def setting_at(self, instant: int) -> Setting | None:
        return next((one for one in reversed(self.settings) if one.since <= instant), None)


@dataclass(frozen=True)
class Plans:
    """All devices that were described."""

    modules: Mapping[str, Device]
    concentrators: Mapping[str, Device]

    def module_allowance(self, module: str, instant: int) -> int:
        """Days a module may be silent by plan."""
        setting = _setting(self.modules, module, instant)
        if setting is None:
            return 0
        own = ALLOWANCE_DAYS.get(setting.mode, 0)
        if setting.concentrator is None:
            return own
        return max(own, self.concentrator_allowance(setting.concentrator, instant))

    def concentrator_allowance(self, concentrator: str, instant: int) -> int:
        """Days a concentrator may be silent by plan."""
        setting = _setting(self.concentrators, concentrator, instant)
        return 0 if setting is None else ALLOWANCE_DAYS.get(setting.mode, 0)

    def due_at(self, module: str, day: int, end: int, grace: int) -> int:
        """When a day's readings of a module are due."""
        return end + grace + self.module_allowance(module, day) * DAY


def _setting(devices: Mapping[str, Device], device_id: str, instant: int) -> Setting | None:
    device = devices.get(device_id)
    return device.setting_at(instant) if device is not None else None


def make_plans(modules: Iterable[Mapping[str, Any]], concentrators: Iterable[Mapping[str, Any]]) -> Plans:
    """From the shapes of ModuleDescribed and ConcentratorDescribed."""
    return Plans(
        {one["module_id"]: _device(one, "module_id", "packet_mode") for one in modules},
        {one["concentrator_id"]: _device(one, "concentrator_id", "session_plan") for one in concentrators},
    )


def _device(described: Mapping[str, Any], key: str, mode: str) -> Device:
    gone = described["state"] == "DELETED"
    settings = tuple(
        Setting(one["valid_from"] // 1000, one[mode], one.get("concentrator_id"))
        for one in described["settings"]
    )
    return Device(
        described[key],
        gone,
        described.get("variant", "UNSPECIFIED"),
        () if gone else settings,
        tuple(Battery(one["battery_type"], one["fitted_at"] // 1000) for one in described["batteries"]),
    )
