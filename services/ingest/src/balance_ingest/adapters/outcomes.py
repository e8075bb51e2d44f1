"""What a transaction came to: readings and findings gathered, written at its end, and named to the
publisher.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from balance_chassis.copying import Numbers, copy_columns
from balance_chassis.lanes import BACKLOG, LIVE
from balance_chassis.outbox import Outbox
from balance_chassis.postgres import copy_binary
from balance_schemas import catalogue
from psycopg import Connection
from psycopg.types.json import Jsonb

from balance_ingest.adapters.queries import statement
from balance_ingest.adapters.wire import to_json_element
from balance_ingest.domain.days import EARLIEST, LATEST
from balance_ingest.domain.findings import Finding
from balance_ingest.domain.history import UsagePoint
from balance_ingest.domain.plain import PlainDays
from balance_ingest.domain.readings import ALGORITHM_VERSION
from balance_ingest.domain.screening import Noted, Refusal
from balance_ingest.domain.sensor_kinds import told_kind
from balance_ingest.domain.sheet import EDITED, MISSING, VALID, ReadingDay

SCHEMA = "ingest"
_KEYS_AN_OUTBOX_ROW = 5000
_SENSED = ("minima", "maxima", "sensor_kind")
_READING = ("usage_point", "day_start", "resource", "values", "qualities", "greatest", *_SENSED)
_READING_TYPES = ("int4", "int8", "int4", "int8[]", "int2[]", "int8", "int8[]", "int8[]", "text")

Pair = tuple[int, int]


class Readings:
    """Reading days to be written. One that is given twice was computed twice alike."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._plain: list[PlainDays] = []
        self._odd: dict[Pair, tuple[Any, ...]] = {}

    def keep_plain(self, plain: PlainDays) -> None:
        """Days with all hours VALID."""
        if len(plain.point):
            self._plain.append(plain)

    def keep(self, point: UsagePoint, readings: Iterable[ReadingDay], withdrawn: Mapping[int, int]) -> None:
        """Days with any qualities, and days that are none any more."""
        code, kind = point.resource.code, told_kind(point.resource, point.sensor_kind)
        for one in readings:
            valid = all(quality == VALID for quality in one.qualities)
            qualities = None if valid else list(one.qualities)
            hours = (list(one.values), qualities, _greatest(one), *map(_told, (one.minima, one.maxima)))
            self._odd[point.key, one.day] = (point.key, one.day, code, *hours, kind)
        for day, count in withdrawn.items():
            none = ([None] * count, [MISSING] * count, None, None, None)
            self._odd[point.key, day] = (point.key, day, code, *none, kind)

    def days(self) -> frozenset[int]:
        """The days that are to be written."""
        plain = [np.unique(plain.day).tolist() for plain in self._plain]
        return frozenset(day for days in (*plain, (day for _, day in self._odd)) for day in days)

    def write(self, conn: Connection[Any]) -> Sequence[Pair]:
        """Write what changed; (usage point, day) of that."""
        if not self._plain and not self._odd:
            return []
        conn.execute(statement("make_incoming_readings"))
        with conn.cursor(binary=True) as cur:
            for plain in self._plain:
                self._copy_plain(cur, plain)
            rows = self._odd.values()
            if rows:
                copy_binary(cur, "incoming_readings", _READING, _READING_TYPES, rows)
            cur.execute(statement("upsert_readings"), {"algorithm": ALGORITHM_VERSION})
            changed: Sequence[Pair] = cur.fetchall()
        return changed

    def _copy_plain(self, cur: Any, plain: PlainDays) -> None:
        if self._odd:
            keys = zip(plain.point.tolist(), plain.day.tolist(), strict=True)
            plain = plain.at(np.array([key not in self._odd for key in keys], bool))
        if len(plain.point):
            columns = [
                ("usage_point", "int4", plain.point),
                ("day_start", "int8", plain.day),
                ("resource", "int4", plain.resource),
                ("values", "int8", plain.values),
                ("greatest", "int8", plain.values.max(axis=1)),
            ]
            copy_columns(cur, "incoming_readings", columns)


def _told(values: Sequence[int | None]) -> list[int | None] | None:
    """Values by hour, or null when there is none."""
    return None if all(value is None for value in values) else list(values)


