"""The page beside the figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balance_bench import proof

PROTOTYPE = "430,000–500,000"

NEXT_STEPS = """\
Readings are encoded and decoded by columns already, and nightly results give way to what is due. Beside the
path itself the same cores find onsets, ten groups in a transaction, and judge what is unusual. Next steps:
count the statements of a batch in the database, first those that look up touched group-days, the readings of
groups and what is unusual about them; compute the group-days of like groups together."""

_AGAINST_THE_PROTOTYPE = """\
A prototype of this design did {prototype} readings/s on two cores; this run did {rate:,}. It used
{seconds:.1f} s of processor for a million readings: with all {cores} cores busy throughout that would be
{busy:,.0f} readings/s. The rest is waiting: a house is computed once it has been quiet for 0.2 s, a batch
is gathered for up to 0.25 s, and the first and the last stage each work alone for a while.

The prototype did the sums and little more. Here every packet is screened value by value, joined with the
evidence that is there, and checked against registers on both sides of midnight; what is published is read
back from its rows, so that a publisher that is killed loses nothing; imbalance keeps a copy of its own by
greatest version, and computes 24 hourly tolerances, coverages and shares of the missing beside the day's.

The largest part is {largest} ({share:.0%}). {next_steps}"""

WAYS = {
    "end_to_end": "packet on Kafka → validated readings → published group-day",
    "raw_copy_array_rows": "COPY of the same array rows",
    "raw_copy_hourly_rows": "COPY of the same readings as hourly rows",
    "naive_faust": "Faust, one message and one row a reading",
}


def page(report: Mapping[str, Any]) -> str:
    """The report in Markdown; every figure comes from ``report``."""
    lines = [
        "# Speed of the spine",
        "",
        f"`make bench-spine` on {report['machine']}, {report['system']}, commit `{report['commit']}`; "
        f"{report['readings_per_repetition']:,} readings a repetition ({report['houses']} houses of "
        f"{report['flats_per_house']} flats with a common meter, {report['days']} day, hourly), median of "
        f"{report['repetitions']} repetitions after a warm-up; all processes share the cores. "
        f"Seed {report['seed']}.",
        "",
        "| way | readings/s | lowest | highest | end to end is |",
        "|---|---:|---:|---:|---:|",
        *(row(report, way) for way in WAYS),
        "",
        "The two COPY rows store and do nothing else: no message, no rule, no group. The Faust pipeline "
        "takes one message a reading and stores it; it validates nothing and computes no group.",
        "",
        f"## Where the time goes (last repetition, {report['profile_wall_seconds']:.1f} s)",
        "",
        "| process | seconds of processor | share |",
        "|---|---:|---:|",
        *proof.processor_rows(report),
        "",
        "## Against the prototype",
        "",
        _comparison(report),
        "",
        f"Versions: PostgreSQL {report['postgresql_version']}, Kafka {report['kafka_version']}, Python "
        f"{report['python_version']}, aiokafka {report['aiokafka_version']}, fastavro "
        f"{report['fastavro_version']}, numpy {report['numpy_version']}, psycopg "
        f"{report['psycopg_version']}, faust-streaming {report['faust_streaming_version']}.",
    ]
    return "\n".join(lines) + "\n"


def row(report: Mapping[str, Any], way: str) -> str:
    """A row of the table of ways."""
    rate, low, high = (report[f"{way}_{part}readings_per_second"] for part in ("", "lowest_", "highest_"))
    ratio = report.get(f"end_to_end_over_{way}_ratio")
    times = "" if ratio is None else f"{ratio:g} ×"
    return f"| {WAYS[way]} | {rate:,} | {low:,} | {high:,} | {times} |"


def _comparison(report: Mapping[str, Any]) -> str:
    used = proof.processor_seconds(report)
    total, millions = sum(used.values()), report["readings_per_repetition"] / 1e6
    largest = max(used, key=lambda title: used[title])
    return _AGAINST_THE_PROTOTYPE.format(
        prototype=PROTOTYPE,
        rate=report["end_to_end_readings_per_second"],
        seconds=total / millions,
        cores=report["cores"],
        busy=report["cores"] * 1e6 * millions / total,
        largest=largest,
        share=used[largest] / total,
        next_steps=NEXT_STEPS,
    )
