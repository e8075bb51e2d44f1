"""The tolerance of an imbalance from the classes of the meters (docs/domain.md §4.5)."""

from __future__ import annotations

import numpy as np

from balance_imbalance.domain.figures import Flags, Floats, Ints, Side, Terms
from balance_imbalance.domain.rules import MOST_SUM, PPM, Rules

Squares = tuple[Floats, Floats, Floats, Floats]
"""Variances of the supply's class, the members' class, the pulses and the estimates."""


def hours(supply: Side, members: Side, used: Ints, uncertain: Floats, rules: Rules) -> Ints:
    """T by hour, (h,), from the members' values ``used`` and the uncertainties of the estimates among
    them.
    """
    supplied = np.where(supply.valid & supply.valued, supply.values, 0)
    pulses = [np.where(side.valid, side.pulses, 0) for side in (supply, members)]
    return expanded(
        _squares(
            (supply, _relative(supply, supplied), pulses[0]),
            (members, _relative(members, used), pulses[1]),
            np.where(members.valid, uncertain, 0.0),
            rules,
        )
    )


def day(
    supply: Side, members: Side, used: Ints, uncertain: Floats, silent: Flags, rules: Rules
) -> tuple[int, Terms]:
    """T of the day and its terms. ``silent`` are the member-hours not reported in the sense of a day, (m,
    h).
    """
    supplied = np.where(supply.valid & supply.valued, supply.values, 0)
    pulses = [
        np.where(side.valid, side.pulses, 0).max(axis=1, initial=0)[:, None] for side in (supply, members)
    ]
    squares = _squares(
        (supply, _relative(supply, supplied).sum(axis=1)[:, None], pulses[0]),
        (members, _relative(members, used).sum(axis=1)[:, None], pulses[1]),
        np.where(silent, uncertain, 0.0).sum(axis=1)[:, None],
        rules,
    )
    return int(expanded(squares)[0]), Terms(*(float(np.sqrt(term[0])) for term in squares))


def expanded(squares: Squares) -> Ints:
    """⌊2u + ½⌋ of the sum of variances, within MOST_SUM."""
    floor = np.floor(2.0 * np.sqrt(sum(squares)) + 0.5)
    held: Ints = np.minimum(floor, MOST_SUM).astype(np.int64)
    return held


def _relative(side: Side, values: Ints) -> Floats:
    """x · e where valid, (m, h)."""
    product: Floats = np.where(side.valid, values, 0) * (side.errors / PPM)
    return product


def _squares(
    supply: tuple[Side, Floats, Ints], members: tuple[Side, Floats, Ints], uncertain: Floats, rules: Rules
) -> Squares:
    (supply_side, supply_error, supply_pulse), (member_side, member_error, member_pulse) = supply, members
    supply_factor = (supply_side.coefficients / PPM)[:, None]
    member_factor = (member_side.coefficients / PPM)[:, None]
    rho, class_factor = rules.batch_correlation, rules.in_service_factor**2 / 3.0
    member_terms = member_factor * member_error
    return (
        class_factor * _sum_of_squares(supply_factor * supply_error),
        class_factor * ((1.0 - rho) * _sum_of_squares(member_terms) + rho * member_terms.sum(axis=0) ** 2),
        (_sum_of_squares(supply_factor * supply_pulse) + _sum_of_squares(member_factor * member_pulse)) / 6.0,
        _sum_of_squares(member_factor * uncertain),
    )


def _sum_of_squares(terms: Floats) -> Floats:
    total: Floats = np.square(terms).sum(axis=0)
    return total
