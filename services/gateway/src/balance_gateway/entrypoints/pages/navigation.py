"""Where people can go from every page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from flask import Flask
from flask_babel import lazy_gettext as _

from balance_gateway.domain.people import Account, Role

STAFF = (Role.TECHNICIAN, Role.INSPECTOR, Role.OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR)
WITH_ONE_TIME_PASSWORD = ("people.me", "people.change_password", "people.choose_language", "people.sign_out")
"""Pages of somebody who has yet to choose a password."""
FIND = "/find"


class Place(NamedTuple):
    """A page, what it is called, and for whom it is."""

    address: str
    name: str
    roles: Sequence[Role]


PLACES = (
    Place("/groups", _("Groups"), STAFF),
    Place("/objects", _("Objects"), STAFF),
    Place("/changes", _("Changes"), (Role.OPERATOR, Role.ADMINISTRATOR, Role.AUDITOR)),
    Place("/import", _("Import"), (Role.OPERATOR, Role.ADMINISTRATOR)),
    Place("/people", _("People"), (Role.ADMINISTRATOR,)),
    Place("/audit", _("Audit"), (Role.ADMINISTRATOR, Role.AUDITOR)),
)


def places(app: Flask, account: Account) -> Sequence[Place]:
    """Those that are for somebody, of the pages there are; none before they have chosen a password."""
    if account.is_one_time:
        return []
    return [place for place in PLACES if account.role in place.roles and _is_there(app, place.address)]


def can_find(app: Flask, account: Account) -> bool:
    """Whether they can look for something."""
    return not account.is_one_time and account.role in STAFF and _is_there(app, FIND)


def _is_there(app: Flask, address: str) -> bool:
    return any(rule.rule == address for rule in app.url_map.iter_rules())
