"""Each fault shows in the packets as a device would show it."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from balance_simulator.field import fault_kinds, truth_folder
from balance_simulator.field.plan import FieldPlan
from balance_simulator.field.stream import Field

DAY_MS, HOUR_MS = 86_400_000, 3_600_000


def hours_of(played: Any, fault: Any) -> slice:
    """The hours of a fault, counted from the field's start."""
    start = played.field.plan.start_s
    return slice((fault.start_s - start) // 3600, (fault.end_s - start) // 3600)


def events(played: Any, fault: Any, *kinds: str) -> list[tuple[str, str, int]]:
    """(kind, phase, occurred at) of the events of a module, delivered copies of one session once."""
    name = played.field.layout.modules.ids[fault.module]
    found = {
        (one["kind"], one["phase"], one["occurred_at"])
        for _, one in played.of("module_events", name)
        if not kinds or one["kind"] in kinds
    }
    return sorted(found, key=lambda event: event[2])


def test_every_kind_finds_its_place_and_has_a_label(faulty: Any) -> None:
    labels = list(truth_folder.labels(faulty.field))
    assert {label["kind"] for label in labels} == set(fault_kinds.KINDS)
    assert faulty.field.faults.notes == ()
    for label in labels:
        assert label["start"] < label["end"]
        known = [label[part] for part in ("usage_point", "module", "concentrator", "group")]
        assert any(known)


def test_no_module_has_two_faults(faulty: Any) -> None:
    times = Counter(f.module for f in faulty.field.faults.every if f.module >= 0)
    assert set(times.values()) == {1}


def test_a_short_radio_outage_comes_late_and_loses_nothing(faulty: Any) -> None:
    fault = faulty.fault("radio_outage")
    receipts = faulty.receipts(faulty.field.layout.modules.ids[fault.module])
    assert len(receipts) == 30
    first = receipts[faulty.day(fault.first_day)][0]
    assert first - faulty.day(fault.first_day + 1) > DAY_MS
    assert first == min(receipts[faulty.day(fault.last_day)]) + 700 * (fault.last_day - fault.first_day)


def test_after_four_days_hours_are_lost_and_the_register_goes_on(faulty: Any) -> None:
    fault = faulty.fault("archive_lost")
    layout = faulty.field.layout
    meter = int(layout.modules.first[fault.module])
    archives = faulty.archives(meter)
    nights = fault.last_day - fault.first_day + 1
    lost = [day for day in range(30) if faulty.day(day) not in archives]
    assert lost == list(range(fault.first_day, fault.first_day + nights - 3))
    before, after = archives[faulty.day(lost[0] - 1)], archives[faulty.day(lost[-1] + 1)]
    counted = sum(int(faulty.truths[day].registered[meter].sum()) for day in lost)
    moved = after["register_start"] - before["register_end"]
    assert moved * layout.meters.weight[meter] == counted > 0


def test_a_dying_battery_falls_says_so_and_is_silent(faulty: Any) -> None:
    for fault in faulty.field.faults.of("battery_dead"):
        name = faulty.field.layout.modules.ids[fault.module]
        states = faulty.of("module_states", name)
        volts = [one["battery_mv"] for _, one in sorted(states, key=lambda pair: pair[1]["observed_at"])]
        assert volts[-1] < 3_000 < 3_300 < volts[0]
        assert volts == sorted(volts, reverse=True)
        assert max(one["observed_at"] for _, one in states) < fault.start_s * 1000 + HOUR_MS
        assert [event[:2] for event in events(faulty, fault)] == [("BATTERY_LOW", "BEGUN")]
    modes = {int(faulty.field.layout.modules.mode[f.module]) for f in faulty.field.faults.of("battery_dead")}
    assert len(modes) > 1


@pytest.mark.parametrize("kind", ["gsm_outage", "solar_dark"])
def test_a_concentrator_keeps_what_it_cannot_send(faulty: Any, kind: str) -> None:
    fault = faulty.fault(kind)
    name = faulty.field.layout.concentrators.ids[fault.concentrator]
    own = [p for p in faulty.packets if p["concentrator_id"] == name and p["module_states"]]
    gaps = np.diff(sorted({p["received_at"] // HOUR_MS for p in own}))
    assert gaps.max() > 48
    days = {one["start_at"] for p in own for one in p["archives"] if one["kind"] == "ARCHIVED"}
    assert len(days & {faulty.day(day) for day in range(30)}) == 30
    assert any(p["lane"] == "backlog" for p in own)
    first_back = next(p for p in own if p["session"]["backlog_packets"])
    assert first_back["session"]["backlog_from_at"] < first_back["received_at"] - 2 * DAY_MS
    if kind == "solar_dark":
        backup = [p["session"]["supply_mv"] for p in own if p["session"]["power"] == "BACKUP"]
        assert len(backup) >= 5
        assert backup == sorted(backup, reverse=True)


def test_an_unpaid_sim_is_silent_until_the_end(faulty: Any) -> None:
    fault = faulty.fault("unpaid_sim")
    name = faulty.field.layout.concentrators.ids[fault.concentrator]
    own = [p["received_at"] for p in faulty.packets if p["concentrator_id"] == name]
    assert own
    assert max(own) < fault.start_s * 1000


@pytest.mark.parametrize("kind", ["short_circuit", "open_circuit", "no_sensor", "magnet"])
def test_a_sensor_fault_counts_nothing_and_is_told(faulty: Any, kind: str) -> None:
    fault = faulty.fault(kind)
    hours = hours_of(faulty, fault)
    assert faulty.registered()[fault.meter][hours.start + 1 : hours.stop - 1].sum() == 0
    assert faulty.consumed()[fault.meter][hours].sum() > 0
    (begun, ended) = events(faulty, fault)
    assert (begun[:2], ended[:2]) == ((kind.upper(), "BEGUN"), (kind.upper(), "ENDED"))
    assert abs(begun[2] - fault.start_s * 1000) < 120_000
    assert abs(ended[2] - fault.end_s * 1000) < 120_000


@pytest.mark.parametrize("kind", ["bypass", "stopped"])
def test_gas_flows_and_nothing_is_counted_or_told(faulty: Any, kind: str) -> None:
    fault = faulty.fault(kind)
    hours = hours_of(faulty, fault)
    assert faulty.registered()[fault.meter][hours.start + 1 :].sum() == 0
    assert faulty.consumed()[fault.meter][hours].sum() > 0
    assert events(faulty, fault) == []


def test_a_night_bypass_counts_by_day_alone(faulty: Any) -> None:
    fault = faulty.fault("bypass_night")
    hours = hours_of(faulty, fault)
    local = np.arange(faulty.registered().shape[1]) % 24  # November has no change of clocks
    counted, flow = faulty.registered()[fault.meter], faulty.consumed()[fault.meter]
    within = np.arange(len(local)) > hours.start
    assert counted[within & (local >= 23)].sum() == counted[within & (local < 5)].sum() == 0
    assert flow[within & (local < 5)].sum() + counted[within & (local > 6) & (local < 22)].sum() > 0


def test_a_slow_meter_counts_its_share(faulty: Any) -> None:
    fault = faulty.fault("slow")
    hours = hours_of(faulty, fault)
    share = faulty.registered()[fault.meter][hours].sum() / faulty.consumed()[fault.meter][hours].sum()
    assert abs(share - fault.magnitude) < 0.06


def test_a_stuck_meter_counts_the_same_each_hour(faulty: Any) -> None:
    fault = faulty.fault("stuck")
    hours = hours_of(faulty, fault)
    counted = faulty.registered()[fault.meter][hours.start + 1 : hours.stop - 1]
    assert set(counted.tolist()) == {round(fault.magnitude)}


@pytest.mark.parametrize(("kind", "least"), [("spike", 0.5), ("surge", 1.1)])
def test_a_spike_is_one_hour_that_nobody_used(faulty: Any, kind: str, least: float) -> None:
    fault = faulty.fault(kind)
    extra = faulty.registered()[fault.meter] - faulty.consumed()[fault.meter]
    highest = int(extra.argmax())
    assert abs(highest - hours_of(faulty, fault).start) <= 1
    assert extra[highest] > least * faulty.field.layout.meters.q_max[fault.meter]
    assert np.partition(extra, -3)[-3] < extra[highest] * 0.2


def test_a_leak_is_seen_by_the_common_meter_alone(faulty: Any) -> None:
    fault = faulty.fault("leak")
    lost = np.concatenate([truth.lost for truth in faulty.truths], axis=1)[fault.group]
    begin = hours_of(faulty, fault).start
    assert lost[begin:].mean() - lost[:begin].mean() == pytest.approx(fault.magnitude, rel=0.2)
    layout = faulty.field.layout
    members = np.flatnonzero((layout.meters.group == fault.group) & ~layout.meters.common)
    flow = faulty.consumed()
    difference = (flow[fault.meter] - flow[members].sum(axis=0))[begin:]
    assert difference.sum() == pytest.approx(lost[begin:].sum(), rel=1e-3)


def test_a_declared_exchange_is_on_the_register_with_both_readings(faulty: Any) -> None:
    fault = faulty.fault("exchange_declared")
    (record,) = faulty.changed
    old, new = record["meters"]
    assert record["usage_point_id"] == faulty.field.layout.meters.ids[fault.meter]
    assert old["removed_at"] == new["fitted_at"] == fault.start_s * 1000
    assert old["pulse_weight"] != new["pulse_weight"]
    archive = faulty.archives(fault.meter)[faulty.day(fault.first_day)]
    hour = (fault.start_s - faulty.field.plan.day_start(fault.first_day)) // 3600
    assert old["final_register"] == archive["register_start"] + sum(archive["values"][:hour])
    assert archive["register_end"] == new["initial_register"] + sum(archive["values"][hour:])
    assert list(faulty.field.register.usage_points())[fault.meter] == record


@pytest.mark.parametrize("kind", ["exchange_undeclared", "register_reset"])
def test_a_register_falls_and_nobody_says_why(faulty: Any, kind: str) -> None:
    fault = faulty.fault(kind)
    archive = faulty.archives(fault.meter)[faulty.day(fault.first_day)]
    assert archive["register_end"] < archive["register_start"]
    assert archive["register_end"] <= fault.magnitude + sum(archive["values"])
    point = list(faulty.field.register.usage_points())[fault.meter]
    assert len(point["meters"]) == 1
    restarted = [event[0] for event in events(faulty, fault)]
    assert restarted == (["RESTARTED"] if kind == "register_reset" else [])


def test_a_register_passes_its_last_digit(faulty: Any) -> None:
    fault = faulty.fault("rollover")
    turn = 10 ** int(faulty.field.layout.meters.digits[fault.meter])
    wrapped = [a for a in faulty.archives(fault.meter).values() if a["register_end"] < a["register_start"]]
    (archive,) = wrapped
    assert archive["register_end"] + turn - archive["register_start"] == sum(archive["values"])
    assert faulty.label("rollover")["start"][:10] in str(
        np.datetime64(archive["start_at"], "ms").astype("datetime64[D]")
    )


def test_two_devices_send_by_turns(faulty: Any) -> None:
    fault = faulty.fault("two_devices")
    archives = faulty.archives(fault.meter)
    jumps = [
        archives[faulty.day(day)]["register_start"] - archives[faulty.day(day - 1)]["register_end"]
        for day in range(1, 30)
    ]
    large = [jump for jump in jumps if jump]
    assert len(large) >= 4
    assert {abs(jump) for jump in large} == {round(fault.magnitude)}
    assert all(a * b < 0 for a, b in pairwise(large))


def test_two_concentrators_contradict_each_other_in_one_value_of_equal_revision(faulty: Any) -> None:
    fault = faulty.fault("conflicting_duplicate")
    layout = faulty.field.layout
    name, channel = layout.modules.ids[fault.module], int(layout.meters.channel[fault.meter])
    both = [
        (p["concentrator_id"], p["sequence"], one)
        for p, one in faulty.of("archives", name)
        if (one["channel"], one["start_at"]) == (channel, faulty.day(fault.first_day))
    ]
    (first, sequence, one), (second, equal, other) = both
    assert first != second
    assert sequence == equal
    apart = [n for n in range(24) if one["values"][n] != other["values"][n]]
    assert len(apart) == 1


def test_a_session_is_delivered_twice(faulty: Any) -> None:
    fault = faulty.fault("duplicate_delivery")
    name = faulty.field.layout.concentrators.ids[fault.concentrator]
    times = Counter(p["packet_id"] for p in faulty.packets if p["concentrator_id"] == name)
    assert sorted(set(times.values())) == [1, 2]
    twice = next(packet_id for packet_id, count in times.items() if count == 2)
    first, again = [p for p in faulty.packets if p["packet_id"] == twice]
    assert again["received_at"] > first["received_at"]
    assert {**first, "received_at": 0} == {**again, "received_at": 0}
    others = Counter(p["packet_id"] for p in faulty.packets if p["concentrator_id"] != name)
    assert set(others.values()) == {1}


def test_a_module_moves_to_another_concentrator(faulty: Any) -> None:
    fault = faulty.fault("moved")
    names = faulty.field.layout.concentrators.ids
    module = faulty.field.layout.modules.ids[fault.module]
    by = {}
    for packet, one in faulty.of("archives", module):
        if one["kind"] == "ARCHIVED" and one["channel"] == 1:
            by[one["start_at"]] = packet["concentrator_id"]
    assert {by[start] for start in by if start < faulty.day(fault.first_day)} == {names[fault.concentrator]}
    assert {by[start] for start in by if start >= faulty.day(fault.first_day)} == {names[fault.other]}
    current = [(p, one) for p, one in faulty.of("archives", module) if one["kind"] == "CURRENT"]
    half = [p for p, one in current if one["start_at"] == faulty.day(fault.first_day)]
    assert {p["concentrator_id"] for p in half} == {names[fault.concentrator]}
    described = next(m for m in faulty.field.register.modules() if m["module_id"] == module)
    assert [s["concentrator_id"] for s in described["settings"]] == [
        names[fault.concentrator],
        names[fault.other],
    ]


def test_hours_counted_from_one_end_after_they_were_received(faulty: Any) -> None:
    fault = faulty.fault("hours_from_one")
    name = faulty.field.layout.modules.ids[fault.module]
    late = [
        (p, one)
        for p, one in faulty.of("archives", name)
        if one["kind"] == "ARCHIVED" and (one["start_at"] - faulty.day(0)) % DAY_MS == HOUR_MS
    ]
    assert len({one["start_at"] for _, one in late}) == fault.last_day - fault.first_day + 1
    assert any(one["start_at"] + 24 * HOUR_MS > p["received_at"] + 120_000 for p, one in late)


def test_a_clock_set_back_overwrites_hours_and_leaves_others_out(faulty: Any) -> None:
    fault = faulty.fault("clock_set_back")
    archive = faulty.archives(int(faulty.field.layout.modules.first[fault.module]))[
        faulty.day(fault.first_day)
    ]
    hours = round(-fault.magnitude / 3600)
    assert archive["missing"] == list(range(24 - hours, 24))
    assert [event[0] for event in events(faulty, fault)] == ["CLOCK_SET", "CLOCK_SET"]
    moved = archive["register_end"] - archive["register_start"]
    assert moved >= sum(archive["values"])


def test_clocks_go_wrong_and_tell(faulty: Any) -> None:
    fault = faulty.fault("clock_drift")
    name = faulty.field.layout.modules.ids[fault.module]
    offsets = [  # as docs/domain.md §3.13 has it: the concentrator's clock, which is told too, taken out
        (one["module_clock_at"] - one["observed_at"] + packet["sent_at"] - packet["received_at"]) / 1000
        for packet, one in faulty.of("module_states", name)
    ]
    assert abs(offsets[0] - fault.magnitude) < 120
    assert 60 < abs(offsets[-1] - offsets[0]) < 200
    concentrator = faulty.fault("concentrator_clock")
    wrong = faulty.field.layout.concentrators.ids[concentrator.concentrator]
    ahead = [
        (p["sent_at"] - p["received_at"]) / 1000 for p in faulty.packets if p["concentrator_id"] == wrong
    ]
    assert np.allclose(ahead, concentrator.magnitude, atol=5)


def test_a_clock_that_is_ahead_closes_its_hours_early(faulty: Any) -> None:
    fault = faulty.fault("clock_drift")
    meter = int(faulty.field.layout.modules.first[fault.module])
    flow = faulty.consumed()[meter].astype(float) * (1 + faulty.field.layout.meters.error[meter])
    share = fault.magnitude / 3600
    moved = flow[1:-1] * (1 - abs(share)) + abs(share) * (flow[:-2] if share > 0 else flow[2:])
    counted = np.cumsum(faulty.registered()[meter][1:-1])
    pulse = 2 * faulty.field.layout.meters.weight[meter]
    drifted = np.abs(counted - np.cumsum(moved)).max()
    assert drifted < np.abs(counted - np.cumsum(flow[1:-1])).max() + pulse
    assert drifted < pulse + 0.02 * flow.sum()


def test_a_sensor_goes_out_of_range_and_another_has_nothing(faulty: Any) -> None:
    absurd, nothing = faulty.fault("sensor_out_of_range"), faulty.fault("sensor_not_a_number")
    layout = faulty.field.layout
    measured = [
        one for _, one in faulty.of("measurements", layout.modules.ids[absurd.module]) if one["channel"] == 1
    ]
    values = np.concatenate([one["averages"] for one in measured])
    assert np.abs(values).max() > 5 * np.abs(np.median(values))
    missing = sum(
        len(one["missing"]) for _, one in faulty.of("measurements", layout.modules.ids[nothing.module])
    )
    assert missing >= (nothing.end_s - nothing.start_s) // 3600 > 0


def test_a_channel_nobody_knows_and_an_archive_of_days_to_come(faulty: Any) -> None:
    unknown, future = faulty.fault("unknown_channel"), faulty.fault("future_packet")
    layout = faulty.field.layout
    name = layout.modules.ids[unknown.module]
    channels = {one["channel"] for _, one in faulty.of("archives", name)}
    described = {
        channel["channel"]
        for point in faulty.field.register.usage_points()
        for channel in point["channels"]
        if channel["module_id"] == name
    }
    assert channels - described == {7}
    later = [
        (p, one)
        for p, one in faulty.of("archives", layout.modules.ids[future.module])
        if one["start_at"] > p["received_at"] + HOUR_MS
    ]
    assert len(later) == 1


def test_who_is_away_is_labelled_as_no_fault(faulty: Any) -> None:
    label = faulty.label("vacant")
    assert label["rule"] is None
    assert label["usage_point"] in faulty.field.layout.meters.ids


def test_a_fleet_too_small_says_which_faults_found_no_place() -> None:
    field = Field(FieldPlan(modules=6, groups=1, days=2))
    assert any("leak" in note for note in field.faults.notes)
    assert any("needs 7 days" in note for note in field.faults.notes)
