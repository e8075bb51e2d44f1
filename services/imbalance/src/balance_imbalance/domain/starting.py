"""What meters may have passed without registering it, below their starting flow (docs/domain.md §4.5)."""

from __future__ import annotations

import numpy as np

from balance_imbalance.domain.figures import Ints, Side
from balance_imbalance.domain.rules import MOST_SUM, PPM, Rules


def unregistered(members: Side, rules: Rules) -> tuple[Ints, int]:
    """A by hour, (h,), and of the day, base units."""
    if not members.starts.any():
        return np.zeros(members.valid.shape[1], np.int64), 0
    idle = members.valid & members.reported & (members.values >= 0)
    below = np.where(idle, np.maximum(members.starts - members.values, 0), 0)
    hours = rules.idle_share * ((np.abs(members.coefficients) / PPM) @ below)
    day = min(float(np.floor(0.5 + hours.sum())), MOST_SUM)
    return np.minimum(np.floor(0.5 + hours), MOST_SUM).astype(np.int64), int(day)
