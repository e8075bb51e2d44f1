"""Every published topic from its beginning, reduced to the greatest version of each key."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from balance_local.installation import Installation
from balance_schemas import catalogue

from balance_chaos.outcome import Finding, Key, Outcome, ReadingDay, outcome
from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import read_from_beginning

_OF_A_GROUP_DAY = (
    "group_id",
    "resource",
    "unit",
    "day_start_at",
    "step_s",
    "day",
    "hours",
    "missing_usage_points",
)
Versions = dict[Hashable, dict[str, Any]]


def from_topics(made: Installation) -> Outcome:
    """What somebody knows who has read everything published."""
    days = _greatest(
        ((day["usage_point_id"], day["day_start_at"]), day)
        for message in _messages(made, catalogue.READINGS, catalogue.READINGS_BACKLOG)
        for day in message["days"]
    )
    group_days = _greatest(
        ((one["group_id"], one["day_start_at"]), one) for one in _messages(made, catalogue.IMBALANCE)
    )
    findings = _greatest((one["finding_id"], one) for one in _messages(made, catalogue.FINDINGS))
    return outcome(
        made,
        {_key(key): _reading_day(day) for key, day in days.items()},
        {_key(key): {name: one[name] for name in _OF_A_GROUP_DAY} for key, one in group_days.items()},
        _open(findings.values()),
    )


def _messages(made: Installation, *topics: str) -> Iterator[dict[str, Any]]:
    codec = codec_of(made)
    for topic in topics:
        for data in read_from_beginning(settings_of(made).kafka, topic):
            yield codec.decode(data)[1]


def _greatest(versions: Iterable[tuple[Hashable, dict[str, Any]]]) -> Versions:
    newest: Versions = {}
    for key, value in versions:
        if key not in newest or newest[key]["version"] < value["version"]:
            newest[key] = value
    return newest


def _key(key: Hashable) -> Key:
    assert isinstance(key, tuple)
    return key


def _reading_day(day: Mapping[str, Any]) -> ReadingDay:
    return day["values"], day["qualities"] or ["VALID"] * len(day["values"])


def _open(findings: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for one in findings:
        if one["state"] == "OPEN" and one["usage_point_id"] is not None:
            yield one["rule"], one["usage_point_id"], one["interval_start_at"]
