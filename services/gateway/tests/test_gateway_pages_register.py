"""Pages of the register against a real database: finding, a usage point, changes and restore."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from balance_chassis.migrations import migrate
from balance_chassis.testing import Installation
from balance_gateway.adapters.queries import SCHEMA
from balance_kernel.calendar import Calendar

pytestmark = pytest.mark.stack
CALENDAR = Calendar("Europe/Chisinau")
HOME = ["Moldova", "Ialoveni", "str. Crăsescu", "5"]
AWAY = ["Moldova", "Durlești", "str. Cel Bun", "6"]


@pytest.fixture(scope="module")
def place(new_installation: Callable[..., Installation]) -> Installation:
    found = new_installation(topics=())
    for service in ("ingest", SCHEMA):
        migrate(found.dsn, service, f"balance_{service}", CALENDAR)
    return found


@pytest.fixture
def town(a: Any, house: Any) -> None:
    """Two homes, a module and a concentrator."""
    meter = a.meter(meter_number="4711", pulse_weight=10_000, initial_register=481_200)
    house.import_all(
        a.concentrator(object_path=HOME[:3]),
        a.module(settings=[a.setting("INTRADAY_60")]),
        a.usage_point(
            "HOME_5-2/17",
            sp_id="SP-17",
            acc_id="900017",
            object_path=HOME,
            meters=[meter],
            channels=[{"module_id": "M-1", "channel": 1, "fitted_at": "2024-10-01"}],
        ),
        a.usage_point("AWAY_6", object_path=AWAY, channels=[]),
    )


@pytest.fixture
def operator(desk: Any, town: None) -> Any:  # noqa: ARG001 - it stands first
    return desk.visit("operator")


def version_in(page: Any) -> str:
    found = re.search(r'name="version" value="(\d+)"', page.text)
    assert found, page.text
    return found[1]


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("home_5-2/17", "/p/HOME_5-2/17"),
        ("SP-17", "/p/HOME_5-2/17"),
        ("900017", "/p/HOME_5-2/17"),
        ("4711", "/p/HOME_5-2/17"),
        ("m-1", "/m/M-1"),
        ("J-1", "/c/J-1"),
        ("durlesti CEL", "/p/AWAY_6"),
        ("AWAY", "/p/AWAY_6"),
    ],
)
def test_one_hit_is_gone_to(said: str, address: str, operator: Any) -> None:
    found = operator.get("/find", query_string={"q": said})
    assert (found.status_code, found.headers.get("Location")) == (302, address), found.text


def test_what_was_written_before_the_search_is_found_once_it_has_words(house: Any, operator: Any) -> None:
    house.conn.execute("UPDATE gateway.entities SET words = NULL")
    assert "Nothing has" in operator.get("/find?q=SP-17").text
    assert (house.register.give_words(), house.register.give_words()) == (4, 0)
    assert operator.get("/find?q=SP-17").status_code == 302


def test_several_hits_are_listed_and_none_is_said(operator: Any) -> None:
    found = operator.get("/find?q=moldova").text
    assert "/p/HOME_5-2/17" in found
    assert "/p/AWAY_6" in found
    assert "/c/J-1" in found
    assert "Nothing has" in operator.get("/find?q=nowhere").text
    assert operator.get("/find?q=%00%27%5C:*|(").status_code == 200
    assert operator.get("/find?q=").status_code == 200


@pytest.mark.usefixtures("town")
def test_nothing_of_another_subtree_is_found_or_shown(a: Any, house: Any, desk: Any) -> None:
    house.import_all(a.module("M-9", settings=[a.setting(concentrator=None)]))
    browser = desk.visit("technician", *HOME[:3])
    assert browser.get("/find?q=moldova").text.count("/p/") == 1
    assert browser.get("/find?q=M-1").headers["Location"] == "/m/M-1"
    assert "Nothing has" in browser.get("/find?q=M-9").text
    assert "Nothing has" in browser.get("/find?q=AWAY_6").text
    seen = {
        address: browser.get(address).status_code
        for address in (
            "/p/HOME_5-2/17",
            "/m/M-1",
            "/c/J-1",
            "/p/AWAY_6",
            "/m/M-9",
            "/p/NONE",
            "/m/%00",
            "/c/x",
        )
    }
    assert seen == {
        "/p/HOME_5-2/17": 200, "/m/M-1": 200, "/c/J-1": 200,
        "/p/AWAY_6": 404, "/m/M-9": 404, "/p/NONE": 404, "/m/%00": 404, "/c/x": 404,
    }  # fmt: skip


@pytest.mark.usefixtures("town")
def test_an_operator_of_a_subtree_changes_nothing_elsewhere(house: Any, desk: Any) -> None:
    browser = desk.visit("operator", *HOME[:3])
    at = "/p/HOME_5-2/17"
    moved = browser.post(at, on=at, version="1", object_path="Moldova > Elsewhere")
    assert moved.status_code == 422
    assert "expected a path beneath Moldova &gt; Ialoveni" in moved.text
    assert browser.post("/p/AWAY_6", on=at, version="1", acc_id="7").status_code == 404
    assert browser.post("/exchange/AWAY_6", on=at, version="1").status_code == 404
    ((number,),) = house.rows("SELECT number FROM gateway.v_changes WHERE name = 'AWAY_6'")
    assert browser.get(f"/changes/{number}").status_code == 404
    assert browser.post(f"/changes/{number}", on=at, version="1", reason="x").status_code == 404
    log = browser.get("/changes").text
    assert "HOME_5-2/17" in log
    assert "AWAY_6" not in log
    assert house.rows("SELECT max(version) FROM gateway.v_entities") == [(1,)]


def test_a_page_names_all_of_a_usage_point_and_escapes_it(a: Any, house: Any, operator: Any) -> None:
    house.import_all(
        a.usage_point("X", object_path=["<script>alert(1)</script>"], meters=[a.meter(meter_number="<b>9")])
    )
    found = operator.get("/p/X").text
    assert "<script>alert" not in found
    assert "&lt;script&gt;alert(1)" in found
    assert "<b>9" not in found
    home = operator.get("/p/HOME_5-2/17").text
    for words in (
        "SP-17",
        "900017",
        "4711",
        "class 1.5",
        "pulse 10 L",
        "initial register",
        "/m/M-1",
        "was never heard",
    ):
        assert words in home


def test_an_edit_is_logged_and_a_conflict_shows_both(house: Any, operator: Any) -> None:
    at = "/p/HOME_5-2/17"
    fields = {
        "version": version_in(operator.get(at)),
        "sp_id": "SP-18",
        "object_path": " > ".join(HOME),
        "reason": "typo",
    }
    assert operator.post(at, on=at, **fields).status_code == 302
    assert house.rows(
        "SELECT author, way, reason, after->>'acc_id' FROM gateway.v_changes WHERE version = 2"
    ) == [("operator", "form", "typo", None)]
    late = operator.post(at, on=at, **{**fields, "sp_id": "SP-19", "acc_id": "900017"})
    assert late.status_code == 409
    assert "<td>SP-18</td><td>SP-19</td>" in late.text
    assert "<td>nothing</td><td>900017</td>" in late.text
    assert (version_in(late), 'value="SP-19"' in late.text) == ("2", True)
    again = operator.post(at, on=at, **{**fields, "version": "2"})
    assert again.status_code == 302
    assert "Nothing was different" in operator.get(at).text
    long = operator.post(at, on=at, version="2", object_path=" > ".join("abcdefghijklmnopq"))
    assert long.status_code == 422
    assert "object: expected at most 16 names, found 17" in long.text


EXCHANGE = {
    "fitted_at": "2026-03-12T09:30",
    "final_register": "04812.37",
    "meter_number": "4712",
    "initial_register": "0,05",
    "accuracy_class": "1.5",
    "register_digits": "8",
    "pulse_weight": "10",
    "q_max": "6",
}


def test_a_meter_is_exchanged_as_one_change(house: Any, operator: Any) -> None:
    at = "/exchange/HOME_5-2/17"
    version = version_in(operator.get(at))
    assert operator.post(at, on=at, version=version, **EXCHANGE).status_code == 302
    ((old, new),) = house.rows(
        "SELECT value->'meters'->0, value->'meters'->1 FROM gateway.v_entities WHERE name = 'HOME_5-2/17'"
    )
    assert old["final_register"] == 481_237
    assert old["removed_at"] == new["fitted_at"] == 1_773_300_600_000
    assert (new["meter_number"], new["initial_register"], new["accuracy_class_ppm"]) == ("4712", 5, 15_000)
    assert (new["pulse_weight"], new["q_max"], new["register_digits"]) == (10_000, 6_000_000, 8)
    page = operator.get("/p/HOME_5-2/17").text
    assert "final register 004812.37" in page
    assert "Meter 2 new: meter number 4712" in page
    late = operator.post(at, on=at, version=version, **EXCHANGE)
    assert (late.status_code, "Somebody else changed it meanwhile" in late.text) == (409, True)


@pytest.mark.parametrize(
    ("field", "given", "said"),
    [
        ("final_register", "", "final register: expected a register in m³ such as 4812.37, found nothing"),
        ("final_register", "12e99", "expected a register in m³"),
        ("final_register", "99999999", "expected at most 8 digits, found 9999999900"),
        ("fitted_at", "tomorrow", "fitted: expected a day such as 2024-10-01"),
        ("fitted_at", "2020-01-01T00:00", "fitted: expected an end after fitted_at"),
        ("meter_number", "", "meter number: expected the number on the meter, found nothing"),
        ("q_max", "0", "greatest flow: expected a number above 0, found 0"),
        ("pulse_weight", "heavy", "expected the L a pulse stands for, such as 10, found heavy"),
        ("register_digits", "", "expected how many digits the register has, found nothing"),
    ],
)
def test_what_is_wrong_with_an_exchange_is_said_at_its_field(
    field: str, given: str, said: str, operator: Any
) -> None:
    at = "/exchange/HOME_5-2/17"
    found = operator.post(at, on=at, version="1", **{**EXCHANGE, field: given})
    assert found.status_code == 422
    assert said in found.text
    assert 'role="alert"' in found.text
    assert 'value="4712"' in found.text or field == "meter_number"


def test_the_log_tells_what_differed_and_restores(house: Any, operator: Any) -> None:
    at = "/p/HOME_5-2/17"
    operator.post(at, on=at, version="1", sp_id="WRONG", acc_id="900017", object_path=" > ".join(HOME))
    ((first,), (second,)) = house.rows(
        "SELECT number FROM gateway.v_changes WHERE name = 'HOME_5-2/17' ORDER BY version"
    )
    assert "service point (SP_ID): SP-17 → WRONG" in operator.get("/changes").text
    of_it = operator.get("/changes?kind=usage-point&name=HOME_5-2/17").text
    assert "AWAY_6" not in of_it
    assert "It stands so now" in operator.get(f"/changes/{second}").text
    page = operator.get(f"/changes/{first}")
    assert "service point (SP_ID): WRONG → SP-17" in page.text
    bare = operator.post(f"/changes/{first}", on=f"/changes/{first}", version="2")
    assert (bare.status_code, "why it is brought back" in bare.text) == (422, True)
    stale = operator.post(f"/changes/{first}", on=f"/changes/{first}", version="1", reason="typo")
    assert stale.status_code == 409
    done = operator.post(f"/changes/{first}", on=f"/changes/{first}", version=version_in(page), reason="typo")
    assert (done.status_code, done.headers["Location"]) == (302, at)
    assert house.rows(
        "SELECT way, reason, restored, after->>'sp_id' FROM gateway.v_changes WHERE version = 3"
    ) == [("restore", "typo", first, "SP-17")]


def test_the_log_is_paged_by_number(a: Any, house: Any, operator: Any) -> None:
    house.import_all(*(a.usage_point(f"N-{number:03}") for number in range(60)))
    first = operator.get("/changes").text
    assert (first.count("<li>\n"), "N-059" in first, "N-009" in first) == (50, True, False)
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    assert "N-009" in operator.get(older.replace("&amp;", "&")).text
    assert operator.get("/changes?before=x").status_code == 200
    assert operator.get(f"/changes?before={10**30}").status_code == 200
    assert operator.get(f"/changes/{10**30}").status_code == 404


@pytest.mark.usefixtures("town")
def test_only_those_who_may_change_are_given_forms(desk: Any) -> None:
    auditor, technician = desk.visit("auditor"), desk.visit("technician")
    assert 'name="version"' not in auditor.get("/p/HOME_5-2/17").text
    assert auditor.get("/changes").status_code == 200
    assert technician.get("/changes").status_code == 403
    assert technician.get("/p/HOME_5-2/17").status_code == 200
    for address in ("/exchange/HOME_5-2/17", "/import"):
        assert technician.get(address).status_code == 403
        assert auditor.get(address).status_code == 403
    assert desk.browser().get("/p/HOME_5-2/17").status_code == 302
