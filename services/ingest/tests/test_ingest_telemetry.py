"""Events, states and sessions: what is refused, what counts, what is stored and told once (docs/domain.md
§2.5, §2.7–§2.9).
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_ingest.adapters import wire
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import DAY_S, Days
from balance_ingest.domain.packets import Session
from balance_ingest.domain.screening import Limits
from balance_ingest.domain.telemetry import possible
from balance_kernel.calendar import Calendar
from hypothesis import given
from hypothesis import strategies as st

DAYS = Days(Calendar("Europe/Chisinau", 0))
NOON = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())
YEAR_2106 = 2**32 - 1
MADE_2110 = int(datetime(2110, 1, 1, tzinfo=UTC).timestamp())


def event(**given: Any) -> dict[str, Any]:
    """A magnet at noon."""
    told = {
        "module_id": "R-1",
        "channel": 1,
        "kind": "MAGNET",
        "phase": "BEGUN",
        "occurred_at": NOON * 1000,
        "value": None,
        "command_id": None,
    }
    return told | given


def state(**given: Any) -> dict[str, Any]:
    """A module in order at noon."""
    told = {
        "module_id": "R-1",
        "observed_at": NOON * 1000,
        "module_clock_at": NOON * 1000,
        "battery_mv": 3600,
        "signal_dbm": -90,
        "firmware": "18",
        "packet_mode": "DAILY",
        "relay_path": [],
    }
    return told | given


def session(**given: Any) -> dict[str, Any]:
    """A concentrator on mains."""
    told = {
        "power": "MAINS",
        "supply_mv": 230_000,
        "signal_dbm": -70,
        "backlog_packets": 3,
        "backlog_from_at": (NOON - DAY_S) * 1000,
    }
    return told | given


def packet(
    events: Sequence[Mapping[str, Any]] = (),
    states: Sequence[Mapping[str, Any]] = (),
    sequence: int = 1,
    **given: Any,
) -> dict[str, Any]:
    """A packet of telemetry, received an hour after noon unless said otherwise."""
    told = {
        "packet_id": f"P-{sequence}",
        "concentrator_id": "J-1",
        "sequence": sequence,
        "sent_at": (NOON + 3600) * 1000,
        "received_at": (NOON + 3600) * 1000,
        "archives": [],
        "registers": [],
        "measurements": [],
        "module_events": list(events),
        "module_states": list(states),
        "session": None,
    }
    return told | given


def refused(*packets: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(rule, what is refused) of some packets."""
    found = harvest([wire.from_wire_packet(one) for one in packets], DAYS, Limits())
    return [(one.finding.rule, one.finding.about.split()[0]) for one in found.refusals]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "UNSPECIFIED"},
        {"phase": "UNSPECIFIED"},
        {"module_id": ""},
        {"module_id": "R" * 65},
        {"module_id": "R-\x00"},
        {"channel": 16},
        {"channel": -1},
        {"channel": 2**31 - 1},
        {"command_id": ""},
        {"command_id": "C" * 65},
        {"command_id": "\x00"},
    ],
)
def test_an_event_no_device_means_is_absurd(wrong: dict[str, Any]) -> None:
    assert refused(packet([event(**wrong), event()])) == [("vee.absurd_value", "event")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"module_id": ""},
        {"battery_mv": -1},
        {"battery_mv": 20_001},
        {"battery_mv": -(2**31)},
        {"signal_dbm": 1},
        {"signal_dbm": -201},
        {"firmware": "1" * 33},
        {"firmware": "1\x008"},
        {"relay_path": ["R-2"] * 17},
        {"relay_path": ["R-2", ""]},
        {"module_clock_at": (MADE_2110 + 366 * DAY_S) * 1000},
        {"module_clock_at": -(2**63)},
        {"module_clock_at": 631_151_999_999},
    ],
)
def test_a_state_no_device_has_is_absurd(wrong: dict[str, Any]) -> None:
    assert refused(packet(states=[state(**wrong), state()])) == [("vee.absurd_value", "state")]


def test_the_edges_of_what_is_possible_are_possible() -> None:
    limits = [
        state(battery_mv=0, signal_dbm=-200, firmware="1" * 32, relay_path=["R"] * 16),
        state(module_id="R-2", battery_mv=20_000, signal_dbm=0, firmware="", module_clock_at=631_152_000_000),
        state(module_id="R-3", module_clock_at=(MADE_2110 + 365 * DAY_S) * 1000 - 1),
        state(module_id="R-4", battery_mv=None, signal_dbm=None, firmware=None, module_clock_at=None),
    ]
    assert refused(packet([event(channel=None), event(channel=0), event(channel=15)], limits)) == []


