"""Records of the contract to what the domain knows, and back (schemas: instants are raw milliseconds)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from balance_chassis.errors import BadRecord
from balance_kernel.calendar import HOUR_S, Calendar
from balance_kernel.quantity import Quality, Resource, Role

from balance_imbalance.domain.messages import Group, NamedMembership, ReadingDay, ReadingDays, UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter

READING_DAYS = "balance.v1.ReadingDaysComputed"
USAGE_POINT = "balance.v1.UsagePointDescribed"
OTHER_ASSETS = frozenset({"balance.v1.ModuleDescribed", "balance.v1.ConcentratorDescribed"})
"""What the register also describes and no balance depends on."""
GROUP = "balance.v1.BalanceGroupDescribed"
GROUP_DAY = "balance.v1.GroupDayComputed"

MOST_VALUE = 10**13
"""Greatest size of an hour's value and of a pulse weight that is believed, in base units; no reading that
validation lets through is greater, and 18,000 members of it still add up over a day in 64 bits.
"""
MOST_COEFFICIENT_PPM = 10**9
_MOST_ID_LENGTH = 256
_EARLIEST_MS = -2_208_988_800_000
_LATEST_MS = 7_258_118_400_000
"""1900 and 2200: what lies outside is no instant of metering."""

_QUALITY_CODES = {quality.value: quality.code for quality in Quality}
_WITH_VALUE = frozenset(q.code for q in (Quality.VALID, Quality.ESTIMATED, Quality.EDITED))
_VALID = Quality.VALID.code
_ROLES = {role.value: role for role in Role}
_RESOURCES = {resource.value: resource for resource in Resource}


def from_wire_reading_days(value: Mapping[str, Any], calendar: Calendar) -> ReadingDays:
    """A batch of reading days. Raises BadRecord for days that cannot be of this installation."""
    clock_at = _instant(value["clock_at"], "clock_at")
    return ReadingDays(clock_at, [_reading_day(day, calendar) for day in value["days"]])


def from_wire_usage_point(value: Mapping[str, Any]) -> UsagePoint:
    """A usage point and its meters. Raises BadRecord for absurd numbers."""
    usage_point_id = _id(value["usage_point_id"], "usage_point_id")
    deleted = value["state"] == "DELETED"
    meters = [] if deleted else [_meter(meter, usage_point_id) for meter in value["meters"]]
    return UsagePoint(usage_point_id, value["version"], meters)


def from_wire_group(value: Mapping[str, Any]) -> Group:
    """A balance group and its memberships. Raises BadRecord for absurd numbers."""
    group_id = _id(value["group_id"], "group_id")
    deleted = value["state"] == "DELETED"
    memberships = [] if deleted else [_membership(member, group_id) for member in value["members"]]
    resource = _RESOURCES[value["resource"]]
    if "\x00" in value["name"]:
        raise BadRecord(f"{group_id}: expected a name without NUL, found {value['name'][:80]!r}")
    return Group(group_id, value["version"], resource, value["name"], memberships)


def to_wire_group_day(row: Mapping[str, Any]) -> dict[str, Any]:
    """A GroupDayComputed of a row of the query `current_group_days`."""
    resource = list(Resource)[row["resource"]]
    names = ("supply", "members", "imbalance", "tolerance", "coverage", "verdict")
    counts = ("members_due", "members_reported", "missing_share_ppm")
    hours = zip(*(row[f"hour_{name}"] for name in (*names, *counts)), strict=True)
    return {
        "group_id": row["group_id"],
        "resource": resource.value,
        "unit": resource.unit.value,
        "day_start_at": _milliseconds(row["day_start"]),
        "step_s": row["step_s"],
        "version": row["version"],
        "algorithm_version": row["algorithm_version"],
        "settings_hash": row["settings_hash"],
        "computed_at": _milliseconds(row["computed_at"]),
        "day": _span([row[name] for name in (*names, *counts)]),
        "hours": [_span(hour) for hour in hours],
        "missing_usage_points": row["missing_usage_points"],
        "previous": row["previous"] and _previous(row["previous"]),
    }


_COVERAGES = ("UNSPECIFIED", "COMPLETE", "ESTIMATED", "UNRELIABLE", "NOT_COMPUTABLE")
_VERDICTS = ("UNSPECIFIED", "WITHIN_TOLERANCE", "LOSS", "SURPLUS", "UNDECIDED")


def _span(figures: Sequence[int | None]) -> dict[str, Any]:
    supply, members, imbalance, tolerance, coverage, verdict, due, reported, share = figures
    return {
        "supply": supply,
        "members": members,
        "imbalance": imbalance,
        "tolerance": tolerance,
        "coverage": _COVERAGES[coverage or 0],
        "verdict": _VERDICTS[verdict or 0],
        "members_due": due,
        "members_reported": reported,
        "missing_share_ppm": share,
    }


def _previous(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **figures,
        "coverage": _COVERAGES[figures["coverage"]],
        "verdict": _VERDICTS[figures["verdict"]],
    }


def _reading_day(day: Mapping[str, Any], calendar: Calendar) -> ReadingDay:
    usage_point_id = _id(day["usage_point_id"], "usage_point_id")
    day_start = _instant(day["day_start_at"], "day_start_at")
    values, qualities = day["values"], day["qualities"]
    where = f"reading day of {usage_point_id} at {day_start}"
    if day["step_s"] != HOUR_S or not values or len(values) != _hours(day_start, calendar):
        raise BadRecord(
            f"{where}: expected one value an hour of a metering day of {calendar.zone} starting at "
            f"{calendar.day_start_hour}:00, found {len(values)} values of {day['step_s']} s; "
            "both services must have the same calendar"
        )
    codes = [_QUALITY_CODES[quality] for quality in qualities] if qualities else None
    if codes is not None:
        if len(codes) != len(values):
            raise BadRecord(f"{where}: expected {len(values)} qualities or none, found {len(codes)}")
        values = [value if code in _WITH_VALUE else 0 for value, code in zip(values, codes, strict=True)]
        if all(code == _VALID for code in codes):
            codes = None
    if None in values:
        raise BadRecord(f"{where}: expected a value for every VALID, ESTIMATED or EDITED hour, found null")
    if max(values) > MOST_VALUE or min(values) < -MOST_VALUE:
        raise BadRecord(f"{where}: expected values up to {MOST_VALUE}, found {max(map(abs, values))}")
    return ReadingDay(usage_point_id, day_start, HOUR_S, day["version"], values, codes)


def _hours(day_start: int, calendar: Calendar) -> int:
    """Hours of the metering day that starts then; 0 when none does."""
    instant = datetime.fromtimestamp(day_start, UTC)
    return calendar.hours(instant) if calendar.day_start(instant) == instant else 0


def _meter(meter: Mapping[str, Any], usage_point_id: str) -> Meter:
    weight, class_ppm = meter["pulse_weight"], meter["accuracy_class_ppm"]
    where = f"{usage_point_id}, meter {meter['meter_number']}"
    if not 0 <= weight <= MOST_VALUE or class_ppm < 0:
        raise BadRecord(
            f"{where}: expected a pulse weight of 0 to {MOST_VALUE} and a class not negative, "
            f"found {weight} and {class_ppm}"
        )
    fitted_at, removed_at = _validity(meter["fitted_at"], meter["removed_at"], where)
    return Meter(fitted_at, removed_at, class_ppm, weight)


def _membership(member: Mapping[str, Any], group_id: str) -> NamedMembership:
    point, coefficient = _id(member["usage_point_id"], "usage_point_id"), member["coefficient_ppm"]
    where = f"{group_id}, member {point}"
    if abs(coefficient) > MOST_COEFFICIENT_PPM or member["role"] == Role.UNSPECIFIED:
        raise BadRecord(
            f"{where}: expected SUPPLY or MEMBER with a coefficient up to {MOST_COEFFICIENT_PPM} millionths, "
            f"found {member['role']} with {coefficient}"
        )
    span = _validity(member["valid_from"], member["valid_to"], where)
    return NamedMembership(point, _ROLES[member["role"]], coefficient, *span)


def _validity(start_ms: int, end_ms: int | None, where: str) -> tuple[int, int]:
    start = _instant(start_ms, where)
    return start, FOREVER if end_ms is None else _instant(end_ms, where)


def _instant(milliseconds: int, where: str) -> int:
    if not _EARLIEST_MS <= milliseconds <= _LATEST_MS:
        raise BadRecord(f"{where}: expected an instant of the years 1900 to 2199, found {milliseconds} ms")
    return milliseconds // 1000


def _id(text: str, where: str) -> str:
    if not 0 < len(text) <= _MOST_ID_LENGTH or "\x00" in text:
        raise BadRecord(f"{where}: expected an id of 1 to {_MOST_ID_LENGTH} characters, found {text[:80]!r}")
    return text


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
