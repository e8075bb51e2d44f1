"""domain.md §3.12 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

from balance_oracle import Tables, compute
from balance_oracle.describe import archive, at, edit, fitting, meter, packet, registers, usage_point

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FLAT = usage_point("UP-1", [meter(EVER)], [fitting("R-1", 1, EVER)])


def tables(
    archives: list[dict[str, Any]],
    edits: list[dict[str, Any]],
    point: dict[str, Any] = FLAT,
    entries: list[dict[str, Any]] | None = None,
) -> Tables:
    told = packet(1, DAY_1 + 2 * DAY_MS, archives, entries or [])
    return compute([told], [point], [], zone="UTC", edits=edits)


def over(first: int, end: int, values: list[int] | None = None, **told: Any) -> dict[str, Any]:
    """A decision about hours of the first day."""
    told = {"edit_id": "E-1", "usage_point_id": "UP-1"} | told
    return edit(start_at=DAY_1 + first * HOUR_MS, end_at=DAY_1 + end * HOUR_MS, values=values, **told)


def hours(result: Tables) -> list[tuple[int | None, str]]:
    values, qualities = result.readings["UP-1", DAY_1]
    return list(zip(values, qualities, strict=True))


def test_an_edit_puts_values_in_place_of_anything() -> None:
    result = tables([archive("R-1", 1, DAY_1, [5, 5])], [over(1, 3, [7, 8])])
    assert hours(result)[:4] == [(50, "VALID"), (7, "EDITED"), (8, "EDITED"), (None, "MISSING")]


def test_an_edited_hour_makes_a_reading_day_of_which_nothing_was_said() -> None:
    assert hours(tables([], [over(23, 24, [7])])) == [(None, "MISSING")] * 23 + [(7, "EDITED")]


def test_the_decision_made_last_counts_and_a_withdrawn_one_does_not() -> None:
    first = over(0, 2, [1, 1], edit_id="E-9", decided_at=1000)
    later = over(0, 1, [2], edit_id="E-1", decided_at=2000)
    withdrawn = later | {"version": 2, "state": "WITHDRAWN"}
    told = [archive("R-1", 1, DAY_1, [5] * 24)]
    assert hours(tables(told, [first, later]))[:2] == [(2, "EDITED"), (1, "EDITED")]
    assert hours(tables(told, [withdrawn, first, later]))[:2] == [(1, "EDITED"), (1, "EDITED")]
    again = withdrawn | {"version": 3, "state": "STANDING"}
    assert hours(tables(told, [first, again, withdrawn]))[:2] == [(2, "EDITED"), (1, "EDITED")]


def test_a_confirmation_releases_what_was_too_much_and_nothing_below_zero() -> None:
    told = [archive("R-1", 1, DAY_1, [700, -1, 5])]  # Qmax is 6,000 mL an hour
    assert hours(tables(told, []))[:3] == [(None, "SUSPECT"), (None, "SUSPECT"), (50, "VALID")]
    result = tables(told, [over(0, 24)])
    assert hours(result)[:4] == [(7000, "VALID"), (None, "SUSPECT"), (50, "VALID"), (None, "MISSING")]


def test_a_confirmation_of_a_conflict_must_say_which() -> None:
    told = [archive("R-1", 1, DAY_1, [5]), archive("R-1", 1, DAY_1, [8])]
    assert hours(tables(told, [over(0, 1)]))[0] == (None, "SUSPECT")
    assert hours(tables(told, [over(0, 1, of_conflict="SMALLEST")]))[0] == (50, "VALID")
    assert hours(tables(told, [over(0, 1, of_conflict="LARGEST")]))[0] == (80, "VALID")


def test_a_confirmation_releases_a_high_step_but_no_fall() -> None:
    entry = registers("R-1", 1, DAY_1, [0, 3600, 7200, 10_800], [0, 900, 1000, 2])
    result = tables([], [over(0, 24)], entries=[entry])
    assert hours(result)[:3] == [(9000, "VALID"), (1000, "VALID"), (None, "SUSPECT")]


def test_a_finding_all_of_whose_hours_were_decided_about_is_not_raised() -> None:
    told = [archive("R-1", 1, DAY_1, [700, 700, 5])]
    assert ("vee.high", "UP-1", DAY_1) in tables(told, [over(0, 1)]).findings
    assert ("vee.high", "UP-1", DAY_1) not in tables(told, [over(0, 2)]).findings
