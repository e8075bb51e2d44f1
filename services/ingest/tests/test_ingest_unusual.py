"""What is unusual about readings (docs/domain.md §3.15, §3.16)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from balance_chassis.postgres import ensure_partitions
from balance_ingest.adapters.parameters_file import read_parameters
from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.unusual import PostgresUnusual
from balance_ingest.domain.days import HOUR_S, Days, as_datetime
from balance_ingest.domain.findings import UNUSUAL
from balance_ingest.domain.history import FOREVER, Meter, UsagePoint
from balance_ingest.domain.parameters import DEFAULTS, ParameterTable
from balance_ingest.domain.unusual import DayHours, Judge, Past, Shown, Usual, worth_judging
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource
from hypothesis import given
from hypothesis import strategies as st

DAYS = Days(Calendar("Europe/Chisinau", 0))
FIRST = DAYS.day_of(1_772_000_000)  # 2026-02-25, so that the change of clocks lies within
WEIGHT = 10
Q_MAX = 6_000_000
VALID, MISSING = Quality.VALID.code, Quality.MISSING.code


def day(number: int) -> int:
    """Start of a day counted from the first."""
    return DAYS.shift(FIRST, number)


def hours_of(number: int) -> int:
    """Its hours."""
    return DAYS.hours_by_start[day(number)]


class Diary:
    """Reading days of one usage point by number."""

    def __init__(self, q_max: int = Q_MAX, resource: Resource = Resource.WATER) -> None:
        self.point = UsagePoint(1, "UP-1", resource, (Meter(0, FOREVER, WEIGHT, 6, q_max),))
        self.days: dict[int, DayHours] = {}

    def flat(self, first: int, last: int, value: int, wiggle: int = 0) -> Diary:
        """Days first … last with `value` every hour, every second hour `wiggle` more."""
        for number in range(first, last + 1):
            values = [value + wiggle * (i % 2) for i in range(hours_of(number))]
            self.put(number, values)
        return self

    def put(self, number: int, values: Sequence[int | None]) -> Diary:
        """One day; None is a MISSING hour."""
        codes = [MISSING if value is None else VALID for value in values]
        self.days[day(number)] = DayHours.of(values, codes)
        return self

    def judge(self, number: int, table: ParameterTable = DEFAULTS) -> list[tuple[str, int, int]]:
        """Findings completed on a day as (rule, first hour, end), hours counted from the first day."""
        past = Past(self.days.get, self.usual)
        found = Judge(DAYS, table).judge(self.point, day(number), past)
        return [(f.rule, (f.start - FIRST) // HOUR_S, (f.end - FIRST) // HOUR_S) for f in found]

    def usual(self, at: int) -> Usual:
        """Of the 28 days before."""
        return Usual.of(self.days.get(DAYS.shift(at, -back)) for back in range(1, 29))


def test_zero_is_found_on_the_day_that_completes_it_and_never_again() -> None:
    diary = Diary().flat(0, 27, 0, 50).flat(28, 60, 0)
    found = {number: diary.judge(number) for number in range(28, 60)}
    assert [number for number, f in found.items() if f] == [41]
    start, end = (day(28) - FIRST) // HOUR_S, (day(42) - FIRST) // HOUR_S
    assert found[41] == [("vee.zero", start, end)]


@pytest.mark.parametrize(("used", "finds"), [(26, True), (25, False)])
def test_zero_needs_a_past_that_says_otherwise(used: int, finds: bool) -> None:
    diary = Diary().flat(0, 27, 0)
    diary.flat(28 - used, 27, 0, 50).flat(28, 41, 0)
    if not finds:  # 25 of 28 is below nine tenths; and the run began before
        diary.flat(0, 2, 0)
    assert bool(diary.judge(41)) is finds


def test_a_missing_hour_is_no_zero() -> None:
    diary = Diary().flat(0, 27, 0, 50).flat(28, 41, 0)
    diary.put(35, [None, *[0] * 23])
    assert diary.judge(41) == []


def test_a_large_meter_may_not_stand_still_for_three_days() -> None:
    diary = Diary(q_max=25_000_000).flat(0, 27, 0, 50).flat(28, 41, 0)
    assert [number for number in range(28, 42) if diary.judge(number)] == [30]


def test_stuck_is_found_at_its_24th_hour() -> None:
    diary = Diary().flat(0, 9, 0, 50)
    diary.put(10, [0] * 20 + [40] * 4).put(11, [40] * 24).put(12, [40] * 24)
    found = diary.judge(11)
    assert found == [("vee.stuck", (day(10) - FIRST) // HOUR_S + 20, (day(11) - FIRST) // HOUR_S + 20)]
    assert diary.judge(12) == []


def test_two_pulses_an_hour_are_not_stuck() -> None:
    diary = Diary().flat(0, 9, 2 * WEIGHT)
    assert diary.judge(5) == []


def test_stuck_across_the_day_of_25_hours() -> None:
    number = next(n for n in range(300) if hours_of(n) == 25)
    diary = Diary().flat(number - 2, number - 1, 0, 50).flat(number, number, 70)
    start = (day(number) - FIRST) // HOUR_S
    assert diary.judge(number) == [("vee.stuck", start, start + 24)]


def test_far_above_the_usual() -> None:
    diary = Diary().flat(0, 13, 100, 20).put(14, [100, *[361] * 2, *[360] * 20, 361])
    start = (day(14) - FIRST) // HOUR_S
    assert diary.judge(14) == [
        ("vee.above_usual", start + 1, start + 3),
        ("vee.above_usual", start + 23, start + 24),
    ]
    del diary.days[day(3)]
    assert diary.judge(14) == []  # thirteen days tell nothing


def test_days_without_consumption_tell_nothing_of_the_usual() -> None:
    burst = [100, 361, *[100] * 22]
    away = Diary().flat(0, 13, 0).flat(14, 26, 100, 20).put(27, burst)
    assert away.judge(27) == []  # thirteen days of use
    diary = Diary().flat(0, 12, 0).flat(13, 26, 100, 20).put(27, burst)
    start = (day(27) - FIRST) // HOUR_S
    assert diary.judge(27) == [("vee.above_usual", start + 1, start + 2)]


def test_back_from_holidays_is_not_far_above_the_usual() -> None:
    diary = Diary().flat(0, 27, 0, 5).put(28, [1_000] * 23 + [0])
    assert diary.judge(28) == []


def test_a_spike_is_above_all_but_one_in_a_thousand_hours_of_the_year() -> None:
    diary = Diary(q_max=1_000).flat(0, 99, 100, 20)
    for number in (10, 20):
        diary.put(number, [700, *[100, 120] * 11, 100])
    start = (day(100) - FIRST) // HOUR_S
    # 2,399 hours or so: two of 700 are the greatest two; the 2,397th in order is 120.
    diary.put(100, [501, *[100, 120] * 11, 100])
    assert ("vee.spike", start, start + 1) in diary.judge(100)
    for number in (30, 40, 50):
        diary.put(number, [700, *[100, 120] * 11, 100])
    # Five of 700 now: the 2,397th in order is one of them.
    assert {rule for rule, *_ in diary.judge(100)} == {"vee.above_usual"}


HOURS = st.lists(st.sampled_from([0, 0, 30, 30, 40, 400, 5_000]), min_size=24, max_size=24)


@given(st.lists(HOURS, min_size=1, max_size=4), st.sampled_from([0, 100, 1_000]))
def test_a_day_that_is_not_worth_judging_has_no_finding(days: list[list[int]], usual: int) -> None:
    diary = Diary(q_max=1_000).flat(0, 29, 0, usual)
    for number, values in enumerate(days, 28):  # 25 March and after, all of 24 hours but one
        diary.put(number, list(values) if hours_of(number) == 24 else [0] * hours_of(number))
    number = 27 + len(days)
    today, eve = diary.days[day(number)], diary.days[day(number - 1)]
    before, weight, q_max, usual_hour = (
        np.array([n], np.int64) for n in (eve.values[-1], WEIGHT, 1_000, diary.usual(day(number)).greatest)
    )
    completes = np.ones(1, bool)
    shown = Shown(today.values[None, :], today.good[None, :], before, weight, q_max, usual_hour, completes)
    if not worth_judging(shown, DEFAULTS)[0]:
        assert diary.judge(number) == []


def test_parameters_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text("GAS: {zero_days: 30}\nLARGE: {usual_factor: 1.5}\n", "utf-8")
    table, problems = read_parameters(file)
    assert problems == []
    assert table.of(Resource.GAS, 0).zero_days == 30
    assert table.of(Resource.HEAT, 0) == DEFAULTS.of(Resource.HEAT, 0)
    assert table.of(Resource.WATER, 25_000_000).usual_factor == 1.5
    assert table.of(Resource.WATER, 25_000_000).zero_days == 3


def test_everything_wrong_with_a_file_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "parameters.yaml"
    file.write_text(
        "GAS: {zero_days: 0, colour: 1}\nSTEAM: {}\nHEAT: 3\nWATER: {spike_share: true}\n", "utf-8"
    )
    table, problems = read_parameters(file)
    assert table == DEFAULTS
    assert len(problems) == 5
    assert all("expected" in problem and "found" in problem for problem in problems)


def reading_rows(house: Any, point: int, days: dict[int, list[int | None]]) -> None:
    """Write reading days as if they had been computed, and note them as changed."""
    with house.pool.connection() as conn:
        for start, values in days.items():
            whole = None if any(v is None for v in values) else max(v for v in values if v is not None)
            codes = [MISSING if v is None else VALID for v in values]
            conn.execute(
                """INSERT INTO ingest.reading_days
                    (usage_point, day_start, resource, algorithm_version, "values", qualities, greatest)
                VALUES (%s, to_timestamp(%s), 2, 1, %s, %s, %s)
                ON CONFLICT (day_start, usage_point) DO UPDATE
                SET "values" = EXCLUDED."values", qualities = EXCLUDED.qualities,
                    greatest = EXCLUDED.greatest""",
                [point, start, values, codes, whole],
            )
        conn.execute(
            """INSERT INTO ingest.reading_changes (usage_points, days, noted_at)
            VALUES (%s, %s, now() - interval '1 hour')""",
            [[point] * len(days), list(days)],
        )


def described(q_max: int = Q_MAX, version: int = 1) -> dict[str, Any]:
    """A usage point with one meter for ever."""
    meter = {
        "fitted_at": 0,
        "removed_at": None,
        "pulse_weight": WEIGHT,
        "register_digits": 6,
        "q_max": q_max,
        "initial_register": None,
        "final_register": None,
    }
    return {
        "usage_point_id": "UP-1",
        "version": version,
        "state": "ACTIVE",
        "resource": "WATER",
        "meters": [meter],
        "channels": [{"module_id": "R-1", "channel": 1, "fitted_at": 0, "removed_at": None}],
        "sensor_kind": None,
    }


@pytest.mark.stack
def test_late_days_raise_and_withdraw(house: Any) -> None:
    house.describe(described())
    unusual = PostgresUnusual(house.pool, DAYS, DEFAULTS)
    diary = Diary().flat(0, 27, 0, 50).flat(28, 45, 0)
    rows: dict[int, list[int | None]] = {at: list(one.values.tolist()) for at, one in diary.days.items()}
    with house.pool.connection() as conn:
        ensure_partitions(conn, "ingest.reading_days", map(as_datetime, rows))
    late = day(35)
    key = house.rows("SELECT usage_point FROM ingest.usage_points")[0][0]
    reading_rows(house, key, {at: values for at, values in rows.items() if at != late})
    assert unusual.judge_changes() == 45
    assert not {rule for rule, *_ in house.findings()}
    reading_rows(house, key, {late: rows[late]})
    assert unusual.judge_changes() == 1
    assert house.findings() == {("vee.zero", "UP-1", day(28), day(42))}
    reading_rows(house, key, {late: [10, *[0] * 23]})
    assert unusual.judge_changes() == 1
    assert not house.findings()
    reading_rows(house, key, {late: rows[late]})
    unusual.judge_changes()
    assert len(house.findings()) == 1
    assert unusual.judge_changes() == 0


@pytest.mark.stack
def test_changes_wait_until_no_more_come(house: Any) -> None:
    house.describe(described())
    unusual = PostgresUnusual(house.pool, DAYS, DEFAULTS)
    key = house.rows("SELECT usage_point FROM ingest.usage_points")[0][0]
    with house.pool.connection() as conn:
        conn.execute("INSERT INTO ingest.reading_changes (usage_points, days) VALUES (%s, '{0}')", [[key]])
    assert unusual.judge_changes() == 0
    with house.pool.connection() as conn:
        conn.execute("UPDATE ingest.reading_changes SET noted_at = now() - interval '6 s'")
    assert unusual.judge_changes() == 1


def test_what_computing_settles_is_everything_but_the_unusual() -> None:
    assert f"rule <> ALL (ARRAY{list(UNUSUAL)})" in statement("open_findings")
