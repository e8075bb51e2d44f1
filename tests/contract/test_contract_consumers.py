"""Every consumer the catalogue names has code behind it, and that code bears every example of its topic."""

from collections.abc import Callable
from importlib import import_module

import pytest
from balance_chassis.errors import BadRecord
from balance_kernel.calendar import Calendar
from balance_schemas import avsc, catalogue, examples
from balance_schemas.codec import Codec

CODEC = Codec({name: number for number, name in enumerate(avsc.names(), start=1)}, raw_timestamps=True)
CALENDAR = Calendar("Europe/Chisinau", 0)

SERVICE_OF = {c.group: c.service for t in catalogue.load().topics.values() for c in t.consumers}
EVERY_EXAMPLE = [
    pytest.param(group, example, id=f"{group}-{example.name}")
    for group, topic in catalogue.groups().items()
    for example in examples.of_topic(topic.name)
]


def consumers(service: str) -> dict[str, Callable[..., object]]:
    """What the service does with a record, by consumer group: called with codec, calendar and bytes."""
    found: dict[str, Callable[..., object]] = import_module(f"balance_{service}.entrypoints.kafka").CONSUMERS
    return found


@pytest.mark.parametrize("service", sorted(set(SERVICE_OF.values())))
def test_a_service_consumes_what_the_catalogue_says_and_nothing_else(service: str) -> None:
    named = {group for group, of in SERVICE_OF.items() if of == service}
    assert set(consumers(service)) == named


@pytest.mark.parametrize(("group", "example"), EVERY_EXAMPLE)
def test_a_consumer_bears_every_example_of_its_topic(group: str, example: examples.Example) -> None:
    data = CODEC.encode(example.record, example.value)
    understood = consumers(SERVICE_OF[group])[group](CODEC, CALENDAR, data)
    assert understood is not None, f"{group} made nothing of {example.topic}/{example.name}"


@pytest.mark.parametrize(("group", "example"), EVERY_EXAMPLE)
def test_a_consumer_refuses_the_example_when_it_is_cut(group: str, example: examples.Example) -> None:
    data = CODEC.encode(example.record, example.value)
    with pytest.raises(BadRecord, match="expected"):
        consumers(SERVICE_OF[group])[group](CODEC, CALENDAR, data[:-1])


@pytest.mark.parametrize("group", SERVICE_OF)
def test_a_consumer_refuses_a_record_of_another_topic(group: str) -> None:
    foreign = next(
        example
        for topic in catalogue.load().topics
        for example in examples.of_topic(topic)
        if example.record not in catalogue.groups()[group].records
    )
    data = CODEC.encode(foreign.record, foreign.value)
    with pytest.raises(BadRecord, match="expected"):
        consumers(SERVICE_OF[group])[group](CODEC, CALENDAR, data)