def _greatest(day: ReadingDay) -> int | None:
    """Greatest hour of a day that is VALID or EDITED throughout (docs/domain.md §3.15)."""
    values = [value for value in day.values if value is not None]
    whole = len(values) == len(day.values) and all(quality in (VALID, EDITED) for quality in day.qualities)
    return max(values) if whole else None


class Findings:
    """Findings to be opened, or withdrawn unless they are opened too."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._found: dict[str, dict[str, Any]] = {}
        self._gone: set[str] = set()
        self._refused: list[dict[str, Any]] = []

    def settle(
        self,
        found: Iterable[Finding],
        gone: Iterable[str],
        usage_point: int | None = None,
        channel_id: int | None = None,
    ) -> None:
        """Open what was found; withdraw the rest."""
        for finding in found:
            row = _row(finding)
            self._found[row["finding_id"]] = row | {"usage_point": usage_point, "channel_id": channel_id}
        self._gone.update(gone)

    def refuse(self, refusals: Iterable[Refusal]) -> None:
        """Keep refused elements."""
        for refusal in refusals:
            element = to_json_element(refusal.element)
            self._refused.append(_row(refusal.finding) | {"sequence": refusal.sequence, "element": element})

    def note(self, noted: Iterable[Noted]) -> None:
        """Keep findings about elements that count."""
        self._refused.extend(_row(one.finding) | {"sequence": one.sequence} for one in noted)

    def write(self, conn: Connection[Any]) -> Sequence[str]:
        """Write what changed; the ids of that."""
        changed: set[str] = set()
        gone = sorted(self._gone - self._found.keys())
        if gone:
            changed.update(id_ for (id_,) in conn.execute(statement("withdraw_findings"), {"ids": gone}))
        for rows in (list(self._found.values()), self._refused):
            if rows:
                found = conn.execute(statement("upsert_findings"), {"findings": Jsonb(rows)})
                changed.update(id_ for (id_,) in found)
        return sorted(changed)


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "finding_id": finding.finding_id,
        "rule": finding.rule,
        "severity": int(finding.severity),
        "usage_point_id": finding.usage_point,
        "module_id": finding.module_id and finding.module_id.replace("\x00", "\ufffd"),
        "channel": finding.channel,
        "concentrator_id": finding.concentrator_id,
        "start_s": min(max(finding.start, EARLIEST), LATEST),
        "end_s": min(max(finding.end, EARLIEST), LATEST),
        "expected": finding.expected,
        "found": finding.found,
        "message": finding.message,
    }


def name_readings(conn: Connection[Any], changed: Sequence[Pair], is_old: Callable[[int], bool]) -> None:
    """Name reading days to the publisher: old ones by the backlog topic."""
    old = {day: is_old(day) for day in {day for _, day in changed}}
    for topic, lane, wanted in (
        (catalogue.READINGS, LIVE, False),
        (catalogue.READINGS_BACKLOG, BACKLOG, True),
    ):
        name_keys(conn, topic, [list(pair) for pair in changed if old[pair[1]] is wanted], lane)


CLOCK_ALONE = (0, 0)
"""Key of no reading day: its message tells how far time has come, and nothing else."""


def name_clock(conn: Connection[Any]) -> None:
    """Name the clock to the publisher: where packets tell the time, others must hear that it passed."""
    name_keys(conn, catalogue.READINGS, [list(CLOCK_ALONE)])


def note_changes(conn: Connection[Any], changed: Sequence[Pair]) -> None:
    """Leave changed reading days to be judged (docs/domain.md §3.15)."""
    if changed:
        points, days = zip(*changed, strict=True)
        conn.execute(statement("note_changes"), {"points": Numbers(points), "days": Numbers(days)})


def name_findings(conn: Connection[Any], changed: Sequence[str]) -> None:
    """Name findings to the publisher."""
    name_keys(conn, catalogue.FINDINGS, changed)


def name_keys(conn: Connection[Any], topic: str, keys: Sequence[Any], lane: int = LIVE) -> None:
    """Name keys of a topic to the publisher, which takes rows of the outbox whole."""
    for first in range(0, len(keys), _KEYS_AN_OUTBOX_ROW):
        Outbox(SCHEMA).add(conn, topic, keys[first : first + _KEYS_AN_OUTBOX_ROW], lane)
