"""Closed gaps are estimated, their totals exact (docs/domain.md §3.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from balance_ingest.domain.bordering import Bordered, open_sides
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import HOUR_S, Days
from balance_ingest.domain.findings import Finding, Severity
from balance_ingest.domain.gaps import shares
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.marks import EVER, Known
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Element, Packet, Registers
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource
from hypothesis import given
from hypothesis import strategies as st

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
SPRING, AUTUMN = 19, 229
"""Days of 23 and of 25 hours."""
WEIGHT, QMAX = 10, 6000
VALID, SUSPECT = Quality.VALID.code, Quality.SUSPECT.code
MISSING, ESTIMATED = Quality.MISSING.code, Quality.ESTIMATED.code
Values = Sequence[int | None]


def day(number: int) -> int:
    """Start of the day of that number."""
    return DAYS.shift(DAY, number)


def hours(number: int) -> int:
    """How many a day has."""
    return DAYS.hours_by_start[day(number)]


def told(number: int, counts: int | Sequence[int] = 2, **given: Any) -> Archive:
    """A day's archive; one count is that of every hour."""
    values = [counts] * hours(number) if isinstance(counts, int) else list(counts)
    return Archive("R-1", 1, ARCHIVED_RANK, day(number), HOUR_S, values)._replace(**given)


def run(first: int, last: int, register: int, counts: int | Sequence[int] = 2) -> list[Archive]:
    """Days one after the other whose registers go on from a register."""
    found = []
    for number in range(first, last + 1):
        one = told(number, counts)
        end = register + sum(one.values)
        found.append(one._replace(register_start=register, register_end=end))
        register = end
    return found


def register(number: int, value: int, hour: float = 0) -> Registers:
    """One register reading."""
    return Registers("R-1", 1, day(number) + int(hour * HOUR_S), [0], [value])


def point(*meters: Meter, fitted: int = 0, resource: Resource = Resource.WATER) -> UsagePoint:
    """A usage point; its meter has 10 mL a pulse, five digits, 6 L an hour, unless said otherwise."""
    held = meters or (Meter(0, FOREVER, WEIGHT, 5, QMAX),)
    return UsagePoint(1, "UP-1", resource, held, (Fitting(0, "R-1", 1, fitted, FOREVER),))


def computed(
    *elements: Element, at: UsagePoint | None = None, days: int = 400, known: Known = EVER, first: int = -60
) -> Computed:
    """Readings and findings of all days from these elements alone."""
    archives = [e for e in elements if isinstance(e, Archive)]
    registers = [e for e in elements if isinstance(e, Registers)]
    packets = [Packet(f"P-{n}", "J-1", n, day(400), [a], []) for n, a in enumerate(archives)]
    packets.append(Packet("P-R", "J-1", 9999, day(400), [], registers))
    found = harvest(packets, DAYS, Limits())
    wanted = DAYS.between(day(first), day(days))
    return compute(at or point(), wanted, by_channel(found.blocks, found.points), DAYS, 0, known=known)


def values(result: Computed, number: int) -> Values:
    """Values of a day, None throughout when it is none."""
    of_day: Mapping[int, Values] = {one.day: one.values for one in result.readings}
    return of_day.get(day(number), [None] * hours(number))


def qualities(result: Computed, number: int) -> set[int]:
    """Qualities of a day."""
    of_day = {one.day: set(one.qualities) for one in result.readings}
    return of_day.get(day(number), {MISSING})


def total(result: Computed, first: int, last: int) -> int:
    """Sum of the values of some days, none of them missing."""
    return sum(value for n in range(first, last + 1) for value in values(result, n) if value is not None)


def only(result: Computed) -> Finding:
    """The one finding."""
    (found,) = [finding for finding in result.findings if finding.rule != "vee.missing"]
    assert found.expected in found.message
    assert found.found in found.message
    return found


def test_silent_days_between_registers_are_estimated_and_lose_nothing() -> None:
    result = computed(*run(0, 9, 1000), *run(13, 20, 1480 + 151))
    assert [qualities(result, n) for n in (9, 10, 12, 13)] == [{VALID}, {ESTIMATED}, {ESTIMATED}, {VALID}]
    assert total(result, 10, 12) == 151 * WEIGHT
    assert result.estimated == {day(10), day(11), day(12)}
    assert not result.findings


