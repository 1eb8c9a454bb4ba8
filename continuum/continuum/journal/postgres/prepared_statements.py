"""Statements that are sent as they are, without the driver's cursors.

A cursor adapts parameters and results of any type, which costs a quarter of what this process does for a
small commit. The statements of the commit lane need none of that: their parameters are packed already, and
what they return are numbers and short lists.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from continuum.journal.postgres.packed_arrays import PackedArray, PackedRow

Parameter: TypeAlias = int | PackedArray | PackedRow | None

_BIGINT = struct.Struct(">q")
_BIGINT_OID, _TEXTS_OID = 20, 1009


class PreparedStatement:
    """A statement with `%s` for each parameter, each of a type that follows from its place."""

    __slots__ = ("formats", "name", "text")

    def __init__(self, name: str, text: bytes) -> None:
        first, *others = text.split(b"%s")
        assert b"%" not in first + b"".join(others), f"{name} has other placeholders than %s"
        self.name = name.encode()
        self.text = first + b"".join(b"$%d%s" % (number, part) for number, part in enumerate(others, 1))
        self.formats = [Format.BINARY] * len(others)


def sent(parameter: Parameter) -> bytes | None:
    """Return a parameter as it is sent; an int is a bigint."""
    if parameter is None:
        return None
    return _BIGINT.pack(parameter) if isinstance(parameter, int) else parameter.data


def received(result: PGresult) -> list[tuple[Any, ...]]:
    """Return the rows of a result of bigints and text arrays; no text has a comma or a quote."""
    readers = [_READERS[result.ftype(column)] for column in range(result.nfields)]
    return [
        tuple(read(result.get_value(row, column) or b"") for column, read in enumerate(readers))
        for row in range(result.ntuples)
    ]


def _texts(value: bytes) -> list[str]:
    return value[1:-1].decode().split(",") if len(value) > len(b"{}") else []


_READERS: dict[int, Callable[[bytes], Any]] = {_BIGINT_OID: int, _TEXTS_OID: _texts}
