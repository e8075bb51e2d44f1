"""From everything sent to the tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.evidence import Finding, gather, is_bad_record
from balance_oracle.fittings import usage_point
from balance_oracle.groups import group, group_days
from balance_oracle.imbalance import GroupDay
from balance_oracle.readings import compute_readings
from balance_oracle.settings import Settings

ReadingDay = tuple[list[int | None], list[str]]


@dataclass(frozen=True)
class Tables:
    """What the tables must hold in the end; instants in milliseconds.

    ``readings``: (usage_point_id, day_start_ms) → (values, qualities) by hour.
    ``group_days``: (group_id, day_start_ms) → figures as in GroupDayComputed, without version and history.
    ``findings``: (rule, subject, interval_start_ms); the subject is a usage point or ``module/channel``.
    ``usage_points``: ids of all that were described.
    """

    readings: dict[tuple[str, int], ReadingDay]
    group_days: dict[tuple[str, int], dict[str, Any]]
    findings: set[Finding]
    usage_points: frozenset[str]


def compute(
    packets: Sequence[Mapping[str, Any]],
    usage_points: Iterable[Mapping[str, Any]],
    balance_groups: Iterable[Mapping[str, Any]],
    *,
    zone: str,
    day_start_hour: int = 0,
    clock: int | None = None,
    settings: Settings | None = None,
) -> Tables:
    """The tables of docs/domain.md for everything that was sent.

    ``packets`` are shaped like ConcentratorPacketReceived, the assets like UsagePointDescribed and
    BalanceGroupDescribed in their final version, all instants in integer milliseconds. ``clock`` is the
    installation's clock in milliseconds; without it, the newest receipt.
    """
    settings = settings or Settings()
    days = MeteringDays(zone, day_start_hour)
    if clock is None:
        clock = max((p["received_at"] for p in packets if not is_bad_record(p)), default=0)
    now = clock // 1000
    points = {point.usage_point_id: point for point in map(usage_point, usage_points)}
    evidence = gather(packets, days, settings)
    readings, findings = compute_readings(points.values(), evidence, days, settings, now)
    reading_days: dict[str, set[int]] = defaultdict(set)
    for usage_point_id, day in readings:
        reading_days[usage_point_id].add(day)
    results = {
        (one.group_id, day * 1000): GroupDay(one, day, points, readings, days, settings).figures()
        for one in map(group, balance_groups)
        for day in group_days(one, reading_days, days, now - settings.grace)
    }
    return Tables(
        {
            (usage_point_id, day * 1000): ([value for value, _ in hours], [quality for _, quality in hours])
            for (usage_point_id, day), hours in readings.items()
        },
        results,
        {(rule, subject, at * 1000) for rule, subject, at in findings | evidence.findings},
        frozenset(points),
    )
