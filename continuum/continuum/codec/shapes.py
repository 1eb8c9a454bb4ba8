"""Shapes: what a plain value must look like to be an int, a list of dates, a tuple …

A `Fit` takes a plain value (what `reading` returns) and returns it as the
annotated type, or raises `Mismatch`. Nothing is coerced: "5" is never an int.
What a type checker accepts fits, and stays unchanged: an int where a
float is expected, a bool where an int is expected, a datetime for a date. A
list fits where a tuple or a set is expected, because senders of JSON have only lists.

A shape also describes what it takes, as JSON, for processes without the type: see `signal_contracts`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from threading import RLock
from typing import Any, Self, TypeAlias
from uuid import UUID

from continuum.codec.wire_format import MapOfRecords, SetOfRecords
from continuum.failures.exception_text import message_of
from continuum.quoting import quoted, shortened

Fit = Callable[[Any], Any]

# 1,024 levels that msgpack can hold, times the frames that a list of records takes a level.
DEEPEST_FRAMES = 16_000

_deep = RLock()  # the recursion limit belongs to the whole process


class Mismatch(Exception):
    """A value does not fit its annotation. `where` is a path that each level extends as the error passes."""

    def __init__(self, reason: str) -> None:
        self.reason = " ".join(reason.split())  # keep the error on one line
        super().__init__(self.reason)
        self.where = ""

    def under(self, step: str) -> Self:
        """Prepend a step to the path."""
        self.where = step + self.where
        return self


Describing: TypeAlias = "Callable[[Callable[[Shape], Any]], Any]"
"""Returns what a shape takes, as JSON; its argument describes the shapes inside."""


def describe_anything(_describe: Callable[[Shape], Any]) -> str:
    """Describe a shape without saying what fits."""
    return "any"


@dataclass(frozen=True, slots=True)
class Shape:
    """A compiled annotation; `takes` names the plain types it may fit, empty for all of them."""

    fit: Fit
    takes: frozenset[type] = frozenset()
    also: frozenset[type] = frozenset()  # takes these too, if no other member of a union takes them
    passes: bool = False  # takes every value unchanged
    keeps: frozenset[type] = frozenset()  # takes exactly these types, and leaves the values unchanged
    record: type | None = None
    made: type | None = None  # the class that it makes of a built-in value
    narrow: bool = False  # takes single values: tried before the wider shapes of a union
    describes: Describing = describe_anything  # never narrower than what fits
    late: Callable[[], Shape] | None = None  # the shape of a recursive annotation, once it is compiled


def kind_of(value: object) -> str:
    """Name the type of a plain value for an error message."""
    if value is None:
        return "None"
    if isinstance(value, SetOfRecords):
        return "set"
    return "dict" if isinstance(value, MapOfRecords) else type(value).__name__


def key_step(key: object) -> str:
    """Return the step of a path that leads to a key of a dict."""
    if type(key) is str and key.isidentifier():
        return f".{shortened(key)}"
    return f"[{quoted(key)}]" if type(key) in SCALARS else f"[{type(key).__name__}]"


def fit_deep(fit: Fit, value: Any) -> Any:
    """Fit a value, with more room on the stack when it is nested very deeply.

    The writer recurses in C as deep as msgpack allows; reading a record takes a few Python
    frames a level. Without the room, a value could be written and never be read.
    """
    try:
        return fit(value)
    except RecursionError:
        with _deep:
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(limit + DEEPEST_FRAMES)
            try:
                return fit(value)
            finally:
                sys.setrecursionlimit(limit)


def _keep(value: Any) -> Any:
    return value


ANYTHING = Shape(_keep, passes=True)


def exact(name: str, *accepted: type) -> Shape:
    """Make the shape of values that stay unchanged when their type is one of these."""
    first = accepted[0]
    others = frozenset(accepted[1:])
    keeps = frozenset(accepted)

    def fit(value: Any) -> Any:
        cls = type(value)
        if cls is first or cls in others:
            return value
        raise Mismatch(f"expected {name}, got {kind_of(value)}")

    return Shape(fit, frozenset((first,)), others, keeps=keeps, describes=lambda _: name)


SCALARS: dict[Any, Shape] = {
    int: exact("int", int, bool),
    str: exact("str", str),
    float: exact("float", float, int, bool),
    bool: exact("bool", bool),
    bytes: exact("bytes", bytes),
    type(None): exact("None", type(None)),
    None: exact("None", type(None)),
    datetime: exact("datetime", datetime),
    date: exact("date", date, datetime),
    time: exact("time", time),
    timedelta: exact("timedelta", timedelta),
    UUID: exact("UUID", UUID),
    Decimal: exact("Decimal", Decimal),
}


def keeps_all(shape: Shape, items: Iterable[Any]) -> bool:
    """Whether every item fits unchanged, checked at the speed of C."""
    return shape.passes or (bool(shape.keeps) and shape.keeps.issuperset(map(type, items)))


def fit_items(shape: Shape, items: Sequence[Any] | Iterable[Any], step: str = "[{}]") -> list[Any]:
    """Fit every item; a mismatch names the index."""
    fitted: list[Any] = []
    fit = shape.fit
    try:
        for item in items:
            fitted.append(fit(item))  # noqa: PERF401 - its length is the index of a mismatch
    except Mismatch as mismatch:
        raise mismatch.under(step.format(len(fitted))) from mismatch.__cause__
    return fitted


def collection(name: str, build: Callable[[Iterable[Any]], Any] | None, takes: type, shape: Shape) -> Shape:
    """Make the shape of a list, tuple, set or frozenset of one kind of item."""
    others: dict[type, tuple[type, ...]] = {list: (), tuple: (list,)}
    also = others.get(takes, (set, frozenset, list, SetOfRecords))
    kinds = frozenset((takes, *also))
    step = "[{}]" if takes in (list, tuple) else "{{}}"

    def fit(value: Any) -> Any:
        if type(value) not in kinds:
            raise Mismatch(f"expected {name}, got {kind_of(value)}")
        items = value if keeps_all(shape, value) else fit_items(shape, value, step)
        if build is None:
            return items
        try:
            return build(items)
        except TypeError as error:
            raise Mismatch(message_of(error)) from error

    return Shape(
        fit, frozenset((takes,)), frozenset(also), describes=lambda describe: {name: describe(shape)}
    )


def either_sequence(name: str, kinds: frozenset[type], shape: Shape) -> Shape:
    """Make the shape of an abstract Sequence, Set or Collection: the container keeps its type."""

    def fit(value: Any) -> Any:
        if type(value) is SetOfRecords and set in kinds:
            return set(fit_items(shape, value, "{{}}"))
        if type(value) not in kinds:
            raise Mismatch(f"expected {name}, got {kind_of(value)}")
        return value if keeps_all(shape, value) else type(value)(fit_items(shape, value))

    also = frozenset((SetOfRecords,)) if set in kinds else frozenset[type]()
    return Shape(fit, kinds, also, describes=lambda describe: {name: describe(shape)})


def fixed_tuple(shapes: tuple[Shape, ...]) -> Shape:
    """Make the shape of a tuple whose items each have their own shape."""

    def fit(value: Any) -> Any:
        if type(value) is not tuple and type(value) is not list:
            raise Mismatch(f"expected tuple, got {kind_of(value)}")
        if len(value) != len(shapes):
            raise Mismatch(f"expected a tuple of {len(shapes)}, got one of {len(value)}")
        return tuple(fit_each(shapes, value))

    return Shape(
        fit,
        frozenset((tuple,)),
        frozenset((list,)),
        describes=lambda describe: {"items": [describe(shape) for shape in shapes]},
    )


def fit_each(shapes: Sequence[Shape], values: Sequence[Any]) -> list[Any]:
    """Fit each value to its own shape; a mismatch names the index."""
    fitted: list[Any] = []
    try:
        for shape, value in zip(shapes, values, strict=False):
            fitted.append(shape.fit(value))
    except Mismatch as mismatch:
        raise mismatch.under(f"[{len(fitted)}]") from mismatch.__cause__
    return fitted


def mapping(key: Shape, item: Shape) -> Shape:
    """Make the shape of a dict."""

    def fit(value: Any) -> Any:
        if type(value) is dict:
            if keeps_all(key, value) and keeps_all(item, value.values()):
                return value
            pairs: Iterable[tuple[Any, Any]] = value.items()
        elif type(value) is MapOfRecords:
            pairs = value
        else:
            raise Mismatch(f"expected dict, got {kind_of(value)}")
        fitted = {}
        for name, element in pairs:
            try:
                fitted[_fit_key(key, name)] = item.fit(element)
            except Mismatch as mismatch:
                raise mismatch.under(key_step(name)) from mismatch.__cause__
        return fitted

    return Shape(
        fit,
        frozenset((dict,)),
        frozenset((MapOfRecords,)),
        describes=lambda describe: {"dict": [describe(key), describe(item)]},
    )


def _fit_key(key: Shape, name: Any) -> Any:
    try:
        fitted = key.fit(name)
        hash(fitted)
    except Mismatch as mismatch:
        raise Mismatch(f"as a key: {mismatch.reason}") from mismatch
    except TypeError as error:
        raise Mismatch(f"as a key: {error}") from error
    return fitted
