"""What is refused, and why (domain.md §2.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from balance_oracle.days import MeteringDays
from balance_oracle.settings import DAY, Settings

STEPS = (900, 1800, 3600)
MOST_VALUES = 3000
MOST_REGISTER = 10**15
MOST_SEQUENCE = 2**62 - 1
KINDS = ("CURRENT", "ARCHIVED")
MOST_RELAYS = 16


def _ms(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000)


def is_bad_record(packet: Mapping[str, Any]) -> bool:
    """A packet that goes to the dead letters as a whole."""
    ids = (packet["packet_id"], packet["concentrator_id"])
    return (
        not 0 <= packet["sequence"] <= MOST_SEQUENCE
        or not all(map(is_id, ids))
        or not _ms(2000) <= packet["received_at"] < _ms(2100)
    )


def is_id(text: str) -> bool:
    """An id is neither empty, nor longer than 64 characters, nor holds a NUL."""
    return 1 <= len(text) <= 64 and "\0" not in text


def refuse_archive(
    archive: Mapping[str, Any], now: int, days: MeteringDays, settings: Settings
) -> str | None:
    """The rule that refuses an archive heard at ``now``; None when it is evidence."""
    registers = [r for r in (archive["register_start"], archive["register_end"]) if r is not None]
    absurd = any(not 0 <= register <= MOST_REGISTER for register in registers) or (
        archive["channel"] == 0 and bool(registers)
    )
    return _refuse_run(archive, [archive["values"]], absurd, now, days, settings)


def refuse_measurements(
    element: Mapping[str, Any], now: int, days: MeteringDays, settings: Settings
) -> str | None:
    """The rule that refuses measurements; None when they are evidence."""
    averages = element["averages"]
    extremes = [values for values in (element["minima"], element["maxima"]) if values]
    if any(len(values) != len(averages) for values in extremes):
        return _refuse_run(element, [averages], True, now, days, settings)
    return _refuse_run(element, [averages, *extremes], False, now, days, settings)


def _refuse_run(
    element: Mapping[str, Any],
    series: list[list[int]],
    absurd: bool,
    now: int,
    days: MeteringDays,
    settings: Settings,
) -> str | None:
    start, step, length = element["start_at"] // 1000, element["step_s"], len(series[0])
    starts = [start + position * step for position in range(length)]
    if rule := _refuse_time(starts, [begin + step for begin in starts], now, settings):
        return rule
    missing = set(element["missing"])
    absurd = (
        absurd
        or step not in STEPS
        or not 1 <= length <= MOST_VALUES
        or (start - days.containing(start)) % step != 0
        or any(not 0 <= position < length for position in missing)
        or any(not -(2**31) <= v < 2**31 for s in series for i, v in enumerate(s) if i not in missing)
        or not 0 <= element["channel"] <= 15
        or element["kind"] not in KINDS
        or not is_id(element["module_id"])
    )
    return "vee.absurd_value" if absurd else None


def _refuse_time(starts: Iterable[int], ends: Iterable[int], now: int, settings: Settings) -> str | None:
    if any(end > now + settings.skew for end in ends):
        return "vee.future_time"
    if any(start < now - settings.horizon for start in starts):
        return "vee.stale_time"
    return None


def refuse_registers(entry: Mapping[str, Any], now: int, settings: Settings) -> str | None:
    """The rule that refuses register readings; None when they are evidence."""
    offsets, values = entry["offsets_s"], entry["values"]
    instants = [entry["start_at"] // 1000 + offset for offset in offsets]
    if rule := _refuse_time(instants, instants, now, settings):
        return rule
    absurd = (
        len(offsets) != len(values)
        or not 1 <= len(values) <= MOST_VALUES
        or any(not 0 <= offset <= 35 * DAY for offset in offsets)
        or any(not 0 <= value <= MOST_REGISTER for value in values)
        or not 1 <= entry["channel"] <= 15
        or not is_id(entry["module_id"])
    )
    return "vee.absurd_value" if absurd else None


def refuse_event(event: Mapping[str, Any], now: int, settings: Settings) -> str | None:
    """The rule that refuses a module event; None when it is evidence."""
    at, channel, command = event["occurred_at"] // 1000, event["channel"], event["command_id"]
    if rule := _refuse_time([at], [at], now, settings):
        return rule
    absurd = (
        event["kind"] == "UNSPECIFIED"
        or event["phase"] == "UNSPECIFIED"
        or not is_id(event["module_id"])
        or (channel is not None and not 0 <= channel <= 15)
        or (command is not None and not is_id(command))
    )
    return "vee.absurd_value" if absurd else None


def refuse_state(state: Mapping[str, Any], now: int, settings: Settings) -> str | None:
    """The rule that refuses a module state; None when it is evidence."""
    at, firmware, clock = state["observed_at"] // 1000, state["firmware"], state["module_clock_at"]
    if rule := _refuse_time([at], [at], now, settings):
        return rule
    absurd = (
        not is_id(state["module_id"])
        or not _within(state["battery_mv"], 0, 20_000)
        or not _within(state["signal_dbm"], -200, 0)
        or not _within(clock, _ms(1990), _ms(2111) - 1)
        or (firmware is not None and ("\0" in firmware or len(firmware) > 32))
        or len(state["relay_path"]) > MOST_RELAYS
        or not all(map(is_id, state["relay_path"]))
    )
    return "vee.absurd_value" if absurd else None


def _within(number: int | None, least: int, most: int) -> bool:
    return number is None or least <= number <= most


def possible_session(session: Mapping[str, Any]) -> dict[str, Any]:
    """A session state with what is impossible taken as null."""
    limits = {"supply_mv": (0, 400_000), "signal_dbm": (-200, 0), "backlog_packets": (0, 10**6)}
    kept = dict(session)
    for name, (least, most) in limits.items():
        if not _within(session[name], least, most):
            kept[name] = None
    return kept
