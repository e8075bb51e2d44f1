"""The page beside the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PROTOTYPE = "430,000–500,000"

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
        *(_row(report, way) for way in WAYS),
        "",
        "The two COPY rows store and do nothing else: no message, no rule, no group. The Faust pipeline "
        "takes one message a reading and stores it; it validates nothing and computes no group.",
        "",
        f"## Where the time goes (last repetition, {report['profile_wall_seconds']:.1f} s)",
        "",
        "| process | seconds of processor | share |",
        "|---|---:|---:|",
        *_profile(report),
        "",
        "## Against the prototype",
        "",
        *_comparison(report),
        "",
        f"Versions: PostgreSQL {report['postgresql_version']}, Kafka {report['kafka_version']}, Python "
        f"{report['python_version']}, aiokafka {report['aiokafka_version']}, fastavro "
        f"{report['fastavro_version']}, numpy {report['numpy_version']}, psycopg "
        f"{report['psycopg_version']}, faust-streaming {report['faust_streaming_version']}.",
    ]
    return "\n".join(lines) + "\n"


def _row(report: Mapping[str, Any], way: str) -> str:
    rate, low, high = (report[f"{way}_{part}readings_per_second"] for part in ("", "lowest_", "highest_"))
    ratio = report.get(f"end_to_end_over_{way}_ratio")
    times = "" if ratio is None else f"{ratio:g} ×"
    return f"| {WAYS[way]} | {rate:,} | {low:,} | {high:,} | {times} |"


def _processor_seconds(report: Mapping[str, Any]) -> dict[str, float]:
    return {
        key.removeprefix("processor_").removesuffix("_seconds").replace("_", " "): seconds
        for key, seconds in report.items()
        if key.startswith("processor_")
    }


def _profile(report: Mapping[str, Any]) -> list[str]:
    used = _processor_seconds(report)
    total = sum(used.values()) or 1.0
    ordered = sorted(used.items(), key=lambda item: -item[1])
    return [f"| {title} | {seconds:.1f} | {seconds / total:.0%} |" for title, seconds in ordered]


def _comparison(report: Mapping[str, Any]) -> Iterator[str]:
    used = _processor_seconds(report)
    total, millions = sum(used.values()), report["readings_per_repetition"] / 1e6
    yield (
        f"A prototype of this design did {PROTOTYPE} readings/s on two cores; this run did "
        f"{report['end_to_end_readings_per_second']:,}. It used {total / millions:.1f} s of processor for a million "
        f"readings, and with both cores busy throughout that would be {2e6 * millions / total:,.0f} readings/s; the "
        "rest is waiting: markers wait until a house is quiet for 0.2 s, batches up to 0.25 s, and stages "
        "start one after the other."
    )
    yield ""
    yield (
        "The prototype did the sums and little more. What is done here besides: every packet is screened value by "
        "value, joined with the evidence that is there, checked against registers on both sides of "
        "midnight, and its findings kept; what is published is read back from its rows, so that a publisher that "
        "was killed loses nothing; imbalance keeps the greatest version of its own copy, and computes 24 hourly "
        "tolerances beside the day's, with shares of the missing; all by ordinary processes with metrics, "
        "dead letters and a watchdog."
    )
    yield ""
    largest = max(used, key=lambda title: used[title])
    yield (
        f"No tuning was done. The largest part is {largest} ({used[largest] / total:.0%}). Next steps, in this order: "
        "let the publisher of ingest encode straight from the columns it reads, without a value for each hour in "
        "Python; let the sink of imbalance decode into columns likewise; then count the statements of a batch in "
        "the database."
    )
