"""Ingest on a real database: what is stored, computed again, withdrawn and published."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from balance_chassis.errors import BadRecord
from balance_ingest import storing
from balance_ingest.adapters import wire
from balance_ingest.domain.days import HOUR_S, Days
from balance_kernel.calendar import Calendar
from balance_schemas import catalogue

pytestmark = pytest.mark.stack

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
EVER = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
VALID_DAY = [20] * 24, ["VALID"] * 24


def day(number: int) -> int:
    """Start of the day of that number, in seconds."""
    return DAYS.shift(DAY, number)


def key(number: int, point: str = "UP-1") -> tuple[str, int]:
    """A reading day."""
    return point, day(number) * 1000


def archive(number: int = 0, count: int = 2, module: str = "R-1", **given: Any) -> dict[str, Any]:
    """A whole day of one channel."""
    told = {
        "module_id": module,
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": day(number) * 1000,
        "step_s": HOUR_S,
        "values": [count] * DAYS.hours_by_start[day(number)],
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    return told | given


def packet(*archives: Mapping[str, Any], sequence: int = 1, **given: Any) -> dict[str, Any]:
    """A packet received on the day after the newest archive's start, unless said otherwise."""
    newest = max((a["start_at"] for a in archives), default=DAY * 1000)
    told = {
        "packet_id": f"P-{sequence}",
        "concentrator_id": "J-1",
        "sequence": sequence,
        "sent_at": newest + 90_000_000,
        "received_at": newest + 90_000_000,
        "archives": list(archives),
        "registers": [],
        "measurements": [],
        "module_events": [],
        "module_states": [],
        "session": None,
    }
    return told | given


def registers(module: str, *readings: tuple[int, int]) -> dict[str, Any]:
    """Registers at hours after the first day's start."""
    hours, values = zip(*readings, strict=True)
    return {
        "module_id": module,
        "channel": 1,
        "start_at": DAY * 1000,
        "offsets_s": [hour * HOUR_S for hour in hours],
        "values": list(values),
    }


def point(name: str = "UP-1", version: int = 1, module: str | None = "R-1", **given: Any) -> dict[str, Any]:
    """A usage point with a meter of 10 mL a pulse, read by one channel for ever, or by none."""
    meter = {
        "meter_number": "M-1",
        "fitted_at": EVER * 1000,
        "removed_at": None,
        "accuracy_class_ppm": 15_000,
        "pulse_weight": given.pop("weight", 10),
        "register_digits": 5,
        "q_max": 6000,
        "initial_register": None,
        "final_register": None,
    }
    channel = {"module_id": module, "channel": 1, "fitted_at": given.pop("fitted", EVER) * 1000}
    told = {
        "usage_point_id": name,
        "version": version,
        "state": "ACTIVE",
        "resource": "WATER",
        "meters": [meter],
        "channels": [channel | {"removed_at": None}] if module else [],
    }
    return told | given


def test_an_honest_day_is_computed_at_once_and_published_once(house: Any) -> None:
    house.describe(point())
    assert house.hear(packet(archive())) == 1
    assert house.readings() == {key(0): VALID_DAY}
    assert house.reading_days() == [(catalogue.READINGS, "UP-1", DAY, 1)]
    house.hear(packet(archive()), packet(archive(), sequence=5))
    assert house.published() == []
    house.hear(packet(archive(count=3), sequence=6))
    assert house.readings() == {key(0): ([30] * 24, ["VALID"] * 24)}
    assert house.reading_days() == [(catalogue.READINGS, "UP-1", DAY, 2)]


def test_a_message_says_what_the_tables_say(house: Any) -> None:
    house.describe(point())
    house.hear(packet(archive(values=[2] * 23 + [-1])))
    (readings, finding) = sorted((value for _, value in house.published()), key=lambda value: "rule" in value)
    (told,) = readings["days"]
    assert told["values"] == [20] * 23 + [None]
    assert told["qualities"] == ["VALID"] * 23 + ["SUSPECT"]
    assert (told["unit"], told["step_s"], told["day_start_at"]) == ("MILLILITRE", 3600, DAY * 1000)
    assert readings["clock_at"] == DAY * 1000 + 90_000_000
    assert (finding["rule"], finding["state"]) == ("vee.negative_consumption", "OPEN")
    house.hear(packet(archive(), sequence=2))
    states = [(v["state"], v["version"]) for _, v in house.published() if "rule" in v]
    assert states == [("WITHDRAWN", 2)]


