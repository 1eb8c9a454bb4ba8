"""The stored form of bodies of events and inbox rows.

A body is a tuple of primitives (user values are already bytes), so it needs no
hooks: one version byte, then msgpack. User values have their own codec. Rows of several events are in
`event_rows.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

# Stored in every row. A new layout takes the next number, and this one stays readable.
FORMAT = 1

_PREFIX = bytes([FORMAT])
_pack = msgpack.Packer(use_bin_type=True).pack
_unpack = msgpack.unpackb


class CorruptBody(Exception):
    """The bytes are not a body that this version can read."""


def pack_body(body: tuple[Any, ...]) -> bytes:
    """Return the stored form of a body."""
    packed: bytes = _PREFIX + _pack(body)
    return packed


def unpack_body(data: bytes) -> tuple[Any, ...]:
    """Return the body; nested lists become tuples. Raises `CorruptBody`."""
    if not data:
        return ()
    if data[0] != FORMAT:
        raise CorruptBody(f"format {data[0]} is not known to this version")
    return unpack_parts(memoryview(data)[1:])


def pack_parts(parts: Sequence[Any]) -> bytes:
    """Return primitives as one array, without a version."""
    packed: bytes = _pack(parts)
    return packed


def unpack_parts(data: bytes | memoryview) -> tuple[Any, ...]:
    """Return what `pack_parts` was given; nested lists become tuples. Raises `CorruptBody`."""
    try:
        parts = _unpack(data, use_list=False, strict_map_key=False)
    except (ValueError, TypeError, OverflowError, msgpack.exceptions.UnpackException) as error:
        # A TypeError: a map whose key is a map.
        raise CorruptBody(str(error) or type(error).__name__) from error
    if type(parts) is not tuple:
        raise CorruptBody("not a body")
    return parts
