"""The register's tables as the domain reads them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from balance_kernel.plans import Allowance
from balance_kernel.quantity import Resource, Role
from psycopg import Connection

from balance_imbalance.adapters.queries import statement
from balance_imbalance.domain.equipment import ChannelFitting, Equipment, ThermometerSpan
from balance_imbalance.domain.register import (
    FOREVER,
    DescribedPoint,
    GroupProblem,
    Membership,
    Meter,
    ProblemSpan,
)
from balance_imbalance.domain.resolving import Entry

_ROLES = list(Role)
_RESOURCES = list(Resource)


def read_meters(conn: Connection[Any], usage_points: Sequence[int]) -> Mapping[int, Sequence[Meter]]:
    """Meters of these usage points in the order fitted; those without are left out."""
    found: defaultdict[int, list[Meter]] = defaultdict(list)
    for point, *meter in _rows(conn, "meters", usage_points=list(usage_points)):
        found[point].append(Meter(*meter))
    return found


def read_memberships(conn: Connection[Any], groups: Sequence[int]) -> Mapping[int, Sequence[Membership]]:
    """Resolved memberships of these groups in the order of the register; groups without are left out."""
    found: defaultdict[int, list[Membership]] = defaultdict(list)
    rows = _rows(conn, "memberships", groups=list(groups))
    for group, point, role, coefficient, valid_from, valid_to in rows:
        found[group].append(Membership(point, _ROLES[role], coefficient, valid_from, valid_to))
    return found


def read_entries(conn: Connection[Any], groups: Sequence[int]) -> Mapping[str, Sequence[Entry]]:
    """Entries of these groups and of every group that one of them reaches, by id, in the order of the
    register; a group without has none.
    """
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for name, *entry in conn.execute(
        statement("entries_reached"), {"groups": list(groups), "forever": FOREVER}
    ):
        entries = found[name]
        if entry[2] is not None:
            point, nested, role, coefficient, valid_from, valid_to = entry
            entries.append(Entry(point, nested, _ROLES[role], coefficient, valid_from, valid_to))
    return found


def read_channels(
    conn: Connection[Any], usage_points: Sequence[int]
) -> Mapping[int, Sequence[ChannelFitting]]:
    """Channels of these usage points; those without are left out."""
    found: defaultdict[int, list[ChannelFitting]] = defaultdict(list)
    if usage_points:
        asked = {"usage_points": list(usage_points), "forever": FOREVER}
        for point, *channel in conn.execute(statement("channels"), asked):
            found[point].append(ChannelFitting(*channel))
    return found


def read_problems(conn: Connection[Any], groups: Sequence[int]) -> Mapping[int, Sequence[ProblemSpan]]:
    """Problems of these groups, ascending; groups without are left out."""
    found: defaultdict[int, list[ProblemSpan]] = defaultdict(list)
    rows = conn.execute(statement("problems"), {"groups": list(groups), "forever": FOREVER})
    for group, problem, start, end in rows:
        found[group].append(ProblemSpan(GroupProblem(problem), start, end))
    return found


def read_resources(conn: Connection[Any], groups: Sequence[int]) -> Mapping[int, Resource]:
    """What is metered by each of these groups."""
    rows = conn.execute(statement("resources_of_groups"), {"groups": list(groups)})
    return {group: _RESOURCES[resource] for group, resource in rows}


def read_points(conn: Connection[Any], usage_points: Iterable[int]) -> Mapping[int, DescribedPoint]:
    """What the register says of each of these usage points."""
    rows = conn.execute(statement("described_points"), {"usage_points": sorted(set(usage_points))})
    return {
        point: DescribedPoint(name, _RESOURCES[resource], tuple(path), outdoor)
        for point, name, resource, path, outdoor in rows
    }


def read_equipment(conn: Connection[Any], usage_points: Iterable[int]) -> Equipment:
    """Allowances and thermometers of these usage points."""
    asked = sorted(set(usage_points))
    allowances: defaultdict[int, list[Allowance]] = defaultdict(list)
    for point, start, end, days in _rows(conn, "allowances", usage_points=asked):
        allowances[point].append(Allowance(start, end, days))
    thermometers: defaultdict[int, list[ThermometerSpan]] = defaultdict(list)
    for point, start, end, thermometer in _rows(conn, "thermometers", usage_points=asked):
        thermometers[point].append(ThermometerSpan(start, end, thermometer))
    return Equipment(allowances, thermometers)


def _rows(conn: Connection[Any], name: str, **asked: Sequence[int]) -> Sequence[tuple[Any, ...]]:
    """All at once and binary: these are read with every transaction of the worker."""
    with conn.cursor(binary=True) as cur:
        return cur.execute(statement(name), {**asked, "forever": FOREVER}).fetchall()
