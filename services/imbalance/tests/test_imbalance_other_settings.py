"""Other settings, other versions, a second worker: nightly results are computed anew after all others, and
nothing that changed is forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_chassis.errors import Fatal
from balance_chassis.lanes import BACKLOG, RECOMPUTATION
from balance_chassis.lifecycle import EXIT_SETTINGS
from balance_imbalance.adapters.postgres_forecasts import PostgresForecasts
from balance_imbalance.adapters.postgres_inadequacy import PostgresInadequacy
from balance_imbalance.computing.forecasting import Forecasts
from balance_imbalance.computing.inadequacy import Inadequacy
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.kinds import FORECAST, GROUP_FORECAST
from balance_imbalance.domain.messages import UsagePoint
from balance_imbalance.domain.nightly import Kind
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.rules import Rules
from balance_imbalance.handlers import Computing, Sweep
from balance_kernel.quantity import Resource

House = Any  # of conftest.py, which cannot be imported
PATIENCE_S = 30.0


def instant(house: House, number: int) -> datetime:
    return datetime.fromtimestamp(house.day_start(number), UTC)


def point(name: str, channel: int = 1, resource: Resource = Resource.GAS) -> UsagePoint:
    """On the module of the home, for ever."""
    fitting = ChannelFitting(f"M-{name.removesuffix('/t')}", channel, 0, FOREVER)
    path = ("R", "T", "S", "1", name)
    return UsagePoint(name, 1, [Meter(0, FOREVER, 15_000, 10)], resource, path, channels=[fitting])


def lanes(house: House, table: str) -> Sequence[tuple[int, int]]:
    rows = house.rows(f"SELECT lane, count(*) FROM imbalance.{table} GROUP BY lane ORDER BY lane")
    return [(row["lane"], row["count"]) for row in rows]


def sent(house: House) -> Sequence[int]:
    """Lanes of the outbox, in which it is forgotten."""
    rows = house.rows("DELETE FROM imbalance.outbox RETURNING lane")
    return [row["lane"] for row in rows]


@dataclass
class Home:
    """A home A with gas and a thermometer in group G with supply S, computed up to day 34 (4 April)."""

    house: House

    def forecasts(self, kind: Kind = FORECAST, rules: Rules | None = None) -> PostgresForecasts:
        return PostgresForecasts(self.house.pool, self.house.calendar, rules or self.house.rules, kind)

    def inadequacy(self, **given: Any) -> PostgresInadequacy:
        return PostgresInadequacy(self.house.pool, self.house.calendar, InadequacyRules(**given))

    def compute(self, store: PostgresForecasts) -> int:
        """One transaction."""
        house = self.house
        given = (store, lambda: None, house.calendar, house.rules, True, 100, lambda *_: None)
        return Forecasts(*given).compute(quiet_s=0)

    def settle(self) -> None:
        self.house.settle()
        for kind in (FORECAST, GROUP_FORECAST):
            store = self.forecasts(kind)
            store.follow_register()
            store.fall_due(instant(self.house, 34))
            while self.compute(store):
                pass
        homes = self.inadequacy()
        homes.follow_register()
        homes.fall_due(instant(self.house, 34))
        while homes.compute(1000, quiet_s=0)[0]:
            pass
        sent(self.house)


@pytest.fixture
def home(house: House) -> Home:
    with house.pool.connection() as conn:
        conn.execute(
            "TRUNCATE imbalance.forecasts, imbalance.forecast_subjects, imbalance.inadequacy_homes, "
            "imbalance.inadequacy_days, imbalance.inadequacy_markers, imbalance.algorithms"
        )
    house.describe(point("A"), point("A/t", 0, Resource.TEMPERATURE), house.meter_of("S"))
    house.describe(house.group_of("G", ["S"], ["A"]))
    for name, value in (("A", 100), ("A/t", 21_000), ("S", 110)):
        house.hear(*(house.reading(name, day, value) for day in range(35)))
    home = Home(house)
    home.settle()
    return home


@pytest.mark.stack
def test_forecasts_are_recomputed_after_those_that_fell_due_and_go_out_after_them(home: Home) -> None:
    house = home.house
    house.rows("UPDATE imbalance.forecasts SET expected = expected + 1 RETURNING 1")
    other = home.forecasts(rules=replace(house.rules, heating_base=15_000))
    assert other.mark_other_settings() == 2
    assert other.mark_other_settings() == 0, "a worker that starts again marks nothing twice"
    house.hear(house.reading("A", 33, 120, version=2))
    assert lanes(house, "forecast_markers") == [(BACKLOG, 1), (RECOMPUTATION, 2)]
    assert home.compute(other) == 1
    assert sent(house) == [BACKLOG]
    assert lanes(house, "forecast_markers") == [(RECOMPUTATION, 1)], "April was to be recomputed too, and is"
    assert home.compute(other) == 1
    assert sent(house) == [RECOMPUTATION]
    assert other.mark_other_settings() == 0


@pytest.mark.stack
def test_forecasts_are_recomputed_from_the_stated_day_on(home: Home) -> None:
    """And, started without it, all that was left: it is to stay set."""
    other = home.forecasts(rules=replace(home.house.rules, heating_base=15_000))
    april = instant(home.house, 31)
    assert other.mark_other_settings(april) == 1
    while home.compute(other):
        pass
    assert other.mark_other_settings(april) == 0
    assert other.mark_other_settings() == 1


@pytest.mark.stack
def test_settings_that_take_no_part_recompute_no_forecast(home: Home) -> None:
    rules = home.house.rules
    without = {"lookback_days", "heating_base"}
    others = replace(
        rules,
        **{
            field.name: getattr(rules, field.name) + 1 for field in fields(rules) if field.name not in without
        },
    )
    assert home.forecasts(rules=others).mark_other_settings() == 0
    assert home.forecasts(GROUP_FORECAST, replace(others, lookback_days=20)).mark_other_settings() == 0
    assert home.forecasts(rules=replace(rules, lookback_days=20)).mark_other_settings() == 2
    assert home.forecasts(GROUP_FORECAST, replace(rules, heating_base=0)).mark_other_settings() == 2


def test_the_grace_recomputes_no_group_day_all_other_settings_do() -> None:
    rules = Rules()
    for field in fields(rules):
        other = replace(rules, **{field.name: getattr(rules, field.name) + 1})
        assert (other.settings_hash == rules.settings_hash) is (field.name == "grace_s"), field.name


@pytest.mark.stack
def test_forecasts_of_a_group_follow_its_recomputation_in_the_same_lane(home: Home) -> None:
    house = home.house
    house.rules = replace(house.rules, in_service_factor=3.0)
    Sweep(house.store, house.rules, house.calendar).step()
    house.hear(house.reading("S", 2, 115, version=2))
    house.compute()
    assert lanes(house, "group_forecast_markers") == [(BACKLOG, 2), (RECOMPUTATION, 2)]


@pytest.mark.stack
def test_inadequacy_is_recomputed_after_what_fell_due_and_goes_out_after_it(home: Home) -> None:
    house = home.house
    house.rows("UPDATE imbalance.inadequacy_days SET consumed = consumed + 1 RETURNING 1")
    other = home.inadequacy(free_heat=2_000)
    assert other.mark_other_settings(instant(house, 30)) == 5
    assert other.mark_other_settings() == 30
    assert other.mark_other_settings() == 0
    house.hear(house.reading("A", 33, 120, version=2))
    assert other.compute(1000, quiet_s=0) == (1, 1)
    assert sent(house) == [BACKLOG]
    assert other.compute(1000, quiet_s=0) == (34, 34)
    assert set(sent(house)) == {RECOMPUTATION}
    assert other.mark_other_settings() == 0


@pytest.mark.stack
def test_the_worker_hands_on_the_stated_day(home: Home) -> None:
    house, since = home.house, instant(home.house, 31)
    inadequacy = home.inadequacy(free_heat=2_000)
    Inadequacy(inadequacy, lambda: None, house.calendar, 0, lambda *_: None, since).step()
    assert lanes(house, "inadequacy_markers") == [(RECOMPUTATION, 4)]
    forecasts = home.forecasts(rules=replace(house.rules, heating_base=15_000))
    given = (forecasts, lambda: None, house.calendar, house.rules, True, 0, lambda *_: None, since)
    Forecasts(*given).step()
    assert lanes(house, "forecast_markers") == [(RECOMPUTATION, 1)]


def group_days(home: Home) -> int:
    house = home.house
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")
    return Computing(house.store, house.rules, house.calendar, 100, lambda *_: None).step()


KINDS = [
    ("postgres", "markers", group_days, lambda home: home.house.store.mark_other_settings(None)),
    (
        "postgres_forecasts",
        "forecast_markers",
        lambda home: home.compute(home.forecasts()),
        lambda home: home.forecasts().mark_other_settings(),
    ),
    (
        "postgres_inadequacy",
        "inadequacy_markers",
        lambda home: home.inadequacy().compute(100, quiet_s=0)[0],
        lambda home: home.inadequacy().mark_other_settings(),
    ),
]


@pytest.mark.stack
@pytest.mark.parametrize(("module", "markers", "step", "start"), KINDS)
def test_a_worker_of_an_older_algorithm_neither_starts_nor_takes_markers(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    markers: str,
    step: Callable[[Home], int],
    start: Callable[[Home], int],
) -> None:
    home.house.hear(home.house.reading("A", 34, 999, version=2))
    with monkeypatch.context() as patch:
        patch.setattr(f"balance_imbalance.adapters.{module}.ALGORITHM_VERSION", 0)
        for attempt in (start, step):
            with pytest.raises(Fatal, match="found version 0 in this worker") as ended:
                attempt(home)
            assert ended.value.exit_code == EXIT_SETTINGS
    assert [count for _, count in lanes(home.house, markers)] == [1]
    assert step(home) == 1
    assert lanes(home.house, markers) == []


@pytest.mark.stack
@pytest.mark.parametrize(("module", "markers", "step", "start"), KINDS)
def test_the_version_is_there_for_all_before_the_marking_ends(
    home: Home, module: str, markers: str, step: Callable[[Home], int], start: Callable[[Home], int]
) -> None:
    """Who computes would otherwise wait for it, with groups in hand that sinks need."""
    house = home.house
    house.rows("UPDATE imbalance.algorithms SET version = 0 RETURNING 1")
    with ThreadPoolExecutor(1) as threads, house.pool.connection() as conn:
        conn.execute(f"LOCK TABLE imbalance.{markers} IN ACCESS EXCLUSIVE MODE")
        marking = threads.submit(start, home)
        waits = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        deadline = time.monotonic() + PATIENCE_S
        while not house.rows(waits):
            assert time.monotonic() < deadline, f"{module}: expected the marking to wait for the markers"
            time.sleep(0.01)
        assert house.rows("SELECT 1 FROM imbalance.algorithms WHERE version > 0")
        conn.commit()
        assert marking.result(PATIENCE_S) == 0
    assert step(home) == 0


@pytest.mark.stack
def test_a_day_of_a_home_that_the_register_just_made_is_not_lost_to_a_second_worker(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when the home's days were looked up, and before the home is there for others."""
    house, other, store = home.house, home.inadequacy(), home.inadequacy()
    house.describe(point("B"), point("B/t", 0, Resource.TEMPERATURE))
    keep = PostgresInadequacy._keep_homes

    def then_a_day_comes(self: PostgresInadequacy, conn: Any) -> None:
        keep(self, conn)
        house.hear(house.reading("B", 3, 100))
        assert other.compute(100, quiet_s=0) == (0, 0)

    monkeypatch.setattr(PostgresInadequacy, "_keep_homes", then_a_day_comes)
    assert store.follow_register() == 1
    assert other.compute(100, quiet_s=0)[1] == 1
    days = "SELECT day_start FROM imbalance.v_inadequacy_days WHERE usage_point_id = 'B'"
    assert [row["day_start"] for row in house.rows(days)] == [instant(house, 3)]


@pytest.mark.stack
def test_the_register_is_followed_when_the_other_worker_has_done_its_part(home: Home) -> None:
    house, other, store = home.house, home.inadequacy(), home.inadequacy()
    house.describe(point("B"), point("B/t", 0, Resource.TEMPERATURE))
    house.hear(house.reading("A", 3, 120, version=2), house.reading("B", 3, 100))
    with other._nightly.work(100, quiet_s=0) as (_, due, _):
        assert due
        assert store.follow_register() == 0
    assert store.follow_register() == 1
