"""The ready scenarios on real data: figures that are known, dirt that stays out, days of 25 hours.

Every table is also compared with the batch oracle, value for value.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import balance_oracle
import psycopg
import pytest
from balance_chaos import outcome, views
from balance_local import replay, screen
from balance_local.replay import Options, Replayed

pytestmark = pytest.mark.stack

MONTHS = {  # imbalance and inflow of L-TOWN area C in 2019, m³, summed from the file
    1: (6394.0, 19627.5),
    2: (8069.3, 19991.5),
    3: (10238.7, 23395.9),
    4: (9915.5, 22710.9),
    5: (10244.0, 23452.4),
    6: (10231.7, 22975.3),
    7: (12501.5, 25732.7),
    8: (15311.0, 28476.1),
    9: (15070.6, 27856.1),
    10: (15588.0, 28821.6),
    11: (15078.2, 27806.5),
    12: (15593.0, 28817.2),
}
TWO_DEVICES, FALLS, JUMPS = "u50_9348c9bb", "u08_12913a45", "u14_1de2cf65"
JITTER = {
    "u18_219ffd09": ("2016-07-18 02:16", "2016-07-22 02:23"),
    FALLS: ("2016-03-09 05:25", "2016-03-10 17:27"),
}
"""UTC minutes at which a register stood one litre lower than the reading before."""


@contextmanager
def played(name: str) -> Iterator[Replayed]:
    done = replay.run(replay.load(name), screen.here(), Options(name=f"real_{name.replace('-', '_')}"))
    try:
        _equals_the_oracle(done)
        yield done
    finally:
        done.place.drop()


def _equals_the_oracle(done: Replayed) -> None:
    zone = done.place.description.zone
    tables = balance_oracle.compute(done.book.packets, done.book.usage_points, done.book.groups, zone=zone)
    assert not outcome.differences(outcome.expected(tables), views.from_views(done.place))


def rows(done: Replayed, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(done.place.dsn) as connection:
        return connection.execute(query, parameters).fetchall()


@pytest.fixture(scope="module")
def year() -> Iterator[Replayed]:
    with played("ltown-year") as done:
        yield done


def test_a_year_of_l_town_has_the_known_months(year: Replayed) -> None:
    (span,) = year.spans
    assert [month.month.month for month in span.months] == list(MONTHS)
    for month in span.months:
        imbalance, inflow = MONTHS[month.month.month]
        assert month.imbalance is not None
        assert month.supply is not None
        assert month.imbalance / 1e6 == pytest.approx(imbalance, rel=1e-3)
        assert month.supply / 1e6 == pytest.approx(inflow, rel=1e-3)
        assert month.verdict == "LOSS"


def test_a_year_of_l_town_shows_both_leaks_as_onsets_and_the_burst_as_an_alarm(year: Replayed) -> None:
    """p280 bursts 2019-02-10 13:05, p277 grows from 05-30 to 08-11; p257 is there from hour one."""
    found = rows(
        year,
        "select (alarmed_day at time zone 'UTC')::date::text, (since_day at time zone 'UTC')::date::text,"
        " side, state, size_per_hour from imbalance.v_group_onsets order by alarmed_day",
    )
    alarmed = [day for day, *_ in found]
    assert alarmed == ["2019-02-10", "2019-06-12", "2019-07-20", "2019-08-24"]
    assert {(side, state) for _, _, side, state, _ in found} == {("RISE", "OPEN")}
    assert found[0][1] == "2019-02-10"
    assert found[0][4] / 1e6 == pytest.approx(5.2, abs=0.1)
    assert found[1][1] > "2019-05-30"
    alarms = rows(
        year, "select start_at, confirmed_at, hours_above, excess_per_hour from imbalance.v_group_hour_alarms"
    )
    ((start, confirmed, hours, excess),) = alarms
    assert (start, confirmed) == (
        datetime(2019, 2, 10, 13, tzinfo=UTC),
        datetime(2019, 2, 10, 15, tzinfo=UTC),
    )
    assert (hours, excess / 1e6) == (11, pytest.approx(5.2, abs=0.2))


def test_the_loss_of_l_town_that_was_always_there_shows_at_night(year: Replayed) -> None:
    """Before the burst 32.6 % of the inflow are lost, and 48.9 % in the hours 02:00 to 04:00."""
    ((share, night_share),) = rows(
        year,
        "select sum(imbalance) / sum(supply), sum(night_imbalance) / sum(night_supply)"
        " from imbalance.v_group_days where day_start >= '2019-01-07' and day_start < '2019-02-10'",
    )
    assert float(share) == pytest.approx(0.326, abs=0.001)
    assert float(night_share) == pytest.approx(0.489, abs=0.002)


def test_82_meters_of_l_town_show_the_burst_of_10_february() -> None:
    with played("ltown-meters") as done:
        (span,) = done.spans
        assert (len(span.days), span.figures.members_due, span.missing) == (30, 82, [])
        days = rows(done, "select day_start, imbalance from imbalance.v_group_days order by day_start")
        assert len(days) == 42
        flow = {day.date().isoformat(): imbalance / 24e6 for day, imbalance in days}
        assert flow["2019-02-12"] - flow["2019-02-05"] == pytest.approx(5.2, abs=0.3)
        _, february, _ = span.months
        assert february.imbalance is not None
        assert february.imbalance / 1e6 == pytest.approx(MONTHS[2][0], rel=1e-3)


@pytest.fixture(scope="module")
def dirty() -> Iterator[Replayed]:
    with played("daiad-raw") as done:
        yield done


def test_dirty_registers_leave_no_negative_and_no_giant_hour(dirty: Replayed) -> None:
    hours = rows(dirty, "select members from imbalance.v_group_hours")
    assert len(hours) > 7000
    assert min(members for (members,) in hours) >= 0
    values = rows(dirty, "select value, quality from ingest.v_readings where value is not null")
    assert min(value for value, _ in values) >= 0
    assert max(value for value, _ in values) <= 3_125_000 + 1_000
    assert not [quality for _, quality in values if quality not in ("VALID", "ESTIMATED")]
    assert max(members for (members,) in hours) < 5 * 3_126_000


def test_dirty_registers_are_quarantined_with_their_reason_and_jitter_is_silent(dirty: Replayed) -> None:
    found = rows(
        dirty,
        "select usage_point_id, rule, message, interval_start_at, interval_end_at from ingest.v_findings"
        " where rule <> 'vee.missing' order by interval_start_at",
    )
    by_point = {name: [row[1] for row in found if row[0] == name] for name in {row[0] for row in found}}
    assert by_point == {
        TWO_DEVICES: ["vee.two_devices"],
        FALLS: ["vee.negative_consumption"],
        JUMPS: ["vee.negative_consumption"] * 3,
        None: ["delivery.silent_module"] * 4,  # four of the five homes end days before the file does
    }
    assert all(message for _, _, message, _, _ in found)
    suspect = rows(dirty, "select distinct usage_point_id from ingest.v_readings where quality = 'SUSPECT'")
    assert {name for (name,) in suspect} == {TWO_DEVICES, FALLS, JUMPS}
    for name, instants in JITTER.items():
        for text in instants:
            at = datetime.fromisoformat(text).replace(tzinfo=UTC)
            hour = at.replace(minute=0)
            ((quality,),) = rows(
                dirty,
                "select quality from ingest.v_readings"
                " where usage_point_id = %s and day_start > %s and day_start <= %s and start_at = %s",
                name, hour - timedelta(hours=25), hour, hour,
            )  # fmt: skip
            assert quality in ("VALID", "ESTIMATED"), (name, text)


def test_25_homes_across_the_change_of_clocks() -> None:
    with played("daiad-district") as done:
        (span,) = done.spans
        hours = rows(
            done,
            "select day_start, count(*), sum(supply)::bigint, array_agg(members_reported order by start_at)"
            " from imbalance.v_group_hours group by day_start order by day_start",
        )
        zone = ZoneInfo(done.place.description.zone)
        lengths = {row[0].astimezone(zone).date().isoformat(): row[1] for row in hours}
        assert len(lengths) == 92
        assert {day: count for day, count in lengths.items() if count != 24} == {"2016-10-30": 25}
        (change,) = [row for row in hours if row[1] == 25]
        (day,) = rows(
            done,
            "select coverage, members_due, members_reported, supply from imbalance.v_group_days"
            " where day_start = %s",
            change[0],
        )
        assert change[3][3] == 0  # the second 02:00 is not in the file: a gap of every home, not a zero
        assert min(change[3][:3] + change[3][4:]) > 20
        assert day == ("ESTIMATED", 25, 0, change[2])
        assert len(span.months) == 3
        for month in span.months:
            assert month.imbalance is not None
            assert month.supply is not None
            assert month.imbalance / month.supply == pytest.approx(0.04 / 1.04, abs=0.005)