def test_hours_take_the_shape_of_the_nearest_whole_days_of_the_week() -> None:
    quiet, busy = [0] * 12 + [4] * 12, [8] * 24
    before, after = run(0, 9, 1000, quiet), run(11, 18, 2000, busy)
    result = computed(*before, *after)
    # The day a week before and that a week after are the nearest; their mean weighs 40 and 60 mL.
    night, noon = (values(result, 10)[hour] or 0 for hour in (3, 15))
    assert total(result, 10, 10) == (2000 - 1480) * WEIGHT
    assert abs(night * 6 - noon * 4) < 10


def test_of_two_reference_days_equally_near_the_earlier_counts() -> None:
    """Four are taken: the two a week away, of those two weeks away both; three weeks away none."""
    days = {
        -21: [9] * 24,
        -14: [2] * 24,
        -7: [2] * 24,
        7: [2] * 24,
        14: [0] * 12 + [2] * 12,
        21: [9] * 24,
    }
    elements = [told(n, counts) for n, counts in days.items()]
    result = computed(*elements, register(0, 0), register(1, 105), told(0, [0] * 24, missing=list(range(24))))
    # A day of an archive that says nothing is no interval evidence, and §3.7 spreads the step evenly.
    assert qualities(result, 0) == {ESTIMATED}
    partly = told(0, [7] * 24, missing=list(range(1, 24)))
    result = computed(*elements, register(0, 0), register(1, 110), partly)
    shares = [value or 0 for value in values(result, 0)]
    assert shares[0] == 70
    assert sum(shares) == 1100
    assert sum(shares[1:12]) * 20 * 12 == pytest.approx(sum(shares[12:]) * 15 * 11, rel=0.05)
    assert max(shares[1:]) - min(shares[1:]) < 20


def test_the_fifth_nearest_reference_day_is_not_asked() -> None:
    near = [told(n, [1] * 12 + [3] * 12) for n in (-14, -7, 7, 14)]
    far = [told(n, [900] * 24) for n in (-21, 21)]
    partly = told(0, [7] * 24, missing=list(range(1, 24)))
    registers = register(0, 0), register(1, 7 + 11 + 36)
    result = computed(*near, *far, *registers, partly, at=point(Meter(0, FOREVER, WEIGHT, 5, 10**6)))
    assert values(result, 0) == [70, *[10] * 11, *[30] * 12]


def test_a_reference_day_must_be_whole_and_valid() -> None:
    holed = told(7, [9] * 24, missing=[3])
    wrong = told(-7, [*[9] * 23, -1])
    good = told(14, [1] * 12 + [3] * 12)
    partly = told(0, [7] * 24, missing=list(range(1, 24)))
    result = computed(holed, wrong, good, partly, register(0, 0), register(1, 7 + 11 + 36))
    assert values(result, 0) == [70, *[10] * 11, *[30] * 12]


def test_without_reference_days_hours_are_even() -> None:
    result = computed(
        told(0, register_start=0, register_end=48), told(2, register_start=72, register_end=120)
    )
    assert values(result, 1) == [10] * 24
    result = computed(*run(0, 9, 0, 0), *run(11, 20, 24, 0))
    assert values(result, 10) == [10] * 24


def test_any_day_without_a_reference_makes_all_hours_even() -> None:
    known = told(0, [0] * 12 + [2] * 12, register_start=0, register_end=24)
    after = told(9, register_start=24 + 16 * 12, register_end=1000)
    result = computed(known, after)
    assert {value for n in range(1, 9) for value in values(result, n)} == {10}


@pytest.mark.parametrize("missing", [1, 2])
def test_two_hours_or_less_are_shared_evenly(missing: int) -> None:
    usual = [told(n, [0] * 23 + [5]) for n in (-7, 7)]
    gone = list(range(24 - missing, 24))
    result = computed(*usual, told(0, missing=gone, register_start=100, register_end=100 + 44 + 9))
    shown = values(result, 0)[24 - missing :]
    assert shown == ([50, 40] if missing == 2 else [110])[:missing] or sum(v or 0 for v in shown) == (
        (153 - 100 - 2 * (24 - missing)) * WEIGHT
    )
    assert max(v or 0 for v in shown) - min(v or 0 for v in shown) <= 1


@pytest.mark.parametrize(("number", "length"), [(SPRING, 23), (AUTUMN, 25)])
def test_days_of_23_and_25_hours_take_the_last_hour_of_their_references(number: int, length: int) -> None:
    usual = [told(number + by, [*[1] * 22, 3, *[5] * (hours(number + by) - 23)]) for by in (-7, 7)]
    partly = told(number, [0] * length, missing=list(range(1, length)))
    moved = sum([*[1] * 21, 3, *[5] * (length - 23)])
    result = computed(*usual, partly, register(number, 0), register(number + 1, moved))
    assert values(result, number) == [0, *[10] * 21, 30, *[50] * (length - 23)]


