"""When a battery will be empty, by its type and by how often the device sends (docs/domain.md §3.19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from balance_kernel.plans import DAILY, UNSPECIFIED, PlanSpan

from balance_ingest.domain.days import DAY_S
from balance_ingest.domain.history import FOREVER
from balance_ingest.domain.plans import BatteryFitting

MODULE = "MODULE"
CONCENTRATOR = "CONCENTRATOR"

LifeTable = Mapping[tuple[str, str, str], int]
"""Life in days by (MODULE or CONCENTRATOR, battery type, packet mode or session plan)."""


def forecast_end(
    table: LifeTable, device: str, battery: BatteryFitting, spans: Sequence[PlanSpan]
) -> int | None:
    """The instant at which the used share of a battery reaches 1, cut to the second; None: not known.

    `spans` are the plans of the device in order of time; where they say nothing it is DAILY.
    """
    left = Fraction(1)
    for start, end, plan in _since(battery.fitted, spans):
        life_d = table.get((device, battery.battery_type, plan))
        if life_d is None:
            return None
        lasts = left * life_d * DAY_S
        if end == FOREVER or lasts <= end - start:
            return start + int(lasts)
        left -= Fraction(end - start, life_d * DAY_S)
    raise AssertionError("the last span goes on for ever")


def _since(instant: int, spans: Sequence[PlanSpan]) -> Sequence[tuple[int, int, str]]:
    """(start, end, plan) without gaps from an instant on."""
    found: list[tuple[int, int, str]] = []
    for span in spans:
        if span.end <= instant:
            continue
        if span.start > instant:
            found.append((instant, span.start, DAILY))
        plan = DAILY if span.plan == UNSPECIFIED else span.plan
        found.append((max(span.start, instant), span.end, plan))
        instant = span.end
    if instant < FOREVER:
        found.append((instant, FOREVER, DAILY))
    return found


def in_use(batteries: Sequence[BatteryFitting]) -> list[tuple[BatteryFitting, int]]:
    """Batteries in the order fitted, each with the instant from which the next is in use.

    Of those fitted at one instant the last.
    """
    by_instant = {battery.fitted: battery for battery in batteries}
    instants = sorted(by_instant)
    return [(by_instant[at], until) for at, until in pairwise([*instants, FOREVER])]
