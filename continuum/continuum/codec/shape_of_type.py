"""Annotations to shapes: the one place that knows how Python spells types.

`shape_of` compiles an annotation once and caches the result. An annotation that is met
again while it is being compiled (it is recursive) is bound late. What an annotation
means for a value is in `shapes`, `unions` and `record_types`.
"""

from __future__ import annotations

import collections
import types
import typing
from collections import abc
from collections.abc import Callable
from enum import Enum
from threading import RLock
from typing import Any

from continuum.codec.literals_and_enums import literal, members_of
from continuum.codec.record_types import build_record, describe_record, is_record
from continuum.codec.shapes import (
    ANYTHING,
    SCALARS,
    Fit,
    Mismatch,
    Shape,
    collection,
    either_sequence,
    exact,
    fit_each,
    fixed_tuple,
    kind_of,
    mapping,
)
from continuum.codec.unions import union
from continuum.failures.exception_text import message_of
from continuum.quoting import quoted, shortened

_SEQUENCES = frozenset((list, tuple))
_SETS = frozenset((set, frozenset))
ABSTRACT: dict[Any, tuple[str, frozenset[type]]] = {
    abc.Sequence: ("Sequence", _SEQUENCES),
    abc.MutableSequence: ("MutableSequence", frozenset((list,))),
    abc.Collection: ("Collection", _SEQUENCES | _SETS),
    abc.Iterable: ("Iterable", _SEQUENCES | _SETS),
    abc.Set: ("Set", _SETS),
    abc.MutableSet: ("MutableSet", frozenset((set,))),
}
COLLECTIONS: dict[Any, Callable[[Any], Any] | None] = {list: None, set: set, frozenset: frozenset}
_MAPPINGS = frozenset((dict, abc.Mapping, abc.MutableMapping))
_WRAPPERS = frozenset((typing.Annotated, typing.Required, typing.NotRequired, typing.ClassVar, typing.Final))
_SUBCLASSED: tuple[type, ...] = (str, int, float, bytes, list, dict, set, frozenset)

_shapes: dict[Any, Shape] = {}
_compiling: dict[Any, None] = {}
_lock = RLock()


class Undecodable(Exception):
    """This annotation does not say how to read a value."""


def shape_of(annotation: Any) -> Shape:
    """Compile an annotation; raises Undecodable when values of it could not be read back."""
    try:
        shape = _shapes.get(annotation)
    except TypeError:  # unhashable metadata or literals: compiled each time
        return _compile(annotation)
    if shape is not None:
        return shape
    with _lock:
        if annotation in _compiling:
            return Shape(
                lambda value: shape_of(annotation).fit(value),
                late=lambda: shape_of(annotation),
                **_outline(annotation),
            )
        _compiling[annotation] = None
        try:
            shape = _compile(annotation)
        except Undecodable:
            raise
        except NameError as error:
            raise Undecodable(
                f"{shortened(error)}, which {quoted(annotation)} mentions; define it at module level"
            ) from error
        except Exception as error:
            raise Undecodable(str(error)) from error
        finally:
            del _compiling[annotation]
        _shapes[annotation] = shape
        return shape


def _outline(annotation: Any) -> dict[str, Any]:
    # A union needs this of a record that is still being compiled.
    cls = typing.get_origin(annotation) or annotation
    return {"takes": frozenset((dict,)), "record": cls} if is_record(cls) else {}


def _compile(annotation: Any) -> Shape:
    if annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar):
        return ANYTHING
    if annotation is None or isinstance(annotation, type):
        scalar = SCALARS.get(annotation)
        if scalar is not None:
            return scalar
    if isinstance(annotation, (str, typing.ForwardRef)):
        return _unresolved(annotation)
    if isinstance(annotation, typing.NewType):
        return shape_of(annotation.__supertype__)
    alias: Any = annotation
    if hasattr(alias, "__value__"):  # type X = ...
        return shape_of(alias.__value__)
    origin: Any = typing.get_origin(annotation)
    if hasattr(origin, "__value__"):
        return shape_of(origin.__value__[typing.get_args(annotation)])
    return _compile_generic(annotation, origin or annotation, typing.get_args(annotation))