def test_a_register_that_wrapped_is_a_total_and_an_information() -> None:
    result = computed(told(0, 1, register_end=99_990), told(2, 1, register_start=38, register_end=62))
    assert total(result, 1, 1) == 48 * WEIGHT
    found = only(result)
    assert (found.rule, found.severity) == ("vee.negative_consumption", Severity.INFORMATION)
    assert (found.start, found.end) == (day(1), day(2))


@pytest.mark.parametrize(
    ("before", "after", "words"), [(500, 20, "reset"), (90_000, 60_000, "unexplained"), (500, 499, "")]
)
def test_a_register_that_fell_estimates_nothing(before: int, after: int, words: str) -> None:
    result = computed(told(0, 1, register_end=before), told(2, 1, register_start=after))
    if not words:
        assert values(result, 1) == [0] * 24
        return
    assert qualities(result, 1) == {MISSING}
    found = only(result)
    assert (found.rule, found.severity) == ("vee.negative_consumption", Severity.WARNING)
    assert words in found.message


@pytest.mark.parametrize(("pulses", "estimated"), [(24 * 600 + 1, True), (24 * 600 + 2, False)])
def test_more_than_the_meter_can_pass_is_no_total(pulses: int, estimated: bool) -> None:
    result = computed(told(0, 1, register_end=100), told(2, 1, register_start=100 + pulses))
    assert qualities(result, 1) == {ESTIMATED if estimated else MISSING}
    if not estimated:
        found = only(result)
        assert (found.rule, found.severity) == ("vee.high", Severity.WARNING)
        assert (found.start, found.end) == (day(1), day(2))


def test_a_gap_within_one_fitting_of_channel_and_meter_only() -> None:
    around = told(0, 1, register_end=100), told(3, 1, register_start=148)
    middle = day(1) + 12 * HOUR_S
    exchanged = point(Meter(0, middle, WEIGHT, 5, QMAX), Meter(middle, FOREVER, WEIGHT, 5, QMAX))
    assert qualities(computed(*around), 1) == {ESTIMATED}
    assert qualities(computed(*around, at=exchanged), 1) == {MISSING}
    assert qualities(computed(*around, at=point(fitted=day(1) + 1)), 1) == {MISSING}
    at_mark = point(Meter(0, day(1), WEIGHT, 5, QMAX), Meter(day(1), FOREVER, 100, 5, 10 * QMAX))
    assert total(computed(*around, at=at_mark), 1, 2) == 4800
    assert qualities(computed(*around, at=point(resource=Resource.SENSOR)), 1) == {MISSING}


def test_registers_in_conflict_are_no_mark() -> None:
    first, last = told(0, 1, register_end=100), told(2, 1, register_start=124)
    assert qualities(computed(first, last), 1) == {ESTIMATED}
    assert qualities(computed(first, first._replace(register_end=101), last), 1) == {ESTIMATED}
    archives = [
        Packet(f"P-{n}", "J-1", 7, day(9), [first._replace(register_end=r)], [])
        for n, r in ((1, 100), (2, 101))
    ]
    archives.append(Packet("P-3", "J-1", 8, day(9), [last], []))
    found = harvest(archives, DAYS, Limits())
    seen = by_channel(found.blocks, found.points)
    result = compute(point(), DAYS.between(DAY, day(5)), seen, DAYS, 0)
    assert qualities(result, 1) == {MISSING}


def test_before_a_mark_its_end_counts_and_after_it_its_start() -> None:
    first = told(0, 1, register_start=0, register_end=24)
    beside = told(1, 1, register_start=24_000, register_end=24_024)
    result = computed(
        first._replace(missing=[5]),
        beside._replace(missing=[5]),
        at=point(Meter(0, FOREVER, WEIGHT, 5, 10**6)),
    )
    assert values(result, 0) == values(result, 1) == [10] * 24


def test_a_suspect_hour_between_the_marks_leaves_the_gap_open() -> None:
    first = told(0, [*[1] * 23, -1], register_start=100)
    result = computed(first, told(2, 1, register_start=148))
    assert qualities(result, 1) == {MISSING}
    marked = computed(first._replace(register_end=122), told(2, 1, register_start=148))
    assert qualities(marked, 1) == {ESTIMATED}


