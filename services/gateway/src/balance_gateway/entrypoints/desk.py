"""What every page has: its rooms, who may see it, its words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn, ParamSpec, cast

from balance_kernel.calendar import Calendar
from flask import Flask, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import Babel
from flask_login import LoginManager, UserMixin, current_user
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from balance_gateway.adapters.accounts import PostgresAccounts
from balance_gateway.adapters.catalogues import by_locale
from balance_gateway.adapters.people import PostgresPeople
from balance_gateway.domain.people import LOCALES, Account, Caller
from balance_gateway.entrypoints.pages import errors, names, navigation, words
from balance_gateway.handlers import Importing, Registering
from balance_gateway.ports import Reads

ROOMS = "balance"
P = ParamSpec("P")
Page = Callable[P, ResponseReturnValue]
_POLICY = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


@dataclass(frozen=True)
class Rooms:
    """What pages hand over to; `calendar` is that of the installation's metering days."""

    registering: Registering
    reads: Reads
    people: PostgresPeople
    accounts: PostgresAccounts
    calendar: Calendar
    importing: Importing


class Visitor(UserMixin):  # type: ignore[misc] # it has no types
    """Somebody who is signed in, by a session's token."""

    def __init__(self, token: str, account: Account) -> None:
        """Take both."""
        self.token, self.account = token, account

    def get_id(self) -> str:
        """What the browser holds."""
        return self.token


def rooms() -> Rooms:
    """Those of this application."""
    return cast(Rooms, current_app.extensions[ROOMS])


def shown(template: str, **values: Any) -> str:
    """A page."""
    return render_template(template, **values)


def visitor() -> Visitor | None:
    """Who is signed in by this request's session."""
    found = current_user._get_current_object()
    return found if isinstance(found, Visitor) else None


def person() -> Account:
    """Who is signed in. For pages that are `allowed`, where somebody is."""
    found = visitor()
    if found is None:
        abort(403)
    return found.account


def caller() -> Caller:
    """Who asks, for the audit trail."""
    found = visitor()
    return Caller(found.account.login if found else None, request.remote_addr)


def allowed(*roles: str) -> Callable[[Page[P]], Page[P]]:
    """Only people of these roles may; without any, all who are signed in. Who is not is sent to sign in;
    others are refused (403), which the audit trail has.
    """

    def guard(page: Page[P]) -> Page[P]:
        @wraps(page)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            found = visitor()
            if found is None:
                return cast(ResponseReturnValue, current_app.login_manager.unauthorized())  # type: ignore[attr-defined]
            if found.account.is_one_time and request.endpoint not in navigation.WITH_ONE_TIME_PASSWORD:
                return redirect(url_for("people.me"))
            if roles and found.account.role not in roles:
                refuse(403)
            return page(*args, **kwargs)

        guarded.allowed = roles  # type: ignore[attr-defined] # for the test that no page was forgotten
        return guarded

    return guard


def inside(path: Sequence[str] | None) -> bool:
    """Whether an object path (a list of nodes) lies in the subtree of who is signed in. For rows of a list; a
    page of one object says `held_inside`.
    """
    return person().may_see(path or ())


def held_inside(path: Sequence[str] | None) -> None:
    """Answer 404, as if there were no such object, unless it is `inside`; the audit trail has it."""
    if not inside(path):
        refuse(404)


def refuse(code: int) -> NoReturn:
    """Answer 403 or 404, and keep in the audit trail what was asked for."""
    rooms().people.refused(person(), f"{request.method} {request.path}"[:500], caller())
    abort(code)


def locale() -> str:
    """The language of this request: of the account, else as the browser asks."""
    found = None if errors.is_plain() else visitor()
    chosen = found.account.locale if found else None
    return chosen or request.accept_languages.best_match(LOCALES) or LOCALES[0]


def furnish(app: Flask, *, is_secure: bool) -> None:
    """Headers, errors, words and filters of every page."""
    app.config.setdefault("WTF_CSRF_TIME_LIMIT", None)  # a form lives as long as its session
    CSRFProtect(app)
    if is_secure:  # then one proxy is before us, and says where requests come from
        app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    Talisman(
        app,
        force_https=is_secure,
        session_cookie_secure=is_secure,
        strict_transport_security_include_subdomains=False,  # the other hosts of a utility are not ours
        frame_options="DENY",
        content_security_policy=_POLICY,
        referrer_policy="same-origin",
    )
    app.after_request(_keep_private)
    manager = LoginManager(app, add_context_processor=False)
    manager.session_protection = None  # the token is looked up; a phone changes its address
    manager.user_loader(_visitor_of)
    manager.unauthorized_handler(_to_sign_in)
    babel = Babel(app, locale_selector=locale)
    with app.app_context():
        for each, found in by_locale(LOCALES).items():
            babel.domain_instance.cache[each, babel.domain] = found
    _put_filters(app)
    errors.furnish(app, shown)
    app.context_processor(_in_every_page)


def _visitor_of(token: str) -> Visitor | None:
    account = rooms().people.signed_in(token)
    return Visitor(token, account) if account else None


def _to_sign_in() -> ResponseReturnValue:
    next_page = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("people.sign_in", next=next_page))


def _keep_private(response: Any) -> Any:
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _in_every_page() -> dict[str, Any]:
    found = None if errors.is_plain() else visitor()
    account = found.account if found else None
    return {
        "person": account,
        "language": locale(),
        "zone": rooms().calendar.zone,
        "navigation": navigation.places(current_app, account) if account else [],
        "can_find": navigation.can_find(current_app, account) if account else False,
        "role_names": names.ROLE_NAMES,
        "event_names": names.EVENT_NAMES,
        "reason_names": names.REASON_NAMES,
    }


def _put_filters(app: Flask) -> None:
    """`number`, `quantity`, `share`, `instant`, `day`, in the language of the request."""

    def number(value: Any, decimals: int | None = None, signed: bool = False) -> str:
        return words.number(value, locale(), decimals, signed=signed)

    def quantity(
        value: Any, unit: str, decimals: int | None = None, signed: bool = False, symbol: str | None = None
    ) -> str:
        return words.quantity(value, unit, locale(), decimals, signed=signed, symbol=symbol)

    def share(value: Any, decimals: int = 1, signed: bool = False) -> str:
        return words.share(value, locale(), decimals, signed=signed)

    def instant(value: Any) -> str:
        return words.instant(value, rooms().calendar.zone, locale())

    def day(value: Any) -> str:
        return words.day(value, rooms().calendar.zone, locale())

    app.jinja_env.filters.update(number=number, quantity=quantity, share=share, instant=instant, day=day)
