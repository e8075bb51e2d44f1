"""The figures of one group on one metering day (docs/domain.md §4.1 to §4.6)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from balance_imbalance.domain import base_conditions, bounds, tolerance
from balance_imbalance.domain.coverage import absent, computable, coverage, shares, verdict
from balance_imbalance.domain.estimate import ALONE, Estimates, of_members, of_supply, with_estimates
from balance_imbalance.domain.figures import (
    Flags,
    Floats,
    GroupDay,
    GroupDayInput,
    Hours,
    Ints,
    Night,
    Side,
    Span,
)
from balance_imbalance.domain.rules import Rules
from balance_imbalance.domain.starting import unregistered
from balance_imbalance.domain.sums import weighted, weighted_total
from balance_imbalance.domain.tolerance import Errors


def compute(given: GroupDayInput, rules: Rules) -> GroupDay:
    """All figures of the day and of each of its hours."""
    sums = _Sums.of(given)
    errors = (
        Errors.of(given.supply, sums.supplied, sums.supply_estimates),
        Errors.of(given.members, sums.used, sums.estimates),
    )
    idle = unregistered(given.members, rules)
    hours = _hours(sums, tolerance.hours(*errors, sums.flow, rules), idle[0], rules)
    allowed, terms = tolerance.day(*errors, sums.flow, rules)
    day = _day(sums, allowed, idle[1], rules)
    there = None if day.imbalance is None else terms
    volumes = sums.supplied.sum(axis=1), sums.used.sum(axis=1)
    known = given.temperatures
    return GroupDay(
        day=day,
        hours=hours,
        terms=there,
        absent=absent(given.supply, given.members, given.unmetered),
        supply_pulse=int(np.where(given.supply.valid, given.supply.pulses, 0).max(initial=0)),
        supply_first=int(sums.flow[0]),
        supply_last=int(sums.flow[-1]),
        members_estimated=_estimated(sums),
        night=None if given.night is None else _night(hours, given.night),
        base=None
        if known is None
        else base_conditions.at_base((given.supply, given.members), volumes, day, there, known, rules),
        problems=given.problems,
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """What enters: ``supplied`` and ``used`` (m, h) by membership, 0 where not valid; ``flow`` and ``taken``
    (h,) the sums of the sides, ESTIMATED hours of supply meters included.
    """

    supply: Side
    members: Side
    supply_estimates: Estimates | None
    estimates: Estimates | None
    supplied: Ints
    used: Ints
    flow: Ints
    taken: Ints

    @classmethod
    def of(cls, given: GroupDayInput) -> _Sums:
        supply, members = given.supply, given.members
        supply_estimates = of_supply(supply, given.past)
        estimates = of_members(members, given.past)
        supplied = with_estimates(supply, None)
        used = with_estimates(members, estimates)
        sums = weighted(supply, supplied), weighted(members, used)
        return cls(supply, members, supply_estimates, estimates, supplied, used, *sums)


def _hours(sums: _Sums, allowed: tuple[Ints, Floats], idle: Ints, rules: Rules) -> Hours:
    members = sums.members
    there = computable(sums.supply, members, sums.supply.reported)
    imbalance = np.where(there, sums.flow - sums.taken, 0)
    missing = members.valid & ~members.reported
    due, lacking = members.valid.sum(axis=0), missing.sum(axis=0)
    weights = sums.used.sum(axis=1)
    share = (
        np.zeros_like(due)
        if sums.estimates is None
        else shares(weights @ missing, weights @ members.valid, lacking, due)
    )
    covered = coverage(there, lacking > 0, share, rules)
    estimated = None if sums.estimates is None else bounds.of_hours(members, sums.estimates, imbalance)
    return Hours(
        computable=there,
        supply=np.where(there, sums.flow, 0),
        members=sums.taken,
        imbalance=imbalance,
        tolerance=np.where(there, allowed[0], 0),
        coverage=covered,
        verdict=verdict(covered, imbalance, allowed[0], idle),
        members_due=due,
        members_reported=due - lacking,
        missing_share_ppm=share,
        unregistered=idle,
        uncertain=np.where(there, allowed[1], 0.0),
        imbalance_lowest=None if estimated is None else estimated[0],
        imbalance_highest=None if estimated is None else estimated[1],
        members_estimated=weighted(members, np.where(missing, sums.used, 0)) if estimated else None,
    )


def _day(sums: _Sums, allowed: int, idle: int, rules: Rules) -> Span:
    supply, members = sums.supply, sums.members
    there = computable(supply, members, supply.valued).all()
    missing = members.valid & ~members.reported_in_day
    due, lacking = int(members.valid.any(axis=1).sum()), int(missing.any(axis=1).sum())
    uncertain = lacking > 0 or bool((supply.valid & ~supply.reported_in_day).any())
    share = _day_share(sums, missing)
    covered = coverage(np.array([there]), np.array([uncertain]), share, rules)
    supplied, taken = int(sums.flow.sum()), int(sums.taken.sum())
    imbalance = supplied - taken
    judged = verdict(covered, np.array([imbalance]), np.array([allowed]), np.array([idle]))
    lowest, highest = (
        (imbalance, imbalance)
        if sums.estimates is None
        else bounds.of_day(members, sums.estimates, imbalance)
    )
    return Span(
        supply=supplied if there else None,
        members=taken,
        imbalance=imbalance if there else None,
        tolerance=allowed if there else None,
        coverage=int(covered[0]),
        verdict=int(judged[0]),
        members_due=due,
        members_reported=due - lacking,
        missing_share_ppm=int(share[0]),
        unregistered=idle,
        imbalance_lowest=lowest if there else None,
        imbalance_highest=highest if there else None,
    )


def _day_share(sums: _Sums, missing: Flags) -> Ints:
    """Share of the missing over the day in millionths, (1,)."""
    if sums.estimates is None:
        return np.zeros(1, np.int64)
    return shares(
        np.array([np.where(missing, sums.used, 0).sum()]),
        np.array([sums.used.sum()]),
        np.array([missing.sum()]),
        np.array([sums.members.valid.sum()]),
    )


def _estimated(sums: _Sums) -> int:
    """The estimated part of the day, rounded once."""
    estimates = sums.estimates
    if estimates is None or not estimates.spans[ALONE].any():
        return 0
    return weighted_total(sums.members.coefficients[estimates.rows], estimates.day_values)


def _night(hours: Hours, night: Flags) -> Night | None:
    """Sums over the hours of the night; None on a day without any."""
    if not night.any():
        return None
    there = bool(hours.computable[night].all())
    supply, members, imbalance = (
        int(each[night].sum()) for each in (hours.supply, hours.members, hours.imbalance)
    )
    return Night(int(night.sum()), supply if there else None, members, imbalance if there else None)
