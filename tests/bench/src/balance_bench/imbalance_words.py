"""The page beside the figures of imbalance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balance_bench import proof, words

_HOURLY = "end_to_end_over_raw_copy_hourly_rows_ratio"
AIMS: tuple[tuple[str, str, str, float], ...] = (
    ("readings/s, packet → published group-day", "end_to_end_readings_per_second", "at least", 300_000),
    ("× raw COPY of the same readings as hourly rows", _HOURLY, "at least", 1),
    ("× raw COPY as array rows", "end_to_end_over_raw_copy_array_rows_ratio", "at least", 0.15),
    ("× the naive pipeline", "end_to_end_over_naive_faust_ratio", "at least", 20),
    ("s, p99 of live group-days during the backlog", "live_p99_seconds_during_backlog", "below", 2),
    ("s, a fleet day's groups computed anew", "fleet_day_seconds", "below", 20),
)  # fmt: skip
"""(what, key, at least or below, aim)."""

_PAGE = """\
# Speed of imbalance, and what its intervals hold

`make bench-imbalance` ({size}) on {machine}, {system}, commit `{commit}`;
{readings_per_repetition:,} readings a repetition ({houses:,} houses of {flats_per_house} flats with a
common meter, hourly), median of {repetitions} repetitions after a warm-up. Broker, registry, database, all
services and the bench share the cores. Seed {seed}.

| aim | found | |
|---|---:|---|
{aims}

| way | readings/s | lowest | highest | end to end is |
|---|---:|---:|---:|---:|
{ways}

The two COPY rows store and do nothing else: no message, no rule, no group. The Faust pipeline takes one
message a reading and stores it; it validates nothing and computes no group.

## Live group-days while a backlog arrives

{backlog_readings:,} readings, 14 days of all {houses:,} houses, are sent to the backlog topic at once;
all their group-days are published after {backlog_seconds:.0f} s ({backlog_readings_per_second:,} readings/s).
Meanwhile {live_packets_during_backlog:,} concentrators deliver their last day live, ten a second. From
sending such a packet to its group-day, complete, on the topic: p50 {live_p50_seconds_during_backlog:.2f} s,
p99 {live_p99_seconds_during_backlog:.2f} s.

## A fleet day computed anew

The newest day of all {fleet_day_groups:,} groups, marked at once: {fleet_day_seconds:.2f} s until all are
computed and compared with what is stored (median).

{steps}## Where the time goes (last repetition, {profile_wall_seconds:.1f} s)

| process | seconds of processor | share |
|---|---:|---:|
{processor}

{open}## What the stated intervals hold

Groups of five of the 25 real homes of Alicante, the last quarter of 2016; each home falls silent now and
then for one to ten days; what it used then is known and compared. All through Kafka, ingest and imbalance.

| | compared | truth inside, % |
|---|---:|---:|
| days: members ± 2u of the estimates | {interval_days:,} | {interval_coverage_percent:.1f} |
| hours: imbalance inside its tolerance | {interval_hours:,} | {interval_hours_coverage_percent:.1f} |

95 % is what is stated. Of the days, {interval_days_used_more_percent:.1f} % used more than the interval.
Verdicts of the days: {verdicts}; the truth is that nothing is lost. Spans with a silent home that were
said to be complete: {silent_days_said_complete}.

Versions: PostgreSQL {postgresql_version}, Kafka {kafka_version}, Python {python_version}, aiokafka
{aiokafka_version}, fastavro {fastavro_version}, numpy {numpy_version}, psycopg {psycopg_version},
faust-streaming {faust_streaming_version}.
"""

_OPEN = """\
## Open

{missed} The largest part of the processor's time is {largest} ({share:.0%}).
{next_steps}

"""


def page(report: Mapping[str, Any]) -> str:
    """The report in Markdown; every figure comes from ``report``."""
    verdicts = {
        key.removeprefix("silent_days_").replace("_", " "): count
        for key, count in report.items()
        if key.startswith("silent_days_") and not key.endswith("said_complete")
    }
    return _PAGE.format(
        **report,
        aims="\n".join(_aims(report)),
        ways="\n".join(words.row(report, way) for way in words.WAYS),
        steps="".join(f"{line}\n" for line in proof.steps(report, "the worker's stacks on a processor")),
        processor="\n".join(proof.processor_rows(report)),
        open=_open(report),
        verdicts=", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items()),
    )


def _is_met(report: Mapping[str, Any], key: str, kind: str, aim: float) -> bool:
    found = float(report[key])
    return found >= aim if kind == "at least" else found < aim


def _aims(report: Mapping[str, Any]) -> list[str]:
    words = {True: "met", False: "open"}
    return [
        f"| {kind} {aim:,g} {what} | {report[key]:,g} | {words[_is_met(report, key, kind, aim)]} |"
        for what, key, kind, aim in AIMS
    ]


def _open(report: Mapping[str, Any]) -> str:
    missed = [f"{kind} {aim:,g} {what}, found {report[key]:,g}." for what, key, kind, aim in AIMS
              if not _is_met(report, key, kind, aim)]  # fmt: skip
    if not missed:
        return ""
    used = proof.processor_seconds(report)
    largest = max(used, key=lambda title: used[title])
    share = used[largest] / (sum(used.values()) or 1.0)
    return _OPEN.format(
        missed=" ".join(f"Aim missed: {one}" for one in missed),
        largest=largest,
        share=share,
        next_steps=words.NEXT_STEPS,
    )
