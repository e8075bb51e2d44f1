"""How long a day of a module may be awaited (docs/domain.md §3.17)."""

from __future__ import annotations

import pytest
from balance_kernel.plans import (
    FOREVER,
    Allowance,
    PlanSpan,
    SessionSetting,
    Setting,
    allowance_at,
    allowances_of,
    differing,
    packet_spans,
    session_spans,
)
from hypothesis import given
from hypothesis import strategies as st

MODES = st.sampled_from(["UNSPECIFIED", "DAILY", "INTRADAY_15", "WEEKLY", "MONTHLY"])
INSTANTS = st.integers(0, 20)
ALLOWED = {"WEEKLY": 7, "MONTHLY": 31}


def test_the_greater_of_mode_and_session_plan_allows() -> None:
    sessions = {"J": session_spans([SessionSetting(0, "WEEKLY"), SessionSetting(50, "DAILY")])}
    spans = packet_spans([Setting(10, "DAILY", "J"), Setting(40, "MONTHLY", "J")], sessions)
    assert allowances_of(spans) == [Allowance(10, 40, 7), Allowance(40, FOREVER, 31)]
    assert [allowance_at(allowances_of(spans), at) for at in (9, 10, 39, 40, 10**12)] == [0, 7, 7, 31, 31]


@pytest.mark.parametrize("plan", ["CONTINUOUS", "DAILY", "UNSPECIFIED"])
def test_other_plans_allow_nothing(plan: str) -> None:
    assert session_spans([SessionSetting(0, plan)]) == [PlanSpan(0, FOREVER, plan, 0)]
    assert allowances_of(session_spans([SessionSetting(0, plan)])) == []


@given(
    settings=st.lists(st.tuples(INSTANTS, MODES, st.sampled_from(["J", "K", None])), max_size=5),
    sessions=st.lists(st.tuples(INSTANTS, MODES), max_size=5),
)
def test_spans_say_at_each_instant_what_the_settings_say(
    settings: list[tuple[int, str, str | None]], sessions: list[tuple[int, str]]
) -> None:
    settings.sort(key=lambda one: one[0])
    sessions.sort(key=lambda one: one[0])
    found = allowances_of(
        packet_spans(
            [Setting(*one) for one in settings],
            {"J": session_spans([SessionSetting(*one) for one in sessions])},
        )
    )
    for instant in range(22):
        mode, concentrator = next(
            ((mode, by) for since, mode, by in reversed(settings) if since <= instant), ("DAILY", None)
        )
        plan = next((plan for since, plan in reversed(sessions) if since <= instant), "DAILY")
        expected = max(ALLOWED.get(mode, 0), ALLOWED.get(plan, 0) if concentrator == "J" else 0)
        assert allowance_at(found, instant) == expected


@given(
    old=st.lists(st.tuples(INSTANTS, st.integers(1, 5), st.sampled_from([7, 31])), max_size=4),
    new=st.lists(st.tuples(INSTANTS, st.integers(1, 5), st.sampled_from([7, 31])), max_size=4),
)
def test_differing_spans_are_those_in_which_the_allowance_is_another(
    old: list[tuple[int, int, int]], new: list[tuple[int, int, int]]
) -> None:
    sides = [[Allowance(start, start + length, days) for start, length, days in side] for side in (old, new)]
    spans = differing(*sides)
    for instant in range(30):
        inside = any(start <= instant < end for start, end in spans)
        assert inside == (allowance_at(sides[0], instant) != allowance_at(sides[1], instant))
