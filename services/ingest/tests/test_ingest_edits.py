"""Operators' decisions laid over readings (docs/domain.md §3.12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations
from random import Random
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_ingest.adapters import wire
from balance_ingest.adapters.reading_edits import PostgresDecisions
from balance_ingest.domain.channel_days import by_channel
from balance_ingest.domain.cutting import harvest
from balance_ingest.domain.days import HOUR_S, Days
from balance_ingest.domain.edits import Edit, in_order, reach
from balance_ingest.domain.history import FOREVER, Fitting, Meter, UsagePoint
from balance_ingest.domain.packets import ARCHIVED_RANK, Archive, Packet, Registers
from balance_ingest.domain.readings import Computed, compute
from balance_ingest.domain.screening import Limits
from balance_ingest.entrypoints import kafka
from balance_ingest.handlers import handle_reading_edits
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Quality, Resource
from balance_schemas import avsc
from balance_schemas.codec import Codec

CALENDAR = Calendar("Europe/Chisinau", 0)
DAYS = Days(CALENDAR)
DAY = DAYS.day_of(int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp()))
END = DAYS.end_of(DAY)
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
VALID, EDITED, SUSPECT, MISSING, ESTIMATED = (
    Quality(name).code for name in ("VALID", "EDITED", "SUSPECT", "MISSING", "ESTIMATED")
)


def hour(number: int) -> int:
    """Start of an hour of the day."""
    return DAY + number * HOUR_S


def edit(start: int, *values: int, decided: int = 1, **given: Any) -> Edit:
    """Values put in from an hour of the day on."""
    told = Edit("E-1", 1, True, "UP-1", hour(start), hour(start + len(values)), decided, values, "", "R", "o")
    return replace(told, **given)


def confirm(start: int = 0, end: int = 24, of_conflict: str = "UNSPECIFIED", **given: Any) -> Edit:
    """A confirmation of hours of the day."""
    told = Edit("E-1", 1, True, "UP-1", hour(start), hour(end), 1, None, of_conflict, "R", "o")
    return replace(told, **given)


def archive(*counts: int, **given: Any) -> Archive:
    """The day's archive: these counts, then twos."""
    told = Archive("R-1", 1, ARCHIVED_RANK, DAY, HOUR_S, [*counts, *[2] * (24 - len(counts))])
    return told._replace(**given)


def registers(*readings: tuple[float, int]) -> Registers:
    """Registers at hours of the day."""
    return Registers("R-1", 1, DAY, [int(h * HOUR_S) for h, _ in readings], [value for _, value in readings])


def computed(*elements: Any, edits: Sequence[Edit] = (), **given: Any) -> Computed:
    """The day and the one after, each element in a packet of its own and of one sequence."""
    packets = [
        Packet(
            "P-1",
            "J-1",
            1,
            DAYS.shift(DAY, 9),
            [e for e in [one] if isinstance(e, Archive)],
            [e for e in [one] if isinstance(e, Registers)],
        )
        for one in elements
    ]
    found = harvest(packets, DAYS, Limits())
    point = UsagePoint(
        1,
        "UP-1",
        Resource.WATER,
        (Meter(0, FOREVER, 10, 5, 6000),),
        (Fitting(0, "R-1", 1, 0, FOREVER),),
        decisions=in_order(edits),
    )
    evidence = by_channel(found.blocks, found.points)
    return compute(replace(point, **given), [DAY, END], evidence, DAYS, DAYS.shift(DAY, 8))


def hours(result: Computed, count: int = 3) -> Sequence[tuple[int | None, int]]:
    """Value and quality of the first hours of the day."""
    (day,) = (one for one in result.readings if one.day == DAY)
    return list(zip(day.values, day.qualities, strict=True))[:count]


def rules(result: Computed) -> set[str]:
    """Rules that found anything about the first day."""
    return {finding.rule for finding in result.findings if finding.start < END}


def test_an_edit_counts_whatever_is_said_and_hides_what_was_found_of_its_hours() -> None:
    faulty = archive(9000, -1)
    assert hours(computed(faulty)) == [(None, SUSPECT), (None, SUSPECT), (20, VALID)]
    assert rules(computed(faulty)) == {"vee.high", "vee.negative_consumption"}
    result = computed(faulty, edits=[edit(0, 7)])
    assert hours(result) == [(7, EDITED), (None, SUSPECT), (20, VALID)]
    assert rules(result) == {"vee.negative_consumption"}


