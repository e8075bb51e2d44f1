"""Each rule by a small case of its own (docs/domain.md §2.5, §3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.findings import Finding, Severity
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Element, Packet, Registers
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import Limits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
WEIGHT, QMAX = 10, 6000
SUSPECT, MISSING, ESTIMATED = Quality.SUSPECT.code, Quality.MISSING.code, Quality.ESTIMATED.code


def day(number: int) -> int:
    """Start of the day of that number; the clocks change on the 19th."""
    return DAYS.shift(DAY, number)


def whole(number: int = 0, count: int = 2, **given: Any) -> Archive:
    """A day's archive, the same count in every hour."""
    start = day(number)
    told = Archive("R-1", 1, ARCHIVED_RANK, start, HOUR_S, [count] * DAYS.hours_by_start[start])
    return told._replace(**given)


def points(*readings: tuple[float, int], channel: int = 1) -> Registers:
    """Registers at hours after the first day's start."""
    return Registers(
        "R-1", channel, DAY, [int(h * HOUR_S) for h, _ in readings], [value for _, value in readings]
    )


def packet(*elements: Element, sequence: int = 1, received: int | None = None) -> Packet:
    """A packet received 100 days after the first day, unless it is said."""
    return Packet(
        f"P-{sequence}",
        "J-1",
        sequence,
        received or day(100),
        [e for e in elements if isinstance(e, Archive)],
        [e for e in elements if isinstance(e, Registers)],
    )


def point(channel: int = 1, meters: Sequence[Meter] = (), fitted: int = 0) -> UsagePoint:
    """A usage point with one channel, and one meter of 10 mL a pulse, five digits, 6 L an hour."""
    meters = meters or [Meter(0, FOREVER, WEIGHT, 5, QMAX)]
    return UsagePoint(
        1, "UP-1", Resource.WATER, tuple(meters), (Fitting(0, "R-1", channel, fitted, FOREVER),)
    )


def computed(
    *packets: Packet, at: UsagePoint | None = None, days: int = 3, due: int | None = None
) -> Computed:
    """Readings and findings of the first days from these packets alone; the first day is due, or those before
    `due`.
    """
    found = harvest(packets, DAYS, Limits())
    return compute(
        at or point(),
        DAYS.between(DAY, day(days)),
        by_channel(found.blocks, found.points),
        DAYS,
        day(1) if due is None else due,
    )


def qualities(result: Computed, number: int = 0) -> Sequence[int]:
    """Qualities of a day; MISSING throughout when it is none."""
    of_day: Mapping[int, Sequence[int]] = {one.day: one.qualities for one in result.readings}
    return of_day.get(day(number), [MISSING] * 24)


def values(result: Computed, number: int = 0) -> Sequence[int | None]:
    """Values of a day."""
    return next(one.values for one in result.readings if one.day == day(number))


def only(result: Computed, rule: str) -> Finding:
    """The one finding of a rule; it names numbers and ends like a sentence."""
    found = [finding for finding in result.findings if finding.rule == rule]
    assert len(found) == 1, result.findings
    assert found[0].expected in found[0].message or rule == "vee.missing"
    assert found[0].message.endswith(".")
    return found[0]


def test_an_honest_day_is_valid_and_raises_nothing() -> None:
    result = computed(packet(whole(register_start=100, register_end=148)))
    assert values(result) == [20] * 24
    assert not result.findings


@pytest.mark.parametrize(
    ("element", "rule", "words"),
    [
        (whole(101), "vee.future_time", "2026-06-19"),
        (whole()._replace(start=DAY - 2000 * DAY_S), "vee.stale_time", "nothing before"),
        (whole(step=7), "vee.absurd_value", "7 s"),
        (whole(start=DAY + 60), "vee.absurd_value", "60 s after"),
        (whole(values=[]), "vee.absurd_value", "1 to 3000 values"),
        (whole(values=[1] * 3001, step=900), "vee.absurd_value", "3001"),
        (whole(missing=[24]), "vee.absurd_value", "positions from 0 to 23"),
        (whole(values=[2**31, *[1] * 23]), "vee.absurd_value", "32 signed bits"),
        (whole(register_end=-1), "vee.absurd_value", "registers from 0"),
        (whole(channel=0, register_end=5), "vee.absurd_value", "thermometer"),
        (whole(channel=16), "vee.absurd_value", "16"),
        (whole(rank=None), "vee.absurd_value", "unspecified"),
        (whole(module_id=""), "vee.absurd_value", "module id"),
        (whole(module_id="R\x00"), "vee.absurd_value", "module id"),
        (points((0, 10**15 + 1)), "vee.absurd_value", "registers from 0"),
        (points((-1, 5)), "vee.absurd_value", "offsets from 0"),
        (points((36 * 24, 5)), "vee.absurd_value", "35 days"),
        (points((0, 5))._replace(offsets=[]), "vee.absurd_value", "0 offsets"),
        (points((0, 5), channel=0), "vee.absurd_value", "thermometer"),
    ],
)
def test_a_refused_element_is_kept_with_its_finding_and_the_rest_counts(
    element: Element, rule: str, words: str
) -> None:
    found = harvest([packet(element, whole(1, 3))], DAYS, Limits())
    (refusal,) = found.refusals
    assert refusal.finding.rule == rule
    assert refusal.finding.severity is Severity.ERROR
    assert words in refusal.finding.message
    assert refusal.element == element
    assert [block.day.tolist() for block in found.blocks] == [[day(1)]]
    assert not len(found.points)