@pytest.mark.parametrize(
    ("instant", "rule"),
    [
        (YEAR_2106, "vee.future_time"),
        (NOON + 2 * 3600 + 1, "vee.future_time"),
        (2**53, "vee.future_time"),
        (NOON - 1101 * DAY_S, "vee.stale_time"),
        (0, "vee.stale_time"),
        (-(2**53), "vee.stale_time"),
    ],
)
def test_what_lies_out_of_time_is_refused_before_all_else(instant: int, rule: str) -> None:
    told = packet(
        [event(occurred_at=instant * 1000, kind="UNSPECIFIED")],
        [state(observed_at=instant * 1000, battery_mv=-5)],
    )
    assert refused(told) == [(rule, "event"), (rule, "state")]


def test_the_last_believable_instant_is_believed() -> None:
    last, first = (NOON + 2 * 3600) * 1000, (NOON + 3600 - 1100 * DAY_S) * 1000
    assert refused(packet([event(occurred_at=last), event(occurred_at=first)])) == []


def test_a_session_says_nothing_of_what_is_impossible() -> None:
    most = Session("SOLAR", 400_000, -200, 1_000_000, NOON)
    assert possible(most) == most
    wrong: dict[str, Any] = {"supply_mv": 400_001, "signal_dbm": 1, "backlog_packets": -1}
    for field, number in (wrong | {"backlog_from": 2**62}).items():
        silent: dict[str, Any] = {field: None}
        assert possible(most._replace(**{field: number})) == most._replace(**silent)


def told_by(packets: Sequence[Mapping[str, Any]]) -> Any:
    """Events, states and sessions that count of some packets."""
    found = harvest([wire.from_wire_packet(one) for one in packets], DAYS, Limits()).telemetry
    return found.events, found.states, found.sessions


@given(st.randoms(use_true_random=False))
def test_neither_order_nor_number_of_deliveries_matters(chance: random.Random) -> None:
    packets = [
        packet(
            [
                event(value=chance.choice((None, 0, 1)), phase=chance.choice(("BEGUN", "ENDED")))
                for _ in range(3)
            ],
            [state(**chance.choice(({"battery_mv": None}, {"firmware": None}, {"firmware": ""}, {})))],
            chance.randint(1, 2),
            received_at=(NOON + chance.choice((1, 2, 100))) * 1000,
            concentrator_id=chance.choice(("J-1", "J-2")),
            session=chance.choice((None, session(), session(signal_dbm=None))),
        )
        for _ in range(4)
    ]
    again = [*packets, *chance.choices(packets, k=2)]
    chance.shuffle(again)
    assert told_by(packets) == told_by(again)


def test_a_packet_of_many_events_weighs_some_channel_days() -> None:
    light = wire.from_wire_packet(packet([event()]))
    heavy = wire.from_wire_packet(packet([event(value=n) for n in range(10_000)]))
    assert (light.weight, heavy.weight) == (1, 1250)


STORED = """SELECT module_id, battery_mv, firmware, concentrator_id, relay_path, version
    FROM ingest.v_module_states ORDER BY module_id"""


@pytest.mark.stack
def test_a_state_is_kept_once_and_the_newest_is_told(house: Any) -> None:
    later = state(observed_at=(NOON + 60) * 1000, battery_mv=3500, relay_path=["R-7", "R-8"])
    house.hear(packet(states=[state()]))
    house.hear(packet(states=[later], sequence=2))
    assert house.rows(STORED) == [("R-1", 3500, "18", "J-1", ["R-7", "R-8"], 2)]
    told = [value for record, value in house.told() if record.endswith("ModuleStateReported")]
    assert [(one["version"], one["battery_mv"], one["clock_offset_s"]) for one in told] == [(2, 3500, -60)]
    house.hear(packet(states=[state(battery_mv=1)], sequence=1), packet(states=[later], sequence=2))
    house.hear(packet(states=[state(battery_mv=3300)], sequence=9))
    assert house.told() == [] or all("Session" in record for record, _ in house.told())
    assert house.rows(STORED) == [("R-1", 3500, "18", "J-1", ["R-7", "R-8"], 2)]
    history = "SELECT battery_mv FROM ingest.v_module_state_history ORDER BY observed_at"
    assert house.rows(history) == [(3300,), (3500,)]


@pytest.mark.stack
def test_an_event_is_told_once_as_it_was_received_first(house: Any) -> None:
    house.hear(packet([event(), event()], sequence=2))
    (told,) = [value for record, value in house.told() if record.endswith("ModuleEventReported")]
    assert (told["kind"], told["channel"], told["occurred_at"]) == ("MAGNET", 1, NOON * 1000)
    earlier = packet([event(), event(value=0)], received_at=(NOON + 60) * 1000, concentrator_id="J-0")
    house.hear(earlier, backlog=True)
    again = [value for record, value in house.told() if record.endswith("ModuleEventReported")]
    assert [one["value"] for one in again] == [0]
    rows = house.rows(
        "SELECT event_id, concentrator_id, received_at FROM ingest.v_module_events WHERE value IS NULL"
    )
    assert rows == [(told["event_id"], "J-0", datetime.fromtimestamp(NOON + 60, UTC))]


