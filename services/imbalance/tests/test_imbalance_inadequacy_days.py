"""Inadequacy days on a real database, and what `imbalance.inadequacy` says of them (docs/domain.md §7)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from balance_chassis.markers import Markers
from balance_chassis.outbox import Outbox
from balance_imbalance.adapters.postgres_inadequacy import MarkWeather, PostgresInadequacy
from balance_imbalance.adapters.postgres_weather import PostgresWeatherMarks, PostgresWeatherStore
from balance_imbalance.adapters.publishing import Renderer
from balance_imbalance.domain.days import last_ended
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.inadequacy import InadequacyRules
from balance_imbalance.domain.messages import UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.weather import WeatherDay, WeatherKind
from balance_imbalance.domain.weather_reports import WeatherReport
from balance_imbalance.handlers import handle_weather
from balance_kernel.quantity import Resource
from balance_schemas import avsc, catalogue
from balance_schemas.codec import Codec

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

MISSING, SUSPECT = 5, 4
PATIENCE_S = 30.0
BUILDING = ("Region", "Town", "Street", "5")
RULES = InadequacyRules(least_days=5, recent_days=10, lookback_days=30)
"""A short winter: a home learns from day - 40 to day - 11."""
CODEC = Codec({name: n for n, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)


def coldness(day: int) -> int:
    """Outdoor mean of a day, -3 … +3 °C."""
    return (day * 5 % 7 - 3) * 1_000


def usual(day: int, size: int = 100) -> int:
    """Gas an hour of a home of 20 °C: 10 sizes and a size a degree."""
    return 10 * size + size * (17_000 - coldness(day)) // 1_000


@dataclass
class Block:
    """Homes of a building, each a usage point of gas with a thermometer, and the steps that judge them."""

    house: House
    rules: InadequacyRules = RULES
    versions: int = 1
    store: PostgresInadequacy = field(init=False)

    def __post_init__(self) -> None:
        self.store = PostgresInadequacy(self.house.pool, self.house.calendar, self.rules)

    def build(self, *homes: str, path: Sequence[str] = BUILDING, resource: Resource = Resource.GAS) -> None:
        """Homes at the path, each with its thermometer `<home>/t` on its module."""
        self.register(*(self.point(home, (*path, home) if path else (), resource) for home in homes))
        self.register(*(self.point(f"{home}/t", ("Region",), Resource.TEMPERATURE) for home in homes))

    def point(
        self, name: str, path: Sequence[str] = (), resource: Resource = Resource.GAS, **given: Any
    ) -> UsagePoint:
        """A usage point for ever on the module of the home; a thermometer on its channel 0."""
        self.versions += 1
        module, channel = name.removesuffix("/t"), 0 if resource is Resource.TEMPERATURE else 1
        fitting = ChannelFitting(f"M-{module}", channel, 0, FOREVER)
        meters = [Meter(0, FOREVER, 15_000, 10)]
        described = UsagePoint(name, self.versions, meters, resource, tuple(path), channels=[fitting])
        return replace(described, **given)

    def register(self, *points: UsagePoint) -> None:
        """Describe them."""
        self.house.describe(*points)

    def hear(self, home: str, day: int, gas: int | None = None, room: int = 22_000, **given: Any) -> None:
        """A day of a home; the usual gas unless told."""
        self.house.hear(
            self.house.reading(home, day, usual(day) if gas is None else gas, **given),
            self.house.reading(f"{home}/t", day, room, **given),
        )

    def weather(
        self, days: Sequence[int], shift: int = 0, path: Sequence[str] = ("Region",), version: int = 1
    ) -> None:
        """Outdoor temperature from a file, and what depends on it marked."""
        reports = []
        for day in days:
            start = self.house.day_start(day)
            hours = self.house.calendar.hours(datetime.fromtimestamp(start, UTC))
            told = WeatherDay(tuple(path), WeatherKind.FILE, "f", start, [coldness(day) + shift] * hours)
            reports.append(WeatherReport(told, version, start))
        handle_weather(reports, PostgresWeatherStore(self.house.pool))
        marks = PostgresWeatherMarks(self.house.pool, self.house.calendar, 28, [MarkWeather()])
        while marks.mark():
            pass

    def settle(self, clock_day: int) -> int:
        """Let all days before that one fall due, and compute all; gives how many rows changed."""
        clock = datetime.fromtimestamp(self.house.day_start(clock_day), UTC)
        self.store.follow_register()
        self.store.fall_due(last_ended(self.house.calendar, clock, 0))
        changed = 0
        while taken := self.store.compute(100_000, quiet_s=0):
            if not taken[0]:
                return changed
            changed += taken[1]
        return changed

    def days(self, home: str) -> Mapping[int, Mapping[str, Any]]:
        """Its rows by number of the day."""
        first = self.house.calendar.date_of(datetime.fromtimestamp(self.house.day_start(0), UTC))
        rows = self.house.rows("SELECT * FROM imbalance.v_inadequacy_days WHERE usage_point_id = %s", home)
        return {(self.house.calendar.date_of(row["day_start"]) - first).days: row for row in rows}

    def table(self, day: int, depth: int = 7, under: Sequence[str] = ()) -> Mapping[str, Mapping[str, Any]]:
        """What `imbalance.inadequacy` says at the day, by usage point, in its order."""
        rows = self.house.rows(
            "SELECT * FROM imbalance.inadequacy(%s, %s, %s::text[])", self.date(day), depth, list(under)
        )
        return {row["usage_point_id"]: row for row in rows}

    def objects(self, day: int) -> Mapping[tuple[str, ...], Mapping[str, Any]]:
        """What `imbalance.inadequacy_by_object` says."""
        rows = self.house.rows("SELECT * FROM imbalance.inadequacy_by_object(%s)", self.date(day))
        return {tuple(row["object_path"]): row for row in rows}

    def date(self, day: int) -> date:
        """Name of a day."""
        found: date = self.house.calendar.date_of(datetime.fromtimestamp(self.house.day_start(day), UTC))
        return found

    def forget(self) -> None:
        """Forget everything that the house does not."""
        for table in ("inadequacy_homes", "inadequacy_days", "inadequacy_markers", "weather_days"):
            self.house.rows(f"DELETE FROM imbalance.{table} RETURNING 1")
        self.house.rows("UPDATE imbalance.nightly SET done_to = '-infinity' RETURNING 1")
        self.store = PostgresInadequacy(self.house.pool, self.house.calendar, self.rules)

    def winter(self, homes: Sequence[str], days: range) -> None:
        """Homes that do what is usual, and the weather."""
        self.build(*homes)
        self.weather(days)
        self.hear_all(homes, days)

    def hear_all(self, homes: Sequence[str], days: Iterable[int], sizes: Sequence[int] = (100,)) -> None:
        """Days of homes in one message; sizes by turns."""
        gas = [
            self.house.reading(home, day, usual(day, sizes[n % len(sizes)]))
            for day in days
            for n, home in enumerate(homes)
        ]
        rooms = [self.house.reading(f"{home}/t", day, 22_000) for day in days for home in homes]
        self.house.hear(*gas, *rooms)


@pytest.fixture
def block(house: House) -> Block:
    """An empty building."""
    block = Block(house)
    block.forget()
    return block


def test_a_home_with_a_third_of_its_gas_and_a_warm_room_is_found(block: Block) -> None:
    """Six homes; from day 30 on one registers 30 % and another 70 % of what it used."""
    homes = ["A", "B", "C", "D", "E", "F"]
    block.winter(homes, range(30))
    block.weather(range(30, 37))
    for day in range(30, 37):
        for home, share in zip(homes, (0.3, 0.7, 1, 1, 1, 1), strict=True):
            block.hear(home, day, int(usual(day) * share))
    block.settle(37)
    table = block.table(36)
    assert list(table)[:2] == ["A", "B"]
    assert table["A"]["k_own"] == pytest.approx(0.7, abs=0.01)
    assert table["A"]["k_like_homes"] == pytest.approx(0.7, abs=0.01)
    assert table["B"]["k"] == pytest.approx(0.3, abs=0.01)
    assert [home for home, row in table.items() if row["is_flagged"]] == ["A"]
    a = table["A"]
    assert (a["reason"], a["days_used"], a["days_cold"], a["like_homes"]) == (None, 7, 7, 5)
    assert (a["indoor_c"], a["like_homes_indoor_c"], a["group_id"]) == (22.0, 22.0, None)
    assert a["outdoor_c"] == pytest.approx(sum(coldness(d) for d in range(30, 37)) / 7000, abs=0.01)
    assert a["consumed"] == sum(24 * int(usual(d) * 0.3) for d in range(30, 37))
    assert a["expected"] == pytest.approx(a["consumed"] / 0.3, rel=0.02)
    objects = block.objects(36)
    street = objects["Region", "Town", "Street"]
    assert (street["homes"], street["computable"], street["flagged"]) == (6, 6, 1)
    assert street["lacking"] == a["expected"] - a["consumed"]
    assert street["highest_k"] == a["k"]


def test_a_day_counts_or_says_why_not(block: Block) -> None:
    block.build("A")
    block.weather([1, 2, 3, 4, 5])
    block.weather([2], shift=15_000, version=2)
    block.hear("A", 0)
    block.hear("A", 1)
    block.hear("A", 2)
    block.hear("A", 3, qualities=[MISSING] * 3 + [1] * 21)
    block.hear("A", 4, room=85_000)
    block.house.hear(block.house.reading("A", 5, 100))
    block.settle(8)
    assert {day: row["state"] for day, row in block.days("A").items()} == {
        0: "NO_OUTDOOR_TEMPERATURE",
        1: "COUNTS",
        2: "NOT_COLD",
        3: "TOO_FEW_READINGS",
        4: "ABSURD_INDOOR_TEMPERATURE",
        5: "NO_INDOOR_TEMPERATURE",
    }
    one = block.days("A")[1]
    assert (one["consumed"], one["indoor"], one["outdoor"]) == (24 * usual(1), 22_000, coldness(1))
    assert (one["expected_by_own_past"], one["expected_by_like_homes"], one["like_homes"]) == (None, None, 0)


def test_rows_are_the_same_whatever_comes_first(block: Block) -> None:
    """Readings, weather, register and clock in three orders, late data of the past last."""
    homes = ["A", "B", "C", "D", "E", "F"]
    days = range(24)

    def readings(some: Sequence[int]) -> None:
        for day in some:
            for n, home in enumerate(homes):
                block.hear(home, day, usual(day, 100 + 10 * n))

    def rows() -> Sequence[Mapping[str, Any]]:
        names = ("version", "computed_at")
        found = block.house.rows(
            "SELECT * FROM imbalance.v_inadequacy_days ORDER BY usage_point_id, day_start"
        )
        return [{k: v for k, v in row.items() if k not in names} for row in found]

    def forget() -> None:
        block.house.empty()
        block.forget()

    block.build(*homes)
    block.weather(days)
    readings(days)
    block.settle(24)
    expected = rows()
    assert sum(row["expected_by_own_past"] is not None for row in expected) == 6 * 9, "from day 15 on"
    assert sum(row["expected_by_like_homes"] is not None for row in expected) == 6 * 24

    forget()
    readings(range(8, 24))
    block.settle(20)
    block.build(*homes[:4])
    block.settle(24)
    block.weather([3, *range(6, 24)])
    block.settle(24)
    readings(range(8))
    block.build(*homes[4:])
    block.settle(24)
    block.weather([0, 1, 2, 4, 5])
    block.settle(24)
    assert rows() == expected

    forget()
    block.build(*homes)
    for day in days:
        readings([day])
        if day % 5 == 0:
            block.settle(day)
    block.weather(days[::-1])
    block.settle(24)
    assert rows() == expected


def test_a_late_day_is_learned_from_and_its_building_is_judged_again(block: Block) -> None:
    homes = ["A", "B", "C", "D", "E", "F"]
    block.winter(homes, range(30))
    block.settle(30)
    before = {home: block.days(home) for home in homes}
    assert before["A"][25]["expected_by_own_past"] == pytest.approx(24 * usual(25), rel=0.01)
    block.hear("A", 10, 3 * usual(10), version=2)
    block.settle(30)
    after = {home: block.days(home) for home in homes}
    changed = {
        (home, day)
        for home in homes
        for day, row in after[home].items()
        if row["version"] != before[home][day]["version"]
    }
    assert changed == {("A", 10), *(("A", day) for day in range(21, 30))}
    block.hear("B", 10, 3 * usual(10), version=2)
    block.settle(30)
    again = {home: block.days(home) for home in homes}
    assert again["C"][10]["expected_by_like_homes"] == after["C"][10]["expected_by_like_homes"], "a median"
    block.hear("C", 10, 3 * usual(10), version=2)
    block.settle(30)
    assert block.days("D")[10]["expected_by_like_homes"] > after["D"][10]["expected_by_like_homes"]


def test_what_changed_is_published_and_nothing_else(block: Block) -> None:
    block.winter(["A"], range(2))
    block.settle(2)
    assert {message["day_start_at"] for message in published(block)} == {
        block.house.day_start(day) * 1000 for day in range(2)
    }
    block.house.rows(
        "INSERT INTO imbalance.inadequacy_markers (subject_id, day_start, lane) "
        "SELECT usage_point, day_start, 1 FROM imbalance.inadequacy_days RETURNING 1"
    )
    assert block.settle(2) == 0
    assert published(block) == []
    block.hear("A", 1, 0, version=2)
    block.settle(2)
    (message,) = published(block)
    assert (message["usage_point_id"], message["state"], message["version"]) == ("A", "COUNTS", 2)
    assert (message["consumed"], message["unit"], message["indoor_milli_c"]) == (0, "MILLILITRE", 22_000)


def published(block: Block) -> Sequence[Mapping[str, Any]]:
    """What the outbox names, rendered, decoded and forgotten."""
    outbox, render = Outbox("imbalance"), Renderer(CODEC)
    with block.house.pool.connection() as conn:
        rows = [row for row in outbox.claim(conn, 1000) if row.topic == catalogue.INADEQUACY]
        values = [CODEC.decode(outgoing.value or b"")[1] for outgoing in render(conn, rows)]
        outbox.forget(conn, rows)
    return values


def marked(block: Block) -> set[tuple[str, int]]:
    """Home and number of the day of every marker."""
    first = block.house.calendar.date_of(datetime.fromtimestamp(block.house.day_start(0), UTC))
    rows = block.house.rows(
        "SELECT usage_point_id, day_start FROM imbalance.inadequacy_markers m "
        "JOIN imbalance.usage_points u ON u.usage_point = m.subject_id"
    )
    return {
        (row["usage_point_id"], (block.house.calendar.date_of(row["day_start"]) - first).days) for row in rows
    }


def test_weather_marks_rows_that_stand_and_no_day_between(block: Block) -> None:
    """A home with three days; beside it one that was never read, and gas without a thermometer."""
    block.winter(["A"], range(3))
    block.build("silent")
    block.register(block.point("gas", (*BUILDING, "gas")))
    block.settle(3)
    block.weather(range(-20, 20), shift=1_000, path=(), version=2)
    assert marked(block) == {("A", 0), ("A", 1), ("A", 2)}
    block.settle(3)
    block.weather([0, 2, *range(-40, -20, 2)], shift=2_000, version=3)
    assert marked(block) == {("A", 0), ("A", 2)}
    block.settle(3)
    block.register(block.point("A", (*BUILDING, "A"), Resource.WATER))
    block.settle(3)
    block.weather([1], shift=3_000, version=4)
    assert marked(block) == set(), "withdrawn"


def test_weather_waits_for_who_is_about_to_write_a_row(block: Block) -> None:
    """Computed with the weather before, the row is not yet there when that changes."""
    block.winter(["A"], range(2))
    block.settle(2)
    house = block.house
    with ThreadPoolExecutor(1) as threads:
        with house.pool.connection() as conn:
            assert Markers("imbalance", "inadequacy_markers").hold(conn)
            conn.execute(
                "INSERT INTO imbalance.inadequacy_days SELECT usage_point, day_start + INTERVAL '24 hours', "
                "state, consumed, indoor, outdoor, expected_own, expected_like_homes, like_homes, "
                "like_homes_indoor, version, algorithm_version, settings_hash, computed_at "
                "FROM imbalance.inadequacy_days WHERE day_start = %s",
                [datetime.fromtimestamp(house.day_start(1), UTC)],
            )
            marking = threads.submit(block.weather, [2], 1_000)
            deadline = time.monotonic() + PATIENCE_S
            while not house.rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert time.monotonic() < deadline, "the marking does not wait for the worker"
                time.sleep(0.01)
        marking.result(PATIENCE_S)
    assert marked(block) == {("A", 2)}


def test_only_homes_fall_due(block: Block) -> None:
    block.build("A")
    block.register(block.point("water", (*BUILDING, "B"), Resource.WATER))
    block.register(block.point("gas", (*BUILDING, "gas")))
    block.hear("A", 0)
    block.house.hear(block.house.reading("water", 0, 10), block.house.reading("gas", 1, 10))
    clock = datetime.fromtimestamp(block.house.day_start(2), UTC)
    block.store.follow_register()
    block.store.fall_due(last_ended(block.house.calendar, clock, 0))
    assert marked(block) == {("A", 0)}, "the first time, what was read"
    clock = datetime.fromtimestamp(block.house.day_start(3), UTC)
    block.store.fall_due(last_ended(block.house.calendar, clock, 0))
    assert marked(block) == {("A", 0), ("A", 2)}


def test_a_home_that_is_none_any_more_is_withdrawn(block: Block) -> None:
    homes = ["A", "B", "C", "D", "E", "F"]
    block.winter(homes, range(3))
    block.settle(3)
    assert block.days("B")[1]["like_homes"] == 5
    published(block)
    block.register(block.point("A", (*BUILDING, "A"), Resource.WATER))
    block.settle(3)
    assert block.days("A") == {}
    assert block.days("B")[1]["like_homes"] == 4
    messages = published(block)
    assert {m["state"] for m in messages if m["usage_point_id"] == "A"} == {"WITHDRAWN"}
    block.register(block.point("A", (*BUILDING, "A")))
    block.settle(3)
    assert block.days("A")[1]["version"] == 3
    assert block.days("B")[1]["like_homes"] == 5


def test_who_moves_to_another_building_changes_both(block: Block) -> None:
    homes = ["A", "B", "C", "D", "E", "F"]
    block.winter(homes, range(3))
    block.build("G", path=(*BUILDING[:3], "7"))
    for day in range(3):
        block.hear("G", day)
    block.settle(3)
    assert (block.days("B")[1]["like_homes"], block.days("G")[1]["like_homes"]) == (5, 0)
    block.register(block.point("A", (*BUILDING[:3], "7", "A")))
    block.settle(3)
    assert (block.days("B")[1]["like_homes"], block.days("G")[1]["like_homes"]) == (4, 1)


def test_a_supply_meter_is_no_home(block: Block) -> None:
    block.winter(["A", "S"], range(8))
    block.house.describe(block.house.group_of("G", ["S"], ["A"]))
    block.settle(8)
    assert block.days("S") == {}
    assert set(block.table(7)) == {"A"}


def test_the_balance_of_the_group_stands_beside(block: Block) -> None:
    """What the common meter lost and the home lacks; as much is other heating where nothing is lost."""
    homes = ["A", "B", "C", "D", "E", "F"]
    block.winter(homes, range(20))
    block.weather(range(20, 27))
    block.house.describe(
        block.house.meter_of("S"),
        block.house.meter_of("T"),
        block.house.group_of("G", ["S"], homes[:3]),
        block.house.group_of("H", ["T"], homes[3:]),
    )
    for day in range(20, 27):
        for home in homes:
            block.hear(home, day, usual(day) * 3 // 10 if home in "AD" else None)
        block.house.hear(block.house.reading("S", day, 3 * usual(day)))
        block.house.hear(block.house.reading("T", day, usual(day) * 3 // 10 + 2 * usual(day)), clock_day=30)
    block.house.settle()
    block.settle(27)
    table = block.table(26)
    assert [(table[h]["is_flagged"], table[h]["group_id"], table[h]["group_verdict"]) for h in "AD"] == [
        (True, "G", "LOSS"),
        (True, "H", "WITHIN_TOLERANCE"),
    ]
    assert table["A"]["group_imbalance"] == sum(24 * (usual(d) - usual(d) * 3 // 10) for d in range(20, 27))


REASONS = {
    "no thermometer": "no thermometer of a room",
    "no outdoor": "outdoor temperature known on 0 of 7 days",
    "warm weather": "not the heating season",
    "outside": "module outside the heated room",
    "too few": "too few days: 4 of 7 count, 5 needed; readings missing on 3",
    "85 °C": "too few days: 0 of 7 count, 5 needed; thermometer tells what no room has on 7",
    "heating off": "not warm: 12.0 °C indoors",
    "one home only": "too few like homes (0, 5 needed)",
    "no building": "too few like homes (0, 5 needed)",
}


def test_how_many_like_homes_are_needed_is_told_by_the_settings(block: Block) -> None:
    block.winter(["A"], range(7))
    block.settle(7)
    block.house.store.put_rules_in_force(replace(block.rules, least_homes=3))
    try:
        assert "too few like homes (0, 3 needed)" in block.table(6)["A"]["reason"]
    finally:
        block.house.store.put_rules_in_force(block.rules)


@pytest.mark.parametrize("what", REASONS)
def test_what_cannot_be_computed_says_why(block: Block, what: str) -> None:
    days = range(7)
    if what == "no thermometer":
        block.register(block.point("A", (*BUILDING, "A")))
    else:
        block.build("A", path=() if what == "no building" else BUILDING)
    if what != "no outdoor":
        block.weather(days, shift=11_000 if what == "warm weather" else 0, path=())
    rooms = {"85 °C": 85_000, "heating off": 12_000}
    for day in days:
        room = 21_000 + coldness(day) if what == "outside" else rooms.get(what, 22_000)
        short = [MISSING] * 24 if what == "too few" and day < 3 else None
        block.house.hear(block.house.reading("A", day, usual(day), qualities=short))
        if what != "no thermometer":
            block.house.hear(block.house.reading("A/t", day, room))
    block.settle(7)
    row = block.table(6)["A"]
    assert row["reason"].startswith("not computable: ")
    assert REASONS[what] in row["reason"]
    assert (row["k"], row["k_own"], row["k_like_homes"], row["is_flagged"]) == (None, None, None, False)


def test_a_home_without_gas_for_months_is_found_by_its_like_homes_alone(block: Block) -> None:
    homes = ["A", "B", "C", "D", "E", "F"]
    block.build(*homes)
    block.weather(range(30))
    for day in range(30):
        for home in homes:
            block.hear(home, day, 0 if home == "A" else None)
    block.settle(30)
    row = block.table(29)["A"]
    assert (row["k"], row["k_own"], row["k_like_homes"], row["is_flagged"]) == (1.0, None, 1.0, True)


def test_one_home_alone_is_judged_by_its_own_past(block: Block) -> None:
    block.winter(["A"], range(20))
    block.weather(range(20, 27))
    for day in range(20, 27):
        block.hear("A", day, usual(day) // 4)
    block.settle(27)
    row = block.table(26)["A"]
    assert (row["k_like_homes"], row["is_flagged"]) == (None, True)
    assert row["k"] == row["k_own"] == pytest.approx(0.75, abs=0.01)


def test_heat_is_judged_among_heat(block: Block) -> None:
    block.build("A", "B")
    block.build("H", resource=Resource.HEAT)
    block.weather(range(3))
    for day in range(3):
        for home in "ABH":
            block.hear(home, day)
    block.settle(3)
    assert [block.days(home)[1]["like_homes"] for home in "ABH"] == [1, 1, 0]
    assert block.days("H")[1]["unit"] == "WATT_HOUR"


@pytest.mark.parametrize("depth", [None, 0, 6, 31])
def test_a_depth_that_cannot_be_is_refused_in_words(block: Block, depth: int | None) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="expected a depth of 7 to 30 days"):
        block.house.rows("SELECT * FROM imbalance.inadequacy('2026-03-05', %s)", depth)


def test_a_branch_of_the_tree_is_asked_for_by_its_path(block: Block) -> None:
    block.winter(["A"], range(7))
    block.build("B", path=(*BUILDING[:2], "Lane", "1"))
    block.settle(7)
    assert set(block.table(6)) == {"A", "B"}
    assert set(block.table(6, under=BUILDING[:3])) == {"A"}
    assert set(block.table(6, under=("Elsewhere",))) == set()


def test_the_reader_calls_the_functions(block: Block, as_reader: Callable[[str], Sequence[Any]]) -> None:
    block.winter(["A"], range(7))
    block.settle(7)
    at = block.date(6)
    assert as_reader(f"SELECT usage_point_id FROM imbalance.inadequacy('{at}')") == [("A",)]
    assert as_reader(f"SELECT homes FROM imbalance.inadequacy_by_object('{at}') LIMIT 1") == [(1,)]
