"""The numbers docs/domain.md marks as defaults."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Settings:
    """Settings of an installation that take part in the rules; spans in seconds."""

    skew: int = HOUR
    horizon: int = 1100 * DAY
    grace: int = 36 * HOUR
    unreliable_share_ppm: int = 300_000
    in_service_factor: Fraction = Fraction(1)
    batch_correlation: Fraction = Fraction(0)


def half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator, rounded half up (domain.md §1.3).

    >>> half_up(7, 2), half_up(-7, 2), half_up(-5, 3)
    (4, -3, -2)
    """
    return (2 * numerator + denominator) // (2 * denominator)
