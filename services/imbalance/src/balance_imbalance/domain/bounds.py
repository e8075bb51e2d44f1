"""Between which imbalances the truth must lie, whatever the missing used (docs/domain.md §4.3)."""

from __future__ import annotations

import numpy as np

from balance_imbalance.domain.estimate import ALONE, Estimates
from balance_imbalance.domain.figures import Floats, Ints, Side
from balance_imbalance.domain.rules import MOST_SUM, PPM
from balance_imbalance.domain.sums import rounded


def of_hours(members: Side, estimates: Estimates, imbalance: Ints) -> tuple[Ints, Ints]:
    """(imbalance_lowest, imbalance_highest) by hour, (h,) each."""
    values = np.where(estimates.lacking, estimates.values, 0)
    return _bounds(members.coefficients[estimates.rows, None], values, estimates.most, imbalance)


def of_day(members: Side, estimates: Estimates, imbalance: int) -> tuple[int, int]:
    """(imbalance_lowest, imbalance_highest) of the day."""
    if not estimates.spans[ALONE].any():
        return imbalance, imbalance
    lowest, highest = _bounds(
        members.coefficients[estimates.rows], estimates.day_values, estimates.day_most, np.array(imbalance)
    )
    return int(lowest), int(highest)


def _bounds(coefficients: Ints, values: Ints, most: Floats, imbalance: Ints) -> tuple[Ints, Ints]:
    """Each missing c · x at its greatest and at its least, between c · 0 and c · most."""
    factors = coefficients / PPM
    entered, extreme = factors * values, factors * most
    rises = (entered - np.maximum(extreme, 0.0)).sum(axis=0), (entered - np.minimum(extreme, 0.0)).sum(axis=0)
    lowest, highest = (np.clip(imbalance + rounded(rise), -MOST_SUM, MOST_SUM) for rise in rises)
    return lowest, highest
