"""The sample estimate: what rows of hourly values let one expect, and how surely (docs/domain.md §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from balance_imbalance.domain.figures import Flags, Floats, Ints

_QUANTILES = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788)
_QUANTILES_TO_14 = (*_QUANTILES, 2.1604)
"""Two-sided 95 % quantiles of Student's t for 2 to 14 rows."""


def quantile(rows: int) -> float:
    """t_n of n >= 2 rows: half the width, in standard deviations, of what holds 95 % of days like them."""
    tabled = rows - 2
    return _QUANTILES_TO_14[tabled] if tabled < len(_QUANTILES_TO_14) else 1.96 + 2.4 / (rows - 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows (n, h) of hourly values in base units, n >= 1, and what follows for each hour.

    ``expected`` (h,) is x̂, ``uncertain`` (h,) u of each hour by itself, ``most`` (h,) the greatest row.
    """

    rows: Floats
    expected: Ints = field(init=False)
    uncertain: Floats = field(init=False)
    most: Floats = field(init=False)

    def __post_init__(self) -> None:
        mean = self.rows.sum(axis=0) / len(self.rows)
        object.__setattr__(self, "expected", np.floor(mean + 0.5).astype(np.int64))
        object.__setattr__(self, "uncertain", self._uncertain(self.rows, self.expected))
        object.__setattr__(self, "most", self.rows.max(axis=0))

    def over(self, spans: Flags) -> tuple[Floats, Floats]:
        """u(H) and most(H) of sets of hours: (s, h) to (s,) each; an empty set has 0 and 0."""
        weights = spans.T.astype(np.float64)
        sums = self.rows @ weights
        return self._uncertain(sums, self.expected @ weights), sums.max(axis=0)

    def _uncertain(self, sums: Floats, expected: Ints | Floats) -> Floats:
        count = len(self.rows)
        if count == 1:
            alone: Floats = np.abs(expected).astype(np.float64)
            return alone
        spread: Floats = 0.5 * quantile(count) * np.sqrt(1.0 + 1.0 / count) * sums.std(axis=0, ddof=1)
        return spread