def test_a_day_without_evidence_meter_or_channel_is_a_reading_day_by_its_edit() -> None:
    result = computed(edits=[edit(1, -5)], fittings=(), meters=())
    assert hours(result) == [(None, MISSING), (-5, EDITED), (None, MISSING)]
    assert len(result.readings) == 1


def test_of_two_decisions_about_an_hour_the_later_counts_and_then_the_greater_id() -> None:
    early, late = edit(0, 1, 1, decided=1), edit(1, 2, 2, decided=2, edit_id="E-0")
    same = edit(1, 3, decided=2, edit_id="E-2")
    for edits in permutations([early, late, same]):
        assert hours(computed(edits=edits)) == [(1, EDITED), (3, EDITED), (2, EDITED)]
    withdrawn = replace(same, standing=False)
    assert hours(computed(edits=[early, late, withdrawn])) == [(1, EDITED), (2, EDITED), (2, EDITED)]


def test_a_confirmation_over_an_edit_takes_its_hours_back() -> None:
    result = computed(archive(9000), edits=[edit(0, 7, 8), confirm(0, 1, decided=2, edit_id="E-2")])
    assert hours(result) == [(90_000, VALID), (8, EDITED), (20, VALID)]
    assert rules(result) == set()


def test_a_confirmation_releases_what_was_quarantined_and_no_more() -> None:
    faulty = archive(9000, -1, missing=[2])
    result = computed(faulty, edits=[confirm()])
    assert hours(result, 4) == [(90_000, VALID), (None, SUSPECT), (None, MISSING), (20, VALID)]
    assert rules(result) == set()
    assert rules(computed(faulty, edits=[confirm(0, 23)])) == {"vee.missing"}
    assert hours(computed(archive(), edits=[confirm()])) == [(20, VALID)] * 3


@pytest.mark.parametrize(("choice", "value"), [("UNSPECIFIED", None), ("SMALLEST", 110), ("LARGEST", 190)])
def test_of_reports_that_differ_the_one_that_is_chosen_counts(choice: str, value: int | None) -> None:
    one, other = (archive(step=900, values=[*parts, *[2] * 92]) for parts in ([1, 9, 2, 3], [5, 5, 2, 3]))
    result = computed(one, other, edits=[confirm(of_conflict=choice)])
    assert hours(result)[0] == ((value, VALID) if value else (None, SUSPECT))
    assert hours(result)[1] == (80, VALID)
    assert rules(result) == set()


def test_a_mean_may_be_confirmed_below_zero() -> None:
    frost = archive(-5, channel=0), archive(-7, channel=0)
    fitting = (Fitting(0, "R-1", 0, 0, FOREVER),)
    result = computed(*frost, edits=[confirm(of_conflict="SMALLEST")], fittings=fitting)
    assert hours(result)[0] == (-7, VALID)


def test_a_sum_that_does_not_fit_may_be_confirmed() -> None:
    odd = archive(register_start=100, register_end=900)
    assert hours(computed(odd))[0] == (None, SUSPECT)
    assert hours(computed(odd, edits=[confirm()])) == [(20, VALID)] * 3
    assert rules(computed(odd, edits=[confirm()])) == set()
    assert rules(computed(odd, edits=[confirm(0, 23)])) == {"vee.sum_check"}


def test_a_high_step_of_the_register_is_confirmed_a_fall_is_not() -> None:
    high = registers((0, 0), (1, 9000), (4, 9000))
    result = computed(high, edits=[confirm()])
    assert hours(result) == [(90_000, VALID), (0, ESTIMATED), (0, ESTIMATED)]
    fall = registers((0, 9000), (1, 100), (2, 200), (3, 9000))
    assert hours(computed(fall)) == [(None, SUSPECT)] * 3
    # The step of the fall is none; the one that was ordinary counts, the one back up is high.
    result = computed(fall, edits=[confirm()])
    assert hours(result) == [(None, SUSPECT), (1000, VALID), (88_000, VALID)]
    half = registers((0, 9000), (0.5, 100), (2, 200), (3, 9000))
    assert hours(computed(half, edits=[confirm()]))[0] == (None, SUSPECT)


