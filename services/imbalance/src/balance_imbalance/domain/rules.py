"""The settings that take part in the figures, and the words for what they say (docs/domain.md §4)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

from balance_imbalance.domain.weather import HEATING_BASE

ALGORITHM_VERSION = 2
"""Raised with every change of the computation that can change a figure."""

PPM = 1_000_000
PAST_DAYS_USED = 14
LEAST_PAST = 4
"""With fewer days of its own past a member is estimated from other members (§4.2)."""
MOST_SUM = 10**17
"""Greatest size of a sum or a tolerance, in base units; a day of them fits in 64 bits (§4.3)."""


class Coverage(IntEnum):
    """How much of a group was heard (§4.4): names are the symbols of the contract, numbers what tables
    hold.
    """

    UNSPECIFIED = 0
    COMPLETE = 1
    ESTIMATED = 2
    UNRELIABLE = 3
    NOT_COMPUTABLE = 4


class Verdict(IntEnum):
    """What an imbalance says (§4.6): names are the symbols of the contract, numbers what tables hold."""

    UNSPECIFIED = 0
    WITHIN_TOLERANCE = 1
    LOSS = 2
    SURPLUS = 3
    UNDECIDED = 4


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings of the computation. ``settings_hash`` travels with every result."""

    unreliable_share: float = 0.30
    """Share of the missing above which a result is UNRELIABLE, 0 to 1."""
    in_service_factor: float = 1.0
    """f: how many times its class a meter in service may err; 1 for new meters."""
    batch_correlation: float = 0.0
    """ρ: correlation of the errors of one batch of members' meters, 0 to 1."""
    lookback_days: int = 28
    """How many metering days back a silent member's own past is looked for."""
    unmetered_days: int = 7
    """After so many days of silence, and its allowance, a usage point counts as unmetered."""
    clock_s: int = 180
    """δ: what the clocks of meters may differ by, standard uncertainty in seconds."""
    idle_share: float = 0.1
    """z: share of time an idle meter passes a flow just below its starting flow, 0 to 1."""
    base_temperature: float = 20.0
    """Temperature of gas at base conditions, °C."""
    grace_s: int = 36 * 3600
    """How long after its end a day is computed although nobody reported."""
    heating_base: int = HEATING_BASE
    """Outdoor temperature below which buildings are heated, thousandths of a degree Celsius."""

    @property
    def unreliable_share_ppm(self) -> int:
        """The same in millionths."""
        return round(self.unreliable_share * PPM)

    @property
    def settings_hash(self) -> str:
        """`hash_of` those that take part in a group-day. The grace only says when a silent day is one."""
        return self.hash_of([field.name for field in fields(self) if field.name != "grace_s"])

    def hash_of(self, names: Sequence[str]) -> str:
        """16 hexadecimal digits; equal for equal settings of these names."""
        named = tuple((name, getattr(self, name)) for name in names)
        return hashlib.sha256(repr(named).encode()).hexdigest()[:16]
