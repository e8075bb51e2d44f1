"""The register on a real database: imports all or nothing, a log that stays, versions that are held to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from balance_chassis.outbox import Outbox
from balance_gateway.adapters.publishing import Renderer
from balance_gateway.domain.changes import Author
from balance_gateway.domain.problems import RefusedError
from balance_gateway.handlers import ConflictError, NothingThereError
from balance_schemas import catalogue
from balance_schemas.codec import Codec, load_ids

pytestmark = pytest.mark.stack
IVAN = Author("ivan", "form", "wrong digit")


def test_an_import_writes_what_differs_and_nothing_else(a: Any, house: Any) -> None:
    fleet = [a.usage_point(), a.usage_point("UP-2"), a.group("UP-1", "UP-2")]
    assert len(house.import_all(*fleet)) == 3
    assert house.import_all(*fleet) == []
    assert house.import_all(a.usage_point(acc_id="A-7"), *fleet[1:]) == ["usage-point/UP-1"]
    assert house.rows("SELECT name, version FROM gateway.v_entities ORDER BY name") == [
        ("G-1", 1),
        ("UP-1", 2),
        ("UP-2", 1),
    ]
    assert house.rows("SELECT DISTINCT author, way, reason FROM gateway.v_changes") == [
        ("anna", "form", "as agreed")
    ]
    ((before, after),) = house.rows(
        "SELECT before->>'acc_id', after->>'acc_id' FROM gateway.v_changes WHERE version = 2"
    )
    assert (before, after) == (None, "A-7")


def test_nothing_is_written_when_anything_is_wrong_nor_when_it_is_dry(a: Any, house: Any) -> None:
    said = house.refused(a.usage_point(), a.usage_point("UP-2", meters=[a.meter(q_max=-1)]), a.usage_point())
    assert "usage-point/UP-1: expected each once, found it again at no. 3" in said
    assert house.import_all(a.usage_point(), dry=True) == ["usage-point/UP-1"]
    for table in ("entities", "links", "changes", "outbox"):
        assert house.rows(f"SELECT count(*) FROM gateway.{table}") == [(0,)]


def test_what_stands_counts_for_what_is_imported(a: Any, house: Any) -> None:
    house.import_all(a.usage_point(), a.concentrator())
    assert house.import_all(a.group("UP-1")) == ["balance-group/G-1"]
    assert house.import_all(a.group(name="G-2", members=[
        {"usage_point_id": "UP-1", "role": "SUPPLY", "valid_from": "2024-10-01"},
        {"group_id": "G-1", "role": "MEMBER", "valid_from": "2024-10-01"},
    ])) == ["balance-group/G-2"]  # fmt: skip
    house.import_all(*(a.module(f"Q-{n}", settings=[a.setting("INTRADAY_15")]) for n in range(2)))
    said = house.refused(a.module("Q-2", settings=[a.setting("INTRADAY_15")]))
    assert "found 288.0 then" in said
    taken = a.usage_point("UP-3", channels=[{"module_id": "m-UP-1", "channel": 0, "fitted_at": "2025-01-01"}])
    assert "found it at usage-point/UP-1" in house.refused(taken)
    ended = {"module_id": "m-UP-1", "channel": 0, "fitted_at": "2024-10-01", "removed_at": "2025-01-01"}
    assert len(house.import_all(a.usage_point(channels=[ended]), taken)) == 2
    assert house.rows("SELECT to_name FROM gateway.v_links WHERE name = 'UP-3'") == [("m-UP-1",)]


def test_a_change_holds_to_the_version_it_was_made_on(a: Any, house: Any) -> None:
    registering = house.registering
    assert registering.change(a.usage_point(), IVAN, None) == 1
    assert registering.change(a.usage_point(acc_id="A"), IVAN, 1) == 2
    with pytest.raises(
        ConflictError, match="usage-point/UP-1: expected version 1, found version 2: read it again"
    ):
        registering.change(a.usage_point(acc_id="B"), IVAN, 1)
    with pytest.raises(ConflictError, match="expected a new one, found version 2"):
        registering.change(a.usage_point(acc_id="B"), IVAN, None)
    with pytest.raises(NothingThereError, match="there is no usage-point/UP-9"):
        registering.change(a.usage_point("UP-9"), IVAN, 1)
    with pytest.raises(RefusedError, match="expected a number above 0"):
        registering.change(a.usage_point(meters=[a.meter(q_max=0)]), IVAN, 2)
    assert registering.change(a.usage_point(acc_id="A"), IVAN, 2) == 2
    assert house.rows("SELECT version FROM gateway.v_changes ORDER BY number") == [(1,), (2,)]


def test_what_was_is_restored_as_a_new_change(a: Any, house: Any) -> None:
    registering = house.registering
    registering.change(a.usage_point(), IVAN, None)
    registering.change(a.usage_point(acc_id="A"), IVAN, 1)
    ((first,),) = house.rows("SELECT number FROM gateway.v_changes WHERE version = 1")
    assert registering.restore(first, Author("anna", "restore"), 2) == 3
    assert house.rows(
        "SELECT version, way, restored, after->>'acc_id' FROM gateway.v_changes ORDER BY number"
    ) == [(1, "form", None, None), (2, "form", None, "A"), (3, "restore", first, None)]
    with pytest.raises(ConflictError):
        registering.restore(first, IVAN, 2)
    with pytest.raises(NothingThereError, match=r"there is no change no\. 0"):
        registering.restore(0, IVAN, 3)


def test_what_was_logged_before_a_record_got_a_field_is_restored(a: Any, house: Any) -> None:
    house.import_all(a.concentrator(), a.module())
    house.import_all(a.module(batteries=[]))
    house.conn.execute("ALTER TABLE gateway.changes DISABLE TRIGGER ALL")
    house.conn.execute("UPDATE gateway.changes SET after = after - 'firmware' WHERE name = 'M-1'")
    house.conn.execute("ALTER TABLE gateway.changes ENABLE TRIGGER ALL")
    ((first,),) = house.rows("SELECT min(number) FROM gateway.v_changes WHERE name = 'M-1'")
    assert house.registering.restore(first, IVAN, 2) == 3
    ((value,),) = house.rows("SELECT value FROM gateway.v_entities WHERE name = 'M-1'")
    assert (value["firmware"], len(value["batteries"])) == (None, 1)


def test_what_may_stand_no_longer_is_not_restored(a: Any, house: Any) -> None:
    registering = house.registering
    registering.change(a.usage_point(), IVAN, None)
    registering.change(a.usage_point(channels=[]), IVAN, 1)
    channel = {"module_id": "m-UP-1", "channel": 0, "fitted_at": "2024-10-01"}
    registering.change(a.usage_point("UP-2", channels=[channel]), IVAN, None)
    ((first,),) = house.rows("SELECT min(number) FROM gateway.v_changes")
    with pytest.raises(RefusedError, match="found it at usage-point/UP-2"):
        registering.restore(first, IVAN, 2)


@pytest.mark.parametrize(
    "statement", ["UPDATE gateway.changes SET author = 'x'", "DELETE FROM gateway.changes"]
)
def test_the_log_is_only_ever_added_to(statement: str, a: Any, house: Any) -> None:
    house.import_all(a.usage_point())
    with pytest.raises(psycopg.errors.RaiseException, match="only ever added to"):
        house.conn.execute(statement)


@pytest.fixture(scope="module")
def codec(place: Any) -> Codec:
    return Codec(load_ids(place.folder / "schema-ids.json"), raw_timestamps=True)


def test_what_changed_is_named_to_the_publisher_and_sent_as_it_stands(
    a: Any, house: Any, codec: Codec
) -> None:
    house.import_all(a.usage_point(), a.edit())
    house.import_all(a.usage_point(acc_id="A"))
    with house.conn.transaction():
        rows = Outbox("gateway").claim(house.conn, 100)
        sent = Renderer(codec)(house.conn, rows)
    found = {one.key: (one.topic, *codec.decode(one.value or b"")) for one in sent}
    assert set(found) == {b"E-1", b"usage-point/UP-1"}
    topic, record, value = found[b"usage-point/UP-1"]
    assert (topic, record, value["version"]) == (catalogue.ASSETS, "balance.v1.UsagePointDescribed", 2)
    assert (value["acc_id"], value["meters"][0]["meter_number"]) == ("A", "1")
    assert found[b"E-1"][0] == catalogue.READING_EDITS
    assert dict(sent[0].headers)["ce_source"] == b"balance/gateway"


def test_two_who_change_one_entity_at_once_do_not_both_win(a: Any, house: Any) -> None:
    house.registering.change(a.usage_point(), IVAN, None)

    def attempt(number: int) -> bool:
        try:
            return bool(house.registering.change(a.usage_point(acc_id=f"A-{number}"), IVAN, 1))
        except ConflictError:
            return False

    with ThreadPoolExecutor(4) as crowd:
        assert sum(crowd.map(attempt, range(4))) == 1
