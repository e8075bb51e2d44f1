"""What each packet mode and each kind of device sends."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from balance_simulator.field import sensors
from balance_simulator.field.layout import (
    DIRECT,
    INTRADAY_15,
    INTRADAY_30,
    INTRADAY_60,
    LOGGER,
    MONTHLY,
    WEEKLY,
)

DAY_MS = 86_400_000


def module_of(played: Any, mode: int) -> int:
    found = np.flatnonzero(played.field.layout.modules.mode == mode)
    return int(found[0])


def test_a_daily_module_sends_each_day_once_with_its_temperature(sound: Any) -> None:
    layout = sound.field.layout
    module = next(m for m in range(120) if layout.modules.kind[m] == 0 and layout.modules.mode[m] == 0)
    name = layout.modules.ids[module]
    receipts = sound.receipts(name)
    assert len(receipts) == 9
    assert all(len(times) == 1 for times in receipts.values())
    channels = Counter(one["channel"] for _, one in sound.of("archives", name) if one["kind"] == "ARCHIVED")
    assert channels[0] == channels[1] == 9
    celsius = [v for _, one in sound.of("archives", name) if one["channel"] == 0 for v in one["values"]]
    assert 10_000 < min(celsius) <= max(celsius) < 32_000


@pytest.mark.parametrize(("mode", "step"), [(INTRADAY_60, 3600), (INTRADAY_30, 1800), (INTRADAY_15, 900)])
def test_an_intraday_module_sends_each_step_and_the_day_says_the_same(
    sound: Any, mode: int, step: int
) -> None:
    layout = sound.field.layout
    module = module_of(sound, mode)
    meter = int(layout.modules.first[module])
    current, days = sound.archives(meter, "CURRENT"), sound.archives(meter)
    start, archive = sorted(days.items())[3]
    own = [current[start + n * step * 1000] for n in range(86_400 // step)]
    assert {one["step_s"] for one in own} == {step}
    assert archive["step_s"] == 3600
    counts = np.array([one["values"][0] for one in own]).reshape(24, -1).sum(axis=1)
    assert counts.tolist() == archive["values"]
    assert own[0]["register_start"] == archive["register_start"]
    assert own[-1]["register_end"] == archive["register_end"]
    assert len(current) == sum(len(t.outdoor_milli_c) for t in sound.truths) * 3600 // step


@pytest.mark.parametrize(("mode", "times"), [(WEEKLY, 5), (MONTHLY, 1)])
def test_a_weekly_or_monthly_module_sends_registers_alone(faulty: Any, mode: int, times: int) -> None:
    layout = faulty.field.layout
    dead = {f.module for f in faulty.field.faults.of("battery_dead")}
    silent = {f.concentrator for f in faulty.field.faults.of("gsm_outage", "unpaid_sim", "solar_dark")}
    module = next(
        m
        for m in np.flatnonzero(layout.modules.mode == mode).tolist()
        if m not in dead and layout.modules.concentrator[m] not in silent
    )
    name = layout.modules.ids[module]
    assert layout.modules.firmware[module] >= 18
    assert faulty.of("archives", name) == []
    first = int(layout.modules.first[module])
    sent = [one for _, one in faulty.of("registers", name) if one["channel"] == layout.meters.channel[first]]
    assert len(sent) == times
    counted = faulty.registered()[first]
    for one in sent:
        at_s = one["start_at"] // 1000
        day = [t.start_s for t in faulty.truths].index(at_s) if at_s < faulty.field.plan.end_s else 30
        before = sum(len(t.outdoor_milli_c) for t in faulty.truths[:day])
        pulses = counted[:before].sum() // layout.meters.weight[first]
        assert one["values"] == [int(layout.meters.initial[first] + pulses)]
        assert one["offsets_s"] == [0]


def test_a_weekly_session_brings_seven_daily_archives(sound: Any) -> None:
    layout = sound.field.layout
    concentrator = layout.concentrators.plan.index("WEEKLY")
    name = layout.concentrators.ids[concentrator]
    sessions: dict[int, list[Any]] = {}
    for packet in sound.packets:
        if packet["concentrator_id"] == name:
            sessions.setdefault(packet["received_at"] // 60_000, []).append(packet)
    (week,) = sessions.values()
    assert len(week) == 7
    starts = [packet["archives"][0]["start_at"] for packet in week]
    assert starts == sorted(starts, reverse=True)
    assert [packet["session"]["backlog_packets"] for packet in week] == list(range(len(week)))[::-1]
    assert {packet["session"]["power"] for packet in week} == {"BATTERY"}
    assert {one["module_id"] for packet in week for one in packet["archives"]} == {name}
    assert {packet["lane"] for packet in week} == {"live", "backlog"}


def test_a_direct_input_looks_like_a_module_with_the_concentrators_id(sound: Any) -> None:
    modules = sound.field.layout.modules
    direct = np.flatnonzero(modules.kind == DIRECT).tolist()
    assert len(direct) >= 2
    for module in direct:
        assert modules.ids[module] == sound.field.layout.concentrators.ids[modules.concentrator[module]]


def test_loggers_send_measurements_between_their_least_and_greatest(sound: Any) -> None:
    loggers = np.flatnonzero(sound.field.layout.modules.kind == LOGGER).tolist()
    kinds = set()
    for module in loggers:
        for _, one in sound.of("measurements", sound.field.layout.modules.ids[module]):
            kinds.add(one["sensor_kind"])
            assert len(one["averages"]) in (24, 25)
            for least, mean, most in zip(one["minima"], one["averages"], one["maxima"], strict=False):
                assert least <= mean <= most
            assert bool(one["minima"]) == sensors.KINDS[one["sensor_kind"]].extremes
    assert kinds == {kind for pair in sensors.fitted(sound.field.layout).values() for kind in pair}
    assert len(kinds) >= 6


def test_current_data_of_a_request_are_the_first_hours_of_the_day_so_far(sound: Any) -> None:
    modes = sound.field.layout.modules.mode
    answered = 0
    for packet in sound.packets:
        for one in packet["archives"]:
            module = sound.field.layout.modules.ids.index(one["module_id"])
            if one["kind"] == "CURRENT" and modes[module] == 0:
                meter = int(sound.field.layout.modules.first[module]) + one["channel"] - 1
                archive = sound.archives(meter)[one["start_at"]]
                assert one["values"] == archive["values"][: len(one["values"])]
                assert packet["received_at"] > one["start_at"] + len(one["values"]) * 3_600_000
                answered += 1
    assert answered >= 3


def test_modules_tell_their_state_each_night_and_concentrators_theirs(sound: Any) -> None:
    layout = sound.field.layout
    states = [one for packet in sound.packets for one in packet["module_states"]]
    assert len({one["module_id"] for one in states}) == 120
    assert all(one["battery_mv"] is None or one["battery_mv"] > 3_400 for one in states)
    assert any(one["relay_path"] for one in states)
    known = set(layout.modules.ids)
    assert all(set(one["relay_path"]) <= known for one in states)
    offsets = [(one["module_clock_at"] - one["observed_at"]) / 1000 for one in states]
    assert 10 < np.std(offsets) < 60
    assert max(map(abs, offsets)) < 120
    nightly = [packet for packet in sound.packets if packet["module_states"]]
    assert all(packet["session"] for packet in nightly)
    assert all(abs(packet["sent_at"] - packet["received_at"]) < 60_000 for packet in sound.packets)
    late = [datetime.fromtimestamp(packet["received_at"] / 1000, UTC) for packet in nightly]
    assert {instant.hour for instant in late} <= {21, 22, 23, 0, 1}
