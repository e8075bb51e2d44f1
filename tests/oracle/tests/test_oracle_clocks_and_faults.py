"""domain.md §2.7 to §2.9, §3.10 and §3.13 by hand-computed cases, in a zone without clock changes."""

from __future__ import annotations

from typing import Any

import pytest
from balance_oracle import Tables, compute
from balance_oracle.describe import (
    archive,
    at,
    fitting,
    meter,
    module_event,
    module_state,
    packet,
    usage_point,
)

EVER = at("2020-01-01 00:00")
DAY_1 = at("2026-01-05 00:00")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FLAT = usage_point("UP-1", [meter(EVER)], [fitting("R-1", 1, EVER)])


def tables(*packets: dict[str, Any]) -> Tables:
    return compute([packet(1, DAY_1 + 3 * DAY_MS), *packets], [FLAT], [], zone="UTC")


def told(**elements: Any) -> dict[str, Any]:
    return packet(2, DAY_1 + 3 * DAY_MS, **elements)


def day(result: Tables, number: int = 0) -> list[tuple[int | None, str]]:
    values, qualities = result.readings["UP-1", DAY_1 + number * DAY_MS]
    return list(zip(values, qualities, strict=True))


def spans(result: Tables, rule: str) -> set[tuple[float, float]]:
    """Hours from the first day on."""
    return {
        ((start - DAY_1) / HOUR_MS, (end - DAY_1) / HOUR_MS)
        for name, _, start, end in result.spans
        if name == rule
    }


def event(hour: float, phase: str, kind: str = "OPEN_CIRCUIT", channel: int | None = 1) -> dict[str, Any]:
    return module_event("R-1", kind, phase, DAY_1 + int(hour * HOUR_MS), channel)


def test_hours_of_a_fault_are_suspect() -> None:
    ones = [archive("R-1", 1, DAY_1, [1] * 24)]
    events = [event(2.5, "BEGUN"), event(4, "ENDED"), event(6, "OCCURRED", "MAGNET", None)]
    result = tables(told(archives=ones, module_events=events))
    # [02:30, 04:00) overlaps the hours 2 and 3, [06:00, 06:00:01) the hour 6
    assert [hour for hour, (_, quality) in enumerate(day(result)) if quality == "SUSPECT"] == [2, 3, 6]
    assert spans(result, "vee.sensor_fault") == {(2.5, 4), (6, 6 + 1 / 3600)}


def test_a_fault_nobody_closes_goes_on_but_says_nothing_of_silent_days() -> None:
    first, third = (archive("R-1", 1, DAY_1 + n * DAY_MS, [1] * 24) for n in (0, 2))
    # BEGUN again while it is open changes nothing; an ENDED before all that neither.
    events = [event(1, "ENDED"), event(5, "BEGUN"), event(7, "BEGUN")]
    result = tables(told(archives=[first, third], module_events=events))
    assert [quality for _, quality in day(result)] == ["VALID"] * 5 + ["SUSPECT"] * 19
    assert day(result, 2) == [(None, "SUSPECT")] * 24
    assert ("UP-1", DAY_1 + DAY_MS) not in result.readings
    assert spans(result, "vee.sensor_fault") == {(5, 5)}


def test_events_of_other_channels_and_kinds_are_no_faults() -> None:
    events = [event(1, "BEGUN", channel=2), event(1, "BEGUN", "FLOOD"), event(1, "OCCURRED", "ACCESS")]
    result = tables(told(archives=[archive("R-1", 1, DAY_1, [1] * 24)], module_events=events))
    assert day(result) == [(10, "VALID")] * 24


