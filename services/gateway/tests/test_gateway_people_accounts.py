"""Accounts as administrators keep them, one's own, and what a page says when there is none."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from typing import Any

import psycopg
import pytest
from balance_gateway.domain.people import Caller, PersonError
from balance_gateway.entrypoints import console
from balance_gateway.entrypoints.desk import allowed, held_inside
from balance_gateway.handlers import ConflictError

pytestmark = pytest.mark.stack

PASSWORD = "seven wet gloves"


def shown_password(text: str) -> str:
    found = re.search(r'class="secret">([a-z2-7-]+)<', text)
    assert found, text
    return found[1]


def trail(desk: Any, login: str) -> list[tuple[Any, ...]]:
    """Events of an account, oldest first: what, by whom, detail."""
    query = "SELECT event, author, detail FROM gateway.v_audit WHERE login = %s ORDER BY number"
    return [tuple(row) for row in desk.house.rows(query, login)]


def add(browser: Any, login: str, **fields: str) -> Any:
    return browser.post("/people", login=login, **{"role": "technician", "subtree": "", **fields})


def test_an_administrator_adds_somebody_who_then_chooses_a_password(desk: Any) -> None:
    added = add(desk.visit("administrator"), "ion", subtree="Moldova > Ialoveni", locale="ro")
    password = shown_password(added.text)
    account = desk.accounts.one("ion")
    assert (account.role, account.subtree, account.locale) == ("technician", ("Moldova", "Ialoveni"), "ro")
    browser = desk.browser()
    assert browser.sign_in("ion", password).status_code == 302
    assert browser.get("/people").location == "/me", "nothing else is open yet"
    assert browser.get("/").location == "/me"
    fresh = {"current": password, "password": PASSWORD, "again": PASSWORD}
    assert browser.post("/me/password", **fresh).location == "/"
    assert browser.get("/people").status_code == 403, "now it is the role that does not fit"
    assert trail(desk, "ion") == [
        ("account added", "administrator", "technician, Moldova > Ialoveni"),
        ("signed in", "ion", None),
        ("password changed", "ion", None),
        ("refused", "ion", "GET /people"),
    ]


def test_a_one_time_password_is_good_for_a_week(desk: Any) -> None:
    password = desk.accounts.add("ion", "technician", (), None, Caller())
    desk.clock.pass_by(days=7, seconds=-1)
    assert desk.people.verified("ion", password, Caller())
    desk.clock.pass_by(seconds=1)
    assert desk.people.verified("ion", password, Caller()) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": "ADMINISTRATOR"}, "Somebody has this login already"),
        ({"login": "x"}, "A login has 2 to 64 letters"),
        ({"role": "king"}, "Choose a role"),
        ({"locale": "tlh"}, "Choose a language"),
    ],
)
def test_what_is_wrong_with_a_new_account_is_said_at_its_field(
    fields: dict[str, str], words: str, desk: Any
) -> None:
    found = desk.visit("administrator").post("/people", **{"login": "ion", "role": "operator", **fields})
    assert found.status_code == 422
    assert words in found.text
    assert f'aria-describedby="{next(iter(fields))}-problem"' in found.text
    assert len(desk.accounts.all()) == 1


@pytest.mark.parametrize("role", ["consumer", "technician", "inspector", "operator", "auditor"])
def test_accounts_are_for_administrators(role: str, desk: Any) -> None:
    desk.add("anna", "operator")
    browser = desk.visit(role) if role != "operator" else desk.visit("operator")
    found = [
        browser.get("/people"),
        add(browser, "mine", role="administrator"),
        browser.get("/people/anna"),
        browser.post("/people/anna/reset"),
        browser.post("/people/anna/state", state="disabled"),
        browser.post("/people/anna", role="administrator"),
    ]
    assert {one.status_code for one in found} == {403}
    assert "This is not for your role" in found[0].text
    assert desk.accounts.one("mine") is None
    assert trail(desk, "anna")[-1][0] == "password changed"
    assert trail(desk, role)[-1] == ("refused", role, "POST /people/anna")


def test_an_administrator_of_a_subtree_neither_sees_nor_makes_anybody_beyond_it(desk: Any) -> None:
    desk.add("far", "operator", "Moldova", "Cahul")
    desk.add("top", "operator")
    desk.add("near", "operator", "Moldova", "Ialoveni", "Crasescu")
    browser = desk.visit("administrator", "Moldova", "Ialoveni")
    listed = browser.get("/people").text
    assert ">near<" in listed
    assert ">far<" not in listed
    assert ">top<" not in listed
    for login in ("far", "top"):
        assert browser.get(f"/people/{login}").status_code == 404
        assert browser.post(f"/people/{login}/reset").status_code == 404
        assert browser.post(f"/people/{login}/state", state="disabled").status_code == 404
    for subtree in ("", "Moldova", "Moldova > Cahul"):
        assert add(browser, "mine", subtree=subtree).status_code == 422
        assert browser.post("/people/near", role="operator", subtree=subtree).status_code == 422
    assert browser.get("/audit").status_code == 403
    assert desk.accounts.one("mine") is None
    assert desk.accounts.one("near").subtree == ("Moldova", "Ialoveni", "Crasescu")
    assert ("refused", "administrator", "GET /people/far") in trail(desk, "administrator")


def test_an_object_of_another_subtree_is_not_there(desk: Any) -> None:
    def point(at: str) -> str:
        held_inside(at.split("/"))
        return "here"

    desk.app.add_url_rule("/at/<path:at>", view_func=allowed()(point))
    browser = desk.visit("technician", "Moldova", "Ialoveni")
    assert browser.get("/at/Moldova/Ialoveni/Crasescu").text == "here"
    assert browser.get("/at/Moldova/Cahul").status_code == 404
    assert browser.get("/at/Moldova").status_code == 404
    assert trail(desk, "technician")[-1] == ("refused", "technician", "GET /at/Moldova")


def test_another_role_counts_at_once(desk: Any) -> None:
    browser, operator = desk.visit("administrator"), desk.visit("operator")
    assert operator.get("/audit").status_code == 403
    sent = browser.post("/people/operator", role="auditor", subtree="Moldova")
    assert sent.location == "/people/operator"
    assert desk.accounts.one("operator").subtree == ("Moldova",)
    browser.post("/people/operator", role="auditor", subtree="")
    assert operator.get("/audit").status_code == 200
    assert ("account changed", "administrator", "operator, all → auditor, Moldova") in trail(desk, "operator")


def test_a_disabled_account_is_out_at_once_and_comes_in_when_enabled(desk: Any) -> None:
    browser, operator = desk.visit("administrator"), desk.visit("operator")
    browser.post("/people/operator/state", state="disabled")
    assert operator.get("/me").status_code == 302
    assert operator.sign_in("operator").status_code == 401
    assert trail(desk, "operator")[-1] == ("sign-in refused", None, "disabled")
    browser.post("/people/operator/state", state="active")
    assert operator.sign_in("operator").status_code == 302


def test_nobody_shuts_themselves_out_or_gets_in_without_their_password(desk: Any) -> None:
    browser = desk.visit("administrator")
    assert browser.post("/people/administrator/reset").status_code == 422
    assert browser.post("/people/administrator/state", state="disabled").status_code == 422
    assert browser.post("/people/administrator", role="consumer").status_code == 422
    assert browser.get("/people").status_code == 200


def test_a_reset_gives_a_new_way_in_and_ends_all_others(desk: Any) -> None:
    browser, operator = desk.visit("administrator"), desk.visit("operator")
    password = shown_password(browser.post("/people/operator/reset").text)
    assert operator.get("/me").status_code == 302
    assert operator.sign_in("operator").status_code == 401
    assert operator.sign_in("operator", password).status_code == 302
    assert operator.get("/audit").location == "/me"


def test_a_changed_password_ends_all_other_sessions(desk: Any) -> None:
    browser, phone = desk.visit("operator"), desk.browser()
    phone.sign_in("operator")
    fresh = "eight dry boots"
    sent = browser.post("/me/password", current=PASSWORD, password=fresh, again=fresh)
    assert sent.location == "/me"
    assert "is changed" in browser.get("/me").text
    assert phone.get("/me").status_code == 302
    assert phone.sign_in("operator").status_code == 401
    assert phone.sign_in("operator", fresh).status_code == 302


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"current": "no"}, "This is not your password"),
        ({"again": "another thing"}, "The two are not the same"),
        ({"password": "short", "again": "short"}, "Between 12 and 128 characters"),
        ({"password": "the-operator-1980", "again": "the-operator-1980"}, "This is easily guessed"),
        ({"password": PASSWORD, "again": PASSWORD}, "This is the password you have"),
    ],
)
def test_a_password_is_not_changed_to_a_poor_one(fields: dict[str, str], words: str, desk: Any) -> None:
    browser, fresh = desk.visit("operator"), "eight dry boots"
    sent = browser.post("/me/password", **{"current": PASSWORD, "password": fresh, "again": fresh, **fields})
    assert sent.status_code == 422
    assert words in sent.text
    assert desk.people.verified("operator", PASSWORD, Caller())


def test_the_password_as_it_is_cannot_be_tried_for_ever(desk: Any) -> None:
    browser, fresh = desk.visit("operator"), "eight dry boots"
    for number in range(6):
        browser.post("/me/password", current=f"guess {number}", password=fresh, again=fresh)
    assert trail(desk, "operator")[-1][2] == "locked"


def test_the_audit_trail_is_shown_newest_first_and_by_account(desk: Any) -> None:
    desk.add("anna", "operator")
    browser = desk.visit("auditor")
    found = browser.get("/audit?login=anna").text
    assert re.findall(r"<td data-name=\"Event\">(account added|password changed|signed in)</td>", found) == [
        "password changed",
        "account added",
    ]
    assert "Nothing happened yet" in browser.get("/audit?login=nobody").text
    assert "10 Mar 2026, 10:00" in found, "by the clocks of the installation"


def test_only_places_that_are_for_them_are_shown(desk: Any) -> None:
    assert 'href="/people"' in desk.visit("administrator").get("/me").text
    found = desk.visit("auditor").get("/me").text
    assert 'href="/audit"' in found
    assert 'href="/people"' not in found


def test_an_error_is_a_page_with_what_to_do(desk: Any) -> None:
    browser = desk.visit("operator")
    assert "There is no such page" in browser.get("/no/such/page").text
    assert browser.get("/no/such/page").status_code == 404
    wrong_way = browser.get("/sign-out")
    assert (wrong_way.status_code, "This cannot be done here" in wrong_way.text) == (405, True)
    length = {"CONTENT_LENGTH": str(64 * 2**20 + 1), "CONTENT_TYPE": "multipart/form-data; boundary=x"}
    large = browser.client.post("/me/language", environ_overrides=length)
    assert (large.status_code, "The file is too large" in large.text) == (413, True)


def test_what_no_table_could_hold_is_not_understood(desk: Any) -> None:
    browser = desk.visit("auditor")
    found = [
        browser.get("/audit?login=%00"),
        browser.get("/audit?before=99999999999999999999"),
        desk.browser().sign_in("\0"),
    ]
    assert {one.status_code for one in found} == {400}
    assert all("This was not understood" in one.text for one in found)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ConflictError("version 3"), 409, "Somebody else was quicker"),
        (ZeroDivisionError("secret of ours"), 500, "Something went wrong"),
        (psycopg.OperationalError("server closed the connection"), 503, "The database does not answer"),
    ],
)
def test_what_goes_wrong_behind_a_page_is_said_without_its_innards(
    error: Exception, code: int, words: str, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = desk.visit("auditor")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(desk.rooms.accounts, "trail", fail)
    found = browser.get("/audit")
    assert found.status_code == code
    assert words in found.text
    assert str(error) not in found.text


def test_a_page_is_there_though_the_database_is_not(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = desk.visit("auditor")

    def away(*_: object) -> None:
        raise psycopg.OperationalError("server closed the connection")

    monkeypatch.setattr(desk.rooms.people, "signed_in", away)
    assert browser.get("/audit").status_code == 503


def console_says(desk: Any, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    parser = ArgumentParser()
    console.describe_person(parser)
    code = console.person(desk.accounts, parser.parse_args(arguments))
    said = capsys.readouterr()
    return code, said.out.strip(), said.err


def test_the_first_administrator_comes_from_the_command_line(
    desk: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, password, _ = console_says(desk, capsys, "add", "anna", "--role", "administrator")
    assert code == 0
    assert desk.people.verified("anna", password, Caller())
    assert trail(desk, "anna")[0] == ("account added", "command line", "administrator, all")
    code, out, error = console_says(desk, capsys, "add", "Anna", "--role", "operator", "--subtree", "A > B")
    assert (code, out) == (1, "")
    assert "expected a login that nobody has, found Anna" in error
    code, again, _ = console_says(desk, capsys, "reset", "ANNA")
    assert (code, desk.people.verified("anna", password, Caller())) == (0, None)
    assert desk.people.verified("anna", again, Caller())
    assert console_says(desk, capsys, "reset", "nobody")[0] == 1


def test_a_role_that_there_is_not_is_refused(desk: Any) -> None:
    with pytest.raises(PersonError, match="expected one of consumer"):
        desk.accounts.add("ion", "king", (), None, Caller())
