"""What memberships enter with that did not report, and how sure that is (docs/domain.md §4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from balance_imbalance.domain.figures import Flags, Floats, Ints, Side
from balance_imbalance.domain.rules import LEAST_PAST
from balance_imbalance.domain.samples import Sample

ALONE, FIRST, INSIDE, LAST = range(4)
"""Which of its hours a day estimates: a span of its own, or the first, an inner, the last day of a longer."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Memberships of a side that did not report every hour: k of them, ``rows`` their places in it.

    (k, h): ``values`` what they have in their hours, ``lacking`` the hours not reported, in which
    ``uncertain`` is u and ``most`` the greatest possible value. ``spans`` (4, k, h) are the hours that a day
    estimates; ``day_uncertain`` (4, k) is u of these, ``day_values`` and ``day_most`` (k,) what they enter
    with, and at most could, in those of ALONE.
    """

    rows: Ints
    values: Ints
    lacking: Flags
    uncertain: Floats
    most: Floats
    spans: Flags
    day_uncertain: Floats
    day_values: Ints
    day_most: Floats


def past_rows(days: Sequence[Ints], hours: int) -> Ints:
    """Days of a past cut to this day's length, (n, h): hour i is hour min(i, last) of one of another
    length.
    """
    index = np.arange(hours)
    return np.stack([day[np.minimum(index, len(day) - 1)] for day in days])


def of_members(members: Side, past: Mapping[int, Floats]) -> Estimates | None:
    """What members enter with that did not report every hour; None when all did."""
    lacking = members.valid & ~members.reported
    if not lacking.any():
        return None
    like = _other_members(members)
    samples = {}
    for point in members.usage_points[lacking.any(axis=1)].tolist():
        own = past.get(point)
        if own is not None and (len(own) >= LEAST_PAST or like is None):
            samples[point] = Sample(own)
        elif like is not None:
            samples[point] = like
    return _estimates(members, lacking, samples)


def of_supply(supply: Side, past: Mapping[int, Floats]) -> Estimates | None:
    """ESTIMATED hours of supply meters with their uncertainty; None when none is without a report."""
    lacking = supply.valid & ~supply.reported
    if not lacking.any():
        return None
    points = supply.usage_points[lacking.any(axis=1)].tolist()
    return _estimates(supply, lacking, {point: Sample(past[point]) for point in points if point in past})


def with_estimates(side: Side, estimates: Estimates | None) -> Ints:
    """(m, h): value of every membership in every hour, 0 where it is not valid."""
    values = np.where(side.valid & side.valued, side.values, 0)
    if estimates is not None:
        values[estimates.rows] = estimates.values
    return values


def _other_members(members: Side) -> Sample | None:
    """Members REPORTED in all hours of the day.

    A usage point that misses an hour is none of them, so one sample serves all that do.
    """
    whole = members.reported.all(axis=1)
    return Sample(members.values[whole].astype(np.float64)) if whole.any() else None


def _estimates(side: Side, lacking: Flags, samples: Mapping[int, Sample]) -> Estimates:
    rows = np.flatnonzero(lacking.any(axis=1))
    lacking, valid, valued = lacking[rows], side.valid[rows], side.valued[rows]
    values = np.where(valid & valued, side.values[rows], 0)
    spans = _spans(side, rows)
    uncertain = np.where(lacking, np.abs(values), 0).astype(np.float64)
    most = np.zeros(lacking.shape)
    day_uncertain = (np.abs(values) * (spans & valued)).sum(axis=2).astype(np.float64)
    day_most = np.zeros(len(rows))
    over: dict[tuple[int, bytes], tuple[Floats, Floats]] = {}
    for place, point in enumerate(side.usage_points[rows].tolist()):
        sample = samples.get(point)
        if sample is None:
            continue
        silent = valid[place] & ~valued[place]
        values[place] = np.where(silent, sample.expected, values[place])
        uncertain[place] = np.where(lacking[place], sample.uncertain, 0.0)
        most[place] = sample.most
        # Many share one sample and one pattern of hours, silent all day: each pattern is summed once.
        pattern = id(sample), spans[:, place].tobytes()
        if pattern not in over:
            over[pattern] = sample.over(spans[:, place])
        day_uncertain[:, place], greatest = over[pattern]
        day_most[place] = greatest[ALONE]
    day_values = np.where(spans[ALONE], values, 0).sum(axis=1)
    return Estimates(
        rows,
        values,
        lacking,
        uncertain,
        np.where(lacking, np.maximum(np.maximum(most, values), 0.0), 0.0),
        spans,
        day_uncertain,
        day_values,
        np.maximum(np.maximum(day_most, day_values), 0.0),
    )


def _spans(side: Side, rows: Ints) -> Flags:
    """Hours without a value, and ESTIMATED ones that touch an edge of the day that is one of the span."""
    valid, silent = side.valid[rows], ~side.valued[rows]
    leading, trailing = side.leading[rows], side.trailing[rows]
    return valid & np.stack([silent | leading | trailing, silent | leading, silent, silent | trailing])
