"""How long a usage point may be silent, and which thermometer is its."""

from __future__ import annotations

import time

from balance_imbalance.domain.equipment import (
    ChannelFitting,
    Equipment,
    FittedThermometer,
    ThermometerSpan,
    allowances_of_point,
    thermometers_of_point,
)
from balance_imbalance.domain.register import FOREVER
from balance_kernel.plans import Allowance
from hypothesis import given
from hypothesis import strategies as st

SPANS = st.tuples(st.integers(0, 12), st.integers(-1, 12))


def fitted(module: str, start: int, end: int = FOREVER) -> ChannelFitting:
    return ChannelFitting(module, 1, start, end)


def test_the_greatest_allowance_of_the_modules_fitted_counts() -> None:
    channels = [fitted("D", 0, 50), fitted("E", 40, 60), fitted("F", 70)]
    allowances = {"D": [Allowance(10, 45, 7)], "E": [Allowance(0, 42, 31), Allowance(42, 90, 7)]}
    assert allowances_of_point(channels, allowances) == [
        Allowance(10, 40, 7),
        Allowance(40, 42, 31),
        Allowance(42, 60, 7),
    ]


def test_the_first_thermometer_by_id_counts() -> None:
    channels = [fitted("D", 0, 50), fitted("E", 50)]
    warm = {
        "D": [FittedThermometer("T-b", 8, 0, FOREVER), FittedThermometer("T-a", 9, 20, 30)],
        "E": [FittedThermometer("T-b", 8, 0, FOREVER), FittedThermometer("T-B", 7, 60, 61)],
    }
    assert thermometers_of_point(channels, warm) == [
        ThermometerSpan(0, 20, 8),
        ThermometerSpan(20, 30, 9),
        ThermometerSpan(30, 60, 8),
        ThermometerSpan(60, 61, 7),
        ThermometerSpan(61, FOREVER, 8),
    ]


def test_nothing_is_said_of_what_hangs_nowhere() -> None:
    nothing = Equipment()
    assert (nothing.allowance_days(1, 0), nothing.thermometer_of(1, 0)) == (0, None)
    assert allowances_of_point([fitted("D", 5, 5)], {"D": [Allowance(0, FOREVER, 7)]}) == []


@given(
    channels=st.lists(st.tuples(st.sampled_from("DE"), SPANS), max_size=4),
    allowed=st.lists(st.tuples(st.sampled_from("DE"), SPANS, st.sampled_from([7, 31])), max_size=4),
    warm=st.lists(st.tuples(st.sampled_from("DE"), SPANS, st.integers(1, 3)), max_size=4),
)
def test_spans_say_at_each_instant_what_the_fittings_say(
    channels: list[tuple[str, tuple[int, int]]],
    allowed: list[tuple[str, tuple[int, int], int]],
    warm: list[tuple[str, tuple[int, int], int]],
) -> None:
    there = [fitted(module, *span) for module, span in channels]
    allowances = {m: [Allowance(*span, days) for at, span, days in allowed if at == m] for m in "DE"}
    thermometers = {
        m: [FittedThermometer(f"T-{number}", number, *span) for at, span, number in warm if at == m]
        for m in "DE"
    }
    found = Equipment(
        {1: allowances_of_point(there, allowances)}, {1: thermometers_of_point(there, thermometers)}
    )
    for instant in range(-1, 14):
        modules = {module for module, (start, end) in channels if start <= instant < end}
        days = [d for module, (start, end), d in allowed if module in modules and start <= instant < end]
        names = [t for module, (start, end), t in warm if module in modules and start <= instant < end]
        assert found.allowance_days(1, instant) == max(days, default=0)
        assert found.thermometer_of(1, instant) == min(names, default=None)


def test_fittings_by_the_ten_thousand_are_worked_out_at_once() -> None:
    channels = [fitted("D", at, 30_000 - at) for at in range(10_000)]
    begun = time.monotonic()
    assert allowances_of_point(channels, {"D": [Allowance(0, FOREVER, 7)]}) == [Allowance(0, 30_000, 7)]
    assert time.monotonic() - begun < 5
