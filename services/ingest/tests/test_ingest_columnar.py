"""Avro by columns is what fastavro writes, byte for byte."""

from __future__ import annotations

import io
import zlib
from typing import Any

import fastavro
import numpy as np
from balance_ingest.adapters import columnar, wire
from balance_ingest.adapters.plain_readings import PlainReadings, parts
from balance_kernel.quantity import Resource
from balance_schemas import avsc
from balance_schemas.codec import Codec
from hypothesis import given
from hypothesis import strategies as st

CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
LONGS = st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200)
NAMES = st.text(min_size=1, max_size=64).filter(lambda text: "\x00" not in text)
METERS = [Resource.GAS, Resource.WATER, Resource.HOT_WATER, Resource.HEAT, Resource.ELECTRICITY]
HEAD = b"".join(map(columnar.long, (1_773_093_600_000, 1_773_093_500_000, 2)))
HOURS = (23, 24, 25)


def avro(schema: Any, value: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), value)
    return buffer.getvalue()


@given(st.lists(LONGS, min_size=1, max_size=20))
def test_longs_are_those_of_fastavro(numbers: list[int]) -> None:
    data, ends = columnar.written(columnar.longs(np.array(numbers, np.int64)))
    each = [avro("long", number) for number in numbers]
    assert data == b"".join(each)
    assert ends.tolist() == np.cumsum([len(one) for one in each]).tolist()


@given(st.integers(0, 30), st.integers(1, 5), st.data())
def test_arrays_of_optional_longs_are_those_of_fastavro(length: int, n: int, drawn: st.DataObject) -> None:
    rows = drawn.draw(st.lists(st.lists(LONGS, min_size=length, max_size=length), min_size=n, max_size=n))
    schema = {"type": "array", "items": ["null", "long"]}
    data, _ = columnar.written(columnar.optional_longs(np.array(rows, np.int64).reshape(n, length)))
    assert data == b"".join(avro(schema, row) for row in rows)


@st.composite
def readings(draw: st.DrawFn) -> PlainReadings:
    n, hours = draw(st.integers(1, 12)), draw(st.sampled_from(HOURS))

    def column(numbers: st.SearchStrategy[int]) -> Any:
        return np.array(draw(st.lists(numbers, min_size=n, max_size=n)), np.int64)

    values = [draw(st.lists(LONGS, min_size=hours, max_size=hours)) for _ in range(n)]
    return PlainReadings(
        draw(st.lists(NAMES, min_size=n, max_size=n)),
        column(st.sampled_from([meter.code for meter in METERS])),
        column(st.integers(0, 4_000_000_000)),
        column(st.integers(1, 2**63 - 1)),
        np.array(values, np.int64),
    )


@given(readings(), st.integers(1, 30), st.integers(1, 200))
def test_messages_of_plain_readings_are_those_of_the_codec(
    told: PlainReadings, partitions: int, most_values: int
) -> None:
    rows = zip(
        told.names,
        told.resource.tolist(),
        told.day.tolist(),
        told.version.tolist(),
        told.values.tolist(),
        strict=True,
    )
    left = dict(enumerate(rows))
    for part in parts(told, partitions, most_values):
        framed = CODEC.framed(wire.READINGS, HEAD + part.days)
        _, value = CODEC.decode(framed)
        assert CODEC.encode(wire.READINGS, value) == framed
        assert len(value["days"]) == part.count
        assert part.count * told.values.shape[1] <= most_values or part.count == 1
        first = value["days"][0]
        assert (first["usage_point_id"], first["day_start_at"], first["version"]) == (
            part.first[0],
            part.first[1] * 1000,
            part.first[2],
        )
        for day in value["days"]:
            assert zlib.crc32(day["usage_point_id"].encode()) % partitions == part.shard
            assert day["sensor_kind"] is None
            assert not any(day[field] for field in ("qualities", "minima", "maxima"))
            code = [resource.value for resource in Resource].index(day["resource"])
            assert day["unit"] == METERS[code - 1].unit
            row = day["usage_point_id"], code, day["day_start_at"] // 1000, day["version"], day["values"]
            del left[next(number for number, one in left.items() if one == row)]
    assert not left
