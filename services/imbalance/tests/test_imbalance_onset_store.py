"""Onsets and hourly alarms in a real database: found again from a changed day, published, withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from balance_chassis.outbox import Outbox
from balance_imbalance.adapters import postgres_onsets
from balance_imbalance.adapters.postgres_onsets import PostgresOnsetStore
from balance_imbalance.adapters.publishing import Renderer
from balance_imbalance.computing import onsets
from balance_imbalance.computing.onsets import Watching
from balance_imbalance.domain.messages import ChangedGroupDay
from balance_imbalance.domain.onset import follow
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
        self.counted: list[tuple[int, ...]] = []
        house.describe(house.meter_of("S"), house.meter_of("A"), house.group_of("G", ["S"], ["A"]))

    def hear(self, days: Mapping[int, int], version: int = 1, recomputation: bool = False) -> None:
        """Readings of some days, by what is lost an hour from noon on; their group-days computed, as new
        ones or as a recomputation does it.
        """
        reading = self.house.reading
        self.house.hear(
            *(reading("S", day, supply(day, extra), version) for day, extra in days.items()),
            *(reading("A", day, used(day), version) for day in days),
            clock_day=max(days) + 1,
        )
        if recomputation:
            self.house.rows("UPDATE imbalance.markers SET lane = 2 RETURNING 1")
        self.house.settle()

    def follow(self, *days: int, rules: OnsetRules = RULES) -> None:
        """The agent is told that these days changed."""
        store = PostgresOnsetStore(self.house.pool, self.house.calendar, rules)
        watching = Watching(store, rules, lambda *counts: self.counted.append(counts))
        starts = [datetime.fromtimestamp(self.house.day_start(day), UTC) for day in days]
        watching.handle([ChangedGroupDay("G", start) for start in starts])

    def published(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What the outbox names of onsets and alarms, forgotten."""
        outbox, render = Outbox("imbalance"), Renderer(CODEC)
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
    assert watch.counted == [(12, 1, 1)]


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


def flags(watch: Watch) -> list[bool]:
    """Of what was published, whether it says that it is a recomputation."""
    return [value["is_recomputation"] for _, value in watch.published()]


def test_a_recomputation_says_so(watch: Watch) -> None:
    watch.hear(dict.fromkeys(range(10), 0))
    watch.follow(*range(10))
    watch.hear({10: 3000}, recomputation=True)
    watch.follow(10)
    assert flags(watch) == [True, True]
    watch.hear({10: 0}, version=2, recomputation=True)
    watch.follow(10)
    assert flags(watch) == [True, True]
    watch.hear({10: 3000}, version=3)
    watch.follow(10)
    assert flags(watch) == [False, False]
    watch.hear({10: 0}, version=4)
    watch.follow(10)
    assert flags(watch) == [False, False], "nor is what late readings explain a recomputation"


def test_news_found_when_a_recomputation_of_earlier_days_is_told_are_news(watch: Watch) -> None:
    """The agent goes over all days that are stored, while messages of the newest are still to come."""
    watch.hear(dict.fromkeys(range(10), 0))
    watch.follow(*range(10))
    watch.hear({2: 5}, version=2, recomputation=True)
    watch.hear({10: 3000})
    watch.follow(2)
    assert flags(watch) == [False, False]
    watch.follow(10)
    assert watch.published() == []


def test_news_that_were_recomputed_before_they_were_told_are_news(watch: Watch) -> None:
    watch.hear(dict.fromkeys(range(10), 0))
    watch.follow(*range(10))
    watch.hear({10: 3000})
    for version in (2, 3):
        watch.hear({10: 3000 + 100 * version}, version=version, recomputation=True)
    watch.follow(10)
    assert flags(watch) == [False, False]
    watch.hear({10: 4000}, version=4, recomputation=True)
    watch.follow(10)
    assert flags(watch) == [True, True]


def test_what_only_a_recomputation_found_is_none_because_a_new_day_is_told_with_it(watch: Watch) -> None:
    rules = OnsetRules(window_days=14, least_days=7, size_days=1)
    watch.hear(dict.fromkeys(range(10), 0))
    watch.follow(*range(10), rules=rules)
    watch.hear({10: 3000, 11: 0}, recomputation=True)
    watch.hear({12: 0})
    watch.follow(10, 11, 12, rules=rules)
    assert flags(watch) == [True, True]


