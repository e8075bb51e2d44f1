"""Every published topic from its beginning, reduced to the greatest version of each key."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from balance_local.installation import Installation
from balance_schemas import catalogue

from balance_chaos.outcome import Extremes, Finding, Key, Outcome, ReadingDay, outcome, subject
from balance_chaos.stage import codec_of, settings_of
from balance_chaos.traffic import read_from_beginning

READING_DAYS = "balance.v1.ReadingDaysComputed"
FINDING = "balance.v1.FindingChanged"
GROUP_DAY = "balance.v1.GroupDayComputed"
TOPICS = (catalogue.READINGS, catalogue.READINGS_BACKLOG, catalogue.FINDINGS, catalogue.IMBALANCE)
_OF_A_GROUP_DAY = (
    "group_id",
    "resource",
    "unit",
    "day_start_at",
    "step_s",
    "day",
    "hours",
    "missing_usage_points",
    "members_estimated",
    "unmetered_usage_points",
    "night",
    "base",
    "problems",
)
Versions = dict[Hashable, dict[str, Any]]


def from_topics(made: Installation) -> Outcome:
    """What somebody knows who has read everything published."""
    codec, kafka = codec_of(made), settings_of(made).kafka
    return reduced([codec.decode(data) for topic in TOPICS for data in read_from_beginning(kafka, topic)])


def reduced(messages: Sequence[tuple[str, dict[str, Any]]]) -> Outcome:
    """What (record name, value) messages in any order come to."""
    days = _greatest(
        ((day["usage_point_id"], day["day_start_at"]), day)
        for name, message in messages
        if name == READING_DAYS
        for day in message["days"]
    )
    group_days = _greatest(
        ((one["group_id"], one["day_start_at"]), one) for name, one in messages if name == GROUP_DAY
    )
    findings = _greatest((one["finding_id"], one) for name, one in messages if name == FINDING)
    return outcome(
        {_key(key): _reading_day(day) for key, day in days.items()},
        {_key(key): {name: one[name] for name in _OF_A_GROUP_DAY} for key, one in group_days.items()},
        _open(findings.values()),
        {_key(key): _extremes(day) for key, day in days.items()},
    )


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


def _extremes(day: Mapping[str, Any]) -> Extremes:
    none = [None] * len(day["values"])
    return list(zip(day["minima"] or none, day["maxima"] or none, strict=True))


def _open(findings: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for one in findings:
        if one["state"] == "OPEN":
            about = subject(one["usage_point_id"], one["module_id"], one["channel"], one["concentrator_id"])
            yield one["rule"], about, one["interval_start_at"], one["interval_end_at"]
