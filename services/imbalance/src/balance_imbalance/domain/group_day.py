"""The figures of one group on one metering day (docs/domain.md §4.1 to §4.6)."""

from __future__ import annotations

import numpy as np

from balance_imbalance.domain import tolerance
from balance_imbalance.domain.estimate import half_up, with_estimates
from balance_imbalance.domain.figures import Flags, GroupDay, GroupDayInput, Hours, Ints, Side, Span
from balance_imbalance.domain.rules import MOST_SUM, PPM, Coverage, Rules, Verdict

_INT64_SAFE = 2.0**61


def compute(given: GroupDayInput, rules: Rules) -> GroupDay:
    """Supply, members, imbalance, tolerance, coverage and verdict of the day and of each of its hours."""
    supply, members = given.supply, given.members
    used, uncertain = with_estimates(members, given.past)
    weights = _weights(members, used)
    sums = _weighted(members, used, members.valid)
    missing = members.valid & ~members.reported
    silent = members.valid & ~members.reported_in_day
    hours = _hours(
        supply,
        members,
        sums,
        missing,
        weights,
        tolerance.hours(supply, members, used, uncertain, rules),
        rules,
    )
    computable = bool(_computable(supply, members, supply.reported_in_day).all())
    allowed, terms = tolerance.day(supply, members, used, uncertain, silent, rules)
    return GroupDay(
        day=_day(
            supply,
            members,
            int(sums.sum()),
            silent,
            _day_share(used, silent, members.valid),
            computable,
            allowed,
            rules,
        ),
        hours=hours,
        terms=terms if computable else None,
        missing=_not_reported(supply, members),
        supply_pulse=int(np.where(supply.valid, supply.pulses, 0).max(initial=0)),
    )


def _weighted(side: Side, values: Ints, taken: Flags) -> Ints:
    """round(Σ c · x / 10⁶) by hour, (h,), within MOST_SUM. Exact: Python's integers take over where 64 bits
    might not do.
    """
    coefficients, values = side.coefficients[:, None], np.where(taken, values, 0)
    bound = np.abs(coefficients * values.astype(np.float64)).sum()
    if bound > _INT64_SAFE:
        coefficients, values = coefficients.astype(object), values.astype(object)
    total = half_up((coefficients * values).sum(axis=0), PPM)
    held: Ints = np.clip(total, -MOST_SUM, MOST_SUM).astype(np.int64)
    return held


def _computable(supply: Side, members: Side, supply_reported: Flags) -> Flags:
    """By hour, (h,): a supply meter and a member valid, and every supply meter reported (§4.4)."""
    silent = (supply.valid & ~supply_reported).any(axis=0)
    computable: Flags = np.asarray(supply.valid.any(axis=0) & members.valid.any(axis=0) & ~silent)
    return computable


def _hours(
    supply: Side, members: Side, sums: Ints, missing: Flags, weights: Ints, allowed: Ints, rules: Rules
) -> Hours:
    computable = _computable(supply, members, supply.reported)
    supplied = np.where(computable, _weighted(supply, supply.values, supply.valid & supply.reported), 0)
    imbalance = np.where(computable, supplied - sums, 0)
    due = members.valid.sum(axis=0)
    absent = missing.sum(axis=0)
    share = _shares(
        np.where(missing, weights[:, None], 0).sum(axis=0),
        np.where(members.valid, weights[:, None], 0).sum(axis=0),
        absent,
        due,
    )
    coverage = _coverage(computable, absent, share, rules)
    return Hours(
        computable=computable,
        supply=supplied,
        members=sums,
        imbalance=imbalance,
        tolerance=np.where(computable, allowed, 0),
        coverage=coverage,
        verdict=_verdict(coverage, imbalance, allowed),
        members_due=due,
        members_reported=due - absent,
        missing_share_ppm=share,
    )


def _day(
    supply: Side,
    members: Side,
    total: int,
    silent: Flags,
    share: Ints,
    computable: bool,
    allowed: int,
    rules: Rules,
) -> Span:
    due = int(members.valid.any(axis=1).sum())
    absent = int(silent.any(axis=1).sum())
    supplied = int(_weighted(supply, supply.values, supply.valid & supply.reported_in_day).sum())
    coverage = _coverage(np.array([computable]), np.array([absent]), share, rules)
    verdict = _verdict(coverage, np.array([supplied - total]), np.array([allowed]))
    return Span(
        supply=supplied if computable else None,
        members=total,
        imbalance=supplied - total if computable else None,
        tolerance=allowed if computable else None,
        coverage=int(coverage[0]),
        verdict=int(verdict[0]),
        members_due=due,
        members_reported=due - absent,
        missing_share_ppm=int(share[0]),
    )


def _weights(members: Side, used: Ints) -> Ints:
    """w: what each member used over the hours it is valid, estimates included, (m,)."""
    weights: Ints = np.where(members.valid, used, 0).sum(axis=1)
    return weights


def _day_share(used: Ints, silent: Flags, valid: Flags) -> Ints:
    """Share of the missing over the day in millionths, (1,)."""
    return _shares(
        np.array([np.where(silent, used, 0).sum()]),
        np.array([np.where(valid, used, 0).sum()]),
        np.array([silent.sum()]),
        np.array([valid.sum()]),
    )


def _shares(part: Ints, whole: Ints, absent: Ints, due: Ints) -> Ints:
    """part / whole in millionths, rounded; by count where whole is 0; 0 where nobody is due."""
    part, whole = np.where(whole == 0, absent, part), np.where(whole == 0, due, whole)
    whole = np.where(whole == 0, 1, whole)
    if np.abs(part).max(initial=0) > _INT64_SAFE / (2 * PPM):
        part, whole = part.astype(object), whole.astype(object)
    # Values below zero, which no meter has, could take it anywhere.
    share: Ints = np.clip(half_up(part * PPM, whole), 0, PPM).astype(np.int64)
    return share


def _coverage(computable: Flags, absent: Ints, share: Ints, rules: Rules) -> Ints:
    coverage: Ints = np.select(
        [~computable, share > rules.unreliable_share_ppm, absent > 0],
        [Coverage.NOT_COMPUTABLE, Coverage.UNRELIABLE, Coverage.ESTIMATED],
        Coverage.COMPLETE,
    )
    return coverage


def _verdict(coverage: Ints, imbalance: Ints, allowed: Ints) -> Ints:
    undecided = (coverage == Coverage.NOT_COMPUTABLE) | (coverage == Coverage.UNRELIABLE)
    verdict: Ints = np.select(
        [undecided, imbalance > allowed, imbalance < -allowed],
        [Verdict.UNDECIDED, Verdict.LOSS, Verdict.SURPLUS],
        Verdict.WITHIN_TOLERANCE,
    )
    return verdict


def _not_reported(supply: Side, members: Side) -> tuple[int, ...]:
    """Usage points of either side that did not report all their hours (day sense), ascending, each once."""
    found: set[int] = set()
    for side in (supply, members):
        absent = (side.valid & ~side.reported_in_day).any(axis=1)
        found.update(side.usage_points[absent].tolist())
    return tuple(sorted(found))
