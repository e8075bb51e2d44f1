"""Screening of events and states of modules: what is refused never counts (docs/domain.md §2.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from balance_ingest.domain.findings import ABSURD_VALUE, Finding, Severity, instant_text
from balance_ingest.domain.packets import (
    CHANNELS,
    MAX_ID_LENGTH,
    ModuleEvent,
    ModuleState,
    Packet,
    is_id,
)
from balance_ingest.domain.screening import Fault, Limits, Refusal, Verdict, future_time, stale_time
from balance_ingest.domain.telemetry import CLOCKS, Telemetry, clock_ahead

MAX_FIRMWARE_LENGTH = 32
MAX_RELAYS = 16
MAX_BATTERY_MV = 20_000
LEAST_SIGNAL_DBM = -200
_ADVICE = "check the firmware of the module and the decoding at the edge"


def listen(telemetry: Telemetry, packet: Packet, limits: Limits) -> Iterator[Refusal]:
    """Hear a packet's session, and of its events and states those that are accepted; the others' refusals."""
    telemetry.hear_session(packet)
    for event in packet.events:
        refusal = screen_event(event, packet, limits)
        if refusal:
            yield refusal
        else:
            telemetry.hear_event(event, packet)
    ahead = clock_ahead(packet.sent, packet.received)
    for state in packet.states:
        refusal = screen_state(state, packet, limits)
        if refusal:
            yield refusal
        else:
            telemetry.hear_state(state, packet, ahead)


def screen_event(event: ModuleEvent, packet: Packet, limits: Limits) -> Refusal | None:
    """The refusal of an event by the first rule that applies; None for one that counts."""
    verdict = _timely(event.occurred, packet, limits) or absurd_event(event)
    what = f"An event ({event.kind} {event.phase})"
    about = f"event {event.kind} {event.phase}"
    return verdict and _refusal(event, packet, event.occurred, event.channel, what, about, verdict)


def screen_state(state: ModuleState, packet: Packet, limits: Limits) -> Refusal | None:
    """The refusal of a state by the first rule that applies; None for one that counts."""
    verdict = _timely(state.observed, packet, limits) or absurd_state(state)
    return verdict and _refusal(state, packet, state.observed, None, "A state", "state", verdict)


def _timely(instant: int, packet: Packet, limits: Limits) -> Verdict:
    span = instant, instant
    return future_time(span, packet.received, limits) or stale_time(span, packet.received, limits)


def absurd_event(event: ModuleEvent) -> Verdict:
    """`vee.absurd_value`: no device means this (docs/domain.md §2.5)."""
    if event.kind == "UNSPECIFIED":
        return _absurd("an event of a kind that is known", "an unspecified kind")
    if event.phase == "UNSPECIFIED":
        return _absurd("a phase BEGUN, ENDED or OCCURRED", "an unspecified phase")
    if not is_id(event.module_id):
        return _no_module(event.module_id)
    if event.channel is not None and not 0 <= event.channel < CHANNELS:
        return _absurd(f"a channel from 0 to {CHANNELS - 1}, or none", f"{event.channel}")
    if event.command_id is not None and not is_id(event.command_id):
        return _absurd("a command id of 1 to 64 characters", f"one of {len(event.command_id)}")
    return None


def absurd_state(state: ModuleState) -> Verdict:
    """`vee.absurd_value`: no device is so (docs/domain.md §2.5)."""
    if not is_id(state.module_id):
        return _no_module(state.module_id)
    fault = next((fault for check in _STATE_CHECKS if (fault := check(state))), None)
    return fault and _absurd(*fault)


def _battery(state: ModuleState) -> Fault:
    if state.battery_mv is None or 0 <= state.battery_mv <= MAX_BATTERY_MV:
        return None
    return f"a battery from 0 to {MAX_BATTERY_MV} mV", f"{state.battery_mv} mV"


def _signal(state: ModuleState) -> Fault:
    if state.signal_dbm is None or LEAST_SIGNAL_DBM <= state.signal_dbm <= 0:
        return None
    return f"a signal from {LEAST_SIGNAL_DBM} to 0 dBm", f"{state.signal_dbm} dBm"


def _firmware(state: ModuleState) -> Fault:
    text = state.firmware
    if text is None or (len(text) <= MAX_FIRMWARE_LENGTH and "\x00" not in text):
        return None
    return f"a firmware of at most {MAX_FIRMWARE_LENGTH} characters", f"one of {len(text)}"


def _relays(state: ModuleState) -> Fault:
    if len(state.relay_path) > MAX_RELAYS:
        return f"at most {MAX_RELAYS} relays", f"{len(state.relay_path)}"
    wrong = [relay for relay in state.relay_path if not is_id(relay)]
    return (f"relays of 1 to {MAX_ID_LENGTH} characters", f"one of {len(wrong[0])}") if wrong else None


def _clock(state: ModuleState) -> Fault:
    if state.module_clock is None or CLOCKS[0] <= state.module_clock < CLOCKS[1]:
        return None
    return "a clock of the module in the years 1990 to 2110", instant_text(state.module_clock)


_STATE_CHECKS: tuple[Callable[[ModuleState], Fault], ...] = (_battery, _signal, _firmware, _relays, _clock)


def _absurd(expected: str, found: str) -> Verdict:
    return ABSURD_VALUE, expected, found, _ADVICE


def _no_module(module_id: str) -> Verdict:
    return _absurd(f"a module id of 1 to {MAX_ID_LENGTH} characters", f"one of {len(module_id)}")


def _refusal(
    element: ModuleEvent | ModuleState,
    packet: Packet,
    instant: int,
    channel: int | None,
    what: str,
    about: str,
    verdict: tuple[str, str, str, str],
) -> Refusal:
    rule, expected, found, advice = verdict
    finding = Finding(
        rule=rule,
        about=about,
        severity=Severity.ERROR,
        start=instant,
        end=instant,
        expected=expected,
        found=found,
        message=f"{what} of module {element.module_id[:MAX_ID_LENGTH]!r} at {instant_text(instant)} "
        f"was refused: expected {expected}, found {found}; {advice}.",
        module_id=element.module_id,
        channel=channel,
        concentrator_id=packet.concentrator_id,
    )
    return Refusal(finding, element, packet.sequence)
