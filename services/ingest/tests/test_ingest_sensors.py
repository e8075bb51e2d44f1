"""Sensors: measurements, kinds, ranges, least and greatest values (docs/domain.md §2.6, §3.14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from balance_ingest.adapters import sensor_table
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import Harvest, harvest
from balance_ingest.domain.days import HOUR_S, Days
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Measurements, Packet, Registers
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import Limits
from balance_ingest.domain.sensors import unknown_sensor_kind
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource, Unit

DAYS = Days(Calendar("Europe/Chisinau", 0))
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
VALID, SUSPECT, MISSING = Quality.VALID.code, Quality.SUSPECT.code, Quality.MISSING.code
KINDS = {kind.code: kind for kind in sensor_table.kind_table()}
PAGE = Path(__file__).parents[3] / "docs" / "sensor-kinds.md"
WARM = [21_000] * 24


def measured(averages: Sequence[int] = WARM, **given: Any) -> Measurements:
    """A day of a data logger's channel, hourly unless it is said."""
    return Measurements("D-1", 1, ARCHIVED_RANK, DAY, HOUR_S, averages)._replace(**given)


def packet(*elements: Any, sequence: int = 1) -> Packet:
    """A packet of the day after."""
    parts: dict[type, list[Any]] = {Archive: [], Registers: [], Measurements: []}
    for element in elements:
        parts[type(element)].append(element)
    return Packet(
        f"P-{sequence}",
        "J-1",
        sequence,
        DAYS.shift(DAY, 2),
        parts[Archive],
        parts[Registers],
        measurements=parts[Measurements],
    )


def heard(*packets: Packet) -> Harvest:
    """What packets say."""
    return harvest(packets, DAYS, Limits())


def read(*packets: Packet, kind: str | None = "02", resource: Resource = Resource.SENSOR) -> Computed:
    """The day of a sensor on channel 1, from these packets alone."""
    found = heard(*packets)
    ids = {number: index for index, (_, number) in enumerate(found.channels)}
    fitting = Fitting(ids[1], "D-1", 1, 0, FOREVER, ids.get(17), ids.get(33))
    point = UsagePoint(
        1,
        "UP-1",
        resource,
        (Meter(0, FOREVER, 1, 5, 10),),
        (fitting,),
        sensor_kind=kind,
        kind=KINDS.get(kind or ("01" if resource is Resource.TEMPERATURE else "")),
    )
    return compute(point, [DAY], by_channel(found.blocks, found.points), DAYS, 0)


def test_measurements_are_evidence_of_three_channels() -> None:
    found = heard(packet(measured(minima=[20_000] * 24, maxima=[22_000] * 24, missing=[3])))
    assert found.channels == [("D-1", 1), ("D-1", 17), ("D-1", 33)]
    (block,) = found.blocks
    assert block.slots.low[:, 0].tolist() == [21_000, 20_000, 22_000]
    assert block.slots.there[:, 3].tolist() == [False] * 3
    assert not block.start.there.any()


def test_a_device_without_minima_says_nothing_of_them() -> None:
    (block,) = heard(packet(measured())).blocks
    assert len(block) == 1


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (measured(minima=[1]), "minima for none or each of 24 averages, found 1"),
        (measured(maxima=[1] * 25), "maxima for none or each of 24 averages, found 25"),
        (measured(minima=[2**31] * 24), "32 signed bits, found 2147483648 at position 0"),
        (measured([0] * 23 + [-(2**40)]), "32 signed bits"),
        (measured(channel=16), "a channel from 0 to 15, found 16"),
        (measured(rank=None), "kind CURRENT or ARCHIVED"),
        (measured(step=7), "a step of 900"),
        (measured([]), "1 to 3000 values, found 0"),
        (measured(missing=[24]), "positions from 0 to 23, found 24"),
        (measured(start=DAYS.shift(DAY, 2)), "nothing later than"),
        (measured(start=0), "nothing before"),
    ],
)
def test_measurements_that_cannot_be_are_refused_whole(element: Measurements, words: str) -> None:
    found = heard(packet(element))
    (refusal,) = found.refusals
    assert words in refusal.finding.message
    assert refusal.finding.message.startswith("A run of measurements of module 'D-1'")
    assert not found.blocks


def test_what_is_not_a_number_is_missing_whatever_stands_there() -> None:
    result = read(packet(measured([2**40] + [21_000] * 23, minima=[2**50] + [1] * 23, missing=[0])))
    (day,) = result.readings
    assert day.values[:2] == [None, 21_000]
    assert day.minima[:2] == [None, 1]
    assert day.qualities[:2] == [MISSING, VALID]