def test_a_step_that_lies_half_in_the_dark_is_not_confirmed() -> None:
    assert hours(computed(registers((0.5, 0), (1, 9000)), edits=[confirm()]))[0] == (None, SUSPECT)


def test_a_finding_about_more_than_is_decided_stays() -> None:
    step = registers((1, 0), (30, 90_000))
    both = [confirm(), confirm(24, 30, edit_id="E-2")]
    assert "vee.high" in rules(computed(step, edits=both[:1]))
    assert "vee.high" not in rules(computed(step, edits=both))


def test_a_change_reaches_as_far_as_decisions_go_on() -> None:
    assert reach([(0, 10), (10, 20), (30, 40)], [(20, 25)]) == [(0, 25)]
    assert reach([(0, 10), (30, 40)], [(12, 14)]) == [(12, 14)]
    assert reach([], []) == []


def wire_edit(start: int = 0, *values: int, version: int = 1, **given: Any) -> dict[str, Any]:
    """A decision as it comes; a confirmation without values."""
    told = {
        "edit_id": "E-1",
        "version": version,
        "state": "STANDING",
        "action": "EDIT" if values else "CONFIRM",
        "usage_point_id": "UP-1",
        "start_at": hour(start) * 1000,
        "end_at": hour(start + (len(values) or 24)) * 1000,
        "values": list(values),
        "of_conflict": "UNSPECIFIED",
        "reason": "METER_CHECKED",
        "decided_by": "operator-7",
        "decided_at": (DAY + 900_000) * 1000 + version,
    }
    return told | given


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"edit_id": ""}, "edit_id of 1 to 64"),
        ({"usage_point_id": "x" * 65}, "usage_point_id of 1 to 64"),
        ({"version": -1}, "expected version from 0"),
        ({"start_at": hour(0) * 1000 + 60_000}, "expected whole hours"),
        ({"end_at": hour(0) * 1000}, "expected whole hours"),
        ({"end_at": (DAY + 367 * 86_400) * 1000}, "from 1 to 8784"),
        ({"start_at": -(10**12)}, "expected start_at from"),
        ({"end_at": 10**14}, "expected end_at from"),
        ({"values": [1]}, "expected 2 values for an EDIT of this span, found 1"),
        ({"action": "CONFIRM"}, "expected 0 values for an CONFIRM"),
        ({"action": "UNSPECIFIED"}, "expected action EDIT or CONFIRM"),
        ({"state": "UNSPECIFIED"}, "expected state STANDING or WITHDRAWN"),
        ({"values": [1, 10**16]}, "expected values from"),
        ({"reason": "\x00"}, "expected reason"),
        ({"decided_by": "x" * 201}, "expected decided_by"),
        ({"decided_at": 10**15}, "expected decided_at from"),
    ],
)
def test_a_decision_that_cannot_be_carried_out_is_a_bad_record(given: Mapping[str, Any], words: str) -> None:
    data = CODEC.encode(wire.READING_EDIT, {**wire_edit(0, 1, 2), **given})
    with pytest.raises(BadRecord, match=words):
        kafka.decode_reading_edit(CODEC, CALENDAR, data)


def test_a_decision_of_another_kind_is_a_bad_record() -> None:
    with pytest.raises(BadRecord):
        kafka.decode_reading_edit(CODEC, CALENDAR, None)
    known = kafka.decode_reading_edit(CODEC, CALENDAR, CODEC.encode(wire.READING_EDIT, wire_edit(0, 1, 2)))
    assert (known.start, known.end, known.values, known.standing) == (hour(0), hour(2), (1, 2), True)


def test_hours_start_where_those_of_the_day_start() -> None:
    india = Calendar("Asia/Kolkata", 0)
    half = {"start_at": hour(0) * 1000 + 1_800_000, "end_at": hour(2) * 1000 + 1_800_000}
    assert wire.from_wire_reading_edit(wire_edit(0, 1, 2) | half, india).values == (1, 2)
    with pytest.raises(BadRecord, match="whole hours"):
        wire.from_wire_reading_edit(wire_edit(0, 1, 2), india)


