"""Checks that an Enum member, a NamedTuple or a value of another subclass comes back as its class.

Such a value is stored as its base and read as the class that the annotation names: a `StrEnum` member where
`str` is annotated would come back as text. The check reads the value back and compares. It runs only
after `writing.pack` wrote a value of such a class, and it passes plain values at once: reading decides about
these.
"""

from __future__ import annotations

import collections
from collections.abc import Callable
from enum import Enum
from typing import Any

from continuum.codec.reading import unpack
from continuum.codec.shape_of_type import Undecodable, shape_of
from continuum.codec.shapes import SCALARS, Mismatch, Shape
from continuum.codec.writing import pack

PLAIN = frozenset((*filter(None, SCALARS), list, tuple, set, frozenset, dict, bytearray, memoryview))


def class_check(shape: Shape) -> Callable[[Any], None]:
    """Return the check of single values for a shape that is no record."""
    made = shape.made
    is_enum = made is not None and issubclass(made, Enum)

    def check(value: Any) -> None:
        kind = type(value)
        if kind in PLAIN or (is_enum and kind is made) or _is_frozen_time(kind):
            return
        read = shape.fit(unpack(pack(value)))
        if type(read) is not kind:
            raise Mismatch(would_become_plain(kind, type(read)))
        if _beside_content(read) != _beside_content(value):
            raise Mismatch(
                f"what a {kind.__qualname__} keeps beside its content would not come back; use a dataclass"
            )

    return check


def container_check(name: str, check: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """Return the check of a list, dict, tuple or set: of its own class, and with `check` of what is in it."""

    def check_container(value: Any) -> None:
        kind = type(value)
        if kind not in PLAIN:
            raise Mismatch(would_become_plain(kind, None if name == "items" else name))
        if check is not None:
            check(value)

    return check_container


def would_become_plain(kind: type, read: type | str | None) -> str:
    """Return the reason to refuse a value of a class that reading would replace."""
    name = "a tuple" if read is None else read if isinstance(read, str) else read.__qualname__
    advice = (
        f"annotate {kind.__name__}, or pass a plain value" if _is_readable(kind) else "pass a plain value"
    )
    return f"a {kind.__qualname__} would come back as {name}, which the annotation names; {advice}"


def _is_readable(kind: type) -> bool:
    try:
        shape_of(kind)
    except Undecodable:
        return False
    return True


def _beside_content(value: Any) -> tuple[Any, Any]:
    factory = value.default_factory if isinstance(value, collections.defaultdict) else None
    return factory, getattr(value, "__dict__", None) or None


def _is_frozen_time(kind: type) -> bool:
    # The classes that freezegun puts in place of datetime and date while a test runs.
    return kind.__module__ == "freezegun.api"
