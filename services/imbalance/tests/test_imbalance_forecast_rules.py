"""What is expected of the days to come, and how surely, by the page alone (docs/domain.md §6.3, §6.4)."""

from __future__ import annotations

from collections import Counter
from datetime import date
from math import exp, log, sqrt
from random import Random

import numpy as np
import pytest
from balance_imbalance.domain.forecast import (
    DRIFT,
    DRIFT_HEATING,
    Coming,
    Expected,
    Method,
    Past,
    expect,
    month_end,
)
from balance_imbalance.domain.forecast_days import years_before
from balance_imbalance.domain.forecast_weather import nearest

NAN = float("nan")
Day = tuple[float | None, float]
"""Sum of a whole day, None of another; degree-days, NaN where unknown."""
Later = tuple[float, float]
"""Degree-days of a day to come and their variance; NaN where past years do not know them."""


def by_the_page(past: list[Day], coming: list[Later], drift: float) -> tuple[float, float, Method]:
    """E, V without u_used, and method; the newest day first."""
    whole = [(age, y, z) for age, (y, z) in enumerate(past) if y is not None]
    days = len(coming)
    if not days:
        return 0.0, 0.0, Method.MEASURED
    if len(whole) < 7:
        return 0.0, 0.0, Method.NONE
    line = degree_days([(age, y, z) for age, y, z in whole if z == z], coming, drift)
    if line:
        return *line, Method.DEGREE_DAYS
    w = [2 ** (-age / 14) for age, _, _ in whole]
    total, effective = sum(w), sum(w) ** 2 / sum(x * x for x in w)
    mean = sum(a * y for a, (_, y, _) in zip(w, whole, strict=True)) / total
    s2 = sum(a * (y - mean) ** 2 for a, (_, y, _) in zip(w, whole, strict=True)) / total
    s2 *= effective / (effective - 1)
    return max(mean, 0.0) * days, s2 * (days + drift * days**2 + days**2 / effective), Method.MEAN


def degree_days(
    fit: list[tuple[int, float, float]], coming: list[Later], drift: float
) -> tuple[float, float] | None:
    if len(fit) < 10 or len({z for _, _, z in fit}) == 1:
        return None
    w = [2 ** (-age / 14) for age, _, _ in fit]
    total, effective = sum(w), sum(w) ** 2 / sum(x * x for x in w)
    y_mean = sum(a * y for a, (_, y, _) in zip(w, fit, strict=True)) / total
    z_mean = sum(a * z for a, (_, _, z) in zip(w, fit, strict=True)) / total
    squares = sum(a * (z - z_mean) ** 2 for a, (_, _, z) in zip(w, fit, strict=True))
    b = sum(a * (z - z_mean) * (y - y_mean) for a, (_, y, z) in zip(w, fit, strict=True)) / squares
    a0 = y_mean - b * z_mean
    s2 = sum(a * (y - a0 - b * z) ** 2 for a, (_, y, z) in zip(w, fit, strict=True)) / total
    s2 *= effective / (effective - 2)
    q = sum((a * (z - z_mean)) ** 2 for a, (_, _, z) in zip(w, fit, strict=True)) / squares**2
    if b <= 0 or b < 2 * sqrt(s2 * q):
        return None
    zs = [z for _, _, z in fit]
    recent = sum(zs[:14]) / len(zs[:14])
    spread = sum((z - sum(zs) / len(zs)) ** 2 for z in zs) / (len(zs) - 1)
    told = [(recent, spread) if z != z else (z, v) for z, v in coming]
    days = len(coming)
    off = sum(z - z_mean for z, _ in told)
    variance = s2 * (days + drift * days**2 + days**2 / effective + off**2 * q)
    variance += 3 * b**2 * sum(v for _, v in told)
    return sum(max(0.0, a0 + b * z) for z, _ in told), variance


