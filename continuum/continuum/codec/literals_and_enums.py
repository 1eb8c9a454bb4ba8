"""Shapes that pick single values: literals and enums.

A description holds their values as JSON values where JSON has them, otherwise as their stored bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from continuum.codec.reading import unpack
from continuum.codec.shapes import Mismatch, Shape
from continuum.codec.writing import pack

# The type that a value of a subclass is stored as; the first base wins.
_PLAIN: tuple[type, ...] = (bool, str, int, float, bytes, list, dict, set, frozenset, tuple)


def literal(values: tuple[Any, ...]) -> Shape:
    """Make the shape of a Literal; 1 and True are not the same literal."""
    by_plain = {_key(value.value if isinstance(value, Enum) else value): value for value in values}
    kinds = frozenset(kind for kind, _ in by_plain)

    def fit(value: Any) -> Any:
        if type(value) in kinds and (key := _key(value)) in by_plain:
            return by_plain[key]
        raise Mismatch(f"expected one of {', '.join(map(repr, values))}")

    choices = [_stored_choice(value) for _, value in by_plain]
    return Shape(fit, kinds, narrow=True, describes=lambda _: {"literal": choices})


def _key(value: object) -> tuple[type, object]:
    return type(value), value


def members_of(cls: type[Enum]) -> Shape:
    """Make the shape of an Enum, whose members are stored as their values."""
    kinds = frozenset(_plain_type(member.value) for member in cls)

    def fit(value: Any) -> Any:
        try:
            return cls(value)
        except (ValueError, TypeError, KeyError) as error:
            raise Mismatch(f"no member of {cls.__qualname__} has this value") from error

    # A class with its own `_missing_` may take values that no member has.
    closed = cls._missing_.__func__ is Enum._missing_.__func__  # type: ignore[attr-defined]
    described = {"enum": [_stored_choice(member.value) for member in cls]}
    return Shape(fit, kinds, made=cls, narrow=True, describes=lambda _: described if closed else "any")


def values_like(values: Sequence[Any]) -> Shape:
    """Make the shape of an Enum when only the values of its members are known."""

    def fit(value: Any) -> Any:
        if value in values:
            return value
        raise Mismatch(f"expected one of {', '.join(map(repr, values))}")

    return Shape(fit, frozenset(map(_plain_type, values)), narrow=True)


def read_choice(described: Any) -> Any:
    """Read a value from the description of a literal or an enum."""
    return unpack(bytes.fromhex(described["stored"])) if isinstance(described, dict) else described


def _stored_choice(value: object) -> Any:
    if value is None or type(value) in (str, int, bool):
        return value
    return {"stored": pack(value).hex()}


def _plain_type(value: object) -> type:
    return next((base for base in _PLAIN if isinstance(value, base)), type(value))
