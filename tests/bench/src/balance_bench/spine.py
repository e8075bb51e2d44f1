"""`make bench-spine`: readings a second from packet to published group-day, beside three plain ways.

Writes `docs/proof/spine.json` and `.md` for the large size; the small one only shows what it found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from aiokafka import ConsumerRecord
from balance_chaos.published import GROUP_DAY
from balance_chaos.settling import wait_until_idle
from balance_chaos.stage import codec_of, fresh_installation, settings_of
from balance_chaos.traffic import send
from balance_local.installation import Installation
from balance_schemas import catalogue
from balance_schemas.codec import Codec

from balance_bench import cpu, end_to_end, fleet, machine, naive, proof, raw_copy, words
from balance_bench.end_to_end import Heard
from balance_bench.fleet import Block, Size

SEED = 20260105
PATIENCE_S = 600.0
SIZES = {"small": Size(houses=2, flats=10, days=1, repetitions=1), "large": fleet.NIGHT}
NAIVE_READINGS = {"small": 300, "large": 20_000}


@dataclass(frozen=True)
class Measured:
    """Readings a second of each repetition, by way; processor seconds of the last one end to end."""

    rates: dict[str, list[float]]
    profile: Mapping[str, float]
    profile_wall_s: float


def main() -> None:
    """Measure, show, and write the proof."""
    chosen = proof.chosen("spine", __doc__, SIZES)
    size = SIZES[chosen.size]
    with fresh_installation("bench_spine", "UTC", BALANCE_LOG_LEVEL="WARNING") as made:
        measured, _ = measure(made, size, None)
        measured.rates["naive_faust"] = naive_rates(made, size, NAIVE_READINGS[chosen.size])
        report = flat(measured, chosen.size, size) | machine.described(made.dsn)
    proof.write(chosen, report, words.page(report))


def measure(made: Installation, size: Size, block: Block | None) -> tuple[Measured, Block]:
    """Packet to group-day and raw COPY, repetition by repetition, after one repetition nobody counts; and the
    last days that were played. They follow those of `block`, or are the first.
    """
    codec, kafka = codec_of(made), settings_of(made).kafka
    send(kafka, fleet.assets(size, codec))
    wait_until_idle(made, PATIENCE_S)
    rates: dict[str, list[float]] = {"end_to_end": [], "raw_copy_array_rows": [], "raw_copy_hourly_rows": []}
    profile: dict[str, float] = {}
    wall = 0.0
    for repetition in range(size.repetitions + 1):
        block = fleet.make_block(size, size.days, SEED, block)
        traffic = fleet.packets(block, codec)
        before = cpu.used(made)
        wall = end_to_end.play(made, traffic, [catalogue.IMBALANCE], _complete(block, codec))
        profile = cpu.between(before, cpu.used(made))
        wait_until_idle(made, PATIENCE_S)  # what is nightly is a day's, and no part of the next repetition
        taken = {
            "end_to_end": wall,
            "raw_copy_array_rows": raw_copy.array_rows(made.dsn, block),
            "raw_copy_hourly_rows": raw_copy.hourly_rows(made.dsn, block),
        }
        proof.say(repetition, taken, block.readings)
        if repetition:
            for way, seconds in taken.items():
                rates[way].append(block.readings / seconds)
    assert block is not None
    return Measured(rates, profile, wall), block


def naive_rates(made: Installation, size: Size, readings: int) -> list[float]:
    """Readings a second of Faust with a message and a row a reading, of each repetition."""
    made.services_down()  # they would share the cores with what is measured here
    topic = f"{made.description.topic_prefix}bench-naive"
    kafka = settings_of(made).kafka
    return [naive.readings_per_second(kafka, made.dsn, topic, readings) for _ in range(size.repetitions)]


def _complete(block: Block, codec: Codec) -> Heard:
    """Strike off what is published complete until nothing is left."""
    wanted = {
        (f"G-{house:03}", start * 1000)
        for house in range(block.counts.shape[0])
        for start in block.day_starts
    }

    def heard(record: ConsumerRecord) -> bool:
        name, one = codec.decode(record.value)
        if name == GROUP_DAY and one["day"]["coverage"] == "COMPLETE":
            wanted.discard((one["group_id"], one["day_start_at"]))
        return not wanted

    return heard


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


if __name__ == "__main__":
    main()