def _compile_generic(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
    if origin in _WRAPPERS:
        return shape_of(arguments[0])
    if origin is typing.Union or origin is types.UnionType:
        return union([shape_of(member) for member in _members(arguments)], literal_fields)
    if origin is typing.Literal:
        return literal(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin in COLLECTIONS:
        return collection(origin.__name__, COLLECTIONS[origin], origin, _argument(arguments, 0))
    if origin in _MAPPINGS:
        return mapping(_argument(arguments, 0), _argument(arguments, 1))
    if origin in ABSTRACT:
        return either_sequence(*ABSTRACT[origin], _argument(arguments, 0))
    if isinstance(origin, type):
        return _compile_class(annotation, origin, arguments)
    raise Undecodable(
        f"the annotation {quoted(annotation)} does not say how to read a value; use a dataclass"
    )


def _members(arguments: tuple[Any, ...]) -> list[Any]:
    # A union behind an alias or an Annotated is not flattened by typing.
    members: list[Any] = []
    for argument in arguments:
        while typing.get_origin(argument) is typing.Annotated or hasattr(argument, "__value__"):
            argument = getattr(argument, "__value__", None) or typing.get_args(argument)[0]
        is_union = typing.get_origin(argument) in (typing.Union, types.UnionType)
        members += _members(typing.get_args(argument)) if is_union else [argument]
    return members


def _compile_class(annotation: Any, cls: type, arguments: tuple[Any, ...]) -> Shape:
    if issubclass(cls, Enum):
        return members_of(cls)
    if is_record(cls):
        parameters = getattr(annotation, "__parameters__", ())
        if annotation is cls and parameters:
            return shape_of(typing.cast("Any", cls)[(Any,) * len(parameters)])
        fit = build_record(annotation, cls, lambda field: shape_of(field).fit)
        return Shape(
            fit,
            frozenset((dict,)),
            record=cls,
            describes=lambda describe: describe_record(
                annotation, cls, lambda field: describe(shape_of(field))
            ),
        )
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple(cls)
    if cls is bytearray or cls is memoryview:
        stored = SCALARS[bytes]
        return Shape(lambda value: cls(stored.fit(value)), stored.takes, describes=stored.describes)
    for base in _SUBCLASSED:
        if issubclass(cls, base):
            return _subclass(cls, base, arguments)
    raise Undecodable(f"values of class {cls.__qualname__} cannot be stored; make it a dataclass")


def _argument(arguments: tuple[Any, ...], position: int) -> Shape:
    return shape_of(arguments[position]) if len(arguments) > position else ANYTHING


def _tuple(arguments: tuple[Any, ...]) -> Shape:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return collection("tuple", tuple, tuple, shape_of(arguments[0]))
    if not arguments:
        return collection("tuple", tuple, tuple, ANYTHING)
    return fixed_tuple(tuple(shape_of(argument) for argument in arguments if argument != ()))


def _named_tuple(cls: Any) -> Shape:
    hints = typing.get_type_hints(cls)
    shapes = tuple(shape_of(hints.get(name, Any)) for name in cls._fields)
    fewest = len(shapes) - len(cls._field_defaults)

    def fit(value: Any) -> Any:
        if type(value) is not tuple and type(value) is not list:
            raise Mismatch(f"expected {cls.__qualname__}, got {kind_of(value)}")
        if not fewest <= len(value) <= len(shapes):
            raise Mismatch(f"expected {cls.__qualname__} of {len(shapes)} items, got {len(value)}")
        return cls(*fit_each(shapes, value))

    def describes(describe: Callable[[Shape], Any]) -> Any:
        # Items with a default may be missing, from the end.
        lengths = range(fewest, len(shapes) + 1)
        return {"union": [{"items": [describe(shape) for shape in shapes[:length]]} for length in lengths]}

    return Shape(fit, frozenset((tuple,)), frozenset((list,)), made=cls, describes=describes)


def _subclass(cls: Any, base: type, arguments: tuple[Any, ...]) -> Shape:
    if issubclass(cls, collections.Counter):
        inner = mapping(_argument(arguments, 0), SCALARS[int])
    elif arguments:
        inner = _compile_generic(base, base, arguments)
    else:
        inner = SCALARS.get(base) or exact(base.__name__, base)
    is_defaultdict = issubclass(cls, collections.defaultdict)

    def fit(value: Any) -> Any:
        plain = inner.fit(value)
        try:
            # pyright cannot know that a subclass of a plain type takes the arguments of its base.
            return cls(None, plain) if is_defaultdict else cls(plain)  # pyright: ignore[reportCallIssue]
        except Exception as error:
            raise Mismatch(f"{type(error).__name__}: {shortened(message_of(error))}") from error

    return Shape(fit, inner.takes, made=cls, describes=inner.describes)


def _unresolved(annotation: str | typing.ForwardRef) -> Shape:
    if getattr(annotation, "__forward_evaluated__", False):
        return shape_of(annotation.__forward_value__)  # type: ignore[union-attr]
    name = annotation if isinstance(annotation, str) else annotation.__forward_arg__

    def fit(value: Any) -> Any:
        # Only a record needs its class; any other value is already restored.
        if type(value) is dict:
            raise Mismatch(
                f"its annotation {quoted(name)} cannot be resolved; define the class at module level"
            )
        return value

    return Shape(fit)


def literal_fields(cls: type) -> dict[str, frozenset[Any]]:
    """Return the fields of a record that are annotated as literals, with these."""
    hints = typing.get_type_hints(cls)
    return {
        name: frozenset(typing.get_args(hint))
        for name, hint in hints.items()
        if typing.get_origin(hint) is typing.Literal
    }


def fit_of(annotation: Any) -> Fit | None:
    """Return the function that fits a plain value to the annotation; None when every value fits."""
    shape = shape_of(annotation)
    return None if shape.passes else shape.fit
