"""Who was heard: by any element of a packet, accepted or refused (docs/domain.md §3.18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from balance_ingest.domain.packets import Packet, is_id

Hearing = tuple[int, str]
"""(receipt, concentrator): the greater one is the last."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The last hearing of each module, and the newest receipt of each concentrator."""

    modules: Mapping[str, Hearing]
    concentrators: Mapping[str, int]


def heard_of(packets: Iterable[Packet]) -> Heard:
    """Whom some packets let hear of."""
    modules: dict[str, Hearing] = {}
    concentrators: dict[str, int] = {}
    for packet in packets:
        hearing = packet.received, packet.concentrator_id
        concentrators[packet.concentrator_id] = max(
            packet.received, concentrators.get(packet.concentrator_id, 0)
        )
        elements = (packet.archives, packet.registers, packet.measurements, packet.events, packet.states)
        for module in {element.module_id for kind in elements for element in kind}:
            if modules.get(module, hearing) <= hearing:
                modules[module] = hearing
    return Heard({name: hearing for name, hearing in modules.items() if is_id(name)}, concentrators)
