"""Entities as people write them, and a register on a real database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from argon2 import PasswordHasher
from balance_chassis.migrations import migrate
from balance_chassis.postgres import make_pool
from balance_chassis.testing import Installation
from balance_gateway.adapters import files
from balance_gateway.adapters.accounts import PostgresAccounts
from balance_gateway.adapters.credentials import Passwords
from balance_gateway.adapters.people import PostgresPeople
from balance_gateway.adapters.postgres import PostgresRegister
from balance_gateway.adapters.queries import SCHEMA
from balance_gateway.adapters.reads import PostgresReads
from balance_gateway.adapters.uploads import PostgresUploads
from balance_gateway.bootstrap import readers
from balance_gateway.domain.changes import Author
from balance_gateway.domain.checking import Known, problems_of
from balance_gateway.domain.kinds import (
    BALANCE_GROUP,
    CONCENTRATOR,
    MODULE,
    READING_EDIT,
    USAGE_POINT,
    Entity,
)
from balance_gateway.domain.people import Caller
from balance_gateway.domain.problems import Problem
from balance_gateway.entrypoints.desk import Rooms
from balance_gateway.entrypoints.http import make_app
from balance_gateway.handlers import Importing, Registering, Written
from balance_kernel.calendar import Calendar
from flask import Flask
from flask.testing import FlaskClient
from psycopg_pool import ConnectionPool
from werkzeug.test import TestResponse

SINCE = "2024-10-01T00:00:00+03:00"
SINCE_MS = 1_727_730_000_000
CALENDAR = Calendar("Europe/Chisinau")
ANNA = Author("anna", "form", "as agreed")


class Described:
    """Entities as people write them, and what is wrong with them."""

    @staticmethod
    def meter(**changes: Any) -> dict[str, Any]:
        return {
            "meter_number": "1",
            "fitted_at": SINCE,
            "accuracy_class_ppm": 15000,
            "pulse_weight": 10,
            "register_digits": 8,
            "q_max": 6_000_000,
            **changes,
        }

    @staticmethod
    def usage_point(name: str = "UP-1", **changes: Any) -> Written:
        channel = {"module_id": f"m-{name}", "channel": 0, "fitted_at": SINCE}
        fields = {
            "usage_point_id": name,
            "resource": "GAS",
            "meters": [Described.meter()],
            "channels": [channel],
        }
        return Written(USAGE_POINT, fields | changes)

    @staticmethod
    def group(*members: str, name: str = "G-1", **changes: Any) -> Written:
        memberships = [
            {"usage_point_id": point, "role": "MEMBER" if number else "SUPPLY", "valid_from": SINCE}
            for number, point in enumerate(members)
        ]
        fields = {"group_id": name, "resource": "GAS", "name": "House", "members": memberships}
        return Written(BALANCE_GROUP, fields | changes)

    @staticmethod
    def setting(mode: str = "DAILY", at: Any = SINCE, concentrator: str | None = "J-1") -> dict[str, Any]:
        return {"valid_from": at, "packet_mode": mode, "concentrator_id": concentrator}

    @staticmethod
    def module(name: str = "M-1", **changes: Any) -> Written:
        battery = {"battery_type": "ER26500", "fitted_at": SINCE}
        return Written(
            MODULE, {"module_id": name, "settings": [Described.setting()], "batteries": [battery]} | changes
        )

    @staticmethod
    def concentrator(name: str = "J-1", **changes: Any) -> Written:
        plan = {"valid_from": SINCE, "session_plan": "DAILY"}
        fields = {"concentrator_id": name, "variant": "MAINS", "sim_payer": "UTILITY", "settings": [plan]}
        return Written(CONCENTRATOR, fields | changes)

    @staticmethod
    def edit(name: str = "E-1", **changes: Any) -> Written:
        """Two hours put in."""
        told = {
            "edit_id": name,
            "action": "EDIT",
            "usage_point_id": "UP-1",
            "start_at": "2026-03-10T00:00:00+02:00",
            "end_at": "2026-03-10T02:00:00+02:00",
            "values": [120, 80],
            "reason": "METER_CHECKED",
            "decided_by": "operator-7",
            "decided_at": "2026-03-12T09:30:00+02:00",
        }
        return Written(READING_EDIT, told | changes)

    @staticmethod
    def read(
        *written: Written, standing: Mapping[str, Any] | None = None, calendar: Calendar = CALENDAR
    ) -> tuple[list[Entity], list[Problem]]:
        """Entities as they are read, each by itself, and what is wrong with their shape."""
        reader = readers(calendar)
        entities: list[Entity] = []
        problems: list[Problem] = []
        for one in written:
            name = one.fields.get(one.kind.id_field, "?") if isinstance(one.fields, dict) else "?"
            entity, wrong = reader(one.kind).read(one.fields, f"{one.kind.word}/{name}", standing)
            entities += [entity] if entity else []
            problems += wrong
        return entities, problems

    @staticmethod
    def wrong(*written: Written, known: Known | None = None, calendar: Calendar = CALENDAR) -> str:
        """What is wrong with them, by themselves or together, a line each; empty when nothing is."""
        entities, problems = Described.read(*written, calendar=calendar)
        problems = problems or problems_of(entities, known or Known(), calendar)
        return "\n".join(map(str, problems))


@pytest.fixture
def a() -> type[Described]:
    """To be read as it stands: `a.usage_point()`."""
    return Described


@dataclass
class House:
    """The register, and its database to look at."""

    registering: Registering
    register: PostgresRegister
    conn: psycopg.Connection[Any]
    pool: ConnectionPool[psycopg.Connection[Any]]

    def import_all(self, *written: Written, **options: Any) -> list[str]:
        """Import; subjects of what was changed. Problems fail the test."""
        found = self.registering.import_all(written, ANNA, **options)
        assert not found.problems, "\n".join(map(str, found.problems))
        return [change.entity.subject for change in found.changes]

    def refused(self, *written: Written) -> str:
        """Import what is wrong; the words."""
        found = self.registering.import_all(written, ANNA)
        assert not found.changes
        return "\n".join(map(str, found.problems))

    def rows(self, query: str, *parameters: Any) -> Sequence[Any]:
        """Rows of a query."""
        return self.conn.execute(query, parameters).fetchall()


@pytest.fixture(scope="module")
def place(new_installation: Callable[..., Installation]) -> Installation:
    found = new_installation()
    migrate(found.dsn, SCHEMA, "balance_gateway", CALENDAR)
    return found


@pytest.fixture
def house(place: Installation) -> Iterator[House]:
    """An empty register."""
    with (
        psycopg.connect(place.dsn, autocommit=True) as conn,
        make_pool(place.settings().postgres, SCHEMA) as pool,
    ):
        conn.execute("ALTER TABLE gateway.changes DISABLE TRIGGER ALL")
        conn.execute("TRUNCATE gateway.entities, gateway.links, gateway.changes, gateway.outbox")
        conn.execute("ALTER TABLE gateway.changes ENABLE TRIGGER ALL")
        register = PostgresRegister(pool)
        yield House(Registering(register, readers(CALENDAR), CALENDAR), register, conn, pool)


CHEAP = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PASSWORD = "seven wet gloves"


class Clock:
    """Says what time it is; tests move it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 10, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


