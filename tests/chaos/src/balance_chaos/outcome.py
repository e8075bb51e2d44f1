"""What an installation holds in the end, shaped like the oracle's tables: from SQL, and from its topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from balance_chassis.settings import KafkaSettings
from balance_local import lag
from balance_local.installation import Installation
from balance_oracle import Tables
from balance_schemas import catalogue

from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import read_from_beginning

Key = tuple[str, int]

FIGURES = (
    "supply",
    "members",
    "imbalance",
    "tolerance",
    "coverage",
    "verdict",
    "members_due",
    "members_reported",
    "missing_share_ppm",
)


@dataclass(frozen=True)
class Outcome:
    """Reading days and group days by (id, day start in ms), withdrawn ones left out."""

    readings: Mapping[Key, tuple[list[int | None], list[str]]]
    group_days: Mapping[Key, Mapping[str, Any]]


def expected(tables: Tables) -> Outcome:
    """The oracle's tables."""
    return _without_withdrawn(tables.readings, tables.group_days)


def from_topics(made: Installation) -> Outcome:
    """Every published topic from its beginning, reduced to the greatest version of each key."""
    kafka, codec = settings_of(made).kafka, codec_of(made)
    days: dict[Key, dict[str, Any]] = {}
    for topic in (catalogue.READINGS, catalogue.READINGS_BACKLOG):
        for data in read_from_beginning(kafka, topic):
            for day in codec.decode(data)[1]["days"]:
                _keep_greatest(days, (day["usage_point_id"], day["day_start_at"]), day)
    groups: dict[Key, dict[str, Any]] = {}
    for data in read_from_beginning(kafka, catalogue.IMBALANCE):
        one = codec.decode(data)[1]
        _keep_greatest(groups, (one["group_id"], one["day_start_at"]), one)
    readings = {
        key: (day["values"], day["qualities"] or ["VALID"] * len(day["values"])) for key, day in days.items()
    }
    wanted = (
        "group_id",
        "resource",
        "unit",
        "day_start_at",
        "step_s",
        "day",
        "hours",
        "missing_usage_points",
    )
    return _without_withdrawn(readings, {k: {name: g[name] for name in wanted} for k, g in groups.items()})


def from_views(made: Installation) -> Outcome:
    """The published read contract: `ingest.v_readings`, `imbalance.v_group_days` and `v_group_hours`."""
    readings: dict[Key, tuple[list[int | None], list[str]]] = {}
    with psycopg.connect(made.dsn) as connection:
        for point, day, value, quality in connection.execute(_READINGS):
            values, qualities = readings.setdefault((point, day), ([], []))
            values.append(value)
            qualities.append(quality)
        hours: dict[Key, list[dict[str, Any]]] = {}
        for group, day, *figures in connection.execute(_GROUP_HOURS):
            hours.setdefault((group, day), []).append(dict(zip(FIGURES, figures, strict=True)))
        group_days = {
            (group, day): {
                "group_id": group,
                "resource": resource,
                "unit": unit,
                "day_start_at": day,
                "step_s": 3600,
                "day": dict(zip(FIGURES, figures, strict=True)),
                "hours": hours[group, day],
                "missing_usage_points": missing,
            }
            for group, day, resource, unit, missing, *figures in connection.execute(_GROUP_DAYS)
        }
    return _without_withdrawn(readings, group_days)


_MS = "(extract(epoch FROM day_start) * 1000)::bigint"
_NUMBERS = """supply, members, imbalance, tolerance, coverage, verdict, members_due, members_reported,
    round(missing_share * 1000000)::int"""
_READINGS = (
    f"SELECT usage_point_id, {_MS}, value, quality FROM ingest.v_readings ORDER BY usage_point_id, start_at"
)
_GROUP_HOURS = f"SELECT group_id, {_MS}, {_NUMBERS} FROM imbalance.v_group_hours ORDER BY group_id, start_at"
_GROUP_DAYS = (
    f"SELECT group_id, {_MS}, resource, unit, missing_usage_points, {_NUMBERS} FROM imbalance.v_group_days"
)


