"""Publish described entities on a compacted topic; a version rises when its entity changes.

What was published is kept in a table of the installation's database (balance_assets.published), written
before the message is sent: what was not acknowledged is sent again, in the same version, by the next
publishing.
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
from balance_schemas import catalogue
from balance_schemas.codec import Codec, load_ids
from psycopg import sql

from balance_local.described import Described, Entity, FleetError, entities
from balance_local.installation import Installation, InstallationError

_ASSETS = "published"
_SCHEMA = "create schema if not exists balance_assets"
_TABLE = """
create table if not exists {table} (
    key text primary key,
    record text not null,
    version bigint not null,
    digest text not null,
    value jsonb not null,
    acknowledged boolean not null default false,
    published_at timestamptz not null default now()
);
"""
_ONE_AT_A_TIME = "select pg_advisory_lock(hashtext('balance_assets.published'))"
_UPSERT = """
insert into {table} as old (key, record, version, digest, value)
values (%s, %s, 1, %s, %s)
on conflict (key) do update set
    record = excluded.record, version = old.version + 1, digest = excluded.digest, value = excluded.value,
    acknowledged = false, published_at = now()
where old.digest <> excluded.digest
"""


_DUE = "select key, record, version, value from {table} where not acknowledged order by key"
_ACKNOWLEDGED = "update {table} set acknowledged = true where not acknowledged"


@dataclass(frozen=True)
class Published:
    """Keys that were sent, and how many entities were as published before."""

    sent: tuple[str, ...]
    unchanged: int


def publish(
    installation: Installation,
    usage_points: Sequence[Described],
    balance_groups: Sequence[Described],
    modules: Sequence[Described] = (),
    concentrators: Sequence[Described] = (),
) -> Published:
    """Publish what differs from what was published; entities that are not named stay as they are.

    They have the shape of the Avro records; instants are ISO texts, aware datetimes or
    milliseconds; a `version` is ignored, `state` is ACTIVE unless given. Returns when acknowledged.
    Raises FleetError with every error, InstallationError when the topics were not applied.
    """

    def wanted(connection: psycopg.Connection) -> Sequence[Entity]:
        return entities(
            usage_points,
            balance_groups,
            _known(connection, "usage_point_id"),
            modules,
            concentrators,
            _known_concentrators(connection),
            _known(connection, "group_id"),
        )

    return publish_changed(installation, catalogue.ASSETS, _ASSETS, wanted)


def _as_it_is(key: str, value: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    return key.encode(), value


def publish_changed(
    installation: Installation,
    topic: str,
    table: str,
    wanted_of: Callable[[psycopg.Connection], Sequence[Entity]],
    message_of: Callable[[str, dict[str, Any]], tuple[bytes, dict[str, Any]]] = _as_it_is,
) -> Published:
    """Publish on a topic those of the entities that differ from what table balance_assets.<table> has.

    `wanted_of` gives them, and may look at what was published; `message_of` makes key and value of the
    message from those of an entity. Returns when acknowledged. Raises InstallationError when the topics were
    not applied.
    """
    settings = installation.settings()
    codec = _codec(installation)
    name = sql.Identifier("balance_assets", table)
    create, upsert, due_rows, acknowledge = (
        sql.SQL(text).format(table=name) for text in (_TABLE, _UPSERT, _DUE, _ACKNOWLEDGED)
    )
    with psycopg.connect(installation.dsn, autocommit=True) as connection:
        connection.execute(_ONE_AT_A_TIME)  # until the connection closes
        connection.execute(_SCHEMA)
        connection.execute(create)
        wanted = wanted_of(connection)
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(upsert, [(e.key, e.record, _digest(e), _json(e)) for e in wanted])
        due = connection.execute(due_rows).fetchall()
        messages = [
            _message(codec, record, version, *message_of(key, value)) for key, record, version, value in due
        ]
        asyncio.run(_send(settings.kafka, topic, messages))
        connection.execute(acknowledge)
    sent = tuple(key for key, *_ in due)
    return Published(sent, len({e.key for e in wanted} - set(sent)))


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


def _known(connection: psycopg.Connection, id_field: str) -> dict[str, str]:
    rows = connection.execute(
        "select value->>%(id)s, value->>'resource' from balance_assets.published where value ? %(id)s",
        {"id": id_field},
    ).fetchall()
    return dict(rows)


def _known_concentrators(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "select value->>'concentrator_id' from balance_assets.published where value ? 'concentrator_id'"
    )
    return {name for (name,) in rows}


def _digest(entity: Entity) -> str:
    return hashlib.sha256(_json(entity).encode()).hexdigest()


def _json(entity: Entity) -> str:
    return json.dumps(entity.value, sort_keys=True, ensure_ascii=False)


__all__ = ["FleetError", "Published", "publish"]
