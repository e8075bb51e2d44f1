"""A span of group-days, and the table a manager reads."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import hypot

import pytest
from balance_local import group_spans, group_table, screen
from balance_local.group_spans import GroupDay, GroupSpan
from balance_local.group_table import Known
from balance_local.screen import Screen
from rich.console import Console

FIRST = datetime(2025, 11, 1, 22, tzinfo=UTC)
DAY = GroupDay(
    group_id="G",
    day_start=FIRST,
    supply=100_000_000,
    members=99_000_000,
    imbalance=1_000_000,
    tolerance=2_000_000,
    coverage="COMPLETE",
    verdict="WITHIN_TOLERANCE",
    members_due=24,
    members_reported=24,
    missing_usage_points=[],
    unit="MILLILITRE",
    u_supply_class=800_000.0,
    u_members_class=600_000.0,
    u_pulse=30_000.0,
    u_estimate=0.0,
)
LOSS = replace(DAY, members=90_000_000, imbalance=10_000_000, verdict="LOSS")
UNRELIABLE = replace(
    DAY,
    coverage="UNRELIABLE",
    verdict="UNDECIDED",
    members=60_000_000,
    members_reported=9,
    missing_usage_points=["a", "b", "c"],
)


def span(*days: GroupDay) -> GroupSpan:
    dated = [replace(day, day_start=FIRST + timedelta(days=number)) for number, day in enumerate(days)]
    return GroupSpan("G", dated, "Europe/Chisinau")


def shown(*spans: GroupSpan, known: Known | None = None) -> str:
    on = Screen(Console(width=160, record=True, file=None, no_color=True), rich=False)
    with on.console.capture() as captured:
        group_table.show(on, "Street – now", spans, known or Known())
    return captured.get()


def test_days_add_up_and_the_pulse_term_enters_once() -> None:
    whole = span(*[DAY] * 10)
    assert (whole.supply, whole.members, whole.imbalance) == (1_000_000_000, 990_000_000, 10_000_000)
    assert whole.tolerance == pytest.approx(2 * hypot(8e6, 6e6, 3e4))
    assert whole.verdict == "WITHIN_TOLERANCE"


def test_a_loss_that_lasts_is_told_with_its_first_day() -> None:
    lost = span(*[DAY] * 20, LOSS, LOSS)
    assert lost.imbalance is not None
    assert lost.tolerance is not None
    assert lost.imbalance <= lost.tolerance
    assert lost.verdict == "LOSS"
    assert "LOSS since 22 Nov" in shown(lost)


def test_a_single_lost_day_is_no_lasting_loss() -> None:
    assert span(*[DAY] * 20, LOSS).verdict == "WITHIN_TOLERANCE"
    assert span(*[DAY] * 5, LOSS, LOSS, DAY).since is None


def test_a_sum_beyond_the_tolerance_is_told_without_a_day() -> None:
    surplus = replace(DAY, imbalance=-30_000_000, members=130_000_000)
    assert span(DAY, surplus, DAY).verdict == "SURPLUS"
    assert span(LOSS, LOSS, LOSS).verdict == "LOSS"
    assert "since" not in shown(span(LOSS, LOSS, LOSS))


def test_the_last_days_of_a_lasting_loss_are_not_its_beginning() -> None:
    lasting = span(*[LOSS] * 10, DAY, LOSS, LOSS)
    assert (lasting.verdict, lasting.since) == ("LOSS", None)


def test_too_few_decided_days_are_not_judged() -> None:
    dark = span(DAY, DAY, DAY, *[UNRELIABLE] * 11)
    assert (dark.imbalance, dark.tolerance, dark.verdict) == (None, None, "UNDECIDED")
    assert dark.supply == 1_400_000_000
    table = shown(dark, known=Known({**dict.fromkeys("abc", "J-0413"), "d": "J-0412"}))
    assert "concentrator J-0413 silent since 5 Nov" in table
    assert "9 of 24, 11 days open" in table


def test_a_few_open_days_are_left_out_of_the_sums() -> None:
    most = span(*[DAY] * 9, UNRELIABLE)
    assert most.supply == 900_000_000
    assert most.verdict == "WITHIN_TOLERANCE"


def test_what_is_missing_is_named_with_its_reason() -> None:
    table = shown(
        span(DAY, replace(DAY, coverage="ESTIMATED", members_reported=23, missing_usage_points=["a"])),
        known=Known({"a": "J-1"}, {"a": "has two devices under one key"}),
    )
    assert "23 of 24 est." in table
    assert "a has two devices under one key since 3 Nov" in table


def test_what_came_again_is_not_missing_since() -> None:
    gap = replace(DAY, coverage="ESTIMATED", members_reported=23, missing_usage_points=["a"])
    assert "a has a gap on 3 Nov" in shown(span(DAY, gap, DAY))
    assert "a has gaps on 2 of 4 days" in shown(span(gap, DAY, gap, DAY))
    assert "a not heard since 3 Nov" in shown(span(DAY, gap, gap))
    assert "since" not in shown(span(gap, gap))


def test_a_group_without_its_supply_is_not_computable() -> None:
    dark = replace(UNRELIABLE, supply=None, coverage="NOT_COMPUTABLE", missing_usage_points=["S"])
    table = shown(span(dark, dark), known=Known({"S": "J-1"}, supplies={"S"}))
    assert "not computable" in table
    assert "supply meter S not heard all the time" in table


def test_what_nobody_was_heard_of_is_no_zero() -> None:
    silent = replace(UNRELIABLE, supply=None, members=0, members_reported=0)
    assert span(silent, silent).members is None
    assert span(silent, UNRELIABLE).members == 60_000_000


def test_of_a_single_concentrator_nobody_can_tell_that_it_is_silent() -> None:
    table = shown(span(*[UNRELIABLE] * 3), known=Known(dict.fromkeys("abc", "J-1")))
    assert "a not heard, b not heard, and 1 more" in " ".join(table.split())


def test_without_a_terminal_everything_is_ascii() -> None:
    table = shown(span(DAY, LOSS, LOSS), span(*[UNRELIABLE] * 3))
    assert table.isascii()
    assert "+/-" in table
    assert "300.0" in table


def test_months_are_cut_by_the_local_clock() -> None:
    days = [
        replace(DAY, day_start=datetime(2025, 11, 29, 22, tzinfo=UTC) + timedelta(days=n)) for n in range(4)
    ]
    parts = list(group_spans.months(GroupSpan("G", days, "Europe/Chisinau")))
    assert [(p.local(p.days[0]).month, len(p.days)) for p in parts] == [(11, 1), (12, 3)]


@pytest.mark.parametrize(
    ("base", "signed", "text"),
    [
        (4_812_400_000, False, "4\u202f812.4"),
        (-8_900_000, True, "−8.9"),
        (1, True, "+0.0"),
        (-1, False, "0.0"),
        (None, True, "—"),
    ],
)
def test_amounts(base: int | None, signed: bool, text: str) -> None:
    assert screen.amount(base, "MILLILITRE", signed=signed) == text


@pytest.mark.parametrize(("share", "text"), [(0.0254, "+2.5 %"), (-0.004, "−0.4 %"), (None, "—")])
def test_shares(share: float | None, text: str) -> None:
    assert screen.percent(share, signed=True) == text


def test_spans_in_words() -> None:
    def day(month: int, number: int, year: int = 2025) -> datetime:
        return datetime(year, month, number, tzinfo=UTC)

    assert screen.span(day(11, 1), day(11, 18)) == "1–18 Nov 2025"
    assert screen.span(day(10, 1), day(12, 31)) == "1 Oct – 31 Dec 2025"
    assert screen.span(day(12, 1, 2024), day(1, 2)) == "1 Dec 2024 – 2 Jan 2025"
    assert screen.span(day(1, 2), day(1, 2)) == "2 Jan 2025"