@pytest.mark.parametrize(
    ("element", "rule"),
    [
        ({"occurred_at": DAY_1 + 3 * DAY_MS + HOUR_MS + 1000}, "vee.future_time"),
        ({"occurred_at": DAY_1 - 1098 * DAY_MS}, "vee.stale_time"),
        ({"kind": "UNSPECIFIED"}, "vee.absurd_value"),
        ({"channel": 16}, "vee.absurd_value"),
        ({"command_id": "C" * 65}, "vee.absurd_value"),
    ],
)
def test_an_event_that_cannot_be_is_refused(element: dict[str, Any], rule: str) -> None:
    result = tables(told(module_events=[event(1, "OCCURRED") | element]))
    assert {name for name, *_ in result.findings} == {rule}
    assert not result.telemetry.events


def state(hour: float, offset_s: int, ahead_s: int = 0) -> dict[str, Any]:
    """As a concentrator ``ahead_s`` ahead hears at that true hour a module ``offset_s`` ahead."""
    true = DAY_1 + int(hour * HOUR_MS)
    one = module_state("R-1", true + ahead_s * 1000, true + offset_s * 1000)
    return packet(3, true, clock_ahead_s=ahead_s, module_states=[one])


def test_hours_are_moved_by_a_clock_that_is_wrong() -> None:
    ones = told(archives=[archive("R-1", 1, DAY_1, [6, 0, 12, *[0] * 21])])
    result = tables(ones, state(12, 1200))
    # 20 min ahead: the hour from 00:00 was told as 00:20 to 01:20: 40 min of 6 pulses, 20 of 0, is 4 pulses;
    # then 40 of 0 and 20 of 12 is 4; then 40 of 12 and 20 of 0 is 8. Of the last hour the end is lacking.
    assert [value for value, _ in day(result)[:4]] == [40, 40, 80, 0]
    assert day(result)[23] == (None, "MISSING")
    assert spans(result, "vee.clock_drift") == {(0, 24)}


def test_the_clock_of_the_concentrator_is_taken_off() -> None:
    ones = told(archives=[archive("R-1", 1, DAY_1, [1] * 24)])
    assert not spans(tables(ones, state(12, 0, ahead_s=-3600)), "vee.clock_drift")
    assert spans(tables(ones, state(12, 600, ahead_s=3600)), "vee.clock_drift") == {(0, 24)}


def test_observations_count_until_36_hours_after_the_day() -> None:
    ones = told(archives=[archive("R-1", 1, DAY_1, [1] * 24)])
    assert spans(tables(ones, state(59.9, 600)), "vee.clock_drift") == {(0, 24)}
    assert not spans(tables(ones, state(60, 600)), "vee.clock_drift")


def test_a_small_offset_is_none_and_one_that_is_unsure_or_far_off_moves_nothing() -> None:
    ones = told(archives=[archive("R-1", 1, DAY_1, [6, *[0] * 23])])
    assert not spans(tables(ones, state(1, 120)), "vee.clock_drift")
    for states in ([state(1, 600), state(2, 721)], [state(1, 6 * 3600 + 1)]):
        result = tables(ones, *states)
        assert spans(result, "vee.clock_drift") == {(0, 24)}
        assert day(result)[:2] == [(60, "VALID"), (0, "VALID")]


def test_of_an_even_number_of_observations_the_lower_middle_counts() -> None:
    ones = told(archives=[archive("R-1", 1, DAY_1, [60, *[0] * 23])])
    result = tables(ones, state(1, 600), state(2, 660))
    assert day(result)[0] == (500, "VALID")  # 50 of 60 minutes


def test_an_archive_that_ends_before_its_hours_are_over_is_of_a_fast_clock() -> None:
    late = packet(4, DAY_1 + 10 * HOUR_MS, [archive("R-1", 1, DAY_1, [1] * 10)])
    early = packet(4, DAY_1 + 10 * HOUR_MS - 121_000, [archive("R-1", 1, DAY_1, [1] * 10)])
    assert not spans(tables(late), "vee.clock_drift")
    assert spans(tables(early), "vee.clock_drift") == {(0, 10)}
    assert day(tables(early))[9] == (10, "VALID")
