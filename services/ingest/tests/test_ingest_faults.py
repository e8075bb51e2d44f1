"""Faults of sensors: what events make of them, and which hours they hold back (docs/domain.md §3.10)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_ingest.adapters.queries import statement
from balance_ingest.domain.days import DAY_S, HOUR_S, Days
from balance_ingest.domain.faults import FAULT_KINDS, Fault, faults_of
from balance_ingest.domain.history import FOREVER
from balance_ingest.domain.packets import ModuleEvent
from balance_kernel.calendar import Calendar
from hypothesis import given
from hypothesis import strategies as st

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
EVER = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
VALID_DAY = ["VALID"] * 24


def told(*events: tuple[int, str], kind: str = "MAGNET", channel: int | None = 1) -> list[ModuleEvent]:
    """Events of one kind at instants."""
    return [ModuleEvent("R-1", channel, kind, phase, at) for at, phase in events]


@pytest.mark.parametrize(
    ("events", "faults"),
    [
        ([(5, "BEGUN"), (9, "ENDED")], [(5, 9)]),
        ([(5, "BEGUN")], [(5, FOREVER)]),
        ([(9, "ENDED")], []),
        ([(5, "OCCURRED")], [(5, 6)]),
        ([(5, "BEGUN"), (5, "ENDED")], [(5, 6)]),
        ([(5, "BEGUN"), (7, "BEGUN"), (9, "ENDED"), (11, "ENDED")], [(5, 9)]),
        ([(5, "BEGUN"), (9, "ENDED"), (9, "BEGUN")], [(5, 9)]),
        ([(5, "BEGUN"), (9, "ENDED"), (10, "BEGUN")], [(5, 9), (10, FOREVER)]),
        ([(5, "BEGUN"), (7, "OCCURRED"), (9, "ENDED")], [(5, 9), (7, 8)]),
    ],
)
def test_begun_opens_and_ended_closes(events: list[tuple[int, str]], faults: list[tuple[int, int]]) -> None:
    assert [fault[:2] for fault in faults_of(told(*events), 1)] == faults


def test_each_kind_and_channel_is_by_itself() -> None:
    events = [
        *told((5, "BEGUN"), channel=2),
        *told((6, "BEGUN"), kind="SHORT_CIRCUIT", channel=None),
        *told((9, "ENDED"), kind="SHORT_CIRCUIT"),
        *told((1, "BEGUN"), kind="ACCESS"),
    ]
    assert faults_of(events, 1) == [Fault(6, 9, "SHORT_CIRCUIT")]
    assert faults_of(events, 2) == [Fault(5, FOREVER, "MAGNET"), Fault(6, FOREVER, "SHORT_CIRCUIT")]
    assert faults_of(events, 0) == ()


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(("BEGUN", "ENDED", "OCCURRED"))), max_size=8),
    st.randoms(use_true_random=False),
)
def test_order_and_number_of_events_do_not_matter(events: list[tuple[int, str]], chance: Any) -> None:
    again = [*events, *events[:3]]
    chance.shuffle(again)
    assert faults_of(told(*events), 1) == faults_of(told(*again), 1)


def day(number: int) -> int:
    """Start of the day of that number."""
    return DAYS.shift(DAY, number)


def archive(number: int, module: str = "R-1", **given: Any) -> dict[str, Any]:
    """A whole day of two pulses an hour."""
    told = {
        "module_id": module,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": day(number) * 1000,
        "step_s": HOUR_S,
        "values": [2] * 24,
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    return told | given


def event(hours: float, phase: str, kind: str = "OPEN_CIRCUIT", channel: int | None = 1) -> dict[str, Any]:
    """An event so many hours after the first day's start."""
    return {
        "module_id": "R-1",
        "channel": channel,
        "kind": kind,
        "phase": phase,
        "occurred_at": (DAY + int(hours * HOUR_S)) * 1000,
        "value": None,
        "command_id": None,
    }


def packet(
    archives: Sequence[Mapping[str, Any]] = (), events: Sequence[Mapping[str, Any]] = (), sequence: int = 1
) -> dict[str, Any]:
    """A packet of nine days later."""
    return {
        "packet_id": f"P-{sequence}",
        "concentrator_id": "J-1",
        "sequence": sequence,
        "sent_at": day(9) * 1000,
        "received_at": day(9) * 1000,
        "archives": list(archives),
        "registers": [],
        "measurements": [],
        "module_events": list(events),
        "module_states": [],
        "session": None,
    }


def point(version: int = 1, fitted: int = EVER, removed: int | None = None) -> dict[str, Any]:
    """A usage point with a meter of 10 mL a pulse."""
    meter = {
        "meter_number": "M-1",
        "fitted_at": EVER * 1000,
        "removed_at": None,
        "accuracy_class_ppm": 15_000,
        "pulse_weight": 10,
        "register_digits": 5,
        "q_max": 6000,
        "initial_register": None,
        "final_register": None,
    }
    span = {"fitted_at": fitted * 1000, "removed_at": removed and removed * 1000}
    return {
        "usage_point_id": "UP-1",
        "version": version,
        "state": "ACTIVE",
        "resource": "WATER",
        "sensor_kind": None,
        "meters": [meter],
        "channels": [{"module_id": "R-1", "channel": 1} | span],
    }


def suspects(house: Any, number: int = 0) -> list[int]:
    """Hours of a day that are held back."""
    qualities = house.readings()["UP-1", day(number) * 1000][1]
    return [hour for hour, quality in enumerate(qualities) if quality == "SUSPECT"]