def packet(*counts: int, sequence: int = 1, start: int = DAY, **given: Any) -> dict[str, Any]:
    """A packet with a whole day: these counts, then twos."""
    archive = {
        "module_id": "R-1",
        "channel": 1,
        "kind": "ARCHIVED",
        "start_at": start * 1000,
        "step_s": HOUR_S,
        "values": [*counts, *[2] * (24 - len(counts))],
        "missing": [],
        "register_start": None,
        "register_end": None,
    }
    return {
        "packet_id": f"P-{sequence}",
        "concentrator_id": "J-1",
        "sequence": sequence,
        "sent_at": (start + 90_000) * 1000,
        "received_at": (start + 90_000) * 1000,
        "archives": [archive | given],
        "registers": [],
        "measurements": [],
        "module_events": [],
        "module_states": [],
        "session": None,
    }


def described(version: int = 1, **given: Any) -> dict[str, Any]:
    """A usage point of 10 mL a pulse."""
    meter = {
        "meter_number": "M-1",
        "fitted_at": 0,
        "removed_at": None,
        "accuracy_class_ppm": 15_000,
        "pulse_weight": 10,
        "register_digits": 5,
        "q_max": 6000,
        "initial_register": None,
        "final_register": None,
    }
    channel = {"module_id": "R-1", "channel": 1, "fitted_at": 0, "removed_at": None}
    told = {
        "usage_point_id": "UP-1",
        "version": version,
        "state": "ACTIVE",
        "resource": "WATER",
        "meters": [meter],
        "channels": [channel],
    }
    return told | given


def decide(house: Any, *edits: Mapping[str, Any]) -> int:
    """Handle decisions as they come, and let the worker work."""
    read = [wire.from_wire_reading_edit(one, CALENDAR) for one in edits]
    count = handle_reading_edits(read, PostgresDecisions(house.pool, house.days, None))
    house.work()
    return count


def shown(house: Any, day: int = DAY) -> Sequence[tuple[int | None, str]]:
    """Value and quality of the first two hours of a day."""
    values, qualities = house.readings().get(("UP-1", day * 1000), ((), ()))
    return list(zip(values, qualities, strict=True))[:2]


@pytest.mark.stack
def test_edit_withdraw_and_stand_again(house: Any) -> None:
    house.describe(described())
    house.hear(packet(9000))
    high = {("vee.high", "UP-1", hour(0), hour(1))}
    assert house.findings() == high
    decide(house, wire_edit(0, 7, 8))
    assert shown(house) == [(7, "EDITED"), (8, "EDITED")]
    assert house.findings() == set()
    decide(house, wire_edit(0, 7, 8, version=2, state="WITHDRAWN"))
    assert shown(house) == [(None, "SUSPECT"), (20, "VALID")]
    assert house.findings() == high
    decide(house, wire_edit(0, 7, 8, version=3))
    assert shown(house) == [(7, "EDITED"), (8, "EDITED")]
    query = "SELECT version, state, counts, action FROM ingest.v_reading_edits ORDER BY version"
    assert house.rows(query) == [
        (1, "STANDING", False, "EDIT"),
        (2, "WITHDRAWN", False, "EDIT"),
        (3, "STANDING", True, "EDIT"),
    ]
    assert decide(house, wire_edit(0, 7, 8, version=3), wire_edit(0, 1, 1, version=2)) == 0


@pytest.mark.stack
def test_late_data_under_an_edit_changes_what_is_not_edited(house: Any) -> None:
    house.describe(described())
    decide(house, wire_edit(0, 7))
    assert shown(house) == [(7, "EDITED"), (None, "MISSING")]
    assert house.hear(packet()) == 0
    assert shown(house) == [(7, "EDITED"), (20, "VALID")]
    house.hear(packet(5, 5, sequence=2), backlog=True)
    assert shown(house) == [(7, "EDITED"), (50, "VALID")]
    decide(house, wire_edit(0, 7, version=2, state="WITHDRAWN"))
    assert shown(house) == [(50, "VALID"), (50, "VALID")]


@pytest.mark.stack
def test_a_withdrawn_edit_leaves_no_reading_day_of_its_own(house: Any) -> None:
    house.describe(described(channels=[], meters=[]))
    decide(house, wire_edit(0, 7))
    assert shown(house) == [(7, "EDITED"), (None, "MISSING")]
    house.published()
    decide(house, wire_edit(0, 7, version=2, state="WITHDRAWN"))
    assert house.readings() == {}
    assert [version for *_, version in house.reading_days()] == [2]


