"""Times of files to instants, and instants to metering days.

A file's clock is a time zone (`Europe/Chisinau`), a fixed offset (`+02:00`), or `plain`: the winter time of
the metering zone all year, as loggers keep it that know nothing of summer time. Times that carry their own
offset (`…Z`, `…+02:00`) need none of this.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from balance_simulator.checking import Expected, Problems

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")


def zone_name(value: Any) -> str:
    """A zone of the tz database. Raises Expected."""
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Expected("a zone such as Europe/Chisinau or UTC") from None
    return str(value)


def clock_name(value: Any) -> str:
    """A file's clock: a zone, an offset or `plain`. Raises Expected."""
    if str(value) == "plain" or _OFFSET.fullmatch(str(value)):
        return str(value)
    try:
        return zone_name(value)
    except Expected:
        raise Expected("a zone such as Europe/Chisinau, an offset such as +02:00, or plain") from None


def clock(name: str, metering_zone: str, near: datetime) -> tzinfo:
    """The tzinfo of a file's clock; `near` is any time of the file, for `plain`."""
    if match := _OFFSET.fullmatch(name):
        minutes = int(match[2]) * 60 + int(match[3])
        return timezone(timedelta(minutes=-minutes if match[1] == "-" else minutes))
    if name != "plain":
        return ZoneInfo(name)
    zone = ZoneInfo(metering_zone)
    offsets = (
        datetime(near.year, month, 1, tzinfo=zone).utcoffset() or timedelta() for month in range(1, 13)
    )
    return timezone(min(offsets))


@dataclass(frozen=True)
class LocalTimes:
    """How a file's times become instants.

    `ambiguous` is for an hour that the clocks run through twice and the file holds once (held twice, the
    first is the earlier): `earlier`, `later` or `refuse`. `nonexistent` is for an hour the clocks skip:
    `refuse`, `drop`, or `shift` by the skipped hour.
    """

    zone: str = ""
    form: str = ""
    ambiguous: str = "earlier"
    nonexistent: str = "refuse"

    def instants(
        self,
        written: Sequence[str],
        rows: Sequence[int],
        keys: Sequence[str],
        metering_zone: str,
        problems: Problems,
    ) -> list[datetime | None]:
        """UTC instant of each written time; None where the row is dropped or refused (noted in `problems`).

        `rows` are line numbers for messages; `keys` tell the series of a long file apart.
        """
        parsed = [self._parsed(value, row, problems) for value, row in zip(written, rows, strict=True)]
        first = next((value for value in parsed if value is not None), None)
        if first is None:
            return list(parsed)
        zone = clock(self.zone or metering_zone, metering_zone, first)
        seen: dict[tuple[str, datetime], int] = defaultdict(int)
        for key, value in zip(keys, parsed, strict=True):
            if value is not None:
                seen[key, value] += 1
        result: list[datetime | None] = []
        met: dict[tuple[str, datetime], int] = defaultdict(int)
        for key, row, value in zip(keys, rows, parsed, strict=True):
            if value is None:
                result.append(None)
            elif value.tzinfo is not None:
                result.append(value.astimezone(UTC))
            else:
                twice = met[key, value] if seen[key, value] > 1 else None
                met[key, value] += 1
                result.append(self._instant(value, zone, twice, row, problems))
        return result

    def _parsed(self, value: str, row: int, problems: Problems) -> datetime | None:
        try:
            return datetime.strptime(value, self.form) if self.form else datetime.fromisoformat(value)
        except ValueError:
            wanted = f"a time like {self.form}" if self.form else "an ISO time such as 2025-11-01 00:00"
            problems.note(
                f"line {row}", wanted, value, "give time: {format: …} as Python's strptime writes it"
            )
            return None

    def _instant(
        self, local: datetime, zone: tzinfo, occurrence: int | None, row: int, problems: Problems
    ) -> datetime | None:
        early, late = local.replace(tzinfo=zone, fold=0), local.replace(tzinfo=zone, fold=1)
        if early.utcoffset() == late.utcoffset():
            return early.astimezone(UTC)
        if early.astimezone(UTC) < late.astimezone(UTC):
            return self._twice(early, late, occurrence, row, problems)
        return self._skipped(early, row, problems)

    def _twice(
        self, early: datetime, late: datetime, occurrence: int | None, row: int, problems: Problems
    ) -> datetime | None:
        if occurrence is not None:
            return (late if occurrence else early).astimezone(UTC)
        if self.ambiguous == "refuse":
            problems.note(
                f"line {row}", "a time that happened once", f"{early:%Y-%m-%d %H:%M} ({early.tzinfo})",
                "say time: {ambiguous: earlier} or later, or {zone: plain} for a clock without summer time",
            )  # fmt: skip
            return None
        return (late if self.ambiguous == "later" else early).astimezone(UTC)

    def _skipped(self, local: datetime, row: int, problems: Problems) -> datetime | None:
        if self.nonexistent == "shift":
            return local.astimezone(UTC)
        if self.nonexistent == "refuse":
            problems.note(
                f"line {row}",
                "a time that exists",
                f"{local:%Y-%m-%d %H:%M} ({local.tzinfo}, clocks go forward)",
                "say time: {zone: plain} for a clock without summer time, or {nonexistent: drop} or shift",
            )
        return None


@dataclass(frozen=True)
class Days:
    """Metering days: civil days of a zone that start at an hour (docs/domain.md §1.1)."""

    zone: str
    start_hour: int = 0

    def start(self, day: date) -> datetime:
        """Instant at which a metering day starts."""
        return datetime(day.year, day.month, day.day, self.start_hour, tzinfo=ZoneInfo(self.zone)).astimezone(
            UTC
        )

    def day_of(self, instant: datetime) -> date:
        """The metering day that holds an instant."""
        day = instant.astimezone(ZoneInfo(self.zone)).date()
        return day if self.start(day) <= instant else day - timedelta(days=1)

    def between(self, start: datetime, end: datetime) -> Iterator[tuple[date, datetime, datetime]]:
        """(day, its start, its end) of the days that overlap [start, end)."""
        day = self.day_of(start)
        while self.start(day) < end:
            yield day, self.start(day), self.start(day + timedelta(days=1))
            day += timedelta(days=1)
