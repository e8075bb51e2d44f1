"""The door for people: one Flask application of pages by room."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, Flask

from balance_gateway.entrypoints import desk
from balance_gateway.entrypoints.desk import Rooms
from balance_gateway.entrypoints.pages import devices, groups, imports, parked, people, points, register

PAGES: Sequence[Blueprint] = (
    people.room,
    groups.room,
    register.room,
    points.room,
    devices.room,
    parked.room,
    imports.room,
)
_LARGEST_UPLOAD = 64 * 1024 * 1024


def make_app(rooms: Rooms, secret_key: str, *, is_secure: bool) -> Flask:
    """The application; `is_secure` when people reach it by HTTPS, as they must but on one machine."""
    app = Flask("balance_gateway")
    app.config.update(
        SECRET_KEY=secret_key,
        MAX_CONTENT_LENGTH=_LARGEST_UPLOAD,
        SESSION_COOKIE_SECURE=is_secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_NAME="__Host-balance" if is_secure else "balance",
    )
    app.extensions[desk.ROOMS] = rooms
    desk.furnish(app, is_secure=is_secure)
    for page in PAGES:
        app.register_blueprint(page)
    return app
