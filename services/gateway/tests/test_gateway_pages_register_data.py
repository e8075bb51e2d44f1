"""Pages of the register with what ingest heard: a usage point, modules, concentrators, parked channels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from balance_chassis.migrations import migrate
from balance_chassis.postgres import ensure_partitions
from balance_chassis.testing import Installation
from balance_gateway.adapters.queries import SCHEMA
from balance_kernel.calendar import Calendar

pytestmark = pytest.mark.stack
CALENDAR = Calendar("Europe/Chisinau")
HOME = ["Moldova", "Ialoveni", "5"]
NOW = datetime(2026, 3, 12, 6, tzinfo=UTC)
DAY_STARTS = [datetime(2026, 3, day, 22, tzinfo=UTC) for day in (8, 9, 10)]


@pytest.fixture(scope="module")
def place(new_installation: Callable[..., Installation]) -> Installation:
    found = new_installation(topics=())
    for service in ("ingest", SCHEMA):
        migrate(found.dsn, service, f"balance_{service}", CALENDAR)
    with psycopg.connect(found.dsn) as conn:
        _heard(conn)
    return found


def _heard(conn: psycopg.Connection[Any]) -> None:
    """What ingest knows: M-1 of HOME reported three days, the last one half; M-7 is parked; J-2 is silent."""
    ensure_partitions(conn, "ingest.evidence_days", DAY_STARTS)
    ensure_partitions(conn, "ingest.module_states", [NOW])
    second = int(NOW.timestamp())
    conn.execute("UPDATE ingest.clock SET received_at = %s, due_before = %s", [second, second])
    conn.execute(
        "INSERT INTO ingest.channels (module_id, channel) VALUES ('M-1', 1), ('M-7', 2)",
    )
    conn.execute(
        "INSERT INTO ingest.usage_points (usage_point_id, version, resource, meters, fittings)"
        " VALUES ('HOME', 1, 1, '[]', '[]')"
    )
    conn.execute("INSERT INTO ingest.channel_fittings VALUES (1, 1, 'M-1', 1, 0, 9999999999)")
    conn.execute(
        "INSERT INTO ingest.modules_heard VALUES ('M-1', %(at)s, 'J-1'), ('M-7', %(at)s, 'J-1')",
        {"at": second},
    )
    conn.execute(
        "INSERT INTO ingest.concentrators_heard VALUES ('J-1', %s), ('J-2', %s)", [second, second - 10**6]
    )
    for number, start in enumerate(DAY_STARTS):
        at = int(start.timestamp())
        conn.execute("INSERT INTO ingest.metering_days VALUES (%s, %s, %s)", [start, at, at + 86_400])
        values = [3] * (24 if number < 2 else 12) + [None] * (0 if number < 2 else 12)
        conn.execute(
            "INSERT INTO ingest.evidence_days (channel_id, day_start, step_s, values, register_end)"
            " VALUES (1, %s, 3600, %s, %s)",
            [start, values, 481_200 + number if number < 2 else None],
        )
    for module, battery in (("M-1", 3580), ("M-7", 3300)):
        state = {"module": module, "at": NOW, "battery": battery}
        for table in ("module_states", "latest_module_states"):
            conn.execute(
                f"INSERT INTO ingest.{table} (module_id, observed_at, received_at, sequence, battery_mv,"
                " signal_dbm, concentrator_id, packet_mode, firmware) VALUES (%(module)s, %(at)s, %(at)s, 1,"
                " %(battery)s, -87, 'J-1', 'DAILY', '18')",
                state,
            )
    conn.execute(
        "INSERT INTO ingest.sessions VALUES"
        " ('J-1', 'p1', %(at)s, 1, %(at)s, 0, %(from)s, 12100, 7, 2, -71, 0, 'MAINS')",
        {"at": NOW, "from": NOW - timedelta(days=9)},
    )
    about: list[tuple[Any, ...]] = [
        ("vee.missing", "HOME", "M-1", 1, None, "Twelve <hours> did not come"),
        ("vee.unknown_channel", None, "M-7", 2, None, "Nobody registered it"),
        ("delivery.silent_concentrator", None, None, None, "J-2", "J-2 is silent"),
    ]
    for rule, point, number, channel, gathering, message in about:
        conn.execute(
            "INSERT INTO ingest.findings (finding_id, rule, severity, usage_point_id, module_id, channel_id,"
            " concentrator_id, interval_start, interval_end, expected, found, message)"
            " VALUES (%s, %s, 2, %s, %s, %s, %s, %s, %s, '24', '12', %s)",
            [rule, rule, point, number, channel, gathering, DAY_STARTS[0], NOW, message],
        )


@pytest.fixture
def operator(a: Any, house: Any, desk: Any) -> Any:
    channel = {"module_id": "M-1", "channel": 1, "fitted_at": "2024-10-01"}
    house.import_all(
        a.concentrator(object_path=HOME[:2]),
        a.concentrator("J-2", sim_payer="CUSTOMER"),
        a.module(settings=[a.setting("INTRADAY_15")]),
        a.usage_point("HOME", object_path=HOME, meters=[a.meter(pulse_weight=10_000)], channels=[channel]),
    )
    return desk.visit("operator")


def test_a_usage_point_says_how_it_stands(operator: Any) -> None:
    found = operator.get("/p/HOME").text
    for words in (
        "Reports daily.",
        "Last came 11 Mar 2026, 12 of 24 h.",
        "Register 004812.01 m³.",
        "Findings open: 1.",
        "uncertain",
        "Twelve &lt;hours&gt; did not come",
        "12/24",
        'class="unsure"',
    ):
        assert words in found, words


def test_a_module_and_its_concentrator_tell_how_they_were_heard(operator: Any) -> None:
    module = operator.get("/m/M-1").text
    for words in ("Reports daily.", "-87 dBm", "3.58 V", "/p/HOME", "/c/J-1", "12/24", "every 15 minutes"):
        assert words in module, words
    unknown = operator.get("/m/M-7").text
    assert "The register does not describe it." in unknown
    assert "No usage point names it" in unknown
    gathering = operator.get("/c/J-1").text
    for words in ("7 packets", "12.10 V", "96 of 240 packets a day", "/m/M-1", "/m/M-7", "Moldova", "mains"):
        assert words in gathering, words
    silent = operator.get("/c/J-2").text
    for words in ("Silent since 9 Mar 2026.", "act now", "J-2 is silent", "the customer", "It never called."):
        assert words in silent, words


@pytest.mark.usefixtures("operator")
def test_what_a_subtree_hears_is_its_own(desk: Any) -> None:
    inside, outside = desk.visit("technician", *HOME[:1]), desk.visit("inspector", "Romania")
    assert "M-7" in inside.get("/parked").text
    assert "M-7" not in outside.get("/parked").text
    assert (inside.get("/m/M-7").status_code, outside.get("/m/M-7").status_code) == (200, 404)
    assert (inside.get("/c/J-1").status_code, outside.get("/c/J-1").status_code) == (200, 404)
    assert inside.get("/c/J-2").status_code == 404


NEW = {
    "how": "new",
    "usage_point_id": "NEW-1",
    "fitted_at": "2026-03-09T00:00",
    "resource": "GAS",
    "object_path": " > ".join(HOME),
    "meter_number": "77",
    "initial_register": "12.5",
    "accuracy_class": "1.5",
    "register_digits": "8",
    "pulse_weight": "10",
    "q_max": "6",
}


def test_a_parked_channel_is_registered_for_a_new_point(house: Any, operator: Any) -> None:
    at = "/parked/2/M-7"
    assert at in operator.get("/parked").text
    form = operator.get(at).text
    assert 'value="2026-03-09T00:00"' in form
    wrong = operator.post(at, on=at, **{**NEW, "accuracy_class": "good", "meter_number": ""})
    assert wrong.status_code == 422
    assert "expected a class such as 1.5, found good" in wrong.text
    assert "expected the number on the meter, found nothing" in wrong.text
    taken = operator.post(at, on=at, **{**NEW, "usage_point_id": "HOME"})
    assert (taken.status_code, "HOME is on the register already" in taken.text) == (422, True)
    assert operator.post(at, on=at, **NEW).headers["Location"] == "/p/NEW-1"
    ((value,),) = house.rows("SELECT value FROM gateway.v_entities WHERE name = 'NEW-1'")
    assert value["channels"] == [
        {"module_id": "M-7", "channel": 2, "fitted_at": 1_773_007_200_000, "removed_at": None}
    ]
    assert (value["meters"][0]["initial_register"], value["object_path"]) == (1250, HOME)
    assert operator.post(at, on="/parked", **NEW).status_code == 400
    assert operator.get("/parked/9/M-7").status_code == 404
    assert operator.get("/parked/99999999999/M-7").status_code == 404


def test_a_parked_channel_is_given_to_a_point_that_stands(house: Any, operator: Any) -> None:
    at = "/parked/2/M-7"
    late = operator.post(at, on=at, how="old", usage_point_id="HOME", fitted_at="2026-03-09T00:00")
    assert (late.status_code, "expected them in order of time and not overlapping" in late.text) == (
        422,
        True,
    )
    nobody = operator.post(at, on=at, how="old", usage_point_id="NOBODY", fitted_at="2026-03-09T00:00")
    assert (nobody.status_code, "NOBODY is not on the register" in nobody.text) == (422, True)
    assert house.rows("SELECT max(version) FROM gateway.v_entities") == [(1,)]


@pytest.mark.usefixtures("operator")
def test_a_parked_channel_is_given_to_no_point_of_another_subtree(a: Any, house: Any, desk: Any) -> None:
    house.import_all(a.usage_point("AWAY", object_path=["Romania"], channels=[]))
    browser, at = desk.visit("administrator", *HOME[:1]), "/parked/2/M-7"
    given = {"how": "old", "usage_point_id": "AWAY", "fitted_at": "2026-03-09T00:00"}
    assert browser.post(at, on=at, **given).status_code == 404
    elsewhere = browser.post(at, on=at, **{**NEW, "object_path": "Romania"})
    assert (elsewhere.status_code, "expected a path beneath Moldova" in elsewhere.text) == (422, True)
