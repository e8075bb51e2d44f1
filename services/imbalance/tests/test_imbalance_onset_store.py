"""Onsets and hourly alarms in a real database: found again from a changed day, published, withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from balance_chassis.outbox import Outbox
from balance_imbalance.adapters.postgres_onsets import PostgresOnsetStore
from balance_imbalance.adapters.publishing import GroupDayRenderer
from balance_imbalance.adapters.publishing_onsets import OnsetRenderer, together
from balance_imbalance.computing.onsets import Watching
from balance_imbalance.domain.messages import ChangedGroupDay
from balance_imbalance.domain.onset_rules import OnsetRules
from balance_schemas import avsc
from balance_schemas.codec import Codec

pytestmark = pytest.mark.stack
CODEC = Codec({name: n for n, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
RULES = OnsetRules(window_days=14, least_days=7)
ONSET, ALARM = "balance.v1.GroupOnsetChanged", "balance.v1.GroupHourAlarmChanged"


def used(day: int) -> int:
    """What the home uses an hour, not the same on each day."""
    return 9_000 + 100 * (day * 7 % 5)


def supply(day: int, extra: int = 0) -> list[int]:
    """Hours of the supply meter, which has a loss, and something more from noon on."""
    return [used(day) + 1_000 + 3 * (day % 3) + (extra if hour >= 12 else 0) for hour in range(24)]


class Watch:
    """A group of one home in a house, and its agent, by hand."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.counted: list[tuple[int, int]] = []
        house.describe(house.meter_of("S"), house.meter_of("A"), house.group_of("G", ["S"], ["A"]))

    def hear(self, days: Mapping[int, int], version: int = 1) -> None:
        """Readings of some days, by what is lost an hour from noon on; their group-days computed."""
        reading = self.house.reading
        self.house.hear(
            *(reading("S", day, supply(day, extra), version) for day, extra in days.items()),
            *(reading("A", day, used(day), version) for day in days),
            clock_day=max(days) + 1,
        )
        self.house.settle()

    def follow(self, *days: int, recomputation: bool = False, rules: OnsetRules = RULES) -> None:
        """The agent is told that these days changed."""
        store = PostgresOnsetStore(self.house.pool, self.house.calendar, rules)
        watching = Watching(store, rules, lambda *counts: self.counted.append(counts))
        starts = [datetime.fromtimestamp(self.house.day_start(day), UTC) for day in days]
        watching.handle([ChangedGroupDay("G", start, recomputation) for start in starts])

    def published(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What the outbox names of onsets and alarms, forgotten."""
        outbox, render = Outbox("imbalance"), together(GroupDayRenderer(CODEC), OnsetRenderer(CODEC))
        with self.house.pool.connection() as conn:
            rows = outbox.claim(conn, 1000)
            values = [CODEC.decode(outgoing.value or b"") for outgoing in render(conn, rows)]
            outbox.forget(conn, rows)
        return [(name, value) for name, value in values if name in (ONSET, ALARM)]

    def tables(self) -> Sequence[Any]:
        """What the views show, without what depends on the order of arrival."""
        columns = ("version", "changed_at", "is_recomputation")
        found = [
            *self.house.rows("SELECT * FROM imbalance.v_group_onsets ORDER BY alarmed_day"),
            *self.house.rows("SELECT * FROM imbalance.v_group_hour_alarms ORDER BY start_at"),
            *self.house.rows("SELECT day_start, state FROM imbalance.onset_days ORDER BY day_start"),
        ]
        return [{name: value for name, value in row.items() if name not in columns} for row in found]


@pytest.fixture
def watch(house: Any) -> Watch:
    return Watch(house)


def ms(watch: Watch, day: int, hour: int = 0) -> int:
    return (int(watch.house.day_start(day)) + 3600 * hour) * 1000


def test_a_burst_is_an_alarm_of_the_hour_and_an_onset_of_the_day(watch: Watch) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000, 11: 3000})
    watch.follow(*range(12))
    (onset,) = watch.house.rows("SELECT * FROM imbalance.v_group_onsets")
    assert (onset["group_id"], onset["state"], onset["side"]) == ("G", "OPEN", "RISE")
    assert onset["alarmed_day"] == onset["since_day"]
    assert onset["alarmed_day"].timestamp() * 1000 == ms(watch, 10)
    (alarm,) = watch.house.rows("SELECT * FROM imbalance.v_group_hour_alarms")
    assert alarm["start_at"].timestamp() * 1000 == ms(watch, 10, 12)
    assert (alarm["hours_above"], alarm["ended_at"].timestamp() * 1000) == (12, ms(watch, 11))
    assert alarm["excess_per_hour"] == pytest.approx(3000, abs=30)
    (state,) = watch.house.rows("SELECT * FROM imbalance.v_group_states")
    assert (state["open_onsets"], state["onset_side"]) == (1, "RISE")
    assert state["onset_size_per_day"] == onset["size_per_day"] == pytest.approx(36_000, rel=0.02)
    assert state["hour_alarm_start_at"] == alarm["start_at"]
    assert watch.counted == [(1, 1)]


def test_they_are_published_with_versions_and_withdrawn_when_late_readings_explain_them(watch: Watch) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    first = watch.published()
    assert [(name, value["version"], value["state"]) for name, value in first] == [
        (ONSET, 1, "OPEN"),
        (ALARM, 1, "OPEN"),
    ]
    watch.follow(10)
    assert watch.published() == []
    watch.hear({10: 0}, version=2)
    watch.follow(10)
    assert [(name, value["version"], value["state"]) for name, value in watch.published()] == [
        (ONSET, 2, "WITHDRAWN"),
        (ALARM, 2, "WITHDRAWN"),
    ]
    assert watch.tables()[0]["state"]["open"] == [], "nothing but states is shown"
    watch.hear({10: 3000}, version=3)
    watch.follow(10)
    assert [(value["version"], value["state"]) for _, value in watch.published()] == [
        (3, "OPEN"),
        (3, "OPEN"),
    ]


def test_a_recomputation_says_so(watch: Watch) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11), recomputation=True)
    assert [value["is_recomputation"] for _, value in watch.published()] == [True, True]
    watch.hear({10: 0}, version=2)
    watch.follow(10, recomputation=True)
    watch.follow(10)
    assert [value["is_recomputation"] for _, value in watch.published()] == [True, True]
    watch.hear({10: 3000}, version=3)
    watch.follow(10)
    assert [value["is_recomputation"] for _, value in watch.published()] == [False, False]


def test_whatever_the_order_of_messages_the_tables_are_the_same(watch: Watch) -> None:
    lost = {**dict.fromkeys(range(9), 0), 9: 4000, **dict.fromkeys(range(10, 20), 3000), 20: 0, 21: 0}
    watch.hear(lost)
    watch.follow(*lost)
    expected = watch.tables()
    assert len(expected) > 22
    parts = (range(5), range(5, 9), range(9, 15), range(15, 22))
    for order in permutations(parts):
        with watch.house.pool.connection() as conn:
            conn.execute("TRUNCATE imbalance.onset_days, imbalance.group_onsets, imbalance.group_hour_alarms")
        for days in order:
            watch.follow(*days)
        assert watch.tables() == expected


def test_a_new_day_goes_over_that_day_alone(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    from balance_imbalance.computing import onsets
    from balance_imbalance.domain.onset import follow

    gone_over: list[int] = []

    def noted(state: Any, past: Any, days: Any, rules: Any) -> Any:
        gone_over.append(len(days))
        return follow(state, past, days, rules)

    monkeypatch.setattr(onsets, "follow", noted)
    watch.hear(dict.fromkeys(range(20), 0))
    watch.follow(*range(20))
    watch.hear({20: 0})
    watch.follow(20)
    watch.follow(18)
    assert gone_over == [20, 1, 3]


def test_other_settings_go_over_all_days_again(watch: Watch) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    watch.published()
    watch.follow(10, rules=OnsetRules(window_days=14, least_days=12))
    assert [value["state"] for _, value in watch.published()] == ["WITHDRAWN", "WITHDRAWN"]


def test_what_is_withdrawn_from_the_group_is_withdrawn_here(watch: Watch) -> None:
    house = watch.house
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    watch.published()
    house.describe(house.group_of("G", [], [], version=2))
    house.settle()
    watch.follow(*range(11))
    assert [value["state"] for _, value in watch.published()] == ["WITHDRAWN", "WITHDRAWN"]
    assert watch.tables() == []


def test_a_group_nobody_described_is_nothing(watch: Watch) -> None:
    store = PostgresOnsetStore(watch.house.pool, watch.house.calendar, RULES)
    Watching(store, RULES, lambda *counts: watch.counted.append(counts)).handle(
        [ChangedGroupDay("nobody", datetime.fromtimestamp(watch.house.day_start(0), UTC), False), "not a day"]
    )
    assert watch.counted == [(0, 0)]


def test_the_reader_sees_the_views(watch: Watch, as_reader: Callable[[str], Sequence[Any]]) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    assert as_reader("SELECT state FROM imbalance.v_group_onsets") == [("OPEN",)]
    assert as_reader("SELECT state FROM imbalance.v_group_hour_alarms") == [("OPEN",)]
