"""Bytes of any kind at every door, and packets that are valid Avro and nothing else, through the rules."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from balance_fuzz import doors, values
from balance_fuzz.doors import CODEC, DOORS
from balance_ingest.adapters import wire
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

RECORDS = {
    "ingest-packets": wire.PACKET,
    "ingest-packets-backlog": wire.PACKET,
    "ingest-assets": wire.USAGE_POINT,
    "ingest-reading-edits": wire.READING_EDIT,
}
FEW = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MOST_BYTES = 4_000_000
MOST_S = 5.0
EXAMPLES = sorted(doors.corpus().items())


@FEW
@given(st.sampled_from(DOORS), st.binary(max_size=400))
def test_any_bytes_are_refused_or_let_in(door: str, data: bytes) -> None:
    doors.enter(door, data)


@FEW
@given(st.sampled_from(DOORS), st.integers(0, 15), st.binary(max_size=400))
def test_any_framed_bytes_are_refused_or_let_in_within_bounds(door: str, schema: int, data: bytes) -> None:
    framed = b"\x00\x00\x00\x00" + bytes([schema]) + data
    tracemalloc.start()
    started = time.process_time()
    try:
        doors.enter(door, framed)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MOST_BYTES
    assert time.process_time() - started < MOST_S


@FEW
@given(st.sampled_from(EXAMPLES), st.data())
def test_an_example_with_other_bytes_in_it_is_refused_or_let_in(
    example: tuple[str, bytes], drawn: st.DataObject
) -> None:
    name, data = example
    first = drawn.draw(st.integers(0, len(data)))
    after = drawn.draw(st.integers(first, min(len(data), first + 20)))
    doors.enter(name.partition(".")[0], data[:first] + drawn.draw(st.binary(max_size=20)) + data[after:])


@pytest.mark.parametrize(("name", "data"), EXAMPLES)
def test_the_examples_are_let_in(name: str, data: bytes) -> None:
    assert doors.enter(name.partition(".")[0], data)


@pytest.mark.parametrize("door", DOORS)
@FEW
@given(st.data())
def test_whatever_is_valid_avro_is_refused_or_passes_the_rules(door: str, drawn: st.DataObject) -> None:
    record = RECORDS[door]
    doors.enter(door, CODEC.encode(record, drawn.draw(values.of_record(record))))


def test_a_door_of_any_kind_is_tried_with_a_record_of_its_own() -> None:
    assert set(RECORDS) == set(DOORS)
