"""`make bench-spine`: readings a second from packet to published group-day, beside three plain ways.

Writes `docs/proof/spine.json` and `.md` for the large size; the small one only shows what it found.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from balance_chaos.settling import wait_until_idle
from balance_chaos.stage import codec_of, fresh_installation, settings_of
from balance_chaos.traffic import send
from balance_local import paths
from balance_local.installation import Installation

from balance_bench import cpu, end_to_end, fleet, machine, naive, raw_copy, words
from balance_bench.fleet import SIZES, Block, Size

SEED = 20260105
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Measured:
    """Readings a second of each repetition, by way; processor seconds of the last one end to end."""

    rates: Mapping[str, Sequence[float]]
    profile: Mapping[str, float]
    profile_wall_s: float


def main() -> None:
    """Measure, show, and write the proof."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--size", choices=sorted(SIZES), default="large")
    arguments.add_argument("--into", type=Path, help="folder of spine.json and spine.md")
    chosen = arguments.parse_args()
    size = SIZES[chosen.size]
    into = chosen.into or (paths.CHECKOUT / "docs" / "proof" if chosen.size == "large" else None)
    with fresh_installation("bench_spine", "UTC", BALANCE_LOG_LEVEL="WARNING") as made:
        measured = measure(made, size)
        report = flat(measured, chosen.size, size) | machine.described(made.dsn)
    print(json.dumps(report, indent=2), flush=True)
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
        (into / "spine.json").write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        (into / "spine.md").write_text(words.page(report))


def measure(made: Installation, size: Size) -> Measured:
    """All ways, repetition by repetition, after one repetition nobody counts."""
    codec, kafka = codec_of(made), settings_of(made).kafka
    send(kafka, fleet.assets(size, codec))
    wait_until_idle(made, PATIENCE_S)
    rates: dict[str, list[float]] = {"end_to_end": [], "raw_copy_array_rows": [], "raw_copy_hourly_rows": []}
    profile: dict[str, float] = {}
    wall = 0.0
    block: Block | None = None
    for repetition in range(size.repetitions + 1):
        block = fleet.make_block(size, repetition, SEED, block)
        traffic = fleet.packets(block, codec, repetition * size.days + 1)
        before = cpu.used(made)
        wall = end_to_end.play(made, block, traffic)
        profile = cpu.between(before, cpu.used(made))
        taken = {
            "end_to_end": wall,
            "raw_copy_array_rows": raw_copy.array_rows(made.dsn, block),
            "raw_copy_hourly_rows": raw_copy.hourly_rows(made.dsn, block),
        }
        _say(repetition, taken, size)
        if repetition:
            for way, seconds in taken.items():
                rates[way].append(size.readings / seconds)
    made.services_down()  # they would share the cores with what is measured next
    topic = f"{made.description.topic_prefix}bench-naive"
    rates["naive_faust"] = [
        naive.readings_per_second(kafka, made.dsn, topic, size.naive_readings)
        for _ in range(size.repetitions)
    ]
    return Measured(rates, profile, wall)


def flat(measured: Measured, name: str, size: Size) -> dict[str, Any]:
    """Medians, spans and ratios, flat, with units in the keys."""
    medians = {way: median(rates) for way, rates in measured.rates.items()}
    report: dict[str, Any] = {f"{way}_readings_per_second": round(rate) for way, rate in medians.items()}
    for way, rates in measured.rates.items():
        report[f"{way}_lowest_readings_per_second"] = round(min(rates))
        report[f"{way}_highest_readings_per_second"] = round(max(rates))
    for way in ("raw_copy_array_rows", "raw_copy_hourly_rows", "naive_faust"):
        report[f"end_to_end_over_{way}_ratio"] = round(medians["end_to_end"] / medians[way], 3)
    for title, seconds in measured.profile.items():
        report[f"processor_{title.replace(' ', '_').replace(':', '')}_seconds"] = seconds
    return report | {
        "profile_wall_seconds": round(measured.profile_wall_s, 2),
        "size": name,
        "houses": size.houses,
        "flats_per_house": size.flats,
        "days": size.days,
        "readings_per_repetition": size.readings,
        "repetitions": size.repetitions,
        "seed": SEED,
    }


def _say(repetition: int, taken: Mapping[str, float], size: Size) -> None:
    shown = ", ".join(f"{way} {size.readings / seconds:,.0f}/s" for way, seconds in taken.items())
    print(f"{'warm-up' if not repetition else f'repetition {repetition}'}: {shown}", flush=True)


if __name__ == "__main__":
    main()
