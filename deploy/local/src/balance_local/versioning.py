"""Publish what a file tells on a topic; the version of a thing rises when it changes.

What was published is kept in a table of the installation's database (files.published), written before the
message is sent: what was not acknowledged is sent again, in the same version, by the next publishing.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from balance_chassis.kafka import make_producer, topic_name
from balance_chassis.settings import KafkaSettings
from balance_schemas.codec import Codec, load_ids

from balance_local.installation import Installation, InstallationError

_SCHEMA = "create schema if not exists files"
_TABLE = """
create table if not exists files.published (
    key text primary key,
    record text not null,
    version bigint not null,
    digest text not null,
    value jsonb not null,
    acknowledged boolean not null default false,
    published_at timestamptz not null default now()
);
"""
_ONE_AT_A_TIME = "select pg_advisory_lock(hashtext('files.published'))"
_UPSERT = """
insert into files.published as old (key, record, version, digest, value)
values (%s, %s, 1, %s, %s)
on conflict (key) do update set
    record = excluded.record, version = old.version + 1, digest = excluded.digest, value = excluded.value,
    acknowledged = false, published_at = now()
where old.digest <> excluded.digest
"""


_DUE = "select key, record, version, value from files.published where not acknowledged order by key"
_ACKNOWLEDGED = "update files.published set acknowledged = true where not acknowledged"


@dataclass(frozen=True)
class Told:
    """A thing that is told: what tells it from others, its record's name, its value without a version."""

    key: str
    record: str
    value: dict[str, Any]


@dataclass(frozen=True)
class Published:
    """Keys that were sent, and how many were as published before."""

    sent: tuple[str, ...]
    unchanged: int


def publish_changed(
    installation: Installation,
    topic: str,
    told: Sequence[Told],
    message_of: Callable[[dict[str, Any]], tuple[bytes, dict[str, Any]]],
) -> Published:
    """Publish on a topic those that differ from what was published.

    `message_of` makes key and value of the message from a value. Returns when acknowledged. Raises
    InstallationError when the topics were not applied.
    """
    settings = installation.settings()
    codec = _codec(installation)
    with psycopg.connect(installation.dsn, autocommit=True) as connection:
        connection.execute(_ONE_AT_A_TIME)  # until the connection closes
        connection.execute(_SCHEMA)
        connection.execute(_TABLE)
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(_UPSERT, [(one.key, one.record, _digest(one), _json(one)) for one in told])
        due = connection.execute(_DUE).fetchall()
        messages = [_message(codec, record, version, *message_of(value)) for _, record, version, value in due]
        asyncio.run(_send(settings.kafka, topic, messages))
        connection.execute(_ACKNOWLEDGED)
    sent = tuple(key for key, *_ in due)
    return Published(sent, len({one.key for one in told} - set(sent)))


def _message(
    codec: Codec, record: str, version: int, key: bytes, value: dict[str, Any]
) -> tuple[bytes, bytes]:
    return key, codec.encode(record, {**value, "version": version})


async def _send(kafka: KafkaSettings, name: str, messages: Sequence[tuple[bytes, bytes]]) -> None:
    producer = make_producer(kafka)
    await producer.start()
    try:
        topic = topic_name(kafka, name)
        acknowledged = [await producer.send(topic, value=value, key=key) for key, value in messages]
        await asyncio.gather(*acknowledged)
    finally:
        await producer.stop()


def _codec(installation: Installation) -> Codec:
    try:
        return Codec(load_ids(installation.folder / "schema-ids.json"), raw_timestamps=True)
    except FileNotFoundError:
        raise InstallationError(
            f"installation {installation.name} has no schema ids yet; run: "
            f"balance --installation {installation.name} topics apply"
        ) from None


def _digest(told: Told) -> str:
    return hashlib.sha256(_json(told).encode()).hexdigest()


def _json(told: Told) -> str:
    return json.dumps(told.value, sort_keys=True, ensure_ascii=False)