class Browser:
    """Somebody's browser: keeps cookies, sends forms as the page they are on has them."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, address: str, **options: Any) -> TestResponse:
        return self.client.get(address, **options)

    def post(self, address: str, *, on: str = "/me", **fields: Any) -> TestResponse:
        """Send a form with the token of the page `on`; a file as (stream, name)."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(on).text)
        return self.client.post(address, data={"csrf_token": found[1] if found else "", **fields})

    def sign_in(self, login: str, password: str = PASSWORD, **fields: Any) -> TestResponse:
        return self.post("/sign-in", on="/sign-in", login=login, password=password, **fields)


class Desk:
    """The pages on an empty database."""

    def __init__(self, house: House) -> None:
        self.house, self.clock = house, Clock()
        self.people = PostgresPeople(house.pool, CHEAP, self.clock)
        self.accounts = PostgresAccounts(house.pool, CHEAP, self.clock)
        reads = PostgresReads(house.pool)
        importing = Importing(house.registering, PostgresUploads(house.pool), files.read)
        self.rooms = Rooms(house.registering, reads, self.people, self.accounts, CALENDAR, importing)
        self.app: Flask = make_app(self.rooms, "k" * 32, is_secure=False)
        self.app.testing = True
        self.app.config["PROPAGATE_EXCEPTIONS"] = False

    def add(self, login: str, role: str, *subtree: str) -> None:
        """An account with a password of its own."""
        password = self.accounts.add(login, role, subtree, "en", Caller())
        account, token = self.accounts.one(login), ""
        assert account
        self.people.change_password(account, password, PASSWORD, token, Caller())

    def browser(self) -> Browser:
        """Of nobody yet."""
        return Browser(self.app.test_client())

    def visit(self, role: str, *subtree: str) -> Browser:
        """The browser of somebody of that role who is signed in; the login is the role."""
        self.add(role, role, *subtree)
        browser = self.browser()
        assert browser.sign_in(role).status_code == 302
        return browser


@pytest.fixture
def desk(house: House) -> Desk:
    """Pages without an account: `desk.visit("operator", "Region").get("/groups")`."""
    house.conn.execute("ALTER TABLE gateway.audit DISABLE TRIGGER ALL")
    house.conn.execute("TRUNCATE gateway.accounts, gateway.sessions, gateway.audit")
    house.conn.execute("ALTER TABLE gateway.audit ENABLE TRIGGER ALL")
    return Desk(house)
