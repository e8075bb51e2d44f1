"""Avro of many records at once, from columns: byte for byte what fastavro writes, without a Python value for
each number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from balance_ingest.domain.days import Ints

_SEPTET = np.uint64(7)


class Field(NamedTuple):
    """One field, or several in succession, of n records: `data` is uint8[n, w], and `told` bool[n, w] says
    which of its bytes are written. n > 0.
    """

    data: NDArray[np.uint8]
    told: NDArray[np.bool_]


def longs(numbers: Ints) -> Field:
    """Of int64[n], a long (or int) each; of int64[n, m], m of them in succession."""
    return _flat(*_varints(numbers))


def optional_longs(numbers: Ints) -> Field:
    """Of int64[n, m], an array of m ["null", "long"] each, none of them null."""
    n, m = numbers.shape
    if not m:
        return same(b"\x00", n)
    data, told = _varints(numbers)
    branch = np.full((n, m, 1), 2, np.uint8)
    items = _flat(np.concatenate([branch, data], axis=2), np.concatenate([branch > 0, told], axis=2))
    return together([same(long(m), n), items, same(b"\x00", n)])


def texts(given: Sequence[bytes]) -> Field:
    """A string each, in UTF-8; none ends in NUL."""
    padded = np.array(given, np.bytes_)
    lengths = np.array([len(one) for one in given], np.int64)
    letters = padded.view(np.uint8).reshape(len(given), -1)
    return together([longs(lengths), Field(letters, np.arange(letters.shape[1]) < lengths[:, None])])


def same(data: bytes, n: int) -> Field:
    """The same bytes in each of n records."""
    row = np.frombuffer(data, np.uint8)
    return Field(np.broadcast_to(row, (n, len(row))), np.ones((n, len(row)), bool))


def together(fields: Sequence[Field]) -> Field:
    """Fields in succession."""
    return Field(*(np.concatenate(parts, axis=1) for parts in zip(*fields, strict=True)))


def written(field: Field) -> tuple[bytes, Ints]:
    """The bytes of all records in succession, and where each ends."""
    ends = field.told.sum(axis=1, dtype=np.int64).cumsum()
    return field.data[field.told].tobytes(), ends


def long(number: int) -> bytes:
    """A single long."""
    return written(longs(np.array([number], np.int64)))[0]


def _varints(numbers: Ints) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Zigzag, then seven bits a byte, the lowest first; one more axis, as long as the longest needs."""
    zigzag = ((numbers << 1) ^ (numbers >> 63)).view(np.uint64)
    width = max(1, -(-int(zigzag.max(initial=0)).bit_length() // 7))
    left = zigzag[..., None] >> (_SEPTET * np.arange(width, dtype=np.uint64))
    told = left > 0
    told[..., 0] = True
    data = (left & np.uint64(0x7F)).astype(np.uint8)
    data[..., :-1] |= told[..., 1:].astype(np.uint8) << 7
    return data, told


def _flat(data: NDArray[np.uint8], told: NDArray[np.bool_]) -> Field:
    n = len(data)
    return Field(data.reshape(n, -1), told.reshape(n, -1))
