"""Healthy groups of the simulated field as the service sees them: group-days, hour by hour.

Every home and common meter errs by its class, counts in pulses and has a clock that is off; gas follows the
weather, water who is at home; common meters have standing losses. Nothing is wrong with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import hypot

import numpy as np
import numpy.typing as npt
from balance_imbalance.domain.baseline import WatchedDay
from balance_imbalance.domain.estimate import past_rows
from balance_imbalance.domain.figures import GroupDay, GroupDayInput, Side
from balance_imbalance.domain.group_day import compute
from balance_imbalance.domain.rules import Coverage, Rules
from balance_simulator.field.layout import Layout
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.stream import Field

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_SILENT_FROM_DAY = 0.01
_LONGEST_SILENCE_DAYS = 20
_RULES = Rules()


@dataclass(frozen=True)
class Group:
    """Meters of a group by their places in the field, the common meter first."""

    meters: Ints
    class_ppm: Ints
    weight: Ints
    start_flow: Ints


@dataclass(frozen=True)
class Series:
    """A group's days, all members heard, and with homes silent now and then."""

    heard: list[WatchedDay]
    silent: list[WatchedDay]


def series(plan: FieldPlan) -> list[Series]:
    """The groups of a field without faults."""
    field = Field(plan)
    groups = [_group(field.layout, number) for number in range(len(field.layout.groups.ids))]
    random = np.random.default_rng([plan.seed, 11])
    silences = [_silences(random, len(group.meters), plan.days) for group in groups]
    found = [Series([], []) for _ in groups]
    recent: list[Ints] = []
    for index, day in enumerate(field.days()):
        for _ in day.packets:
            pass
        read = day.truth.registered
        for group, silent, into in zip(groups, silences, found, strict=True):
            args = (group, [table[group.meters] for table in recent], read[group.meters])
            into.heard.append(_watched(day.truth.day.toordinal(), day.truth.start_s, *args, None))
            gone = silent[:, max(index - 28, 0) : index + 1]
            into.silent.append(_watched(day.truth.day.toordinal(), day.truth.start_s, *args, gone))
        recent = [*recent[-27:], read]
    return found


def _group(layout: Layout, number: int) -> Group:
    common = int(layout.groups.common[number])
    members = np.flatnonzero(layout.meters.group == number)
    places = np.concatenate([[common], members[members != common]])
    meters = layout.meters
    return Group(
        places,
        meters.class_ppm[places],
        meters.weight[places],
        np.rint(meters.start_flow[places]).astype(np.int64),
    )


def _silences(random: np.random.Generator, meters: int, days: int) -> Bools:
    """(meter, day): silent; the common meter, the first, never is."""
    silent = np.zeros((meters, days), np.bool_)
    for meter, day in zip(*np.nonzero(random.random((meters, days)) < _SILENT_FROM_DAY), strict=True):
        silent[meter, day : day + int(random.integers(1, _LONGEST_SILENCE_DAYS + 1))] = True
    silent[0] = False
    return silent


def _watched(
    number: int, start_s: int, group: Group, recent: list[Ints], read: Ints, silent: Bools | None
) -> WatchedDay:
    gone = np.zeros(len(group.meters), np.bool_) if silent is None else silent[:, -1]
    past = {} if silent is None else _past(recent, silent, gone, read.shape[1])
    given = GroupDayInput(
        read.shape[1],
        _side(group, slice(0, 1), read, gone),
        _side(group, slice(1, None), read, gone),
        past,
    )
    return _day(number, start_s, compute(given, _RULES), read.shape[1])


def _past(recent: list[Ints], silent: Bools, gone: Bools, hours: int) -> dict[int, npt.NDArray[np.float64]]:
    found = {}
    for meter in np.flatnonzero(gone).tolist():
        days = [table[meter] for table, away in zip(recent, silent[meter], strict=False) if not away]
        if days:
            found[meter] = past_rows(days[::-1][:14], hours).astype(np.float64)
    return found


def _side(group: Group, part: slice, read: Ints, gone: Bools) -> Side:
    values = read[part]
    shape = values.shape
    reported = np.broadcast_to(~gone[part, None], shape)
    return Side(
        usage_points=np.arange(len(group.meters))[part],
        coefficients=np.full(shape[0], 1_000_000),
        valid=np.ones(shape, np.bool_),
        values=np.where(reported, values, 0),
        reported=reported,
        estimated=np.zeros(shape, np.bool_),
        errors=np.broadcast_to(group.class_ppm[part, None], shape),
        pulses=np.broadcast_to(group.weight[part, None], shape),
        starts=np.broadcast_to(group.start_flow[part, None], shape),
        compensated=np.zeros(shape[0], np.bool_),
    )


def _day(number: int, start_s: int, figures: GroupDay, hours: int) -> WatchedDay:
    day = figures.day
    counts = (
        day.coverage in (Coverage.COMPLETE, Coverage.ESTIMATED)
        and day.supply is not None
        and day.supply > 10 * figures.supply_pulse
    )
    counted = np.isin(figures.hours.coverage, (Coverage.COMPLETE, Coverage.ESTIMATED))
    return WatchedDay(
        number,
        start_s,
        float(day.supply or 0) if counts else None,
        float(day.imbalance or 0) if counts else None,
        figures.terms.estimate if figures.terms else 0.0,
        np.where(counted, figures.hours.imbalance, np.nan).astype(np.float64),
        figures.hours.tolerance.astype(np.float64),
        np.arange(hours) % 24,
        hypot(figures.terms.pulse, figures.terms.clock) if figures.terms else 0.0,
    )


def leaking(days: list[WatchedDay], first: int, per_hour: float, hour: int = 0) -> Iterator[WatchedDay]:
    """The same days with so much more lost before the members, from an hour of a day on."""
    for index, day in enumerate(days):
        hours = len(day.hour_imbalance)
        leaks = (np.arange(hours) >= hour if index == first else np.full(hours, index > first)) * per_hour
        if day.supply is None or day.imbalance is None:
            yield day
        else:
            yield replace(
                day,
                supply=day.supply + float(leaks.sum()),
                imbalance=day.imbalance + float(leaks.sum()),
                hour_imbalance=day.hour_imbalance + leaks,
            )
