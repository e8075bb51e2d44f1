"""Raw register readings of five real meters with real faults (DAIAD, Alicante)."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import Days
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.packets import Packet, Registers
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource

REAL_DATA = Path(os.environ.get("BALANCE_REAL_DATA") or Path(__file__).parents[4] / "shared" / "data")
ZONE = "Europe/Madrid"
DAYS = Days(Calendar(ZONE, 0))
LITRE, QMAX = 1000, 5_000_000


@cache
def meters() -> dict[str, list[tuple[int, int]]]:
    """(instant, litres) by meter."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    with (REAL_DATA / "water_daiad_raw_readings_dirty.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            local = datetime.fromisoformat(row["local_time"]).replace(tzinfo=ZoneInfo(ZONE))
            found[row["user"]].append((int(local.timestamp()), int(float(row["meter_reading_litre"]))))
    return found


def computed(name: str) -> Computed:
    """Readings of one meter from all of its registers."""
    user = next(user for user in meters() if name in user)
    told = sorted(meters()[user])
    first, last = told[0][0], told[-1][0]
    entry = Registers(user, 1, first, [t - first for t, _ in told], [litres for _, litres in told])
    found = harvest([Packet("P", "J", 1, last, [], [entry])], DAYS, Limits())
    assert not found.refusals
    meter, fitting = Meter(0, FOREVER, LITRE, 9, QMAX), Fitting(0, user, 1, 0, FOREVER)
    point = UsagePoint(1, user, Resource.WATER, (meter,), (fitting,))
    return compute(point, DAYS.between(first, last), by_channel(found.blocks, found.points), DAYS, 0)


def faults(result: Computed) -> list[tuple[str, str]]:
    """(rule, what was found) but for hours missing at the ends."""
    return [(f.rule, f.found) for f in result.findings if f.rule != "vee.missing"]


@pytest.mark.parametrize("name", ["9348c9bb", "219ffd09", "12913a45", "1de2cf65", "3bff485c"])
def test_no_hour_is_negative_or_more_than_the_meter_can_pass(name: str) -> None:
    values = [v for day in computed(name).readings for v in day.values if v is not None]
    assert values
    assert min(values) >= 0
    assert max(values) < 300_000


def test_two_devices_under_one_key_are_one_finding() -> None:
    ((rule, found),) = faults(computed("9348c9bb"))
    assert rule == "vee.two_devices"
    assert "248," in found


def test_jumps_and_falls_are_quarantined_with_their_numbers() -> None:
    found = faults(computed("1de2cf65"))
    assert [rule for rule, _ in found] == ["vee.negative_consumption"] * 3
    for size in ("-12)", "-12,288)", "-3,076)"):
        assert any(size in text for _, text in found)
    ((rule, text),) = faults(computed("12913a45"))
    assert rule == "vee.negative_consumption"
    assert "-22)" in text


def test_a_litre_back_between_two_collectors_is_silent() -> None:
    told = sorted(next(told for user, told in meters().items() if "219ffd09" in user))
    assert any(after[1] - before[1] == -1 for before, after in pairwise(told))
    assert not faults(computed("219ffd09"))
