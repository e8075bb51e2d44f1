"""A client that knows nothing of us but the registry reads what we write, and we read what it writes."""

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from balance_local import stack
from balance_schemas import avsc, catalogue, codec, examples, registry
from confluent_kafka import Consumer, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

pytestmark = pytest.mark.stack

TIMEOUT_S = 30.0
EVERY_EXAMPLE = [e for topic in catalogue.load().topics for e in examples.of_topic(topic)]


@pytest.fixture(scope="module")
def addresses() -> stack.Stack:
    return stack.ensure()


@pytest.fixture(scope="module")
def ids(addresses: stack.Stack) -> dict[str, int]:
    return registry.register_all(addresses.registry_url, None, catalogue.load())


@pytest.fixture
def topic(addresses: stack.Stack) -> Iterator[str]:
    """A topic of one partition that goes away again."""
    name = f"stock-client-test.{uuid4()}"
    admin = AdminClient({"bootstrap.servers": addresses.bootstrap_servers})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(TIMEOUT_S)
    yield name
    admin.delete_topics([name])[name].result(TIMEOUT_S)


def through_kafka(addresses: stack.Stack, topic: str, values: list[bytes]) -> list[bytes]:
    """Produce and consume by the stock clients; the values in the order they came."""
    producer = Producer({"bootstrap.servers": addresses.bootstrap_servers, "acks": "all"})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(TIMEOUT_S) == 0
    consumer = Consumer(
        {
            "bootstrap.servers": addresses.bootstrap_servers,
            "group.id": topic,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        came: list[Message] = consumer.consume(len(values), TIMEOUT_S)
    finally:
        consumer.close()
    assert all(message.error() is None for message in came)
    return [message.value() or b"" for message in came]


def context(topic: str) -> SerializationContext:
    return SerializationContext(topic, MessageField.VALUE)


@pytest.mark.parametrize("name", [catalogue.READINGS, catalogue.IMBALANCE])
def test_a_stock_consumer_reads_what_our_codec_wrote(
    addresses: stack.Stack, ids: dict[str, int], topic: str, name: str
) -> None:
    ours = codec.Codec(ids, raw_timestamps=True)
    sent = [ours.encode(e.record, e.value) for e in examples.of_topic(name)]
    with SchemaRegistryClient({"url": addresses.registry_url, "timeout": 10}) as client:
        read = AvroDeserializer(client)
        came = [read(value, context(topic)) for value in through_kafka(addresses, topic, sent)]
    aware = codec.Codec(ids)
    assert came == [aware.decode(value)[1] for value in sent]


@pytest.mark.parametrize("example", EVERY_EXAMPLE, ids=lambda e: f"{e.topic}/{e.name}")
def test_a_stock_serializer_writes_the_bytes_our_codec_writes(
    addresses: stack.Stack, ids: dict[str, int], example: examples.Example
) -> None:
    ours = codec.Codec(ids, raw_timestamps=True)
    expected = ours.encode(example.record, example.value)
    _, value = codec.Codec(ids).decode(expected)
    with SchemaRegistryClient({"url": addresses.registry_url, "timeout": 10}) as client:
        write = AvroSerializer(
            client,
            json.dumps(avsc.newest(example.record)),
            conf={
                "auto.register.schemas": False,
                "use.latest.version": True,
                "subject.name.strategy": record_subject_name_strategy,
            },
        )
        written = write(value, context(example.topic))
    assert written == expected
    assert ours.decode(written) == (example.record, ours.decode(expected)[1])


def test_the_registry_refuses_what_our_check_refuses(addresses: stack.Stack, ids: dict[str, int]) -> None:
    name = "balance.v1.FindingChanged"
    assert name in ids
    newest = avsc.newest(name)
    bad = {**newest, "fields": [*newest["fields"], {"name": "note", "type": "string"}]}
    with (
        SchemaRegistryClient({"url": addresses.registry_url, "timeout": 10}) as client,
        pytest.raises(SchemaRegistryError, match="ncompatible"),
    ):
        client.register_schema(name, Schema(json.dumps(bad), "AVRO"))
