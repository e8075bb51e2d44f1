"""Entities as people write them, and a register on a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from balance_chassis.migrations import migrate
from balance_chassis.postgres import make_pool
from balance_chassis.testing import Installation
from balance_gateway.adapters.postgres import PostgresRegister
from balance_gateway.adapters.queries import SCHEMA
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
from balance_gateway.domain.problems import Problem
from balance_gateway.handlers import Registering, Written
from balance_kernel.calendar import Calendar

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
        yield House(Registering(register, readers(CALENDAR), CALENDAR), register, conn)
