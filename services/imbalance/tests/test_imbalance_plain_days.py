"""Reading days read column by column are those that are read one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_imbalance.adapters import wire
from balance_imbalance.adapters.plain_days import plain_days
from balance_imbalance.domain.messages import ReadingDays
from balance_imbalance.entrypoints.kafka import decode_readings
from balance_kernel.calendar import Calendar
from balance_schemas import avsc
from balance_schemas.codec import Codec, Undecodable
from hypothesis import given
from hypothesis import strategies as some

CALENDAR = Calendar("Europe/Chisinau", 0)
CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
STARTS = [
    CALENDAR.day_start(datetime(2026, *day, 12, tzinfo=UTC)) for day in ((3, 28), (3, 29), (4, 2), (10, 25))
]
PLAIN = {"resource": "GAS", "unit": "MILLILITRE", "step_s": 3600, "qualities": []}


def day(start: datetime, **other: Any) -> dict[str, Any]:
    values = list(range(CALENDAR.hours(start)))
    at = int(start.timestamp() * 1000)
    return {"usage_point_id": "UP-1", "day_start_at": at, "version": 1, "values": values, **PLAIN, **other}


def encoded(*days: Mapping[str, Any]) -> bytes:
    value = {"computed_at": 5, "clock_at": 7_000, "algorithm_version": 3, "days": days}
    return CODEC.encode(wire.READING_DAYS, value)


def read_one_by_one(data: bytes) -> ReadingDays:
    return wire.from_wire_reading_days(CODEC.decode(data)[1], CALENDAR)


def listed(message: ReadingDays) -> list[object]:
    days = [
        (d.usage_point_id, d.day_start, d.step_s, d.version, d.values.tolist(), d.qualities)
        for d in message.days
    ]
    return [message.clock_at, *days]


def is_plain(data: bytes) -> bool:
    avro = CODEC.newest_avro(wire.READING_DAYS, data)
    return avro is not None and plain_days(avro) is not None


@given(
    some.lists(
        some.builds(
            day,
            some.sampled_from(STARTS),
            usage_point_id=some.text(some.characters(exclude_characters="\0"), min_size=1, max_size=80),
            version=some.integers(1, 2**62),
            values=some.lists(some.integers(-(10**13), 10**13), min_size=24, max_size=24),
        ),
        max_size=8,
    )
)
def test_either_way_gives_the_same(days: list[dict[str, Any]]) -> None:
    for one in days:
        hours = CALENDAR.hours(datetime.fromtimestamp(one["day_start_at"] / 1000, UTC))
        one["values"] = (one["values"] * 2)[:hours]
    data = encoded(*days)
    assert listed(decode_readings(CODEC, CALENDAR, data)) == listed(read_one_by_one(data))


@pytest.mark.parametrize("start", STARTS)
def test_plain_days_of_any_length_are_read_by_column(start: datetime) -> None:
    assert is_plain(encoded(day(start), day(start, usage_point_id="Another-2", version=10**15)))


@pytest.mark.parametrize(
    "odd",
    [
        {"qualities": ["ESTIMATED"] * 24},
        {"qualities": ["MISSING"] * 24, "values": [None] * 24},
        {"minima": [1]},
        {"maxima": [None]},
        {"sensor_kind": "humidity"},
        {"values": [None, *range(23)]},
        {"step_s": 900},
        {"usage_point_id": "é"},
        {"usage_point_id": "long" * 20},
    ],
)
def test_a_day_that_is_not_plain_is_read_with_all_of_its_message(odd: Mapping[str, Any]) -> None:
    data = encoded(day(STARTS[2]), day(STARTS[2], **odd), day(STARTS[2]))
    assert not is_plain(data)


@given(some.data())
def test_bytes_that_are_broken_are_refused_either_way_or_mean_the_same(drawn: some.DataObject) -> None:
    data = bytearray(encoded(*(day(STARTS[2], usage_point_id=f"UP-{n}") for n in range(3))))
    data[drawn.draw(some.integers(5, len(data) - 1))] = drawn.draw(some.integers(0, 255))
    broken = bytes(data[: drawn.draw(some.integers(6, len(data)))])
    try:
        expected = listed(read_one_by_one(broken))
    except (BadRecord, Undecodable):
        with pytest.raises(BadRecord):
            decode_readings(CODEC, CALENDAR, broken)
    else:
        assert listed(decode_readings(CODEC, CALENDAR, broken)) == expected
