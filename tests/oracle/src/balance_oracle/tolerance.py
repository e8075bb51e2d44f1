"""The tolerance of an imbalance (domain.md §4.5), exact but for square roots, which have 50 digits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction

from balance_oracle.cells import Row
from balance_oracle.settings import Settings

MILLION = 10**6
MOST = 10**17
PRECISE = Context(prec=50)

Missing = Callable[[Row], Sequence[int]]


@dataclass(frozen=True)
class Terms:
    """The squares of what a standard uncertainty consists of, in base units."""

    classes: Fraction
    pulses: Fraction
    clocks: Fraction
    estimates: Fraction

    @property
    def square(self) -> Fraction:
        return self.classes + self.pulses + self.clocks + self.estimates


def expanded(square: Fraction) -> int:
    """T = ⌊2u + ½⌋ of u²."""
    return expanded_root(root(square))


def root(square: Fraction) -> Decimal:
    with localcontext(PRECISE):
        return (Decimal(square.numerator) / Decimal(square.denominator)).sqrt()


def expanded_root(uncertainty: Decimal) -> int:
    with localcontext(PRECISE):
        return held(int((2 * uncertainty + Decimal("0.5")).to_integral_value(ROUND_FLOOR)))


def verdict(imbalance: int, width: int, unregistered: int) -> str:
    """§4.6, of a span that is reliable."""
    if imbalance > width + unregistered:
        return "LOSS"
    return "SURPLUS" if imbalance < -width else "WITHIN_TOLERANCE"


def held(number: int) -> int:
    """§4.3: sums and tolerances lie within ±10^17."""
    return max(-MOST, min(number, MOST))


def class_square(
    supply: Iterable[Row], members: Iterable[Row], hours: Sequence[int], settings: Settings
) -> Fraction:
    """By the classes of the meters; those of members may err alike."""
    rho = settings.batch_correlation
    of_supply = [_weighted(row, row.errors_ppm(hours)) / MILLION for row in supply]
    of_members = [_weighted(row, row.errors_ppm(hours)) / MILLION for row in members]
    total = _squares(of_supply) + (1 - rho) * _squares(of_members) + rho * sum(of_members, Fraction(0)) ** 2
    return settings.in_service_factor**2 * total / 3


def pulse_square(rows: Iterable[Row], hours: Sequence[int]) -> Fraction:
    """By the size of a pulse."""
    return _squares([_weighted(row, row.pulse(hours)) for row in rows]) / 6


def estimate_square(rows: Iterable[Row], missing: Missing) -> Fraction:
    """By the estimates of hours not reported."""
    weights = ((Fraction(row.membership.coefficient, MILLION), row.variance(missing(row))) for row in rows)
    return sum((weight**2 * variance for weight, variance in weights), Fraction(0))


def clock_square(change: Fraction, settings: Settings) -> Fraction:
    """By clocks that differ while the flow changes."""
    return (Fraction(settings.clock_difference, 3600) * change) ** 2


def _weighted(row: Row, number: int) -> Fraction:
    return Fraction(row.membership.coefficient * number, MILLION)


def _squares(numbers: Iterable[Fraction]) -> Fraction:
    return sum((number**2 for number in numbers), Fraction(0))
