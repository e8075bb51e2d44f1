"""Signing in, and what every page has, as a browser sees it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pyotp
import pytest
from argon2 import PasswordHasher
from balance_gateway.adapters.credentials import Passwords
from balance_gateway.adapters.people import PostgresPeople
from balance_gateway.domain.people import Caller
from balance_gateway.entrypoints.http import make_app
from flask import Flask

pytestmark = pytest.mark.stack

PASSWORD = "seven wet gloves"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def plain(text: str) -> str:
    """A page without what differs by chance: the token of its form."""
    return re.sub(r'name="csrf_token" value="[^"]+"', "", text)


def trail(desk: Any, login: str | None) -> list[tuple[str, str | None]]:
    """Events of an account, oldest first, with what is told of them."""
    query = "SELECT event, detail FROM gateway.v_audit WHERE login IS NOT DISTINCT FROM %s ORDER BY number"
    return [tuple(row) for row in desk.house.rows(query, login)]


def code_at(desk: Any) -> str:
    return pyotp.TOTP(SECRET).at(desk.clock.now)


def enroll(desk: Any, login: str) -> None:
    """A second factor with the code of the step before."""
    account = desk.accounts.one(login)
    desk.people.enroll(account, SECRET, code_at(desk), PASSWORD, Caller())
    desk.clock.pass_by(seconds=30)


def test_who_is_signed_in_sees_the_page_they_wanted(desk: Any) -> None:
    desk.add("anna", "operator")
    browser = desk.browser()
    wanted = browser.get("/me?from=x")
    assert wanted.location == "/sign-in?next=/me?from%3Dx"
    done = browser.sign_in("ANNA", next="/me?from=x")
    assert (done.status_code, done.location) == (302, "/me?from=x")
    assert "<h1>anna</h1>" in browser.get(done.location).text


def test_a_wrong_password_is_answered_as_an_account_that_nobody_has(desk: Any) -> None:
    desk.add("anna", "operator")
    wrong = desk.browser().sign_in("anna", "not the password")
    nobody = desk.browser().sign_in("bobo", "not the password")
    assert (wrong.status_code, nobody.status_code) == (401, 401)
    assert plain(wrong.text) == plain(nobody.text).replace("bobo", "anna")
    assert trail(desk, "anna")[-1] == ("sign-in refused", "wrong password")
    assert trail(desk, None) == [("sign-in refused", "unknown login")]


def test_an_unknown_login_costs_the_same_work(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.add("anna", "operator")
    worked: list[bool] = []
    verify = PasswordHasher.verify

    def counted(hasher: PasswordHasher, stored: str, password: str) -> bool:
        worked.append(stored.startswith("$argon2id$"))
        return verify(hasher, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", counted)
    for login in ("anna", "nobody"):
        desk.people.verified(login, "not the password", Caller())
    assert worked == [True, True]


def test_five_failures_lock_for_a_quarter_of_an_hour(desk: Any) -> None:
    desk.add("anna", "operator")
    browser = desk.browser()
    for _ in range(5):
        last = browser.sign_in("anna", "not the password")
    locked = browser.sign_in("anna")
    assert locked.status_code == 401
    assert plain(locked.text) == plain(last.text)
    assert trail(desk, "anna")[-1] == ("sign-in refused", "locked")
    desk.clock.pass_by(minutes=14)
    assert browser.sign_in("anna").status_code == 401
    desk.clock.pass_by(minutes=1)
    assert browser.sign_in("anna").status_code == 302


def test_failures_before_a_success_are_forgotten(desk: Any) -> None:
    desk.add("anna", "operator")
    browser = desk.browser()
    for _ in range(2):
        for _ in range(4):
            browser.sign_in("anna", "not the password")
        assert browser.sign_in("anna").status_code == 302
        browser = desk.browser()


def test_many_at_once_are_no_more_than_five(desk: Any) -> None:
    desk.add("anna", "operator")
    with ThreadPoolExecutor(4) as crowd:
        guesses = [f"guess number {n}" for n in range(12)]
        list(crowd.map(lambda guess: desk.people.verified("anna", guess, Caller()), guesses))
    reasons = [str(reason) for event, reason in trail(desk, "anna") if event == "sign-in refused"]
    assert sorted(reasons) == ["locked"] * 7 + ["wrong password"] * 5


def test_an_attempt_counts_on_top_of_one_under_way(desk: Any, place: Any) -> None:
    desk.add("anna", "operator")
    waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(place.dsn) as other, ThreadPoolExecutor(1) as crowd:
        other.execute("UPDATE gateway.accounts SET failures = 4")
        attempt = crowd.submit(desk.people.verified, "anna", "not the password", Caller())
        while not desk.house.rows(waits):
            assert not attempt.done()
        other.commit()
        attempt.result()
    assert desk.house.rows("SELECT failures, locked_until IS NOT NULL FROM gateway.accounts") == [(5, True)]


def test_what_the_browser_had_before_signing_in_is_worth_nothing_after(desk: Any) -> None:
    desk.add("anna", "operator")
    planted, browser = desk.browser(), desk.browser()
    planted.get("/sign-in")
    before = planted.client.get_cookie("balance").value
    browser.client.set_cookie("balance", before)
    assert browser.sign_in("anna").status_code == 302
    assert browser.client.get_cookie("balance").value != before
    assert planted.get("/me").status_code == 302
    assert desk.house.rows("SELECT count(*) FROM gateway.sessions") == [(1,)]


def test_what_somebody_left_in_the_browser_is_not_handed_to_the_next(desk: Any) -> None:
    desk.add("anna", "operator")
    browser = desk.visit("technician")
    secret = re.compile(r'class="secret">([^<]+)<')
    left = secret.findall(browser.get("/me/second-factor").text)
    assert secret.findall(browser.get("/me/second-factor").text) == left
    desk.clock.pass_by(minutes=30)
    browser.sign_in("anna")
    assert secret.findall(browser.get("/me/second-factor").text) != left


def test_a_session_signed_by_another_key_is_nobodys(desk: Any) -> None:
    desk.add("anna", "operator")
    forger = make_app(desk.rooms, "another key, of 32 characters or more", is_secure=False)
    token = desk.people.sign_in(desk.accounts.one("anna"), Caller())
    signer = forger.session_interface.get_signing_serializer(forger)  # type: ignore[attr-defined]
    browser = desk.browser()
    browser.client.set_cookie("balance", signer.dumps({"_user_id": token}))
    assert browser.get("/me").status_code == 302


def test_a_session_ends_when_nobody_came_for_half_an_hour(desk: Any) -> None:
    browser = desk.visit("operator")
    desk.clock.pass_by(minutes=29)
    assert browser.get("/me").status_code == 200
    desk.clock.pass_by(minutes=29)
    assert browser.get("/me").status_code == 200
    desk.clock.pass_by(minutes=30)
    assert browser.get("/me").location.startswith("/sign-in")
    desk.clock.pass_by(minutes=-20)
    assert browser.get("/me").status_code == 302, "it is gone, whatever the clock says"


def test_a_session_ends_after_twelve_hours(desk: Any) -> None:
    browser = desk.visit("operator")
    for _ in range(35):
        desk.clock.pass_by(minutes=20)
        assert browser.get("/me").status_code == 200
    desk.clock.pass_by(minutes=20)
    assert browser.get("/me").status_code == 302


def test_signing_out_ends_the_session_in_every_copy_of_the_cookie(desk: Any) -> None:
    browser, thief, phone = desk.visit("operator"), desk.browser(), desk.browser()
    phone.sign_in("operator")
    thief.client.set_cookie("balance", browser.client.get_cookie("balance").value)
    assert thief.get("/me").status_code == 200
    assert browser.post("/sign-out").location == "/sign-in"
    assert [one.get("/me").status_code for one in (browser, thief, phone)] == [302, 302, 200]
    phone.post("/sign-out", everywhere="yes")
    assert trail(desk, "operator")[-2:] == [("signed out", None), ("signed out everywhere", None)]


def test_signing_out_everywhere_ends_all(desk: Any) -> None:
    browser, phone = desk.visit("operator"), desk.browser()
    phone.sign_in("operator")
    browser.post("/sign-out", everywhere="yes")
    assert [one.get("/me").status_code for one in (browser, phone)] == [302, 302]


def test_a_second_factor_is_asked_for_and_each_code_taken_once(desk: Any) -> None:
    desk.add("anna", "operator")
    enroll(desk, "anna")
    browser = desk.browser()

    def give_code(code: str) -> Any:
        asked = browser.sign_in("anna", next="/me")
        pending = re.search(r'name="pending" value="([^"]+)"', asked.text)
        assert asked.status_code == 200
        assert pending
        assert browser.get("/me").status_code == 302
        return browser.post("/sign-in/code", on="/sign-in", pending=pending[1], code=code, next="/me")

    used = code_at(desk)
    assert give_code("000000").status_code == 401
    assert give_code(used).location == "/me"
    assert browser.get("/me").status_code == 200
    browser.post("/sign-out")
    assert give_code(used).status_code == 401, "a code that was seen on the way is of no use"
    desk.clock.pass_by(seconds=30)
    assert give_code(code_at(desk)).status_code == 302
    assert ("sign-in refused", "wrong code") in trail(desk, "anna")


def test_codes_cannot_be_tried_for_ever(desk: Any) -> None:
    desk.add("anna", "operator")
    enroll(desk, "anna")
    account = desk.accounts.one("anna")
    for _ in range(5):
        assert desk.people.verified("anna", PASSWORD, Caller())
        assert not desk.people.is_code_right(account, "000000", Caller())
    assert desk.people.verified("anna", PASSWORD, Caller()) is None
    assert not desk.people.is_code_right(account, code_at(desk), Caller())


def test_a_code_without_the_password_before_it_is_refused(desk: Any) -> None:
    desk.add("anna", "operator")
    enroll(desk, "anna")
    sent = desk.browser().post("/sign-in/code", on="/sign-in", pending="1", code=code_at(desk))
    assert sent.location.startswith("/sign-in")


def test_a_second_factor_is_set_up_by_its_first_code_and_the_password(desk: Any) -> None:
    browser = desk.visit("operator")
    page = browser.get("/me/second-factor").text
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page)
    assert secret
    assert "otpauth://totp/BALANCE:operator?secret=" in page
    totp = pyotp.TOTP(secret[1].replace(" ", ""))
    sent = {"on": "/me/second-factor", "code": totp.at(desk.clock.now)}
    assert browser.post("/me/second-factor", current="wrong", **sent).status_code == 422
    assert "not the code" in browser.post("/me/second-factor", **sent | {"code": "1"}, current=PASSWORD).text
    assert browser.post("/me/second-factor", current=PASSWORD, **sent).location == "/me"
    assert desk.accounts.one("operator").has_second_factor


def test_a_hash_of_other_parameters_is_made_anew(desk: Any) -> None:
    desk.add("anna", "operator")
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    people = PostgresPeople(desk.house.pool, dearer, desk.clock)
    assert people.verified("anna", PASSWORD, Caller())
    ((stored,),) = desk.house.rows("SELECT password_hash FROM gateway.accounts")
    assert "m=16,t=2,p=1" in stored
    assert people.verified("anna", PASSWORD, Caller())


def test_a_form_from_elsewhere_is_refused(desk: Any) -> None:
    browser = desk.visit("operator")
    for token in ("", "IjEi.x.y"):
        sent = browser.client.post("/me/language", data={"locale": "ru", "csrf_token": token})
        assert sent.status_code == 400
        assert "The form was not taken" in sent.text
    assert desk.accounts.one("operator").locale == "en"


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil.example",
     "/\t/evil.example", "\\\\evil.example", "/me\r\nX: y"],
)  # fmt: skip
def test_nobody_is_sent_elsewhere(address: str, desk: Any) -> None:
    desk.add("anna", "operator")
    assert desk.browser().sign_in("anna", next=address).location == "/"


def test_markup_in_what_was_typed_is_text(desk: Any) -> None:
    evil = "<script>alert(1)</script>\"'"
    found = desk.browser().sign_in(evil, "not the password").text
    assert "<script>" not in found
    assert "&lt;script&gt;alert(1)" in found
    added = desk.visit("administrator").post("/people", login=evil, role="operator", subtree=evil)
    assert added.status_code == 422
    assert "<script>" not in added.text


def test_every_page_says_what_a_browser_may_do_with_it(desk: Any) -> None:
    found = desk.browser().get("/sign-in").headers
    assert found["Content-Security-Policy"] == (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
    assert found["X-Frame-Options"] == "DENY"
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["Referrer-Policy"] == "same-origin"
    assert found["Cross-Origin-Opener-Policy"] == "same-origin"
    assert found["Cache-Control"] == "no-store"
    with desk.browser().get("/static/style.css") as style:
        assert "no-store" not in style.headers["Cache-Control"]


def test_cookies_go_by_https_alone_where_people_do(desk: Any) -> None:
    app: Flask = make_app(desk.rooms, "k" * 32, is_secure=True)
    client = app.test_client()
    assert client.get("/sign-in").location == "https://localhost/sign-in"
    found = client.get("/sign-in", headers={"X-Forwarded-Proto": "https"})
    cookie = found.headers["Set-Cookie"]
    assert cookie.startswith("__Host-balance=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert found.headers["Strict-Transport-Security"] == "max-age=31556926"


@pytest.mark.parametrize(("is_secure", "address"), [(True, "203.0.113.7"), (False, "127.0.0.1")])
def test_an_address_is_believed_of_a_proxy_alone(is_secure: bool, address: str, desk: Any) -> None:
    client = make_app(desk.rooms, "k" * 32, is_secure=is_secure).test_client()
    said = {"X-Forwarded-For": "198.51.100.1, 203.0.113.7", "X-Forwarded-Proto": "https"}
    if is_secure:
        said["Referer"] = "https://localhost/sign-in"
    token = re.search(r'csrf_token" value="([^"]+)', client.get("/sign-in", headers=said).text)
    assert token
    form = {"login": "nobody", "password": "x", "csrf_token": token[1]}
    base = "https://localhost" if is_secure else None
    assert client.post("/sign-in", data=form, headers=said, base_url=base).status_code == 401
    assert desk.house.rows("SELECT address FROM gateway.v_audit") == [(address,)]


def test_no_template_has_a_script_or_style_of_its_own(desk: Any) -> None:
    for name in desk.app.jinja_env.list_templates():
        source = desk.app.jinja_env.loader.get_source(desk.app.jinja_env, name)[0]
        assert not re.search(
            r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)|https?://|\|\s*safe", source
        ), name


def test_no_page_was_left_open(desk: Any) -> None:
    open_ = {name for name, view in desk.app.view_functions.items() if not hasattr(view, "allowed")}
    assert open_ == {"static", "people.sign_in", "people.take_password", "people.take_code"}


@pytest.mark.parametrize("locale", ["ro", "ru"])
def test_pages_speak_as_the_browser_asks_and_then_as_the_account_says(locale: str, desk: Any) -> None:
    title = {"ro": "Intrare", "ru": "Войти"}[locale]
    asked = {"Accept-Language": f"de, {locale};q=0.8, en;q=0.5"}
    assert f'<html lang="{locale}">' in desk.browser().get("/sign-in", headers=asked).text
    assert f"<h1>{title}</h1>" in desk.browser().get("/sign-in", headers=asked).text
    browser = desk.visit("operator")
    assert '<html lang="en">' in browser.get("/me", headers=asked).text
    browser.post("/me/language", locale=locale)
    assert f'<html lang="{locale}">' in browser.get("/me").text
    browser.post("/me/language", locale="tlh")
    assert f'<html lang="{locale}">' in browser.get("/me", headers=asked).text


@pytest.mark.parametrize("statement", ["UPDATE gateway.audit SET login = 'x'", "DELETE FROM gateway.audit"])
def test_the_audit_trail_is_only_ever_added_to(statement: str, desk: Any) -> None:
    desk.add("anna", "operator")
    with pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
        desk.house.conn.execute(statement)


@pytest.mark.parametrize("table", ["v_audit", "audit", "accounts", "sessions"])
def test_who_reads_tables_does_not_read_about_people(table: str, desk: Any) -> None:
    query = "SELECT has_table_privilege('balance_reader', %s, 'SELECT')"
    assert desk.house.rows(query, f"gateway.{table}") == [(False,)]
    assert desk.house.rows(query, "gateway.v_changes") == [(True,)]
