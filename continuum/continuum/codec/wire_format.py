"""The numbers of the wire format, and placeholders for values that are not restored yet.

The numbers and the bytes behind them are the format: they never change meaning
(golden tests check them), and a new kind of value takes a new number.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Any

FORMAT_VERSION = 1

# Every tuple or set inside another costs a Python stack frame or two on both
# ends; msgpack itself stops at 511 levels of lists and maps.
MAX_EXTENSION_DEPTH = 100

# A writer keeps the buffer of its largest payload. After a payload above this size the writer
# is replaced, so that one big payload does not hold that much memory in every thread.
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
    WALL_TIME = 11


LAST_RESERVED_EXTENSION = 31

HEADER = bytes([FORMAT_VERSION])
TIMEDELTA = Struct(">iII")  # days, seconds, microseconds
WALL_TIME_SEPARATOR = ";"  # between the wall time, its fold, and the name of its zone


class SetOfRecords(list[Any]):
    """A set that was read while its elements are still maps, which cannot be hashed."""


class MapOfRecords(list[Any]):
    """A dict that was read, as pairs, while its keys are still maps, which cannot be hashed."""
