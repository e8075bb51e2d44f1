"""What the screens make of the database's spans, and the table a manager reads."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from balance_local import group_table, screen
from balance_local.group_spans import Figures, GroupDay, GroupSpan, Month, changed_since
from balance_local.group_table import Known
from balance_local.screen import Screen
from rich.console import Console

FIRST = datetime(2025, 11, 1, 22, tzinfo=UTC)
DAY = GroupDay(
    group_id="G",
    day_start=FIRST,
    supply=100_000_000,
    imbalance=1_000_000,
    verdict="WITHIN_TOLERANCE",
    missing_usage_points=[],
)
LOSS = replace(DAY, imbalance=10_000_000, verdict="LOSS")
DARK = replace(DAY, verdict="UNDECIDED", missing_usage_points=["a", "b", "c"])
GAP = replace(DAY, missing_usage_points=["a"])
FIGURES = Figures(
    group_id="G",
    start_at=FIRST,
    supply=3_000_000_000,
    members=2_970_000_000,
    imbalance=30_000_000,
    tolerance=60_000_000,
    coverage="COMPLETE",
    verdict="WITHIN_TOLERANCE",
    days_due=30,
    days_computable=30,
    members_due=24,
    members_reported=24,
    unit="MILLILITRE",
)
UNRELIABLE = replace(FIGURES, coverage="UNRELIABLE", verdict="UNDECIDED", members_reported=9)


def dated(*days: GroupDay) -> list[GroupDay]:
    return [replace(day, day_start=FIRST + timedelta(days=number)) for number, day in enumerate(days)]


def span(*days: GroupDay, figures: Figures = FIGURES, lasting: bool = False) -> GroupSpan:
    there = dated(*days)
    return GroupSpan(figures, there, there[-2] if lasting else None, "Europe/Chisinau")


def shown(*spans: GroupSpan, known: Known | None = None) -> str:
    on = Screen(Console(width=160, record=True, file=None, no_color=True), rich=False)
    with on.console.capture() as captured:
        group_table.show(on, "Street – now", spans, known or Known())
        group_table.show_months(on, spans)
    return captured.get()


def test_a_loss_begins_on_the_first_of_two_or_more_days_to_the_end() -> None:
    days = dated(DAY, LOSS, DAY, DAY, LOSS, DARK, LOSS)
    assert changed_since(days) == (days[4], days[3])
    assert changed_since(dated(DAY, DAY, LOSS)) is None, "one day is not lasting"
    assert changed_since(dated(DAY, LOSS, LOSS, DAY)) is None
    assert changed_since(dated(LOSS, LOSS, LOSS)) is None, "nothing is known of before"
    assert changed_since([]) is None


def test_a_surplus_is_no_loss() -> None:
    surplus = replace(DAY, verdict="SURPLUS")
    days = dated(DAY, surplus, surplus, LOSS, LOSS)
    assert changed_since(days) == (days[3], days[2])


def test_a_loss_that_lasts_is_told_with_its_first_day() -> None:
    lost = span(*[DAY] * 20, LOSS, LOSS, lasting=True)
    assert lost.verdict == "LOSS"
    assert "LOSS since 22 Nov" in shown(lost)
    assert "since" not in shown(span(*[LOSS] * 3, figures=replace(FIGURES, verdict="LOSS")))


def test_what_is_unreliable_has_no_imbalance_to_be_quoted() -> None:
    dark = span(DAY, DAY, DAY, *[DARK] * 11, figures=UNRELIABLE)
    table = shown(dark, known=Known({**dict.fromkeys("abc", "J-0413"), "d": "J-0412"}))
    assert "unreliable" in table
    assert "30.0" not in table
    assert "concentrator J-0413 silent since 5 Nov" in table
    assert "9 of 24" in table


def test_days_left_out_of_the_sums_are_counted() -> None:
    table = shown(span(DAY, DARK, figures=replace(FIGURES, days_computable=28, coverage="ESTIMATED")))
    assert "2 days left out" in table


def test_what_is_missing_is_named_with_its_reason() -> None:
    figures = replace(FIGURES, coverage="ESTIMATED", members_reported=23)
    known = Known({"a": "J-1"}, {"a": "has two devices under one key"})
    table = shown(span(DAY, GAP, figures=figures), known=known)
    assert "23 of 24 est." in table
    assert "a has two devices under one key since 3 Nov" in table


def test_what_came_again_is_not_missing_since() -> None:
    assert "a has a gap on 3 Nov" in shown(span(DAY, GAP, DAY))
    assert "a has gaps on 2 of 4 days" in shown(span(GAP, DAY, GAP, DAY))
    assert "a not heard since 3 Nov" in shown(span(DAY, GAP, GAP))
    assert "since" not in shown(span(GAP, GAP))


def test_a_group_without_its_supply_is_not_computable() -> None:
    nothing = replace(UNRELIABLE, coverage="NOT_COMPUTABLE", supply=None, members=None, imbalance=None)
    dark = replace(DARK, missing_usage_points=["S"])
    table = shown(span(dark, dark, figures=nothing), known=Known({"S": "J-1"}, supplies={"S"}))
    assert "not computable" in table
    assert "supply meter S not heard all the time" in table


def test_of_a_single_concentrator_nobody_can_tell_that_it_is_silent() -> None:
    table = shown(span(*[DARK] * 3, figures=UNRELIABLE), known=Known(dict.fromkeys("abc", "J-1")))
    assert "a not heard, b not heard, and 1 more" in " ".join(table.split())


def test_without_a_terminal_everything_is_ascii() -> None:
    table = shown(span(DAY, LOSS, LOSS, lasting=True), span(*[DARK] * 3, figures=UNRELIABLE))
    assert table.isascii()
    assert "+/-" in table
    assert "3 000.0" in table


def test_months_stand_below_one_a_line() -> None:
    months = [Month(**vars(FIGURES), month=date(2025, number, 1)) for number in (11, 12)]
    lost = replace(months[1], verdict="LOSS", imbalance=90_000_000)
    table = shown(replace(span(DAY), months=[months[0], lost]))
    lines = [line for line in table.splitlines() if line.strip(" |").startswith("2025-")]
    assert ["within tolerance" in lines[0], "LOSS" in lines[1], "+90.0" in lines[1]] == [True] * 3


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
