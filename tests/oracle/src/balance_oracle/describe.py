"""Messages in the shapes of the contract, with plain defaults; instants are milliseconds since 1970."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

Described = dict[str, Any]


def at(text: str) -> int:
    """Milliseconds of an instant written like ``2026-01-05 06:00`` in UTC.

    >>> at("1970-01-01 00:01")
    60000
    """
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def meter(
    fitted_at: int,
    removed_at: int | None = None,
    *,
    class_ppm: int = 15_000,
    pulse_weight: int = 10,
    digits: int = 8,
    q_max: int = 6_000,
    initial: int | None = None,
    final: int | None = None,
    q_start: int | None = None,
    compensated: bool = False,
) -> Described:
    """A MeterFitting."""
    return {
        "meter_number": "M-1",
        "fitted_at": fitted_at,
        "removed_at": removed_at,
        "accuracy_class_ppm": class_ppm,
        "pulse_weight": pulse_weight,
        "register_digits": digits,
        "q_max": q_max,
        "initial_register": initial,
        "final_register": final,
        "q_start": q_start,
        "is_temperature_compensated": compensated,
    }


def fitting(module_id: str, channel: int, fitted_at: int, removed_at: int | None = None) -> Described:
    """A ChannelFitting."""
    return {"module_id": module_id, "channel": channel, "fitted_at": fitted_at, "removed_at": removed_at}


def usage_point(
    usage_point_id: str,
    meters: Sequence[Described],
    channels: Sequence[Described],
    *,
    resource: str = "GAS",
    version: int = 1,
    state: str = "ACTIVE",
    sensor_kind: str | None = None,
    object_path: Sequence[str] = (),
    outdoor: bool = False,
) -> Described:
    """A UsagePointDescribed."""
    return {
        "usage_point_id": usage_point_id,
        "version": version,
        "state": state,
        "resource": resource,
        "sp_id": None,
        "acc_id": None,
        "object_path": list(object_path),
        "meters": list(meters),
        "channels": list(channels),
        "sensor_kind": sensor_kind,
        "is_outdoor": outdoor,
    }


def membership(
    usage_point_id: str,
    role: str,
    valid_from: int,
    valid_to: int | None = None,
    coefficient_ppm: int = 1_000_000,
) -> Described:
    """A Membership."""
    return {
        "usage_point_id": usage_point_id,
        "role": role,
        "coefficient_ppm": coefficient_ppm,
        "valid_from": valid_from,
        "valid_to": valid_to,
        "group_id": None,
    }


def nested(
    group_id: str,
    role: str,
    valid_from: int,
    valid_to: int | None = None,
    coefficient_ppm: int = 1_000_000,
) -> Described:
    """A Membership that names a group."""
    return membership("", role, valid_from, valid_to, coefficient_ppm) | {"group_id": group_id}


def balance_group(
    group_id: str,
    members: Sequence[Described],
    *,
    resource: str = "GAS",
    version: int = 1,
    state: str = "ACTIVE",
) -> Described:
    """A BalanceGroupDescribed."""
    return {
        "group_id": group_id,
        "version": version,
        "state": state,
        "resource": resource,
        "name": group_id,
        "members": list(members),
    }


def archive(
    module_id: str,
    channel: int,
    start_at: int,
    values: Sequence[int],
    *,
    step_s: int = 3600,
    kind: str = "ARCHIVED",
    missing: Sequence[int] = (),
    register_start: int | None = None,
    register_end: int | None = None,
) -> Described:
    """A ChannelArchive."""
    return {
        "module_id": module_id,
        "channel": channel,
        "kind": kind,
        "start_at": start_at,
        "step_s": step_s,
        "values": list(values),
        "missing": list(missing),
        "register_start": register_start,
        "register_end": register_end,
    }


def registers(
    module_id: str, channel: int, start_at: int, offsets_s: Sequence[int], values: Sequence[int]
) -> Described:
    """A ChannelRegisters."""
    return {
        "module_id": module_id,
        "channel": channel,
        "start_at": start_at,
        "offsets_s": list(offsets_s),
        "values": list(values),
    }


def measurements(
    module_id: str,
    channel: int,
    start_at: int,
    averages: Sequence[int],
    minima: Sequence[int] = (),
    maxima: Sequence[int] = (),
    *,
    step_s: int = 3600,
    kind: str = "ARCHIVED",
    missing: Sequence[int] = (),
    sensor_kind: str | None = None,
) -> Described:
    """A ChannelMeasurements."""
    return {
        "module_id": module_id,
        "channel": channel,
        "kind": kind,
        "sensor_kind": sensor_kind,
        "start_at": start_at,
        "step_s": step_s,
        "averages": list(averages),
        "minima": list(minima),
        "maxima": list(maxima),
        "missing": list(missing),
    }


def module_event(
    module_id: str,
    kind: str,
    phase: str,
    occurred_at: int,
    channel: int | None = None,
    value: int | None = None,
    command_id: str | None = None,
) -> Described:
    """A ModuleEvent."""
    return {
        "module_id": module_id,
        "channel": channel,
        "kind": kind,
        "phase": phase,
        "occurred_at": occurred_at,
        "value": value,
        "command_id": command_id,
    }


def module_state(
    module_id: str, observed_at: int, module_clock_at: int | None = None, battery_mv: int | None = None
) -> Described:
    """A ModuleState."""
    return {
        "module_id": module_id,
        "observed_at": observed_at,
        "module_clock_at": module_clock_at,
        "battery_mv": battery_mv,
        "signal_dbm": None,
        "firmware": None,
        "packet_mode": "UNSPECIFIED",
        "relay_path": [],
    }


def session(
    power: str = "UNSPECIFIED", signal_dbm: int | None = None, backlog_packets: int | None = None
) -> Described:
    """A SessionState."""
    return {
        "power": power,
        "supply_mv": None,
        "signal_dbm": signal_dbm,
        "backlog_packets": backlog_packets,
        "backlog_from_at": None,
    }


def module(
    module_id: str,
    settings: Sequence[tuple[int, str, str | None]] = (),
    batteries: Sequence[tuple[str, int]] = (),
    *,
    version: int = 1,
    state: str = "ACTIVE",
) -> Described:
    """A ModuleDescribed; settings are (valid_from, packet_mode, concentrator_id)."""
    return {
        "module_id": module_id,
        "version": version,
        "state": state,
        "settings": [
            {"valid_from": since, "packet_mode": mode, "concentrator_id": concentrator}
            for since, mode, concentrator in settings
        ],
        "batteries": [{"battery_type": kind, "fitted_at": at} for kind, at in batteries],
    }


def concentrator(
    concentrator_id: str,
    settings: Sequence[tuple[int, str]] = (),
    batteries: Sequence[tuple[str, int]] = (),
    *,
    variant: str = "MAINS",
    version: int = 1,
    state: str = "ACTIVE",
) -> Described:
    """A ConcentratorDescribed; settings are (valid_from, session_plan)."""
    return {
        "concentrator_id": concentrator_id,
        "version": version,
        "state": state,
        "variant": variant,
        "sim_payer": "UTILITY",
        "object_path": [],
        "settings": [{"valid_from": since, "session_plan": plan} for since, plan in settings],
        "batteries": [{"battery_type": kind, "fitted_at": at} for kind, at in batteries],
    }


def edit(
    edit_id: str,
    usage_point_id: str,
    start_at: int,
    end_at: int,
    values: Sequence[int] | None = None,
    *,
    of_conflict: str = "UNSPECIFIED",
    decided_at: int = 0,
    version: int = 1,
    state: str = "STANDING",
) -> Described:
    """A ReadingEditDecided: an EDIT with values, a CONFIRM without."""
    return {
        "edit_id": edit_id,
        "version": version,
        "state": state,
        "action": "CONFIRM" if values is None else "EDIT",
        "usage_point_id": usage_point_id,
        "start_at": start_at,
        "end_at": end_at,
        "values": list(values or ()),
        "of_conflict": of_conflict,
        "reason": "METER_CHECKED",
        "decided_by": "account-1",
        "decided_at": decided_at,
    }


def weather_day(
    object_path: Sequence[str],
    kind: str,
    name: str,
    day_start_at: int,
    values: Sequence[int | None],
    *,
    version: int = 1,
) -> Described:
    """A WeatherDayReported."""
    return {
        "object_path": list(object_path),
        "kind": kind,
        "name": name,
        "day_start_at": day_start_at,
        "step_s": 3600,
        "values": list(values),
        "version": version,
        "reported_at": day_start_at,
    }


def packet(
    sequence: int,
    received_at: int,
    archives: Sequence[Described] = (),
    registers: Sequence[Described] = (),
    *,
    concentrator_id: str = "J-1",
    measurements: Sequence[Described] = (),
    module_events: Sequence[Described] = (),
    module_states: Sequence[Described] = (),
    session: Described | None = None,
    clock_ahead_s: int = 0,
) -> Described:
    """A ConcentratorPacketReceived."""
    return {
        "packet_id": f"{concentrator_id}-{sequence}",
        "concentrator_id": concentrator_id,
        "sequence": sequence,
        "sent_at": received_at + clock_ahead_s * 1000,
        "received_at": received_at,
        "archives": list(archives),
        "registers": list(registers),
        "measurements": list(measurements),
        "module_events": list(module_events),
        "module_states": list(module_states),
        "session": session,
    }
