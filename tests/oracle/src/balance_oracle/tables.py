"""From everything sent to the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from balance_oracle.balances import all_group_days, described_points, make_known
from balance_oracle.days import MeteringDays
from balance_oracle.delivery import Delivery
from balance_oracle.edits import decisions_by_point
from balance_oracle.evidence import gather, is_bad_record
from balance_oracle.imbalance import GroupDay
from balance_oracle.known import Known
from balance_oracle.plans import make_plans
from balance_oracle.readings import Everything, Extreme, compute_readings, evidence_days
from balance_oracle.settings import Settings
from balance_oracle.telemetry import Telemetry, listen

ReadingDay = tuple[list[int | None], list[str]]
Described = Mapping[str, Any]


@dataclass(frozen=True)
class Tables:
    """What the tables must hold in the end; instants in milliseconds.

    ``readings``: (usage_point_id, day_start_ms) → (values, qualities) by hour.
    ``group_days``: (group_id, day_start_ms) → figures as in GroupDayComputed, without version and history.
    ``findings``: (rule, subject, interval_start_ms); the subject is a usage point, ``module/channel``, a
    module or a concentrator.
    ``usage_points``: ids of all that were described.
    ``extremes``: (usage_point_id, day_start_ms) → (least, greatest) by hour, of sensors that tell any.
    ``spans``: the findings with the end of their interval too, (rule, subject, start_ms, end_ms).
    ``telemetry``: module events, states and sessions, in seconds.
    ``backlog_expected``: concentrators of which more is to come.
    ``known``, ``balanced``, ``clock``: what group-days follow from, these with all that they consist of, and
    the clock, for whoever asks for what follows from them; in seconds.
    """

    readings: dict[tuple[str, int], ReadingDay]
    group_days: dict[tuple[str, int], dict[str, Any]]
    findings: set[tuple[str, str, int]]
    usage_points: frozenset[str]
    extremes: dict[tuple[str, int], list[Extreme]] = field(default_factory=dict)
    spans: frozenset[tuple[str, str, int, int]] = frozenset()
    telemetry: Telemetry = field(default_factory=Telemetry, compare=False)
    backlog_expected: frozenset[str] = frozenset()
    known: Known | None = field(default=None, compare=False)
    balanced: tuple[GroupDay, ...] = field(default=(), compare=False)
    clock: int = 0


def compute(
    packets: Sequence[Described],
    usage_points: Iterable[Described],
    balance_groups: Iterable[Described],
    *,
    zone: str,
    modules: Iterable[Described] = (),
    concentrators: Iterable[Described] = (),
    edits: Iterable[Described] = (),
    weather: Iterable[Described] = (),
    day_start_hour: int = 0,
    clock: int | None = None,
    settings: Settings | None = None,
) -> Tables:
    """The tables of docs/domain.md for everything that was sent.

    ``packets`` are shaped like ConcentratorPacketReceived, the assets like UsagePointDescribed,
    BalanceGroupDescribed, ModuleDescribed and ConcentratorDescribed in their final version, ``edits`` like
    ReadingEditDecided and ``weather`` like WeatherDayReported in any versions, all instants in integer
    milliseconds. ``clock`` is the installation's clock in milliseconds; without it, the newest receipt.
    """
    settings = settings or Settings()
    days = MeteringDays(zone, day_start_hour)
    if clock is None:
        clock = max((p["received_at"] for p in packets if not is_bad_record(p)), default=0)
    now = clock // 1000
    points = described_points(usage_points)
    evidence, telemetry = gather(packets, days, settings), listen(packets, settings)
    plans = make_plans(modules, concentrators)
    given = Everything(evidence, telemetry, plans, evidence_days(evidence, days), days, settings, now)
    found = compute_readings(points.values(), given, decisions_by_point(edits))
    known = make_known(balance_groups, points, plans, found.hours, weather, days, settings)
    balanced = tuple(all_group_days(known, now))
    results = {(one.group.group_id, one.day * 1000): one.figures() for one in balanced}
    delivery = Delivery(telemetry, plans, points.values(), days, settings, now)
    findings = found.findings | evidence.findings | telemetry.findings
    if settings.applies("delivery"):
        findings |= delivery.findings()
    return Tables(
        {
            (usage_point_id, day * 1000): ([value for value, _ in hours], [quality for _, quality in hours])
            for (usage_point_id, day), hours in found.hours.items()
        },
        results,
        {(rule, subject, start * 1000) for rule, subject, start, _ in findings},
        frozenset(points),
        {(usage_point_id, day * 1000): pairs for (usage_point_id, day), pairs in found.extremes.items()},
        frozenset((rule, subject, start * 1000, end * 1000) for rule, subject, start, end in findings),
        telemetry,
        frozenset(delivery.backlog_expected()),
        known,
        balanced,
        now,
    )
