"""What each consumer group of this service makes of a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from balance_chassis.errors import BadRecord
from balance_chassis.framing import decoded
from balance_kernel.calendar import Calendar
from balance_schemas.codec import Codec

from balance_ingest.adapters import wire, wire_described
from balance_ingest.domain.edits import Edit
from balance_ingest.domain.packets import Packet
from balance_ingest.domain.plans import DescribedConcentrator, DescribedModule
from balance_ingest.ports import DescribedUsagePoint

PACKETS_GROUP = "ingest-packets"
PACKETS_BACKLOG_GROUP = "ingest-packets-backlog"
ASSETS_GROUP = "ingest-assets"
READING_EDITS_GROUP = "ingest-reading-edits"

NOT_OURS = "an asset that says nothing about readings"
"""What `decode_asset` makes of a record of the register that says nothing about readings."""

Asset = DescribedUsagePoint | DescribedModule | DescribedConcentrator | str


def decode_packet(codec: Codec, _calendar: Calendar, data: bytes | None) -> Packet:
    """A packet of framed bytes; `codec` gives raw timestamps. Raises BadRecord."""
    name, value = decoded(codec, data)
    if name != wire.PACKET:
        raise BadRecord(f"expected {wire.PACKET}, found {name}: written to the wrong topic")
    return wire.from_wire_packet(value)


def decode_asset(codec: Codec, _calendar: Calendar, data: bytes | None) -> Asset:
    """An asset of framed bytes, or NOT_OURS, as is a tombstone. Raises BadRecord."""
    if data is None:
        return NOT_OURS
    name, value = decoded(codec, data)
    if name == wire.USAGE_POINT:
        return wire.from_wire_usage_point(value)
    if name == wire.MODULE:
        return wire_described.from_wire_module(value)
    if name == wire.CONCENTRATOR:
        return wire_described.from_wire_concentrator(value)
    if name == wire.BALANCE_GROUP:
        return NOT_OURS
    raise BadRecord(f"expected an asset such as {wire.USAGE_POINT}, found {name}: written to the wrong topic")


def decode_reading_edit(codec: Codec, calendar: Calendar, data: bytes | None) -> Edit:
    """A decision about readings of framed bytes. Raises BadRecord."""
    name, value = decoded(codec, data)
    if name != wire.READING_EDIT:
        raise BadRecord(f"expected {wire.READING_EDIT}, found {name}: written to the wrong topic")
    return wire.from_wire_reading_edit(value, calendar)


Decode = Callable[[Codec, Calendar, bytes | None], object]

CONSUMERS: Mapping[str, Decode] = {
    PACKETS_GROUP: decode_packet,
    PACKETS_BACKLOG_GROUP: decode_packet,
    ASSETS_GROUP: decode_asset,
    READING_EDITS_GROUP: decode_reading_edit,
}
"""By consumer group of the catalogue: framed bytes to what its handler takes."""
