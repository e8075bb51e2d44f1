"""The catalogue's topics and schemas, on the broker and in the registry of one installation."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code
from balance_chassis.kafka import client_options
from balance_chassis.settings import KafkaSettings, Settings
from balance_schemas import catalogue, codec, registry
from balance_schemas.catalogue import Topic

_DAY_MS = 86_400_000
_VISIBLE_WITHIN_S = 30.0
_ALREADY_EXISTS = 36
_UNKNOWN = 3


class TopicsError(RuntimeError):
    """The broker's topics are not the catalogue's. The message names each and says why."""


def all_topics() -> Sequence[Topic]:
    """Every topic of an installation: the catalogue's, and the dead-letter and retry topics of its groups."""
    wanted = catalogue.load()
    return [*wanted.topics.values(), *wanted.dead_letter_topics()]


def apply(settings: Settings, only: Collection[str] | None = None) -> None:
    """Create what is missing, set what is there to the catalogue's retention and sizes, register the schemas.

    Of all topics, or of those named `only`. To do it again changes nothing. Raises TopicsError,
    RegistryError.
    """
    wanted = [topic for topic in all_topics() if only is None or topic.name in only]
    asyncio.run(_apply(settings.kafka, wanted))
    ids = registry.register_all(
        settings.registry.url, _credentials(settings), catalogue.load(), settings.kafka.topic_prefix
    )
    if settings.registry.schema_ids:
        codec.save_ids(settings.registry.schema_ids, ids)


def drop(settings: Settings) -> None:
    """Delete every topic of the installation; committed offsets go with them. Schemas stay registered."""
    asyncio.run(_drop(settings.kafka))


@asynccontextmanager
async def admin_client(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started admin client, closed on leaving."""
    admin = AIOKafkaAdminClient(**client_options(kafka), request_timeout_ms=60_000)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def configuration(topic: Topic) -> dict[str, str]:
    """Kafka's settings of a topic."""
    settings = {
        "max.message.bytes": str(topic.max_message_bytes),
        # Retention counts from arrival: a replay of the past must not be deleted as soon as it is written.
        "message.timestamp.type": "LogAppendTime",
    }
    if topic.compacted:
        return settings | {"cleanup.policy": "compact"}
    return settings | {"cleanup.policy": "delete", "retention.ms": str((topic.retention_days or 0) * _DAY_MS)}


async def _apply(kafka: KafkaSettings, topics: Sequence[Topic]) -> None:
    async with admin_client(kafka) as admin:
        there = set(await admin.list_topics())
        wanted = {kafka.topic_prefix + topic.name: topic for topic in topics}
        missing = [
            NewTopic(name, topic.partitions, 1, topic_configs=configuration(topic))
            for name, topic in wanted.items()
            if name not in there
        ]
        if missing:
            answer = await admin.create_topics(missing)
            _raise_for(answer.topic_errors, tolerated=_ALREADY_EXISTS)
        _refuse_other_partitions(wanted, await _described(admin, list(wanted)))
        old = {name: topic for name, topic in wanted.items() if name in there}
        if old:
            await _configure(admin, old)


async def _described(admin: AIOKafkaAdminClient, names: list[str]) -> Sequence[dict[str, object]]:
    """The topics as the broker tells clients of them, which is a moment after it created them."""
    async with asyncio.timeout(_VISIBLE_WITHIN_S):
        while True:
            found: Sequence[dict[str, object]] = await admin.describe_topics(names)
            if all(topic["error_code"] == 0 for topic in found):
                return found
            await asyncio.sleep(0.05)


async def _configure(admin: AIOKafkaAdminClient, topics: dict[str, Topic]) -> None:
    answers = await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, configuration(t)) for name, t in topics.items()]
    )
    failed = [f"{name}: {message}" for a in answers for code, message, _, name in a.resources if code]
    if failed:
        raise TopicsError("the broker refused settings of topics:\n" + "\n".join(failed))


async def _drop(kafka: KafkaSettings) -> None:
    async with admin_client(kafka) as admin:
        there = set(await admin.list_topics())
        ours = [name for topic in all_topics() if (name := kafka.topic_prefix + topic.name) in there]
        if ours:
            answer = await admin.delete_topics(ours)
            _raise_for(answer.topic_error_codes, tolerated=_UNKNOWN)


def _refuse_other_partitions(wanted: dict[str, Topic], found: Sequence[dict[str, object]]) -> None:
    errors = [
        f"{topic['topic']}: expected {wanted[str(topic['topic'])].partitions} partitions, found {count}; "
        "partitions are fixed at creation, so resizing is a new topic"
        for topic in found
        if (count := len(list(_partitions(topic)))) != wanted[str(topic["topic"])].partitions
    ]
    if errors:
        raise TopicsError("\n".join(errors))


def _partitions(topic: dict[str, object]) -> Iterator[object]:
    partitions = topic["partitions"]
    assert isinstance(partitions, list)
    yield from partitions


def _raise_for(results: Sequence[Sequence[object]], tolerated: int) -> None:
    failed = [
        f"{name}: {for_code(code).__name__} {' '.join(str(word) for word in more if word)}"
        for name, code, *more in results
        if code not in (0, tolerated)
    ]
    if failed:
        raise TopicsError("the broker refused:\n" + "\n".join(failed))


def _credentials(settings: Settings) -> tuple[str, str] | None:
    username, password = settings.registry.username, settings.registry.password
    return (username, password) if username and password else None
