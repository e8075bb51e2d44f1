"""A street of six buildings composed from one real home, with everything that goes wrong in one.

Building 1 leaks before the flats' meters, a meter of building 2 runs slow, the concentrator of most of
building 3 is dead for eleven days, a meter of building 4 is exchanged, two devices send under one key in
building 5, and a module of building 6 falls silent. The same seed gives the same street.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np

from balance_simulator import counting, delivery, playbook, profiles, reports
from balance_simulator.checking import Problems
from balance_simulator.fleet import Fleet, UsagePoint, resolve
from balance_simulator.localtime import Days
from balance_simulator.playbook import Playbook
from balance_simulator.profiles import Floats, Home
from balance_simulator.reports import Report
from balance_simulator.scenario import (
    CutOut,
    Delivery,
    GroupPlan,
    MembershipPlan,
    MeterPlan,
    Scenario,
    Silence,
    UsagePointPlan,
)
from balance_simulator.series import Increments, Series
from balance_simulator.truth import GroupTruth, Truth

NAME = "demo"
FLATS = {"DEMO_1": 60, "DEMO_2": 32, "DEMO_3": 24, "DEMO_4": 40, "DEMO_5": 30, "DEMO_6": 28}
DAYS = Days("Europe/Chisinau", 0)
FIRST_DAY, SPAN_DAYS = date(2025, 11, 1), 18

LEAK_SHARE = 0.09
LEAK_FROM = datetime(2025, 11, 9)
SLOW, SLOW_FROM, SLOW_FACTOR = "DEMO_2/17", datetime(2025, 11, 7), 0.8
DEAD, DEAD_FLATS = "J-0413", range(10, 25)
DEAD_FROM, DEAD_UNTIL = datetime(2025, 11, 4, 6), datetime(2025, 11, 15, 18)
EXCHANGED, EXCHANGED_AT = "DEMO_4/05", datetime(2025, 11, 10, 10)
TWO_DEVICES, SECOND_DEVICE_DAYS = "DEMO_5/08", (6, 8, 10, 12)
SILENT, SILENT_FROM = "DEMO_6/19", datetime(2025, 11, 12)

COMMON_METER = MeterPlan(class_ppm=15_000, pulse_weight=100_000, digits=8, q_max=160_000_000)
FLAT_METER = MeterPlan(class_ppm=15_000, pulse_weight=10_000, digits=8, q_max=6_000_000)


@dataclass(frozen=True)
class Street:
    """A composed street: what is sent before the backlog arrives, what from then on, and the truth."""

    fleet: Fleet
    before: Playbook
    after: Playbook
    truth: Truth


@dataclass(frozen=True)
class _Flat:
    """Gas that flowed (mL an hour) and gas that its meter registered, and the temperature of its module."""

    consumed: Floats
    registered: Floats
    temperature: Floats


def compose(home: Home, seed: int = 7) -> Street:
    """The street of a seed."""
    days = [FIRST_DAY + timedelta(days=n) for n in range(SPAN_DAYS)]
    donors = home.donors(days)
    flats = {name: dict(_flats(name, count, home, donors, seed)) for name, count in FLATS.items()}
    fleet = resolve(_scenario(), (), DAYS.start(FIRST_DAY), Problems())
    leaks = {name: _leak(name, own) for name, own in flats.items()}
    series = dict(_series(flats, leaks, seed))
    plan = _delivery(seed)
    made, fleet = playbook.report_all(series, fleet, DAYS, plan)
    gas = _gas(home, profiles.resample(donors, np.random.default_rng([seed, 99])))
    made = list(_two_devices(made, fleet.usage_points[TWO_DEVICES], gas))
    packets = playbook.deliver(delivery.schedule(made, plan), plan)
    back = round(_instant(DEAD_UNTIL).timestamp() * 1000)
    before = Playbook(fleet, [packet for packet in packets if packet["received_at"] < back])
    after = Playbook(fleet, [packet for packet in packets if packet["received_at"] >= back])
    return Street(fleet, before, after, _truth(flats, leaks, seed))


def usage_point_id(group: str, flat: int) -> str:
    """Id of a flat's gas."""
    return f"{group}/{flat:02d}"


