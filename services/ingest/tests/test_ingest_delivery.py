"""Who is silent and since when, whose subscription is probably not paid, whose clock is wrong; and the views
of delivery (docs/domain.md §3.18, §3.20).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest
from balance_chassis.postgres import ensure_partitions
from balance_ingest.adapters.delivery import PostgresDelivery
from balance_ingest.domain.days import DAY_S, HOUR_S, Days, as_datetime
from balance_ingest.domain.delivery import (
    Concentrator,
    DeliveryLimits,
    Module,
    Said,
    find_silence,
    find_wrong_clocks,
    silent_concentrators,
)
from balance_ingest.domain.heard import heard_of
from balance_ingest.domain.packets import Archive, ModuleEvent, ModuleState, Packet, Registers
from balance_kernel.calendar import Calendar

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
EVER = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())
LIMITS = DeliveryLimits()
SILENT = 3 * DAY_S
UNPAID = 6 * DAY_S


def day(number: int) -> int:
    """Start of the day of that number, in seconds."""
    return DAYS.shift(DAY, number)


def silent(
    *concentrators: Concentrator, modules: Any = (), said: Any = None, clock: int
) -> set[tuple[str, Any]]:
    """Rules found, each with its subject."""
    quiet = silent_concentrators(concentrators, clock, LIMITS)
    found = find_silence(quiet, said or {}, modules, clock, LIMITS)
    return {(one.rule.removeprefix("delivery."), one.concentrator_id or one.module_id) for one in found}


def caller(heard: int | None = 0, **given: Any) -> Concentrator:
    """A concentrator, described without an allowance unless told."""
    told = Concentrator("J-1", heard, None, False, "MAINS", 0)
    return told._replace(**given)


def test_silence_begins_two_days_after_the_period() -> None:
    assert silent(caller(), clock=SILENT - 1) == set()
    assert silent(caller(), clock=SILENT) == {("silent_concentrator", "J-1")}
    weekly = caller(allowance_days=7)
    assert silent(weekly, clock=9 * DAY_S - 1) == set()
    assert silent(weekly, clock=9 * DAY_S) == {("silent_concentrator", "J-1")}


def test_one_never_heard_is_silent_since_its_first_setting_and_a_deleted_one_never() -> None:
    assert silent(caller(None, first_setting=5), clock=SILENT + 4) == set()
    assert silent(caller(None, first_setting=5), clock=SILENT + 5) == {("silent_concentrator", "J-1")}
    assert silent(caller(None), clock=10**9) == set()
    assert silent(caller(deleted=True), clock=10**9) == set()


def test_a_silent_concentrator_answers_for_its_modules() -> None:
    modules = [Module("R-1", 0, "J-1", 0), Module("R-2", 0, "J-2", 0), Module("R-3", 0, "J-1", 31)]
    both = {("silent_concentrator", "J-1"), ("silent_module", "R-2")}
    assert silent(caller(), modules=modules, clock=SILENT) == both
    heard = caller(SILENT)
    assert silent(heard, modules=modules, clock=SILENT) == {
        ("silent_module", "R-1"),
        ("silent_module", "R-2"),
    }
    late = 33 * DAY_S
    assert ("silent_module", "R-3") not in silent(caller(late), modules=modules, clock=late - 1)
    assert ("silent_module", "R-3") in silent(caller(late), modules=modules, clock=late)


@pytest.mark.parametrize(
    ("power", "signal", "given", "clock", "unpaid"),
    [
        ("MAINS", -105, {}, UNPAID, True),
        ("MAINS", -105, {}, UNPAID - 1, False),
        ("MAINS", -106, {}, UNPAID, False),
        ("MAINS", None, {}, UNPAID, False),
        ("BACKUP", -80, {}, UNPAID, False),
        (None, -80, {}, UNPAID, False),
        ("MAINS", -80, {"variant": "SOLAR"}, UNPAID, False),
        ("MAINS", -80, {"allowance_days": 7}, 12 * DAY_S - 1, False),
        ("MAINS", -80, {"allowance_days": 7}, 12 * DAY_S, True),
        ("MAINS", -80, {"heard": None, "first_setting": 0}, UNPAID, False),
    ],
)
def test_silence_on_the_mains_with_a_signal_is_probably_unpaid(
    power: Any, signal: Any, given: Any, clock: int, unpaid: bool
) -> None:
    found = silent(caller(**given), said={"J-1": Said(power, signal)}, clock=clock)
    assert (("unpaid_sim", "J-1") in found) is unpaid


def test_the_clock_of_a_day_is_its_greatest_error() -> None:
    rows: list[tuple[Any, ...]] = [
        ("J-1", day(1), 70),
        ("J-1", day(1) + 5, -90),
        ("J-1", day(1) + 9, 90),
        ("J-1", day(2), -61),
    ]
    for shuffled in (rows, rows[::-1]):
        names, received, offsets = ([row[column] for row in shuffled] for column in range(3))
        told = find_wrong_clocks(names, received, offsets, DAYS)
        assert {(one.concentrator_id, one.start, one.end, one.found) for one in told} == {
            ("J-1", day(1), day(2), "+90 s"),
            ("J-1", day(2), day(3), "-61 s"),
        }


def test_whoever_is_spoken_of_is_heard_refused_or_not() -> None:
    first = Packet(
        "P",
        "J-2",
        1,
        100,
        archives=[Archive("R-1", 99, None, 0, 7, []), Archive("", 1, None, 0, 7, [])],
        registers=[Registers("R-2", 1, 0, [], [])],
        events=[ModuleEvent("R-3", None, "ACCESS", "OCCURRED", 0), ModuleEvent("x" * 65, None, "", "", 0)],
        states=[ModuleState("R-4", 0), ModuleState("R\x00", 0)],
    )
    second = Packet("Q", "J-1", 1, 100, states=[ModuleState("R-1", 0)])
    third = Packet("Q", "J-1", 1, 101, states=[ModuleState("R-2", 0)])
    for packets in ([first, second, third], [third, second, first]):
        heard = heard_of(packets)
        assert heard.concentrators == {"J-1": 101, "J-2": 100}
        assert heard.modules == {
            "R-1": (100, "J-2"),
            "R-2": (101, "J-1"),
            "R-3": (100, "J-2"),
            "R-4": (100, "J-2"),
        }


def packet(received: int, *modules: str, name: str = "J-1", **given: Any) -> dict[str, Any]:
    """A packet received at an instant, with yesterday's archive of each module."""
    start = DAYS.shift(DAYS.day_of(received), -1)
    archive = {
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": start * 1000,
        "step_s": HOUR_S,
        "values": [2] * DAYS.hours_by_start[start],
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    told = {
        "packet_id": f"{name}-{received}",
        "concentrator_id": name,
        "sequence": received,
        "sent_at": received * 1000,
        "received_at": received * 1000,
        "archives": [archive | {"module_id": module} for module in modules],
        "registers": [],
        "measurements": [],
        "module_events": [],
        "module_states": [],
        "session": None,
    }
    return told | given


def session(power: str = "MAINS", signal: int | None = -80, backlog: int | None = None) -> dict[str, Any]:
    """How a concentrator is."""
    return {
        "power": power,
        "supply_mv": 230_000,
        "signal_dbm": signal,
        "backlog_packets": backlog,
        "backlog_from_at": None,
    }


def point(name: str, *channels: tuple[str, int, int | None], version: int = 1) -> dict[str, Any]:
    """A usage point read by channel 1 of modules in turn."""
    meter = {
        "meter_number": "M-1",
        "fitted_at": EVER * 1000,
        "removed_at": None,
        "accuracy_class_ppm": 15_000,
        "pulse_weight": 10,
        "register_digits": 5,
        "q_max": 6000,
        "initial_register": None,
        "final_register": None,
    }
    fitted = [
        {
            "module_id": module,
            "channel": 1,
            "fitted_at": since * 1000,
            "removed_at": None if until is None else until * 1000,
        }
        for module, since, until in channels
    ]
    told = {"usage_point_id": name, "version": version, "state": "ACTIVE", "resource": "WATER"}
    return told | {"meters": [meter], "channels": fitted, "sensor_kind": None}


def concentrator(name: str = "J-1", version: int = 1, plan: str = "DAILY", **given: Any) -> dict[str, Any]:
    """A concentrator."""
    told = {
        "concentrator_id": name,
        "version": version,
        "state": "ACTIVE",
        "variant": "MAINS",
        "sim_payer": "CUSTOMER",
        "object_path": ["Ialoveni", "Crasescu", "5/2"],
        "settings": [{"valid_from": day(0) * 1000, "session_plan": plan}],
        "batteries": [],
    }
    return told | given


def module(name: str, version: int = 1, mode: str = "DAILY", **given: Any) -> dict[str, Any]:
    """A module of J-1."""
    setting = {"valid_from": EVER * 1000, "packet_mode": mode, "concentrator_id": "J-1"}
    told = {"module_id": name, "version": version, "state": "ACTIVE", "settings": [setting], "batteries": []}
    return told | given


def pass_time(house: Any, until: int) -> None:
    """Somebody else is heard at an instant: the clock of a replay."""
    house.hear(packet(until, name="J-else"))


@pytest.mark.stack
def test_silence_and_return(house: Any) -> None:
    house.describe(point("UP-1", ("R-1", EVER, None)), point("UP-2", ("R-2", EVER, None)))
    house.hear(packet(day(1), "R-1", "R-2", "R-unfitted"))
    assert house.deliveries() == set()
    pass_time(house, day(1) + SILENT)
    assert house.deliveries() == {("delivery.silent_concentrator", "J-1", day(1))}
    house.hear(packet(day(4), "R-2"))
    assert house.deliveries() == {("delivery.silent_module", "R-1", day(1))}
    house.published()
    # A packet of the past that was under way for long lets nobody be heard later than it was received.
    house.hear(packet(day(2), "R-1", name="J-2"), backlog=True)
    assert house.deliveries() == set()
    states = {
        (v["rule"], v["state"], v["version"])
        for _, v in house.published()
        if v.get("module_id") == "R-1" and "rule" in v
    }
    assert states == {("delivery.silent_module", "WITHDRAWN", 2)}
    pass_time(house, day(5) + 1)
    assert ("delivery.silent_module", "R-1", day(2)) not in house.deliveries()
    assert ("delivery.silent_concentrator", "J-2", day(2)) in house.deliveries()


@pytest.mark.stack
def test_a_module_that_moved_is_judged_by_who_heard_it_last(house: Any) -> None:
    house.describe(point("UP-1", ("R-1", EVER, None)))
    house.hear(packet(day(1), "R-1"), packet(day(1), "R-1", name="J-0"))
    assert house.rows("SELECT heard_by FROM ingest.v_modules") == [("J-1",)]
    house.hear(packet(day(2), "R-1", name="J-2"))
    assert house.rows("SELECT heard_by FROM ingest.v_modules") == [("J-2",)]
    house.hear(packet(day(5) - 1, name="J-2"), packet(day(5) - 1, name="J-0"))
    pass_time(house, day(5))
    assert house.deliveries() == {
        ("delivery.silent_concentrator", "J-1", day(1)),
        ("delivery.silent_module", "R-1", day(2)),
    }
    house.describe(point("UP-1", ("R-1", EVER, day(4)), version=2))
    assert house.deliveries() == {("delivery.silent_concentrator", "J-1", day(1))}


@pytest.mark.stack
def test_one_never_heard_and_one_deleted(house: Any) -> None:
    house.plan(concentrator("J-never"), concentrator("J-gone"))
    house.hear(packet(day(0), name="J-gone"))
    pass_time(house, day(3))
    assert house.deliveries() == {
        ("delivery.silent_concentrator", "J-never", day(0)),
        ("delivery.silent_concentrator", "J-gone", day(0)),
    }
    house.plan(concentrator("J-gone", 2, state="DELETED"), concentrator("J-never", 2, plan="WEEKLY"))
    assert house.deliveries() == set()


@pytest.mark.stack
def test_a_deleted_module_is_not_missed(house: Any) -> None:
    house.describe(point("UP-1", ("R-1", EVER, None)))
    house.hear(packet(day(1), "R-1"))
    house.hear(packet(day(4)))
    assert house.deliveries() == {("delivery.silent_module", "R-1", day(1))}
    house.plan(module("R-1", mode="WEEKLY"))
    assert house.deliveries() == set()
    house.plan(module("R-1", 2))
    assert house.deliveries() == {("delivery.silent_module", "R-1", day(1))}
    house.plan(module("R-1", 3, state="DELETED"))
    assert house.deliveries() == set()


@pytest.mark.stack
def test_a_wrong_clock_is_told_by_day_and_taken_back(house: Any) -> None:
    wrong: dict[str, Any] = {"sent_at": (day(2) + 600) * 1000, "packet_id": "P-1"}
    house.hear(packet(day(2), **wrong))
    assert house.deliveries() == {("delivery.clock", "J-1", day(2))}
    # The same packet was received earlier by another way: its clock was wrong on another day.
    house.hear(packet(day(1), **wrong))
    assert house.deliveries() == {("delivery.clock", "J-1", day(1))}


@pytest.mark.stack
def test_what_a_concentrator_last_said_is_shown_and_tells_an_unpaid_subscription(house: Any) -> None:
    house.describe(point("UP-1", ("R-1", EVER, None)), point("UP-2", ("R-2", EVER, None)))
    house.describe(point("UP-3", ("R-2", EVER, day(1))))
    house.plan(concentrator())
    house.hear(
        packet(day(1), "R-1", session=session(backlog=3)),
        packet(day(1) + 5, "R-2", session=session("UNSPECIFIED", None)),
        packet(day(0), session=session("BACKUP", -120, 9)),
    )
    shown = "SELECT power, signal_dbm, backlog_packets, backlog_expected, modules, silent_modules, "
    shown += "blind_usage_points, probably_unpaid, sim_payer FROM ingest.v_concentrators "
    shown += "WHERE concentrator_id = 'J-1'"
    house.deliveries()
    assert house.rows(shown) == [("MAINS", -80, 3, True, 2, 0, 0, False, "CUSTOMER")]
    house.hear(packet(day(1) + 9, session=session(backlog=0)))
    house.deliveries()
    assert house.rows(shown) == [("MAINS", -80, 0, False, 2, 0, 0, False, "CUSTOMER")]
    pass_time(house, day(1) + 9 + UNPAID)
    assert house.deliveries() == {
        ("delivery.silent_concentrator", "J-1", day(1) + 9),
        ("delivery.unpaid_sim", "J-1", day(1) + 9),
    }
    assert house.rows(shown) == [("MAINS", -80, 0, True, 2, 2, 2, True, "CUSTOMER")]
    since = house.rows("SELECT module_id, silent_since FROM ingest.v_modules ORDER BY 1")
    assert since == [("R-1", as_datetime(day(1))), ("R-2", as_datetime(day(1) + 5))]


@pytest.mark.stack
@pytest.mark.parametrize("seed", range(5))
def test_findings_are_the_same_in_any_order(database: Any, seed: int) -> None:
    random = Random(seed)
    house = database.empty()
    wrong: dict[str, Any] = {"sent_at": (day(9) - 500) * 1000}
    messages: list[Callable[[], Any]] = [
        lambda: house.describe(*(point(f"UP-{n}", (f"R-{n}", EVER, None)) for n in range(4))),
        lambda: house.plan(module("R-0", 1, "MONTHLY"), module("R-1", state="DELETED")),
        lambda: house.plan(module("R-0", 2)),
        lambda: house.plan(concentrator(), concentrator("J-never", plan="WEEKLY")),
        lambda: house.plan(concentrator("J-3", 2, state="DELETED"), concentrator("J-3", 1)),
        lambda: house.hear(packet(day(1), "R-0", "R-1", "R-2", session=session())),
        lambda: house.hear(packet(day(2), "R-0", "R-3", session=session("SOLAR", -70)), backlog=True),
        lambda: house.hear(packet(day(3), session=session("MAINS", None))),
        lambda: house.hear(packet(day(3), "R-2", name="J-2"), packet(day(3), "R-9", name="J-3")),
        lambda: house.hear(packet(day(9), "R-3", name="J-2", **wrong)),
        lambda: pass_time(house, day(10)),
    ]
    random.shuffle(messages)
    for message in messages:
        message()
        if random.random() < 0.4:
            house.deliveries()
    assert house.deliveries() == {
        ("delivery.silent_concentrator", "J-1", day(3)),
        ("delivery.unpaid_sim", "J-1", day(3)),
        ("delivery.silent_concentrator", "J-never", day(0)),
        ("delivery.silent_module", "R-2", day(3)),
        ("delivery.clock", "J-2", day(9)),
    }


@pytest.mark.stack
def test_nothing_is_judged_twice_while_nothing_happens(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[int] = []
    honest = PostgresDelivery._found

    def counted(self: PostgresDelivery, conn: Any, clock: int) -> Any:
        judged.append(clock)
        return honest(self, conn, clock)

    monkeypatch.setattr(PostgresDelivery, "_found", counted)
    assert house.delivery.judge() == 0
    assert not judged
    house.hear(packet(day(1), "R-1"))
    house.delivery.judge()
    assert set(judged) == {day(1)}
    # Other databases of the server commit too, and their transactions cannot be told from ours.
    for _ in range(20):
        seen = len(judged)
        house.delivery.judge()
        if len(judged) == seen:
            break
    else:
        pytest.fail("judged twenty times in succession, though nothing happened")


@pytest.mark.stack
def test_by_a_wall_clock_silence_comes_without_any_packet(house: Any) -> None:
    now = [day(1)]
    limits = DeliveryLimits(silence_s=HOUR_S)
    delivery = PostgresDelivery(house.pool, DAYS, lambda: now[0], house.plans, limits)
    house.hear(packet(day(1)))
    told = "SELECT found FROM ingest.v_findings WHERE state = 'OPEN'"
    delivery.judge()
    now[0] = day(2) + HOUR_S - 1
    delivery.judge()
    assert house.rows(told) == []
    now[0] = day(2) + HOUR_S
    delivery.judge()
    assert house.rows(told) == [("nothing since 2026-03-10 22:00 UTC",)]


def deliveries(house: Any, first: int, last: int) -> list[tuple[Any, ...]]:
    """Rows of the delivery log: module, day, expected, received, due, status."""
    house.deliveries()
    return [
        (module, next(n for n in range(-1, 60) if as_datetime(day(n)) == at), *rest)
        for module, at, *rest in house.rows(
            """SELECT module_id, day_start, expected_hours, received_hours, due, status
            FROM ingest.v_deliveries
            WHERE day_start BETWEEN %s AND %s ORDER BY module_id, day_start""",
            as_datetime(day(first)),
            as_datetime(day(last)),
        )
    ]


@pytest.mark.stack
def test_the_delivery_log_tells_what_was_expected_and_what_came(house: Any) -> None:
    noon = day(2) + 12 * HOUR_S + 60
    house.describe(
        point("UP-1", ("R-1", EVER, noon), ("R-2", noon, None)), point("UP-3", ("R-3", EVER, None))
    )
    house.plan(module("R-3", mode="WEEKLY"))
    half = packet(day(3), "R-1")["archives"][0]
    house.hear(
        packet(day(1), "R-1"),
        packet(day(2), archives=[half | {"start_at": day(1) * 1000, "values": [2] * 41, "step_s": 900}]),
        packet(day(3), "R-1", "R-2"),
    )
    pass_time(house, day(5) + 12 * HOUR_S)
    house.work()
    assert deliveries(house, 0, 5) == [
        ("R-1", 0, 24, 24, True, "RECEIVED"),
        ("R-1", 1, 24, 10, True, "PARTIAL"),
        ("R-1", 2, 12, 12, True, "RECEIVED"),
        ("R-2", 2, 11, 11, True, "RECEIVED"),
        ("R-2", 3, 24, 0, True, "MISSING"),
        ("R-2", 4, 24, 0, False, "AWAITED"),
        ("R-2", 5, 24, 0, False, "AWAITED"),
        *(("R-3", n, 0, 0, False, "AWAITED") for n in range(6)),
    ]
    registers = {
        "module_id": "R-3",
        "channel": 1,
        "start_at": day(0) * 1000,
        "offsets_s": [0, 7 * DAY_S],
        "values": [0, 70],
    }
    house.hear(packet(day(8), registers=[registers]))
    pass_time(house, day(18))
    house.work()
    weekly = [row[1:] for row in deliveries(house, 0, 12) if row[0] == "R-3"]
    assert weekly == [
        *((n, 0, 0, True, "RECEIVED") for n in range(7)),
        *((n, 0, 0, True, "MISSING") for n in range(7, 9)),
        *((n, 0, 0, n < 9, "AWAITED") for n in range(9, 13)),
    ]


FLEET = 6_700
"""A tenth of the reference installation: its evidence of 30 days is written in seconds."""


def fill(house: Any) -> None:
    """A fleet with 30 days of evidence and what was heard of it."""
    modules = [f"R-{n:05d}" for n in range(FLEET)]
    described = [point(f"UP-{n:05d}", (name, EVER, None)) for n, name in enumerate(modules)]
    for first in range(0, FLEET, 500):
        house.describe(*described[first : first + 500])
        house.plan(*(module(name) for name in modules[first : first + 500]))
    with house.pool.connection() as conn:
        days = [day(n) for n in range(30)]
        ensure_partitions(conn, "ingest.evidence_days", map(as_datetime, days))
        for at in days:
            values = np.full(DAYS.hours_by_start[at], 2).tolist()
            conn.execute(
                """INSERT INTO ingest.evidence_days (channel_id, day_start, step_s, "values", revision)
                SELECT channel_id, %s, 3600, %s::int[], 1 FROM ingest.channels WHERE channel = 1""",
                [as_datetime(at), values],
            )
        conn.execute(
            """INSERT INTO ingest.modules_heard SELECT module_id COLLATE "C", %s, 'J-' || channel_id %% 120
            FROM ingest.channels WHERE channel = 1""",
            [day(30)],
        )
        conn.execute(
            """INSERT INTO ingest.concentrators_heard
            SELECT DISTINCT concentrator_id, %s::bigint FROM ingest.modules_heard""",
            [day(30)],
        )
        conn.execute(
            "UPDATE ingest.channels SET evidence_from = %s, evidence_until = %s",
            [as_datetime(day(0)), as_datetime(day(31))],
        )
        conn.execute("UPDATE ingest.clock SET received_at = %s, due_before = %s", [day(40), day(38)])
        conn.execute("ANALYZE")


def seconds(work: Callable[[], Any]) -> float:
    """Shortest of three runs."""
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return min(times)


@pytest.mark.stack
def test_a_tenth_of_the_fleet_is_judged_and_shown_within_seconds(house: Any) -> None:
    fill(house)
    begun = time.perf_counter()
    found = house.deliveries()
    first_pass = time.perf_counter() - begun
    assert {rule for rule, *_ in found} == {"delivery.silent_concentrator"}
    assert len(found) == 120
    one_day = f"day_start = '{as_datetime(day(3)).isoformat()}'"
    month = f"day_start BETWEEN '{as_datetime(day(0)).isoformat()}' AND '{as_datetime(day(29)).isoformat()}'"
    shown: Mapping[str, tuple[str, float]] = {
        "day": (f"SELECT count(*) FROM ingest.v_deliveries WHERE {one_day} AND status = 'RECEIVED'", 1),
        "month": (f"SELECT count(*) FROM ingest.v_deliveries WHERE {month} AND status = 'RECEIVED'", 12),
        "point": (
            f"SELECT count(*) FROM ingest.v_deliveries WHERE {month} AND usage_point_id = 'UP-00007'",
            0.2,
        ),
        "module": ("SELECT count(*) FROM ingest.v_modules WHERE module_id = 'R-00007'", 0.2),
        "modules": ("SELECT count(silent_since) FROM ingest.v_modules", 1),
        "concentrators": ("SELECT sum(blind_usage_points) FROM ingest.v_concentrators", 1),
    }
    told = {name: house.rows(query)[0][0] for name, (query, _) in shown.items()}
    assert told == {
        "day": FLEET,
        "month": 30 * FLEET,
        "point": 30,
        "module": 1,
        "modules": FLEET,
        "concentrators": FLEET,
    }
    took = {name: seconds(partial(house.rows, query)) for name, (query, _) in shown.items()}
    slow = {name: took[name] for name, (_, most) in shown.items() if took[name] > most}
    assert not slow, took
    assert first_pass < 10
    pass_time(house, day(40))
    assert seconds(house.delivery.judge) < 2