@pytest.mark.stack
def test_a_session_is_told_once_with_its_clock_and_its_lane(house: Any) -> None:
    archive = {
        "module_id": "R-9",
        "channel": 1,
        "kind": "UNSPECIFIED",
        "start_at": 0,
        "step_s": 0,
        "values": [],
    }
    archive |= {"missing": [], "register_start": None, "register_end": None}
    slow = packet([event()], [state(module_id="R-2")], archives=[archive], session=session(supply_mv=-1))
    slow |= {"sent_at": (NOON - 3600) * 1000}
    house.hear(slow, backlog=True)
    house.hear(slow | {"received_at": (NOON + 9000) * 1000})
    (told,) = [value for record, value in house.told() if record.endswith("SessionReported")]
    assert (told["modules"], told["clock_offset_s"], told["power"], told["supply_mv"]) == (
        3,
        -7200,
        "MAINS",
        None,
    )
    assert told["backlog_from_at"] == (NOON - DAY_S) * 1000
    shown = house.rows("SELECT packet_id, lane, clock_offset_s, received_at FROM ingest.v_sessions")
    assert shown == [("P-1", "BACKLOG", -7200, datetime.fromtimestamp(NOON + 3600, UTC))]
    house.hear(packet(sequence=2, sent_at=(NOON + 3660) * 1000))
    assert house.rows("SELECT clock_offset_s FROM ingest.v_sessions WHERE packet_id = 'P-2'") == [(0,)]


@pytest.mark.stack
def test_a_session_sent_at_no_time_at_all_is_kept(house: Any) -> None:
    house.hear(packet(sent_at=2**63 - 1, states=[state()]), packet(sent_at=-(2**63), sequence=2))
    offsets = house.rows("SELECT clock_offset_s > 0 FROM ingest.v_sessions ORDER BY sequence")
    assert offsets == [(True,), (False,)]
    assert len(house.told()) == 3


@pytest.mark.stack
def test_ten_thousand_events_in_one_packet_are_ten_thousand_rows(house: Any) -> None:
    crowd = [event(kind="ACCESS", phase="OCCURRED", occurred_at=(NOON - n) * 1000) for n in range(10_000)]
    house.hear(packet(crowd))
    house.hear(packet(crowd, sequence=2))
    assert house.rows("SELECT count(*) FROM ingest.module_events") == [(10_000,)]
    assert sum("Event" in record for record, _ in house.told()) == 10_000


@pytest.mark.stack
def test_refused_telemetry_is_held_with_its_finding(house: Any) -> None:
    wrong = [event(kind="UNSPECIFIED", module_id="R-\x00"), event(occurred_at=YEAR_2106 * 1000)]
    house.hear(packet(wrong, [state(firmware="\x00", relay_path=["\x00"], observed_at=(2**62))]))
    query = """SELECT rule, module_id, channel, element->>'kind', element->>'firmware' FROM ingest.v_findings
        ORDER BY rule, module_id, channel"""
    assert house.rows(query) == [
        ("vee.absurd_value", "R-\ufffd", 1, "UNSPECIFIED", None),
        ("vee.future_time", "R-1", 1, "MAGNET", None),
        ("vee.future_time", "R-1", None, None, "\ufffd"),
    ]
    assert house.rows("SELECT count(*) FROM ingest.module_events") == [(0,)]
    assert house.rows("SELECT modules FROM ingest.v_sessions") == [(2,)]


@pytest.mark.stack
def test_every_order_of_deliveries_ends_in_the_same_tables(house: Any) -> None:
    packets = [
        packet([event()], [state()], 1, session=session()),
        packet(
            [event()],
            [state(firmware=None)],
            1,
            received_at=(NOON + 60) * 1000,
            session=session(power="SOLAR"),
        ),
        packet([event(value=1)], [state(relay_path=["R-2"])], 1, concentrator_id="J-2"),
        packet([], [state(battery_mv=None, module_clock_at=None)], 1, concentrator_id="J-3"),
    ]
    tables = (
        "SELECT * FROM ingest.v_module_events ORDER BY event_id",
        "SELECT * FROM ingest.v_module_state_history",
        "SELECT * FROM ingest.v_sessions ORDER BY concentrator_id, packet_id",
        "SELECT module_id, received_at, battery_mv, firmware FROM ingest.latest_module_states",
    )
    seen = set()
    for order in list(itertools.permutations(packets))[::3]:
        clean = house.empty()
        for one in order:
            clean.hear(one)
        seen.add(repr([clean.rows(table) for table in tables]))
    assert len(seen) == 1