def _instant(local: datetime) -> datetime:
    return DAYS.start(local.date()) + timedelta(hours=local.hour)


def _since(local: datetime) -> int:
    """Hours from the start of the span."""
    return round((_instant(local) - DAYS.start(FIRST_DAY)).total_seconds()) // 3600


def _scenario() -> Scenario:
    points: list[UsagePointPlan] = []
    groups = []
    for number, (name, count) in enumerate(FLATS.items(), start=1):
        concentrator = f"J-04{number + 9 if number < 4 else number + 10}"
        common = f"{name}/common"
        points.append(_point(common, COMMON_METER, f"M-{number}000", concentrator, ("DEMO", str(number))))
        for flat in range(1, count + 1):
            points += _flat_points(name, number, flat, concentrator)
        members = tuple(MembershipPlan(usage_point_id(name, flat)) for flat in range(1, count + 1))
        groups.append(GroupPlan(name, f"DEMO street {number}", (MembershipPlan(common),), members))
    return Scenario(
        name=NAME,
        title="Street DEMO",
        days=DAYS,
        resource="GAS",
        usage_points=tuple(points),
        usual=MeterPlan(),
        groups=tuple(groups),
        sources=(),
    )


def _flat_points(group: str, number: int, flat: int, concentrator: str) -> Iterator[UsagePointPlan]:
    """A flat's gas, and the thermometer of the same module."""
    if group == "DEMO_3" and flat in DEAD_FLATS:
        concentrator = DEAD
    module, path = f"M-{number}{flat:03d}", ("DEMO", str(number), str(flat))
    name = usage_point_id(group, flat)
    yield _point(name, FLAT_METER, module, concentrator, path)
    yield UsagePointPlan(f"{name}/t", "TEMPERATURE", (MeterPlan(),), module, 0, concentrator, path)


def _point(
    name: str, meter: MeterPlan, module: str, concentrator: str, path: tuple[str, ...]
) -> UsagePointPlan:
    meters: tuple[MeterPlan, ...] = (meter,)
    if name == EXCHANGED:  # the new meter gives a pulse a litre: history must keep the weight of each
        meters = (
            meter,
            replace(meter, fitted_at=_instant(EXCHANGED_AT), pulse_weight=1_000, initial_register=0),
        )
    return UsagePointPlan(name, "GAS", meters, module, 1, concentrator, path)


def _flats(
    group: str, count: int, home: Home, donors: Mapping[date, Sequence[date]], seed: int
) -> Iterator[tuple[str, _Flat]]:
    """Each flat: a resample of the home, its size, and the error of its meter inside half of its class."""
    for flat in range(1, count + 1):
        rng = np.random.default_rng([seed, int(group[-1]), flat])
        drawn = profiles.resample(donors, rng)
        size, error = float(np.clip(rng.lognormal(0.0, 0.25), 0.5, 2.0)), rng.uniform(-0.0075, 0.0075)
        consumed = _gas(home, drawn) * size
        registered = consumed * (1 + error)
        name = usage_point_id(group, flat)
        if name == SLOW:
            registered[_since(SLOW_FROM) :] *= SLOW_FACTOR
        outdoor = np.concatenate([home.outdoor[day] for day in drawn])
        yield name, _Flat(consumed, registered, 20.5 + rng.normal(0, 1.0) + 0.05 * (outdoor - 8.0))


def _gas(home: Home, drawn: Sequence[date]) -> Floats:
    return np.concatenate([home.gas[day] for day in drawn])


def _leak(group: str, flats: Mapping[str, _Flat]) -> Floats:
    """Gas that leaves before the flats' meters, mL an hour."""
    leak = np.zeros(SPAN_DAYS * 24)
    if group == "DEMO_1":
        leak[_since(LEAK_FROM) :] = LEAK_SHARE * np.mean(_total(flats))
    return leak


