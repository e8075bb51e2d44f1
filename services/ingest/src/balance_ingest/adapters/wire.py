"""Between the contract's records and the domain's values; instants on the wire are raw milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.errors import BadRecord
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource

from balance_ingest.domain.days import HOUR_S
from balance_ingest.domain.edits import LONGEST_EDIT_S, Edit
from balance_ingest.domain.findings import Severity
from balance_ingest.domain.history import FOREVER, Meter
from balance_ingest.domain.packets import (
    ARCHIVED_RANK,
    MAX_ID_LENGTH,
    MAX_SEQUENCE,
    Archive,
    Element,
    Measurements,
    ModuleEvent,
    ModuleState,
    Packet,
    Registers,
    Session,
    is_id,
)
from balance_ingest.domain.sensor_kinds import kind_of
from balance_ingest.ports import DescribedChannel, DescribedUsagePoint

PACKET = "balance.v1.ConcentratorPacketReceived"
USAGE_POINT = "balance.v1.UsagePointDescribed"
BALANCE_GROUP = "balance.v1.BalanceGroupDescribed"
MODULE = "balance.v1.ModuleDescribed"
CONCENTRATOR = "balance.v1.ConcentratorDescribed"
READING_EDIT = "balance.v1.ReadingEditDecided"
READINGS = "balance.v1.ReadingDaysComputed"
FINDING = "balance.v1.FindingChanged"

_RANKS = {"CURRENT": 0, "ARCHIVED": ARCHIVED_RANK}
_EARLIEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
_LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
_FITTED_FROM = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp())
_RESOURCES = list(Resource)
_QUALITIES = list(Quality)
_MAX_WEIGHT = 10**9
_MAX_REGISTER = 10**15
_MAX_FLOW = 10**12
_MAX_EDITED = 10**15
_MAX_REASON = 200
_READ_FROM = int(datetime(1996, 1, 1, tzinfo=UTC).timestamp())
"""No evidence, and so no reading, is older (§2.5)."""
MAX_HISTORY = 1000
"""Meters, or fittings, of one usage point: comparing two histories takes the square of it."""


def from_wire_packet(value: Mapping[str, Any]) -> Packet:
    """A packet; raises BadRecord for one that cannot be placed (docs/domain.md §2.5)."""
    check_id("packet_id", value["packet_id"])
    check_id("concentrator_id", value["concentrator_id"])
    sequence, received = value["sequence"], value["received_at"] // 1000
    if not 0 <= sequence <= MAX_SEQUENCE:
        raise BadRecord(
            f"expected a sequence from 0 to 2^62 - 1, found {sequence}: let the edge number packets anew"
        )
    if not _EARLIEST <= received < _LATEST:
        raise BadRecord(
            f"expected received_at in the years 2000 to 2099, found {received} s after 1970; "
            "set the clock of the edge"
        )
    return Packet(
        packet_id=value["packet_id"],
        concentrator_id=value["concentrator_id"],
        sequence=sequence,
        received=received,
        archives=[_archive(archive) for archive in value["archives"]],
        registers=[_registers(registers) for registers in value["registers"]],
        sent=value["sent_at"] // 1000,
        measurements=[_measurements(one) for one in value["measurements"]],
        events=[_event(event) for event in value["module_events"]],
        states=[_state(state) for state in value["module_states"]],
        session=value["session"] and _session(value["session"]),
    )


def _archive(value: Mapping[str, Any]) -> Archive:
    return Archive(
        value["module_id"],
        value["channel"],
        _RANKS.get(value["kind"]),
        value["start_at"] // 1000,
        value["step_s"],
        value["values"],
        value["missing"],
        value["register_start"],
        value["register_end"],
    )


def _registers(value: Mapping[str, Any]) -> Registers:
    return Registers(
        value["module_id"],
        value["channel"],
        value["start_at"] // 1000,
        value["offsets_s"],
        value["values"],
    )


def _measurements(value: Mapping[str, Any]) -> Measurements:
    return Measurements(
        value["module_id"],
        value["channel"],
        _RANKS.get(value["kind"]),
        value["start_at"] // 1000,
        value["step_s"],
        value["averages"],
        value["minima"],
        value["maxima"],
        value["missing"],
        value["sensor_kind"],
    )


def _event(value: Mapping[str, Any]) -> ModuleEvent:
    return ModuleEvent(
        value["module_id"],
        value["channel"],
        value["kind"],
        value["phase"],
        value["occurred_at"] // 1000,
        value["value"],
        value["command_id"],
    )


def _state(value: Mapping[str, Any]) -> ModuleState:
    return ModuleState(
        value["module_id"],
        value["observed_at"] // 1000,
        _seconds(value["module_clock_at"]),
        value["battery_mv"],
        value["signal_dbm"],
        value["firmware"],
        value["packet_mode"],
        value["relay_path"],
    )


def _session(value: Mapping[str, Any]) -> Session:
    return Session(
        value["power"],
        value["supply_mv"],
        value["signal_dbm"],
        value["backlog_packets"],
        _seconds(value["backlog_from_at"]),
    )


def _seconds(milliseconds: int | None) -> int | None:
    return None if milliseconds is None else milliseconds // 1000


def check_id(field: str, text: str) -> None:
    """Raises BadRecord for what is no id."""
    if not is_id(text):
        raise BadRecord(
            f"expected {field} of 1 to 64 characters, found {len(text)}: correct it where it is set"
        )


def from_wire_usage_point(value: Mapping[str, Any]) -> DescribedUsagePoint:
    """A described usage point; raises BadRecord for what cannot be one."""
    name = value["usage_point_id"]
    check_id("usage_point_id", name)
    check_range("version", value["version"], 0, 2**63 - 1)
    for field in ("meters", "channels"):
        check_range(f"the number of {field}", len(value[field]), 0, MAX_HISTORY)
    deleted = value["state"] == "DELETED"
    meters = () if deleted else tuple(sorted(map(_meter, value["meters"]), key=lambda m: m.fitted))
    channels = () if deleted else tuple(sorted(map(_channel, value["channels"]), key=lambda c: c.fitted))
    kind = value.get("sensor_kind")
    if kind is not None:
        check_id("sensor_kind", kind)
    return DescribedUsagePoint(name, value["version"], Resource(value["resource"]), meters, channels, kind)


def _meter(value: Mapping[str, Any]) -> Meter:
    check_range("pulse_weight", value["pulse_weight"], 1, _MAX_WEIGHT)
    check_range("register_digits", value["register_digits"], 1, 15)
    check_range("q_max", value["q_max"], 0, _MAX_FLOW)
    for field in ("initial_register", "final_register"):
        if value[field] is not None:
            check_range(field, value[field], 0, _MAX_REGISTER)
    return Meter(
        fitted=instant("fitted_at", value["fitted_at"]),
        removed=_end("removed_at", value["removed_at"]),
        weight=value["pulse_weight"],
        digits=value["register_digits"],
        q_max=value["q_max"],
        initial=value["initial_register"],
        final=value["final_register"],
    )


def _channel(value: Mapping[str, Any]) -> DescribedChannel:
    check_id("module_id", value["module_id"])
    check_range("channel", value["channel"], 0, 15)
    return DescribedChannel(
        key=(value["module_id"], value["channel"]),
        fitted=instant("fitted_at", value["fitted_at"]),
        removed=_end("removed_at", value["removed_at"]),
    )


def from_wire_reading_edit(value: Mapping[str, Any], calendar: Calendar) -> Edit:
    """A decision about readings; raises BadRecord for one that cannot be carried out."""
    check_id("edit_id", value["edit_id"])
    check_id("usage_point_id", value["usage_point_id"])
    check_range("version", value["version"], 0, 2**63 - 1)
    for field in ("reason", "decided_by"):
        if len(value[field]) > _MAX_REASON or "\x00" in value[field]:
            raise BadRecord(f"expected {field} of up to {_MAX_REASON} characters, found {len(value[field])}")
    start, end = (value[field] // 1000 for field in ("start_at", "end_at"))
    check_range("start_at", start, _READ_FROM, _LATEST)
    check_range("end_at", end, _READ_FROM, _LATEST)
    late = start - int(calendar.day_start(datetime.fromtimestamp(start, UTC)).timestamp())
    if late % HOUR_S or (end - start) % HOUR_S or not start < end <= start + LONGEST_EDIT_S:
        raise BadRecord(
            f"expected whole hours, from 1 to {LONGEST_EDIT_S // HOUR_S} of them, "
            f"found {start} to {end} s after 1970: correct the span of the edit"
        )
    if value["state"] not in ("STANDING", "WITHDRAWN"):
        raise BadRecord(f"expected state STANDING or WITHDRAWN, found {value['state']}")
    action, values = value["action"], value["values"]
    if action not in ("EDIT", "CONFIRM"):
        raise BadRecord(f"expected action EDIT or CONFIRM, found {action}")
    hours = (end - start) // HOUR_S if action == "EDIT" else 0
    if len(values) != hours:
        raise BadRecord(f"expected {hours} values for an {action} of this span, found {len(values)}")
    for one in values:
        check_range("values", one, -_MAX_EDITED, _MAX_EDITED)
    return Edit(
        edit_id=value["edit_id"],
        version=value["version"],
        standing=value["state"] == "STANDING",
        usage_point=value["usage_point_id"],
        start=start,
        end=end,
        decided=instant("decided_at", value["decided_at"]),
        values=tuple(values) if action == "EDIT" else None,
        of_conflict=value["of_conflict"],
        reason=value["reason"],
        decided_by=value["decided_by"],
    )


def instant(field: str, milliseconds: int) -> int:
    """Seconds since 1970 of an instant in the years 1900 to 2099; raises BadRecord for others."""
    check_range(field, milliseconds // 1000, _FITTED_FROM, _LATEST)
    return int(milliseconds // 1000)


def _end(field: str, milliseconds: int | None) -> int:
    return FOREVER if milliseconds is None else instant(field, milliseconds)


def check_range(field: str, number: int, least: int, most: int) -> None:
    """Raises BadRecord for a number that is not from the least to the most."""
    if not least <= number <= most:
        raise BadRecord(
            f"expected {field} from {least} to {most}, found {number}: correct it in the register"
        )


def to_json_element(element: Element | ModuleEvent | ModuleState) -> dict[str, Any]:
    """A refused element as it came, for a jsonb column, which holds no NUL."""
    held = {name: _without_nul(value) for name, value in element._asdict().items()}
    if isinstance(element, Archive | Measurements):
        held["rank"] = None if element.rank is None else int(element.rank > 0)
    return held


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd")
    if isinstance(value, Sequence):
        return [_without_nul(one) if isinstance(one, str) else one for one in value]
    return value


def to_wire_reading_day(row: Sequence[Any]) -> dict[str, Any]:
    """A ReadingDay of (usage_point_id, resource, day, version, values, qualities, minima, maxima, and the
    kind that is kept beside them).
    """
    name, resource, day, version, values, qualities, minima, maxima, kind = row
    return {
        "usage_point_id": name,
        "resource": _RESOURCES[resource],
        "unit": _RESOURCES[resource].unit,
        "day_start_at": day * 1000,
        "step_s": HOUR_S,
        "version": version,
        "values": values,
        "qualities": [_QUALITIES[code] for code in qualities] if qualities else [],
        "minima": minima or [],
        "maxima": maxima or [],
        "sensor_kind": kind_of(_RESOURCES[resource], kind),
    }


def to_wire_finding(row: Mapping[str, Any]) -> dict[str, Any]:
    """A FindingChanged of a row of `ingest.findings`."""
    return {
        "finding_id": row["finding_id"],
        "version": row["version"],
        "state": "OPEN" if row["open"] else "WITHDRAWN",
        "rule": row["rule"],
        "severity": Severity(row["severity"]).name,
        "usage_point_id": row["usage_point_id"],
        # The id of a refused element may be as long as its packet, and a topic takes only so much.
        "module_id": row["module_id"] and row["module_id"][:MAX_ID_LENGTH],
        "channel": row["channel"],
        "concentrator_id": row["concentrator_id"],
        "interval_start_at": _milliseconds(row["interval_start"]),
        "interval_end_at": _milliseconds(row["interval_end"]),
        "expected": row["expected"],
        "found": row["found"],
        "message": row["message"],
        "changed_at": _milliseconds(row["changed_at"]),
    }


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
