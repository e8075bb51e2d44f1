"""Signing in, one's own account, and the accounts of others."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, abort, current_app, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import login_user, logout_user
from itsdangerous import BadSignature, URLSafeTimedSerializer

from balance_gateway.adapters import credentials
from balance_gateway.domain.people import LOCALES, Account, PersonError, Role, path_of
from balance_gateway.entrypoints.desk import (
    Visitor,
    allowed,
    caller,
    inside,
    person,
    refuse,
    rooms,
    shown,
    visitor,
)
from balance_gateway.entrypoints.pages import navigation

room = Blueprint("people", __name__)
_BETWEEN_FACTORS = timedelta(minutes=5)


@room.get("/")
@allowed()
def start() -> ResponseReturnValue:
    """The first place there is for them."""
    places = navigation.places(current_app, person())
    return redirect(places[0].address if places else url_for("people.me"))


@room.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The form, or on to where they wanted."""
    if visitor():
        return redirect(_wanted())
    return shown("people/sign_in.html", next=_wanted())


@room.post("/sign-in")
def take_password() -> ResponseReturnValue:
    """The first factor."""
    login = request.form.get("login", "").strip()
    account = rooms().people.verified(login, request.form.get("password", ""), caller())
    if account is None:
        return shown("people/sign_in.html", next=_wanted(), login=login, is_refused=True), 401
    if account.has_second_factor:
        return shown("people/code.html", next=_wanted(), pending=_pending().dumps(account.id))
    return _signed_in(account)


@room.post("/sign-in/code")
def take_code() -> ResponseReturnValue:
    """The second factor, of somebody whose password was right just now."""
    pending = request.form.get("pending", "")
    try:
        account_id = _pending().loads(pending, max_age=int(_BETWEEN_FACTORS.total_seconds()))
    except BadSignature:
        return redirect(url_for("people.sign_in", next=_wanted()))
    account = rooms().people.by_id(account_id)
    if account is None:
        return redirect(url_for("people.sign_in", next=_wanted()))
    if not rooms().people.is_code_right(account, request.form.get("code", ""), caller()):
        return shown("people/code.html", next=_wanted(), pending=pending, is_refused=True), 401
    return _signed_in(account)


@room.post("/sign-out")
@allowed()
def sign_out() -> ResponseReturnValue:
    """End this session, or all of them."""
    found = visitor()
    if found and request.form.get("everywhere"):
        rooms().people.sign_out_everywhere(found.account, caller())
    elif found:
        rooms().people.sign_out(found.token, found.account, caller())
    _forget()
    return redirect(url_for("people.sign_in"))


@room.get("/me")
@allowed()
def me() -> ResponseReturnValue:
    """One's own account."""
    return _me()


@room.post("/me/password")
@allowed()
def change_password() -> ResponseReturnValue:
    """Another password; it ends all other sessions."""
    found, fresh = visitor(), request.form.get("password", "")
    if found is None:
        abort(403)
    if fresh != request.form.get("again", ""):
        return _me(_words_of("again", "again")), 422
    try:
        current = request.form.get("current", "")
        rooms().people.change_password(found.account, current, fresh, found.token, caller())
    except PersonError as error:
        return _me(_words_of(error.field, error.reason)), 422
    flash(_("Your password is changed. Wherever else you were signed in, you no longer are."))
    return redirect(url_for("people.start" if found.account.is_one_time else "people.me"))


@room.post("/me/language")
@allowed()
def choose_language() -> ResponseReturnValue:
    """The language of the pages, empty as the browser asks."""
    chosen = request.form.get("locale", "")
    rooms().people.choose_locale(person(), chosen if chosen in LOCALES else None)
    return redirect(url_for("people.me"))


@room.route("/me/second-factor", methods=["GET", "POST"])
@allowed()
def enroll() -> ResponseReturnValue:
    """A secret for an authenticator; asked for from the moment a code of it was right."""
    wrong: dict[str, str] = {}
    secret = session.get("second_factor") or credentials.new_secret()
    if request.method == "POST":
        code, password = request.form.get("code", ""), request.form.get("current", "")
        try:
            rooms().people.enroll(person(), secret, code, password, caller())
        except PersonError as error:
            wrong = _words_of(error.field, error.reason)
        else:
            session.pop("second_factor", None)
            flash(_("From now on you are asked for a code when you sign in."))
            return redirect(url_for("people.me"))
    session["second_factor"] = secret
    uri = credentials.enrolment_uri(secret, person().login)
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    page = shown("people/second_factor.html", secret=spaced, uri=uri, wrong=wrong)
    return page, 422 if wrong else 200


