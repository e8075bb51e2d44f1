"""The settings of onset and hourly alarm (docs/domain.md §8)."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, dataclass

ONSET_VERSION = 1
"""Raised with every change of the rules that can change an onset or an alarm."""


@dataclass(frozen=True, slots=True)
class OnsetRules:
    """``settings_hash`` travels with every result."""

    window_days: int = 56
    """Days before a day of which its baseline may be made."""
    least_days: int = 28
    """How many of them must count."""
    least_spread: float = 0.002
    """σ is never taken smaller, as a share of supply."""
    most_score: float = 20.0
    """z is held within ± this."""
    slack: float = 0.5
    """k: how much of z a day is allowed for nothing."""
    threshold: float = 8.0
    """h: the sum above which the group has changed."""
    size_days: int = 7
    """How many days from the alarm on make the size."""
    watched_days: int = 365
    """How long after its alarm an onset's end is looked for."""
    hour_sigmas: float = 6.0
    """How far above its baseline an hour must be."""

    @property
    def least_hours(self) -> int:
        """How many hours of one clock hour make a baseline."""
        return (self.least_days + 1) // 2

    @property
    def settings_hash(self) -> str:
        """16 hexadecimal digits; equal for equal settings and rules."""
        return hashlib.sha256(repr((ONSET_VERSION, astuple(self))).encode()).hexdigest()[:16]
