"""Of what a hostile hand writes, or a device out of its mind: it costs no more than its size."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from time import process_time
from typing import Any

import pytest
from balance_ingest.adapters import wire
from balance_ingest.adapters.device_json import record_of
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Packet
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
PATIENCE_S = 4.0


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
