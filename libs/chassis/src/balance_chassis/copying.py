"""Whole numpy columns to PostgreSQL and back: what psycopg does value by value, done for all rows at once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import Cursor, sql
from psycopg.adapt import Buffer, Dumper, Loader
from psycopg.pq import Format

_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_TRAILER = b"\xff\xff"
_TYPES = {"int2": (">i2", 21), "int4": (">i4", 23), "int8": (">i8", 20), "timestamptz": (">i8", 1184)}
_EPOCH_S = 946_684_800
"""2000-01-01 UTC, from which PostgreSQL counts microseconds."""
_LAYOUTS = {oid: layout for layout, oid in _TYPES.values()}

Column = tuple[str, str, NDArray[Any]]
"""(name, int2 | int4 | int8 | timestamptz, numbers): one axis for plain columns, two for arrays of one length
(integers); instants are seconds since 1970 (UTC); nothing is null.
"""


class Numbers:
    """Whole numbers as a parameter, int8[] in SQL: written at once, where a list is written number by
    number.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        """Take numbers, or an array of them."""
        given = numbers if isinstance(numbers, np.ndarray) else list(numbers)
        self.numbers = np.asarray(given, np.int64)


class _NumbersDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Numbers) -> bytes:
        """Dimensions, no nulls, element type, length, lower bound; then the elements."""
        count = len(obj.numbers)
        if not count:
            return struct.pack(">iii", 0, 0, 20)
        items = np.empty(count, [("size", ">i4"), ("value", ">i8")])
        items["size"], items["value"] = 8, obj.numbers
        return struct.pack(">iiiii", 1, 0, 20, count, 1) + items.tobytes()


psycopg.adapters.register_dumper(Numbers, _NumbersDumper)
# Only now: registered with it, it would be taken for lists that are copied to int8[] too.
_NumbersDumper.oid = psycopg.adapters.types["int8"].array_oid


class NumbersLoader(Loader):
    """Whole numbers of an array as int64, of as many axes as it has; nothing in it is null."""

    format = Format.BINARY

    def load(self, data: Buffer) -> NDArray[np.int64]:
        """Dimensions, nulls, element type, a length and a lower bound for each dimension; the elements."""
        dimensions, nulls, element = struct.unpack_from(">iii", data)
        if nulls:
            raise ValueError("expected an array without nulls, found some: select rows that have none")
        shape = struct.unpack_from(">" + "ii" * dimensions, data, 12)[::2] if dimensions else (0,)
        items = np.dtype([("size", ">i4"), ("value", _LAYOUTS[element])])
        found = np.frombuffer(data, items, offset=12 + 8 * dimensions)
        return found["value"].astype(np.int64).reshape(shape)


def copy_columns(cur: Cursor[Any], table: str, columns: Sequence[Column]) -> None:
    """COPY rows given as columns of one length into a table."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in columns)
    )
    with cur.copy(statement) as copy:
        copy.write(_HEADER + rows_of(columns).tobytes() + _TRAILER)


def rows_of(columns: Sequence[Column]) -> NDArray[Any]:
    """The rows in PostgreSQL's binary form, a structured array: each field behind its length in bytes."""
    layout: list[Any] = [("fields", ">i2")]
    for index, (_, kind, numbers) in enumerate(columns):
        layout += _array_layout(index, kind, numbers) if numbers.ndim == 2 else _plain_layout(index, kind)
    rows = np.empty(len(columns[0][2]), np.dtype(layout))
    rows["fields"] = len(columns)
    for index, (_, kind, numbers) in enumerate(columns):
        if numbers.ndim == 2:
            _fill_array(rows, index, kind, numbers)
        else:
            rows[f"size{index}"] = np.dtype(_TYPES[kind][0]).itemsize
            rows[f"value{index}"] = _microseconds(numbers) if kind == "timestamptz" else numbers
    return rows


def _microseconds(seconds: NDArray[Any]) -> NDArray[Any]:
    return (seconds - _EPOCH_S) * 1_000_000


def _plain_layout(index: int, kind: str) -> list[Any]:
    return [(f"size{index}", ">i4"), (f"value{index}", _TYPES[kind][0])]


def _array_layout(index: int, kind: str, numbers: NDArray[Any]) -> list[Any]:
    element = np.dtype([("size", ">i4"), ("value", _TYPES[kind][0])])
    return [(f"size{index}", ">i4"), (f"head{index}", ">i4", 5), (f"items{index}", element, numbers.shape[1])]


def _fill_array(rows: NDArray[Any], index: int, kind: str, numbers: NDArray[Any]) -> None:
    """Dimensions 1, no nulls, element type, length, lower bound 1; then the elements."""
    size, length = int(kind[-1]), numbers.shape[1]
    rows[f"size{index}"] = 20 + length * (4 + size)
    rows[f"head{index}"] = (1, 0, _TYPES[kind][1], length, 1)
    rows[f"items{index}"]["size"] = size
    rows[f"items{index}"]["value"] = numbers
