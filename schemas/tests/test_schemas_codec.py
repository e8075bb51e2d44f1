"""Framing, versions, instants, and bytes that are no message."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from balance_schemas import avsc, catalogue, codec, examples
from hypothesis import given, settings
from hypothesis import strategies as st

IDS = {name: number for number, name in enumerate(avsc.names(), start=101)}
RAW = codec.Codec(IDS, raw_timestamps=True)
READING_DAYS = "balance.v1.ReadingDaysComputed"
EXAMPLE = next(e for e in examples.of_topic(catalogue.READINGS) if e.name == "missing-hours")
FRAMED = RAW.encode(EXAMPLE.record, EXAMPLE.value)
PACKETS = [RAW.encode(e.record, e.value) for e in examples.of_topic(catalogue.PACKETS)]


def test_the_frame_is_confluents() -> None:
    assert FRAMED[0] == 0
    assert int.from_bytes(FRAMED[1:5], "big") == IDS[READING_DAYS]
    assert codec.schema_id_of(FRAMED) == IDS[READING_DAYS]


def test_instants_are_milliseconds_or_aware_datetimes() -> None:
    aware = codec.Codec(IDS)
    _, raw = RAW.decode(FRAMED)
    _, value = aware.decode(FRAMED)
    assert raw["computed_at"] == 1650759360000
    assert value["computed_at"] == datetime(2022, 4, 24, 0, 16, tzinfo=UTC)
    assert aware.encode(READING_DAYS, value) == FRAMED


def test_defaults_are_filled_in() -> None:
    left_out = {k: v for k, v in EXAMPLE.value["days"][0].items() if k != "qualities"}
    _, value = RAW.decode(RAW.encode(READING_DAYS, {**EXAMPLE.value, "days": [left_out]}))
    assert value["days"][0]["qualities"] == []


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({**EXAMPLE.value, "dayz": []}, "dayz"),
        ({k: v for k, v in EXAMPLE.value.items() if k != "days"}, "days"),
        ({**EXAMPLE.value, "clock_at": "yesterday"}, "clock_at"),
        ({**EXAMPLE.value, "days": [{**EXAMPLE.value["days"][0], "unit": "GALLON"}]}, "GALLON"),
        ({**EXAMPLE.value, "days": [{**EXAMPLE.value["days"][0], "values": [1.5]}]}, "1.5"),
        ({**EXAMPLE.value, "days": [{**EXAMPLE.value["days"][0], "version": 2**63}]}, "too large"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(value: dict[str, Any], said: str) -> None:
    with pytest.raises(codec.Unencodable, match=READING_DAYS) as refused:
        RAW.encode(READING_DAYS, value)
    assert said in str(refused.value)


def test_a_record_without_an_id_is_refused() -> None:
    with pytest.raises(codec.Unencodable, match="no id is known"):
        codec.Codec({}).encode(READING_DAYS, EXAMPLE.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "found 0 bytes"),
        (FRAMED[:5], "found 5 bytes"),
        (b"\x01" + FRAMED[1:], "found 0x01"),
        (b'{"computed_at": 1}', "found 0x7b"),
        (FRAMED[:4] + b"\x01" + FRAMED[5:], "expected the id of a schema of ours, found 1"),
        (FRAMED[:-1], "bytes that are not"),
        (FRAMED + b"\x00", "1 bytes after byte"),
        (FRAMED[:5] + b"\xff" * 40, "bytes that are not"),
        (bytes(codec.MAX_BYTES + 1), "split the message"),
    ],
)
def test_what_is_no_message_is_undecodable_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(codec.Undecodable) as refused:
        RAW.decode(data)
    assert reason in refused.value.reason


@pytest.mark.parametrize("length", [10**7, 2**40, 2**62, -(2**62)])
def test_an_absurd_array_length_ends_with_the_bytes(length: int) -> None:
    claimed = FRAMED[:8] + zigzag(length) + b"\x02" * 50
    with pytest.raises(codec.Undecodable):
        RAW.decode(claimed)


def test_instants_beyond_the_calendar_are_undecodable_as_datetimes_and_numbers_when_raw() -> None:
    far = RAW.encode(READING_DAYS, {**EXAMPLE.value, "clock_at": 2**62})
    assert RAW.decode(far)[1]["clock_at"] == 2**62
    with pytest.raises(codec.Undecodable):
        codec.Codec(IDS).decode(far)


@settings(max_examples=400)
@given(data=st.data())
def test_a_damaged_packet_is_decoded_or_undecodable_and_nothing_else(data: st.DataObject) -> None:
    packet = bytearray(data.draw(st.sampled_from(PACKETS)))
    for _ in range(data.draw(st.integers(1, 5))):
        packet[data.draw(st.integers(5, len(packet) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(packet)))
    for damaged in (bytes(packet), bytes(packet[:cut])):
        try:
            name, value = RAW.decode(damaged)
        except codec.Undecodable:
            continue
        else:
            assert name == "balance.v1.ConcentratorPacketReceived"
            assert set(value) >= {"packet_id", "archives"}


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_garbage_in_a_frame_never_escapes(garbage: bytes) -> None:
    for schema_id in IDS.values():
        try:
            RAW.decode(b"\x00" + schema_id.to_bytes(4, "big") + garbage)
        except codec.Undecodable:
            continue


def test_what_an_earlier_version_wrote_is_read_as_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = avsc.newest(READING_DAYS)
    fields = [f for f in earlier["fields"] if f["name"] != "note"]
    later = {**earlier, "fields": [*fields, {"name": "note", "type": "string", "default": "-"}]}
    monkeypatch.setattr(avsc, "newest", lambda _: later)
    monkeypatch.setattr(avsc, "versions", lambda _: {1: earlier, 2: later})
    both = codec.Codec({READING_DAYS: 7, f"{READING_DAYS}@1": 5, f"{READING_DAYS}@2": 7}, raw_timestamps=True)
    old = b"\x00" + (5).to_bytes(4, "big") + FRAMED[5:]
    name, value = both.decode(old)
    assert (name, value["note"]) == (READING_DAYS, "-")
    assert both.decode(both.encode(READING_DAYS, {**value, "note": "new"}))[1]["note"] == "new"


@pytest.mark.parametrize("key", ["balance.v1.Nothing", f"{READING_DAYS}@99"])
def test_an_id_of_something_unknown_is_refused(key: str) -> None:
    with pytest.raises(KeyError, match="later release"):
        codec.Codec({**IDS, key: 9})


def test_ids_are_kept_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    codec.save_ids(file, {"a": 1})
    codec.save_ids(file, IDS)
    assert codec.load_ids(file) == IDS
    assert [f.name for f in tmp_path.iterdir()] == ["ids.json"]


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "1"}', '{"a": true}'])
def test_a_file_that_is_no_file_of_ids_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ids.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="delete it"):
        codec.load_ids(file)


def test_a_big_message_comes_back_as_it_went() -> None:
    generator = random.Random(3)
    day = EXAMPLE.value["days"][0]
    days = [
        {**day, "usage_point_id": f"UP-{i}", "values": [generator.randrange(10**6) for _ in range(24)]}
        for i in range(960)
    ]
    value = {**EXAMPLE.value, "days": days}
    data = RAW.encode(READING_DAYS, value)
    kept = [{"minima": [], "maxima": [], "sensor_kind": None, **day} for day in days]
    assert RAW.decode(data) == (READING_DAYS, {**value, "days": kept})
    assert len(data) < catalogue.load().topics[catalogue.READINGS].max_message_bytes


def zigzag(number: int) -> bytes:
    """An Avro long."""
    number = (number << 1) ^ (number >> 63)
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])
