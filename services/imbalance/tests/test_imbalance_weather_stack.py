"""Weather in the database: what stands, what is read of it, what depends on it, and what is shown."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from balance_imbalance.adapters.postgres_weather import (
    PostgresWeatherMarks,
    PostgresWeatherStore,
    read_weather,
)
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.messages import ReadingDay, UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_imbalance.handlers import Computing, MarkingWeather, handle_weather
from balance_kernel.quantity import Quality, Resource

pytestmark = pytest.mark.stack

LOGGER, SERVICE, FILE = WeatherKind.LOGGER, WeatherKind.SERVICE, WeatherKind.FILE
TOWN, STREET, OTHER = ("Town",), ("Town", "Street"), ("Other",)

PATIENCE_S = 30.0


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"expected {what} within {PATIENCE_S:.0f} s"
        time.sleep(0.01)


def waits_for_a_lock(house: Any) -> bool:
    """Whether some connection to this database waits for a lock of another."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(house.rows(query))


class WeatherHouse:
    """A house with weather."""

    def __init__(self, house: Any) -> None:
        self.house = house
        self.marked: list[int] = []

    def tell(
        self,
        path: tuple[str, ...],
        day: int,
        values: int | Sequence[int | None] | None,
        version: int = 1,
        kind: WeatherKind = FILE,
        name: str = "f",
    ) -> int:
        """A weather day; one value stands for all hours. How many changed."""
        hours = self.house.calendar.hours(self.instant(day))
        told = values if isinstance(values, Sequence) else [values] * hours
        report = WeatherReport(WeatherDay(path, kind, name, self.house.day_start(day), told), version, 0)
        return handle_weather([report], PostgresWeatherStore(self.house.pool))

    def point(
        self,
        name: str,
        resource: Resource = Resource.GAS,
        path: tuple[str, ...] = STREET,
        outdoor: bool = False,
        version: int = 1,
    ) -> UsagePoint:
        """A described usage point."""
        meters = [Meter(0, FOREVER, 15_000, 10)]
        return UsagePoint(name, version, meters, resource=resource, object_path=path, is_outdoor=outdoor)

    def mark(self) -> set[tuple[str, int]]:
        """Mark what depends on changed weather; what was marked, forgotten again."""
        marks = PostgresWeatherMarks(self.house.pool, self.house.calendar, 28, (), self.marked.append)
        step = MarkingWeather(marks)
        while step.step():
            pass
        rows = self.house.rows(
            "WITH gone AS (DELETE FROM imbalance.markers RETURNING subject_id, day_start) "
            "SELECT group_id, day_start FROM gone g JOIN imbalance.groups b ON b.balance_group = g.subject_id"
        )
        return {(row["group_id"], self.number(row["day_start"])) for row in rows}

    def temperatures(self, path: tuple[str, ...], day: int) -> Sequence[int | None]:
        """Read at one object on one day."""
        with self.house.pool.connection() as conn:
            weather = read_weather(conn, [path], [self.instant(day)])
        hours = self.house.calendar.hours(self.instant(day))
        return weather.temperatures(path, self.house.day_start(day), hours)

    def shown(self, path: tuple[str, ...]) -> Mapping[int, Mapping[str, Any]]:
        """Rows of the view of one object, by number of the day."""
        rows = self.house.rows(
            "SELECT * FROM imbalance.v_weather WHERE object_path = %s ORDER BY day_start", list(path)
        )
        return {self.number(row["day_start"]): row for row in rows}

    def instant(self, day: int) -> datetime:
        return datetime.fromtimestamp(self.house.day_start(day), UTC)

    def number(self, instant: datetime) -> int:
        first = self.house.calendar.date_of(self.instant(0))
        return int((self.house.calendar.date_of(instant) - first).days)


@pytest.fixture
def at(house: Any) -> WeatherHouse:
    """A house without weather."""
    with house.pool.connection() as conn:
        conn.execute(
            "TRUNCATE imbalance.weather_sources, imbalance.weather_days, imbalance.weather_changes "
            "RESTART IDENTITY CASCADE"
        )
        conn.execute("UPDATE imbalance.rules_in_force SET heating_base = 16000")
    return WeatherHouse(house)


