"""Sums over memberships, and how they are rounded (docs/domain.md §1.3, §4.3)."""

from __future__ import annotations

import numpy as np

from balance_imbalance.domain.figures import Floats, Ints, Side
from balance_imbalance.domain.rules import MOST_SUM, PPM

INT64_SAFE = 2.0**61


def half_up(numerators: Ints, denominators: Ints | int) -> Ints:
    """numerators / denominators rounded half up (§1.3), elementwise; denominators > 0."""
    return (2 * numerators + denominators) // (2 * denominators)


def weighted(side: Side, values: Ints) -> Ints:
    """round(Σ c · x / 10⁶) by hour, (h,), of values (m, h) within MOST_SUM.

    Exact: Python's integers take over where 64 bits might not do.
    """
    coefficients = side.coefficients
    if (coefficients == PPM).all():
        total: Ints = np.clip(values.sum(axis=0), -MOST_SUM, MOST_SUM)
        return total
    bound = np.abs(coefficients).astype(np.float64) @ np.abs(values).astype(np.float64)
    if bound.max(initial=0.0) > INT64_SAFE:
        coefficients, values = coefficients.astype(object), values.astype(object)
    held: Ints = np.clip(half_up(coefficients @ values, PPM), -MOST_SUM, MOST_SUM).astype(np.int64)
    return held


def weighted_total(coefficients: Ints, values: Ints) -> int:
    """round(Σ c · x / 10⁶) of (m,) by (m,), rounded once, within MOST_SUM; exact."""
    total: int = sum(c * x for c, x in zip(coefficients.tolist(), values.tolist(), strict=True))
    return max(-MOST_SUM, min(MOST_SUM, (2 * total + PPM) // (2 * PPM)))


def rounded(numbers: Floats) -> Ints:
    """Half up, and within MOST_SUM."""
    held: Ints = np.clip(np.floor(numbers + 0.5), -MOST_SUM, MOST_SUM).astype(np.int64)
    return held
