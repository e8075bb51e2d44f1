"""The rules of imbalance, as pure functions of readings, give the oracle's tables value for value.

Those of ingest are held to it in services/ingest/tests/test_ingest_against_oracle.py.
"""

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
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality
from balance_oracle import Tables
from balance_oracle.fleets import latest
from balance_oracle.worlds import World, make_world
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

COVERAGES = ("UNSPECIFIED", "COMPLETE", "ESTIMATED", "UNRELIABLE", "NOT_COMPUTABLE")
VERDICTS = ("UNSPECIFIED", "WITHIN_TOLERANCE", "LOSS", "SURPLUS", "UNDECIDED")

# A seed says all; smaller seeds make no smaller worlds, so there is nothing to shrink.
often = settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
worlds = st.builds(lambda seed: make_world(Random(seed)), st.integers(0, 2**32))


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
