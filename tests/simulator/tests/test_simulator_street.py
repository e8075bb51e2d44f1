"""The demo's street: real profiles, what is put in, and the truth about it."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from balance_simulator import composing, playbook, profiles, street, truth
from balance_simulator.checking import Problems
from balance_simulator.scenario import ALL, Composed
from balance_simulator.series import Increments
from balance_simulator.street import Street


@pytest.fixture(scope="module")
def home() -> profiles.Home:
    return profiles.read_home()


@pytest.fixture(scope="module")
def made(home: profiles.Home) -> Street:
    return street.compose(home)


def test_the_home_is_the_real_one(home: profiles.Home) -> None:
    kwh = sum(hours.sum() for day, hours in home.gas.items() if day.year == 2021) / 1e6 * profiles.KWH_PER_M3
    assert 6_900 < kwh < 7_000
    assert len(home.gas) == 973
    assert all(len(hours) == 24 for hours in home.gas.values())


def test_a_day_is_drawn_from_its_season_and_kind(home: profiles.Home) -> None:
    days = [date(2025, 11, 1) + timedelta(days=n) for n in range(18)]
    for day, donor in zip(days, profiles.resample(home.donors(days), np.random.default_rng(1)), strict=True):
        assert donor.month in (10, 11, 12)
        assert (donor.weekday() >= 5) == (day.weekday() >= 5)


def test_six_groups_of_214_flats_and_their_thermometers(made: Street) -> None:
    assert [len(group.members) for group in made.fleet.groups] == [60, 32, 24, 40, 30, 28]
    gas = [p for p in made.fleet.usage_points.values() if p.resource == "GAS"]
    assert (len(gas), len(made.fleet.usage_points)) == (214 + 6, 2 * 214 + 6)


def test_the_dead_concentrator_is_silent_and_comes_back_as_backlog(made: Street) -> None:
    before = [p for p in made.before.packets if p["concentrator_id"] == street.DEAD]
    after = [p for p in made.after.packets if p["concentrator_id"] == street.DEAD]
    newest = max(a["start_at"] for p in before for a in p["archives"]) / 1000
    assert newest == street.DAYS.start(date(2025, 11, 3)).timestamp()
    assert {p["lane"] for p in made.before.packets} == {"live"}
    assert sum(p["lane"] == "backlog" for p in after) >= 9


def test_the_leak_is_what_the_truth_says(made: Street) -> None:
    leak = made.truth.groups["DEMO_1"]
    assert leak.supplied - leak.consumed == leak.lost > 0
    assert (leak.verdict, leak.since) == ("LOSS", "2025-11-09")
    assert {name for name, group in made.truth.groups.items() if group.imbalance} == {"DEMO_1", "DEMO_2"}


def test_the_exchanged_meter_has_its_registers(made: Street) -> None:
    old, new = made.fleet.usage_points[street.EXCHANGED].meters
    assert old.removed_at == new.fitted_at
    assert (new.initial_register, new.pulse_weight) == (0, 1_000)
    assert old.final_register is not None
    assert old.initial_register is not None
    assert old.final_register > old.initial_register


def test_two_devices_alternate_under_one_key(made: Street) -> None:
    point = made.fleet.usage_points[street.TWO_DEVICES]
    starts = {
        archive["start_at"]: archive["register_start"]
        for packet in (*made.before.packets, *made.after.packets)
        for archive in packet["archives"]
        if (archive["module_id"], archive["channel"]) == (point.module, 1)
    }
    others = [at for at, register in starts.items() if register >= 800_000]
    assert len(starts) == street.SPAN_DAYS
    assert [street.DAYS.day_of(_instant(at)).day for at in sorted(others)] == list(street.SECOND_DEVICE_DAYS)


def test_the_truth_is_read_as_written(made: Street, tmp_path: Path) -> None:
    truth.save(made.truth, tmp_path / "truth.json")
    assert truth.read(tmp_path / "truth.json") == made.truth


def test_the_same_seed_gives_the_same_street(home: profiles.Home, made: Street) -> None:
    again = street.compose(home)
    assert again.before.packets == made.before.packets
    assert again.truth == made.truth
    assert street.compose(home, seed=8).truth != made.truth


def test_a_playbook_is_written_a_packet_a_line(made: Street, tmp_path: Path) -> None:
    playbook.save(made.before, tmp_path)
    lines = (tmp_path / "packets.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == list(made.before.packets)
    fleet = json.loads((tmp_path / "fleet.json").read_text("utf-8"))
    assert fleet == {"usage_points": made.before.usage_points, "groups": made.before.groups}


def test_a_composed_supply_fills_gaps_with_the_usual_hour() -> None:
    values = np.tile(np.arange(24), 2) * 100
    present = np.ones(48, np.bool_)
    present[30] = False
    homes = {"a": Increments("a", 0, 3600, values, present)}
    usual = composing.compose(Composed("S", (ALL,), 1.5, "usual"), homes, "UTC", Problems())
    zero = composing.compose(Composed("S", (ALL,), 1.5, "zero"), homes, "UTC", Problems())
    assert usual is not None
    assert zero is not None
    assert usual.values.tolist() == [round(value * 1.5) for value in values]
    assert zero.values[30] == 0
    assert usual.present.all()


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
