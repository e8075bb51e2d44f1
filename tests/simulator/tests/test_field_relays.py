"""A module's relay does what it was told once, and answers as radio modules do."""

from dataclasses import replace

import pytest
from balance_simulator.field.relays import (
    ALWAYS,
    CONNECT,
    DATA_REQUEST,
    DISCONNECT,
    OFF,
    ON,
    Downlink,
    Relay,
    RelayHabits,
    Uplink,
)

NOW = 1_760_000_000


def command(
    name: str, action: str = DISCONNECT, at_s: int = NOW, valid_s: int = 3_600, sequence: int = 0
) -> Downlink:
    return Downlink(name, action, at_s, at_s + valid_s, sequence)


def told(answers: list[Uplink]) -> list[tuple[str, int | None, str | None]]:
    return [(a.event["kind"], a.event["value"], a.event["command_id"]) for a in answers if a.event]


def test_it_switches_and_tells_state_and_result_within_four_minutes() -> None:
    relay = Relay("M-1", 7)
    answers = relay.take(command("c-1"))
    assert told(answers) == [("RELAY_STATE", OFF, "c-1"), ("COMMAND_RESULT", 0, "c-1")]
    assert relay.state == OFF
    assert all(180 <= a.at_s - NOW <= 245 for a in answers)
    assert told(relay.take(command("c-2", CONNECT, NOW + 600)))[0] == ("RELAY_STATE", ON, "c-2")


def test_the_same_seed_gives_the_same_answers() -> None:
    habits = RelayHabits(lost=0.3, lost_answer=0.2, late=0.3, twice=0.3, stuck=0.2, power_fails=0.2)
    downlinks = [
        command(f"c-{n}", (DISCONNECT, CONNECT)[n % 2], NOW + n * 900, sequence=n) for n in range(40)
    ]

    def answers(seed: int) -> list[list[Uplink]]:
        relay = Relay("M-1", seed, habits)
        return [relay.take(downlink) for downlink in downlinks]

    assert answers(3) == answers(3) != answers(4)


def test_an_id_is_executed_once() -> None:
    relay = Relay("M-1", 7)
    relay.take(command("c-1"))
    relay.take(command("c-2", CONNECT))
    assert relay.take(command("c-1")) == []
    assert relay.state == ON


def test_what_is_stale_is_dropped() -> None:
    relay = Relay("M-1", 7, replace(ALWAYS, sessions_s=(NOW + 7_200,)))
    assert relay.take(command("c-1", valid_s=3_600)) == []
    assert relay.state == ON


def test_a_command_overtaken_by_a_later_one_is_dropped() -> None:
    relay = Relay("M-1", 7)
    relay.take(command("c-2", CONNECT, sequence=2))
    assert relay.take(command("c-1", DISCONNECT, sequence=1)) == []
    assert relay.state == ON


def test_a_sleeping_concentrator_hears_it_in_its_session() -> None:
    relay = Relay("M-1", 7, replace(ALWAYS, sessions_s=(NOW - 60, NOW + 7_200)))
    answers = relay.take(command("c-1", valid_s=86_400))
    assert 7_200 + 180 <= answers[0].at_s - NOW <= 7_200 + 240
    assert relay.take(command("c-2", CONNECT, NOW + 8_000)) == []


def test_a_lost_downlink_does_nothing_and_a_lost_answer_did() -> None:
    deaf, mute = Relay("M-1", 7, replace(ALWAYS, lost=1.0)), Relay("M-1", 7, replace(ALWAYS, lost_answer=1.0))
    assert deaf.take(command("c-1")) == mute.take(command("c-1")) == []
    assert (deaf.state, mute.state) == (ON, OFF)


def test_an_answer_may_come_twice_and_is_the_same_event() -> None:
    answers = Relay("M-1", 7, replace(ALWAYS, twice=1.0)).take(command("c-1"))
    assert len(answers) == 4
    assert [a.at_s for a in answers] == sorted(a.at_s for a in answers)
    events = [tuple(sorted(a.event.items(), key=str)) for a in answers if a.event]
    assert len(set(events)) == 2


def test_a_stuck_relay_reports_the_other_state_and_a_reason() -> None:
    relay = Relay("M-1", 7, replace(ALWAYS, stuck=1.0))
    assert told(relay.take(command("c-1"))) == [("RELAY_STATE", ON, "c-1"), ("COMMAND_RESULT", 2, "c-1")]


def test_power_that_fails_between_doing_and_answering_leaves_a_restart_alone() -> None:
    relay = Relay("M-1", 7, replace(ALWAYS, power_fails=1.0))
    assert told(relay.take(command("c-1"))) == [("RESTARTED", None, None)]
    assert relay.state == OFF
    assert relay.take(command("c-1")) == []


def test_a_manual_valve_is_not_opened_by_radio() -> None:
    relay = Relay("M-1", 7, replace(ALWAYS, manual_valve=True))
    relay.take(command("c-1"))
    assert told(relay.take(command("c-2", CONNECT)))[0] == ("RELAY_STATE", OFF, "c-2")


def test_a_data_request_is_answered_with_current_data() -> None:
    (answer,) = Relay("M-1", 7).take(command("c-1", DATA_REQUEST))
    assert answer.is_current_data
    assert answer.command_id == "c-1"


def test_waiting_can_be_compressed() -> None:
    (first, _) = Relay("M-1", 7, replace(ALWAYS, compress=60.0)).take(command("c-1"))
    assert 3 <= first.at_s - NOW <= 4


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="expected an action of DISCONNECT"):
        Relay("M-1", 7).take(command("c-1", "ENABLE"))