def test_old_days_go_by_the_backlog_topic(house: Any) -> None:
    house.describe(point())
    house.hear(packet(archive(0), archive(2), archive(3)), backlog=True)
    topics = {start: topic for topic, _, start, _ in house.reading_days()}
    assert topics[day(0)] == catalogue.READINGS_BACKLOG
    assert topics[day(2)] == topics[day(3)] == catalogue.READINGS


def test_a_channel_nobody_registered_waits_in_the_database(house: Any) -> None:
    house.hear(packet(archive(1)))
    house.hear(packet(archive(0), sequence=2))
    parked = house.rows("SELECT module_id, channel, first_at, last_at FROM ingest.v_parked")
    span = datetime.fromtimestamp(day(0), UTC), datetime.fromtimestamp(day(2), UTC)
    assert parked == [("R-1", 1, *span)]
    assert house.readings() == {}
    house.describe(point())
    house.work()
    assert house.readings() == {key(0): VALID_DAY, key(1): VALID_DAY}
    assert house.findings() == set()
    assert house.rows("SELECT count(*) FROM ingest.v_parked") == [(0,)]


def test_a_correction_in_the_past_computes_the_days_it_touches(house: Any) -> None:
    house.describe(point())
    house.hear(packet(*(archive(n) for n in range(4))))
    house.published()
    assert house.describe(point(version=2, fitted=day(2))) > 0
    house.work()
    assert set(house.readings()) == {key(2), key(3)}
    told = {day["day_start_at"]: day for _, value in house.published() for day in value.get("days", ())}
    assert set(told) == {day(0) * 1000, day(1) * 1000}
    assert all(one["values"] == [None] * 24 and one["version"] == 2 for one in told.values())
    assert all(set(one["qualities"]) == {"MISSING"} for one in told.values())
    house.describe(point(version=3, weight=100))
    house.describe(point(version=1, weight=1))
    house.work()
    assert house.readings() == {key(n): ([200] * 24, ["VALID"] * 24) for n in range(4)}


def test_a_deleted_usage_point_is_withdrawn_and_its_channel_parked(house: Any) -> None:
    house.describe(point())
    house.hear(packet(archive()))
    house.published()
    house.describe(point(version=2, state="DELETED"))
    house.work()
    assert house.readings() == {}
    ((topic, name, start, version),) = house.reading_days()
    assert (name, start, version) == ("UP-1", DAY, 2)
    assert topic == catalogue.READINGS
    assert {rule for rule, *_ in house.findings()} == {"vee.unknown_channel"}


def test_a_module_moved_to_another_flat_takes_its_days_along(house: Any) -> None:
    house.describe(point("UP-1"), point("UP-2", module=None))
    house.hear(packet(archive(0), archive(1)))
    house.describe(point("UP-1", 2, module=None), point("UP-2", 2, fitted=day(1)))
    house.work()
    assert house.readings() == {key(1, "UP-2"): VALID_DAY}


def test_silence_falls_due_and_is_withdrawn_when_the_data_comes(house: Any) -> None:
    house.describe(point(), point("UP-2", module="R-2"))
    house.hear(packet(archive(0), archive(0, module="R-2")))
    house.hear(packet(archive(3, module="R-2"), sequence=2))
    house.work()
    missing = {(subject, start) for rule, subject, start, _ in house.findings() if rule == "vee.missing"}
    assert missing == {("UP-1", day(1)), ("UP-2", day(1))}
    house.hear(packet(archive(1), sequence=3, received_at=day(5) * 1000))
    house.work()
    missing = {(subject, start) for rule, subject, start, _ in house.findings() if rule == "vee.missing"}
    assert missing == {("UP-1", day(2)), ("UP-2", day(1)), ("UP-2", day(2))}


