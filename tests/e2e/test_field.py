"""A simulated field with every fault, its packets doubled and out of order: the tables equal the oracle's.

Real broker, real database, six service processes. `BALANCE_FIELD_SIZE`: `small` (default) or `large`, a year.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest
from balance_chaos import field_play
from balance_chaos.field_play import Played
from balance_chaos.settling import wait_until_equal
from balance_chaos.stage import codec_of, fresh_installation, own_stack, settings_of
from balance_chaos.traffic import send
from balance_local.installation import Installation
from balance_oracle import Tables
from balance_simulator.field.fault_kinds import KINDS
from balance_simulator.field.faults import draw
from balance_simulator.field.layout import lay_out
from balance_simulator.field.plan import FieldPlan

pytestmark = pytest.mark.stack

SEED = 3
AT_ONCE = 2_000


@dataclass(frozen=True)
class Size:
    """Days of the field, and patience in seconds."""

    days: int
    patience_s: float


SIZES = {"small": Size(35, 180), "large": Size(365, 1_800)}
SIZE = SIZES[os.environ.get("BALANCE_FIELD_SIZE", "small")]


@pytest.fixture(scope="module")
def played() -> Played:
    return field_play.play(FieldPlan(modules=72, groups=9, days=SIZE.days, seed=SEED))


@pytest.fixture(scope="module")
def tables(played: Played) -> Tables:
    return played.tables()


@pytest.fixture(scope="module")
def made() -> Iterator[Installation]:
    with own_stack("field"), fresh_installation("field", "Europe/Chisinau") as installation:
        yield installation


def test_a_field_has_every_fault_and_the_oracle_finds_what_is_to_be_found(
    played: Played, tables: Tables
) -> None:
    faults = draw(played.plan, lay_out(played.plan))
    assert {fault.kind for fault in faults.every} == set(KINDS) - {"vacant"}
    found = {rule for rule, *_ in tables.spans}
    learnt = {"vee.above_usual", "vee.zero"}  # by chance too late or too short in few days
    confirmed = {"vee.high"}  # and so raised no more
    wanted = {kind.rule for kind in KINDS.values() if kind.rule} - learnt - confirmed
    assert found >= wanted | {"vee.unknown_sensor_kind", "vee.register_continuity", "delivery.silent_module"}
    qualities = {quality for _, of_day in tables.readings.values() for quality in of_day}
    assert qualities == {"VALID", "ESTIMATED", "EDITED", "SUSPECT", "MISSING"}
    assert tables.extremes


def test_views_and_topics_of_a_field_equal_the_oracle(
    made: Installation, played: Played, tables: Tables
) -> None:
    traffic = list(played.traffic(codec_of(made), Random(SEED)))
    assert len(traffic) > len(played.packets) * 1.05
    for first in range(0, len(traffic), AT_ONCE):
        send(settings_of(made).kafka, traffic[first : first + AT_ONCE])
    wait_until_equal(made, tables, SIZE.patience_s)
