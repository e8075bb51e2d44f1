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
    ESTIMATED; neither: no value. Of the meter fitted at the hour's start ``errors`` is the class in
    millionths, ``pulses`` the pulse weight, ``starts`` the starting flow, all 0 without a meter.
    ``compensated`` (m,): the meter fitted at the day's start counts gas at base temperature.
    """

    usage_points: Ints
    coefficients: Ints
    valid: Flags
    values: Ints
    reported: Flags
    estimated: Flags
    errors: Ints
    pulses: Ints
    starts: Ints
    compensated: Flags

    @property
    def valued(self) -> Flags:
        """Where the reading has a value, (m, h)."""
        return self.reported | self.estimated

    @property
    def leading(self) -> Flags:
        """The run of ESTIMATED hours that touches the first hour of the day, (m, h)."""
        return np.logical_and.accumulate(self.estimated, axis=1)

    @property
    def trailing(self) -> Flags:
        """The run of ESTIMATED hours that touches the last hour of the day, (m, h)."""
        return np.logical_and.accumulate(self.estimated[:, ::-1], axis=1)[:, ::-1]

    @property
    def reported_in_day(self) -> Flags:
        """Reported in the sense of a day, (m, h): closed runs of ESTIMATED hours count too (§4.1)."""
        return self.reported | (self.estimated & ~self.leading & ~self.trailing)


@dataclass(frozen=True, slots=True)
class Temperatures:
    """What is known of the temperature of gas on a day, °C by usage point (§4.5).

    ``indoor``: by the thermometer of its module; ``outdoor``: the outdoor mean at its object.
    """

    indoor: Mapping[int, float]
    outdoor: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class GroupDayInput:
    """All that the figures of one group-day depend on.

    ``past`` gives for a usage point the rows of its own past, newest first, at most fourteen, as (n, h): the
    hours of this day's length, scaled to its weather (§4.2, §5.3). Only usage points with an hour not
    reported are looked up in it. ``unmetered`` are usage points silent for so long (§4.1); ``night``
    (h,) the hours of the night, none when None; ``temperatures`` None for all but gas; ``problems`` by their
    numbers in the contract, ascending.
    """

    hours: int
    supply: Side
    members: Side
    past: Mapping[int, Floats]
    unmetered: frozenset[int] = frozenset()
    night: Flags | None = None
    temperatures: Temperatures | None = None
    problems: tuple[int, ...] = ()


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
    unregistered: int
    imbalance_lowest: int | None
    imbalance_highest: int | None


@dataclass(frozen=True, slots=True)
class Hours:
    """Figures of the hours, each of shape (h,). ``computable`` is false where supply, imbalance, its bounds
    and tolerance are null.

    ``uncertain`` is u without the term of clocks, 0 where not computable. The bounds are None when every
    member reported every hour: then they are the imbalance; ``members_estimated`` is None then, too.
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
    unregistered: Ints
    uncertain: Floats
    imbalance_lowest: Ints | None
    imbalance_highest: Ints | None
    members_estimated: Ints | None


@dataclass(frozen=True, slots=True)
class Terms:
    """Standard uncertainties of the day's imbalance in base units, one a term of §4.5; u² is the sum of
    the squares of the first five.

    ``estimate`` is that of the day as a span of its own; of a day in a longer span (§4.8) it is
    ``estimate_first``, ``estimate_inside`` or ``estimate_last``, for no ESTIMATED hour that touches only
    another day of the span counts.
    """

    supply_class: float
    members_class: float
    pulse: float
    clock: float
    estimate: float
    estimate_first: float
    estimate_inside: float
    estimate_last: float


@dataclass(frozen=True, slots=True)
class Night:
    """Sums over the hours of the night; supply and imbalance None when one of these is not computable."""

    hours: int
    supply: int | None
    members: int
    imbalance: int | None


@dataclass(frozen=True, slots=True)
class BaseConditions:
    """A day of gas at base temperature, base units."""

    supply: int
    members: int
    imbalance: int
    tolerance: int
    verdict: int


@dataclass(frozen=True, slots=True)
class Absent:
    """Usage points of both sides of which something lacks, each list ascending.

    ``missing`` did not report all their hours (day sense), ``unmetered`` are those of them silent for so
    long; ``not_reported`` did not report all their hours (hour's sense): their past takes part; ``silent``
    have an hour without a value; the runs of ESTIMATED hours of the last two touch the first and the last
    hour of the day.
    """

    missing: tuple[int, ...] = ()
    unmetered: tuple[int, ...] = ()
    not_reported: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    gap_from_start: tuple[int, ...] = ()
    gap_to_end: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupDay:
    """The figures of one group-day.

    ``terms`` is None when the day is not computable. ``supply_pulse`` is the largest pulse weight of a
    supply meter that day, 0 without one; ``supply_first`` and ``supply_last`` the supply of the first and
    the last hour as a day takes it, ESTIMATED hours included. ``members_estimated`` is the estimated part.
    """

    day: Span
    hours: Hours
    terms: Terms | None
    absent: Absent
    supply_pulse: int
    supply_first: int
    supply_last: int
    members_estimated: int
    night: Night | None
    base: BaseConditions | None
    problems: tuple[int, ...]
