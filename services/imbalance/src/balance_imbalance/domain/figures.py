"""What goes into the computation of one group-day, and what comes out (docs/domain.md §4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Side:
    """The memberships of one role on one day: m memberships by h hours.

    ``usage_points`` and ``coefficients`` (millionths) have shape (m,), the rest (m, h). ``values`` are base
    units and mean nothing where ``valued`` is false. ``reported``: VALID or EDITED; ``estimated``:
    ESTIMATED; neither: no value. ``errors`` is the class of the meter fitted at the hour's start in
    millionths, ``pulses`` its pulse weight, both 0 without a meter.
    """

    usage_points: Ints
    coefficients: Ints
    valid: Flags
    values: Ints
    reported: Flags
    estimated: Flags
    errors: Ints
    pulses: Ints

    @property
    def valued(self) -> Flags:
        """Where the reading has a value, (m, h)."""
        return self.reported | self.estimated

    @property
    def reported_in_day(self) -> Flags:
        """Reported in the sense of a day, (m, h): closed runs of ESTIMATED hours count too (§4.1)."""
        leading = np.logical_and.accumulate(self.estimated, axis=1)
        trailing = np.logical_and.accumulate(self.estimated[:, ::-1], axis=1)[:, ::-1]
        return self.reported | (self.estimated & ~leading & ~trailing)


@dataclass(frozen=True, slots=True)
class GroupDayInput:
    """All that the figures of one group-day depend on.

    ``past`` gives for a usage point its newest complete days before, newest first, at most seven, as (n, h):
    the hours of this day's length (§4.2). Only members without a value are looked up in it.
    """

    hours: int
    supply: Side
    members: Side
    past: Mapping[int, Ints]


@dataclass(frozen=True, slots=True)
class Span:
    """Figures of the day as a whole. None where §4.4 says null."""

    supply: int | None
    members: int
    imbalance: int | None
    tolerance: int | None
    coverage: int
    verdict: int
    members_due: int
    members_reported: int
    missing_share_ppm: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Figures of the hours, each of shape (h,). ``computable`` is false where supply, imbalance and
    tolerance are null.
    """

    computable: Flags
    supply: Ints
    members: Ints
    imbalance: Ints
    tolerance: Ints
    coverage: Ints
    verdict: Ints
    members_due: Ints
    members_reported: Ints
    missing_share_ppm: Ints


@dataclass(frozen=True, slots=True)
class Terms:
    """Standard uncertainties of the day's imbalance in base units, one a term of §4.5; u² is the sum of
    their squares.
    """

    supply_class: float
    members_class: float
    pulse: float
    estimate: float


@dataclass(frozen=True, slots=True)
class GroupDay:
    """The figures of one group-day.

    ``terms`` is None when the day is not computable. ``missing`` are the usage points, supply meters too,
    that did not report all their hours of the day (day sense), ascending. ``supply_pulse`` is the largest
    pulse weight of a supply meter that day, 0 without one.
    """

    day: Span
    hours: Hours
    terms: Terms | None
    missing: tuple[int, ...]
    supply_pulse: int