@pytest.mark.stack
def test_a_decision_about_a_usage_point_not_known_yet_counts_when_it_is(house: Any) -> None:
    house.hear(packet(9000))
    assert decide(house, wire_edit()) == 0
    house.describe(described())
    house.work()
    assert shown(house) == [(90_000, "VALID"), (20, "VALID")]
    assert house.findings() == set()
    house.describe(described(2, resource="GAS"))
    house.work()
    assert house.rows("SELECT DISTINCT resource FROM ingest.v_readings") == [("GAS",)]


@pytest.mark.stack
def test_an_edit_alone_counts_when_its_usage_point_is_described(house: Any) -> None:
    decide(house, wire_edit(0, 7))
    house.describe(described(channels=[], meters=[]))
    house.work()
    assert shown(house) == [(7, "EDITED"), (None, "MISSING")]


@pytest.mark.stack
def test_a_decision_that_moves_to_another_usage_point_leaves_the_first(house: Any) -> None:
    house.describe(described(), described(usage_point_id="UP-2", channels=[], meters=[]))
    decide(house, wire_edit(0, 7))
    decide(house, wire_edit(0, 7, version=2, usage_point_id="UP-2"))
    assert set(house.readings()) == {("UP-2", DAY * 1000)}


@pytest.mark.stack
def test_a_finding_about_several_decisions_comes_and_goes_with_each(house: Any) -> None:
    house.describe(described())
    told = {
        "module_id": "R-1",
        "channel": 1,
        "start_at": DAY * 1000,
        "offsets_s": [22 * HOUR_S, 50 * HOUR_S],
        "values": [0, 90_000],
    }
    house.hear(packet() | {"archives": [], "registers": [told], "received_at": (DAY + 300_000) * 1000})
    high = {("vee.high", "UP-1", hour(22), hour(50))}
    assert high <= house.findings()
    first = wire_edit(end_at=END * 1000)
    second = wire_edit(24, edit_id="E-2", end_at=hour(50) * 1000)
    decide(house, first)
    assert high <= house.findings()
    decide(house, second)
    assert not high & house.findings()
    decide(house, second | {"version": 2, "state": "WITHDRAWN"})
    assert high <= house.findings()


@pytest.mark.stack
def test_in_whatever_order_things_come_the_tables_are_the_same(database: Any) -> None:
    messages: list[tuple[str, Any]] = [
        ("hear", packet(9000, -1)),
        ("hear", packet(9000, 3, sequence=1)),
        ("hear", packet(start=DAYS.shift(DAY, 1), sequence=2)),
        ("describe", described()),
        ("describe", described(2)),
        ("decide", wire_edit(0, 7, 8)),
        ("decide", wire_edit(0, 7, 8, version=2, state="WITHDRAWN")),
        ("decide", wire_edit(0, 7, 9, version=3)),
        (
            "decide",
            wire_edit(1, edit_id="E-2", version=9, of_conflict="LARGEST", decided_at=END * 1000 + 10**10),
        ),
        ("decide", wire_edit(30, 1, edit_id="E-3")),
        ("decide", wire_edit(30, 1, edit_id="E-3", version=2, state="WITHDRAWN")),
    ]
    seen = []
    for seed in range(8):
        house = database.empty()
        order = messages + Random(seed).sample(messages, 3)
        Random(seed).shuffle(order)
        for kind, message in order:
            if kind == "decide":
                read = [wire.from_wire_reading_edit(message, CALENDAR)]
                handle_reading_edits(read, PostgresDecisions(house.pool, house.days, None))
            else:
                getattr(house, kind)(message)
            if Random(f"{seed}{kind}").random() < 0.3:
                house.work()
        house.work()
        edits = house.rows(
            "SELECT edit_id, version, counts FROM ingest.v_reading_edits ORDER BY edit_id, version"
        )
        seen.append((house.readings(), house.findings(), edits))
    assert seen[0][0]["UP-1", DAY * 1000][0][:3] == [7, 30, 20]
    assert all(one == seen[0] for one in seen)
