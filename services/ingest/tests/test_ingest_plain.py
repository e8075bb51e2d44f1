"""Plain days, computed all at once, are what the rules say of them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.days import HOUR_S, Days
from balance_ingest.domain.evidence import Block, Points, Shape
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.join import ABSENT, Slots
from balance_ingest.domain.plain import Windows, plain_days, whole
from balance_ingest.domain.readings import compute
from balance_ingest.domain.sensor_kinds import SensorKind
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource
from hypothesis import given
from hypothesis import strategies as st

DAYS = Days(Calendar("Europe/Chisinau", 0))
TODAY = DAYS.day_of(int(datetime(2026, 3, 29, 12, tzinfo=UTC).timestamp()))
"""A day of 23 hours."""
WEIGHT, QMAX = 10, 200

KIND = SensorKind("X", "", "", "", 0, 2, "", None, None, False, "")

registers = st.one_of(st.none(), st.integers(0, 60))


def edge(value: int | None, revision: int = 1) -> Slots:
    """A register of a day's edge."""
    there = value is not None
    return Slots(*(np.array([n], np.int64) for n in (revision if there else ABSENT, value or 0, value or 0)))


def row(day: int, step: int, counts: Sequence[int | None], start: int | None, end: int | None) -> Block:
    """A day of channel 0; None is an interval nobody reported."""
    low = np.array([[count or 0 for count in counts]], np.int64)
    revision = np.where([[count is None for count in counts]], ABSENT, 1)
    shape = Shape(step, DAYS.hours_by_start[day])
    at = np.array([0], np.int64), np.array([day], np.int64)
    return Block(shape, *at, Slots(revision, low, low), edge(start), edge(end))


@st.composite
def days(draw: st.DrawFn) -> tuple[Block, Block | None, Block | None]:
    """Today, and perhaps yesterday and tomorrow, mostly in order and now and then not."""
    step = draw(st.sampled_from([900, 1800, 3600]))
    slots = 23 * HOUR_S // step
    typical = st.integers(0, 2)
    odd = st.one_of(st.none(), st.integers(-2, 30))
    counts = draw(st.lists(typical, min_size=slots, max_size=slots))
    told: list[int | None] = list(counts)
    for position in draw(st.lists(st.integers(0, slots - 1), max_size=2)):
        told[position] = draw(odd)
    start = draw(registers)
    moved = sum(count or 0 for count in told) + draw(st.integers(-4, 4))
    end = draw(st.one_of(st.none(), st.just(max(0, (start or 0) + moved))))
    near = st.integers(-3, 3)
    eve = draw(st.one_of(st.none(), st.just(max(0, (start or 0) + draw(near)))))
    morrow = draw(st.one_of(st.none(), st.just(max(0, (end or 0) + draw(near)))))
    yesterday = row(DAYS.shift(TODAY, -1), 3600, [1] * 24, None, eve) if eve is not None else None
    tomorrow = row(DAYS.shift(TODAY, 1), 3600, [1] * 24, morrow, None) if morrow is not None else None
    return row(TODAY, step, told, start, end), yesterday, tomorrow


@given(days(), st.integers(0, 1), st.integers(-2, 2), st.integers(-2, 2), st.sampled_from(list(Resource)[1:]))
def test_a_plain_day_is_computed_as_the_rules_compute_it(
    told: tuple[Block, Block | None, Block | None], number: int, fitted: int, removed: int, resource: Resource
) -> None:
    today, yesterday, tomorrow = told
    began = TODAY + fitted * HOUR_S if fitted else 0
    ended = DAYS.end_of(TODAY) + removed * HOUR_S if removed else FOREVER
    meter = Meter(began, ended, WEIGHT, 5, QMAX)
    point = UsagePoint(
        7,
        "UP-1",
        resource,
        (meter,),
        (Fitting(0, "R-1", number, 0 if number else began, FOREVER),),
        kind=KIND if resource is Resource.SENSOR else None,
    )
    span = (KIND.least, KIND.greatest) if resource is Resource.SENSOR else (-FOREVER, FOREVER)
    row_of = (7, began, ended, WEIGHT, QMAX, number, resource.code, 2, *span)
    windows = Windows(*(np.array([n], np.int64) for n in row_of))
    before = np.array([int(yesterday.end.low[0]) if yesterday else -1], np.int64)
    after = np.array([int(tomorrow.start.low[0]) if tomorrow else -1], np.int64)
    blocks = [block for block in (today, yesterday, tomorrow) if block is not None]
    computed = compute(point, [TODAY], by_channel(blocks, Points.none()), DAYS, 0)
    plain, readings = plain_days(today, windows, before, after)
    calm = not [f for f in computed.findings if f.start < DAYS.end_of(TODAY)]
    if (whole(today) & plain)[0]:
        assert calm
        assert [(one.day, list(one.values)) for one in computed.readings] == [
            (TODAY, readings.values[0].tolist())
        ]
        assert set(computed.readings[0].qualities) == {1}


def test_an_honest_day_is_plain() -> None:
    today = row(TODAY, 3600, [1] * 23, 10, 33)
    windows = Windows(*(np.array([n], np.int64) for n in (7, 0, FOREVER, WEIGHT, QMAX, 1, 2, 2, 0, 0)))
    plain, readings = plain_days(today, windows, np.array([10]), np.array([33]))
    assert whole(today).tolist() == plain.tolist() == [True]
    assert readings.values.tolist() == [[10] * 23]


@pytest.mark.parametrize(
    ("counts", "end", "before", "after", "plain"),
    [
        ([1] * 23, 33, 11, 34, True),
        ([1] * 23, 33, 12, -1, False),
        ([1] * 23, 33, -1, 31, False),
        ([1] * 23, 35, -1, -1, True),
        ([1] * 23, 36, -1, -1, False),
        ([21, *[0] * 22], 31, -1, -1, True),
        ([22, *[0] * 22], 32, -1, -1, False),
        ([2, -1, *[0] * 21], 11, -1, -1, False),
    ],
)
def test_a_day_on_which_anything_is_amiss_is_not_plain(
    counts: Sequence[int], end: int, before: int, after: int, plain: bool
) -> None:
    today = row(TODAY, 3600, counts, 10, end)
    windows = Windows(*(np.array([n], np.int64) for n in (7, 0, FOREVER, WEIGHT, QMAX, 1, 2, 2, 0, 0)))
    found, _ = plain_days(today, windows, np.array([before]), np.array([after]))
    assert found.tolist() == [plain]
