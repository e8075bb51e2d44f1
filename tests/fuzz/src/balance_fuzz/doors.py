"""What must hold for any bytes at the doors of ingest: they are refused as BadRecord, or pass the rules."""

from __future__ import annotations

import json
from collections.abc import Mapping

from balance_chassis.errors import BadRecord
from balance_ingest.adapters.wire import to_json_element
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import Days
from balance_ingest.domain.packets import Packet
from balance_ingest.domain.screening import Limits
from balance_ingest.entrypoints.kafka import CONSUMERS
from balance_kernel.calendar import Calendar
from balance_schemas import avsc, catalogue, examples
from balance_schemas.codec import Codec

CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
CALENDAR = Calendar("Europe/Chisinau", 0)
DAYS = Days(CALENDAR)
LIMITS = Limits()
DOORS = tuple(CONSUMERS)
"""Consumer groups of ingest."""


def enter(group: str, data: bytes | None) -> bool:
    """Whether bytes are let in; what is let in passes the rules. Any exception of this is a bug."""
    try:
        value = CONSUMERS[group](CODEC, CALENDAR, data)
    except BadRecord:
        return False
    if isinstance(value, Packet):
        pass_rules(value)
    return True


def pass_rules(packet: Packet) -> None:
    """Screen and cut a packet, and write what was refused as the database takes it."""
    assert packet.weight > 0
    found = harvest([packet], DAYS, LIMITS)
    assert found.days(DAYS) <= DAYS.hours_by_start.keys()
    for block in found.blocks:
        assert len(block.folded()) <= len(block)
    for refusal in found.refusals:
        written = json.dumps([to_json_element(refusal.element), refusal.finding.message])
        assert "\\u0000" not in written, "jsonb holds no NUL"


def corpus() -> Mapping[str, bytes]:
    """Every example of what ingest reads, as bytes, by a name of its own."""
    found = {}
    groups = catalogue.groups()
    for group in DOORS:
        for example in examples.of_topic(groups[group].name):
            found[f"{group}.{example.name}"] = CODEC.encode(example.record, example.value)
    return found
