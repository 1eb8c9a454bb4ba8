"""Shapes that pick single values: literals and enums.

Their values stand in JSON as they are where JSON has them, and else as the bytes they are stored as.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from continuum.codec.reading import unpack
from continuum.codec.shapes import Misfit, Shape
from continuum.codec.writing import pack

# What a member's value is stored as when it is of a subclass; the first base wins.
_PLAIN: tuple[type, ...] = (bool, str, int, float, bytes, list, dict, set, frozenset, tuple)


def literal(values: tuple[Any, ...]) -> Shape:
    """Make the shape of a Literal; 1 and True are not the same literal."""
    by_plain = {_key(value.value if isinstance(value, Enum) else value): value for value in values}
    kinds = frozenset(kind for kind, _ in by_plain)

    def fit(value: Any) -> Any:
        if type(value) in kinds and (key := _key(value)) in by_plain:
            return by_plain[key]
        raise Misfit(f"expected one of {', '.join(map(repr, values))}")

    told = [_told(value) for _, value in by_plain]
    return Shape(fit, kinds, narrow=True, tells=lambda _: {"literal": told})


def _key(value: object) -> tuple[type, object]:
    return type(value), value


def members_of(cls: type[Enum]) -> Shape:
    """Make the shape of an Enum, whose members are stored as their values."""
    kinds = frozenset(_plain_type(member.value) for member in cls)

    def fit(value: Any) -> Any:
        try:
            return cls(value)
        except (ValueError, TypeError, KeyError) as error:
            raise Misfit(f"no member of {cls.__qualname__} has this value") from error

    # With a say of its own, the class may take values that no member has.
    closed = cls._missing_.__func__ is Enum._missing_.__func__  # type: ignore[attr-defined]
    told = {"enum": [_told(member.value) for member in cls]}
    return Shape(fit, kinds, narrow=True, tells=lambda _: told if closed else "any")


def values_like(values: Sequence[Any]) -> Shape:
    """Make the shape of an Enum of which only the members' values are known."""

    def fit(value: Any) -> Any:
        if value in values:
            return value
        raise Misfit(f"expected one of {', '.join(map(repr, values))}")

    return Shape(fit, frozenset(map(_plain_type, values)), narrow=True)


def choice_of(told: Any) -> Any:
    """Read a value that a literal or an enum has told."""
    return unpack(bytes.fromhex(told["stored"])) if isinstance(told, dict) else told


def _told(value: object) -> Any:
    if value is None or type(value) in (str, int, bool):
        return value
    return {"stored": pack(value).hex()}


def _plain_type(value: object) -> type:
    return next((base for base in _PLAIN if isinstance(value, base)), type(value))
