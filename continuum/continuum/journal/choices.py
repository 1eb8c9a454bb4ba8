"""Shapes that pick single values: literals and enums."""

from __future__ import annotations

from enum import Enum
from typing import Any

from continuum.journal.shapes import Misfit, Shape

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

    return Shape(fit, kinds, narrow=True)


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

    return Shape(fit, kinds, narrow=True)


def _plain_type(value: object) -> type:
    return next((base for base in _PLAIN if isinstance(value, base)), type(value))