def test_a_day_heard_of_late_makes_the_week_after_it_silent(house: Any) -> None:
    house.describe(point(), point("UP-2", module="R-2"))
    house.hear(packet(archive(0, module="R-2"), archive(20, module="R-2")))
    house.work()
    house.hear(packet(archive(4), sequence=2), backlog=True)
    house.work()
    missing = {
        start for rule, subject, start, _ in house.findings() if (rule, subject) == ("vee.missing", "UP-1")
    }
    assert missing == {day(n) for n in range(5, 12)}


def test_a_gap_between_registers_is_filled_and_filled_again(house: Any) -> None:
    house.describe(point())
    house.hear(packet(registers=[registers("R-1", (1, 100))], received_at=day(9) * 1000))
    house.hear(packet(registers=[registers("R-1", (97, 292))], sequence=2, received_at=day(9) * 1000))
    assert house.readings()[key(1)] == ([20] * 24, ["ESTIMATED"] * 24)
    house.hear(packet(archive(2, count=5), sequence=3))
    assert house.readings()[key(2)] == ([50] * 24, ["VALID"] * 24)
    house.hear(packet(registers=[registers("R-1", (25, 124))], sequence=4, received_at=day(9) * 1000))
    assert house.readings()[key(0)][0] == [None, *[10] * 23]
    assert house.readings()[key(2)] == ([50] * 24, ["VALID"] * 24)


def test_a_refused_element_is_held_with_its_finding(house: Any) -> None:
    house.describe(point())
    refused = archive(0, step_s=7, module="R-\x00")
    house.hear(packet(refused, archive(), sequence=4))
    house.hear(packet(refused | {"values": [9]}, sequence=3))
    query = "SELECT rule, severity, element->>'step', element->'values', version FROM ingest.v_findings"
    assert house.rows(query) == [("vee.absurd_value", "ERROR", "7", [2] * 24, 1)]
    assert house.readings() == {key(0): VALID_DAY}
    house.hear(packet(refused | {"values": [9]}, sequence=5))
    assert house.rows(query) == [("vee.absurd_value", "ERROR", "7", [9], 2)]


def test_a_register_in_conflict_is_a_finding_of_the_channel_until_it_is_settled(house: Any) -> None:
    house.describe(point())
    house.hear(packet(archive(register_end=48)), packet(archive(register_end=50)))
    assert house.findings() == {("vee.conflicting_duplicate", "R-1/1", day(1), day(1))}
    house.hear(packet(archive(register_end=48), sequence=2))
    assert house.findings() == set()


