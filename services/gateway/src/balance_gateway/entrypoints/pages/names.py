"""What roles, events and reasons are called on pages."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from balance_gateway.domain.people import Event, Role

ROLE_NAMES = {
    Role.CONSUMER: _("consumer"),
    Role.TECHNICIAN: _("technician"),
    Role.INSPECTOR: _("inspector"),
    Role.OPERATOR: _("operator"),
    Role.ADMINISTRATOR: _("administrator"),
    Role.AUDITOR: _("auditor"),
}
EVENT_NAMES = {
    Event.SIGNED_IN: _("signed in"),
    Event.SIGN_IN_REFUSED: _("sign-in refused"),
    Event.SIGNED_OUT: _("signed out"),
    Event.SIGNED_OUT_EVERYWHERE: _("signed out everywhere"),
    Event.REFUSED: _("access refused"),
    Event.ADDED: _("account added"),
    Event.CHANGED: _("account changed"),
    Event.DISABLED: _("account disabled"),
    Event.ENABLED: _("account enabled"),
    Event.PASSWORD_CHANGED: _("password changed"),
    Event.PASSWORD_RESET: _("account reset"),
    Event.SECOND_FACTOR_ENROLLED: _("second factor set up"),
}
REASON_NAMES = {
    "unknown login": _("unknown login"),
    "locked": _("locked after too many attempts"),
    "wrong password": _("wrong password"),
    "wrong code": _("wrong code, or used already"),
    "disabled": _("account is disabled"),
    "one-time password is too old": _("one-time password is too old"),
}
"""Why a sign-in was refused, as the audit trail has it."""
