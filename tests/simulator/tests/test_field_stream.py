"""A field is the same for the same plan, loses nothing between flow, pulses and registers, and streams."""

import json
import tracemalloc
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from balance_schemas.codec import Codec
from balance_simulator import packets as packing
from balance_simulator.checking import ScenarioError
from balance_simulator.field.counting import Registers
from balance_simulator.field.plan import FieldPlan, faults_of, usual_groups
from balance_simulator.field.stream import Field


def test_the_same_plan_makes_the_same_bytes() -> None:
    plan = FieldPlan(modules=80, groups=2, days=8)

    def bytes_of(plan: FieldPlan) -> bytes:
        lines = [json.dumps(packet) for day in Field(plan).days() for packet in day.packets]
        return "\n".join(lines).encode()

    assert bytes_of(plan) == bytes_of(plan)
    assert bytes_of(plan) != bytes_of(replace(plan, seed=8))


def test_every_packet_is_a_record_of_the_contract(faulty: Any) -> None:
    codec = Codec({packing.RECORD: 1}, raw_timestamps=True)
    for packet in faulty.packets[::7]:
        record = packing.record(packet)
        assert codec.decode(codec.encode(packing.RECORD, record)) == (packing.RECORD, record)


def test_packets_come_in_order_of_receipt_and_sequences_never_fall(faulty: Any) -> None:
    received = [packet["received_at"] for packet in faulty.packets]
    assert received == sorted(received)
    newest: dict[str, int] = {}
    seen = set()
    for packet in faulty.packets:
        name = packet["concentrator_id"]
        if packet["packet_id"] in seen:
            continue
        assert packet["sequence"] > newest.get(name, 0)
        newest[name] = packet["sequence"]
        seen.add(packet["packet_id"])


def test_archives_are_whole_days_whose_registers_move_by_the_sum_of_their_counts(sound: Any) -> None:
    hours = [len(truth.outdoor_milli_c) for truth in sound.truths]
    assert sorted(set(hours)) == [24, 25]
    checked = 0
    for meter, digits in enumerate(sound.field.layout.meters.digits.tolist()):
        before = None
        for start, archive in sorted(sound.archives(meter).items()):
            day = [truth.start_s * 1000 for truth in sound.truths].index(start)
            assert (len(archive["values"]), archive["missing"]) == (hours[day], [])
            moved = archive["register_end"] - archive["register_start"]
            assert moved % 10**digits == sum(archive["values"])
            assert before in (None, archive["register_start"])
            before = archive["register_end"]
            checked += 1
    assert checked > 800


def test_meters_register_what_flows_within_their_class_but_for_trickles(sound: Any) -> None:
    meters = sound.field.layout.meters
    flow, counted = sound.consumed(), sound.registered().sum(axis=1)
    start = meters.start_flow[:, None]
    slow = np.where(flow < np.where(meters.common, 1, 2)[:, None] * start, np.minimum(flow, start), 0)
    unseen = slow.sum(axis=1)
    # two pulses and what a clock that is ahead or behind leaves at both ends
    slack = 2 * meters.weight + flow.max(axis=1) * 0.1
    known = flow.sum(axis=1)
    assert (counted <= known * (1 + meters.class_ppm * 1e-6) + slack).all()
    assert (counted >= (known - unseen) * (1 - meters.class_ppm * 1e-6) - slack).all()
    large = (unseen < 0.001 * known) & (known > 100 * meters.weight)
    errors = (counted[large] - known[large]) / known[large]
    assert np.corrcoef(errors, meters.error[large])[0, 1] > 0.9


def test_what_drips_below_the_starting_flow_is_not_counted() -> None:
    field = Field(FieldPlan(modules=4, groups=0, days=1, faults=()))
    registers = Registers(field.layout)
    start = field.layout.meters.start_flow
    flow = np.repeat(start[:, None], 24, axis=1) * 0.5
    flow[0, 12:] *= 10
    flow[1] *= 3
    error = 1 + field.layout.meters.error
    counted = registers.registered(flow, flow.min(axis=1))
    assert counted[0, :12].sum() == 0
    assert counted[0, 12:] == pytest.approx(flow[0, 12:] * error[0])
    assert counted[1] == pytest.approx(flow[1] * error[1])
    assert counted[2].sum() == 0


