"""What is said of groups, in which order, where they lie."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from balance_gateway.domain import boards, histories, places, sparks
from balance_gateway.domain.boards import Choice, Standing, State
from balance_gateway.domain.sentences import Amount, Day
from balance_gateway.entrypoints.pages.spreadsheets import cell

NEWEST = datetime(2026, 3, 9, 22, tzinfo=UTC)
ONSET_DAY = datetime(2026, 2, 9, 22, tzinfo=UTC)


def row(**changes: Any) -> dict[str, Any]:
    """A group of gas that is fine: 700 m³ supplied in 7 days."""
    return {
        "group_id": "G-1",
        "name": "House",
        "resource": "GAS",
        "unit": "MILLILITRE",
        "day_start": NEWEST,
        "members_due": 60,
        "members_reported": 60,
        "problems": [],
        "supply_7d": 700_000_000,
        "imbalance_7d": 7_000_000,
        "relative_imbalance_7d": 0.01,
        "tolerance_7d": 12_600_000,
        "coverage_7d": "COMPLETE",
        "verdict_7d": "WITHIN_TOLERANCE",
        "onset_since_day": None,
        "onset_side": None,
        "onset_size_per_day": None,
        "hour_alarm_start_at": None,
        "hour_alarm_ended_at": None,
        "days_known": 7,
        "days_due": 7,
        "alike_since": None,
        "days_alike": None,
    } | changes


def losing(**changes: Any) -> dict[str, Any]:
    """A group that loses 41 m³ a day."""
    figures = {"verdict_7d": "LOSS", "imbalance_7d": 287_000_000, "relative_imbalance_7d": 0.41}
    return row(**{**figures, **changes})


def onset(size: int, side: str = "RISE") -> dict[str, Any]:
    """What an open onset adds to a row."""
    return {"onset_since_day": ONSET_DAY, "onset_side": side, "onset_size_per_day": size}


UNDECIDED = {
    "verdict_7d": "UNDECIDED",
    "imbalance_7d": None,
    "relative_imbalance_7d": None,
    "tolerance_7d": None,
}
MUCH, MORE = Amount(41_000_000, "MILLILITRE"), Amount(21_000_000, "MILLILITRE")


@pytest.mark.parametrize(
    ("given", "state", "text", "values"),
    [
        (losing(), State.LOSING, "Losing %(amount)s a day", {"amount": MUCH}),
        (losing(days_alike=1), State.LOSING, "Losing %(amount)s a day", {"amount": MUCH}),
        (
            losing(days_alike=30),
            State.LOSING,
            "Losing %(amount)s a day, on each of the last %(days)s days",
            {"amount": MUCH, "days": 30},
        ),
        (
            losing(**onset(40_000_000)),
            State.LOSING,
            "Losing %(amount)s a day since %(day)s",
            {"amount": MUCH, "day": Day(ONSET_DAY)},
        ),
        (
            losing(**onset(21_000_000)),
            State.LOSING,
            "Losing %(amount)s a day, %(more)s of it since %(day)s",
            {"amount": MUCH, "more": MORE, "day": Day(ONSET_DAY)},
        ),
        (
            losing(alike_since=ONSET_DAY, **onset(-40_000_000, "FALL")),
            State.LOSING,
            "Losing %(amount)s a day, on each day since %(day)s",
            {"amount": MUCH, "day": Day(ONSET_DAY)},
        ),
        (
            row(verdict_7d="SURPLUS", imbalance_7d=-287_000_000, **onset(-41_000_000, "FALL")),
            State.SURPLUS,
            "Members count %(amount)s a day more than is supplied, since %(day)s",
            {"amount": MUCH, "day": Day(ONSET_DAY)},
        ),
        (
            row(verdict_7d="SURPLUS", imbalance_7d=-287_000_000),
            State.SURPLUS,
            "Members count %(amount)s a day more than is supplied",
            {"amount": MUCH},
        ),
        (
            row(**UNDECIDED, coverage_7d="UNRELIABLE", members_reported=9, members_due=24),
            State.UNRELIABLE,
            "Unreliable: %(reported)s of %(due)s members heard",
            {"reported": 9, "due": 24},
        ),
        (
            row(**UNDECIDED, coverage_7d="UNRELIABLE", days_known=4),
            State.UNRELIABLE,
            "Unreliable: the supply meter was heard on %(known)s of %(due)s days",
            {"known": 4, "due": 7},
        ),
        (
            row(**UNDECIDED, coverage_7d="UNRELIABLE"),
            State.UNRELIABLE,
            "Unreliable: too much of the last 7 days is estimated",
            {},
        ),
        (
            row(**UNDECIDED, coverage_7d="NOT_COMPUTABLE", days_known=0),
            State.NO_DATA,
            "Not known: the supply meter is not heard",
            {},
        ),
        (
            row(**UNDECIDED, coverage_7d="NOT_COMPUTABLE", problems=["NO_SUPPLY"]),
            State.NO_DATA,
            "The register names no supply meter",
            {},
        ),
        (
            row(**dict.fromkeys(set(row()) - {"group_id", "name", "resource"})),
            State.NO_DATA,
            "No reading of it has come yet",
            {},
        ),
        (row(), State.FINE, "Within tolerance", {}),
        (
            row(**onset(21_000_000)),
            State.FINE,
            "Within tolerance, but %(amount)s a day more than before since %(day)s",
            {"amount": MORE, "day": Day(ONSET_DAY)},
        ),
        (
            row(**onset(-21_000_000, "FALL")),
            State.FINE,
            "Within tolerance, but %(amount)s a day less than before since %(day)s",
            {"amount": MORE, "day": Day(ONSET_DAY)},
        ),
    ],
)
def test_each_state_has_its_sentence(
    given: dict[str, Any], state: State, text: str, values: dict[str, Any]
) -> None:
    found = boards.standing(given)
    assert (found.state, found.sentence.text, found.sentence.values) == (state, text, values)


def test_a_day_is_the_mean_of_the_days_known() -> None:
    assert boards.standing(losing(imbalance_7d=12_000_000, days_known=3)).per_day == 4_000_000


def test_alarms_that_stand_and_faults_of_the_register_are_noticed() -> None:
    stands = boards.standing(row(hour_alarm_start_at=NEWEST, problems=["NESTED_CYCLE"]))
    assert [one.text for one in stands.notices] == [
        "Hourly alarm since %(instant)s",
        "Nested groups name one another",
    ]
    assert not boards.standing(row(hour_alarm_start_at=NEWEST, hour_alarm_ended_at=NEWEST)).notices


def board(*rows: dict[str, Any]) -> list[Standing]:
    return [boards.standing(one) for one in rows]


def names(standings: list[Standing]) -> list[str]:
    return [one.group_id for one in standings]


MANY = board(
    row(group_id="fine", name="Mill Street 10"),
    losing(group_id="heat", resource="HEAT", unit="WATT_HOUR", imbalance_7d=9_000_000_000),
    losing(group_id="little", imbalance_7d=70_000_000, relative_imbalance_7d=0.9),
    losing(group_id="much"),
    row(group_id="surplus", verdict_7d="SURPLUS", imbalance_7d=-9_000_000_000, relative_imbalance_7d=-0.5),
    row(group_id="dark", **UNDECIDED, coverage_7d="NOT_COMPUTABLE", members_due=0, members_reported=0),
    row(group_id="half", **UNDECIDED, coverage_7d="UNRELIABLE", members_reported=9),
)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("loss", ["much", "little", "heat", "surplus", "half", "dark", "fine"]),
        ("share", ["little", "surplus", "heat", "much", "fine", "dark", "half"]),
        ("coverage", ["dark", "half", "fine", "heat", "little", "much", "surplus"]),
        ("name", ["dark", "fine", "half", "heat", "little", "much", "surplus"]),
        ("of another page", ["much", "little", "heat", "surplus", "half", "dark", "fine"]),
    ],
)
def test_orders(order: str, expected: list[str]) -> None:
    assert names(boards.chosen(MANY, Choice(order=order))) == expected


def test_filters_and_counts() -> None:
    assert names(boards.chosen(MANY, Choice(state="losing", resource="GAS"))) == ["much", "little"]
    assert names(boards.chosen(MANY, Choice(search="street MILL"))) == ["fine"]
    assert boards.counts(boards.found_by(MANY, Choice(state="fine", resource="GAS"))) == {
        State.LOSING: 2,
        State.SURPLUS: 1,
        State.UNRELIABLE: 1,
        State.NO_DATA: 1,
        State.FINE: 1,
    }


def spark_day(
    place: int, share: float | None, verdict: str = "WITHIN_TOLERANCE", **told: Any
) -> dict[str, Any]:
    return {
        "place": place,
        "share": share,
        "verdict": verdict,
        "coverage": "COMPLETE",
        "tolerance_share": 0.02,
    } | told


def test_bars_of_a_small_chart() -> None:
    unknown = spark_day(2, None, "UNDECIDED", coverage="NOT_COMPUTABLE", tolerance_share=None)
    found = sparks.spark([spark_day(0, 0.04, "LOSS"), spark_day(1, -0.02), unknown], 30)
    loss, fits, none = found.bars
    assert (loss.x, loss.y, loss.height, loss.tone) == (116, 0, 14, "act")
    assert (fits.x, fits.y, fits.height, fits.tone) == (112, 14, 7, "fine")
    assert (none.height, none.tone) == (1, "none")
    assert (found.band_y, found.band_height) == (7, 14)


def test_an_absurd_day_leaves_the_others_to_be_seen() -> None:
    found = sparks.spark([spark_day(0, 90.0, "LOSS"), spark_day(1, 0.1)], 30)
    assert [bar.height for bar in found.bars] == [14, 7]


def test_what_lies_before_the_chart_is_not_drawn() -> None:
    assert not sparks.spark([spark_day(30, 0.1)], 30).bars


def day(number: int, *missing: str, unmetered: tuple[str, ...] = (), version: int = 1) -> dict[str, Any]:
    start = NEWEST + timedelta(days=number)
    return {
        "day_start": start,
        "missing_usage_points": list(missing),
        "unmetered_usage_points": list(unmetered),
        "version": version,
        "computed_at": start + timedelta(days=2, hours=version),
    }


def test_who_is_missing_since_when() -> None:
    days = [day(-3, "UP-2", "UP-3"), day(-2, "UP-1", "UP-3"), day(-1, "UP-1"), day(0, "UP-1", "UP-2")]
    assert [(one.usage_point_id, one.since, one.is_at_least) for one in histories.silences(days)] == [
        ("UP-1", days[1]["day_start"], False),
        ("UP-2", days[3]["day_start"], False),
    ]
    (longest,) = histories.silences([day(-1, "UP-1"), day(0, "UP-1", unmetered=("UP-1",))])
    assert (longest.is_at_least, longest.is_unmetered) == (True, True)
    assert histories.silences([]) == []


def test_how_often_days_were_computed_again() -> None:
    found = histories.computed_again([day(-2, version=3), day(-1), day(0, version=2)])
    assert (found.times, found.days, found.last_at) == (3, 2, NEWEST + timedelta(days=2, hours=2))


def test_figures_have_gaps_and_the_wider_side_of_losses() -> None:
    known = {
        "start_at": NEWEST,
        "end_at": NEWEST + timedelta(hours=1),
        "unit": "WATT_HOUR",
        "supply": 5_000,
        "members": 4_000,
        "imbalance": 1_000,
        "tolerance": 300,
        "unregistered": 200,
        "verdict": "LOSS",
        "coverage": "ESTIMATED",
    }
    unknown = known | {"supply": None, "imbalance": None, "tolerance": None}
    found = histories.figures([known, unknown])
    assert (found["imbalance"], found["lower"], found["upper"]) == ([1.0, None], [-0.3, None], [0.5, None])
    assert found["start"] == [NEWEST.timestamp()] * 2


def membership(point: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "usage_point_id": point,
        "nested_group_id": None,
        "role": "MEMBER",
        "coefficient_ppm": 1_000_000,
        "valid_from": 0,
        "valid_to": None,
        "object_path": ["Street"],
        "meters": [
            {"meter_number": "old", "fitted_at": 0, "removed_at": 1000},
            {"meter_number": "new", "fitted_at": 1000, "removed_at": None},
        ],
    } | changes


def test_members_the_silent_first_with_their_share() -> None:
    silence = histories.Silence("UP-3", NEWEST, False, False)
    told = histories.Told(
        used={
            "UP-1": {"used": 100, "hours_reported": 168},
            "UP-2": {"used": 150, "hours_reported": 84},
        },
        findings={"UP-2": {"findings": 2, "has_error": True, "newest": "No hours came."}},
        silences={"UP-3": silence},
        hours=168,
    )
    rows = [membership("UP-1", coefficient_ppm=500_000), membership("UP-2"), membership("UP-3")]
    found = histories.members(rows, told, NEWEST)
    assert [one.usage_point_id for one in found] == ["UP-3", "UP-2", "UP-1"]
    assert [one.share for one in found] == [None, 0.75, 0.25]
    assert [one.heard for one in found] == [0, 0.5, 1]
    assert (found[0].silence, found[1].findings, found[1].has_error) == (silence, 2, True)
    assert found[0].meter_number == "new"


def test_only_memberships_that_hold() -> None:
    at = datetime.fromtimestamp(10, UTC)
    rows = [
        membership("past", valid_to=10_000),
        membership("now", valid_from=10_000),
        membership("to come", valid_from=10_001),
        membership("supply", role="SUPPLY"),
    ]
    assert [one["usage_point_id"] for one in histories.holding(rows, "MEMBER", at)] == ["now"]


def test_a_group_lies_where_all_of_its_usage_points_do() -> None:
    rows = [
        {"group_id": "G-1", "first_path": '["R", "Mill", "1"]', "last_path": '["R", "Mill", "12"]'},
        {"group_id": "G-2", "first_path": '["R", "Mill"]', "last_path": "[]"},
        {"group_id": "G-3", "first_path": '["R", "a\\"b"]', "last_path": '["R", "a\\"b"]'},
    ]
    assert places.group_places(rows) == {"G-1": ("R", "Mill"), "G-2": (), "G-3": ("R", 'a"b')}


def test_branches_have_the_worst_state_beneath_and_stand_by_it_then_by_number() -> None:
    children = [{"name": name, "usage_points": 3} for name in ("10", "12", "2", "3", None)]
    where = {"much": ("R", "10", "a"), "fine": ("R", "10"), "half": ("R",), "dark": ("S", "2")}
    found = places.branches(("R",), children, where, MANY)
    assert [(one.name, one.groups, one.worst) for one in found] == [
        ("10", 2, State.LOSING),
        ("2", 0, None),
        ("3", 0, None),
        ("12", 0, None),
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1"])
def test_text_is_no_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_other_cells_stay() -> None:
    assert [cell(value) for value in ("a=1", -1.5, None, 0)] == ["a=1", -1.5, "", 0]


def test_what_charts_are_drawn_with_is_the_version_of_the_lock() -> None:
    checkout = Path(__file__).resolve().parents[3]
    lock = json.loads((checkout / "deploy" / "web" / "package-lock.json").read_text())
    version = lock["packages"]["node_modules/uplot"]["version"]
    vendored = files("balance_gateway") / "static" / "vendor"
    assert f"(v{version})" in (vendored / "uPlot.iife.min.js").read_text().splitlines()[0]
    assert (vendored / "uPlot.LICENSE").read_text().startswith("The MIT License")
