"""Framed Avro as services meet it: the installation's codec, and bytes that it cannot read."""

from collections.abc import Mapping
from typing import Any

from balance_schemas import codec, registry

from balance_chassis.errors import BadRecord
from balance_chassis.settings import RegistrySettings


def make_codec(settings: RegistrySettings) -> codec.Codec:
    """A codec of raw timestamps, its ids from the registry and kept in a file, which serves while that is
    away. Raises RegistryError when neither has them.
    """
    auth = (settings.username, settings.password or "") if settings.username else None
    try:
        ids = registry.resolve(settings.url, auth)
    except registry.RegistryError:
        if settings.schema_ids is None or not settings.schema_ids.exists():
            raise
        ids = codec.load_ids(settings.schema_ids)
    else:
        if settings.schema_ids is not None:
            codec.save_ids(settings.schema_ids, ids)
    return codec.Codec(ids, raw_timestamps=True)


def decoded(framed: codec.Codec, data: bytes | None) -> tuple[str, Mapping[str, Any]]:
    """Full name and value of a record. Raises BadRecord for bytes that are none, and for a tombstone."""
    if data is None:
        raise BadRecord("expected a record, found a tombstone: this topic is not compacted")
    try:
        return framed.decode(data)
    except codec.Undecodable as error:
        raise BadRecord(error.reason) from error
