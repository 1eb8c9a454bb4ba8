"""Contracts: what a signal takes, described as JSON, so that senders without the type can check it.

`describe` asks the shape of a type what it takes; `checker` builds shapes from the
description, out of the same parts, so that both agree. A contract may accept a value
that the type refuses (a dataclass that raises in `__post_init__`, a pydantic model's own
validation), never the other way round: "any" replaces what cannot be described, and a
reader takes what it does not know (an older version reads it) as "any".

A description is the name of a scalar, or a map with one of these keys: "list", "set",
"frozenset", "tuple" and the abstract collections (what each item takes), "items" (of a
fixed tuple), "dict" (key and item), "union", "literal", "enum", "record" (a name, with
"fields" and those "required") and "again" (the enclosing record, counted from the inside).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeAlias

from continuum.codec.literals_and_enums import literal, read_choice, values_like
from continuum.codec.record_types import fit_fields, record_like
from continuum.codec.shape_of_type import ABSTRACT, COLLECTIONS, Undecodable, shape_of
from continuum.codec.shapes import (
    ANYTHING,
    SCALARS,
    Fit,
    Mismatch,
    Shape,
    collection,
    either_sequence,
    exact,
    fit_deep,
    fixed_tuple,
    mapping,
)
from continuum.codec.unions import AmbiguousUnion, union
from continuum.errors import DurableTermError

Check: TypeAlias = Callable[[Any, str], None]

# A type that is used twice is described twice, so nested types could grow exponentially.
DESCRIBED_SHAPES = 2_000

_PLAIN = {kind.__name__: exact(kind.__name__, kind) for kind in (list, dict, set, frozenset)}
_NAMED: dict[str, Shape] = _PLAIN | {
    "None" if cls is None else cls.__name__: shape for cls, shape in SCALARS.items()
}
_EACH: dict[str, Callable[[Shape], Shape]] = {
    **{
        cls.__name__: partial(collection, cls.__name__, build, cls)
        for cls, build in (*COLLECTIONS.items(), (tuple, tuple))
    },
    **{name: partial(either_sequence, name, kinds) for name, kinds in ABSTRACT.values()},
}


class Typed(Protocol):
    """A declaration with a type that values are checked against."""

    @property
    def type(self) -> Any:
        """The type."""
        ...


def declared(signals: Mapping[str, Typed]) -> Mapping[str, Any] | None:
    """Return what each of these signals takes; None without signals, because then any may be sent."""
    return {name: describe(signal.type) for name, signal in signals.items()} or None


def describe(annotation: Any) -> Any:
    """Return what values of a type look like, as JSON."""
    try:
        return _Describer().describe(shape_of(annotation))
    except Undecodable as error:
        raise DurableTermError("value", str(error)) from error
    except _TooLarge:
        return "any"


def check(description: Any, value: Any, path: str = "value") -> None:
    """Raise `DurableTermError` when a plain value (as `decode` returns it) does not match the description."""
    checker(description)(value, path)


def checker(description: Any) -> Check:
    """Make a function that checks plain values, for a description that is used more than once."""
    shape = _Reader().read(description)

    def check_value(value: Any, path: str) -> None:
        try:
            fit_deep(shape.fit, value)
        except Mismatch as mismatch:
            raise DurableTermError(path + mismatch.where, mismatch.reason) from None

    return check_value


class _TooLarge(Exception):
    """The description would be too large."""


class _Describer:
    """Describes shapes, and stops where one contains itself."""

    def __init__(self) -> None:
        self._open: list[Shape] = []
        self._described = 0

    def describe(self, shape: Shape) -> Any:
        if shape.late is not None:
            shape = shape.late()
        if any(shape is outer for outer in self._open):
            return self._again(shape)
        self._described += 1
        if self._described > DESCRIBED_SHAPES:
            raise _TooLarge
        self._open.append(shape)
        try:
            return shape.describes(self.describe)
        finally:
            self._open.pop()

    def _again(self, shape: Shape) -> Any:
        records = [outer for outer in reversed(self._open) if outer.record is not None]
        return next(({"again": place} for place, outer in enumerate(records) if outer is shape), "any")


class _Reader:
    """Makes shapes from descriptions."""

    def __init__(self) -> None:
        self._literals: dict[type, Mapping[str, frozenset[Any]]] = {}
        self._open: list[tuple[type, dict[str, Fit]]] = []

    def read(self, description: Any) -> Shape:
        if isinstance(description, str):
            return _NAMED.get(description, ANYTHING)
        match description:
            case {"record": str(name), "fields": dict(fields), "required": [*required]}:
                return self._record(name, fields, required)
            case {"again": int(place)} if 0 <= place < len(self._open):
                return _record_shape(*self._open[-1 - place])
            case {"union": [*members]}:
                return self._union(members)
            case {"items": [*items]}:
                return fixed_tuple(tuple(map(self.read, items)))
            case {"dict": [key, item]}:
                return mapping(self.read(key), self.read(item))
            case {"literal": [*values]}:
                return literal(tuple(map(read_choice, values)))
            case {"enum": [*values]}:
                return values_like([read_choice(value) for value in values])
            case dict() if len(description) == 1:
                return self._collection(*next(iter(description.items())))
            case _:
                return ANYTHING

    def _collection(self, kind: object, item: Any) -> Shape:
        make = _EACH.get(str(kind))
        return ANYTHING if make is None else make(self.read(item))

    def _union(self, members: list[Any]) -> Shape:
        try:
            return union([self.read(member) for member in members], self._literals.__getitem__)
        except AmbiguousUnion:
            return ANYTHING

    def _record(self, name: str, fields: Mapping[str, Any], required: list[str]) -> Shape:
        cls = record_like(name, list(fields), required)
        self._literals[cls] = {
            field: frozenset(map(read_choice, described["literal"]))
            for field, described in fields.items()
            if isinstance(described, dict) and "literal" in described
        }
        fits: dict[str, Fit] = {}
        self._open.append((cls, fits))
        fits |= {field: self.read(described).fit for field, described in fields.items()}
        self._open.pop()
        return _record_shape(cls, fits)


def _record_shape(cls: type, fits: Mapping[str, Fit]) -> Shape:
    required: frozenset[str] = cls.__required_keys__  # type: ignore[attr-defined]

    def fit(value: Any) -> Any:
        fit_fields(cls.__name__, fits, required, value)
        # A record can be a member of a set, so return a hashable placeholder.
        return object()

    return Shape(fit, frozenset((dict,)), record=cls)
