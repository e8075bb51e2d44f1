"""Findings as values (docs/domain.md §3, last paragraph)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

from balance_ingest.domain.days import EARLIEST, LATEST

FUTURE_TIME = "vee.future_time"
STALE_TIME = "vee.stale_time"
ABSURD_VALUE = "vee.absurd_value"
CONFLICTING_DUPLICATE = "vee.conflicting_duplicate"
NEGATIVE_CONSUMPTION = "vee.negative_consumption"
REGISTER_CONTINUITY = "vee.register_continuity"
SUM_CHECK = "vee.sum_check"
HIGH = "vee.high"
TWO_DEVICES = "vee.two_devices"
MISSING = "vee.missing"
UNKNOWN_CHANNEL = "vee.unknown_channel"
OUT_OF_RANGE = "vee.out_of_range"
UNKNOWN_SENSOR_KIND = "vee.unknown_sensor_kind"
SENSOR_FAULT = "vee.sensor_fault"
CLOCK_DRIFT = "vee.clock_drift"
ZERO = "vee.zero"
STUCK = "vee.stuck"
ABOVE_USUAL = "vee.above_usual"
SPIKE = "vee.spike"
SILENT_CONCENTRATOR = "delivery.silent_concentrator"
SILENT_MODULE = "delivery.silent_module"
UNPAID_SIM = "delivery.unpaid_sim"
BATTERY = "delivery.battery"
DELIVERY_CLOCK = "delivery.clock"
UNUSUAL = (ZERO, STUCK, ABOVE_USUAL, SPIKE)
"""Rules about readings that stand (docs/domain.md §3.15)."""


class Severity(IntEnum):
    """What a finding asks for; the values are the positions in the contract. ERROR keeps values out of the
    balance.
    """

    INFORMATION = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact that a rule established about [start, end), in seconds since 1970.

    `about` tells apart what one rule may find about one subject from the same instant on: counts, a
    register, a step.
    """

    rule: str
    about: str
    severity: Severity
    start: int
    end: int
    expected: str
    found: str
    message: str
    usage_point: str | None = None
    module_id: str | None = None
    channel: int | None = None
    concentrator_id: str | None = None

    @property
    def finding_id(self) -> str:
        """The same fact has the same id, whoever finds it and however often."""
        subject = (self.usage_point, self.module_id, self.channel, self.concentrator_id)
        start = 0 if self.rule == UNKNOWN_CHANNEL else self.start
        text = repr((self.rule, self.about, subject, start))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def instant_text(instant: int) -> str:
    """An instant for people: `2026-03-29 01:00 UTC`."""
    if not EARLIEST < instant < LATEST:
        return f"{instant} s after 1970"
    form = "%Y-%m-%d %H:%M" if instant % 60 == 0 else "%Y-%m-%d %H:%M:%S"
    return f"{datetime.fromtimestamp(instant, UTC):{form}} UTC"


def span_text(start: int, end: int) -> str:
    """A span for people."""
    return f"{instant_text(start)} to {instant_text(end)}"
