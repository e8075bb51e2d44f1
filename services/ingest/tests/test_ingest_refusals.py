"""What a refused element may be: long, often repeated, heavy. None of it may stop a lane or the publisher."""

from __future__ import annotations

from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_ingest.adapters import wire
from balance_ingest.domain.packets import Archive, Packet
from balance_schemas import catalogue

DAY = 1_773_093_600
House = Any  # of conftest.py, which cannot be imported


def archive(**given: Any) -> dict[str, Any]:
    """One hour of a module."""
    told = {
        "module_id": "R-1",
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": DAY * 1000,
        "step_s": 3600,
        "values": [1],
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    return told | given


NO_TELEMETRY: dict[str, Any] = {"measurements": [], "module_events": [], "module_states": [], "session": None}


def packet(sequence: int, *archives: dict[str, Any]) -> dict[str, Any]:
    """Received the day after."""
    received = (DAY + 90_000) * 1000
    told = {"packet_id": "P", "concentrator_id": "J-1", "sequence": sequence, "sent_at": received}
    return told | {"received_at": received, "archives": list(archives), "registers": []} | NO_TELEMETRY


@pytest.mark.stack
def test_a_finding_about_an_endless_id_fits_in_its_topic(house: House) -> None:
    """An id of the size of a packet would be in the finding three times over, and stay unsent for ever."""
    house.hear(packet(1, archive(module_id="\x00" * 500_000)))
    ((topic, finding),) = [each for each in house.published() if each[0] == catalogue.FINDINGS]
    assert topic == catalogue.FINDINGS
    assert finding["rule"] == "vee.absurd_value"
    assert sum(len(str(value)) for value in finding.values()) < 2000
    assert len(finding["module_id"]) == 64
    assert finding["found"] == "one of 500000"


@pytest.mark.stack
@pytest.mark.parametrize("order", [[1, 3, 2], [3, 2, 1]])
def test_of_thousands_of_refusals_of_one_thing_the_greatest_stands(house: House, order: list[int]) -> None:
    """One statement keeps them, whatever their number and order."""
    refused = [archive(values=[2**40 + n]) for n in range(2000)]
    house.hear(*(packet(sequence, *refused) for sequence in order))
    ((sequence, element, version),) = house.rows("SELECT sequence, element, version FROM ingest.findings")
    assert (sequence, element["values"], version) == (3, [2**40 + 1999], 1)


@pytest.mark.parametrize("step", [-5, 0, 1, 900])
def test_values_weigh_whatever_step_they_claim(step: int) -> None:
    """Or a batch of light packets holds a thousand times what memory has room for."""
    heavy = Packet("P", "J-1", 1, DAY, [Archive("R-1", 1, 0, DAY, step, [0] * 960_000)])
    assert heavy.weight == 10_001


def test_an_endless_history_is_refused() -> None:
    """Comparing it with the one before would hold the register's lock, and thereby the sinks, for hours."""
    fitting = {"module_id": "R-1", "channel": 1, "fitted_at": 0, "removed_at": 1}
    told = {"usage_point_id": "UP", "version": 1, "state": "ACTIVE", "resource": "GAS", "meters": []}
    assert len(wire.from_wire_usage_point(told | {"channels": [fitting] * 1000}).channels) == 1000
    with pytest.raises(BadRecord, match="the number of channels from 0 to 1000, found 1001"):
        wire.from_wire_usage_point(told | {"channels": [fitting] * 1001})
