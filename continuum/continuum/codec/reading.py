"""Payload bytes to plain values, with the rich built-in types restored.

Nothing here looks at an annotation: records come back as the maps of their
fields. No name found in the data is ever imported or looked up; the name of a time zone
is looked up in the time-zone database only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack

from continuum.codec.wire_format import (
    HEADER,
    LAST_RESERVED_EXTENSION,
    TIMEDELTA,
    WALL_TIME_SEPARATOR,
    Extension,
    MapOfRecords,
    SetOfRecords,
)


def unpack(data: bytes) -> Any:
    """Read a payload; raises ValueError or TypeError for other bytes."""
    if data[:1] != HEADER:
        if not data:
            raise ValueError("the payload is empty")
        raise ValueError(f"payload format {data[0]} is unknown here; read it with a newer version")
    body = data[1:]
    try:
        return msgpack.unpackb(body, ext_hook=_read_extension, strict_map_key=False)
    except TypeError:
        return _unpack_pairs(body)


def _unpack_pairs(body: bytes) -> Any:
    """Read a map whose keys are records: as plain maps they cannot be hashed."""
    return msgpack.unpackb(
        body, ext_hook=_read_extension, strict_map_key=False, object_pairs_hook=_read_pairs
    )


def _read_pairs(pairs: list[tuple[Any, Any]]) -> object:
    try:
        return dict(pairs)
    except TypeError:
        return MapOfRecords(pairs)


def _read_extension(code: int, data: bytes) -> object:
    reader = _READERS.get(code)
    if reader is not None:
        return reader(data)
    if 0 <= code <= LAST_RESERVED_EXTENSION:
        raise ValueError(f"extension {code} is unknown here; read it with a newer version")
    return msgpack.ExtType(code, data)


def _read_set(data: bytes) -> object:
    items = _read_items(data)
    try:
        return set(items)
    except TypeError:
        return SetOfRecords(items)


def _read_frozenset(data: bytes) -> object:
    items = _read_items(data)
    try:
        return frozenset(items)
    except TypeError:
        return SetOfRecords(items)


def _read_items(data: bytes) -> list[Any]:
    try:
        items = msgpack.unpackb(data, ext_hook=_read_extension, strict_map_key=False)
    except TypeError:
        items = _unpack_pairs(data)
    if type(items) is not list:
        raise ValueError("the items of a tuple or set are not an array")
    return items


def _read_big_integer(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _read_timedelta(data: bytes) -> timedelta:
    return timedelta(*TIMEDELTA.unpack(data))


def _read_wall_time(data: bytes) -> datetime:
    wall_time, fold, key = str(data, "utf-8").split(WALL_TIME_SEPARATOR)
    zone = ZoneInfo(key) if key else None
    return datetime.fromisoformat(wall_time).replace(tzinfo=zone, fold=int(fold))


def _read_text(build: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: build(str(data, "ascii"))


_READERS: dict[int, Callable[[bytes], object]] = {
    Extension.TUPLE: lambda data: tuple(_read_items(data)),
    Extension.SET: _read_set,
    Extension.FROZENSET: _read_frozenset,
    Extension.BIG_INTEGER: _read_big_integer,
    Extension.DATETIME: _read_text(datetime.fromisoformat),
    Extension.DATE: _read_text(date.fromisoformat),
    Extension.TIME: _read_text(time.fromisoformat),
    Extension.TIMEDELTA: _read_timedelta,
    Extension.UUID: lambda data: UUID(bytes=data),
    Extension.DECIMAL: _read_text(Decimal),
    Extension.WALL_TIME: _read_wall_time,
}