def test_what_fails_takes_nothing_else_along(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    house.describe(point(), point("UP-2", module="R-2"))
    honest = storing.join_evidence

    def faulty(work: Any, blocks: Sequence[Any], *rest: Any) -> Any:
        touched = honest(work, blocks, *rest)
        if any((block.slots.low == 13).any() for block in blocks):
            raise ZeroDivisionError
        return touched

    monkeypatch.setattr("balance_ingest.handlers.join_evidence", faulty)
    with pytest.raises(ZeroDivisionError):
        house.hear(packet(archive(count=13)), packet(archive(module="R-2")))
    assert house.rows("SELECT count(*) FROM ingest.evidence_days") == [(0,)]
    house.hear(packet(archive(module="R-2")))
    assert house.readings() == {key(0, "UP-2"): VALID_DAY}


def test_sinks_and_worker_at_once_end_in_the_same_tables(house: Any) -> None:
    house.describe(*(point(f"UP-{n}", module=f"R-{n}") for n in range(20)))
    packets = [
        packet(*(archive(d, count, module=f"R-{n}") for n in range(20)), sequence=sequence)
        for sequence, (d, count) in enumerate([(d, c) for d in range(4) for c in (1, 2, 3)], start=1)
    ]
    errors: list[Exception] = []

    def run(mine: Sequence[Mapping[str, Any]], backlog: bool) -> None:
        for one in mine:
            try:
                patiently(house, one, backlog)
            except Exception as error:
                errors.append(error)

    threads = [
        threading.Thread(target=run, args=(packets[::2], False)),
        threading.Thread(target=run, args=(packets[::-1], True)),
        threading.Thread(
            target=house.describe, args=[point(f"UP-{n}", 2, f"R-{n}", weight=100) for n in range(20)]
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    house.work()
    assert not errors
    wanted = {key(d, f"UP-{n}"): ([300] * 24, ["VALID"] * 24) for d in range(4) for n in range(20)}
    assert house.readings() == wanted


def patiently(house: Any, one: Mapping[str, Any], backlog: bool) -> None:
    """Handle a packet as the sink does: what passes is tried again."""
    for _ in range(20):
        try:
            house.hear(one, backlog=backlog)
        except psycopg.OperationalError:
            continue
        return
    raise TimeoutError


def test_the_reader_reads_the_contract_and_nothing_else(house: Any) -> None:
    house.describe(point())
    house.hear(packet(archive()), packet(archive(module="R-9")))
    with house.pool.connection() as conn:
        conn.execute("SET ROLE balance_reader")
        for view in ("v_readings", "v_findings", "v_parked"):
            assert conn.execute(f"SELECT count(*) FROM ingest.{view}").fetchone() != (0,)
        span = datetime.fromtimestamp(DAY + HOUR_S, UTC), datetime.fromtimestamp(DAY + 3 * HOUR_S, UTC)
        rows = conn.execute("SELECT start_at, value FROM ingest.readings(%s, %s)", span).fetchall()
        assert [value for _, value in rows] == [20, 20]
        assert rows[0][0] == span[0]
        conn.execute("RESET ROLE")
    readable = house.rows(
        """SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'ingest'::regnamespace
           AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
           AND (CASE c.relkind
           WHEN 'S' THEN has_sequence_privilege('balance_reader', c.oid, 'USAGE, SELECT, UPDATE')
           ELSE has_table_privilege('balance_reader', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') END)
           ORDER BY 1"""
    )
    shown = {name for (name,) in readable}
    assert shown >= {"v_findings", "v_measurements", "v_parked", "v_readings", "v_sensor_kinds"}
    assert all(name.startswith("v_") for name in shown)
    assert house.rows("SELECT has_schema_privilege('balance_reader', 'ingest', 'CREATE')") == [(False,)]


def test_every_view_and_column_is_explained(house: Any) -> None:
    bare = house.rows(
        """SELECT c.relname, a.attname FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
           WHERE c.relnamespace = 'ingest'::regnamespace AND c.relkind = 'v'
           AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"""
    )
    assert bare == []
    functions = house.rows(
        """SELECT proname, obj_description(oid) IS NOT NULL FROM pg_proc
           WHERE pronamespace = 'ingest'::regnamespace"""
    )
    assert functions == [("readings", True)]


def test_readings_of_a_span_reads_the_days_of_that_span(house: Any) -> None:
    house.describe(point())
    house.hear(*(packet(archive(n), sequence=n + 1) for n in (0, 40, 80)))
    span = [datetime.fromtimestamp(at, UTC).isoformat() for at in (day(40), day(41))]
    plan = house.rows(
        f"EXPLAIN SELECT * FROM ingest.readings('{span[0]}', '{span[1]}') WHERE usage_point_id = 'UP-1'"
    )
    text = "\n".join(line for (line,) in plan)
    assert "Function Scan on readings" not in text
    assert "reading_days_2026_04" in text
    assert "reading_days_2026_05" not in text
    assert "reading_days_2026_03" not in text


def test_what_is_stored_reads_back_as_it_was(house: Any) -> None:
    odd = archive(values=[1, -2, 3, *[0] * 21], missing=[7], register_start=5, register_end=9)
    house.hear(packet(odd, registers=[registers("R-1", (3, 10), (4, 11))]))
    house.hear(packet(odd | {"values": [2, -2, 3, *[0] * 21]}, registers=[registers("R-1", (3, 12))]))
    house.hear(packet(archive(values=[8], start_at=(DAY + 5 * HOUR_S) * 1000), sequence=9))
    before = house.rows("SELECT * FROM ingest.evidence_days ORDER BY step_s")
    house.hear(packet(odd, registers=[registers("R-1", (3, 10), (4, 11))]))
    assert house.rows("SELECT * FROM ingest.evidence_days ORDER BY step_s") == before
    (points, hours) = house.rows(
        """SELECT "values", revision, revisions IS NULL, conflicts, register_start, register_end,
           offsets_s, registers, register_conflicts FROM ingest.evidence_days ORDER BY step_s"""
    )
    archived = (1 << 62) + 1
    assert points == (None, archived, True, None, None, None, [10800, 14400], [10, 11], [12, None])
    values = [1, -2, 3, 0, 0, 8, 0, None, *[0] * 16]
    assert hours == (values, None, False, [2, *[None] * 23], 5, 9, None, None, None)


def test_a_usage_point_that_cannot_be_is_refused_in_words() -> None:
    with pytest.raises(BadRecord, match="expected pulse_weight from 1"):
        wire.from_wire_usage_point(point(weight=0))
    with pytest.raises(BadRecord, match="expected usage_point_id"):
        wire.from_wire_usage_point(point("x" * 65))


def test_a_register_that_comes_late_bears_on_the_weeks_beside_it(house: Any) -> None:
    house.describe(point())

    def hear(number: int, value: int) -> None:
        told = registers("R-1", (0, value)) | {"start_at": day(number) * 1000}
        house.hear(packet(registers=[told], sequence=number + 1, received_at=day(90) * 1000))

    hear(0, 0)
    hear(53, 4 * 53)
    assert house.readings() == {}
    hear(27, 4 * 27)
    days = house.readings()
    assert set(days) == {key(n) for n in range(53)}
    # However the hours are rounded, they add up to what the register moved.
    assert sum(value for values, _ in days.values() for value in values) == 4 * 53 * 10
    assert {quality for _, qualities in days.values() for quality in qualities} == {"ESTIMATED"}
    hear(54, 4 * 53 - 1)
    hear(81, 4 * 53 + 26)
    assert sum(v for n in range(54, 81) for v in house.readings()[key(n)][0]) == 260
    # In conflict the reading before the pulse back counts no longer, so there is none.
    hear(53, 4 * 53 - 2)
    assert sum(v for n in range(54, 81) for v in house.readings()[key(n)][0]) == 270


def test_a_pulse_back_after_months_is_seen_by_the_step_after(house: Any) -> None:
    house.describe(point())

    def hear(number: int, value: int) -> None:
        told = registers("R-1", (0, value)) | {"start_at": day(number) * 1000}
        house.hear(packet(registers=[told], sequence=number + 1, received_at=day(150) * 1000))

    hear(90, 99)
    hear(110, 119)
    assert sum(v for n in range(90, 110) for v in house.readings()[key(n)][0]) == 200
    hear(0, 100)
    assert sum(v for n in range(90, 110) for v in house.readings()[key(n)][0]) == 190
    hear(100, 110)
    assert sum(v for n in range(90, 110) for v in house.readings()[key(n)][0]) == 190


def test_a_gap_between_fittings_that_was_a_mistake_is_closed(house: Any) -> None:
    noon = (day(5) + 12 * HOUR_S) * 1000
    apart = [
        {"module_id": "R-1", "channel": 1, "fitted_at": EVER * 1000, "removed_at": noon},
        {"module_id": "R-1", "channel": 1, "fitted_at": noon, "removed_at": None},
    ]
    house.describe(point(channels=apart))
    house.hear(packet(registers=[registers("R-1", (1, 0), (239, 476))], received_at=day(20) * 1000))
    assert house.readings() == {}
    house.describe(point(version=2))
    house.work()
    assert set(house.readings()) == {key(n) for n in range(10)}
