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
) -> Described:
    """A UsagePointDescribed."""
    return {
        "usage_point_id": usage_point_id,
        "version": version,
        "state": state,
        "resource": resource,
        "sp_id": None,
        "acc_id": None,
        "object_path": [],
        "meters": list(meters),
        "channels": list(channels),
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
    }


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


def packet(
    sequence: int,
    received_at: int,
    archives: Sequence[Described] = (),
    registers: Sequence[Described] = (),
    *,
    concentrator_id: str = "J-1",
) -> Described:
    """A ConcentratorPacketReceived."""
    return {
        "packet_id": f"{concentrator_id}-{sequence}",
        "concentrator_id": concentrator_id,
        "sequence": sequence,
        "sent_at": received_at,
        "received_at": received_at,
        "archives": list(archives),
        "registers": list(registers),
        "measurements": [],
        "module_events": [],
        "module_states": [],
        "session": None,
    }
