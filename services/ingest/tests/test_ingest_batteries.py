"""When a battery will be empty, and when somebody is told (docs/domain.md §3.19)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from balance_ingest.adapters import battery_table
from balance_ingest.domain.batteries import CONCENTRATOR, MODULE, forecast_end, in_use
from balance_ingest.domain.days import DAY_S
from balance_ingest.domain.delivery import Battery, DeliveryLimits, find_batteries
from balance_ingest.domain.history import FOREVER
from balance_ingest.domain.plans import BatteryFitting
from balance_kernel.plans import PlanSpan, SessionSetting, Setting, packet_spans, session_spans

NOW = int(datetime(2026, 3, 10, tzinfo=UTC).timestamp())
FITTED = NOW - 400 * DAY_S
LIVES = {
    (MODULE, "A", "DAILY"): 1000,
    (MODULE, "A", "WEEKLY"): 2000,
    (MODULE, "A", "INTRADAY_15"): 30,
    (CONCENTRATOR, "A", "DAILY"): 700,
}
LIMITS = DeliveryLimits()
PAGE = Path(__file__).parents[3] / "docs" / "batteries.md"


def spans(*settings: tuple[int, str]) -> Sequence[PlanSpan]:
    """Modes from days after the battery was fitted."""
    return packet_spans([Setting(FITTED + days * DAY_S, mode) for days, mode in settings], {})


@pytest.mark.parametrize(
    ("settings", "days"),
    [
        ([], 1000),
        ([(-50, "DAILY")], 1000),
        ([(-50, "UNSPECIFIED")], 1000),
        ([(-50, "WEEKLY")], 2000),
        ([(500, "WEEKLY")], 500 + 1000),
        ([(500, "WEEKLY"), (1500, "DAILY")], 1500),
        ([(500, "WEEKLY"), (1000, "INTRADAY_15")], 1000 + 7.5),
        ([(-50, "WEEKLY"), (1000, "DAILY"), (1400, "WEEKLY")], 1400 + 200),
        ([(1000, "MONTHLY")], 1000),
        ([(999, "MONTHLY")], None),
    ],
)
def test_the_forecast_adds_up_what_each_mode_uses(settings: Any, days: float | None) -> None:
    end = forecast_end(LIVES, MODULE, BatteryFitting("A", FITTED), spans(*settings))
    assert end == (None if days is None else FITTED + int(days * DAY_S))


def test_thirds_do_not_get_lost() -> None:
    lives = {(MODULE, "A", "DAILY"): 7, (MODULE, "A", "WEEKLY"): 11}
    modes = [(n, ("DAILY", "WEEKLY")[n % 2]) for n in range(9)]
    end = forecast_end(lives, MODULE, BatteryFitting("A", FITTED), spans(*modes))
    # Pairs of days use 1/7 + 1/11 = 18/77 each; after 8 days 5/77 are left, at 1/7 a day.
    assert end == FITTED + 8 * DAY_S + 5 * DAY_S * 7 // 77


def test_a_concentrator_is_forecast_by_its_session_plan() -> None:
    battery = BatteryFitting("A", FITTED)
    unknown = session_spans([SessionSetting(FITTED, "UNSPECIFIED")])
    assert forecast_end(LIVES, CONCENTRATOR, battery, unknown) == FITTED + 700 * DAY_S
    continuous = session_spans([SessionSetting(FITTED, "CONTINUOUS")])
    assert forecast_end(LIVES, CONCENTRATOR, battery, continuous) is None
    assert forecast_end(LIVES, MODULE, BatteryFitting("B", FITTED), []) is None


def test_each_battery_is_in_use_until_the_next() -> None:
    first, second, third = BatteryFitting("A", 1), BatteryFitting("B", 5), BatteryFitting("C", 5)
    assert in_use([first, second, third]) == [(first, 5), (third, FOREVER)]
    assert in_use([]) == []


def test_a_battery_is_a_finding_by_forecast_voltage_or_alarm() -> None:
    def told(end: int | None, voltage: int | None = None, low: bool = False) -> list[str]:
        battery = Battery("MODULE", "R-1", "A", FITTED, end, voltage, low)
        return [finding.found for finding in find_batteries([battery], NOW, LIMITS)]

    soon = NOW + LIMITS.battery_soon_s
    assert told(soon) == ["forecast end 2026-06-08 00:00 UTC"]
    assert told(soon + 1) == told(None) == told(None, 3300) == []
    assert told(None, 3299) == ["3,299 mV"]
    assert told(soon, 3000, True) == [
        "forecast end 2026-06-08 00:00 UTC and 3,000 mV and its alarm of a low battery"
    ]


def test_the_page_is_made_of_the_table() -> None:
    assert PAGE.read_text("utf-8") == battery_table.page(), battery_table.__doc__


def test_the_table_holds_the_figures_of_the_field() -> None:
    lives = battery_table.life_table()
    assert 1.5 * 365 <= lives[CONCENTRATOR, "ER26500", "DAILY"] <= 2 * 366
    assert (
        lives[CONCENTRATOR, "ER26500", "WEEKLY"] == lives[CONCENTRATOR, "ER26500", "MONTHLY"] == 5 * 365 + 1
    )
    assert lives[MODULE, "ER26500", "WEEKLY"] == lives[MODULE, "ER26500", "MONTHLY"] == 3652
    assert not any(kind == "ICR18650" for _, kind, _ in lives)
    autonomies = {row["days"] for row in battery_table.rows() if row["kind"] == "autonomy"}
    assert autonomies == {"182", "365", "6"}
    # The more packets, the sooner it ends, by nearly as many times.
    by_mode = [
        lives[MODULE, "ER26500", mode] for mode in ("INTRADAY_15", "INTRADAY_30", "INTRADAY_60", "DAILY")
    ]
    assert by_mode == sorted(by_mode)
    assert 1.9 < by_mode[1] / by_mode[0] < 2


def module(version: int, *batteries: tuple[str, int], **given: Any) -> Mapping[str, Any]:
    """A module of these batteries, DAILY unless a mode is given."""
    return {
        "module_id": "R-1",
        "version": version,
        "state": given.get("state", "ACTIVE"),
        "settings": [
            {"valid_from": FITTED * 1000, "packet_mode": given.get("mode", "DAILY"), "concentrator_id": None}
        ],
        "batteries": [{"battery_type": kind, "fitted_at": at * 1000} for kind, at in batteries],
    }


def packet(received: int, **given: Any) -> dict[str, Any]:
    """A packet about module R-1."""
    told: dict[str, Any] = {
        "packet_id": f"P-{received}",
        "concentrator_id": "J-1",
        "sequence": received,
        "sent_at": received * 1000,
        "received_at": received * 1000,
        "session": None,
    }
    kinds = ("archives", "registers", "measurements", "module_events", "module_states")
    return told | {kind: given.get(kind, []) for kind in kinds}


def state(observed: int, voltage: int | None) -> dict[str, Any]:
    """A state of module R-1."""
    return {
        "module_id": "R-1",
        "observed_at": observed * 1000,
        "module_clock_at": None,
        "battery_mv": voltage,
        "signal_dbm": -80,
        "firmware": "18",
        "packet_mode": "DAILY",
        "relay_path": [],
    }


def alarm(occurred: int, phase: str) -> dict[str, Any]:
    """An alarm of a low battery."""
    return {
        "module_id": "R-1",
        "channel": None,
        "kind": "BATTERY_LOW",
        "phase": phase,
        "occurred_at": occurred * 1000,
        "value": None,
        "command_id": None,
    }


@pytest.mark.stack
def test_a_battery_at_its_end_is_told_until_it_is_changed(house: Any) -> None:
    house.plan(module(1, ("ER26500", NOW - 2110 * DAY_S)))
    house.hear(packet(NOW))
    assert house.deliveries() == {("delivery.battery", "R-1", NOW - 2110 * DAY_S)}
    (end,) = house.rows("SELECT battery_forecast_end FROM ingest.v_modules")
    assert int(end[0].timestamp()) == NOW + 80 * DAY_S
    house.plan(module(2, ("ER26500", NOW - 2110 * DAY_S), ("ER26500", NOW - DAY_S)))
    assert house.deliveries() == set()
    house.plan(module(3, ("ER26500", NOW - 2110 * DAY_S), mode="WEEKLY"))
    assert house.deliveries() == set()
    house.plan(module(4, ("ER26500", NOW - 2110 * DAY_S), state="DELETED"))
    assert house.deliveries() == set()
    assert house.rows("SELECT count(*) FROM ingest.battery_forecasts") == [(0,)]


@pytest.mark.stack
def test_the_newest_state_and_the_newest_alarm_since_it_was_fitted_count(house: Any) -> None:
    told = {("delivery.battery", "R-1", NOW - 10 * DAY_S)}
    house.plan(module(1, ("ER26500", NOW - 10 * DAY_S)))
    house.hear(
        packet(
            NOW,
            module_states=[state(NOW - 11 * DAY_S, 3000)],
            module_events=[alarm(NOW - 11 * DAY_S, "BEGUN")],
        )
    )
    assert house.deliveries() == set()
    house.hear(packet(NOW + 1, module_states=[state(NOW - 5 * DAY_S, 3200)]))
    assert house.deliveries() == told
    house.hear(packet(NOW + 2, module_states=[state(NOW - 4 * DAY_S, 3600)]))
    assert house.deliveries() == set()
    house.hear(
        packet(NOW + 3, module_events=[alarm(NOW - 3 * DAY_S, "BEGUN"), alarm(NOW - 4 * DAY_S, "ENDED")])
    )
    assert house.deliveries() == told
    house.hear(packet(NOW + 4, module_events=[alarm(NOW - 3 * DAY_S, "ENDED")]))
    assert house.deliveries() == set()
    house.hear(packet(NOW + 5, module_events=[alarm(NOW - 3 * DAY_S, "OCCURRED")]))
    assert house.deliveries() == told


@pytest.mark.stack
def test_another_table_of_lives_is_taken_up_at_the_next_start(house: Any) -> None:
    house.plan(module(1, ("ER26500", NOW - 10 * DAY_S)))
    house.hear(packet(NOW))
    with house.pool.connection() as conn:
        conn.execute("UPDATE ingest.battery_forecasts SET forecast_end = 5")
    assert house.deliveries() == set()
