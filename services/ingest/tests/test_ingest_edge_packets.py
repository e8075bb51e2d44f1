"""What an edge makes of the messages of devices, and of their counters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from balance_chassis.errors import BadRecord
from balance_ingest.adapters import devices, wire
from balance_ingest.adapters.devices import AVRO, Delivery, Publication
from balance_ingest.domain.edge import LATE, Counter, sequence_of
from balance_schemas import avsc, catalogue, examples
from balance_schemas.codec import Codec
from hypothesis import given
from hypothesis import strategies as st

CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
TOPIC = "balance/v1/concentrators/J-0413/packets"
RECEIVED = 1_650_762_360_000
DAY = RECEIVED - 86_400_000
MOST = 1 << 20

ARCHIVE = {"module_id": "D-1", "channel": 1, "kind": "ARCHIVED", "start_at": DAY, "step_s": 3600}
RUN = {**ARCHIVE, "averages": [1, 2, 3]}


def packet(**changed: Any) -> dict[str, Any]:
    return {"packet_id": "J-0413/7", "sequence": 7, "sent_at": RECEIVED, **changed}


def published(payload: Any, content_type: str | None = None, topic: str = TOPIC) -> Publication:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Publication(topic, data, RECEIVED, content_type)


def read(payload: Any, content_type: str | None = None) -> Delivery:
    return devices.read_delivery(CODEC, published(payload, content_type), MOST)


def refused(payload: Any, content_type: str | None = None) -> str:
    with pytest.raises(BadRecord) as refusal:
        read(payload, content_type)
    return refusal.value.reason


@pytest.mark.parametrize(
    "example",
    [e for e in examples.of_topic(catalogue.PACKETS) if 0 <= e.value["sequence"] < 2**32],
    ids=lambda e: e.name,
)
def test_every_example_says_the_same_as_json_and_as_avro(example: examples.Example) -> None:
    topic = TOPIC.replace("J-0413", example.value["concentrator_id"])
    as_json = devices.read_delivery(CODEC, published(example.written, topic=topic), MOST)
    framed = CODEC.encode(wire.PACKET, example.value)
    as_avro = devices.read_delivery(CODEC, published(framed, AVRO, topic), MOST)
    assert as_json == as_avro
    expected = CODEC.decode(framed)[1] | {"received_at": RECEIVED}
    assert as_json.packet == expected


def test_what_is_no_number_is_a_missing_position() -> None:
    payload = b"""{"packet_id": "p", "sequence": 1, "sent_at": 0,
        "archives": [{"module_id": "D-1", "channel": 1, "kind": "ARCHIVED", "start_at": 0, "step_s": 3600,
            "values": [1, null, NaN, 4, Infinity], "missing": [3]}],
        "measurements": [{"module_id": "L-1", "channel": 1, "kind": "CURRENT", "start_at": 0, "step_s": 900,
            "averages": [-Infinity, 2.0], "minima": [null, 1], "maxima": [NaN, 3]}],
        "registers": [{"module_id": "D-1", "channel": 1, "start_at": 0,
            "offsets_s": [0, 60, 120], "values": [10, null, 12]}]}"""
    found = read(payload).packet
    (archive,), (run,), (registers,) = found["archives"], found["measurements"], found["registers"]
    assert (archive["values"], archive["missing"]) == ([1, 0, 0, 4, 0], [3, 1, 2, 4])
    assert (run["averages"], run["minima"], run["maxima"], run["missing"]) == ([0, 2], [0, 1], [0, 3], [0])
    assert (registers["offsets_s"], registers["values"]) == ([0, 120], [10, 12])


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b"\x00\x01", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b"[]", "expected an object with the fields of a packet, found a list"),
        (b'{"packet_id": "\\ud800", "sequence": 1, "sent_at": 0}', "text that UTF-8 can hold at packet_id"),
        ({"sequence": 1}, "expected packet_id, found nothing"),
        (packet(sequence=None), "a whole number within 64 signed bits at sequence, found null"),
        (packet(sequence=2**32), "count in 32 bits"),
        (packet(sequence=-1), "count in 32 bits"),
        (packet(sequence=True), "at sequence, found True"),
        (packet(sequence=10**30), "at sequence"),
        (packet(sent_at="2024-10-01T00:00:00"), "with its zone at sent_at"),
        (packet(sent_at="yesterday"), "an instant such as"),
        (packet(packet_id=""), "packet_id of 1 to 64 characters"),
        (packet(packet_id="x" * 65), "packet_id of 1 to 64 characters"),
        (packet(concentrator_id="J-0999"), "expected concentrator_id J-0413 as in the topic, found 'J-0999'"),
        (packet(archive=[]), "found 'archive': leave it out"),
        (packet(archives={}), "a list at archives, found an object"),
        (packet(archives=[{**ARCHIVE, "values": [1.5]}]), "at archives[0].values[0], found 1.5"),
        (packet(archives=[{**ARCHIVE, "values": ["1"]}]), "at archives[0].values[0], found '1'"),
        (packet(archives=[{**ARCHIVE, "values": [2**63]}]), "at archives[0].values[0]"),
        (packet(archives=[{**ARCHIVE, "kind": "FINAL", "values": []}]), "one of UNSPECIFIED, CURRENT"),
        (packet(measurements=[{**RUN, "minima": [0, None, 0]}]), "at measurements[0].minima[1], found null"),
    ],
)
def test_what_cannot_be_a_packet_is_refused_with_words(payload: Any, says: str) -> None:
    reason = refused(payload)
    assert says in reason
    assert "expected" in reason
    assert len(reason) < 1000


def test_avro_that_is_no_packet_is_refused_with_words() -> None:
    finding = next(examples.of_record(wire.FINDING))
    assert "publish packets alone" in refused(CODEC.encode(wire.FINDING, finding.value), AVRO)
    assert "magic byte" in refused(b"{}" * 9, AVRO)
    assert "expected content type" in refused(packet(), "text/plain")


def test_a_packet_larger_than_a_topic_takes_is_refused() -> None:
    with pytest.raises(BadRecord, match=r"at most 10 bytes, found .*: split it"):
        devices.read_delivery(CODEC, published(packet()), 10)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["packet_id", "sequence", "archives", "values", "missing", "registers", "offsets_s"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_a_packet_or_refused(value: Any) -> None:
    try:
        delivery = read(json.dumps(value).encode())
    except BadRecord:
        return
    assert CODEC.encode(wire.PACKET, delivery.packet)


@pytest.mark.parametrize(
    ("hours_ago", "lane"), [(49, catalogue.PACKETS_BACKLOG), (48, catalogue.PACKETS), (-5, catalogue.PACKETS)]
)
def test_the_newest_interval_chooses_the_lane(hours_ago: int, lane: str) -> None:
    end = RECEIVED - hours_ago * 3_600_000
    old = {**ARCHIVE, "start_at": 0, "values": [1]}
    new = {**ARCHIVE, "start_at": end - 3_600_000, "values": [1]}
    registers = {
        "module_id": "D-1",
        "channel": 1,
        "start_at": end - 60_000,
        "offsets_s": [60, 0],
        "values": [1, 0],
    }
    assert read(packet(archives=[new, old])).lane == lane
    assert read(packet(registers=[registers])).lane == lane
    assert read(packet(measurements=[{**RUN, "start_at": end - 3 * 3_600_000}], archives=[old])).lane == lane


def test_a_packet_without_intervals_is_of_today() -> None:
    assert read(packet(session={"power": "MAINS"})).lane == catalogue.PACKETS


def test_the_fingerprint_is_that_of_the_evidence() -> None:
    def fingerprint(**changed: Any) -> int:
        return read(packet(**changed)).fingerprint

    first = {**ARCHIVE, "values": [1, 2]}
    assert fingerprint(archives=[first]) == fingerprint(
        archives=[first], sent_at=5, session={"power": "SOLAR"}
    )
    assert fingerprint(archives=[first]) != fingerprint(archives=[{**first, "values": [1, 3]}])


def test_a_receipt_and_a_refusal_name_the_packet() -> None:
    def said(message: bytes) -> Mapping[str, Any]:
        return dict(json.loads(message))

    assert said(devices.receipt("p", 5)) == {"packet_id": "p", "outcome": "STORED", "sequence": 5}
    assert said(devices.refusal(None, "why")) == {"packet_id": None, "outcome": "REFUSED", "reason": "why"}
    assert devices.packet_id_of(CODEC, published(packet(sequence="x"))) == "J-0413/7"
    assert devices.packet_id_of(CODEC, published(b"\x00")) is None
    assert devices.packet_id_of(CODEC, published({"packet_id": 5})) is None


def follow(*numbers: int) -> list[int]:
    """Epochs of packets, all different, in the order in which they come."""
    counter, held, epochs = Counter(), dict[int, set[int]](), []
    for number in numbers:
        counter, epoch = counter.follow(number, held.setdefault(number, set()))
        held[number].add(epoch)
        epochs.append(epoch)
    return epochs


@pytest.mark.parametrize(
    ("numbers", "epochs"),
    [
        ((0, 1, 2), [0, 0, 0]),
        ((500, 502, 501), [0, 0, 0]),  # a little late
        ((9000, 3, 4), [0, 1, 1]),  # far below: begun anew
        ((5, 6, 5, 6, 7), [0, 0, 1, 1, 1]),  # the same numbers for other packets: begun anew
        ((9000, 3, 8999, 4), [0, 1, 0, 1]),  # a packet kept from before
        ((9000, 3, 9000, 9001), [0, 1, 1, 1]),  # this one was there before, so it is a new one
        ((65_535, 0, 1, 65_534, 2), [0, 1, 1, 0, 1]),  # 16 bits ran out
        ((10, 9000, 3, 9001), [0, 0, 1, 1]),
        ((2 * LATE, LATE, LATE - 1), [0, 0, 1]),
    ],
)
def test_a_counter_that_falls_has_begun_anew(numbers: tuple[int, ...], epochs: list[int]) -> None:
    assert follow(*numbers) == epochs


@given(st.lists(st.integers(0, 2**32 - 1), max_size=30))
def test_no_two_packets_in_one_epoch_have_one_number(numbers: list[int]) -> None:
    epochs = follow(*numbers)
    sequences = [sequence_of(epoch, number) for epoch, number in zip(epochs, numbers, strict=True)]
    assert len(set(sequences)) == len(sequences)
    assert all(0 <= sequence < 2**62 for sequence in sequences)