def test_an_hour_is_the_mean_of_its_intervals_with_their_least_and_greatest() -> None:
    quarters = [1000, 1001, 1001, 1000] * 24
    least, greatest = list(range(96)), list(range(2000, 2096))
    (day,) = read(packet(measured(quarters, step=900, minima=least, maxima=greatest))).readings
    assert list(day.values) == [1001] * 24
    assert list(day.minima) == least[::4]
    assert list(day.maxima) == greatest[3::4]


def test_least_values_of_another_step_or_in_conflict_are_none() -> None:
    quarters = measured([21_000] * 96, step=900, minima=[1] * 96)
    hours = measured(minima=[5] * 24, maxima=[6] * 24)
    (day,) = read(packet(quarters, hours)).readings
    assert list(day.minima) == [1] * 24
    assert day.maxima == ()
    (day,) = read(packet(hours), packet(measured(minima=[4] + [5] * 23))).readings
    assert day.minima[:2] == [None, 5]


def test_nothing_of_pulses_is_said_of_a_sensor() -> None:
    falling = [Archive("D-1", 1, ARCHIVED_RANK, DAY, HOUR_S, [-5000] * 24, (), 900, 100)]
    result = read(packet(*falling, Registers("D-1", 1, DAY, [7200, 90_000], [5000, 1])))
    assert not result.findings
    assert [list(day.values) for day in result.readings] == [[-5000] * 24]


def test_the_power_on_value_of_a_thermometer_is_out_of_range() -> None:
    warm = [21_000] * 10 + [85_000] * 2 + [21_000] * 12
    result = read(packet(measured(warm)), kind=None, resource=Resource.TEMPERATURE)
    (finding,) = result.findings
    assert finding.rule == "vee.out_of_range"
    assert (finding.start, finding.end) == (DAY + 10 * HOUR_S, DAY + 12 * HOUR_S)
    assert "expected -40 °C to 60 °C, the range of kind 01, found 85 °C;" in finding.message
    (day,) = result.readings
    assert day.qualities[9:13] == [VALID, SUSPECT, SUSPECT, VALID]
    assert day.values[10] is None


def test_the_edges_of_a_range_lie_inside() -> None:
    for kind in KINDS.values():
        edges = [kind.least, kind.greatest] * 12
        assert not read(packet(measured(edges)), kind=kind.code).findings
        beyond = [kind.least - 1, kind.greatest + 1] * 12
        assert [f.end - f.start for f in read(packet(measured(beyond)), kind=kind.code).findings] == [86_400]


def test_a_suspect_hour_has_no_extremes() -> None:
    (day,) = read(packet(measured([99_000] + [21_000] * 23, minima=[1] * 24))).readings
    assert day.minima[:2] == [None, 1]


def test_a_kind_that_is_not_in_the_table_is_a_finding_of_the_register() -> None:
    point = UsagePoint(
        1, "UP-1", Resource.SENSOR, (), (Fitting(1, "D-1", 1, DAY, FOREVER),), sensor_kind="77"
    )
    finding = unknown_sensor_kind(point)
    assert finding
    assert (finding.rule, finding.start, finding.end) == ("vee.unknown_sensor_kind", DAY, DAY)
    assert "found kind 77;" in finding.message
    assert "found none;" in (unknown_sensor_kind(replace(point, sensor_kind=None)) or finding).message
    assert unknown_sensor_kind(replace(point, kind=KINDS["02"])) is None
    assert unknown_sensor_kind(replace(point, fittings=())) is None
    assert unknown_sensor_kind(replace(point, resource=Resource.TEMPERATURE)) is None


