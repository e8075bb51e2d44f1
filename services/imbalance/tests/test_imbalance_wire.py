"""From the wire: what is understood, and what is refused with a reason one can act on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_imbalance.adapters import wire, wire_assets
from balance_imbalance.domain.messages import Group, UsagePoint, newest_assets, newest_days
from balance_imbalance.domain.register import FOREVER, Membership, Meter, changed_memberships, changed_meters
from balance_imbalance.entrypoints.kafka import NOTHING, decode_asset, decode_readings
from balance_imbalance.settings import load
from balance_kernel.calendar import Calendar
from balance_kernel.quantity import Resource, Role
from balance_schemas import avsc
from balance_schemas.codec import Codec

CALENDAR = Calendar("Europe/Chisinau", 0)
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
DAY = int(datetime(2026, 4, 1, 21, tzinfo=UTC).timestamp())
LONG_DAY = int(datetime(2026, 10, 24, 21, tzinfo=UTC).timestamp())


def day(**given: Any) -> dict[str, Any]:
    return {
        "usage_point_id": "UP-1",
        "resource": "GAS",
        "unit": "MILLILITRE",
        "day_start_at": DAY * 1000,
        "step_s": 3600,
        "version": 1,
        "values": [7] * 24,
        "qualities": [],
        **given,
    }


def readings(*days: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"computed_at": 0, "clock_at": DAY * 1000 + 999, "algorithm_version": 1, "days": list(days)}


def point(**given: Any) -> dict[str, Any]:
    meter = {
        "meter_number": "M-1",
        "fitted_at": 0,
        "removed_at": None,
        "accuracy_class_ppm": 15_000,
        "pulse_weight": 10,
        "register_digits": 8,
        "q_max": 6000,
        "q_start": None,
        "is_temperature_compensated": False,
    }
    return {
        "usage_point_id": "UP-1",
        "version": 1,
        "state": "ACTIVE",
        "resource": "GAS",
        "object_path": [],
        "is_outdoor": False,
        "meters": [meter | given],
        "channels": [],
    }


def group(**given: Any) -> dict[str, Any]:
    member = {
        "usage_point_id": "UP-1",
        "role": "MEMBER",
        "coefficient_ppm": 1_000_000,
        "valid_from": 1999,
        "valid_to": None,
        "group_id": None,
    }
    return {
        "group_id": "G",
        "version": 1,
        "state": "ACTIVE",
        "resource": "GAS",
        "name": "House",
        "members": [member | given],
    }


def test_readings_with_quality_hold_zero_where_there_is_no_value() -> None:
    qualities = ["VALID"] * 20 + ["ESTIMATED", "EDITED", "SUSPECT", "MISSING"]
    given = readings(day(values=[7] * 22 + [None, None], qualities=qualities))
    message = wire.from_wire_reading_days(given, CALENDAR)
    assert message.clock_at == DAY
    assert message.days[0].values.tolist() == [7] * 22 + [0, 0]
    assert message.days[0].qualities == [1] * 20 + [2, 3, 4, 5]


def test_readings_all_valid_have_no_qualities() -> None:
    long = day(day_start_at=LONG_DAY * 1000, values=[7] * 25, qualities=["VALID"] * 25)
    message = wire.from_wire_reading_days(readings(day(), long), CALENDAR)
    assert [each.qualities for each in message.days] == [None, None]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"values": [7] * 23}, "one value an hour"),
        ({"step_s": 900}, "one value an hour"),
        ({"day_start_at": DAY * 1000 + 3_600_000}, "the same calendar"),
        ({"day_start_at": LONG_DAY * 1000}, "one value an hour"),
        ({"day_start_at": 2**62}, "an instant of the years"),
        ({"values": [None] * 24}, "a value for every VALID"),
        ({"day_start_at": DAY * 1000 + 3_600_000, "values": []}, "one value an hour"),
        ({"values": [10**13 + 1] * 24}, "values up to"),
        ({"values": [-(10**18)] * 24}, "values up to"),
        ({"qualities": ["VALID"]}, "24 qualities or none"),
        ({"usage_point_id": ""}, "an id of 1 to"),
        ({"usage_point_id": "a\x00b"}, "an id of 1 to"),
    ],
)
def test_absurd_readings_are_refused(wrong: dict[str, Any], reason: str) -> None:
    data = CODEC.encode(wire.READING_DAYS, readings(day(**wrong)))
    with pytest.raises(BadRecord, match=reason):
        decode_readings(CODEC, CALENDAR, data)


def test_assets_become_histories() -> None:
    understood = decode_asset(CODEC, CALENDAR, CODEC.encode(wire_assets.USAGE_POINT, point(removed_at=5000)))
    assert understood == UsagePoint("UP-1", 1, [Meter(0, 5, 15_000, 10)], Resource.GAS, channels=[])
    understood = decode_asset(CODEC, CALENDAR, CODEC.encode(wire_assets.GROUP, group()))
    assert isinstance(understood, Group)
    assert (understood.resource, understood.name) == (Resource.GAS, "House")
    (membership,) = understood.memberships
    assert (membership.role, membership.valid_from, membership.valid_to) == (Role.MEMBER, 1, FOREVER)


def test_a_deleted_entity_has_no_history_and_a_tombstone_says_nothing() -> None:
    assert wire_assets.from_wire_usage_point(point() | {"state": "DELETED"}).meters == []
    assert wire_assets.from_wire_group(group() | {"state": "DELETED"}).memberships == []
    assert decode_asset(CODEC, CALENDAR, None) == NOTHING
    with pytest.raises(BadRecord, match="tombstone"):
        decode_readings(CODEC, CALENDAR, None)


@pytest.mark.parametrize(
    ("value", "name", "reason"),
    [
        (group(role="UNSPECIFIED"), wire_assets.GROUP, "SUPPLY or MEMBER"),
        (group(coefficient_ppm=10**12), wire_assets.GROUP, "coefficient up to"),
        (group() | {"name": "a\x00b"}, wire_assets.GROUP, "a name without NUL"),
        (group(valid_from=-(2**60)), wire_assets.GROUP, "an instant of the years"),
        (point(pulse_weight=-1), wire_assets.USAGE_POINT, "a pulse weight"),
        (point(accuracy_class_ppm=-5), wire_assets.USAGE_POINT, "a class not negative"),
        (point(removed_at=2**60), wire_assets.USAGE_POINT, "an instant of the years"),
    ],
)
def test_absurd_assets_are_refused(value: dict[str, Any], name: str, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        decode_asset(CODEC, CALENDAR, CODEC.encode(name, value))


def test_the_greatest_version_of_a_batch_stands() -> None:
    old, new = (
        wire.from_wire_reading_days(readings(day(version=v, values=[v] * 24)), CALENDAR) for v in (1, 2)
    )
    assert [each.version for each in newest_days([new, old])] == [2]
    points = [wire_assets.from_wire_usage_point(point() | {"version": v}) for v in (3, 1, 2)]
    assert newest_assets(points)[0] == [points[0]]


def test_what_a_changed_membership_touches() -> None:
    old = [Membership(1, Role.MEMBER, 10, 0, 100), Membership(2, Role.MEMBER, 10, 0, FOREVER)]
    new = [
        Membership(1, Role.MEMBER, 10, 20, 80),
        Membership(1, Role.MEMBER, 11, 80, 90),
        Membership(2, Role.MEMBER, 10, 0, 50),
        Membership(2, Role.MEMBER, 10, 50, FOREVER),
    ]
    found = [(span.subject, span.start, span.end) for span in changed_memberships(old, new)]
    assert found == [(1, 0, 20), (1, 80, 100)]
    assert changed_memberships(new, new) == []


def test_memberships_by_the_ten_thousand_are_compared_at_once() -> None:
    """The register's lock is held meanwhile, and all sinks wait for it."""
    often = [Membership(1, Role.MEMBER, 10, 2 * at, 2 * at + 1) for at in range(20_000)]
    many = [Membership(point, Role.MEMBER, 10, 0, FOREVER) for point in range(2, 20_002)]
    begun = time.monotonic()
    found = changed_memberships([*often, *many], [*often[1:], *many[:-1]])
    assert [(span.subject, span.start, span.end) for span in found] == [(1, 0, 1), (20_001, 0, FOREVER)]
    assert time.monotonic() - begun < 10


def test_what_a_changed_meter_touches() -> None:
    old = [Meter(0, 50, 15_000, 10), Meter(50, FOREVER, 15_000, 10)]
    new = [Meter(0, 50, 15_000, 10), Meter(60, FOREVER, 15_000, 10)]
    assert [(span.start, span.end) for span in changed_meters(7, old, new)] == [(50, 60)]


def test_settings_are_read_and_every_error_is_told() -> None:
    environment = {
        "BALANCE_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
        "BALANCE_REGISTRY_URL": "http://localhost",
        "BALANCE_POSTGRES_DSN": "host=localhost",
    }
    rules = load({**environment, "BALANCE_IMBALANCE_IN_SERVICE_FACTOR": "2"}).rules
    assert (rules.in_service_factor, rules.unreliable_share, rules.grace_s) == (2.0, 0.30, 129_600)
    with pytest.raises(ValueError, match=r"(?s)UNRELIABLE_SHARE.*LOOKBACK_DAYS"):
        load(
            {
                **environment,
                "BALANCE_IMBALANCE_UNRELIABLE_SHARE": "30",
                "BALANCE_IMBALANCE_LOOKBACK_DAYS": "x",
            }
        )