def outdoor_reading(at: WeatherHouse, point: str, day: int, *values: int, **given: Any) -> ReadingDay:
    hours = at.house.calendar.hours(at.instant(day))
    reading: ReadingDay = at.house.reading(
        point, day, [*values, *[values[-1]] * (hours - len(values))], **given
    )
    return reading


def test_the_greatest_version_stands_and_equal_values_are_no_change(at: WeatherHouse) -> None:
    assert at.tell(TOWN, 1, 5_000, version=2) == 1
    assert at.tell(TOWN, 1, 9_000, version=1) == 0
    assert at.tell(TOWN, 1, 5_000, version=3) == 0
    assert at.temperatures(STREET, 1) == [5_000] * 24
    assert at.tell(TOWN, 1, 9_000, version=3) == 0
    assert at.tell(TOWN, 1, None, version=4) == 1
    assert at.temperatures(STREET, 1) == [None] * 24
    assert at.house.rows("SELECT count(*) AS n FROM imbalance.weather_changes")[0]["n"] == 2


def test_it_is_read_for_an_object_from_all_above_it(at: WeatherHouse) -> None:
    at.tell((), 1, 1_000)
    at.tell(TOWN, 1, [2_000, None, 85_000, *[2_000] * 21])
    at.tell(OTHER, 1, 3_000)
    at.tell(TOWN, 2, 4_000)
    assert at.temperatures(STREET, 1) == [2_000, 1_000, 1_000, *[2_000] * 21]
    assert at.temperatures((), 1) == [1_000] * 24
    assert at.temperatures(("Elsewhere",), 2) == [None] * 24


def test_an_outdoor_thermometer_is_the_logger_of_its_object(at: WeatherHouse) -> None:
    at.tell(STREET, 1, 1_000, kind=LOGGER, name="T-0")
    at.tell(STREET, 1, 2_000, kind=LOGGER, name="T-1")
    at.tell(STREET, 1, 3_000, kind=LOGGER, name="T-2")
    at.house.describe(at.point("T-1", Resource.TEMPERATURE, STREET, outdoor=True))
    codes = [Quality.VALID.code, Quality.EDITED.code, Quality.ESTIMATED.code, Quality.SUSPECT.code]
    qualities = codes + [Quality.VALID.code] * 20
    at.house.hear(outdoor_reading(at, "T-1", 1, 10, 11, 12, 13, 85_000, 15, qualities=qualities))
    assert at.temperatures(STREET, 1) == [1_000] * 24
    at.tell(STREET, 1, None, version=2, kind=LOGGER, name="T-0")
    assert at.temperatures(STREET, 1) == [10, 11, 2_000, 2_000, 2_000, *[15] * 19]
    assert at.temperatures(TOWN, 1) == [None] * 24


@pytest.mark.parametrize(
    ("resource", "outdoor"), [(Resource.TEMPERATURE, False), (Resource.SENSOR, True), (Resource.GAS, True)]
)
def test_other_usage_points_tell_no_weather(at: WeatherHouse, resource: Resource, outdoor: bool) -> None:
    at.house.describe(at.point("T-1", resource, STREET, outdoor))
    at.house.hear(outdoor_reading(at, "T-1", 1, 10))
    assert at.temperatures(STREET, 1) == [None] * 24
    assert at.mark() == set()
    assert at.shown(STREET) == {}


def grouped(at: WeatherHouse, resource: Resource = Resource.GAS) -> None:
    """A group with a supply and two members; the second member has read day 2 alone, the others days 1 to
    40.
    """
    group = replace(at.house.group_of("G", ["S"], ["A", "B"]), resource=resource)
    elsewhere = at.house.group_of("E", ["SE"], ["AE"])
    at.house.describe(
        *(at.point(name, resource) for name in ("S", "A", "B")),
        *(at.point(name, Resource.GAS, OTHER) for name in ("SE", "AE")),
        group,
        elsewhere,
    )
    for day in range(1, 41):
        heard = ["S", "A", "SE", "AE", *(["B"] if day == 2 else [])]
        at.house.hear(*(at.house.reading(point, day, 100) for point in heard), clock_day=day + 1)
    at.house.settle()


