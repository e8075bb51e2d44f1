"""From readings and the register to group-days, on a real database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from balance_imbalance.domain.rules import ALGORITHM_VERSION
from balance_kernel.quantity import Resource
from balance_schemas import avsc, catalogue
from balance_schemas.codec import Codec

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

MISSING, SUSPECT = 5, 4


def furnish(house: House, days: int = 4) -> None:
    """Group G of supply S and members A, B over some days, all heard; group H of T and C."""
    house.describe(
        *(house.meter_of(point) for point in "SABTC"),
        house.group_of("G", ["S"], ["A", "B"]),
        house.group_of("H", ["T"], ["C"]),
    )
    for day in range(days):
        house.hear(
            *(house.reading(p, day, v) for p, v in (("S", 300), ("A", 100), ("B", 200), ("T", 50), ("C", 50)))
        )
    house.settle()
    house.published()


def test_a_day_is_computed_and_published(house: House) -> None:
    house.describe(house.meter_of("S"), house.meter_of("A"), house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("S", 0, 310), house.reading("A", 0, 300))
    assert house.settle() == {("G", 0)}
    (row,) = house.days("G").values()
    assert (row["supply"], row["members"], row["imbalance"]) == (7440, 7200, 240)
    assert (row["coverage"], row["verdict"], row["unit"], row["version"]) == (
        "COMPLETE",
        "LOSS",
        "MILLILITRE",
        1,
    )
    assert row["relative_imbalance"] == pytest.approx(240 / 7440)
    (message,) = house.published().values()
    assert message["day"]["imbalance"] == 240
    assert [hour["supply"] for hour in message["hours"]] == [310] * 24
    assert (message["previous"], message["unit"]) == (None, "MILLILITRE")


def test_a_late_day_recomputes_what_it_touches_and_publishes_old_and_new(house: House) -> None:
    """B is silent on days 4 and 6 and heard on 5: its past of day 2 counts on both, and nowhere else."""
    furnish(house, days=2)
    for day in range(2, 8):
        house.hear(
            house.reading("S", day, 300),
            house.reading("A", day, 100),
            house.reading("T", day, 50),
            house.reading("C", day, 50),
        )
        if day not in (2, 4, 6):
            house.hear(house.reading("B", day, 200))
    house.settle()
    before = house.published()
    assert before["G", 4]["missing_usage_points"] == ["B"]
    house.hear(house.reading("B", 2, 260), backlog=True)
    assert house.settle() == {("G", 2), ("G", 4), ("G", 6)}
    after = house.published()
    assert set(after) == {("G", 2), ("G", 4), ("G", 6)}
    for key, message in after.items():
        assert message["version"] == before[key]["version"] + 1
        assert message["previous"]["members"] == before[key]["day"]["members"]
        assert message["previous"]["coverage"] == before[key]["day"]["coverage"]
        assert message["day"]["members"] != message["previous"]["members"]
    assert after["G", 2]["day"]["coverage"] == "COMPLETE"


def test_the_past_counts_for_28_days_and_no_more(house: House) -> None:
    """Across the change of clocks, on day 28: the 28th day after starts 27 days and 23 hours later."""
    furnish(house, days=4)
    for day in range(4, 31):
        house.hear(house.reading("S", day, 300), house.reading("A", day, 100))
    house.settle()
    house.hear(house.reading("B", 0, 280, version=2))
    assert house.settle() == {("G", 0), *(("G", day) for day in range(4, 29))}
    assert house.days("G")[28]["members"] == 23 * (100 + 220)
    assert house.days("G")[29]["members"] == 24 * (100 + 100), "like A: three days of its own are too few"


def test_readings_told_again_change_nothing(house: House) -> None:
    furnish(house)
    assert house.hear(house.reading("A", 1, 100)) == 0
    assert house.hear(house.reading("A", 1, 999, version=0)) == 0
    assert house.hear(house.reading("A", 1, 100, version=7)) == 0
    assert house.hear(house.reading("A", 1, 101, version=7)) == 0
    assert house.settle() == set()
    assert house.hear(house.reading("A", 1, 102, version=8), house.reading("A", 1, 103, version=9)) == 1
    assert house.settle() == {("G", 1)}
    assert house.days("G")[1]["members"] == 24 * 303


def test_a_recomputation_without_a_change_publishes_nothing(house: House) -> None:
    """A and B swap what they used: other readings, the same figures."""
    furnish(house)
    house.hear(house.reading("A", 1, 200, version=2), house.reading("B", 1, 100, version=2))
    assert house.settle() == {("G", 1)}
    assert house.counted[-1] == (1, 0)
    assert house.published() == {}
    assert house.days("G")[1]["version"] == 1


def test_readings_of_a_usage_point_nobody_described_count_once_it_is(house: House) -> None:
    house.hear(
        house.reading("S", 0, 300),
        house.reading("A", 0, 300),
        house.reading("S", 1, 300),
        house.reading("A", 1, 300),
    )
    assert house.settle() == set()
    house.describe(house.group_of("G", ["S"], ["A"]))
    assert house.settle() == {("G", 0), ("G", 1)}
    assert house.days("G")[1]["imbalance"] == 0


def test_a_membership_changed_in_the_past_recomputes_its_days(house: House) -> None:
    furnish(house)
    house.describe(house.group_of("G", ["S"], {"A": (0, 9), "B": (0, 2)}, version=2))
    assert house.settle() == {("G", 2), ("G", 3)}
    days = house.days("G")
    assert [days[day]["members_due"] for day in range(4)] == [2, 2, 1, 1]
    assert set(house.published()) == {("G", 2), ("G", 3)}
    house.describe(house.group_of("G", ["S"], ["A", "B"], version=1))
    assert house.settle() == set()


def test_a_meter_changed_in_the_past_recomputes_the_days_of_its_groups(house: House) -> None:
    furnish(house)
    house.hear(house.reading("A", 4, 100), house.reading("S", 4, 300))
    house.settle()
    house.published()
    house.describe(house.meter_of("B", version=2, class_ppm=30_000))
    assert house.settle() == {("G", day) for day in range(5)}, "day 4 too, on which B is estimated"
    assert set(house.published()) == {("G", day) for day in range(5)}
    house.describe(house.meter_of("B", version=3, class_ppm=30_000))
    assert house.settle() == set()


def test_silence_is_computed_once_a_day_ended_36_hours_ago(house: House) -> None:
    furnish(house, days=2)
    house.hear(clock_day=5)
    house.settle()
    assert set(house.days("G")) == {0, 1, 2}, "day 3 ended a day before the clock, day 2 two days"
    assert house.days("G")[2]["coverage"] == "NOT_COMPUTABLE"
    assert house.days("G")[2]["missing_usage_points"] == ["A", "B", "S"]
    assert house.days("G")[2]["members"] == house.days("G")[1]["members"]


def test_days_between_readings_are_filled(house: House) -> None:
    furnish(house, days=1)
    house.hear(house.reading("S", 6, 300), clock_day=5)
    house.settle()
    assert set(house.days("G")) == {0, 1, 2, 6}
    house.hear(house.reading("A", -2, 100), backlog=True)
    house.settle()
    assert set(house.days("G")) == {-2, -1, 0, 1, 2, 6}


def test_a_group_day_that_no_longer_is_one_is_withdrawn(house: House) -> None:
    """The supply begins later, or a first day was an error: silence before the first day is none."""
    house.describe(house.group_of("G", ["S"], {"A": (-9, 9)}))
    house.hear(house.reading("A", -1, 100), house.reading("S", 3, 300), clock_day=6)
    house.settle()
    assert set(house.days("G")) == {-1, 0, 1, 2, 3}
    house.published()
    house.hear(house.reading("A", -1, 0, version=2, qualities=[MISSING] * 24))
    house.settle()
    assert set(house.days("G")) == {3}
    messages = house.published()
    assert messages.pop(("G", 3))["day"]["members"] == 0, "it was estimated from the day withdrawn"
    assert set(messages) == {("G", -1), ("G", 0), ("G", 1), ("G", 2)}
    assert {m["day"]["coverage"] for m in messages.values()} == {"NOT_COMPUTABLE"}
    assert {m["day"]["members_due"] for m in messages.values()} == {0}
    house.hear(house.reading("A", -1, 70, version=3))
    house.settle()
    assert set(house.days("G")) == {-1, 0, 1, 2, 3}
    assert house.days("G")[-1]["version"] == 3
    house.describe(replace(house.group_of("G", [], []), version=9))
    house.settle()
    assert house.days("G") == {}


def test_silence_before_a_first_day_that_fell_is_withdrawn_whoever_was_silent(house: House) -> None:
    """A belonged to the group on its only day with readings; the silence after it was that of S."""
    house.describe(house.group_of("G", ["S"], {"A": (-1, 0), "B": (3, 9)}))
    house.hear(house.reading("A", -1, 100), house.reading("S", 3, 300), clock_day=6)
    house.settle()
    assert set(house.days("G")) == {-1, 0, 1, 2, 3}
    house.hear(house.reading("A", -1, 0, version=2, qualities=[MISSING] * 24))
    house.settle()
    assert set(house.days("G")) == {3}


def test_a_gap_between_memberships_has_no_days_until_it_is_closed(house: House) -> None:
    house.describe(house.group_of("G", [], {"A": (0, 1)}))
    house.hear(house.reading("A", 0, 100), clock_day=6)
    house.settle()
    assert set(house.days("G")) == {0}
    house.describe(house.group_of("G", [], {"A": (0, 1), "B": (2, 9)}, version=2))
    house.settle()
    assert set(house.days("G")) == {0, 2, 3}
    house.describe(house.group_of("G", [], {"A": (0, 1)}, version=3))
    house.settle()
    assert set(house.days("G")) == {0}


def test_a_day_of_suspect_hours_is_a_reading_day(house: House) -> None:
    house.describe(house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("A", 0, 0, qualities=[SUSPECT] * 24))
    house.settle()
    assert house.days("G")[0]["missing_usage_points"] == ["A", "S"]


def test_other_settings_mark_everything_and_publish_what_differs(house: House) -> None:
    furnish(house)
    house.rules = replace(house.rules, unreliable_share=0.5)
    assert house.settle() == {(group, day) for group in "GH" for day in range(4)}
    assert house.published() == {}
    assert {row["settings_hash"] for row in house.days("G").values()} == {house.rules.settings_hash}
    assert house.settle() == set()
    house.rules = replace(house.rules, in_service_factor=2.0)
    house.settle()
    assert len(house.published()) == 8


def test_a_result_of_a_higher_algorithm_version_stays(house: House) -> None:
    furnish(house)
    later = ALGORITHM_VERSION + 1
    house.rows("UPDATE imbalance.group_days SET algorithm_version = %s RETURNING 1", later)
    house.hear(house.reading("A", 1, 777, version=2))
    house.settle()
    assert house.days("G")[1]["members"] == 7200
    assert house.days("G")[1]["algorithm_version"] == later
    assert house.published() == {}


def test_the_reader_reads_the_views_and_nothing_else(
    house: House, as_reader: Callable[[str], Sequence[Any]]
) -> None:
    furnish(house)
    bound = f"WHERE day_start < to_timestamp({house.day_start(2)})"
    assert as_reader(f"SELECT count(*) FROM imbalance.v_group_days {bound}") == [(4,)]
    assert as_reader(f"SELECT count(*), min(start_at) FROM imbalance.v_group_hours {bound}") == [
        (96, datetime.fromtimestamp(house.day_start(0), UTC))
    ]
    relations = house.rows(
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'imbalance'::regnamespace "
        "AND relkind IN ('r', 'p', 'v', 'S')"
    )
    refused = [row["relname"] for row in relations if row["relkind"] != "v"]
    assert {"reading_days", "group_days", "groups", "usage_points", "markers", "outbox"} < set(refused)
    for relation in refused:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_reader(f"SELECT * FROM imbalance.{relation}")


def test_every_view_and_column_is_explained(house: House) -> None:
    silent = house.rows(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
        "WHERE c.relnamespace = 'imbalance'::regnamespace AND c.relkind = 'v' AND a.attnum >= 0 "
        "AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
    )
    assert silent == []
    views = house.rows("SELECT table_name FROM information_schema.views WHERE table_schema = 'imbalance'")
    assert {"v_group_days", "v_group_hours"} <= {row["table_name"] for row in views}


def test_a_record_names_some_of_a_great_many_missing_and_the_view_all(house: House) -> None:
    house.describe(house.meter_of("S"), house.meter_of("A"), house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("S", 0, 10), house.reading("A", 0, 10))
    house.compute()
    house.rows(
        "WITH many AS (INSERT INTO imbalance.usage_points (usage_point_id) "
        "SELECT 'UP-' || lpad(n::text, 61, '0') FROM generate_series(1, 20000) AS n RETURNING usage_point) "
        "UPDATE imbalance.group_days SET missing = ARRAY(SELECT usage_point FROM many), "
        "unmetered = ARRAY(SELECT usage_point FROM many LIMIT 5001) RETURNING 1"
    )
    value = house.published()["G", 0]
    assert [len(value[name]) for name in ("missing_usage_points", "unmetered_usage_points")] == [5000, 5000]
    assert (value["missing_not_listed"], value["unmetered_not_listed"]) == (15_000, 1)
    assert value["missing_usage_points"][:2] == [f"UP-{n:061}" for n in (1, 2)]
    codec = Codec({name: n for n, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
    limit = catalogue.load().topics[catalogue.IMBALANCE].max_message_bytes
    assert len(codec.encode("balance.v1.GroupDayComputed", value)) < limit
    assert len(house.days("G")[0]["missing_usage_points"]) == 20_000


def test_the_views_know_every_resource_and_unit(house: House) -> None:
    query = "SELECT imbalance.resource_name(%s::int) AS resource, imbalance.unit_name(%s::int) AS unit"
    named = [house.rows(query, resource.code, resource.code)[0] for resource in Resource]
    expected = [{"resource": each.value, "unit": each.unit.value} for each in Resource]
    assert named == expected


def test_a_panel_that_bounds_the_day_reads_that_days_partition_alone(house: House) -> None:
    house.describe(house.group_of("G", ["S"], ["A"]))
    house.hear(house.reading("S", 0, 300), house.reading("S", 40, 300))
    house.settle()
    plan = house.rows(
        "EXPLAIN SELECT * FROM imbalance.v_group_hours "
        "WHERE day_start >= '2026-03-01' AND day_start < '2026-03-20'"
    )
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "group_days_2026_03" in text
    assert "group_days_2026_04" not in text
