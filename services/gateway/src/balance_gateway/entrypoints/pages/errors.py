"""What a page says when there is none: in words, with what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable

from balance_chassis.errors import is_transient
from flask import Flask, g, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from psycopg import DataError
from werkzeug.exceptions import HTTPException

from balance_gateway.handlers import ConflictError, NothingThereError

_log = logging.getLogger(__name__)


def is_plain() -> bool:
    """Whether the page must do without knowing who asks: the database cannot tell."""
    return bool(g.get("plain", False))


def furnish(app: Flask, shown: Callable[..., str]) -> None:
    """Answer every error by a page."""

    def page(code: int) -> tuple[str, int]:
        title, advice = _words(code)
        return shown("error.html", title=title, advice=advice), code

    def refused(error: HTTPException) -> tuple[str, int]:
        return page(error.code or 500)

    def unforeseen(error: Exception) -> tuple[str, int]:
        if isinstance(error, DataError):  # a character or a number that no table could hold
            _log.warning("%s %s: %s", request.method, request.path, error)
            return page(400)
        g.plain = True
        if is_transient(error):
            _log.warning("%s %s: %s", request.method, request.path, error)
            return page(503)
        _log.error("%s %s failed", request.method, request.path, exc_info=error)
        return page(500)

    def forged(_error: CSRFError) -> tuple[str, int]:
        title = _("The form was not taken")
        advice = _("It had lain open too long. Go back, load the page again and send it once more.")
        return shown("error.html", title=title, advice=advice), 400

    app.register_error_handler(HTTPException, refused)
    app.register_error_handler(CSRFError, forged)
    app.register_error_handler(ConflictError, lambda _error: page(409))
    app.register_error_handler(NothingThereError, lambda _error: page(404))
    app.register_error_handler(Exception, unforeseen)


def _words(code: int) -> tuple[str, str]:
    """Title, and what to do."""
    words = {
        400: (_("This was not understood"), _("Check the address and what you typed.")),
        403: (_("This is not for your role"), _("If you need it for your work, ask an administrator.")),
        404: (
            _("There is no such page"),
            _("Check the address. Only objects of your own part are shown."),
        ),
        405: (_("This cannot be done here"), _("Go back and use the buttons of the page.")),
        409: (
            _("Somebody else was quicker"),
            _("It was changed meanwhile. Go back, load the page again, and look at it as it now is."),
        ),
        413: (_("The file is too large"), _("At most 64 MiB are taken. Split it into several files.")),
        503: (_("Please try again in a minute"), _("The database does not answer. Nothing was changed.")),
    }
    unforeseen = (
        _("Something went wrong"),
        _("It is our fault, and is noted. If it happens again, tell your administrator when."),
    )
    return words.get(code, unforeseen)
