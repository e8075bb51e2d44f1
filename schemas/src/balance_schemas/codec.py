"""Messages to bytes and back: Confluent framing (0x00, big-endian 4-byte schema id, Avro), by fastavro.

A message is written with the newest schema of its record and read with whichever registered version wrote it,
resolved to the newest. The ids come from the registry (`balance_schemas.registry`) or from a file of ids.
"""

import io
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fastavro

from balance_schemas import avsc

MAGIC = 0
MAX_BYTES = 16 * 1024 * 1024 + 64 * 1024
"""Longest message that is decoded. Each decoded element takes a byte or more of the message, whatever its
array claims, so this bounds the memory garbage can take: 0.9 GB at the very worst, 60 MB for 1 MiB."""

_HEADER = struct.Struct(">bI")
_BAD_AVRO = (ValueError, TypeError, KeyError, EOFError, IndexError, OverflowError)


class Undecodable(ValueError):  # noqa: N818 - reads as what it is: these bytes are undecodable
    """These bytes are no message of ours. `reason` says what was expected, what was found and what to do."""

    def __init__(self, reason: str) -> None:
        """Keep the reason."""
        super().__init__(reason)
        self.reason = reason


class Unencodable(ValueError):  # noqa: N818 - its counterpart
    """The value does not fit its record: a bug of the writer. The message names record and field."""


class Codec:
    """Encodes and decodes the records whose ids it is given.

    `ids` maps a record's full name to the registry id of its newest schema, and `<full name>@<n>` to the id
    of its released version n. With `raw_timestamps` instants are plain int milliseconds since 1970 (UTC) both
    ways; without, aware datetimes. The raw codec is the one for bulk.
    """

    def __init__(self, ids: Mapping[str, int], *, raw_timestamps: bool = False) -> None:
        """Parse the schemas of all named records. Raises KeyError for a record or version unknown here."""
        self._headers: dict[str, bytes] = {}
        self._newest: dict[str, Any] = {}
        self._writers: dict[int, tuple[str, Any, Any]] = {}
        for key, schema_id in sorted(ids.items()):
            name, _, version = key.partition("@")
            newest = self._parsed(name, None, raw_timestamps)
            if not version:
                self._newest[name] = newest
                self._headers[name] = _HEADER.pack(MAGIC, schema_id)
                self._writers[schema_id] = (name, newest, None)
            elif schema_id != ids.get(name):
                self._writers[schema_id] = (name, self._parsed(name, int(version), raw_timestamps), newest)

    @staticmethod
    def _parsed(name: str, version: int | None, raw: bool) -> Any:
        try:
            schema = avsc.newest(name) if version is None else avsc.versions(name)[version]
        except (FileNotFoundError, KeyError):
            raise KeyError(
                f"expected the id of a record of this release, found {name}"
                + (f" version {version}" if version else "")
                + "; the file of ids is of a later release: write it anew with this one's `topics apply`"
            ) from None
        return fastavro.parse_schema(avsc.without(schema, "logicalType") if raw else schema)

    def encode(self, record_name: str, value: Mapping[str, Any]) -> bytes:
        """The framed bytes of a value.

        A field with a default may be left out; an unknown field, a missing one or a wrong type raises
        Unencodable.
        """
        if record_name not in self._newest:
            raise Unencodable(f"{record_name}: no id is known for it; known are {', '.join(self._newest)}")
        buffer = io.BytesIO()
        buffer.write(self._headers[record_name])
        try:
            fastavro.schemaless_writer(buffer, self._newest[record_name], value, strict_allow_default=True)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError) as error:
            raise Unencodable(f"{record_name}: {type(error).__name__}: {error}") from error
        return buffer.getvalue()

    def framed(self, record_name: str, avro: bytes) -> bytes:
        """The framed bytes of a record that is Avro of its newest schema already. Raises KeyError."""
        return self._headers[record_name] + avro

    def newest_avro(self, record_name: str, data: bytes) -> bytes | None:
        """The Avro of framed bytes of a record's newest schema; None for any other bytes. Raises KeyError."""
        ours = data.startswith(self._headers[record_name]) and len(data) <= MAX_BYTES
        return data[_HEADER.size :] if ours else None

    def decode(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """(full name of the record, value) of framed bytes. Raises Undecodable."""
        schema_id = schema_id_of(data)
        if schema_id not in self._writers:
            raise Undecodable(
                f"expected the id of a schema of ours, found {schema_id}: written by something else, or by a "
                "later release; after the update of this service replay the dead letter"
            )
        name, writer, reader = self._writers[schema_id]
        buffer = io.BytesIO(data)
        buffer.seek(_HEADER.size)
        try:
            value = fastavro.schemaless_reader(buffer, writer, reader)
        except _BAD_AVRO as error:
            raise Undecodable(
                f"expected Avro of {name} (schema id {schema_id}), found {len(data)} bytes that are not: "
                f"{type(error).__name__} at byte {buffer.tell()} ({error})"
            ) from error
        if buffer.tell() != len(data):
            raise Undecodable(
                f"expected {name} (schema id {schema_id}) to end with its message, found "
                f"{len(data) - buffer.tell()} bytes after byte {buffer.tell()}"
            )
        return name, value  # type: ignore[return-value]  # every schema here is a record


def schema_id_of(data: bytes) -> int:
    """The schema id of framed bytes. Raises Undecodable for bytes too short, too long or not framed."""
    if len(data) <= _HEADER.size:
        raise Undecodable(f"expected a frame of {_HEADER.size} bytes and a record, found {len(data)} bytes")
    if len(data) > MAX_BYTES:
        raise Undecodable(f"expected at most {MAX_BYTES} bytes, found {len(data)}: split the message")
    magic, schema_id = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise Undecodable(
            f"expected magic byte 0x00 (Confluent framing), found 0x{data[0]:02x}: "
            "not written by a serializer with a registry"
        )
    return int(schema_id)


def load_ids(path: Path | str) -> dict[str, int]:
    """Ids kept by `save_ids`. Raises FileNotFoundError, or ValueError for a file that is not one."""
    try:
        ids = json.loads(Path(path).read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: expected a JSON file of schema ids, found {error}; delete it") from error
    if not isinstance(ids, dict) or not all(type(i) is int for i in ids.values()):
        raise ValueError(f"{path}: expected a JSON object of record names to whole numbers; delete it")
    return ids


def save_ids(path: Path | str, ids: Mapping[str, int]) -> None:
    """Keep ids in a file; whoever reads it meanwhile sees the old file or the new one, never half of one."""
    path = Path(path)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(json.dumps(dict(sorted(ids.items())), indent=2) + "\n", "utf-8")
    fresh.replace(path)
