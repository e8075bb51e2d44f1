"""`make bench-ingest`: readings a second from packet to stored and published, as a share of raw COPY; and how
long live packets take while the whole fleet's 14-day backlog arrives.

Only ingest runs. Writes `docs/proof/ingest.json` and `.md` for the large size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from aiokafka import ConsumerRecord
from balance_chaos.settling import wait_until_idle
from balance_chaos.stage import codec_of, fresh_installation, settings_of
from balance_chaos.traffic import send
from balance_local.installation import Installation
from balance_schemas import catalogue

from balance_bench import backlog, cpu, end_to_end, fleet, ingest_words, machine, proof, raw_copy, sampling
from balance_bench.backlog import Waited
from balance_bench.end_to_end import Heard
from balance_bench.fleet import Block, Size

SEED = 20260105
PATIENCE_S = 600.0
BACKLOG_DAYS = 14
ONLY = ("ingest",)
SIZES = {
    "small": Size(houses=33, flats=60, days=1, repetitions=1),
    "medium": Size(houses=330, flats=60, days=1, repetitions=5),
    "large": fleet.NIGHT,
}


@dataclass(frozen=True)
class Measured:
    """Readings a second of each repetition, by way; processor seconds of the last one; where its samples of
    the sink and of the worker lay, by step; how the live packets fared.
    """

    rates: Mapping[str, Sequence[float]]
    processor: Mapping[str, float]
    steps: Mapping[str, float]
    waited: Waited


def main() -> None:
    """Measure, show, and write the proof."""
    chosen = proof.chosen("ingest", __doc__, SIZES)
    size = SIZES[chosen.size]
    with fresh_installation("bench_ingest", "UTC", services=ONLY, BALANCE_LOG_LEVEL="WARNING") as made:
        measured = measure(made, size, sampled=chosen.size != "small")
        report = flat(measured, chosen.size, size) | machine.described(made.dsn)
    proof.write(chosen, report, ingest_words.page(report))


def measure(made: Installation, size: Size, sampled: bool) -> Measured:
    """Nights of the fleet, the first uncounted; then one that is sampled; then 14 days before them all."""
    codec = codec_of(made)
    send(settings_of(made).kafka, fleet.assets(size, codec))
    wait_until_idle(made, PATIENCE_S, ONLY)
    block = before = fleet.make_block(size, BACKLOG_DAYS, SEED, None)
    rates: dict[str, list[float]] = {"stored": [], "raw_copy_array_rows": []}
    processor: dict[str, float] = {}
    for repetition in range(size.repetitions + 1):
        block = fleet.make_block(size, size.days, SEED, block)
        used = cpu.used(made)
        taken = {"stored": _night(made, block)}
        processor = cpu.between(used, cpu.used(made))
        taken["raw_copy_array_rows"] = raw_copy.array_rows(made.dsn, block)
        proof.say(repetition, taken, block.readings)
        if repetition:
            for way, seconds in taken.items():
                rates[way].append(block.readings / seconds)
    steps: Mapping[str, float] = {}
    if sampled:
        block = fleet.make_block(size, size.days, SEED, block)
        with sampling.of_services(made, sampling.INGEST) as samples:
            _night(made, block)
        steps = samples.shares()
    block = fleet.make_block(size, size.days, SEED, block)
    sessions = fleet.sessions(before, codec, block.day_starts[0])
    due = before.readings // fleet.HOURS
    waited = backlog.play(made, sessions, block, backlog.ReadingDays(codec), due, before.readings)
    return Measured(rates, processor, steps, waited)


def _night(made: Installation, block: Block) -> float:
    codec = codec_of(made)
    published: list[bytes] = []
    days = block.readings // fleet.HOURS
    topics = [catalogue.READINGS]
    seconds = end_to_end.play(made, fleet.packets(block, codec), topics, _counted(days, published))
    found = {
        (day["usage_point_id"], day["day_start_at"])
        for value in published
        for day in codec.decode(value)[1]["days"]
    }
    if len(found) != days:
        raise AssertionError(f"expected {days} reading days published once each, found {len(found)}")
    return seconds


def _counted(days: int, published: list[bytes]) -> Heard:
    """Count reading days by the ids of their messages; what they are is looked at when time is not taken."""
    count = 0

    def heard(record: ConsumerRecord) -> bool:
        nonlocal count
        published.append(record.value)
        count += days_in(record)
        return count >= days

    return heard


def days_in(record: ConsumerRecord) -> int:
    """How many reading days a message of ingest holds: the last part of its id says so."""
    event = dict(record.headers)["ce_id"].decode()
    return 0 if event.startswith("clock/") else int(event.rpartition("/")[2])


def flat(measured: Measured, name: str, size: Size) -> dict[str, Any]:
    """Medians, spans and ratios, flat, with units in the keys."""
    medians = {way: median(rates) for way, rates in measured.rates.items()}
    report: dict[str, Any] = {f"{way}_readings_per_second": round(rate) for way, rate in medians.items()}
    for way, rates in measured.rates.items():
        report[f"{way}_lowest_readings_per_second"] = round(min(rates))
        report[f"{way}_highest_readings_per_second"] = round(max(rates))
    ratios = [a / b for a, b in zip(*measured.rates.values(), strict=True)]
    report["stored_over_raw_copy_array_rows_ratio"] = round(median(ratios), 3)
    report |= measured.waited.described()
    for title, seconds in measured.processor.items():
        report[f"processor_{title.replace(' ', '_').replace(':', '')}_seconds"] = seconds
    for step, share in measured.steps.items():
        report[f"step_{step.replace(' ', '_').replace(':', '').replace(',', '')}_percent"] = round(
            100 * share, 1
        )
    return report | {
        "size": name,
        "houses": size.houses,
        "flats_per_house": size.flats,
        "fleet_modules": size.houses * (size.flats + 1),
        "readings_per_repetition": size.readings,
        "repetitions": size.repetitions,
        "seed": SEED,
    }


if __name__ == "__main__":
    main()