def test_numbers_at_missing_positions_mean_nothing() -> None:
    result = computed(packet(whole(values=[2**60, *[1] * 23], missing=[0])))
    assert qualities(result)[:2] == [MISSING, Quality.VALID.code]
    assert only(result, "vee.missing").found == "hours 0 missing"


def test_two_reports_of_one_revision_that_differ_are_a_conflict() -> None:
    result = computed(packet(whole()), packet(whole(values=[2] * 5 + [3, 4] + [2] * 17)))
    assert [hour for hour, quality in enumerate(qualities(result)) if quality == SUSPECT] == [5, 6]
    finding = only(result, "vee.conflicting_duplicate")
    assert (finding.start, finding.end) == (DAY + 5 * HOUR_S, DAY + 7 * HOUR_S)


def test_archived_goes_before_current_and_later_before_earlier() -> None:
    late, early = packet(whole(count=9, rank=0), sequence=9), packet(whole(count=4), sequence=2)
    for order in ((late, early), (early, late), (late, early, late)):
        assert values(computed(*order)) == [40] * 24


def test_a_negative_count_is_suspect() -> None:
    result = computed(packet(whole(values=[2] * 23 + [-1])))
    assert qualities(result)[23] == SUSPECT
    assert "-10 mL" in only(result, "vee.negative_consumption").message


def test_a_thermometer_may_be_below_zero_and_is_averaged() -> None:
    told = whole(channel=0, step=1800, values=[-3, -4] * 24)
    assert values(computed(packet(told), at=point(channel=0))) == [-3] * 24


def test_the_finest_complete_step_makes_the_hour() -> None:
    quarters = whole(step=900, values=[1, 2, 3, 4] * 24, missing=[0])
    result = computed(packet(whole(count=7), quarters))
    assert values(result)[:2] == [70, 100]


@pytest.mark.parametrize(
    ("start", "rule", "words", "severity"),
    [
        (148, None, "", None),
        (149, None, "", None),
        (150, "vee.register_continuity", "148", Severity.WARNING),
        (100, "vee.negative_consumption", "unexplained", Severity.WARNING),
        (1, "vee.negative_consumption", "reset", Severity.WARNING),
    ],
)
def test_a_day_begins_where_the_one_before_ended(
    start: int, rule: str | None, words: str, severity: Severity | None
) -> None:
    days = whole(register_start=100, register_end=148), whole(1, register_start=start)
    result = computed(packet(*days))
    assert {finding.rule for finding in result.findings} == ({rule} if rule else set())
    assert values(result, 1) == [20] * 24
    if rule:
        finding = only(result, rule)
        assert words in finding.message
        assert (finding.start, finding.end, finding.severity) == (day(1), day(1), severity)


def test_a_register_that_wraps_at_midnight_is_an_information() -> None:
    days = whole(register_start=99_951, register_end=99_999), whole(1, register_start=0)
    finding = only(computed(packet(*days)), "vee.negative_consumption")
    assert finding.severity is Severity.INFORMATION
    assert "wrap" in finding.message


@pytest.mark.parametrize(
    ("registers", "rule", "words"),
    [
        ((100, 148), None, ""),
        ((100, 150), None, ""),
        ((100, 151), "vee.sum_check", "48"),
        ((99_990, 38), "vee.negative_consumption", "wrap"),
        ((500, 50), "vee.negative_consumption", "reset"),
        ((500, 51), "vee.negative_consumption", "unexplained"),
    ],
)
def test_counts_add_up_to_the_registers(registers: tuple[int, int], rule: str | None, words: str) -> None:
    result = computed(packet(whole(register_start=registers[0], register_end=registers[1])))
    assert {finding.rule for finding in result.findings} == ({rule} if rule else set())
    quarantined = rule is not None and words != "wrap"
    assert (set(qualities(result)) == {SUSPECT}) is quarantined
    if rule:
        assert words in only(result, rule).message


def test_a_sum_is_checked_between_registers_within_the_day() -> None:
    told = whole(register_start=100, register_end=148), points((6, 112), (12, 130))
    result = computed(packet(*told))
    assert [hour for hour, quality in enumerate(qualities(result)) if quality == SUSPECT] == [*range(6, 24)]
    assert [f.rule for f in result.findings] == ["vee.sum_check"] * 2


def test_an_hour_above_the_greatest_flow_is_suspect() -> None:
    most = (QMAX + WEIGHT) // WEIGHT
    result = computed(packet(whole(values=[most] * 4 + [most + 1] * 2 + [0] * 18)))
    assert [hour for hour, quality in enumerate(qualities(result)) if quality == SUSPECT] == [4, 5]
    finding = only(result, "vee.high")
    assert "6,000 mL" in finding.expected
    assert "6,020 mL" in finding.found


