"""Groups of the register as entered, and what they resolve to. Whoever changes these holds ASSETS alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from balance_chassis.postgres import copy_binary
from balance_kernel.calendar import Calendar
from psycopg import Connection

from balance_imbalance.adapters.queries import SCHEMA, statement
from balance_imbalance.adapters.register_rows import (
    read_entries,
    read_memberships,
    read_problems,
    read_resources,
)
from balance_imbalance.adapters.spans import as_end, as_instant, day_columns
from balance_imbalance.domain.messages import Group
from balance_imbalance.domain.register import (
    LATEST_UNMETERED_DAYS,
    ChangedSpan,
    Membership,
    ProblemSpan,
    changed_memberships,
    differing,
)
from balance_imbalance.domain.resolving import Resolving

GroupDays = Sequence[tuple[int, datetime]]

_SPAN = ("valid_from", "valid_to"), ("timestamptz", "timestamptz")
_MEMBERSHIP = (
    ("balance_group", "ordinal", "usage_point", "role", "coefficient_ppm", *_SPAN[0]),
    ("int4", "int4", "int4", "int2", "int8", *_SPAN[1]),
)
_ENTRY = (
    ("balance_group", "ordinal", "usage_point", "nested_group", "role", "coefficient_ppm", *_SPAN[0]),
    ("int4", "int4", "int4", "text", "int2", "int8", *_SPAN[1]),
)
_PROBLEM = ("balance_group", "problem", *_SPAN[0]), ("int4", "int2", *_SPAN[1])


def groups_touched(conn: Connection[Any], groups: Sequence[Group]) -> Sequence[str]:
    """Ids of the groups described by a message and of those that reach one of them.

    By the entries that are held: a way that the message makes begins with a group that it describes.
    """
    if not groups:
        return []
    rows = conn.execute(statement("groups_reaching"), {"group_ids": [group.group_id for group in groups]})
    return [group_id for (group_id,) in rows]


def describe_groups(
    conn: Connection[Any], calendar: Calendar, groups: Sequence[Group], numbers: Mapping[str, int]
) -> set[tuple[int, datetime]]:
    """Keep descriptions of a greater version, resolve every group that reaches one of them, and give the
    group-days that differ.
    """
    if not groups:
        return set()
    named = {"group_ids": [group.group_id for group in groups]}
    before = dict(conn.execute(statement("numbers_of_groups"), named).fetchall())
    resources = read_resources(conn, sorted(before.values()))
    newer = _keep(conn, groups)
    if not newer:
        return set()
    kept = [group for group in groups if group.group_id in newer]
    _replace_entries(conn, {newer[group.group_id]: group for group in kept}, numbers)
    others = {newer[group.group_id]: group.resource for group in kept if group.group_id in before}
    marked = [group for group, resource in others.items() if resources[group] is not resource]
    rows = conn.execute(statement("groups_reaching"), {"group_ids": sorted(newer)}).fetchall()
    names = conn.execute(statement("numbers_of_groups"), {"group_ids": [name for (name,) in rows]})
    return {
        *conn.execute(statement("days_of_groups"), {"groups": marked}).fetchall(),
        *_resolve(conn, calendar, dict(names.fetchall())),
    }


def _keep(conn: Connection[Any], groups: Sequence[Group]) -> Mapping[str, int]:
    """Numbers of the groups whose version was greater, by id."""
    rows = conn.execute(
        statement("describe_groups"),
        {
            "group_ids": [group.group_id for group in groups],
            "names": [group.name for group in groups],
            "resources": [group.resource.code for group in groups],
            "versions": [group.version for group in groups],
        },
    )
    return dict(rows.fetchall())


def _replace_entries(conn: Connection[Any], given: Mapping[int, Group], numbers: Mapping[str, int]) -> None:
    conn.execute(statement("forget_entries"), {"groups": sorted(given)})
    rows = (
        (
            number,
            ordinal,
            None if m.group_id else numbers[m.usage_point_id],
            m.group_id,
            m.role.code,
            m.coefficient_ppm,
            as_instant(m.valid_from),
            as_end(m.valid_to),
        )
        for number, group in given.items()
        for ordinal, m in enumerate(group.memberships)
    )
    with conn.cursor() as cur:
        copy_binary(cur, f"{SCHEMA}.entries", *_ENTRY, rows)


def _resolve(
    conn: Connection[Any], calendar: Calendar, groups: Mapping[str, int]
) -> set[tuple[int, datetime]]:
    """Resolve groups afresh, keep what differs, and give the group-days that differ by it."""
    numbers = sorted(groups.values())
    resolving = Resolving(read_entries(conn, numbers))
    resolved = {groups[name]: resolving.resolve(name) for name in sorted(groups)}
    memberships, problems = read_memberships(conn, numbers), read_problems(conn, numbers)
    moved = {
        group: (memberships.get(group, []), new.memberships)
        for group, new in resolved.items()
        if memberships.get(group, []) != new.memberships
    }
    troubled = {
        group: (problems.get(group, []), new.problems)
        for group, new in resolved.items()
        if problems.get(group, []) != new.problems
    }
    _replace_memberships(conn, {group: new for group, (_, new) in moved.items()})
    _replace_problems(conn, {group: new for group, (_, new) in troubled.items()})
    conn.execute(statement("refill_groups"), {"groups": sorted(moved)})
    return {
        *_days_of_memberships(conn, calendar, moved),
        *_days_of_problems(conn, calendar, troubled),
    }


def _replace_memberships(conn: Connection[Any], given: Mapping[int, Sequence[Membership]]) -> None:
    if not given:
        return
    conn.execute(statement("forget_memberships"), {"groups": sorted(given)})
    rows = (
        (
            group,
            ordinal,
            m.usage_point,
            m.role.code,
            m.coefficient_ppm,
            as_instant(m.valid_from),
            as_end(m.valid_to),
        )
        for group, memberships in given.items()
        for ordinal, m in enumerate(memberships)
    )
    with conn.cursor() as cur:
        copy_binary(cur, f"{SCHEMA}.memberships", *_MEMBERSHIP, rows)


def _replace_problems(conn: Connection[Any], given: Mapping[int, Sequence[ProblemSpan]]) -> None:
    if not given:
        return
    conn.execute(statement("forget_problems"), {"groups": sorted(given)})
    rows = (
        (group, int(span.problem), as_instant(span.start), as_end(span.end))
        for group, spans in given.items()
        for span in spans
    )
    with conn.cursor() as cur:
        copy_binary(cur, f"{SCHEMA}.group_problems", *_PROBLEM, rows)


def _days_of_memberships(
    conn: Connection[Any],
    calendar: Calendar,
    changed: Mapping[int, tuple[Sequence[Membership], Sequence[Membership]]],
) -> GroupDays:
    spans = [(group, span) for group, (old, new) in changed.items() for span in changed_memberships(old, new)]
    if not spans:
        return []
    days = day_columns(calendar, [span for _, span in spans], LATEST_UNMETERED_DAYS)
    columns = {"groups": [group for group, _ in spans], **days}
    return conn.execute(statement("days_of_changed_memberships"), columns).fetchall()


def _days_of_problems(
    conn: Connection[Any],
    calendar: Calendar,
    changed: Mapping[int, tuple[Sequence[ProblemSpan], Sequence[ProblemSpan]]],
) -> GroupDays:
    spans = [
        ChangedSpan(group, start, end)
        for group, sides in changed.items()
        for start, end in differing(*([(s.start, s.end, s.problem) for s in set(side)] for side in sides))
    ]
    if not spans:
        return []
    return conn.execute(statement("days_of_changed_problems"), day_columns(calendar, spans)).fetchall()
