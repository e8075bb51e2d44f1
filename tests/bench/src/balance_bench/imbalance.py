"""`make bench-imbalance`: readings a second from packet to published group-day, beside raw COPY and the plain
pipeline; group-days of live packets while the whole fleet's 14-day backlog arrives; a fleet day's groups
computed anew; and how often what silent homes really used lies in the stated interval.

Writes `docs/proof/imbalance.json` and `.md` for the large size.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg
from balance_chaos.settling import wait_until_idle
from balance_chaos.stage import codec_of, fresh_installation
from balance_local.installation import Installation

from balance_bench import backlog, coverage, fleet, imbalance_words, machine, proof, sampling, spine
from balance_bench.backlog import Waited
from balance_bench.coverage import Held
from balance_bench.fleet import Block, Size

BACKLOG_DAYS = 14
SIZES = {
    "small": Size(houses=4, flats=10, days=1, repetitions=1),
    "medium": Size(houses=330, flats=60, days=1, repetitions=5),
    "large": fleet.NIGHT,
}
_NAIVE_READINGS = {"small": 300, "medium": 5_000, "large": 20_000}
_COPIES = {"small": 1, "medium": 10, "large": 40}
"""Groups of the 25 real homes, each with silences of its own."""
LEAST_HELD, MOST_HELD = 93, 97
"""Percent of the days with a silent home whose truth an interval of 95 % is to hold."""
_FLEET_DAYS = {"small": 1, "medium": 3, "large": 3}


@dataclass(frozen=True)
class Measured:
    """What `spine` measures, and what only this bench does."""

    spine: spine.Measured
    waited: Waited
    fleet_day_s: list[float]
    steps: dict[str, float]


def main() -> None:
    """Measure, show, and write the proof."""
    chosen = proof.chosen("imbalance", __doc__, SIZES)
    size = SIZES[chosen.size]
    held = coverage.measure(_COPIES[chosen.size])
    with fresh_installation("bench_imbalance", "UTC", BALANCE_LOG_LEVEL="WARNING") as made:
        measured = _measure(made, size, chosen.size)
        report = _flat(measured, held, chosen.size, size) | machine.described(made.dsn)
    proof.write(chosen, report, imbalance_words.page(report))
    if chosen.size == "large" and not LEAST_HELD <= report["interval_coverage_percent"] <= MOST_HELD:
        raise SystemExit(
            f"expected intervals of 95 % to hold {LEAST_HELD} to {MOST_HELD} % of the days, "
            f"found {report['interval_coverage_percent']} %"
        )


def _measure(made: Installation, size: Size, name: str) -> Measured:
    codec = codec_of(made)
    before = fleet.make_block(size, BACKLOG_DAYS, spine.SEED, None)
    measured, last = spine.measure(made, size, before)
    fleet_day_s = [_computed_anew(made, last) for _ in range(_FLEET_DAYS[name])]
    steps: dict[str, float] = {}
    if name != "small":
        with sampling.of_services(made, sampling.IMBALANCE) as samples:
            _computed_anew(made, last)
        steps = dict(samples.shares())
    today = fleet.make_block(size, size.days, spine.SEED, last)
    sessions = fleet.sessions(before, codec, today.day_starts[0])
    due = size.houses * BACKLOG_DAYS
    waited = backlog.play(made, sessions, today, backlog.GroupDays(codec), due, before.readings)
    measured.rates["naive_faust"] = spine.naive_rates(made, size, _NAIVE_READINGS[name])
    return Measured(measured, waited, fleet_day_s, steps)


def _computed_anew(made: Installation, block: Block) -> float:
    """Seconds from marking the newest day of every group until all are computed."""
    wait_until_idle(made, spine.PATIENCE_S)
    started = time.perf_counter()
    with psycopg.connect(made.dsn, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO imbalance.markers (subject_id, day_start, lane)"
            " SELECT balance_group, to_timestamp(%s), 0 FROM imbalance.groups",
            [block.day_starts[-1]],
        )
        while time.perf_counter() - started < spine.PATIENCE_S:
            row = connection.execute("SELECT count(*) FROM imbalance.markers").fetchone()
            if row == (0,):
                return time.perf_counter() - started
            time.sleep(0.02)
    raise TimeoutError(f"the groups of a day were not computed within {spine.PATIENCE_S:.0f} s")


def _flat(measured: Measured, held: Held, name: str, size: Size) -> dict[str, Any]:
    seconds = sorted(measured.fleet_day_s)
    steps = {
        f"step_{step.replace(' ', '_').replace(':', '').replace(',', '')}_percent": round(100 * share, 1)
        for step, share in measured.steps.items()
    }
    return (
        spine.flat(measured.spine, name, size)
        | measured.waited.described()
        | {"fleet_day_seconds": round(seconds[len(seconds) // 2], 2), "fleet_day_groups": size.houses}
        | held.described()
        | steps
    )


if __name__ == "__main__":
    main()
