"""The numbers docs/domain.md marks as defaults."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Settings:
    """Settings of an installation that take part in the rules; spans in seconds, temperatures in thousandths.

    ``left_out``: names of ``balance_oracle.sections.SECTIONS`` that are not applied.
    """

    skew: int = HOUR
    horizon: int = 1100 * DAY
    grace: int = 36 * HOUR
    unreliable_share_ppm: int = 300_000
    in_service_factor: Fraction = Fraction(1)
    batch_correlation: Fraction = Fraction(0)
    clock_difference: int = 180
    idle_share: Fraction = Fraction(1, 10)
    unmetered_days: int = 7
    base_temperature: int = 20_000
    heating_limit: int = 16_000
    computable_share_ppm: int = 700_000
    network_delay: int = 60
    clock_tolerance: int = 120
    clock_limit: int = 6 * HOUR
    silence: int = 2 * DAY
    unpaid_silence: int = 5 * DAY
    weak_signal_dbm: int = -105
    battery_notice: int = 90 * DAY
    low_battery_mv: int = 3300
    left_out: frozenset[str] = frozenset()

    def applies(self, section: str) -> bool:
        """Whether a section of the page takes part."""
        return section not in self.left_out


def half_up(numerator: int, denominator: int) -> int:
    """numerator / denominator, rounded half up (domain.md §1.3).

    >>> half_up(7, 2), half_up(-7, 2), half_up(-5, 3)
    (4, -3, -2)
    """
    return (2 * numerator + denominator) // (2 * denominator)
