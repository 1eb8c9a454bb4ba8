"""Frozen records as JSON, and back: for what one release of a node stores and another one reads.

What is written is fit for any JSON column: texts are one printable line, numbers are finite. What is read is
checked: unknown fields are ignored, absent ones have their defaults, and anything else is an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from continuum.quoting import one_line

T = TypeVar("T")

# For a path, a line or a name: a longer one says no more to people.
MOST_CHARACTERS = 400
# A tree of actors has five levels. What is deeper was not written by a node.
MOST_LEVELS = 20
# No count, and no number of bytes or seconds, is larger.
_LARGEST = 2**53


class UnreadableRecord(ValueError):
    """Stored JSON is not the record that it should be."""


def as_json(value: object) -> Any:
    """Return a record as JSON values."""
    if isinstance(value, str):
        return one_line(value, MOST_CHARACTERS)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    if is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in fields(value)}
    return value


def read_record(kind: type[T], stored: object, levels: int = MOST_LEVELS) -> T:
    """Return a record from JSON values; raises `UnreadableRecord`."""
    if not isinstance(stored, Mapping) or not levels:
        raise UnreadableRecord(f"no {kind.__name__}")
    found = {}
    of_kind: Any = kind
    for name, (hint, required) in _fields_of(of_kind).items():
        if name in stored:
            found[name] = _value(hint, stored[name], levels - 1)
        elif required:
            raise UnreadableRecord(f"{kind.__name__} without {name}")
    return kind(**found)


@cache
def _fields_of(kind: type[Any]) -> dict[str, tuple[Any, bool]]:
    """Return type and whether it is required, by the names of the fields."""
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], field.default is MISSING) for field in fields(kind)}


def _value(hint: Any, stored: Any, levels: int) -> Any:
    if isinstance(hint, UnionType):
        if stored is None:
            return None
        (hint,) = [each for each in get_args(hint) if each is not NoneType]
    if get_origin(hint) is tuple:
        if not isinstance(stored, list):
            raise UnreadableRecord("no list")
        (element, _) = get_args(hint)
        return tuple(_value(element, each, levels) for each in stored)
    if isinstance(hint, type) and is_dataclass(hint):
        return read_record(hint, stored, levels)
    if hint is str and isinstance(stored, str):
        return one_line(stored, MOST_CHARACTERS)
    if hint is bool and isinstance(stored, bool):
        return stored
    if hint in (int, float) and _is_number(stored, whole=hint is int):
        return stored
    raise UnreadableRecord(f"no {hint}")


def _is_number(stored: Any, *, whole: bool) -> bool:
    if isinstance(stored, bool) or not isinstance(stored, int if whole else int | float):
        return False
    return abs(stored) <= _LARGEST
