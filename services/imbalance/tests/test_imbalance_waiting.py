"""An operator sees what waits: markers by kind and lane with the age of the oldest, and nightly days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from balance_chassis.lanes import BACKLOG, LIVE, RECOMPUTATION
from balance_chassis.markers import Markers
from balance_imbalance.adapters.postgres_waiting import read_waiting
from balance_imbalance.domain.kinds import INADEQUACY
from balance_imbalance.metrics import ImbalanceMetrics
from prometheus_client import CollectorRegistry

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported


def test_what_waits_is_told_by_kind_and_lane(house: House) -> None:
    registry = CollectorRegistry()
    metrics = ImbalanceMetrics(registry)

    def look() -> None:
        waiting = read_waiting(house.pool)
        metrics.waiting(waiting.markers, waiting.done_to)

    def told(name: str, kind: str, lane: str) -> float | None:
        return registry.get_sample_value(f"balance_imbalance_{name}", {"kind": kind, "lane": lane})

    days = [datetime.fromtimestamp(house.day_start(day), UTC) for day in range(3)]
    with house.pool.connection() as conn:
        conn.execute("TRUNCATE imbalance.markers, imbalance.inadequacy_markers")
        Markers("imbalance").add(conn, [(1, day) for day in days], LIVE)
        Markers("imbalance").add(conn, [(1, days[0])], RECOMPUTATION)
        Markers("imbalance", INADEQUACY.markers).add(conn, [(7, days[1])], BACKLOG)
        conn.execute("UPDATE imbalance.inadequacy_markers SET marked_at = clock_timestamp() - INTERVAL '1 h'")
        conn.execute("UPDATE imbalance.nightly SET done_to = '-infinity'")
        conn.execute("UPDATE imbalance.nightly SET done_to = %s WHERE kind = 'inadequacy'", [days[1]])
    look()
    numbers = [told("markers_waiting", "group_day", lane) for lane in ("live", "backlog", "recomputation")]
    assert numbers == [3, 0, 1]
    assert told("markers_waiting", "inadequacy", "backlog") == 1
    assert 3600 <= (told("markers_oldest_seconds", "inadequacy", "backlog") or 0) < 3700
    assert told("markers_oldest_seconds", "forecast", "live") == 0
    name = "balance_imbalance_nightly_done_to_timestamp_seconds"
    assert registry.get_sample_value(name, {"kind": "inadequacy"}) == days[1].timestamp()
    assert registry.get_sample_value(name, {"kind": "forecast"}) is None
    with house.pool.connection() as conn:
        conn.execute("TRUNCATE imbalance.markers, imbalance.inadequacy_markers")
    look()
    assert told("markers_waiting", "group_day", "live") == 0
    assert told("markers_oldest_seconds", "inadequacy", "backlog") == 0