def test_group_days_that_depend_on_it_are_marked_and_no_others(at: WeatherHouse) -> None:
    grouped(at)
    assert at.mark() == set()
    at.tell(TOWN, 4, 1_000)
    assert at.mark() == {("G", day) for day in range(4, 33)}
    assert sum(at.marked) == 29
    at.tell(TOWN, 2, 1_000)
    # Day 2 itself is of a group of gas: its base conditions; on day 2 nobody is missing.
    assert at.mark() == {("G", day) for day in range(2, 31)}
    at.tell(OTHER, 5, 1_000)
    assert at.mark() == {("E", 5)}
    at.tell((), 40, 1_000)
    assert at.mark() == {("G", 40), ("E", 40)}
    at.tell(("Nowhere",), 5, 1_000)
    at.tell((*STREET, "5"), 5, 1_000)
    assert at.mark() == set()


def test_what_did_not_change_marks_nothing(at: WeatherHouse) -> None:
    grouped(at)
    at.tell(TOWN, 4, 1_000)
    at.mark()
    at.tell(TOWN, 4, 1_000, version=2)
    at.tell(TOWN, 4, 2_000, version=1)
    assert at.mark() == set()


def test_heat_depends_on_it_by_estimates_alone_and_water_not_at_all(at: WeatherHouse) -> None:
    grouped(at, Resource.HEAT)
    at.tell(TOWN, 2, 1_000)
    assert at.mark() == {("G", day) for day in range(3, 31)}
    at.house.empty()
    grouped(at, Resource.WATER)
    at.tell(TOWN, 2, 1_000)
    assert at.mark() == set()


def test_a_long_file_marks_each_group_day_once(at: WeatherHouse) -> None:
    grouped(at)
    for day in range(41):
        at.tell(TOWN, day, 1_000)
    assert at.mark() == {("G", day) for day in range(1, 41)}
    assert at.house.rows("SELECT count(*) AS n FROM imbalance.weather_changes")[0]["n"] == 0


def test_a_reading_of_an_outdoor_thermometer_marks(at: WeatherHouse) -> None:
    grouped(at)
    at.house.describe(at.point("T-1", Resource.TEMPERATURE, TOWN, outdoor=True))
    at.mark()
    at.house.hear(outdoor_reading(at, "T-1", 40, 5_000))
    assert at.mark() == {("G", 40)}
    at.house.hear(outdoor_reading(at, "T-1", 40, 5_000, version=2))
    assert at.mark() == set()


def test_a_thermometer_that_was_silent_for_long_marks_the_days_that_it_read(at: WeatherHouse) -> None:
    grouped(at)
    days = [*range(3), *range(20, 30)]
    at.house.hear(*(outdoor_reading(at, "T-1", day, 5_000) for day in days))
    at.house.settle()
    at.house.describe(at.point("T-1", Resource.TEMPERATURE, TOWN, outdoor=True))
    spans = at.house.rows("SELECT first_day, last_day FROM imbalance.weather_changes ORDER BY 1")
    assert {at.number(row["first_day"]) for row in spans} == {0, 20, 29}, "the clocks change on day 28"
    assert {at.number(row["last_day"]) for row in spans} == {2, 28, 29}


