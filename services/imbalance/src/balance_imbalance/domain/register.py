"""Memberships and meters over time, and what a change of them touches (docs/domain.md §4).

Instants are seconds since 1970 (UTC). ``FOREVER`` stands for an end that is not set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from balance_kernel.quantity import Resource, Role

FOREVER = 2**62
LATEST_UNMETERED_DAYS = 61
"""For so many days after its begin a membership may decide whether a usage point is unmetered: the longest
silence that can be set, and the longest allowance (§4.1).
"""
MOST_COEFFICIENT_PPM = 10**9
"""Greatest size of a coefficient, in millionths."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A usage point (surrogate) in a group from ``valid_from`` up to, not including, ``valid_to``."""

    usage_point: int
    role: Role
    coefficient_ppm: int
    valid_from: int
    valid_to: int


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter fitted from ``fitted_at`` up to, not including, ``removed_at``: class in millionths, pulse in
    base units, starting flow in base units an hour (0 when it is not known).
    """

    fitted_at: int
    removed_at: int
    class_ppm: int
    pulse_weight: int
    q_start: int = 0
    is_compensated: bool = False


@dataclass(frozen=True, slots=True)
class DescribedPoint:
    """What the register says of a usage point beside its meters and channels. Nobody described it: the
    defaults.
    """

    usage_point_id: str
    resource: Resource = Resource.UNSPECIFIED
    object_path: tuple[str, ...] = ()
    is_outdoor: bool = False


class GroupProblem(IntEnum):
    """What of the register makes a group-day questionable (§4.0): names are the symbols of the contract,
    numbers what tables hold.
    """

    UNSPECIFIED = 0
    NO_SUPPLY = 1
    NO_MEMBER = 2
    OVERLAPPING_MEMBERSHIP = 3
    NESTED_CYCLE = 4
    UNKNOWN_GROUP = 5


@dataclass(frozen=True, slots=True, order=True)
class ProblemSpan:
    """A group's register has this problem from ``start`` up to, not including, ``end``.

    NO_SUPPLY and NO_MEMBER are none of these: whoever computes a day sees them.
    """

    problem: GroupProblem
    start: int
    end: int


def problems_of_day(spans: Iterable[ProblemSpan], day_start: int, day_end: int) -> Sequence[GroupProblem]:
    """Problems whose span meets the day, each once, in the order of the contract."""
    return sorted({span.problem for span in spans if span.start < day_end and day_start < span.end})


@dataclass(frozen=True, slots=True, order=True)
class ChangedSpan:
    """A usage point or a group stands otherwise than before from ``start`` up to, not including, ``end``."""

    subject: int
    start: int
    end: int


def changed_memberships(old: Sequence[Membership], new: Sequence[Membership]) -> Sequence[ChangedSpan]:
    """Where the memberships of a group differ: the symmetric difference of two histories, ascending."""
    sides: tuple[_Histories, _Histories] = defaultdict(list), defaultdict(list)
    for histories, side in zip(sides, (old, new), strict=True):
        for m in side:
            histories[m.usage_point].append((m.valid_from, m.valid_to, (m.role, m.coefficient_ppm)))
    return [
        ChangedSpan(point, start, end)
        for point in sorted(sides[0].keys() | sides[1].keys())
        for start, end in differing(*(histories.get(point, ()) for histories in sides))
    ]


def changed_meters(usage_point: int, old: Sequence[Meter], new: Sequence[Meter]) -> Sequence[ChangedSpan]:
    """Where the meters of a usage point differ in what figures are made of, ascending."""
    sides = [
        [
            (m.fitted_at, m.removed_at, (m.class_ppm, m.pulse_weight, m.q_start, m.is_compensated))
            for m in side
        ]
        for side in (old, new)
    ]
    return [ChangedSpan(usage_point, start, end) for start, end in differing(*sides)]


Timed = tuple[int, int, Hashable]
"""What holds from an instant up to, not including, another."""
_Histories = defaultdict[int, list[Timed]]


def differing(old: Iterable[Timed], new: Iterable[Timed]) -> Iterator[tuple[int, int]]:
    """Maximal spans in which what holds differs, as multisets, ascending."""
    changes: defaultdict[int, list[tuple[Hashable, int]]] = defaultdict(list)
    for sign, history in ((-1, old), (1, new)):
        for start, end, what in history:
            if start < end:
                changes[start].append((what, sign))
                changes[end].append((what, -sign))
    surplus: Counter[Hashable] = Counter()
    open_from: int | None = None
    for at in sorted(changes):
        for what, sign in changes[at]:
            surplus[what] += sign
            if not surplus[what]:
                del surplus[what]
        if surplus and open_from is None:
            open_from = at
        if not surplus and open_from is not None:
            yield open_from, at
            open_from = None
