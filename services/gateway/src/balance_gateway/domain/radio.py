"""What modules cost the radio of a concentrator (docs/domain.md §3.17)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from balance_kernel.plans import FOREVER

from balance_gateway.domain.kinds import Entity
from balance_gateway.domain.problems import Problem

PACKETS_A_DAY: Mapping[str, Fraction] = {
    "DAILY": Fraction(1),
    "INTRADAY_60": Fraction(24),
    "INTRADAY_30": Fraction(48),
    "INTRADAY_15": Fraction(96),
    "WEEKLY": Fraction(1, 7),
    "MONTHLY": Fraction(1, 30),
}
BUDGET = 240
"""Packets a day that a concentrator's radio gathers, and modules that it knows."""
RADIO_BUDGET = "radio-budget"
"""The rule's name: it may be accepted that a change exceeds it."""

Settings = Mapping[str, Sequence[Mapping[str, Any]]]
"""By module its settings, in order of time."""


def over_budget(changed: Sequence[Entity], settings: Settings) -> Iterator[Problem]:
    """Modules whose concentrator has more than its budget from when they are set up so.

    `settings` are those of all modules that stand, of the concentrators that the changed ones name.
    """
    wanted = {entity.name: entity for entity in changed}
    spans = _by_concentrator({**settings, **{name: one.value["settings"] for name, one in wanted.items()}})
    for name, entity in wanted.items():
        for position, setting in enumerate(entity.value["settings"]):
            gathered = spans.get(setting["concentrator_id"] or "", ())
            at = setting["valid_from"]
            packets = sum((cost for start, end, cost in gathered if start <= at < end), Fraction(0))
            if packets > BUDGET:
                words = f"expected at most {BUDGET} packets a day at {setting['concentrator_id']}"
                yield Problem(
                    f"module/{name}", ("settings", position), f"{words}, found {float(packets):.1f} then"
                )


def packets_a_day(settings: Settings, concentrator: str, at: int) -> Fraction:
    """What a concentrator's radio gathers a day at an instant, in ms since 1970."""
    spans = _by_concentrator(settings).get(concentrator, ())
    return sum((cost for start, end, cost in spans if start <= at < end), Fraction(0))


def _by_concentrator(settings: Settings) -> dict[str, list[tuple[int, int, Fraction]]]:
    """Spans (start, end, packets a day) that each concentrator gathers."""
    found: dict[str, list[tuple[int, int, Fraction]]] = {}
    for each in settings.values():
        ends = [later["valid_from"] for _, later in pairwise(each)] + [FOREVER]
        for setting, end in zip(each, ends, strict=bool(each)):
            if setting["concentrator_id"] is not None:
                cost = PACKETS_A_DAY.get(setting["packet_mode"], Fraction(1))
                found.setdefault(setting["concentrator_id"], []).append((setting["valid_from"], end, cost))
    return found