def test_the_table_holds_the_kinds_of_the_logger_with_the_figures_of_its_sheet() -> None:
    logger = {"00", "01", "02", "03", "04", "05T", "05H", "06T", "06H", "07", "08", "09"}
    assert logger <= KINDS.keys()
    assert {code for code in logger if KINDS[code].experimental} == {"07", "08", "09"}
    figures = {code: (KINDS[code].greatest // 1000, KINDS[code].accuracy) for code in ("03", "04")}
    assert figures == {"03": (5000, "±15 %"), "04": (500, "±15 %")}
    assert (KINDS["01"].accuracy, KINDS["02"].accuracy) == ("±1 °C", "±0.05 °C")
    assert KINDS["01"].greatest < 85_000
    assert all(kind.least >= -(2**31) and kind.greatest < 2**31 for kind in KINDS.values())
    for kind in KINDS.values():
        limits = [limit for limit in (kind.lower_limit, kind.upper_limit) if limit is not None]
        assert all(kind.least <= limit <= kind.greatest for limit in limits)
        assert kind.source


def test_the_page_is_what_the_table_makes_of_it() -> None:
    assert PAGE.read_text("utf-8") == sensor_table.page(KINDS.values()), "run: make generate"


@pytest.mark.parametrize(
    "row", ["X,n,q,u,2,1,a,,,no,s", "X,n,q,u,0,much,a,,,no,s", "X,n,q,u,0,1,a,,,perhaps,s"]
)
def test_a_row_that_cannot_be_is_refused_in_words(row: str) -> None:
    head = "code,name,quantity,unit,least,greatest,accuracy,lower_limit,upper_limit,experimental,source"
    with pytest.raises(ValueError, match="sensor kind"):
        list(sensor_table.parse([head, row]))
    with pytest.raises(ValueError, match="once"):
        list(sensor_table.parse([head, *["X,n,q,u,0,1,a,,,no,s"] * 2]))


def sensor(version: int = 1, kind: str | None = "02", **given: Any) -> dict[str, Any]:
    """A usage point that a data logger's channel 1 reads."""
    meter = {
        "meter_number": "S-1",
        "fitted_at": 0,
        "removed_at": None,
        "accuracy_class_ppm": 1,
        "pulse_weight": 1,
        "register_digits": 9,
        "q_max": 1,
        "initial_register": None,
        "final_register": None,
    }
    channel = {"module_id": "D-1", "channel": 1, "fitted_at": DAY * 1000, "removed_at": None}
    told = {
        "usage_point_id": "UP-1",
        "version": version,
        "state": "ACTIVE",
        "resource": "SENSOR",
        "meters": [meter],
        "channels": [channel],
        "sensor_kind": kind,
    }
    return told | given


def wire_packet(*measurements: Measurements, sequence: int = 1) -> dict[str, Any]:
    """A packet as it comes."""
    told = [
        one._asdict() | {"kind": "ARCHIVED", "start_at": one.start * 1000, "step_s": one.step}
        for one in measurements
    ]
    return {
        "packet_id": f"P-{sequence}",
        "concentrator_id": "J-1",
        "sequence": sequence,
        "sent_at": (DAY + 90_000) * 1000,
        "received_at": (DAY + 90_000) * 1000,
        "archives": [],
        "registers": [],
        "measurements": told,
        "module_events": [],
        "module_states": [],
        "session": None,
    }


def shown(house: Any) -> Sequence[tuple[Any, ...]]:
    """The first two hours as the read contract shows them."""
    query = """SELECT value, minimum, maximum, quality, resource, unit, sensor_kind FROM ingest.v_readings
        ORDER BY start_at LIMIT 2"""
    return list(house.rows(query))


FULL = measured(minima=[20_000] * 24, maxima=[22_000] * 24)
SHOWN = (21_000, 20_000, 22_000, "VALID", "SENSOR", "THOUSANDTH", "02")


def published(house: Any) -> Mapping[str, Any]:
    """The newest reading day that was told."""
    found: list[Mapping[str, Any]] = [
        day for _, value in house.published() if "days" in value for day in value["days"]
    ]
    return found[-1]


@pytest.mark.stack
def test_a_sensor_is_stored_shown_and_published_with_its_extremes(house: Any) -> None:
    house.describe(sensor())
    house.hear(wire_packet(FULL))
    house.work()
    assert shown(house) == [SHOWN] * 2
    told = published(house)
    assert (told["minima"], told["maxima"]) == ([20_000] * 24, [22_000] * 24)
    assert (told["sensor_kind"], told["unit"], told["values"]) == ("02", "THOUSANDTH", WARM)
    query = "SELECT average, minimum, maximum, step_s FROM ingest.v_measurements"
    assert house.rows(query) == [(21_000, 20_000, 22_000, 3600)] * 24
    assert house.findings() == set()


@pytest.mark.stack
def test_a_logger_nobody_registered_is_parked_once_shown_and_counts_later(house: Any) -> None:
    house.hear(wire_packet(FULL))
    house.work()
    assert {(rule, subject) for rule, subject, *_ in house.findings()} == {("vee.unknown_channel", "D-1/1")}
    assert len(house.rows("SELECT FROM ingest.v_measurements WHERE minimum = 20000")) == 24
    house.describe(sensor())
    house.work()
    assert shown(house) == [SHOWN] * 2
    assert house.findings() == set()


@pytest.mark.stack
def test_extremes_that_come_later_are_joined(house: Any) -> None:
    house.describe(sensor())
    house.hear(wire_packet(measured()))
    assert shown(house)[0][:3] == (21_000, None, None)
    house.published()
    house.hear(wire_packet(FULL, sequence=2), backlog=True)
    house.work()
    assert shown(house) == [SHOWN] * 2
    assert published(house)["version"] == 2
    house.hear(wire_packet(measured([20_500] * 24), sequence=3))
    assert shown(house)[0][:3] == (20_500, 20_000, 22_000)


@pytest.mark.stack
def test_a_kind_that_the_register_corrects_judges_anew(house: Any) -> None:
    house.describe(sensor(kind="77"))
    assert house.findings() == {("vee.unknown_sensor_kind", "UP-1", DAY, DAY)}
    house.hear(wire_packet(measured([99_000] * 24)))
    assert shown(house)[0][3] == "VALID"
    house.describe(sensor(2, "01"))
    house.work()
    assert shown(house)[0] == (None, None, None, "SUSPECT", "SENSOR", "THOUSANDTH", "01")
    assert house.findings() == {("vee.out_of_range", "UP-1", DAY, DAY + 86_400)}
    house.describe(sensor(3, "02"))
    house.work()
    assert shown(house)[0][3:] == ("SUSPECT", "SENSOR", "THOUSANDTH", "02")
    house.describe(sensor(4, None, resource="TEMPERATURE"))
    house.work()
    assert shown(house)[0][4:] == ("TEMPERATURE", "MILLIDEGREE_CELSIUS", "01")
    house.describe(sensor(5, None))
    house.work()
    assert house.findings() == {("vee.unknown_sensor_kind", "UP-1", DAY, DAY)}
    house.describe(sensor(6, None, state="DELETED"))
    house.work()
    assert {rule for rule, *_ in house.findings()} == {"vee.unknown_channel"}


@pytest.mark.stack
def test_a_table_that_changes_judges_its_sensors_anew(house: Any) -> None:
    house.describe(sensor())
    house.hear(wire_packet(FULL))
    narrow = [replace(k, greatest=20_000) if k.code == "02" else k for k in KINDS.values()]
    assert house.register.keep_kinds(narrow) > 0
    house.work()
    assert shown(house)[0][:4] == (None, None, None, "SUSPECT")
    without = [kind for kind in narrow if kind.code != "02"]
    house.register.keep_kinds(without)
    house.work()
    assert shown(house) == [SHOWN] * 2
    assert house.findings() == {("vee.unknown_sensor_kind", "UP-1", DAY, DAY)}
    house.register.keep_kinds(list(KINDS.values()))
    assert house.register.keep_kinds(list(KINDS.values())) == 0
    house.work()
    assert house.findings() == set()
    assert house.rows("SELECT count(*) FROM ingest.v_sensor_kinds") == [(len(KINDS),)]


@pytest.mark.stack
def test_whole_days_of_a_thermometer_are_plain_when_in_range(house: Any) -> None:
    house.describe(sensor(kind=None, resource="TEMPERATURE"))
    assert house.hear(wire_packet(measured())) == 1
    assert shown(house) == [(21_000, None, None, "VALID", "TEMPERATURE", "MILLIDEGREE_CELSIUS", "01")] * 2
    cold = measured([-41_000] * 24, start=DAYS.shift(DAY, -1))
    house.describe(
        sensor(2, None, resource="TEMPERATURE", channels=[sensor()["channels"][0] | {"fitted_at": 0}])
    )
    assert house.hear(wire_packet(cold, sequence=2)) == 0
    house.work()
    assert {(rule, start) for rule, _, start, _ in house.findings()} == {
        ("vee.out_of_range", DAYS.shift(DAY, -1))
    }


@pytest.mark.stack
def test_measurements_are_read_by_the_day(house: Any) -> None:
    house.hear(wire_packet(FULL))
    start = datetime.fromtimestamp(DAY, UTC).isoformat()
    plan = "\n".join(
        line
        for (line,) in house.rows(
            f"EXPLAIN SELECT * FROM ingest.v_measurements WHERE day_start = '{start}' AND module_id = 'D-1'"
        )
    )
    assert "evidence_days_2026_03 e" in plan
    assert "evidence_days_2026_04 e" not in plan


@pytest.mark.stack
def test_the_views_know_every_resource_and_unit(house: Any) -> None:
    ((text,),) = house.rows("SELECT pg_get_viewdef('ingest.v_readings'::regclass)")
    assert [one for one in (*Resource, *Unit) if f"'{one.value}'" not in text] == []
