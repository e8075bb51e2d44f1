"""The import page: shown first, done when somebody says so."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from balance_chassis.migrations import migrate
from balance_chassis.testing import Installation
from balance_gateway.adapters.queries import SCHEMA
from balance_gateway.adapters.uploads import PostgresUploads
from balance_gateway.ports import Upload
from balance_kernel.calendar import Calendar

pytestmark = pytest.mark.stack
CALENDAR = Calendar("Europe/Chisinau")
HEAD = (
    "usage_point_id,resource,acc_id,object_path,meters.meter_number,meters.fitted_at,meters.accuracy_class_ppm,"
    "meters.pulse_weight,meters.register_digits,meters.q_max\n"
)
TWO = (
    HEAD + "A,GAS,7,Moldova > 1,11,2024-10-01,15000,10,8,6000000\n"
    "B,GAS,8,Moldova > 2,12,2024-10-01,15000,10,8,6000000\n"
)


@pytest.fixture(scope="module")
def place(new_installation: Callable[..., Installation]) -> Installation:
    found = new_installation(topics=())
    migrate(found.dsn, SCHEMA, "balance_gateway", CALENDAR)
    return found


@pytest.fixture
def operator(house: Any, desk: Any) -> Any:
    house.conn.execute("TRUNCATE gateway.uploads")
    return desk.visit("operator")


def give(browser: Any, text: str | bytes, name: str = "points.csv") -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    return browser.post("/import", on="/import", file=(io.BytesIO(content), name))


def doing(page: Any) -> str:
    found = re.search(r'action="(/import/[^"]+)"', page.text)
    assert found, page.text
    return found[1]


def test_what_a_file_would_change_is_shown_then_done(house: Any, operator: Any) -> None:
    shown = give(operator, TWO)
    assert (shown.status_code, "2 entities would be changed" in shown.text) == (200, True)
    assert house.rows("SELECT count(*) FROM gateway.v_entities") == [(0,)]
    done = operator.post(doing(shown), on="/import", reason="survey")
    assert (done.status_code, done.headers["Location"]) == (302, "/changes")
    assert house.rows("SELECT author, way, reason, name FROM gateway.v_changes ORDER BY number") == [
        ("operator", "import", "survey", "A"),
        ("operator", "import", "survey", "B"),
    ]
    assert house.rows("SELECT count(*) FROM gateway.uploads") == [(0,)]
    again = operator.post(doing(shown), on="/import")
    assert (again.status_code, "give it again" in again.text) == (410, True)
    assert "Everything in it stands so already" in give(operator, TWO).text
    other = give(operator, TWO.replace("A,GAS,7", "A,GAS,9"))
    assert "contract account (ACC_ID): 7 → 9" in other.text
    assert "As they stand: 1" in other.text


def test_everything_wrong_is_said_by_row_and_column_and_nothing_is_kept(house: Any, operator: Any) -> None:
    bad = TWO.replace("15000,10,8,6000000\nB", "x,0,8,6000000\nB").replace("B,GAS", "B,<b>PLASMA")
    found = give(operator, bad)
    assert found.status_code == 422
    assert (
        "points.csv: row 2, column meters.accuracy_class_ppm: expected a whole number, found x" in found.text
    )
    assert "points.csv: row 3, column resource: expected one of GAS, WATER" in found.text
    assert "&lt;b&gt;PLASMA" in found.text
    zero = give(operator, TWO.replace("15000,10,8,6000000\nB", "15000,0,8,6000000\nB"))
    assert "row 2, column meters.pulse_weight: expected a number above 0, found 0" in zero.text
    assert house.rows("SELECT count(*) FROM gateway.uploads") == [(0,)]
    assert house.rows("SELECT count(*) FROM gateway.v_entities") == [(0,)]


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"\xff\xfe", "points.csv", "points.csv: "),
        (b"no", "points.xlsx", "points.xlsx: expected a workbook"),
        (b"{", "points.yaml", "points.yaml: expected a file of YAML"),
        (b"x", "points.exe", "expected a file .yaml, .csv or .xlsx"),
        (b"what,is\n1,2\n", "../../<i>.csv", "&lt;i&gt;.csv: expected a column usage_point_id"),
        (b"", "empty.csv", "empty.csv"),
    ],
)
def test_a_file_of_another_form_is_refused_in_words(
    content: bytes, name: str, said: str, operator: Any
) -> None:
    found = give(operator, content, name)
    assert (found.status_code, said in found.text) == (422, True), found.text


def test_no_file_and_too_large_a_file_are_refused(operator: Any) -> None:
    none = operator.post("/import", on="/import")
    assert (none.status_code, "Choose a file" in none.text) == (422, True)
    operator.client.application.config["MAX_CONTENT_LENGTH"] = 10_000
    assert give(operator, b"x" * 20_000).status_code == 413


def test_what_stands_meanwhile_counts_when_it_is_done(a: Any, house: Any, operator: Any) -> None:
    group = "group_id,resource,name,members.usage_point_id,members.role,members.valid_from\n"
    group += "G,GAS,g,A,SUPPLY,2024-10-01\n"
    house.import_all(a.usage_point("A"))
    shown = give(operator, group, "groups.csv")
    house.import_all(a.usage_point("A", resource="WATER"))
    late = operator.post(doing(shown), on="/import")
    assert late.status_code == 409
    assert "groups.csv: row 2, column members.usage_point_id: expected GAS as of the group" in late.text


def test_a_file_is_done_by_who_gave_it_alone_in_time_and_unchanged(
    house: Any, desk: Any, operator: Any
) -> None:
    shown = give(operator, TWO)
    assert desk.visit("administrator").post(doing(shown), on="/import").status_code == 410
    house.conn.execute("UPDATE gateway.uploads SET content = content || 'x'")
    assert operator.post(doing(shown), on="/import").status_code == 410
    uploads = PostgresUploads(house.pool)
    uploads.keep("old", "operator", Upload("a.csv", b"", b""), timedelta(seconds=-1))
    assert uploads.kept("old", "operator") is None
    uploads.keep("new", "operator", Upload("a.csv", b"", b""), timedelta(hours=1))
    assert house.rows("SELECT count(*) FROM gateway.uploads WHERE token = 'old'") == [(0,)]
    assert uploads.kept("new", "operator") == Upload("a.csv", b"", b"")
    assert house.rows("SELECT count(*) FROM gateway.v_entities") == [(0,)]


def test_an_operator_of_a_subtree_imports_nothing_elsewhere(desk: Any) -> None:
    found = give(desk.visit("operator", "Moldova", "1"), TWO)
    assert found.status_code == 422
    assert "row 3, column object_path: expected a path beneath Moldova &gt; 1, found another" in found.text
    assert "row 2" not in found.text


def test_templates_have_the_first_line_of_a_table(operator: Any) -> None:
    found = operator.get("/import/template/usage-point.csv")
    assert found.mimetype == "text/csv"
    assert found.text.startswith("usage_point_id,state,resource,sp_id")
    assert found.text.count("\n") == 1
    assert operator.get("/import/template/x.csv").status_code == 404
    assert "/import/template/module.csv" in operator.get("/import").text
