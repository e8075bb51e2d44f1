"""The page beside the figures of ingest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balance_schemas import catalogue

from balance_bench import proof

_WAYS = {
    "stored": "packet on Kafka → evidence and readings stored → reading day on Kafka",
    "raw_copy_array_rows": "COPY of the same readings as array rows",
}


_SAMPLED = "the sink's and the worker's stacks on a processor"
_PAGE = """\
# Speed of ingest

`make bench-ingest` on {machine}, {system}, commit `{commit}`; {readings_per_repetition:,} readings a
repetition ({fleet_modules:,} modules, a night of hourly archives), median of {repetitions} repetitions after
a warm-up. Only ingest runs beside broker and database; all share the cores, the bench too. Seed {seed}.

| way | readings/s | lowest | highest |
|---|---:|---:|---:|
{ways}

Stored and published is {stored_over_raw_copy_array_rows_ratio:.3f} × raw COPY, which writes one row a day
into one table and does nothing else. Ingest decodes the packets, joins them with the evidence that is there,
validates them against registers on both sides of midnight, writes evidence and readings, reads the readings
back and publishes them.

## Live packets while a backlog arrives

{backlog_readings:,} readings, the whole fleet's 14 days, are sent to the backlog topic at once and are
published after {backlog_seconds:.0f} s ({backlog_readings_per_second:,} readings/s). Meanwhile
{live_packets_during_backlog:,} concentrators of the same fleet deliver their last day live, ten a second.
From sending such a packet to the last of its {packet_days} reading days on `{topic}`:
p50 {live_p50_seconds_during_backlog:.2f} s, p99 {live_p99_seconds_during_backlog:.2f} s.

The days after the backlog were delivered before it, so its silence was not noticed: no finding of missing
days has to be withdrawn.

## Where the time goes

| process (last repetition) | seconds of processor | share |
|---|---:|---:|
{processor}

{steps}Versions: PostgreSQL {postgresql_version}, Kafka {kafka_version}, Python {python_version}, aiokafka
{aiokafka_version}, fastavro {fastavro_version}, numpy {numpy_version}, psycopg {psycopg_version}.
"""


def page(report: Mapping[str, Any]) -> str:
    """The report in Markdown; every figure comes from ``report``."""
    return _PAGE.format(
        **report,
        topic=catalogue.READINGS,
        packet_days=report["flats_per_house"] + 1,
        ways="\n".join(_row(report, way) for way in _WAYS),
        processor="\n".join(proof.processor_rows(report)),
        steps="".join(
            f"{line}\n" for line in proof.steps(report, "the sink's and the worker's stacks on a processor")
        ),
    )


def _row(report: Mapping[str, Any], way: str) -> str:
    rate, low, high = (report[f"{way}_{part}readings_per_second"] for part in ("", "lowest_", "highest_"))
    return f"| {_WAYS[way]} | {rate:,} | {low:,} | {high:,} |"
