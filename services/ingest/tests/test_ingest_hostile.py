"""Of what a hostile hand writes, or a device out of its mind: it costs no more than its size."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import numpy as np
import pytest
from balance_ingest.adapters import wire
from balance_ingest.adapters.device_json import record_of
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.edits import Edit
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Packet, Registers
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import MAX_VALUES, Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
PATIENCE_S = 4.0
VALID, SUSPECT = Quality.VALID.code, Quality.SUSPECT.code


def archive(**given: Any) -> Archive:
    """3,000 hours that end with the day."""
    start = DAYS.day_of(DAY - 124 * DAY_S)
    return Archive("R-1", 1, ARCHIVED_RANK, start, HOUR_S, [1] * 3000)._replace(**given)


def packet(*archives: Archive) -> Packet:
    """A packet of the day after."""
    return Packet("P-1", "J-1", 1, DAY + 2 * DAY_S, archives, sent=DAY + 2 * DAY_S)


def test_a_position_missing_any_number_of_times_is_missing_once() -> None:
    begun = process_time()
    (often,) = harvest([packet(archive(missing=[2] * 3_000_000))], DAYS, Limits()).blocks[:1]
    assert process_time() - begun < PATIENCE_S
    (once,) = harvest([packet(archive(missing=[2]))], DAYS, Limits()).blocks[:1]
    assert often.slots.there.tolist() == once.slots.there.tolist()
    assert not once.slots.there.all()


@pytest.mark.parametrize("field", ["archives", "measurements"])
def test_gaps_are_found_beside_any_number_of_missing_positions(field: str) -> None:
    many = 60_000
    values = "values" if field == "archives" else "averages"
    run = {"module_id": "R-1", "channel": 1, "kind": "ARCHIVED", "start_at": 0, "step_s": 3600}
    run |= {values: [None] * many, "missing": list(range(many, 2 * many))}
    document = {"packet_id": "P-1", "concentrator_id": "J-1", "sequence": 1, "sent_at": 0, "received_at": 0}
    begun = process_time()
    (read,) = record_of(json.loads(json.dumps(document | {field: [run]})), wire.PACKET)[field]
    assert process_time() - begun < PATIENCE_S
    assert sorted(read["missing"]) == list(range(2 * many))


def fitted(weight: int, q_max: int) -> UsagePoint:
    """A usage point whose SUSPECT hours are all confirmed."""
    meter = Meter(DAY - DAY_S, FOREVER, weight, 15, q_max, None, None)
    confirmed = Edit("E-1", 1, True, "UP-1", DAY, DAY + 2 * DAY_S, 1, None, "UNSPECIFIED", "R", "o")
    fitting = Fitting(7, "R-1", 1, DAY - DAY_S, FOREVER)
    return UsagePoint(1, "UP-1", Resource.WATER, (meter,), (fitting,), decisions=(confirmed,))


def read(point: UsagePoint, *readings: tuple[int, int]) -> Computed:
    """Two days of it, from registers at seconds after the first day's start."""
    lists = [
        Registers("R-1", 1, DAY, *zip(*readings[first : first + MAX_VALUES], strict=True))
        for first in range(0, len(readings), MAX_VALUES)
    ]
    told = Packet("P-1", "J-1", 1, DAY + 3 * DAY_S, registers=lists)
    points = harvest([told], DAYS, Limits()).points.keyed(np.array([7]))
    return compute(point, DAYS.between(DAY, DAY + 2 * DAY_S), by_channel([], points), DAYS, 0)


@pytest.mark.parametrize(
    ("most", "quality", "value"),
    [(24 * 10**6, VALID, 10**15), (24 * 10**6 + 24, SUSPECT, None), (10**15, SUSPECT, None)],
)
def test_no_hour_is_confirmed_that_no_message_could_hold(most: int, quality: int, value: int | None) -> None:
    day, _ = read(fitted(10**9, 0), (0, 0), (DAY_S, most), (2 * DAY_S, most)).readings
    assert {*day.qualities} == {quality}
    assert {*day.values} == {value}


def test_many_impossible_seconds_make_no_possible_hour() -> None:
    seconds = [(second, 9 * 10**8 * second) for second in range(HOUR_S + 1)]
    day, *_ = read(fitted(10**9, 0), *seconds, (2 * DAY_S, 9 * 10**8 * HOUR_S)).readings
    assert day.qualities[0] == SUSPECT


def test_registers_of_every_other_second_are_read_in_their_time() -> None:
    counted = [(second, second) for second in range(0, 2 * DAY_S + 1, 2)]
    begun = process_time()
    days = read(fitted(10, 10**9), *counted).readings
    assert process_time() - begun < PATIENCE_S
    assert days[0].values == [HOUR_S * 10] * 24
