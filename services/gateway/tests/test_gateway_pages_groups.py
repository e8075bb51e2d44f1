"""Pages of balance groups and of the object tree, on a real database with figures that imbalance computed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest
from balance_chassis.lanes import LIVE
from balance_chassis.postgres import ensure_partitions, make_pool
from balance_chassis.testing import Installation
from balance_imbalance.adapters.postgres import PostgresGroupDayStore
from balance_imbalance.adapters.postgres_readings import PostgresReadingDayStore
from balance_imbalance.adapters.postgres_register import PostgresRegister
from balance_imbalance.domain.messages import Group, NamedMembership, ReadingDay, ReadingDays, UsagePoint
from balance_imbalance.domain.register import FOREVER, Meter
from balance_imbalance.domain.rules import Rules
from balance_imbalance.handlers import Computing, handle_assets, handle_reading_days
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource, Role

pytestmark = pytest.mark.stack

CALENDAR = Calendar("Europe/Chisinau")
FIRST = CALENDAR.day_start(datetime(2026, 3, 20, 12, tzinfo=UTC))
DAYS = [CALENDAR.shift(FIRST, number) for number in range(10)]
"""The clocks change on the last, 29 March, which has 23 hours."""
HOUR_OF = {"IAL/5": (1_600_000, 500_000), "FINE": (1_000_000, 500_000), "HALF": (1_000_000, 500_000)}
"""What the supply meter and each of two members count in an hour, in mL."""
SILENT_FROM = {"HALF-2": 4}
"""Since which of the days a member is silent."""


def points(group: str) -> list[str]:
    """Its supply meter and its two members."""
    return [f"{group}-{number}" for number in range(3)]


def told_readings() -> Iterator[ReadingDay]:
    """Readings of all groups on all days."""
    for group, (supply, member) in HOUR_OF.items():
        for point, value in zip(points(group), (supply, member, member), strict=True):
            for day in DAYS[: SILENT_FROM.get(point, len(DAYS))]:
                values = np.full(CALENDAR.hours(day), value, np.int64)
                yield ReadingDay(point, int(day.timestamp()), 3600, 1, values, None)


def described(group: str) -> Group:
    """A group of gas as imbalance is told of it."""
    roles = (Role.SUPPLY, Role.MEMBER, Role.MEMBER)
    named = [
        NamedMembership(point, role, 1_000_000, 0, FOREVER)
        for point, role in zip(points(group), roles, strict=True)
    ]
    return Group(group, 1, Resource.GAS, f"House {group}", named)


@pytest.fixture(scope="module")
def place(new_installation: Callable[..., Installation]) -> Installation:
    """A database with the figures of three groups."""
    found = new_installation(topics=())
    found.migrate()
    with make_pool(found.settings().postgres, "imbalance") as pool:
        rules, meter = Rules(), Meter(0, FOREVER, 15_000, 10)
        meters = [UsagePoint(point, 1, [meter]) for group in HOUR_OF for point in points(group)]
        handle_assets([*meters, *map(described, HOUR_OF)], PostgresRegister(pool, CALENDAR))
        store = PostgresReadingDayStore(pool, CALENDAR, LIVE, rules.lookback_days)
        now = int(DAYS[-1].timestamp()) + 90_000
        handle_reading_days([ReadingDays(now, list(told_readings()))], store)
        with pool.connection() as conn:
            conn.execute("UPDATE imbalance.markers SET marked_at = marked_at - INTERVAL '1 minute'")
        days = PostgresGroupDayStore(pool, CALENDAR, rules, None)
        computing = Computing(days, rules, CALENDAR, 400, lambda *_: None)
        while computing.step():
            pass
    with psycopg.connect(found.dsn) as conn:
        put_readings(conn)
    return found


def put_readings(conn: psycopg.Connection[Any]) -> None:
    """What ingest shows of the members of HALF, and findings about the silent one."""
    ensure_partitions(conn, "ingest.reading_days", DAYS)
    for number, point in enumerate(points("HALF")):
        conn.execute(
            "INSERT INTO ingest.usage_points (usage_point_id, version, resource, meters, fittings) "
            "VALUES (%s, 1, 1, '[]', '[]')",
            [point],
        )
        for day in DAYS[: SILENT_FROM.get(point, len(DAYS))]:
            conn.execute(
                "INSERT INTO ingest.reading_days "
                '(usage_point, day_start, resource, algorithm_version, "values") '
                "SELECT usage_point, %s, 1, 1, array_fill(%s::bigint, ARRAY[%s]) FROM ingest.usage_points "
                "WHERE usage_point_id = %s",
                [day, HOUR_OF["HALF"][min(number, 1)], CALENDAR.hours(day), point],
            )
    for name, is_open, end in (("f1", True, DAYS[-1]), ("f2", False, DAYS[-1]), ("f3", True, DAYS[0])):
        conn.execute(
            "INSERT INTO ingest.findings (finding_id, open, rule, severity, usage_point_id, interval_start, "
            "interval_end, expected, found, message) "
            "VALUES (%s, %s, 'vee.missing', 2, 'HALF-2', %s, %s, '24', '0', 'No <hours> came.')",
            [name, is_open, FIRST, end],
        )


@pytest.fixture
def town(desk: Any, a: Any) -> Any:
    """The pages, with the three groups in two streets on the register, and one that nobody heard of."""
    places = {"IAL/5": ["Region", "Mill", "5"], "FINE": ["Region", "Mill", "7"], "HALF": ["Region", "Dock"]}
    described_points = [
        a.usage_point(point, object_path=[*path, *([f"flat {order}"] if order else [])])
        for group, path in places.items()
        for order, point in enumerate(points(group))
    ]
    desk.house.import_all(
        *described_points,
        called(a.group(*points("IAL/5"), name="IAL/5"), "<b>Mill & Co</b>"),
        called(a.group(*points("FINE"), name="FINE"), "=HYPERLINK(1)"),
        a.group(*points("HALF"), name="HALF"),
        a.usage_point("lonely", object_path=["Other"]),
        a.usage_point("lonelier", object_path=["Other"]),
        a.group("lonely", "lonelier", name="NEW"),
    )
    return desk


def called(group: Any, name: str) -> Any:
    """The same group with another name for people."""
    group.fields["name"] = name
    return group


def plain(text: str) -> str:
    """With ordinary spaces."""
    return text.replace("\u202f", " ")


def board_of(text: str) -> list[tuple[str, str]]:
    """Groups of the board with their sentences."""
    names = re.findall(r'<th scope="row"><a href="/g/([^"]+)"', text)
    return list(zip(names, re.findall(r'class="sentence">([^<]*)<', plain(text)), strict=True))


def test_the_board_says_how_each_group_stands_the_worst_first(town: Any) -> None:
    text = town.visit("operator").get("/groups").text
    assert board_of(text) == [
        ("IAL/5", "Losing 14.3 m³ a day, on each of the last 10 days"),
        ("HALF", "Unreliable: 1 of 2 members heard"),
        ("NEW", "No reading of it has come yet"),
        ("FINE", "Within tolerance"),
    ]
    assert "&lt;b&gt;Mill &amp; Co&lt;/b&gt;" in text
    assert "<b>Mill" not in text
    assert text.count('<rect class="act"') == len(DAYS)


def test_the_board_filters_searches_orders(town: Any) -> None:
    browser = town.visit("operator")
    assert [name for name, _ in board_of(browser.get("/groups?state=fine").text)] == ["FINE"]
    assert [name for name, _ in board_of(browser.get("/groups?q=mill").text)] == ["IAL/5"]
    by_name = board_of(browser.get("/groups?order=name").text)
    assert [name for name, _ in by_name] == ["FINE", "HALF", "IAL/5", "NEW"]
    page = browser.get("/groups?state=losing&q=%3Cscript%3E&page=-9")
    assert (page.status_code, "&lt;script&gt;" in page.text, "<script>" in page.text) == (200, True, False)
    assert "No group is like that" in page.text


def test_the_board_as_a_table_has_no_formulas(town: Any) -> None:
    answer = town.visit("operator").get("/groups.csv?order=name")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = {row["group_id"]: row for row in csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))}
    assert rows["FINE"]["name"] == "'=HYPERLINK(1)"
    lost = rows["IAL/5"]
    assert (lost["state"], lost["unit"], lost["newest_day"]) == ("losing", "m³", "2026-03-29")
    # 7 days with the short one: 167 hours of 600 L.
    assert float(lost["imbalance_per_day"]) == pytest.approx(167 * 0.6 / 7)
    assert (rows["NEW"]["state"], rows["NEW"]["imbalance_per_day"]) == ("no-data", "")


def test_people_see_the_groups_of_their_subtree_alone(town: Any) -> None:
    browser = town.visit("technician", "Region", "Dock")
    assert [name for name, _ in board_of(browser.get("/groups").text)] == ["HALF"]
    assert "IAL/5" not in browser.get("/groups.csv").text
    assert browser.get("/g/HALF").status_code == 200
    others = ("/g/IAL/5", "/g/IAL/5/figures.json", "/g/IAL/5/figures.csv", "/objects?at=Region&at=Mill")
    for address in others:
        assert browser.get(address).status_code == 404, address
    objects = browser.get("/objects").text
    assert "HALF" in objects
    assert "Mill" not in objects


def test_a_group_of_usage_points_in_and_out_of_a_subtree_is_not_shown(town: Any, a: Any) -> None:
    town.house.import_all(a.group(*points("HALF"), "lonely", name="HALF"))
    browser = town.visit("technician", "Region", "Dock")
    assert browser.get("/g/HALF").status_code == 404
    assert board_of(browser.get("/groups").text) == []


def test_a_group_lies_where_the_groups_nested_in_it_do(town: Any, a: Any) -> None:
    nested = {"group_id": "IAL/5", "role": "MEMBER", "valid_from": "2024-10-01T00:00:00+03:00"}
    outer = a.group("FINE-0", name="OUTER")
    outer.fields["members"].append(nested)
    town.house.import_all(outer)
    browser = town.visit("technician", "Region", "Mill")
    assert '<a href="/g/IAL/5">IAL/5</a> (group)' in browser.get("/g/OUTER").text
    browser = town.visit("inspector", "Region", "Mill", "7")
    assert browser.get("/g/OUTER").status_code == 404


def test_pages_are_for_staff(town: Any) -> None:
    nobody, consumer = town.browser(), town.visit("consumer")
    for address in ("/groups", "/groups.csv", "/g/FINE", "/g/FINE/figures.json", "/objects"):
        assert nobody.get(address).status_code == 302, address
        assert consumer.get(address).status_code == 403, address


def test_a_group_page_says_who_is_missing_since_when(town: Any) -> None:
    text = town.visit("operator").get("/g/HALF").text
    assert "<h1>Unreliable: 1 of 2 members heard</h1>" in text
    missing = text.split('class="missing"')[1].split("</ul>")[0]
    assert 'href="/p/HALF-2"' in missing
    assert "not fully heard since 24 Mar 2026" in missing
    assert "HALF-1" not in missing
    members = text.split("<h2>Members")[1]
    assert members.index("HALF-2") < members.index("HALF-1")
    assert "one finding" in members
    assert "No &lt;hours&gt; came." in members


def test_members_have_their_share_and_how_much_was_heard(town: Any) -> None:
    text = plain(town.visit("operator").get("/g/HALF").text)
    rows = re.findall(r"<tr.*?</tr>", text.split("<h2>Members")[1], re.DOTALL)
    (first,) = [row for row in rows if 'href="/p/HALF-1"' in row]
    assert re.findall(r'<td class="figure"[^>]*>(.*?)</td>', first) == ["83.5 m³", "87.4 %", "100 %"]
    (second,) = [row for row in rows if 'href="/p/HALF-2"' in row]
    assert re.findall(r'<td class="figure"[^>]*>(.*?)</td>', second) == ["12.0 m³", "12.6 %", "14 %"]


def test_a_group_page_has_its_days(town: Any) -> None:
    text = plain(town.visit("operator").get("/g/IAL/5").text)
    days = text.split("<h2>Days</h2>")[1].split("</table>")[0]
    assert days.count('class="state act"') == len(DAYS)
    assert "29 Mar 2026" in days
    assert "+13.8 m³" in days  # 23 hours of 600 L
    assert text.count('data-figures="/g/IAL/5/figures.json?step=day&amp;until=2026-03-29"') == 1


def test_figures_for_the_chart(town: Any) -> None:
    browser = town.visit("operator")
    hours = browser.get("/g/IAL/5/figures.json?step=hour").json
    assert len(hours["start"]) == 9 * 24 + 23
    assert hours["imbalance"][0] == pytest.approx(0.6)
    assert set(hours["verdict"]) == {"LOSS"}
    days = browser.get("/g/IAL/5/figures.json?until=2026-03-21").json
    assert days["start"] == [int(day.timestamp()) for day in DAYS[:2]]
    months = browser.get("/g/IAL/5/figures.json?step=month&until=2026-03-31").json
    assert months["imbalance"] == [pytest.approx((9 * 24 + 23) * 0.6)]
    table = browser.get("/g/IAL/5/figures.csv?step=day").text
    assert table.count("LOSS") == len(DAYS)


def test_a_group_without_days_says_what_will_appear(town: Any) -> None:
    page = town.visit("operator").get("/g/NEW")
    assert "<h1>No reading of it has come yet</h1>" in page.text
    assert "No day of it is known yet" in page.text
    assert "chart.js" not in page.text
    assert town.browser().get("/g/NOBODY").status_code == 302


def test_absurd_days_are_no_fault(town: Any) -> None:
    browser = town.visit("operator")
    for until in ("", "2026-99-01", "9999-12-31", "0001-01-01", "x" * 5000, "2026-03-21T00:00"):
        for step in ("day", "month", "x"):
            address = f"/g/FINE?step={step}&until={until}"
            assert browser.get(address).status_code == 200, address


def test_there_is_no_such_group(town: Any) -> None:
    browser = town.visit("operator")
    assert browser.get("/g/NOBODY").status_code == 404


def test_the_object_tree_a_level_at_a_time(town: Any) -> None:
    browser = town.visit("operator")
    top = browser.get("/objects").text
    assert re.findall(r"at=(\w+)\">", top) == ["Region", "Other"]
    assert "9 usage points" in top
    region = browser.get("/objects?at=Region").text
    lines = re.findall(r"<li>(.*?)</li>", region, re.DOTALL)
    assert ["losing" in lines[0], "2 groups" in lines[0], "unreliable" in lines[1]] == [True, True, True]
    mill = browser.get("/objects?at=Region&at=Mill&at=5").text
    assert 'href="/g/IAL/5"' in mill
    assert 'href="/p/IAL/5-0"' in mill
    assert "There is nothing here yet" in browser.get("/objects?at=Nowhere").text
