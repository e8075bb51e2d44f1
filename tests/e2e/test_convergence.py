"""Convergence: whatever comes late, twice, shuffled, while things are killed, the tables equal the oracle's.

Real broker, real database, six service processes. `BALANCE_CHAOS_SIZE` is `small` (default) or `large`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from balance_chaos import faults
from balance_chaos.settling import wait_until_equal
from balance_chaos.stage import codec_of, fresh_installation, own_stack, settings_of
from balance_chaos.traffic import encoded, send
from balance_oracle.worlds import delivered, make_town

pytestmark = pytest.mark.stack


@dataclass(frozen=True)
class Size:
    """How much is played: towns by seed, their houses and days, rounds of faults, patience in seconds."""

    seeds: tuple[int, ...]
    houses: int
    days: int
    rounds: int
    patience_s: float


SIZES = {
    "small": Size(seeds=(11,), houses=12, days=6, rounds=1, patience_s=180),
    "large": Size(seeds=(1, 2, 3, 4), houses=150, days=10, rounds=3, patience_s=900),
}
SIZE = SIZES[os.environ.get("BALANCE_CHAOS_SIZE", "small")]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with own_stack("convergence") as folder:
        yield folder


@pytest.mark.parametrize("seed", SIZE.seeds)
def test_tables_and_topics_equal_the_oracle_after_killing_everything(root: Path, seed: int) -> None:
    random = Random(seed)
    world = make_town(random, SIZE.houses, days=SIZE.days)
    place = world.place
    with fresh_installation("convergence", place.zone, place.day_start_hour) as made:
        codec, kafka = codec_of(made), settings_of(made).kafka
        messages = delivered(world, random)
        traffic = [encoded(message, codec, random) for message in messages]
        plan = [fault for _ in range(SIZE.rounds) for fault in faults.every_fault()]
        random.shuffle(plan)
        share = len(traffic) // (len(plan) + 1) + 1
        for number, fault in enumerate(plan):
            send(kafka, traffic[number * share : (number + 1) * share])
            fault(made, root)
        send(kafka, traffic[len(plan) * share :])
        wait_until_equal(made, world.as_delivered(messages).tables(), SIZE.patience_s)