def faults(house: Any) -> set[tuple[int, int]]:
    """Spans of the findings, in hours after the first day's start."""
    found = [f for f in house.findings() if f[0] == "vee.sensor_fault"]
    assert all(subject == "UP-1" for _, subject, _, _ in found)
    return {((start - DAY) // HOUR_S, (end - DAY) // HOUR_S) for _, _, start, end in found}


@pytest.mark.stack
def test_hours_of_a_fault_are_held_back_and_released_when_it_was_none(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(0)], [event(3.5, "BEGUN"), event(5, "ENDED")]))
    house.work()
    assert suspects(house) == [3, 4]
    assert faults(house) == {(3, 5)}
    values = house.readings()["UP-1", DAY * 1000][0]
    assert values == [20] * 3 + [None] * 2 + [20] * 19


@pytest.mark.stack
def test_an_event_that_comes_late_computes_what_it_touches(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(n) for n in range(4)]))
    assert suspects(house, 1) == []
    house.hear(packet([], [event(30, "BEGUN")], 2))
    house.work()
    assert [suspects(house, n) for n in range(4)] == [
        [],
        list(range(6, 24)),
        list(range(24)),
        list(range(24)),
    ]
    assert faults(house) == {(30, 30)}
    house.hear(packet([], [event(32, "ENDED")], 3))
    house.work()
    assert [suspects(house, n) for n in range(4)] == [[], [6, 7], [], []]
    assert faults(house) == {(30, 32)}


@pytest.mark.stack
def test_an_open_fault_holds_for_days_that_come_later(house: Any) -> None:
    house.describe(point())
    house.hear(packet([archive(0)], [event(20, "BEGUN", channel=None)]))
    house.hear(packet([archive(1), archive(5)], sequence=2))
    assert [suspects(house, n) for n in (1, 5)] == [list(range(24))] * 2
    house.hear(packet([archive(6, register_start=7)], sequence=3), backlog=True)
    assert suspects(house, 6) == list(range(24))


@pytest.mark.stack
def test_days_nothing_was_said_of_stay_as_they_are_and_the_fault_is_found(house: Any) -> None:
    house.describe(point())
    house.hear(packet([], [event(1, "BEGUN"), event(30, "ENDED")]))
    house.work()
    assert house.readings() == {}
    assert faults(house) == {(1, 30)}
    house.hear(packet([archive(2)], sequence=2))
    house.work()
    assert set(house.readings()) == {("UP-1", day(2) * 1000)}
    assert suspects(house, 2) == []


@pytest.mark.stack
def test_a_fitting_bounds_the_finding(house: Any) -> None:
    house.hear(packet([archive(0), archive(1)], [event(2, "BEGUN"), event(40, "ENDED")]))
    house.describe(point(fitted=day(1), removed=day(1) + 10 * HOUR_S))
    house.work()
    assert faults(house) == {(24, 34)}
    assert suspects(house, 1) == list(range(10))
    house.describe(point(2, fitted=day(0)))
    house.work()
    assert faults(house) == {(2, 40)}
    house.describe(point(3, fitted=day(2)))
    house.work()
    assert faults(house) == set()


@pytest.mark.stack
def test_a_fault_inside_a_step_of_registers_holds_its_hours_back(house: Any) -> None:
    readings = {"module_id": "R-1", "channel": 1, "start_at": DAY * 1000}
    readings |= {"offsets_s": [0, 6 * DAY_S], "values": [100, 244]}
    house.describe(point())
    house.hear(packet() | {"registers": [readings]})
    house.hear(packet([], [event(3 * 24, "BEGUN"), event(3 * 24 + 2, "ENDED")], 2))
    house.work()
    assert suspects(house, 3) == [0, 1]
    assert suspects(house, 2) == []


@pytest.mark.stack
def test_every_order_ends_in_the_same_readings(house: Any) -> None:
    packets = [
        packet([archive(0), archive(1)]),
        packet([archive(2)], [event(10, "BEGUN")], 2),
        packet([], [event(30, "ENDED"), event(10, "BEGUN")], 3),
        packet([archive(3)], [event(26, "OCCURRED", "MAGNET", None)], 4),
    ]
    seen = set()
    for order in list(itertools.permutations(packets))[::5]:
        clean = house.empty()
        clean.describe(point())
        for number, one in enumerate(order):
            clean.hear(one, backlog=number % 2 == 0)
        clean.hear(order[0])
        clean.work()
        seen.add(repr((sorted(clean.readings().items()), sorted(clean.findings()))))
    assert len(seen) == 1
    assert suspects(clean) == list(range(10, 24))
    assert faults(clean) == {(10, 30), (26, 26)}


@pytest.mark.stack
def test_ten_thousand_faults_in_one_packet_are_borne(house: Any) -> None:
    crowd = [event(n / 300, "OCCURRED", "MAGNET") for n in range(10_000)]
    house.describe(point())
    house.hear(packet([archive(0), archive(1), archive(2)], crowd))
    house.work()
    assert [suspects(house, n) for n in range(3)] == [list(range(24)), list(range(10)), []]
    assert house.rows("SELECT count(*) FROM ingest.v_findings WHERE rule = 'vee.sensor_fault'") == [(10_000,)]


@pytest.mark.parametrize("name", ["events_of_faults", "doubt_new_channels"])
def test_statements_name_the_kinds_that_the_rule_knows(name: str) -> None:
    # As literals: only so are they found by the index of these kinds.
    assert f"kind IN {FAULT_KINDS}" in statement(name)
