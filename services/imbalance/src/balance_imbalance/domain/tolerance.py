"""The tolerance of an imbalance from the classes of the meters (docs/domain.md §4.5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from balance_kernel.calendar import HOUR_S

from balance_imbalance.domain.estimate import ALONE, FIRST, INSIDE, LAST, Estimates
from balance_imbalance.domain.figures import Floats, Ints, Side, Terms
from balance_imbalance.domain.rules import MOST_SUM, PPM, Rules


@dataclass(frozen=True, slots=True)
class Errors:
    """What of a side may err: Σ-ready products with the coefficients, base units.

    ``relative`` (m, h) is c · x · e, ``pulses`` (m, h) c · q, both 0 where not valid; ``values`` (m, h) are
    what the memberships enter with.
    """

    side: Side
    estimates: Estimates | None
    relative: Floats
    pulses: Floats

    @classmethod
    def of(cls, side: Side, values: Ints, estimates: Estimates | None) -> Errors:
        """From values that are 0 where the membership is not valid."""
        factors = (side.coefficients / PPM)[:, None]
        return cls(
            side,
            estimates,
            values * (side.errors / PPM * factors),
            np.where(side.valid, side.pulses, 0) * factors,
        )


def hours(supply: Errors, members: Errors, flow: Ints, rules: Rules) -> tuple[Ints, Floats]:
    """T by hour, (h,), and u without the term of clocks. ``flow`` (h,) is the supply of the hours as a day
    takes them.
    """
    variance = (
        _class(supply.relative, 0.0, rules)
        + _class(members.relative, rules.batch_correlation, rules)
        + (_squared(supply.pulses) + _squared(members.pulses)) / 6.0
        + _of_estimates(members)
    )
    beyond = np.concatenate((flow[:1], flow, flow[-1:])).astype(np.float64)
    return expanded(variance + (_clock(rules) * (beyond[2:] - beyond[:-2]) / 2.0) ** 2), np.sqrt(variance)


def day(supply: Errors, members: Errors, flow: Ints, rules: Rules) -> tuple[int, Terms]:
    """T of the day and its terms."""
    largest = [np.abs(side.pulses).max(axis=1, initial=0.0)[:, None] for side in (supply, members)]
    estimates = [_of_spans(members, span) + _of_spans(supply, span) for span in range(4)]
    variances = [
        _class(supply.relative.sum(axis=1)[:, None], 0.0, rules)[0],
        _class(members.relative.sum(axis=1)[:, None], rules.batch_correlation, rules)[0],
        sum(_squared(pulses)[0] for pulses in largest) / 6.0,
        (_clock(rules) * float(flow[-1] - flow[0])) ** 2,
    ]
    roots = [float(np.sqrt(variance)) for variance in variances]
    of_spans = [float(np.sqrt(estimates[span])) for span in (ALONE, FIRST, INSIDE, LAST)]
    return int(expanded(np.array(sum(variances) + estimates[ALONE]))), Terms(*roots, *of_spans)


def expanded(variance: Floats) -> Ints:
    """⌊2u + ½⌋, within MOST_SUM."""
    floor = np.floor(2.0 * np.sqrt(variance) + 0.5)
    held: Ints = np.minimum(floor, MOST_SUM).astype(np.int64)
    return held


def _class(relative: Floats, correlation: float, rules: Rules) -> Floats:
    """Uniform errors inside e, (m, s) to (s,): f²/3 · ((1 - ρ) Σ t² + ρ (Σ t)²)."""
    terms = (1.0 - correlation) * _squared(relative)
    if correlation:
        terms = terms + correlation * np.square(relative.sum(axis=0))
    found: Floats = rules.in_service_factor**2 / 3.0 * terms
    return found


def _clock(rules: Rules) -> float:
    """δ in hours."""
    return rules.clock_s / HOUR_S


def _of_estimates(members: Errors) -> Floats | float:
    estimates = members.estimates
    if estimates is None:
        return 0.0
    factors = (members.side.coefficients[estimates.rows] / PPM)[:, None]
    return _squared(factors * estimates.uncertain)


def _of_spans(side: Errors, span: int) -> float:
    estimates = side.estimates
    if estimates is None:
        return 0.0
    factors = side.side.coefficients[estimates.rows] / PPM
    return float(np.square(factors * estimates.day_uncertain[span]).sum())


def _squared(terms: Floats) -> Floats:
    """Σ over memberships of the squares, (m, s) to (s,)."""
    total: Floats = np.einsum("ms,ms->s", terms, terms)
    return total
