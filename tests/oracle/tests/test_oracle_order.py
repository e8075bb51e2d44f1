"""The oracle's own tables do not depend on the order, number and cut of what was sent."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from balance_oracle.worlds import delivered, make_world
from hypothesis import given, settings
from hypothesis import strategies as st

UNUSUAL = {"vee.zero", "vee.stuck", "vee.above_usual", "vee.spike"}
"""Chance rarely finds these; test_oracle_unusual.py does."""

seeds = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(seeds, seeds)
def test_any_order_split_and_duplication_gives_the_same_tables(of_world: int, of_order: int) -> None:
    world = make_world(Random(of_world), left_out=frozenset())
    messages = delivered(world, Random(of_order))
    edits = tuple(message for message in messages if "edit_id" in message)
    again = replace(world.as_delivered(messages), edits=edits)
    assert again.tables() == world.tables()


def test_the_worlds_hold_what_the_field_shows() -> None:
    """Every rule, quality and verdict occurs, or the property would prove nothing about it."""
    tables = [make_world(Random(seed), left_out=frozenset()).tables() for seed in range(120)]
    rules = {finding[0] for one in tables for finding in one.findings} - UNUSUAL
    assert rules == {
        "delivery.battery",
        "delivery.clock",
        "delivery.silent_concentrator",
        "delivery.silent_module",
        "delivery.unpaid_sim",
        "vee.absurd_value",
        "vee.clock_drift",
        "vee.conflicting_duplicate",
        "vee.future_time",
        "vee.high",
        "vee.missing",
        "vee.negative_consumption",
        "vee.out_of_range",
        "vee.register_continuity",
        "vee.sensor_fault",
        "vee.stale_time",
        "vee.sum_check",
        "vee.two_devices",
        "vee.unknown_channel",
        "vee.unknown_sensor_kind",
    }
    days = [figures["day"] for one in tables for figures in one.group_days.values()]
    assert {day["coverage"] for day in days} == {"COMPLETE", "ESTIMATED", "UNRELIABLE", "NOT_COMPUTABLE"}
    assert {day["verdict"] for day in days} == {"WITHIN_TOLERANCE", "LOSS", "SURPLUS", "UNDECIDED"}
    qualities = {quality for one in tables for _, found in one.readings.values() for quality in found}
    assert qualities == {"VALID", "EDITED", "ESTIMATED", "SUSPECT", "MISSING"}