@room.route("/people", methods=["GET", "POST"])
@allowed(Role.ADMINISTRATOR)
def everybody() -> ResponseReturnValue:
    """All accounts of one's subtree; somebody new among them."""
    wrong: dict[str, str] = {}
    if request.method == "POST":
        login, subtree = request.form.get("login", "").strip(), path_of(request.form.get("subtree", ""))
        if not inside(subtree):
            wrong = _words_of("subtree", "outside")
        else:
            try:
                role, locale = request.form.get("role", ""), request.form.get("locale")
                password = rooms().accounts.add(login, role, subtree, locale, caller())
            except PersonError as error:
                wrong = _words_of(error.field, error.reason)
            else:
                return shown("people/password.html", login=login, password=password)
    accounts = [account for account in rooms().accounts.all() if inside(account.subtree)]
    page = shown("people/everybody.html", accounts=accounts, wrong=wrong, typed=request.form)
    return page, 422 if wrong else 200


@room.get("/people/<login>")
@allowed(Role.ADMINISTRATOR)
def somebody(login: str) -> ResponseReturnValue:
    """One account, and what happened to it."""
    return _somebody(_account(login))


@room.post("/people/<login>")
@allowed(Role.ADMINISTRATOR)
def change(login: str) -> ResponseReturnValue:
    """Another role or subtree."""
    account, subtree = _account(login), path_of(request.form.get("subtree", ""))
    if not inside(subtree):
        return _somebody(account, _words_of("subtree", "outside")), 422
    try:
        rooms().accounts.change(account, request.form.get("role", ""), subtree, caller())
    except PersonError as error:
        return _somebody(account, _words_of(error.field, error.reason)), 422
    flash(_("Saved."))
    return redirect(url_for("people.somebody", login=account.login))


@room.post("/people/<login>/state")
@allowed(Role.ADMINISTRATOR)
def enable_or_disable(login: str) -> ResponseReturnValue:
    """Let somebody in no more, or again."""
    account = _account(login)
    try:
        if request.form.get("state") == "disabled":
            rooms().accounts.disable(account, caller())
        else:
            rooms().accounts.enable(account, caller())
    except PersonError as error:
        return _somebody(account, _words_of(error.field, error.reason)), 422
    return redirect(url_for("people.somebody", login=account.login))


@room.post("/people/<login>/reset")
@allowed(Role.ADMINISTRATOR)
def reset(login: str) -> ResponseReturnValue:
    """A new one-time password, shown this once."""
    account = _account(login)
    try:
        password = rooms().accounts.reset(account, caller())
    except PersonError as error:
        return _somebody(account, _words_of(error.field, error.reason)), 422
    return shown("people/password.html", login=account.login, password=password)


@room.get("/audit")
@allowed(Role.ADMINISTRATOR, Role.AUDITOR)
def audit() -> ResponseReturnValue:
    """What happened to accounts, newest first."""
    if person().subtree:
        refuse(403)
    login = request.args.get("login", "").strip() or None
    before = request.args.get("before", type=int)
    events = rooms().accounts.trail(login, before)
    return shown("people/audit.html", events=events, login=login)


def _signed_in(account: Account) -> ResponseReturnValue:
    wanted, token = _wanted(), rooms().people.sign_in(account, caller())
    session.clear()  # nothing of who came before goes on
    login_user(Visitor(token, account))
    return redirect(wanted)


def _forget() -> None:
    logout_user()
    session.clear()


def _me(wrong: dict[str, str] | None = None) -> str:
    return shown("people/me.html", wrong=wrong or {}, locales=LOCALES)


def _somebody(account: Account, wrong: dict[str, str] | None = None) -> str:
    events = rooms().accounts.trail(account.login)
    return shown("people/somebody.html", account=account, events=events[:20], wrong=wrong or {})


def _account(login: str) -> Account:
    """That account, if it is in the subtree of who asks."""
    account = rooms().accounts.one(login)
    if account is None:
        abort(404)
    if not inside(account.subtree):
        refuse(404)
    return account


def _pending() -> URLSafeTimedSerializer:
    """Signs, for the time between two factors, whose password was right."""
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="between factors")


def _wanted() -> str:
    """Where they wanted to go: a page of ours, or the start."""
    found = request.values.get("next", "")
    is_ours = found.startswith("/") and found[1:2] not in ("/", "\\") and found.isprintable()
    return found if is_ours and not urlsplit(found).netloc else url_for("people.start")


def _words_of(field: str, reason: str) -> dict[str, str]:
    """What is wrong with a field, in words."""
    words = {
        "wrong": _("This is not your password, or you tried too often: after five times wait 15 minutes."),
        "same": _("This is the password you have. Choose another."),
        "again": _("The two are not the same. Type the new password twice."),
        "length": _("Between 12 and 128 characters. A few words that only you would put together are good."),
        "guessable": _("This is easily guessed: your login is in it, or few different characters."),
        "code": _("This is not the code that the authenticator shows now. Is the clock of the phone right?"),
        "login": _("A login has 2 to 64 letters, digits or . @ + - _"),
        "taken": _("Somebody has this login already. Choose another."),
        "role": _("Choose a role."),
        "locale": _("Choose a language."),
        "outside": _("This is not within your own part of the objects."),
        "own": _("This is your own account. Another administrator may change it."),
    }
    return {field: words[reason]}
