"""The numbers of the wire format, and what stands in for a value on its way back.

The numbers and the bytes behind them are the format: they never change meaning
(golden tests hold them), a new kind of value takes a new number.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Any

FORMAT_VERSION = 1

# Every tuple or set inside another costs a Python stack frame or two on both
# ends; msgpack itself stops at 511 levels of lists and maps.
MAX_EXTENSION_DEPTH = 100

# A writer keeps the buffer of its largest payload. Past this size it is thrown
# away with its writer, so one big payload does not cost every thread that much.
KEPT_BUFFER_BYTES = 1 << 20

# Each nested writer starts with a small buffer: most tuples and sets are short.
NESTED_BUFFER_BYTES = 4096


class Extension(IntEnum):
    """The msgpack extension numbers in use; up to 31 they belong to this format."""

    TUPLE = 1
    SET = 2
    FROZENSET = 3
    BIG_INTEGER = 4
    DATETIME = 5
    DATE = 6
    TIME = 7
    TIMEDELTA = 8
    UUID = 9
    DECIMAL = 10


LAST_RESERVED_EXTENSION = 31

HEADER = bytes([FORMAT_VERSION])
TIMEDELTA = Struct(">iII")  # days, seconds, microseconds


class SetOfRecords(list[Any]):
    """What a set reads as while its elements are still maps and cannot be hashed."""


class MapOfRecords(list[Any]):
    """What a dict reads as, in pairs, while its keys are still maps and cannot be hashed."""