def test_a_gap_reaches_32_days_at_most_and_its_marks_62() -> None:
    last = told(33, 1, register_start=100 + 32 * 24)
    assert qualities(computed(told(0, 1, register_end=100), last), 1) == {ESTIMATED}
    result = computed(told(0, 1, register_end=100), told(34, 1, register_start=100 + 32 * 24))
    assert qualities(result, 1) == {MISSING}
    for length, quality in ((62, ESTIMATED), (63, MISSING)):
        silent = [told(n, 1) for n in range(1, length) if n != 30]
        result = computed(
            register(0, 0), register(length, 24 * length), told(0, 1), *silent, at=point(), first=-1
        )
        assert qualities(result, 30) == {quality}


def test_a_register_reading_alone_closes_a_gap_of_archives() -> None:
    result = computed(*run(0, 9, 0), register(12, 480 + 100, hour=6))
    assert total(result, 10, 12) == 1000
    assert qualities(result, 12) == {ESTIMATED, MISSING}
    off_edge = computed(*run(0, 9, 0), register(12, 580, hour=6.5))
    assert qualities(off_edge, 10) == {MISSING}


def test_missing_is_found_as_if_nothing_were_estimated() -> None:
    elements = told(0, 1, register_end=100), told(2, 1, missing=[3], register_start=124, register_end=148)
    found = harvest([Packet("P-1", "J-1", 1, day(9), list(elements), [])], DAYS, Limits())
    seen = by_channel(found.blocks, found.points)
    result = compute(point(), DAYS.between(DAY, day(3)), seen, DAYS, day(9))
    starts = {finding.start for finding in result.findings if finding.rule == "vee.missing"}
    assert starts == {day(1), day(2)}
    assert qualities(result, 1) == {ESTIMATED}
    assert qualities(result, 2) == {VALID, ESTIMATED}


def test_a_day_computed_says_what_must_be_known_before_its_gaps_are_closed() -> None:
    elements = [*run(0, 9, 1000), *run(13, 20, 1480 + 151)]
    whole = computed(*elements)
    alone = computed(*elements, first=13, days=14)
    assert alone.days == [day(n) for n in range(10, 14)]
    assert [values(alone, n) for n in range(10, 14)] == [values(whole, n) for n in range(10, 14)]
    near = computed(*elements, first=13, days=14, known=Known(day(8), day(16)))
    assert near.lacks is not None
    assert near.days == [day(13)]
    calm = computed(*elements, first=5, days=6, known=Known(day(1), day(8)))
    assert calm.lacks is None
    assert calm.days == [day(5)]


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any))
def test_shares_lose_nothing_and_none_is_negative(whole: int, weights: list[int]) -> None:
    shared = shares(whole, weights)
    assert sum(shared) == whole
    assert min(shared) >= 0
    for share, weight in zip(shared, weights, strict=True):
        assert abs(share * sum(weights) - whole * weight) <= sum(weights)


def is_closed(rows: Sequence[tuple[bool, bool, bool, bool, bool]], at: int, step: int) -> bool:
    """Whether registers are met at or beyond a row's edge before the chain of days ends."""
    here, beyond = (3, 1) if step < 0 else (4, 2)
    while not rows[at][here]:
        link = at if step < 0 else at + 1
        if not 0 < link < len(rows) or not rows[link][0]:
            return False
        at += step
        if rows[at][beyond]:
            return True
    return True


@given(st.lists(st.tuples(*[st.booleans()] * 5), min_size=1, max_size=12))
def test_sides_of_plain_days_are_told_all_at_once_as_one_by_one(
    rows: list[tuple[bool, bool, bool, bool, bool]],
) -> None:
    """A row is: follows the one before, has START, has END, END before it, START after it."""
    gaps = np.cumsum([not follows for follows, *_ in rows])
    start = (np.arange(len(rows)) + gaps) * 86_400
    flags = [np.array(column, bool) for column in zip(*rows, strict=True)]
    ones = np.ones(len(rows), np.int64)
    order = np.random.default_rng(len(rows)).permutation(len(rows))
    columns = [ones, ones, start, start + 86_400, *flags[1:]]
    told = Bordered.of([Bordered(*(column[order] for column in columns))])
    sides = open_sides(told)
    assert sides.before.tolist() == [not is_closed(rows, at, -1) for at in range(len(rows))]
    assert sides.after.tolist() == [not is_closed(rows, at, 1) for at in range(len(rows))]
