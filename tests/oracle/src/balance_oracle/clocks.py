"""How far a module's clock is ahead on a day (domain.md §3.13)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from balance_oracle.days import MeteringDays
from balance_oracle.settings import HOUR, Settings
from balance_oracle.telemetry import State, Telemetry

OBSERVED_AFTER = 36 * HOUR


@dataclass(frozen=True)
class Drift:
    """What a day knows of a module's clock: whether it is found fault with, and by how much hours move."""

    found: bool = False
    moved_by: int = 0


def drift_on(module: str, day: int, telemetry: Telemetry, days: MeteringDays, settings: Settings) -> Drift:
    """From the observations of the day and the 36 hours after it."""
    if not settings.applies("clocks"):
        return Drift()
    observed = _offsets(telemetry.states.get(module, ()), day, days.end(day) + OBSERVED_AFTER)
    if not observed:
        return Drift()
    if max(observed) - min(observed) > settings.clock_tolerance:
        return Drift(found=True)
    median = sorted(observed)[(len(observed) - 1) // 2]
    if abs(median) <= settings.clock_tolerance:
        return Drift()
    if abs(median) > settings.clock_limit:
        return Drift(found=True)
    return Drift(found=True, moved_by=median)


def _offsets(states: Sequence[State], start: int, end: int) -> list[int]:
    """Seconds ahead of true time, by the observations whose true instant lies in [start, end)."""
    return [
        state.clock - state.at + state.ahead
        for state in states
        if state.clock is not None and start <= state.at - state.ahead < end
    ]