def _total(flats: Mapping[str, _Flat]) -> Floats:
    total: Floats = np.sum([flat.consumed for flat in flats.values()], axis=0)
    return total


def _series(
    flats: Mapping[str, Mapping[str, _Flat]], leaks: Mapping[str, Floats], seed: int
) -> Iterator[tuple[str, Series]]:
    for group, own in flats.items():
        error = np.random.default_rng([seed, int(group[-1]), 0]).uniform(-0.0075, 0.0075)
        yield _increments(f"{group}/common", (_total(own) + leaks[group]) * (1 + error))
        for name, flat in own.items():
            yield _increments(name, flat.registered)
            yield _increments(f"{name}/t", flat.temperature * 1000)


def _increments(name: str, amounts: Floats) -> tuple[str, Increments]:
    values = np.rint(amounts).astype(np.int64)
    start = round(DAYS.start(FIRST_DAY).timestamp())
    return name, Increments(name, start, 3600, values, np.ones(len(values), np.bool_))


def _delivery(seed: int) -> Delivery:
    """Common meters also send intraday; a few sessions come late or twice."""
    end = DAYS.start(FIRST_DAY + timedelta(days=SPAN_DAYS + 1))
    silent = _instant(SILENT_FROM)
    return Delivery(
        seed=seed,
        duplicate=0.05,
        delay=0.03,
        delay_h=6.0,
        intraday=tuple(f"{group}/common" for group in FLATS),
        intraday_h=4,
        silences=(Silence(DEAD, _instant(DEAD_FROM), _instant(DEAD_UNTIL)),),
        cut_outs=(CutOut(SILENT, silent, end), CutOut(f"{SILENT}/t", silent, end)),
    )


def _two_devices(made: Sequence[Report], point: UsagePoint, gas: Floats) -> Iterator[Report]:
    """The reports, with those of one flat taken on some days from another device that has the same key."""
    register = 800_000  # far from the first device's, as two meters' are
    second = replace(point, meters=(replace(point.meters[0], initial_register=register),))
    counts, _ = counting.count(_increments(point.id, gas)[1], second)
    others = {report.day: report for report in reports.archives(counts, second, DAYS)}
    for report in made:
        swapped = report.usage_point == point.id and report.day.day in SECOND_DEVICE_DAYS
        yield others[report.day] if swapped else report


def _truth(flats: Mapping[str, Mapping[str, _Flat]], leaks: Mapping[str, Floats], seed: int) -> Truth:
    suspect = range(min(SECOND_DEVICE_DAYS), max(SECOND_DEVICE_DAYS) + 1)
    return Truth(
        seed=seed,
        first_day=FIRST_DAY.isoformat(),
        last_day=(FIRST_DAY + timedelta(days=SPAN_DAYS - 1)).isoformat(),
        backlog_at=_instant(DEAD_UNTIL).isoformat(),
        groups={name: _group_truth(own, leaks[name]) for name, own in flats.items()},
        unreliable_before=["DEMO_3"],
        quarantined={TWO_DEVICES: [FIRST_DAY.replace(day=day).isoformat() for day in suspect]},
        findings=[("vee.two_devices", TWO_DEVICES)],
    )


def _group_truth(flats: Mapping[str, _Flat], leak: Floats) -> GroupTruth:
    slow = flats[SLOW].consumed[_since(SLOW_FROM) :] * (1 - SLOW_FACTOR) if SLOW in flats else np.zeros(1)
    consumed = float(_total(flats).sum())
    return GroupTruth(
        supplied=round(consumed + leak.sum()),
        consumed=round(consumed),
        lost=round(leak.sum()),
        unregistered=round(slow.sum()),
        verdict="LOSS" if leak.any() else "WITHIN_TOLERANCE",
        since=LEAK_FROM.date().isoformat() if leak.any() else None,
    )