def test_a_thermometer_designated_moved_and_no_longer_outdoor_marks_the_days_that_it_read(
    at: WeatherHouse,
) -> None:
    grouped(at)
    at.house.hear(outdoor_reading(at, "T-1", 39, 5_000), outdoor_reading(at, "T-1", 40, 5_000))
    at.house.settle()
    assert at.mark() == set()
    marked = []
    for version, (path, outdoor) in enumerate(
        [(TOWN, True), (TOWN, True), (OTHER, True), (OTHER, False), (TOWN, False)], start=1
    ):
        at.house.describe(at.point("T-1", Resource.TEMPERATURE, path, outdoor, version))
        marked.append(at.mark())
    here, there = {("G", 39), ("G", 40)}, {("E", 39), ("E", 40)}
    assert marked == [here, set(), here | there, there, set()]


def test_weather_stored_while_a_day_is_estimated_in_it_marks_that_day(at: WeatherHouse) -> None:
    """The worker has read the weather and not yet said that day 41 depends on it, when that changes."""
    house = at.house
    grouped(at, Resource.HEAT)
    house.hear(house.reading("S", 41, 300), house.reading("A", 41, 100), clock_day=42)
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")
    with ThreadPoolExecutor(1) as threads:
        marking = []

        def changed_meanwhile(_computed: int, changed: int) -> None:
            """Called by the worker after it wrote, before it commits."""
            assert changed == 1
            at.tell(TOWN, 41, 1_000)
            marking.append(threads.submit(at.mark))
            until(lambda: waits_for_a_lock(house), "the marking of weather to wait for the worker")

        Computing(house.store, house.rules, house.calendar, 400, changed_meanwhile).step()
        assert marking[0].result(PATIENCE_S) == {("G", 41)}


def test_a_day_is_shown_with_its_sources_and_gaps(at: WeatherHouse) -> None:
    at.tell((), 1, [1_000, 1_001, *[None] * 22], name="country")
    at.tell(TOWN, 1, [None] * 2 + [-2_000] * 20 + [None, 85_000], kind=SERVICE, name="s")
    at.tell(TOWN, 2, [3_000] * 18 + [None] * 6)
    at.tell(TOWN, 4, [3_000] * 17 + [None] * 7)
    days = at.shown(TOWN)
    assert [(n, day["coverage"], day["hours_known"], day["mean"]) for n, day in days.items()] == [
        (1, "PARTIAL", 22, -1_727),
        (2, "PARTIAL", 18, 3_000),
        (3, "NONE", 0, None),
        (4, "INSUFFICIENT", 17, None),
    ]
    first = days[1]
    assert first["temperatures"] == [1_000, 1_001, *[-2_000] * 20, None, None]
    assert (first["gaps"], first["degree_days"], first["hours"]) == ([22, 23], 17_727, 24)
    assert (first["source"], first["sources"]) == ("SERVICE s at Town", ["FILE country", "SERVICE s at Town"])
    assert (days[3]["source"], days[3]["sources"], days[3]["gaps"]) == (None, [], list(range(24)))
    assert [day["coverage"] for day in at.shown(()).values()] == ["INSUFFICIENT"]


def test_a_day_of_23_hours_is_shown_as_such(at: WeatherHouse) -> None:
    at.tell(TOWN, 28, 20_000)
    at.tell(TOWN, 27, 20_000)
    assert [(day["hours"], day["coverage"], day["degree_days"]) for day in at.shown(TOWN).values()] == [
        (24, "COMPLETE", 0),
        (23, "COMPLETE", 0),
    ]


def test_a_bounded_query_is_quick_whatever_days_there_are(at: WeatherHouse) -> None:
    """A day at each end of time is inherited by a hundred streets: each has 100,000 days then."""
    store = PostgresWeatherStore(at.house.pool)
    ends = [at.house.calendar.start_of(date(year, 1, 1)) for year in (1926, 2199)]
    told: list[tuple[tuple[str, ...], int]] = [((), int(end.timestamp())) for end in ends]
    told += [((*TOWN, f"{n}"), at.house.day_start(day)) for n in range(100) for day in range(5)]
    store.store(
        [WeatherReport(WeatherDay(path, FILE, "f", start, (1_000,) * 24), 1, 0) for path, start in told]
    )
    with at.house.pool.connection() as conn:
        conn.execute("SET LOCAL statement_timeout = '3s'")
        rows = conn.execute(
            "SELECT coverage, count(*) FROM imbalance.v_weather WHERE day_start BETWEEN %s AND %s GROUP BY 1",
            [at.instant(4), at.instant(5)],
        )
        assert dict(rows.fetchall()) == {"COMPLETE": 100, "NONE": 102}