def differences(wanted: Outcome, found: Outcome, most: int = 5) -> list[str]:
    """The first differences in words; none when the two are equal."""
    words = [*_differences("reading", wanted.readings, found.readings)]
    words += _differences("group-day", wanted.group_days, found.group_days)
    return [*words[:most], f"… {len(words)} in all"] if len(words) > most else words


def wait_until_equal(made: Installation, tables: Tables, patience_s: float) -> None:
    """Return when views and topics equal the oracle's tables and nothing is left to do.

    Raises AssertionError with the first differences when that has not happened after ``patience_s``.
    """
    wanted = expected(tables)
    deadline = time.monotonic() + patience_s
    while words := _unfinished(made, wanted):
        if time.monotonic() > deadline:
            raise AssertionError(f"not equal to the oracle after {patience_s:.0f} s:\n" + "\n".join(words))
        time.sleep(0.5)


def _unfinished(made: Installation, wanted: Outcome) -> list[str]:
    """What still differs or waits; equality counts only if it was there after the last work was done."""
    checks: tuple[Callable[[], Iterable[str]], ...] = (
        lambda: waiting(made),
        lambda: (f"view: {words}" for words in differences(wanted, from_views(made))),
        lambda: (f"topic: {words}" for words in differences(wanted, from_topics(made))),
    )
    for check in checks:
        try:
            if words := list(check()):
                return words
        except psycopg.OperationalError as error:
            return [f"database: {error}"]
    return []


def waiting(made: Installation) -> list[str]:
    """Work that somebody still has to do: unread records, outboxes, markers."""
    kafka: KafkaSettings = settings_of(made).kafka
    words = [f"{one.group}: {one.records} records to read" for one in lag.of_groups(kafka) if one.records]
    with psycopg.connect(made.dsn) as connection:
        for table in ("ingest.outbox", "ingest.markers", "imbalance.outbox", "imbalance.markers"):
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            if row and row[0]:
                words.append(f"{table}: {row[0]} rows")
    return words


def _keep_greatest(known: dict[Key, dict[str, Any]], key: Key, value: dict[str, Any]) -> None:
    if key not in known or known[key]["version"] < value["version"]:
        known[key] = value


def _without_withdrawn(
    readings: Mapping[Key, tuple[list[int | None], list[str]]], group_days: Mapping[Key, Mapping[str, Any]]
) -> Outcome:
    """§3: a day all of whose hours are MISSING is none; §4.7: nor is one with nobody due."""
    return Outcome(
        {key: (list(v), list(q)) for key, (v, q) in readings.items() if set(q) != {"MISSING"}},
        {key: one for key, one in group_days.items() if not _is_withdrawn(one)},
    )


def _is_withdrawn(one: Mapping[str, Any]) -> bool:
    day = one["day"]
    return day["supply"] is None and day["members_due"] == 0 and not one["missing_usage_points"]


def _differences(what: str, wanted: Mapping[Key, Any], found: Mapping[Key, Any]) -> Iterable[str]:
    for key in sorted(wanted.keys() | found.keys()):
        if key not in found:
            yield f"{what} {key} is not there"
        elif key not in wanted:
            yield f"{what} {key} should not be there: {found[key]}"
        elif wanted[key] != found[key]:
            yield f"{what} {key}: expected {_unlike(wanted[key], found[key])}"


def _unlike(wanted: Any, found: Any) -> str:
    """Only the parts that differ."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        parts = [f"{k}: {_unlike(wanted[k], found.get(k))}" for k in wanted if wanted[k] != found.get(k)]
        return "{" + "; ".join(parts) + "}"
    if isinstance(wanted, list | tuple) and isinstance(found, list | tuple) and len(wanted) == len(found):
        parts = [
            f"[{i}] {_unlike(w, f)}" for i, (w, f) in enumerate(zip(wanted, found, strict=True)) if w != f
        ]
        return ", ".join(parts[:3])
    return f"{wanted!r}, found {found!r}"
