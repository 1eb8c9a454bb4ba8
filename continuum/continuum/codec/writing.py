"""Values to payload bytes: msgpack, with extensions for the rich built-in types.

A payload is one format byte and one msgpack object. What msgpack lacks is an
extension type with a number from `wire_format.Extension`.
Records (dataclasses, attrs classes, pydantic models) become maps of their
fields here; `reading` returns the plain structure, and `shape_of_type` turns maps
back into records, which needs an annotation.

How values without an exact counterpart are written:

- a subclass of `str`, `int`, `float`, `bytes`, `list`, `dict`, `set` … as its
  base type, a NamedTuple as a tuple, an Enum member as its value;
- `bytearray` and `memoryview` as bytes;
- a datetime with a `ZoneInfo` keeps its wall time and the name of the zone, one with
  a fixed offset keeps the offset, a naive one stays naive, and any other zone is refused;
- a dataclass or attrs field with `init=False` is not stored: building the object
  computes it again.

Invariant: values made of exact plain types never call back into Python, so only
rich values cost time. Sets are written in the order of their bytes, so that equal
values give equal payloads under every hash seed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from types import CoroutineType
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack

from continuum.codec.record_types import record_fields
from continuum.codec.shapes import fit_deep
from continuum.codec.wire_format import (
    HEADER,
    KEPT_BUFFER_BYTES,
    MAX_EXTENSION_DEPTH,
    NESTED_BUFFER_BYTES,
    TIMEDELTA,
    WALL_TIME_SEPARATOR,
    Extension,
    SetOfRecords,
)

# This process, the driver and the server each hold a copy of a value on its way, and of many values at
# once. Above this size it belongs in a store made for large objects.
VALUE_BYTES = 64 * 1024 * 1024

_QUARTERS = [datetime(2000, month, 1) for month in (1, 4, 7, 10)]  # noqa: DTZ001 - a zone is asked about them
_SCALARS = frozenset((str, float, bytes, bool, type(None), list, dict))


class Unencodable(Exception):
    """This one value cannot be written. The error has no path: the code that catches it adds one."""


class TooLarge(Unencodable):
    """The value could be written, but is larger than allowed."""


class Writer:
    """One reusable packer, and the writer for what is nested in its extensions."""

    __slots__ = ("_depth", "_nested", "has_classes", "needs_annotation", "pack", "root")

    def __init__(self, depth: int = 0, root: Writer | None = None) -> None:
        self._depth = depth
        self.root = root or self
        self.needs_annotation = False  # it wrote a value that only an annotation restores
        self.has_classes = False  # one of these values was no record: an Enum member or of a subclass
        self._nested: Writer | None = None
        size = NESTED_BUFFER_BYTES if depth else KEPT_BUFFER_BYTES // 16
        self.pack: Callable[[object], bytes] = msgpack.Packer(
            default=self._reduce, strict_types=True, buf_size=size
        ).pack

    def pack_nested(self, value: object) -> bytes:
        """Pack a value that goes into an extension of the value being packed."""
        nested = self._nested
        if nested is None:
            if self._depth >= MAX_EXTENSION_DEPTH:
                raise Unencodable(f"tuples and sets are nested deeper than {MAX_EXTENSION_DEPTH} levels")
            nested = self._nested = Writer(self._depth + 1, self.root)
        return nested.pack(value)

    def _reduce(self, value: object) -> object:
        cls = type(value)
        return (_REDUCERS.get(cls) or _reducer_of(cls))(value, self)


class _ThreadWriter(threading.local):
    # A packer is one buffer and calls back into Python, so threads cannot share it.
    def __init__(self) -> None:
        self.writer = Writer()


_THREAD = _ThreadWriter()

Reducer = Callable[[Any, Writer], object]


def pack(value: object, check: Callable[[Any, bool], None] | None = None) -> bytes:
    """Write a payload; raises what the first bad element makes msgpack raise, or TooLarge.

    `check` sees the value only if it has a part that reading does not restore without an annotation, and
    learns whether one of these is something else than a record.
    """
    writer = _THREAD.writer
    # msgpack packs one level more than it unpacks; the list around the value is that level.
    packed = writer.pack([value])
    if writer.needs_annotation:
        has_classes = writer.has_classes
        writer.needs_annotation = writer.has_classes = False
        if check is not None:
            try:
                check(value, has_classes)
            except RecursionError:
                fit_deep(lambda value: check(value, has_classes), value)
    if len(packed) > KEPT_BUFFER_BYTES:
        _THREAD.writer = Writer()
        if len(packed) > VALUE_BYTES:
            raise TooLarge(
                f"takes {len(packed)} bytes, and a value may take {VALUE_BYTES}; "
                "store it elsewhere and pass where it is"
            )
    return HEADER + packed[1:]


def reduce_once(value: object) -> object:
    """Return the plain list or map that a record or a subclass is written as."""
    return _reducer_of(type(value))(value, Writer())


def _extension(code: Extension, data: bytes) -> msgpack.ExtType:
    return msgpack.ExtType(int(code), data)


def _write_integer(value: int, writer: Writer) -> object:
    plain = int.__int__(value)
    if -(1 << 63) <= plain < 1 << 64:
        return plain
    return _extension(Extension.BIG_INTEGER, plain.to_bytes(plain.bit_length() // 8 + 1, "big", signed=True))


def _write_enum(value: Enum, writer: Writer) -> object:
    inner = value.value
    cls = type(inner)
    return inner if cls in _SCALARS else _reducer_of(cls)(inner, writer)


def _write_datetime(value: datetime, writer: Writer) -> object:
    zone = value.tzinfo
    if zone is not UTC:
        if isinstance(zone, ZoneInfo):
            return _write_wall_time(value, zone.key)
        if zone is None:
            if value.fold:
                return _write_wall_time(value, "")
        elif type(zone) is not timezone and not _is_fixed(zone):
            # As a fixed offset it would be an hour off after the next change of the clocks.
            raise Unencodable(
                f"a datetime with a zone of type {type(zone).__module__}.{type(zone).__qualname__} cannot be "
                "stored; use zoneinfo.ZoneInfo or a fixed offset"
            )
    return _extension(Extension.DATETIME, datetime.isoformat(value).encode())


def _is_fixed(zone: tzinfo) -> bool:
    offset = zone.utcoffset(None)
    # A zone may give its winter time when it is asked without a date.
    return offset is not None and all(zone.utcoffset(day) == offset for day in _QUARTERS)


def _write_wall_time(value: datetime, zone: str | None) -> object:
    if zone is None:
        raise Unencodable("a datetime whose ZoneInfo has no key cannot be stored; use ZoneInfo(key)")
    wall_time = datetime.isoformat(datetime.replace(value, tzinfo=None))
    parts = (wall_time, str(value.fold), zone)
    return _extension(Extension.WALL_TIME, WALL_TIME_SEPARATOR.join(parts).encode())


def _write_time(value: time, writer: Writer) -> object:
    if value.tzinfo is not None and time.utcoffset(value) is None:
        raise Unencodable("a time whose zone has no fixed offset cannot be stored; use a datetime")
    return _extension(Extension.TIME, time.isoformat(value).encode())


def _write_timedelta(value: timedelta, writer: Writer) -> object:
    return _extension(Extension.TIMEDELTA, TIMEDELTA.pack(value.days, value.seconds, value.microseconds))


def _write_set(code: Extension) -> Reducer:
    def write(value: Iterable[object], writer: Writer) -> object:
        items = sorted(map(writer.pack_nested, value))
        header = _array_header(len(items))
        return _extension(code, b"".join((header, *items)))

    return write


def _array_header(length: int) -> bytes:
    """Return the bytes that open a msgpack array of that length."""
    if length < 16:
        return bytes((0x90 | length,))
    if length < 1 << 16:
        return b"\xdc" + length.to_bytes(2, "big")
    return b"\xdd" + length.to_bytes(4, "big")


# The first base in this order wins: a bool never gets here, and a datetime is a date.
_BASES: tuple[tuple[type, Reducer], ...] = (
    (Enum, _write_enum),
    (tuple, lambda value, writer: _extension(Extension.TUPLE, writer.pack_nested([*value]))),
    (datetime, _write_datetime),
    (date, lambda value, writer: _extension(Extension.DATE, date.isoformat(value).encode())),
    (UUID, lambda value, writer: _extension(Extension.UUID, value.bytes)),
    (Decimal, lambda value, writer: _extension(Extension.DECIMAL, Decimal.__str__(value).encode())),
    (timedelta, _write_timedelta),
    (time, _write_time),
    (set, _write_set(Extension.SET)),
    (frozenset, _write_set(Extension.FROZENSET)),
    (SetOfRecords, _write_set(Extension.SET)),
    (str, lambda value, writer: str.__str__(value)),
    (int, _write_integer),
    (float, lambda value, writer: float.__float__(value)),
    (bytes, lambda value, writer: bytes(memoryview(value))),
    (bytearray, lambda value, writer: bytes(memoryview(value))),
    (list, lambda value, writer: [*value]),
    (dict, lambda value, writer: dict(value)),
)

_REDUCERS: dict[type, Reducer] = {}


def _reducer_of(cls: type) -> Reducer:
    reducer = _REDUCERS.get(cls)
    if reducer is None:
        reducer = _REDUCERS[cls] = _choose_reducer(cls)
    return reducer


def _record_reducer(fields: Callable[[Any], object]) -> Reducer:
    def reduce(value: Any, writer: Writer) -> object:
        writer.root.needs_annotation = True
        return fields(value)

    return reduce


def _needing_annotation(reducer: Reducer) -> Reducer:
    def reduce(value: Any, writer: Writer) -> object:
        writer.root.needs_annotation = writer.root.has_classes = True
        return reducer(value, writer)

    return reduce


def _choose_reducer(cls: type) -> Reducer:
    # An Enum may inherit from a dataclass; a member is identified by its value.
    fields = None if issubclass(cls, Enum) else record_fields(cls)
    if fields is not None:
        return _record_reducer(fields)
    for base, reducer in _BASES:
        if issubclass(cls, base):
            return reducer if cls is base or cls is SetOfRecords else _needing_annotation(reducer)
    if issubclass(cls, CoroutineType):
        raise Unencodable("a call that was not awaited cannot be stored; put `await` before it")
    raise Unencodable(
        f"a value of type {cls.__module__}.{cls.__qualname__} cannot be stored; "
        "use a dataclass or one of the built-in types"
    )