def test_other_settings_are_no_news_but_a_new_day_under_them_is(watch: Watch) -> None:
    """All days are gone over again, among them one of which the message is still to come."""
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000, 11: 0})
    watch.follow(*range(12))
    watch.published()
    watch.hear({**dict.fromkeys(range(12, 22), 0), 22: 9000, 23: 0})
    other = OnsetRules(window_days=14, least_days=7, size_days=1)
    watch.follow(23, rules=other)
    found = [(value["is_recomputation"], value.get("alarmed_day_at")) for _, value in watch.published()]
    assert all(is_recomputation == (at == ms(watch, 10)) for is_recomputation, at in found)
    assert (False, ms(watch, 22)) in found
    watch.follow(22, rules=other)
    assert watch.published() == []


def test_what_is_news_and_was_not_published_yet_stays_news(watch: Watch) -> None:
    """While the publisher is away: it sends a thing as it stands, once."""
    watch.hear(dict.fromkeys(range(10), 0))
    watch.follow(*range(10))
    watch.hear({10: 3000})
    watch.follow(10)
    watch.hear({10: 4000}, version=2, recomputation=True)
    watch.follow(10)
    assert flags(watch) == [False, False]
    watch.hear({10: 5000}, version=3, recomputation=True)
    watch.follow(10)
    assert flags(watch) == [True, True]


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
    watch.hear({18: 5}, version=2)
    watch.follow(18)
    assert gone_over == [20, 1, 3]
    watch.follow(*range(21))
    assert gone_over == [20, 1, 3], "what was gone over as it stands is not gone over again"


def test_other_settings_go_over_all_days_again(watch: Watch) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    watch.published()
    watch.follow(10, rules=OnsetRules(window_days=14, least_days=12))
    assert [value["state"] for _, value in watch.published()] == ["WITHDRAWN", "WITHDRAWN"]
    rows = watch.house.rows(
        "SELECT settings_hash, is_recomputation FROM imbalance.group_onsets "
        "UNION ALL SELECT settings_hash, is_recomputation FROM imbalance.group_hour_alarms"
    )
    other = OnsetRules(window_days=14, least_days=12).settings_hash
    assert [tuple(row.values()) for row in rows] == [(other, True)] * 2, "of those who withdrew it"


def test_what_a_higher_version_found_is_not_overwritten_nor_withdrawn(watch: Watch) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    watch.published()
    for table in ("group_onsets", "group_hour_alarms"):
        watch.house.rows(f"UPDATE imbalance.{table} SET algorithm_version = 99 RETURNING 1")
    for version, extra in ((2, 9000), (3, 0)):
        watch.hear({10: extra}, version=version)
        watch.follow(10)
        assert watch.published() == []
    assert [row["algorithm_version"] for row in watch.tables()[:2]] == [99, 99]


@pytest.mark.parametrize(("days", "groups_done"), [(1, 1), (100_000, 0)])
def test_a_transaction_goes_over_as_many_groups_as_have_few_days(
    days: int, groups_done: int, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = watch.house
    for group in ("H", "I"):
        house.describe(house.group_of(group, ["S"], ["A"]))
    watch.hear(dict.fromkeys(range(5), 0))
    calls: list[int] = []

    def breaking(*given: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        return follow(*given)

    monkeypatch.setattr(onsets, "follow", breaking)
    monkeypatch.setattr(postgres_onsets, "_DAYS_AT_ONCE", days)
    start = datetime.fromtimestamp(house.day_start(0), UTC)
    watching = Watching(PostgresOnsetStore(house.pool, house.calendar, RULES), RULES, lambda *_: None)
    changed = [ChangedGroupDay(group, start) for group in "GHI"]
    with pytest.raises(ZeroDivisionError):
        watching.handle(changed)
    gone_over = "SELECT DISTINCT balance_group FROM imbalance.onset_days"
    assert len(house.rows(gone_over)) == groups_done
    watching.handle(changed)
    assert len(house.rows(gone_over)) == 3
    done = len(calls)
    watching.handle(changed)
    assert len(calls) == done


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
        [ChangedGroupDay("nobody", datetime.fromtimestamp(watch.house.day_start(0), UTC)), "not a day"]
    )
    assert watch.counted == []


def test_the_reader_sees_the_views(watch: Watch, as_reader: Callable[[str], Sequence[Any]]) -> None:
    watch.hear({**dict.fromkeys(range(10), 0), 10: 3000})
    watch.follow(*range(11))
    assert as_reader("SELECT state FROM imbalance.v_group_onsets") == [("OPEN",)]
    assert as_reader("SELECT state FROM imbalance.v_group_hour_alarms") == [("OPEN",)]
