"""The oracle's own tables do not depend on the order, number and cut of what was sent."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from balance_oracle.worlds import delivered, make_world
from hypothesis import given, settings
from hypothesis import strategies as st

seeds = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(seeds, seeds)
def test_any_order_split_and_duplication_gives_the_same_tables(of_world: int, of_order: int) -> None:
    world = make_world(Random(of_world))
    messages = delivered(world, Random(of_order))
    again = replace(world, packets=tuple(message for message in messages if "packet_id" in message))
    assert again.tables() == world.tables()


def test_the_worlds_hold_what_the_field_shows() -> None:
    """Every rule, quality and verdict occurs, or the property would prove nothing about it."""
    tables = [make_world(Random(seed)).tables() for seed in range(120)]
    rules = {finding[0] for one in tables for finding in one.findings}
    assert rules == {
        "vee.absurd_value",
        "vee.conflicting_duplicate",
        "vee.future_time",
        "vee.high",
        "vee.missing",
        "vee.negative_consumption",
        "vee.register_continuity",
        "vee.stale_time",
        "vee.sum_check",
        "vee.two_devices",
        "vee.unknown_channel",
    }
    days = [figures["day"] for one in tables for figures in one.group_days.values()]
    assert {day["coverage"] for day in days} == {"COMPLETE", "ESTIMATED", "UNRELIABLE", "NOT_COMPUTABLE"}
    assert {day["verdict"] for day in days} == {"WITHIN_TOLERANCE", "LOSS", "SURPLUS", "UNDECIDED"}
    qualities = {quality for one in tables for _, found in one.readings.values() for quality in found}
    assert qualities == {"VALID", "ESTIMATED", "SUSPECT", "MISSING"}
