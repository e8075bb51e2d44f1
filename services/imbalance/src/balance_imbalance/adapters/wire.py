"""Records of the contract to what the domain knows (schemas: instants are raw milliseconds)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from balance_chassis.errors import BadRecord
from balance_kernel.calendar import HOUR_S, Calendar
from balance_kernel.quantity import Quality

from balance_imbalance.adapters.plain_days import PlainDays
from balance_imbalance.domain.messages import ReadingDay, ReadingDays

READING_DAYS = "balance.v1.ReadingDaysComputed"

MOST_VALUE = 10**13
"""Greatest size of an hour's value and of a pulse weight that is believed, in base units; no reading that
validation lets through is greater, and 18,000 members of it still add up over a day in 64 bits.
"""
_MOST_ID_LENGTH = 256
_EARLIEST_MS = -2_208_988_800_000
_LATEST_MS = 7_258_118_400_000
"""1900 and 2200: what lies outside is no instant of metering."""

_QUALITY_CODES = {quality.value: quality.code for quality in Quality}
_WITH_VALUE = frozenset(q.code for q in (Quality.VALID, Quality.ESTIMATED, Quality.EDITED))
_VALID = Quality.VALID.code


def from_wire_reading_days(value: Mapping[str, Any], calendar: Calendar) -> ReadingDays:
    """A batch of reading days. Raises BadRecord for days that cannot be of this installation."""
    clock_at = instant(value["clock_at"], "clock_at")
    return ReadingDays(clock_at, [_reading_day(day, calendar) for day in value["days"]])


def from_plain_days(plain: PlainDays, calendar: Calendar) -> ReadingDays | None:
    """The same from columns; None when `from_wire_reading_days` would refuse them."""
    hours, ids = plain.values.shape[1], plain.usage_point_ids
    starts = plain.day_starts_ms // 1000
    known = [_EARLIEST_MS <= ms <= _LATEST_MS for ms in (plain.clock_at_ms, *plain.day_starts_ms.tolist())]
    if not all(known) or any(_hours(start, calendar) != hours for start in set(starts.tolist())):
        return None
    if np.abs(plain.values).max() > MOST_VALUE or any(not name or "\x00" in name for name in ids):
        return None
    columns = ids, starts.tolist(), plain.versions.tolist(), plain.values
    return ReadingDays(
        plain.clock_at_ms // 1000,
        [
            ReadingDay(usage_point_id, start, HOUR_S, version, values, None)
            for usage_point_id, start, version, values in zip(*columns, strict=True)
        ],
    )


def _reading_day(day: Mapping[str, Any], calendar: Calendar) -> ReadingDay:
    usage_point_id = check_id(day["usage_point_id"], "usage_point_id")
    day_start = instant(day["day_start_at"], "day_start_at")
    values, qualities = day["values"], day["qualities"]
    where = f"reading day of {usage_point_id} at {day_start}"
    if day["step_s"] != HOUR_S or not values or len(values) != _hours(day_start, calendar):
        raise BadRecord(
            f"{where}: expected one value an hour of a metering day of {calendar.zone} starting at "
            f"{calendar.day_start_hour}:00, found {len(values)} values of {day['step_s']} s; "
            "both services must have the same calendar"
        )
    codes = [_QUALITY_CODES[quality] for quality in qualities] if qualities else None
    if codes is not None:
        if len(codes) != len(values):
            raise BadRecord(f"{where}: expected {len(values)} qualities or none, found {len(codes)}")
        values = [value if code in _WITH_VALUE else 0 for value, code in zip(values, codes, strict=True)]
        if all(code == _VALID for code in codes):
            codes = None
    if None in values:
        raise BadRecord(f"{where}: expected a value for every VALID, ESTIMATED or EDITED hour, found null")
    if max(values) > MOST_VALUE or min(values) < -MOST_VALUE:
        raise BadRecord(f"{where}: expected values up to {MOST_VALUE}, found {max(map(abs, values))}")
    return ReadingDay(usage_point_id, day_start, HOUR_S, day["version"], np.array(values, np.int64), codes)


def _hours(day_start: int, calendar: Calendar) -> int:
    """Hours of the metering day that starts then; 0 when none does."""
    instant = datetime.fromtimestamp(day_start, UTC)
    return calendar.hours(instant) if calendar.day_start(instant) == instant else 0


def instant(milliseconds: int, where: str) -> int:
    """Seconds of an instant of the wire. Raises BadRecord for one outside the years 1900 to 2199."""
    if not _EARLIEST_MS <= milliseconds <= _LATEST_MS:
        raise BadRecord(f"{where}: expected an instant of the years 1900 to 2199, found {milliseconds} ms")
    return milliseconds // 1000


def check_id(text: str, where: str) -> str:
    """An id as it is. Raises BadRecord for what cannot be one."""
    if not 0 < len(text) <= _MOST_ID_LENGTH or "\x00" in text:
        raise BadRecord(f"{where}: expected an id of 1 to {_MOST_ID_LENGTH} characters, found {text[:80]!r}")
    return text