def test_a_common_meter_sees_its_members_and_the_losses(sound: Any) -> None:
    layout = sound.field.layout
    flow = sound.consumed()
    lost = np.concatenate([truth.lost for truth in sound.truths], axis=1)
    for group, common in enumerate(layout.groups.common.tolist()):
        members = np.flatnonzero((layout.meters.group == group) & ~layout.meters.common)
        difference = flow[common] - flow[members].sum(axis=0) - lost[group]
        assert np.abs(difference).max() <= len(members) + 2  # each rounded to the base unit
        assert 0 <= lost[group].sum() <= 0.005 * flow[members].sum()


def test_cold_days_take_more_gas_and_empty_homes_none() -> None:
    winter, summer = (
        sum(
            float(day.truth.consumed.sum())
            for day in Field(FieldPlan(modules=40, groups=1, days=5, first_day=first, faults=())).days()
        )
        for first in (date(2026, 1, 10), date(2026, 7, 10))
    )
    assert winter > 4 * summer > 0


def test_who_is_away_uses_no_water_but_what_drips(sound: Any) -> None:
    field = sound.field
    first, until = field.homes.away
    away = [m for m in np.flatnonzero(until - first >= 2).tolist() if first[m] < len(sound.truths)]
    assert away
    water = [
        p
        for p in np.flatnonzero((field.layout.meters.resource == 1) & ~field.layout.meters.common)
        if field.layout.meters.module[p] in away
    ]
    for meter in water:
        module = field.layout.meters.module[meter]
        for day in range(int(first[module]), int(until[module])):
            assert np.ptp(sound.truths[day].consumed[meter]) == 0  # a drip at most
    assert water


def test_a_long_field_needs_no_more_memory_than_a_short_one() -> None:
    def peak(days: int) -> int:
        plan = FieldPlan(modules=40, groups=1, days=days, faults=faults_of("radio_outage,spike"))
        tracemalloc.start()
        for day in Field(plan).days():
            for _ in day.packets:
                pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(32) < 1.25 * peak(8)


@pytest.mark.parametrize(("modules", "groups"), [(1, 0), (4, 1), (60, 0), (61, 15), (500, 9)])
def test_a_field_has_as_many_modules_and_groups_as_asked(modules: int, groups: int) -> None:
    field = Field(FieldPlan(modules=modules, groups=groups, days=1))
    assert (len(field.layout.modules.ids), len(field.layout.groups.ids)) == (modules, groups)
    ids = field.layout.modules.ids + field.layout.meters.ids
    assert len(set(ids)) == len(ids)
    assert sum(1 for day in field.days() for _ in day.packets) > 0


def test_the_reference_installation_can_be_laid_out() -> None:
    field = Field(FieldPlan(modules=67_000, groups=1_200, days=2, faults=()))
    sizes = np.diff(field.layout.concentrators.modules)
    assert len(field.layout.modules.ids) == 67_000
    assert 0 < sizes.min() <= sizes.max() <= 240


def test_every_mistake_of_a_plan_is_said_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        FieldPlan(modules=70_000, groups=2_000, days=0, faults=("rust",), zone="Mars/Olympus")
    words = str(caught.value)
    for part in ("1 to 67000", "0 to 1200", "1 to 366", "rust", "Mars/Olympus"):
        assert part in words
    with pytest.raises(ScenarioError, match="four modules a group"):
        FieldPlan(modules=10, groups=5)


def test_words_for_faults_and_usual_groups() -> None:
    assert faults_of("none") == ()
    assert faults_of("all") == faults_of("")
    assert faults_of("leak, slow,leak") == ("leak", "slow")
    assert [usual_groups(n) for n in (1, 12, 240, 67_000)] == [0, 1, 4, 1196]
