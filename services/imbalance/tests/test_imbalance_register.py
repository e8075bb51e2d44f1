"""The register on a real database: what a description changes, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_imbalance.adapters.register_rows import read_equipment, read_points, read_problems
from balance_imbalance.domain.equipment import ChannelFitting
from balance_imbalance.domain.messages import Concentrator, Group, Module, NamedMembership, UsagePoint
from balance_imbalance.domain.register import FOREVER, DescribedPoint, GroupProblem, Meter, problems_of_day
from balance_kernel.plans import SessionSetting, Setting
from balance_kernel.quantity import Resource, Role

pytestmark = pytest.mark.stack
House = Any  # of conftest.py, which cannot be imported

ONE = 1_000_000
FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)


def member(of: str, start: int = 0, end: int = FOREVER, role: Role = Role.MEMBER) -> NamedMembership:
    """Of a usage point, or of a group when its id begins with a sharp."""
    if of.startswith("#"):
        return NamedMembership("", role, ONE, start, end, of[1:])
    return NamedMembership(of, role, ONE, start, end)


def supply(of: str, start: int = 0, end: int = FOREVER) -> NamedMembership:
    return member(of, start, end, Role.SUPPLY)


def group(
    group_id: str, *memberships: NamedMembership, version: int = 1, resource: Resource = Resource.GAS
) -> Group:
    return Group(group_id, version, resource, f"House {group_id}", memberships)


def point(
    point_id: str, *modules: str, version: int = 1, resource: Resource = Resource.GAS, **given: Any
) -> UsagePoint:
    """On channel 1 of modules for ever; a thermometer on channel 0."""
    channel = 0 if resource is Resource.TEMPERATURE else 1
    channels = [ChannelFitting(module, channel, 0, FOREVER) for module in modules]
    described = UsagePoint(
        point_id, version, [Meter(0, FOREVER, 15_000, 10)], resource, ("town",), channels=channels
    )
    return replace(described, **given)


def memberships(house: House, group_id: str) -> list[tuple[str, int]]:
    """(usage point, role) of the resolved memberships of a group, in order."""
    rows = house.rows(
        "SELECT u.usage_point_id, m.role FROM imbalance.memberships m JOIN imbalance.groups g "
        "USING (balance_group) JOIN imbalance.usage_points u USING (usage_point) WHERE g.group_id = %s "
        "ORDER BY m.ordinal",
        group_id,
    )
    return [(row["usage_point_id"], row["role"]) for row in rows]


def problems(house: House, group_id: str, day: int = 0) -> Sequence[str]:
    (row,) = house.rows("SELECT balance_group FROM imbalance.groups WHERE group_id = %s", group_id)
    with house.pool.connection() as conn:
        spans = read_problems(conn, [row["balance_group"]]).get(row["balance_group"], ())
    start = house.day_start(day)
    return [each.name for each in problems_of_day(spans, start, start + 86_400)]


class Known:
    """What the worker is told of usage points, by id."""

    def __init__(self, house: House, work: Any = None) -> None:
        self._day_start = house.day_start
        rows = house.rows("SELECT usage_point_id, usage_point FROM imbalance.usage_points")
        self.numbers = {row["usage_point_id"]: row["usage_point"] for row in rows}
        with house.pool.connection() as conn:
            self._described = read_points(conn, self.numbers.values())
            self._equipment = read_equipment(conn, self.numbers.values())
        if work is not None:
            assert work.described(self.numbers.values()) == self._described
            assert work.equipment(self.numbers.values()) == self._equipment

    def described(self, point_id: str) -> DescribedPoint:
        return self._described[self.numbers[point_id]]

    def allowance(self, point_id: str, day: int) -> int:
        return self._equipment.allowance_days(self.numbers[point_id], self._day_start(day))

    def thermometer(self, point_id: str, day: int) -> str | None:
        found = self._equipment.thermometer_of(self.numbers[point_id], self._day_start(day))
        return next((name for name, number in self.numbers.items() if number == found), None)


def due_now(house: House) -> None:
    house.rows("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute' RETURNING 1")


def hear(house: House, days: Sequence[int], **values: int) -> None:
    for day in days:
        house.hear(*(house.reading(p, day, value) for p, value in values.items()), clock_day=day)


def test_a_nested_group_described_later_is_resolved_then(house: House) -> None:
    house.describe(group("G", supply("S"), member("#N")))
    assert memberships(house, "G") == [("S", 1)]
    assert problems(house, "G") == ["UNKNOWN_GROUP"]
    hear(house, [0, 1], S=300, T=100)
    house.settle()
    assert house.days("G")[0]["coverage"] == "NOT_COMPUTABLE"
    assert house.describe(group("N", supply("T"), member("A"))) > 0
    assert memberships(house, "G") == [("S", 1), ("T", 2)]
    assert problems(house, "G") == []
    assert house.settle() == {("G", 0), ("G", 1), ("N", 0), ("N", 1)}
    assert house.days("G")[1]["imbalance"] == 24 * 200


def test_deleting_a_nested_group_takes_it_out_and_is_no_problem(house: House) -> None:
    house.describe(
        group("G", supply("S"), member("#N"), member("B")),
        group("N", member("#M")),
        group("M", member("A")),
    )
    hear(house, [0], S=300, A=100, B=200)
    house.settle()
    assert house.days("G")[0]["imbalance"] == 0
    house.describe(group("M", version=2))
    assert memberships(house, "G") == [("S", 1), ("B", 2)]
    assert problems(house, "G") == []
    assert house.settle() == {("G", 0), ("N", 0), ("M", 0)}
    assert house.days("G")[0]["imbalance"] == 24 * 100
    assert house.days("N") == house.days("M") == {}


def test_a_change_of_a_nested_group_marks_the_days_it_changes_and_no_others(house: House) -> None:
    house.describe(group("G", supply("S"), member("#N")), group("N", member("A"), member("B")))
    hear(house, [0, 1, 2, 3], S=300, A=100, B=200)
    house.settle()
    house.describe(group("N", member("A"), member("B", 0, house.day_start(2)), version=2))
    assert house.settle() == {(name, day) for name in "GN" for day in (2, 3)}
    assert house.days("G")[2]["imbalance"] == 24 * 200


def test_members_of_a_nested_group_with_supply_do_not_mark_who_names_it(house: House) -> None:
    house.describe(group("G", supply("S"), member("#N")), group("N", supply("T"), member("A")))
    hear(house, [0], S=300, T=200, A=100)
    house.settle()
    house.describe(group("N", supply("T"), version=2))
    assert house.settle() == {("N", 0)}


def test_groups_nested_in_themselves_and_each_other_have_results(house: House) -> None:
    house.describe(
        group("G", supply("S"), member("#G"), member("#H")),
        group("H", supply("T"), member("A"), member("#G")),
    )
    assert memberships(house, "G") == [("S", 1), ("T", 2)]
    assert memberships(house, "H") == [("T", 1), ("A", 2), ("S", 2)]
    assert problems(house, "G") == problems(house, "H") == ["NESTED_CYCLE"]
    hear(house, [0], S=300, T=300, A=0)
    house.settle()
    assert house.days("G")[0]["imbalance"] == house.days("H")[0]["imbalance"] == 0


def test_problems_hold_while_their_entries_are_valid(house: House) -> None:
    edge = house.day_start(2)
    house.describe(
        group(
            "G",
            *(supply("S"), member("A"), member("A", edge, house.day_start(4)), member("#X", edge + 3600)),
        )
    )
    assert [problems(house, "G", day) for day in (1, 2)] == [
        ["OVERLAPPING_MEMBERSHIP"],
        ["OVERLAPPING_MEMBERSHIP", "UNKNOWN_GROUP"],
    ]


def test_a_problem_that_comes_or_goes_marks_its_days(house: House) -> None:
    house.describe(group("G", supply("S"), member("A")))
    hear(house, [0, 1, 2], S=300, A=300)
    house.settle()
    unknown = member("#X", house.day_start(1), house.day_start(2))
    house.describe(group("G", supply("S"), member("A"), unknown, version=2))
    assert house.settle() == {("G", 1)}
    house.describe(group("X"))
    assert house.settle() == {("G", 1)}


def test_a_group_described_again_as_it_was_changes_nothing(house: House) -> None:
    groups = [group("G", supply("S"), member("#N")), group("N", member("A"))]
    given = [point("S", "D"), point("A")]
    house.describe(*groups, *given, Module("D", 1, [Setting(0, "WEEKLY")]))
    hear(house, [0], S=300, A=300)
    house.settle()
    for version in (1, 2):
        again = (replace(each, version=version) for each in groups)
        assert house.describe(*again, *(replace(each, version=version) for each in given)) == 0
    assert house.describe(replace(groups[0], version=0, memberships=())) == 0
    assert house.describe(Module("D", 0, [])) == 0


def test_what_the_register_says_of_a_usage_point_reaches_the_worker(house: House) -> None:
    meter = Meter(0, FOREVER, 15_000, 10, q_start=7, is_compensated=True)
    outdoor = replace(point("T", "D", resource=Resource.TEMPERATURE), is_outdoor=True, object_path=())
    house.describe(replace(point("S"), meters=[meter]), outdoor, group("G", supply("S"), member("#X")))
    house.hear(house.reading("S", 0, 300), house.reading("U", 0, 300))
    due_now(house)
    with house.store.work(1) as (work, _):
        (history,) = work.histories().values()
        found = Known(house, work)
    assert history.resource is Resource.GAS
    assert [span.problem for span in history.problems] == [GroupProblem.UNKNOWN_GROUP]
    (kept,) = history.supply.meters[next(m.usage_point for m in history.supply.memberships)]
    assert kept == meter
    assert found.described("S") == DescribedPoint("S", Resource.GAS, ("town",), False)
    assert found.described("T") == DescribedPoint("T", Resource.TEMPERATURE, (), True)
    assert found.described("U") == DescribedPoint("U")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_allowance_of_a_usage_point_is_that_of_its_modules_then(
    house: House, order: Sequence[int]
) -> None:
    start = house.day_start
    told = (
        replace(
            point("A"),
            channels=[ChannelFitting("D", 1, 0, start(20)), ChannelFitting("E", 1, start(20), FOREVER)],
        ),
        Module("D", 1, [Setting(start(5), "WEEKLY", "J"), Setting(start(15) + 3600, "DAILY")]),
        Concentrator("J", 1, [SessionSetting(start(10), "MONTHLY")]),
    )
    for index in order:
        house.describe(told[index])
    found = Known(house)
    assert [found.allowance("A", day) for day in (4, 5, 9, 10, 15, 16, 20)] == [0, 7, 7, 31, 31, 0, 0]
    house.describe(Module("E", 1, [Setting(0, "MONTHLY")]), Concentrator("J", 2, []))
    found = Known(house)
    assert [found.allowance("A", day) for day in (4, 5, 10, 15, 16, 19, 20)] == [0, 7, 7, 7, 0, 0, 31]
    house.describe(Module("D", 2, []))
    assert [Known(house).allowance("A", day) for day in (5, 19, 20)] == [0, 0, 31]
    house.describe(UsagePoint("A", 9, []))
    assert Known(house).allowance("A", 20) == 0


def test_a_changed_allowance_marks_the_days_on_which_the_usage_point_is_missing(house: House) -> None:
    house.describe(point("A", "D"), point("B", "D"), group("G", supply("S"), member("A"), member("B")))
    hear(house, [0, 1], S=300, A=100, B=200)
    hear(house, [2, 3, 4], S=300, B=200)
    house.settle()
    assert house.describe(Module("D", 1, [Setting(0, "DAILY")])) == 0
    house.describe(Module("D", 2, [Setting(house.day_start(3), "WEEKLY")]))
    assert house.settle() == {("G", 3), ("G", 4)}
    house.describe(
        Module("D", 3, [Setting(house.day_start(3), "WEEKLY"), Setting(house.day_start(4), "DAILY")])
    )
    assert house.settle() == {("G", 4)}


def test_the_thermometer_of_a_usage_point_is_on_its_module_at_the_days_start(house: House) -> None:
    start = house.day_start
    warm = [
        replace(
            point(name, resource=Resource.TEMPERATURE), channels=[ChannelFitting("D", 0, since, start(30))]
        )
        for name, since in (("T2", 0), ("T1", start(4) + 1))
    ]
    house.describe(point("A", "D"), *warm, point("B", "E"), point("W", "D", resource=Resource.WATER))
    found = Known(house)
    assert [found.thermometer("A", day) for day in (3, 4, 5, 29, 30)] == ["T2", "T2", "T1", "T1", None]
    assert found.thermometer("B", 5) is None
    assert found.thermometer("W", 5) == "T1"
    house.describe(replace(warm[1], version=2, resource=Resource.SENSOR), point("B", "D", version=2))
    found = Known(house)
    assert [found.thermometer(name, 5) for name in "AB"] == ["T2", "T2"]
    house.describe(UsagePoint("T2", 2, [], Resource.TEMPERATURE))
    assert Known(house).thermometer("A", 5) is None


def test_a_changed_thermometer_marks_the_days_of_groups_of_gas(house: House) -> None:
    house.describe(
        point("A", "D"),
        group("G", supply("S"), member("A", 0, house.day_start(3))),
        group("W", supply("S"), member("A"), resource=Resource.WATER),
    )
    hear(house, [0, 1, 2, 3], S=300, A=300)
    house.settle()
    fitted = [ChannelFitting("D", 0, house.day_start(1), FOREVER)]
    house.describe(replace(point("T", resource=Resource.TEMPERATURE), channels=fitted))
    assert house.settle() == {("G", 1), ("G", 2)}


def test_a_usage_point_that_moves_marks_what_the_weather_there_counts_for(house: House) -> None:
    """B, missing on day 1 and estimated from its past; S, which supplies gas; A reported all days."""
    told = [point("S"), point("A"), point("B"), point("T", resource=Resource.WATER)]
    house.describe(
        *told,
        group("G", supply("S"), member("A"), member("B")),
        group("W", supply("T"), member("A"), member("B"), resource=Resource.WATER),
    )
    hear(house, [0], S=300, T=300, A=100, B=200)
    hear(house, [1], S=300, T=300, A=100)
    house.settle()
    for moved, marked in (
        ("A", set()),
        ("B", {("G", 1), ("W", 1)}),
        ("S", {("G", 0), ("G", 1)}),
        ("T", set()),
    ):
        before = next(each for each in told if each.usage_point_id == moved)
        house.describe(replace(before, version=2, object_path=("village",)))
        assert house.settle() == marked, moved
    house.describe(replace(told[2], version=3, resource=Resource.HEAT, object_path=("village",)))
    assert house.settle() == {("G", 1), ("W", 1)}


def test_a_group_of_another_resource_is_computed_again(house: House) -> None:
    house.describe(group("G", supply("S"), member("A")))
    hear(house, [0, 1], S=300, A=300)
    house.settle()
    house.describe(group("G", supply("S"), member("A"), version=2, resource=Resource.WATER))
    assert house.settle() == {("G", 0), ("G", 1)}


def test_a_membership_that_begins_earlier_marks_later_days_of_silence(house: House) -> None:
    """B may be unmetered on a day by how long it has belonged: its begin moves from day 5 to day 3."""
    house.describe(group("G", supply("S"), member("A"), member("B", house.day_start(5))))
    hear(house, [*range(8)], S=300, A=300)
    hear(house, [6], B=0)
    house.settle()
    house.describe(group("G", supply("S"), member("A"), member("B", house.day_start(3)), version=2))
    assert house.settle() == {("G", 3), ("G", 4), ("G", 5), ("G", 7)}


def test_a_meters_starting_flow_and_compensation_mark_its_days(house: House) -> None:
    house.describe(point("A"), group("G", supply("S"), member("A", 0, house.day_start(1))))
    hear(house, [0, 1], S=300, A=300)
    house.settle()
    for version, meter in enumerate(
        (Meter(0, FOREVER, 15_000, 10, 5), Meter(0, FOREVER, 15_000, 10, 5, True)), start=2
    ):
        house.describe(replace(point("A"), version=version, meters=[meter]))
        assert house.settle() == {("G", 0)}


def test_days_of_silence_of_a_group_that_gains_a_nested_one_come_to_be(house: House) -> None:
    """Days 1 to 3 were not of G, whose supply had left; then N brings a member, and they exist."""
    house.describe(group("G", supply("S", 0, house.day_start(1)), member("#N")), group("N"))
    hear(house, [0], S=300)
    house.hear(clock_day=6)
    house.settle()
    assert set(house.days("G")) == {0}
    house.describe(group("N", member("A"), version=2))
    house.settle()
    assert set(house.days("G")) == {0, 1, 2, 3}


def test_readings_of_a_thermometer_come_with_those_of_the_group(house: House) -> None:
    house.describe(
        point("A", "D"),
        point("T", "D", resource=Resource.TEMPERATURE),
        group("G", supply("S"), member("A")),
    )
    house.hear(house.reading("A", 0, 100), house.reading("T", 0, 21_000), house.reading("T", 1, 9))
    due_now(house)
    with house.store.work(10) as (work, due):
        table = work.readings([each for each in due if each.day_start == house.calendar.day_start(FIRST)])
    thermometer = Known(house).numbers["T"]
    assert [(thermometer, house.day_start(day)) in table.rows for day in (0, 1)] == [True, False]