def test_the_view_says_what_is_computed_with(at: WeatherHouse) -> None:
    """By chance: view and domain agree on every hour and day of every object."""
    rng = random.Random(5)
    paths = [(), TOWN, STREET, OTHER]
    at.house.describe(at.point("T-1", Resource.TEMPERATURE, STREET, outdoor=True))
    for day in range(26, 31):
        hours = at.house.calendar.hours(at.instant(day))
        for path in paths:
            for kind in (LOGGER, SERVICE, FILE):
                for name in ("b", "B", "é"):
                    if rng.random() < 0.25:
                        values = [
                            rng.choice((None, None, rng.randrange(-90_000, 90_000))) for _ in range(hours)
                        ]
                        at.tell(path, day, values, kind=kind, name=name)
        qualities = [rng.choice((1, 2, 3, 4)) for _ in range(hours)]
        values = [rng.randrange(-9_000, 9_000) for _ in range(hours)]
        at.house.hear(at.house.reading("T-1", day, values, qualities=qualities))
    instants = [at.instant(day) for day in range(20, 40)]
    with at.house.pool.connection() as conn:
        weather = read_weather(conn, paths, instants, 16_000)
    compared = 0
    for path in paths:
        for number, row in at.shown(path).items():
            key = path, at.house.day_start(number), row["hours"]
            known = weather.by_hour(*key)
            assert row["temperatures"] == [hour and hour.temperature for hour in known]
            assert (row["mean"], row["degree_days"]) == (weather.mean(*key), weather.degree_days(*key))
            told = [hour.told_by for hour in known if hour]
            assert len(row["sources"]) == len({(one.object_path, one.kind, one.name) for one in told})
            compared += 1
    assert compared >= 15


def test_the_heating_base_of_the_settings_is_shown(at: WeatherHouse) -> None:
    at.tell(TOWN, 1, 10_000)
    at.house.rules = replace(at.house.rules, heating_base=18_000)
    at.house.store.put_rules_in_force(InadequacyRules())
    assert [(day["heating_base"], day["degree_days"]) for day in at.shown(TOWN).values()] == [(18_000, 8_000)]


def test_readers_may_see_it(at: WeatherHouse, as_reader: Callable[[str], Sequence[Any]]) -> None:
    at.tell(TOWN, 1, 10_000)
    assert as_reader("SELECT mean FROM imbalance.v_weather WHERE day_start > '2020-01-01'") == [(10_000,)]


def test_estimates_follow_the_weather(at: WeatherHouse) -> None:
    """B used 100 Wh an hour and 10 more for each degree-day on its past days; day 40 is colder than any."""
    house = at.house
    points = [at.point(name, Resource.HEAT) for name in ("S", "A", "B")]
    house.describe(*points, replace(house.group_of("G", ["S"], ["A", "B"]), resource=Resource.HEAT))
    for day in range(30, 40):
        others = (house.reading(point, day, 100) for point in ("S", "A"))
        house.hear(house.reading("B", day, 100 + 10 * (day - 30)), *others, clock_day=day + 1)
    house.hear(house.reading("S", 40, 1_000), house.reading("A", 40, 100), clock_day=41)
    house.settle()
    usual = house.days("G")[40]["members"]
    for day in range(30, 40):
        at.tell(TOWN, day, 16_000 - 1_000 * (day - 30))
    at.tell(TOWN, 40, -4_000)
    assert PostgresWeatherMarks(house.pool, house.calendar, 28).mark() == 11
    assert house.settle() == {("G", 40)}
    assert usual == 24 * (100 + 145)
    assert house.days("G")[40]["members"] == 24 * 100 + 24 * 300
