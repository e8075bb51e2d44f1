"""Modules, concentrators and their packet plans: which days are due by them (docs/domain.md §3.17)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from balance_kernel.plans import EVER_ALLOWED, UNSPECIFIED, Allowance, SessionSetting, Setting, allowance_at

from balance_ingest.domain.days import DAY_S, Days


class BatteryFitting(NamedTuple):
    """A battery put in."""

    battery_type: str
    fitted: int


@dataclass(frozen=True, slots=True)
class DescribedModule:
    """A module as the register describes it; deleted, it has neither settings nor batteries."""

    name: str
    version: int
    deleted: bool
    settings: tuple[Setting, ...] = ()
    batteries: tuple[BatteryFitting, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedConcentrator:
    """A concentrator as the register describes it; deleted, it has neither settings nor batteries."""

    name: str
    version: int
    deleted: bool
    variant: str = UNSPECIFIED
    sim_payer: str = UNSPECIFIED
    object_path: tuple[str, ...] = ()
    settings: tuple[SessionSetting, ...] = ()
    batteries: tuple[BatteryFitting, ...] = ()


def is_due(allowances: Sequence[Allowance], day: int, end: int, due_before: int) -> bool:
    """Whether a day [day, end) should have been heard of; `due_before` is the clock less the grace."""
    return end <= due_before and end + DAY_S * allowance_at(allowances, day) <= due_before


def falling_due(days: Days, after: int, until: int) -> list[tuple[int, int, int]]:
    """(instant, day, allowance in days) in order of time of days of every allowance that falls due in
    (after, until]; the instant is the day's end and the allowance.
    """
    found = [
        (days.end_of(day) + allowed * DAY_S, day, allowed)
        for allowed in EVER_ALLOWED
        for day in days.between(after - allowed * DAY_S, until - allowed * DAY_S)
    ]
    return sorted(one for one in found if after < one[0] <= until)


def first_of(due: Sequence[tuple[int, int, int]], most: int) -> Sequence[tuple[int, int, int]]:
    """The first of what falls due, about so many: all that falls due at one instant stays together, for the
    instant is all that is kept of how far it was told.
    """
    return due if len(due) <= most else [one for one in due if one[0] <= due[most - 1][0]]
