"""The fleet of a scenario with nothing left open, and its records for the asset register."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from balance_simulator.checking import Problems
from balance_simulator.quantities import USUAL
from balance_simulator.scenario import ALL, GroupPlan, MembershipPlan, MeterPlan, Scenario, UsagePointPlan

USAGE_POINT = "balance.v1.UsagePointDescribed"
BALANCE_GROUP = "balance.v1.BalanceGroupDescribed"


@dataclass(frozen=True)
class Meter:
    """A meter fitted for a time. Weight and q_max in base units; registers in pulses, None when unknown."""

    number: str
    fitted_at: datetime
    removed_at: datetime | None
    class_ppm: int
    pulse_weight: int
    digits: int
    q_max: int
    initial_register: int | None = None
    final_register: int | None = None


@dataclass(frozen=True)
class UsagePoint:
    """A usage point, its meters in the order fitted, and the module channel that reads it all the time."""

    id: str
    resource: str
    meters: tuple[Meter, ...]
    module: str
    channel: int
    concentrator: str
    path: tuple[str, ...] = ()

    def meter_at(self, second: int) -> Meter:
        """The meter fitted at an epoch second; the first one before any."""
        fitted = [meter for meter in self.meters if meter.fitted_at.timestamp() <= second]
        return fitted[-1] if fitted else self.meters[0]


@dataclass(frozen=True)
class Membership:
    """A usage point on one side of a group; coefficient in millionths."""

    usage_point: str
    coefficient_ppm: int
    valid_from: datetime
    valid_to: datetime | None = None


@dataclass(frozen=True)
class Group:
    """A balance group."""

    id: str
    name: str
    resource: str
    supply: tuple[Membership, ...]
    members: tuple[Membership, ...]


@dataclass(frozen=True)
class Fleet:
    """All usage points by id, and all groups."""

    usage_points: Mapping[str, UsagePoint]
    groups: tuple[Group, ...]

    def described_usage_points(self, version: int = 1) -> list[dict[str, Any]]:
        """UsagePointDescribed records; instants in integer milliseconds."""
        return [_described_usage_point(point, version) for point in self.usage_points.values()]

    def described_groups(self, version: int = 1) -> list[dict[str, Any]]:
        """BalanceGroupDescribed records; instants in integer milliseconds."""
        return [_described_group(group, version) for group in self.groups]

    def with_registers(self, registers: Mapping[str, Sequence[tuple[int | None, int | None]]]) -> Fleet:
        """This fleet with (initial, final) registers for meters without; by usage point, a pair a meter."""
        points = dict(self.usage_points)
        for name, pairs in registers.items():
            meters = zip(points[name].meters, pairs, strict=True)
            points[name] = replace(
                points[name], meters=tuple(_with_registers(m, *pair) for m, pair in meters)
            )
        return replace(self, usage_points=points)


def resolve(scenario: Scenario, found: Iterable[str], start: datetime, problems: Problems) -> Fleet:
    """Fill in what a scenario leaves open; `found` are its sources' usage points, `start` its first day.

    A usage point not described is a usual one of the scenario's resource. Groups that name something unknown
    are noted in `problems`.
    """
    plans = {plan.id: plan for plan in scenario.usage_points}
    composed = [c.usage_point for c in scenario.composed]
    for name in dict.fromkeys([*composed, *found]):
        plans.setdefault(name, UsagePointPlan(name, scenario.resource))
    groups = tuple(_group(plan, scenario, plans, start, problems) for plan in scenario.groups)
    sizes = {m.usage_point: len(group.members) for group in groups for m in group.supply}
    points = {
        plan.id: _usage_point(plan, i, scenario, sizes.get(plan.id, 1), start)
        for i, plan in enumerate(plans.values())
    }
    _check_channels(points.values(), problems)
    return Fleet(points, groups)


def _usage_point(
    plan: UsagePointPlan, index: int, scenario: Scenario, size: int, start: datetime
) -> UsagePoint:
    usual = scenario.usual if plan.resource == scenario.resource else MeterPlan()
    ends = [meter.fitted_at for meter in plan.meters[1:]]
    meters = [
        _meter(meter, usual, plan, size, meter.fitted_at or start, end)
        for meter, end in zip(plan.meters, [*ends, None], strict=True)
    ]
    return UsagePoint(
        id=plan.id,
        resource=plan.resource,
        meters=tuple(meters),
        module=plan.module or f"M-{index + 1:05d}",
        channel=plan.channel if plan.channel is not None else int(plan.resource != "TEMPERATURE"),
        concentrator=plan.concentrator or f"J-{index // scenario.modules_per_concentrator + 1:04d}",
        path=plan.path,
    )


def _meter(
    plan: MeterPlan,
    usual: MeterPlan,
    point: UsagePointPlan,
    size: int,
    fitted: datetime,
    removed: datetime | None,
) -> Meter:
    """A meter; one that supplies `size` members may flow as much as all of theirs."""
    kind = USUAL[point.resource]
    mark = zlib.crc32(point.id.encode())
    return Meter(
        number=plan.number or f"{fitted.year % 100:02d}{mark % 1_000_000:06d}",
        fitted_at=fitted,
        removed_at=removed,
        class_ppm=_first(plan.class_ppm, usual.class_ppm, kind.class_ppm),
        pulse_weight=_first(plan.pulse_weight, usual.pulse_weight, kind.pulse_weight),
        digits=_first(plan.digits, usual.digits, kind.digits),
        q_max=_first(plan.q_max, _first(usual.q_max, kind.q_max) * max(1, size)),
        initial_register=plan.initial_register,
        final_register=plan.final_register,
    )


def _first(*values: int | None) -> int:
    return next(value for value in values if value is not None)


def _with_registers(meter: Meter, initial: int | None, final: int | None) -> Meter:
    return replace(
        meter,
        initial_register=meter.initial_register if meter.initial_register is not None else initial,
        final_register=meter.final_register if meter.final_register is not None else final,
    )


def _group(
    plan: GroupPlan,
    scenario: Scenario,
    plans: Mapping[str, UsagePointPlan],
    start: datetime,
    problems: Problems,
) -> Group:
    rest = [p.id for p in plans.values() if p.id not in {m.usage_point for m in plan.supply}]
    supply = _memberships(plan.supply, [], start)
    members = _memberships(plan.members, [r for r in rest if plans[r].resource == scenario.resource], start)
    where = f"fleet.groups {plan.id}"
    for membership in (*supply, *members):
        if membership.usage_point not in plans:
            known = ", ".join(list(plans)[:8])
            problems.note(where, f"usage points of the sources ({known} …)", membership.usage_point)
    resources = {plans[m.usage_point].resource for m in (*supply, *members) if m.usage_point in plans}
    if len(resources) > 1:
        problems.note(where, "usage points of one resource", ", ".join(sorted(resources)))
    both = {m.usage_point for m in supply} & {m.usage_point for m in members}
    if both:
        problems.note(where, "each usage point on one side", f"{', '.join(sorted(both))} on both")
    return Group(plan.id, plan.name, next(iter(resources), scenario.resource), supply, members)


def _memberships(
    plans: Sequence[MembershipPlan], rest: Sequence[str], start: datetime
) -> tuple[Membership, ...]:
    return tuple(
        Membership(name, round(plan.coefficient * 1_000_000), plan.valid_from or start, plan.valid_to)
        for plan in plans
        for name in (rest if plan.usage_point == ALL else [plan.usage_point])
    )


def _check_channels(points: Iterable[UsagePoint], problems: Problems) -> None:
    seen: dict[tuple[str, int], str] = {}
    for point in points:
        other = seen.setdefault((point.module, point.channel), point.id)
        if other != point.id:
            problems.note(f"usage point {point.id}", "a module channel of its own", f"that of {other}")


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else round(instant.timestamp() * 1000)


def _described_usage_point(point: UsagePoint, version: int) -> dict[str, Any]:
    return {
        "usage_point_id": point.id,
        "version": version,
        "state": "ACTIVE",
        "resource": point.resource,
        "sp_id": None,
        "acc_id": None,
        "object_path": list(point.path),
        "meters": [
            {
                "meter_number": meter.number,
                "fitted_at": _ms(meter.fitted_at),
                "removed_at": _ms(meter.removed_at),
                "accuracy_class_ppm": meter.class_ppm,
                "pulse_weight": meter.pulse_weight,
                "register_digits": meter.digits,
                "q_max": meter.q_max,
                "initial_register": meter.initial_register,
                "final_register": meter.final_register,
                "q_start": None,
                "is_temperature_compensated": False,
            }
            for meter in point.meters
        ],
        "channels": [
            {
                "module_id": point.module,
                "channel": point.channel,
                "fitted_at": _ms(point.meters[0].fitted_at),
                "removed_at": None,
            }
        ],
        "sensor_kind": None,
        "is_outdoor": False,
    }


def _described_group(group: Group, version: int) -> dict[str, Any]:
    return {
        "group_id": group.id,
        "version": version,
        "state": "ACTIVE",
        "resource": group.resource,
        "name": group.name,
        "members": [
            {
                "usage_point_id": membership.usage_point,
                "group_id": None,
                "role": role,
                "coefficient_ppm": membership.coefficient_ppm,
                "valid_from": _ms(membership.valid_from),
                "valid_to": _ms(membership.valid_to),
            }
            for role, side in (("SUPPLY", group.supply), ("MEMBER", group.members))
            for membership in side
        ],
    }
