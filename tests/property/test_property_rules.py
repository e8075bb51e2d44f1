"""The services' rules, as pure functions of all that was said, give the oracle's tables value for value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any

import numpy as np
from balance_imbalance.adapters import wire as imbalance_wire
from balance_imbalance.domain.assembly import GroupHistory, ReadingTable, day_input
from balance_imbalance.domain.figures import GroupDay
from balance_imbalance.domain.group_day import compute as compute_group_day
from balance_imbalance.domain.register import Membership
from balance_imbalance.domain.rules import Rules
from balance_ingest.adapters import wire as ingest_wire
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import Harvest, harvest
from balance_ingest.domain.days import Days
from balance_ingest.domain.history import Fitting, Meter, UsagePoint
from balance_ingest.domain.readings import compute as compute_readings
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource
from balance_oracle import Tables
from balance_oracle.evidence import is_bad_record
from balance_oracle.fittings import seconds
from balance_oracle.fleets import latest
from balance_oracle.worlds import World, make_world
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

GRACE_S = 36 * 3600
MARGIN_S = 40 * 86_400
QUALITIES = [quality.value for quality in Quality]
COVERAGES = ("UNSPECIFIED", "COMPLETE", "ESTIMATED", "UNRELIABLE", "NOT_COMPUTABLE")
VERDICTS = ("UNSPECIFIED", "WITHIN_TOLERANCE", "LOSS", "SURPLUS", "UNDECIDED")

# A seed says all; smaller seeds make no smaller worlds, so there is nothing to shrink.
often = settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
worlds = st.builds(lambda seed: make_world(Random(seed)), st.integers(0, 2**32))


@often
@given(worlds)
def test_ingest_reads_what_the_oracle_reads(world: World) -> None:
    days = Days(Calendar(world.place.zone, world.place.day_start_hour))
    packets = [ingest_wire.from_wire_packet(p) for p in world.packets if not is_bad_record(p)]
    heard = harvest(packets, days, Limits())
    evidence = by_channel(heard.blocks, heard.points)
    span = days.between(world.place.day_starts[0] - MARGIN_S, world.place.end_ms // 1000 + MARGIN_S)
    readings: dict[tuple[str, int], tuple[list[int | None], list[str]]] = {}
    findings: set[tuple[str, str, int]] = set()
    for described in latest(world.fleet.usage_points, "usage_point_id"):
        name = described["usage_point_id"]
        found = compute_readings(
            _usage_point(described, heard), span, evidence, days, heard.received - GRACE_S
        )
        for day in found.readings:
            readings[name, day.day * 1000] = (list(day.values), [QUALITIES[code] for code in day.qualities])
        findings |= {(finding.rule, name, days.day_of(finding.start)) for finding in found.findings}
    tables = world.tables()
    assert readings == tables.readings
    assert findings == {
        (rule, name, days.day_of(at // 1000))
        for rule, name, at in tables.findings
        if name in tables.usage_points
    }


def _usage_point(described: Mapping[str, Any], heard: Harvest) -> UsagePoint:
    numbers = {key: number for number, key in enumerate(heard.channels)}
    gone = described["state"] == "DELETED"
    meters = tuple(
        Meter(
            seconds(m["fitted_at"]),
            seconds(m["removed_at"]),
            m["pulse_weight"],
            m["register_digits"],
            m["q_max"],
            m["initial_register"],
            m["final_register"],
        )
        for m in described["meters"]
    )
    fittings = tuple(
        Fitting(
            numbers.get((c["module_id"], c["channel"]), -1),
            c["module_id"],
            c["channel"],
            seconds(c["fitted_at"]),
            seconds(c["removed_at"]),
        )
        for c in described["channels"]
    )
    resource = Resource(described["resource"])
    name = described["usage_point_id"]
    return UsagePoint(1, name, resource, () if gone else meters, () if gone else fittings)


@often
@given(worlds)
def test_imbalance_computes_what_the_oracle_computes(world: World) -> None:
    tables = world.tables()
    calendar = Calendar(world.place.zone, world.place.day_start_hour)
    points = latest(world.fleet.usage_points, "usage_point_id")
    numbers = {point["usage_point_id"]: number for number, point in enumerate(points)}
    table, complete = _stored(tables, numbers)
    for described in latest(world.fleet.balance_groups, "group_id"):
        history = _history(described, points, numbers)
        for (group_id, start_ms), wanted in tables.group_days.items():
            if group_id != described["group_id"]:
                continue
            start = start_ms // 1000
            instant = datetime.fromtimestamp(start, UTC)
            hours = calendar.hours(instant)
            supply, members = (side.side(table, start, hours) for side in (history.supply, history.members))
            earliest = int(calendar.shift(instant, -28).timestamp())
            found = compute_group_day(day_input(supply, members, complete, start, earliest, hours), Rules())
            assert _spans(found, hours, list(wanted["day"])) == [wanted["day"], *wanted["hours"]]


def _stored(
    tables: Tables, numbers: Mapping[str, int]
) -> tuple[ReadingTable, dict[int, list[tuple[int, Any]]]]:
    """The oracle's readings as this service keeps them, and the complete days newest first."""
    rows: list[tuple[int, datetime, list[int], list[int]]] = []
    complete: dict[int, list[tuple[int, Any]]] = {}
    for (name, start_ms), (values, qualities) in sorted(
        tables.readings.items(), key=lambda item: -item[0][1]
    ):
        shown = [value or 0 for value in values]
        codes = [Quality(quality).code for quality in qualities]
        rows.append((numbers[name], datetime.fromtimestamp(start_ms / 1000, UTC), shown, codes))
        if set(qualities) <= {"VALID", "EDITED"}:
            complete.setdefault(numbers[name], []).append((start_ms // 1000, np.array(shown, np.int64)))
    return ReadingTable.of(rows), complete


def _history(
    described: Mapping[str, Any], points: Sequence[Mapping[str, Any]], numbers: Mapping[str, int]
) -> GroupHistory:
    memberships = [
        Membership(numbers[m.usage_point_id], m.role, m.coefficient_ppm, m.valid_from, m.valid_to)
        for m in imbalance_wire.from_wire_group(described).memberships
    ]
    meters = {
        numbers[point["usage_point_id"]]: imbalance_wire.from_wire_usage_point(point).meters
        for point in points
    }
    return GroupHistory.of(memberships, meters)


def _spans(found: GroupDay, hours: int, names: Sequence[str]) -> list[dict[str, Any]]:
    """The day and its hours as on the wire."""
    spans: list[dict[str, Any]] = [{name: getattr(found.day, name) for name in names}]
    for hour in range(hours):
        span: dict[str, Any] = {name: int(getattr(found.hours, name)[hour]) for name in names}
        if not found.hours.computable[hour]:
            span |= {"supply": None, "imbalance": None, "tolerance": None}
        spans.append(span)
    for span in spans:
        span |= {"coverage": COVERAGES[span["coverage"]], "verdict": VERDICTS[span["verdict"]]}
    return spans
