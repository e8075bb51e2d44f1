"""Other settings recompute a stated range in the background, and today's group-days do not wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from balance_chassis.lanes import BACKLOG, LIVE, RECOMPUTATION
from balance_chassis.settings import SettingsError
from balance_imbalance import settings
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.rules import ALGORITHM_VERSION
from balance_imbalance.handlers import Computing, Sweep

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

DAYS = 40
A_STEP = 10


def furnish(house: House, days: int = DAYS) -> None:
    """Group G of supply S and members A and B over some days, computed and published."""
    house.describe(*(house.meter_of(point) for point in "SAB"), house.group_of("G", ["S"], ["A", "B"]))
    for point, value in (("S", 310), ("A", 100), ("B", 200)):
        house.hear(*(house.reading(point, day, value) for day in range(days)))
    house.settle()
    house.published()


def other_settings(house: House, recompute_from: date | None = None) -> None:
    """The worker starts again with settings that change every tolerance."""
    house.rules = replace(house.rules, in_service_factor=3.0)
    Sweep(house.store, house.rules, house.calendar, recompute_from).step()


def computing(house: House) -> Computing:
    return Computing(house.store, house.rules, house.calendar, A_STEP, lambda *_: None)


def lanes(house: House) -> Sequence[tuple[int, int]]:
    rows = house.rows("SELECT lane, count(*) FROM imbalance.markers GROUP BY lane ORDER BY lane")
    return [(row["lane"], row["count"]) for row in rows]


def grown_old(house: House) -> None:
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")


def test_live_group_days_are_computed_while_a_recomputation_is_under_way(house: House) -> None:
    """Live, then backlog, then the next days to be recomputed: each in the very next step."""
    furnish(house)
    other_settings(house)
    assert lanes(house) == [(RECOMPUTATION, DAYS)]
    work = computing(house)
    assert work.step() == A_STEP
    house.hear(house.reading("A", DAYS, 100), house.reading("S", DAYS, 310), clock_day=DAYS)
    house.hear(house.reading("A", 3, 130, version=2), backlog=True)
    grown_old(house)
    assert lanes(house) == [(LIVE, 1), (BACKLOG, 1), (RECOMPUTATION, DAYS - A_STEP)]
    work.step()
    assert lanes(house) == [(RECOMPUTATION, DAYS - A_STEP - 1)], "day 3 was to be recomputed too, and now is"
    assert house.days("G")[DAYS]["members_due"] == 2
    assert house.days("G")[3]["members"] == 24 * 330
    while work.step():
        pass
    assert lanes(house) == []
    assert {day["settings_hash"] for day in house.days("G").values()} == {house.rules.settings_hash}


def test_what_is_not_due_yet_holds_up_no_recomputation(house: House) -> None:
    """Of a group whose turn it is, it is computed at once, and then the recomputation goes on."""
    furnish(house)
    other_settings(house)
    house.hear(house.reading("A", 3, 130, version=2), backlog=True)
    work = computing(house)
    assert [work.step(), work.step()] == [1, A_STEP]
    assert lanes(house) == [(RECOMPUTATION, DAYS - 1 - A_STEP)]


def test_results_say_that_they_are_a_recomputation_and_go_out_after_all_others(house: House) -> None:
    furnish(house)
    other_settings(house)
    work = computing(house)
    work.step()
    house.hear(house.reading("A", 3, 130, version=2))
    grown_old(house)
    while work.step():
        pass
    rows = house.rows("SELECT lane FROM imbalance.outbox ORDER BY lane, id")
    assert [row["lane"] for row in rows] == [LIVE, *[RECOMPUTATION] * (len(rows) - 1)]
    told = {day: message["is_recomputation"] for (_, day), message in house.published().items()}
    assert told == {**dict.fromkeys(range(DAYS), True), 3: False}
    house.hear(house.reading("A", 5, 130, version=2))
    house.settle()
    assert house.published()["G", 5]["is_recomputation"] is False, "a later change is none"


def test_a_stated_day_is_where_recomputation_begins(house: House) -> None:
    furnish(house)
    before = {row["settings_hash"] for row in house.days("G").values()}
    other_settings(house, date(2026, 3, 31))  # day 30; the clocks changed on day 28
    assert lanes(house) == [(RECOMPUTATION, DAYS - 30)]
    while computing(house).step():
        pass
    days = house.days("G")
    assert {days[day]["settings_hash"] for day in range(30)} == before
    assert {days[day]["settings_hash"] for day in range(30, DAYS)} == {house.rules.settings_hash}


def test_a_worker_that_starts_again_marks_what_is_left_and_nothing_twice(house: House) -> None:
    furnish(house)
    other_settings(house)
    computing(house).step()
    Sweep(house.store, house.rules, house.calendar).step()
    assert lanes(house) == [(RECOMPUTATION, DAYS - A_STEP)]


def test_a_higher_version_is_neither_marked_nor_overwritten(house: House) -> None:
    """A newer worker wrote days 0 to 9 before, and 10 to 19 after this one had marked them."""
    furnish(house)
    later = ALGORITHM_VERSION + 1
    raised = "UPDATE imbalance.group_days SET algorithm_version = %s WHERE day_start < %s RETURNING 1"
    first = house.rows(raised, later, house.calendar.start_of(date(2026, 3, 11)))
    assert len(first) == 10
    other_settings(house)
    assert lanes(house) == [(RECOMPUTATION, DAYS - 10)]
    house.rows(raised, later, house.calendar.start_of(date(2026, 3, 21)))
    before = {day: row["tolerance"] for day, row in house.days("G").items()}
    while computing(house).step():
        pass
    after = house.days("G")
    assert {after[day]["algorithm_version"] for day in range(20)} == {later}
    assert {day for day in after if after[day]["tolerance"] != before[day]} == set(range(20, DAYS))
    assert {day for _, day in house.published()} == set(range(20, DAYS))


def test_the_worker_writes_down_what_views_must_know_of_the_settings(house: House) -> None:
    furnish(house, days=2)
    usual = house.rules
    house.rules = replace(usual, unreliable_share=0.55, heating_base=18_000)
    Sweep(house.store, house.rules, house.calendar, None, InadequacyRules(least_homes=3)).step()
    told = "SELECT unreliable_share_ppm, heating_base, least_homes FROM imbalance.rules_in_force"
    assert [tuple(row.values()) for row in house.rows(told)] == [(550_000, 18_000, 3)]
    house.rules = usual
    Sweep(house.store, house.rules, house.calendar).step()
    assert [tuple(row.values()) for row in house.rows(told)] == [(300_000, 16_000, 5)]


def test_a_register_kept_by_an_older_release_is_named_at_the_start(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    furnish(house, days=2)
    Sweep(house.store, house.rules, house.calendar).step()
    assert not caplog.records
    house.rows("UPDATE imbalance.groups SET version = -1 RETURNING 1")  # as migration 0006 leaves them
    sweep = Sweep(house.store, house.rules, house.calendar)
    sweep.step()
    sweep.step()
    (record,) = caplog.records
    assert (record.levelname, record.name) == ("ERROR", "balance_imbalance.handlers")
    assert "1 balance groups" in record.getMessage()
    assert "imbalance-assets to the start" in record.getMessage()


def test_the_day_is_a_setting() -> None:
    needed = {"BALANCE_KAFKA_BOOTSTRAP_SERVERS": "b:1", "BALANCE_POSTGRES_DSN": "dbname=x"}
    needed["BALANCE_REGISTRY_URL"] = "http://r:1/apis/ccompat/v7"
    assert settings.load(needed).recompute_from is None
    given = {**needed, "BALANCE_IMBALANCE_RECOMPUTE_FROM": "2026-03-01"}
    assert settings.load(given).recompute_from == date(2026, 3, 1)
    with pytest.raises(
        SettingsError, match=r"RECOMPUTE_FROM: expected a date such as 2026-03-01, found 'May'"
    ):
        settings.load({**needed, "BALANCE_IMBALANCE_RECOMPUTE_FROM": "May"})