def computed(past: list[Day], coming: list[Later], drift: float, beside: int = 0) -> Expected:
    """The same by the service, among other subjects."""
    totals, whole, z = (
        np.zeros((beside + 1, 42)),
        np.zeros((beside + 1, 42), bool),
        np.full((beside + 1, 42), NAN),
    )
    there, later = np.zeros((beside + 1, 31), bool), np.full((2, beside + 1, 31), NAN)
    for age, (y, degrees) in enumerate(past):
        totals[-1, age], whole[-1, age], z[-1, age] = y or 0.0, y is not None, degrees
    for column, told in enumerate(coming):
        there[-1, column], later[:, -1, column] = True, told
    whole[:-1, :20], there[:-1] = True, True
    totals[:-1] = np.arange(42)
    found = expect(Past(totals, whole, z), Coming(there, *later), np.full(beside + 1, drift))
    return Expected(found.total[-1:], found.variance[-1:], found.method[-1:])


def a_case(number: int) -> tuple[list[Day], list[Later], float]:
    """Six weeks and days to come by chance; in some consumption rises with the cold."""
    chance = Random(number)
    known, rise, noise = (
        chance.choice(each) for each in ((0.2, 0.5, 1.0), (0.0, 1.0, 20.0), (0.0, 200.0, 40e3))
    )
    cold = [float(chance.randint(0, 20_000)) if chance.random() < 0.9 else NAN for _ in range(42)]
    past: list[Day] = [
        (
            int(rise * (0 if z != z else z)) + round(chance.uniform(-noise, 5 * noise))
            if chance.random() < known
            else None,
            z,
        )
        for z in cold
    ]
    coming = [
        (NAN, NAN) if chance.random() < 0.3 else (chance.uniform(0, 25_000), chance.uniform(0, 10**7))
        for _ in range(chance.choice((0, 1, 9, 31)))
    ]
    return past, coming, chance.choice((DRIFT, DRIFT_HEATING))


def test_expected_is_what_the_page_says() -> None:
    methods = Counter[Method]()
    for number in range(400):
        case = a_case(number)
        total, variance, method = by_the_page(*case)
        found = computed(*case)
        methods[method] += 1
        assert found.method[0] == method
        assert found.total[0] == pytest.approx(total, rel=1e-9, abs=1e-3)
        assert found.variance[0] == pytest.approx(variance, rel=1e-6, abs=1.0)
    assert set(methods) == {Method.MEASURED, Method.NONE, Method.MEAN, Method.DEGREE_DAYS}
    assert min(methods.values()) > 20


def test_others_computed_with_it_change_no_bit() -> None:
    for number in range(50):
        alone, among = computed(*a_case(number)), computed(*a_case(number), beside=7)
        assert alone.total[0] == among.total[0]
        assert alone.variance[0] == among.variance[0]


def end_of(used: float, read: float, uncertain: float, total: float, variance: float) -> tuple[int, ...]:
    expected = Expected(np.array([total]), np.array([variance]), np.array([int(Method.MEAN)]))
    end = month_end(np.array([used]), np.array([read]), np.array([uncertain]), expected)
    return tuple(int(each[0]) for each in (end.used, end.expected, end.lowest, end.highest))


def test_the_interval_has_no_upper_end_but_a_lower() -> None:
    above = 1000 * exp(2 * sqrt(log(1 + 90_000 / 1000**2)))
    assert end_of(500, 500, 0, 1000, 90_000) == (500, 1500, 900, 500 + round(above))
    assert end_of(500, 500, 0, 1000, 10**6) == (500, 1500, 500, 500 + round(1000 * exp(2 * sqrt(log(2)))))


def test_what_is_estimated_may_have_been_nothing() -> None:
    assert end_of(500, 300, 50, 0, 0) == (500, 500, 400, 600)
    assert end_of(500, 300, 500, 0, 0) == (500, 500, 300, 1500)
    assert end_of(-500, -300, 10, 0, 0) == (-500, -500, -500, -480)


def test_nothing_overflows() -> None:
    assert end_of(10**17, 10**17, 0, 10**17, 1e36) == (10**17,) * 4
    assert end_of(0, 0, 1e-9, 1e-12, 1e30)[3] <= 10**17


def test_dates_and_objects() -> None:
    assert years_before(date(2024, 2, 29), 1) == date(2023, 2, 28)
    assert years_before(date(2024, 3, 1), 3) == date(2021, 3, 1)
    assert nearest(("R", "L", "H"), {("R",), ("R", "L")}) == ("R", "L")
    assert nearest(("X",), {("R",)}) is None
    assert nearest(("X",), {()}) == ()
