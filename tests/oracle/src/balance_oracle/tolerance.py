"""The tolerance of an imbalance (domain.md §4.5), exact but for square roots, which have 50 digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction

from balance_oracle.settings import Settings

MILLION = 10**6
PRECISE = Context(prec=50)


@dataclass(frozen=True)
class MeterTerm:
    """What one meter brings in: Σ x·e with e in ppm, its largest pulse weight, its coefficient in ppm."""

    error_ppm: int
    pulse: int
    coefficient: int

    @property
    def weighted_error(self) -> Fraction:
        return Fraction(self.coefficient * self.error_ppm, MILLION**2)

    @property
    def weighted_pulse_square(self) -> Fraction:
        return Fraction(self.coefficient * self.pulse, MILLION) ** 2


@dataclass(frozen=True)
class EstimateTerm:
    """The squares u² of the hours of one member that were estimated, and its coefficient in millionths."""

    coefficient: int
    variances: Sequence[Fraction]

    def square(self) -> Decimal:
        """(c · Σ u)²; errors of the hours of one member add linearly."""
        total = sum((_decimal(variance).sqrt() for variance in self.variances), Decimal(0))
        return (total * self.coefficient / MILLION) ** 2


def tolerance(
    supply: Sequence[MeterTerm],
    members: Sequence[MeterTerm],
    estimates: Iterable[EstimateTerm],
    settings: Settings,
) -> int:
    """T = ⌊2u + ½⌋ in base units."""
    rho = settings.batch_correlation
    classes = (
        sum((term.weighted_error**2 for term in supply), Fraction(0))
        + (1 - rho) * sum((term.weighted_error**2 for term in members), Fraction(0))
        + rho * sum((term.weighted_error for term in members), Fraction(0)) ** 2
    )
    pulses = sum((term.weighted_pulse_square for term in (*supply, *members)), Fraction(0))
    exact = settings.in_service_factor**2 * classes / 3 + pulses / 6
    with localcontext(PRECISE):
        square = _decimal(exact) + sum((term.square() for term in estimates), Decimal(0))
        return int((2 * square.sqrt() + Decimal("0.5")).to_integral_value(ROUND_FLOOR))


def _decimal(fraction: Fraction) -> Decimal:
    return Decimal(fraction.numerator) / Decimal(fraction.denominator)
