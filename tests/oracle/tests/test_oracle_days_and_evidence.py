"""domain.md §1 and §2 by hand-computed cases."""

from __future__ import annotations

from typing import Any

import pytest
from balance_oracle.days import MeteringDays
from balance_oracle.describe import archive, at, packet, registers
from balance_oracle.evidence import END, POINT, START, Evidence, Said, gather, join
from balance_oracle.settings import DAY, Settings

DAY_1 = at("2026-01-05 00:00")
NEXT = at("2026-01-06 00:00")
MONTH_LATER = at("2026-02-05 00:00")
CHANNEL = ("R-1", 1)


def heard(*packets: dict[str, Any]) -> Evidence:
    return gather(packets, MeteringDays("UTC", 0), Settings())


def test_a_civil_day_has_23_24_or_25_hours() -> None:
    days = MeteringDays("Europe/Chisinau", 0)
    spring = days.containing(at("2026-03-29 12:00") // 1000)
    autumn = days.containing(at("2026-10-25 12:00") // 1000)
    assert spring * 1000 == at("2026-03-28 22:00")
    assert [len(days.hours(day)) for day in (spring, autumn, days.end(autumn))] == [23, 25, 24]
    assert days.shifted(spring, -1) == spring - DAY


def test_a_gas_day_starts_at_its_hour() -> None:
    days = MeteringDays("Europe/Chisinau", 8)
    assert days.containing(at("2026-01-05 05:59") // 1000) * 1000 == at("2026-01-04 06:00")
    assert days.is_start(at("2026-01-05 06:00") // 1000)


def test_the_greater_revision_wins_and_equal_ones_keep_both_ends() -> None:
    old, new, other = Said((0, 9), 5, 5), Said((1, 1), 6, 6), Said((1, 1), 4, 4)
    assert join(old, new) == join(new, old) == new
    assert join(new, other) == join(other, new) == Said((1, 1), 4, 6)
    assert join(join(new, other), other).conflict


def test_intervals_are_kept_by_start_and_step_without_the_missing_ones() -> None:
    said = heard(packet(7, NEXT, [archive("R-1", 1, DAY_1 + 999, [1, 2, 3], missing=[1])]))
    start = DAY_1 // 1000
    assert said.intervals[CHANNEL] == {
        (start, 3600): Said((1, 7), 1, 1),
        (start + 7200, 3600): Said((1, 7), 3, 3),
    }


def test_registers_at_the_edges_of_a_day_are_not_points() -> None:
    whole = archive("R-1", 1, DAY_1, [0] * 24, register_start=5, register_end=6, kind="CURRENT")
    part = archive("R-1", 1, DAY_1 + 3_600_000, [0], register_start=7, register_end=8)
    entry = registers("R-1", 1, DAY_1, [0], [9])
    said = heard(packet(1, NEXT, [whole, part], [entry])).registers[CHANNEL]
    start = DAY_1 // 1000
    assert said == {
        (START, start): Said((0, 1), 5, 5),
        (END, start + DAY): Said((0, 1), 6, 6),
        (POINT, start + 3600): Said((1, 1), 7, 7),
        (POINT, start + 7200): Said((1, 1), 8, 8),
        (POINT, start): Said((1, 1), 9, 9),
    }


def refused_archive(**changes: Any) -> dict[str, Any]:
    return archive("R-1", 1, DAY_1, [1]) | changes


@pytest.mark.parametrize(
    ("element", "rule"),
    [
        (refused_archive(start_at=MONTH_LATER + 1_000), "vee.future_time"),
        (refused_archive(start_at=MONTH_LATER - 1101 * DAY * 1000), "vee.stale_time"),
        (refused_archive(step_s=600), "vee.absurd_value"),
        (refused_archive(start_at=DAY_1 + 60_000), "vee.absurd_value"),
        (refused_archive(values=[]), "vee.absurd_value"),
        (refused_archive(start_at=DAY_1 - 200 * DAY * 1000, values=[0] * 3001), "vee.absurd_value"),
        (refused_archive(missing=[1]), "vee.absurd_value"),
        (refused_archive(values=[2**31]), "vee.absurd_value"),
        (refused_archive(register_end=-1), "vee.absurd_value"),
        (refused_archive(register_start=10**15 + 1), "vee.absurd_value"),
        (refused_archive(channel=0, register_start=1), "vee.absurd_value"),
        (refused_archive(channel=16), "vee.absurd_value"),
        (refused_archive(kind="UNSPECIFIED"), "vee.absurd_value"),
        (refused_archive(module_id=""), "vee.absurd_value"),
    ],
)
def test_an_archive_no_device_can_have_sent_is_refused_whole(element: dict[str, Any], rule: str) -> None:
    said = heard(packet(1, MONTH_LATER, [element]))
    assert not said.intervals
    assert not said.registers
    assert [finding[0] for finding in said.findings] == [rule]


@pytest.mark.parametrize(
    ("offsets", "values", "rule"),
    [
        ([0, 31 * DAY + 3601], [1, 2], "vee.future_time"),
        ([-1101 * DAY, 0], [1, 2], "vee.stale_time"),
        ([0, 1], [1], "vee.absurd_value"),
        ([], [], "vee.absurd_value"),
        ([-1], [1], "vee.absurd_value"),
        ([0], [10**15 + 1], "vee.absurd_value"),
    ],
)
def test_a_registers_entry_is_refused_whole(offsets: list[int], values: list[int], rule: str) -> None:
    said = heard(packet(1, MONTH_LATER, [], [registers("R-1", 1, DAY_1, offsets, values)]))
    assert not said.registers
    assert [finding[0] for finding in said.findings] == [rule]


def test_what_lies_on_the_limits_is_taken() -> None:
    latest = archive("R-1", 1, MONTH_LATER, [2**31 - 1])  # an hour ahead: taken, but of a clock that is fast
    earliest = archive("R-1", 1, MONTH_LATER - 1100 * DAY * 1000, [-(2**31)])
    silent = archive("R-1", 2, DAY_1, [2**40, 1], missing=[0])
    said = heard(packet(2**62 - 1, MONTH_LATER, [latest, earliest, silent]))
    start = MONTH_LATER // 1000
    assert said.findings == {("vee.clock_drift", "R-1/1", start, start + 3600)}
    assert len(said.intervals[CHANNEL]) == 2
    assert len(said.intervals["R-1", 2]) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": -1},
        {"sequence": 2**62},
        {"packet_id": ""},
        {"concentrator_id": "J" * 65},
        {"packet_id": "J\0"},
        {"received_at": -1},
        {"received_at": at("2100-01-01 00:00")},
    ],
)
def test_a_bad_record_says_nothing(change: dict[str, Any]) -> None:
    said = heard(packet(1, NEXT, [archive("R-1", 1, DAY_1, [1])]) | change)
    assert not said.intervals
    assert not said.findings