def test_days_between_alternating_registers_are_suspect_whole() -> None:
    archives, register = [], 1000
    for number, jump in enumerate((0, 500, -510, 495, -500, 0)):
        register += jump
        archives.append(whole(number, register_start=register, register_end=register + 48))
        register += 48
    result = computed(packet(*archives), days=6)
    finding = only(result, "vee.two_devices")
    assert (finding.start, finding.end) == (day(1), day(4))
    assert [set(qualities(result, n)) == {SUSPECT} for n in range(6)] == [False, *[True] * 3, False, False]


def test_registers_are_shared_out_over_the_hours() -> None:
    result = computed(packet(points((0, 100), (1, 107), (3, 117), (24, 222))))
    assert values(result) == [70, 50, 50, *[50] * 21]
    assert set(qualities(result)[3:]) == {ESTIMATED}
    assert qualities(result)[:3] == [Quality.VALID.code] * 3


def test_a_pulse_back_between_two_collectors_is_no_finding() -> None:
    result = computed(packet(points((0, 100), (1, 107), (2, 106), (3, 112))))
    assert values(result)[:3] == [70, 0, 50]
    assert [finding.rule for finding in result.findings] == ["vee.missing"]


def test_a_pulse_back_that_remains_counts_as_nothing() -> None:
    result = computed(packet(points((0, 100), (1, 99), (2, 99), (3, 105))))
    assert values(result)[:3] == [0, 0, 60]


def test_a_fall_is_quarantined_until_the_register_is_back() -> None:
    told = points((0, 100), (1, 110), (2, 90), (3, 95), (4, 112), (5, 114), (24, 120))
    result = computed(packet(told))
    assert [hour for hour, quality in enumerate(qualities(result)) if quality == SUSPECT] == [1, 2, 3]
    finding = only(result, "vee.negative_consumption")
    assert (finding.start, finding.end) == (DAY + HOUR_S, DAY + 4 * HOUR_S)
    assert values(result)[4] == 20


def test_a_register_may_wrap() -> None:
    result = computed(packet(points((0, 99_990), (1, 5), (24, 28))))
    assert values(result)[0] == 150
    assert only(result, "vee.negative_consumption").severity is Severity.INFORMATION


def test_a_step_above_the_greatest_flow_is_quarantined() -> None:
    result = computed(packet(points((0, 100), (1, 800), (24, 846))))
    assert qualities(result)[:2] == [SUSPECT, ESTIMATED]
    assert "6,000 mL" in only(result, "vee.high").message


def test_two_registers_under_one_key_are_one_finding() -> None:
    told = [(hour, 1000 + hour + 50_000 * (hour in (3, 5, 7, 9))) for hour in range(25)]
    result = computed(packet(points(*told)))
    finding = only(result, "vee.two_devices")
    assert (finding.start, finding.end) == (DAY + 2 * HOUR_S, DAY + 10 * HOUR_S)
    assert {f.rule for f in result.findings if f.start < day(1)} == {"vee.two_devices"}
    assert [hour for hour, quality in enumerate(qualities(result)) if quality == SUSPECT] == [*range(2, 10)]


@pytest.mark.parametrize(
    ("final", "initial", "value"), [(130, 7, 20 * 10 + 3 * 100), (None, 7, None), (130, 12, None)]
)
def test_a_declared_exchange_counts_both_meters(
    final: int | None, initial: int | None, value: int | None
) -> None:
    exchange = DAY + HOUR_S // 2
    meters = [Meter(0, exchange, 10, 5, QMAX, None, final), Meter(exchange, FOREVER, 100, 5, QMAX, initial)]
    result = computed(packet(points((0, 110), (1, 10), (24, 12))), at=point(meters=meters))
    assert values(result)[0] == value
    of_first_day = {finding.rule for finding in result.findings if finding.start < day(1)}
    assert of_first_day == (set() if value else {"vee.negative_consumption"})


def test_a_step_of_a_month_is_used_a_longer_one_is_not() -> None:
    month = computed(packet(Registers("R-1", 1, day(-31), [0, 32 * DAY_S], [0, 50])))
    assert set(qualities(month)) == {ESTIMATED}
    longer = computed(packet(Registers("R-1", 1, day(-31), [0, 32 * DAY_S + 1], [0, 50])))
    assert not longer.readings


def test_silence_is_a_finding_when_the_day_is_due() -> None:
    assert not computed(packet(whole()), due=day(1)).findings
    finding = only(computed(packet(whole()), due=day(2)), "vee.missing")
    assert (finding.start, finding.end, finding.found) == (day(1), day(2), "nothing")
    early = computed(packet(whole()), at=point(fitted=day(1) + 1), due=day(2))
    assert not early.findings


def test_the_same_fact_has_the_same_id() -> None:
    one, again = (only(computed(packet(whole(values=[-1] * 24))), "vee.negative_consumption") for _ in "12")
    assert one.finding_id == again.finding_id
    other = only(computed(packet(whole(1, values=[-1] * 24))), "vee.negative_consumption")
    assert other.finding_id != one.finding_id
