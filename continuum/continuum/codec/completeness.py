"""Checks before writing that a value comes back as the class it has.

A record is stored as its fields and read as the class that the annotation names. A value of a
subclass would lose its own fields and its class on the way, without an error. The check
walks the value next to its annotation and refuses a record of another class. It follows the
descriptions that shapes give of themselves.

`writing.pack` runs a check only after it wrote a value of a class that msgpack does not restore, so that
plain values cost nothing. What the annotation leaves open (`Any`) is not checked: the reader
asked for plain values. A pydantic model with serializers or validators of its own
decides itself what it keeps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from continuum.codec.kept_classes import PLAIN, class_check, container_check
from continuum.codec.rebuilt_records import rebuilding_check
from continuum.codec.record_types import is_pydantic, is_record, may_reshape
from continuum.codec.shape_of_type import Undecodable, shape_of
from continuum.codec.shapes import SCALARS, Mismatch, Shape, key_step

Check = Callable[[Any, bool], None]
"""Raises Mismatch for a value that would change; told whether it has classes that are no records."""

_Check = Callable[[Any], None]

_SETS = (set, frozenset)
_CONTAINERS = (list, tuple, *_SETS)


@dataclass(frozen=True, slots=True)
class _Inner:
    shape: Shape


class Completeness:
    """The check of values for one annotation: of records alone, or of all classes when there are others."""

    __slots__ = ("_of_all", "_of_records", "_shape")

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._of_records = _check_of(shape, False)
        self._of_all: _Check | None = None

    def __call__(self, value: Any, has_classes: bool) -> None:
        """Check a value."""
        if not has_classes:
            if self._of_records is not None:
                self._of_records(value)
            return
        check = self._of_all
        if check is None:
            check = self._of_all = _check_of(self._shape, True) or _pass
        check(value)


def completeness_check(annotation: Any) -> Check | None:
    """Return the check of values for one annotation; None when every value is taken as it is.

    The check raises Mismatch. An annotation that cannot be read has none: reading reports it.
    """
    try:
        shape = shape_of(annotation)
        return None if shape.passes else Completeness(shape)
    except Undecodable:
        return None


def check_without_annotation(value: Any, _has_classes: bool = True) -> None:
    """Refuse a value with a part that only an annotation restores: an Enum, a record, a subclass."""
    kind = type(value)
    if kind is dict:
        for name, item in value.items():
            _check_each((key_step(name), check_without_annotation, part) for part in (name, item))
    elif kind is list or kind is tuple:
        _check_each((f"[{at}]", check_without_annotation, item) for at, item in enumerate(value))
    elif kind in _SETS:
        _check_each(("{}", check_without_annotation, item) for item in value)
    elif kind not in SCALARS:
        raise Mismatch(
            f"a {kind.__qualname__} would come back as a plain value; "
            "say its type with type=, or pass plain data"
        )


def _pass(_value: Any) -> None:
    """Take every value."""


def _check_of(shape: Shape, classes: bool) -> _Check | None:
    """Return the check of one shape: of records alone, or of `classes` as well."""
    late = shape.late
    if late is not None:
        return _late_check(late, classes)
    if shape.record is not None:
        return _record_check(shape, shape.record, classes)
    described = shape.describes(_Inner)
    inner = _described_check(described, classes)
    if not classes or shape.passes:
        return inner
    if shape.made is None and isinstance(described, dict):
        if "union" in described:
            return _union_of_classes_check(shape, described["union"], inner)
        name = next(iter(described))
        if name not in ("literal", "enum"):
            return container_check(name, inner)
    own = class_check(shape)
    return own if inner is None else _both(own, inner)


def _both(first: _Check, second: _Check) -> _Check:
    def check(value: Any) -> None:
        first(value)
        second(value)

    return check


def _union_of_classes_check(shape: Shape, members: list[Any], inner: _Check | None) -> _Check | None:
    shapes = [member.shape for member in members if isinstance(member, _Inner)]
    if any(not each.takes and each.record is None for each in shapes):
        return None  # it takes whatever comes as it is
    of_class = class_check(shape)
    by_class = {each.made: _check_of(each, True) for each in shapes if each.made is not None}

    def check(value: Any) -> None:
        kind = type(value)
        if kind in PLAIN or (is_record(kind) and not issubclass(kind, Enum)):
            if inner is not None:
                inner(value)
            return
        of_class(value)
        own = by_class.get(kind)
        if own is not None:
            own(value)

    return check


def _late_check(late: Callable[[], Shape], classes: bool) -> _Check:
    found: list[_Check | None] = []

    def check(value: Any) -> None:
        if not found:
            found.append(_check_of(late(), classes))
        if found[0] is not None:
            found[0](value)

    return check


def _described_check(described: Any, classes: bool) -> _Check | None:
    match described:
        case _Inner(shape):
            return _check_of(shape, classes)
        case {"items": items}:
            return _positions_check([_described_check(item, classes) for item in items])
        case {"dict": [key, item]}:
            return _mapping_check(_described_check(key, classes), _described_check(item, classes))
        case {"union": members}:
            return _union_check(members, classes)
        case {"literal": _} | {"enum": _}:
            return None
        case {**kinds} if kinds:
            return _items_check(_described_check(next(iter(kinds.values())), classes))
        case _:
            return None


def _items_check(item: _Check | None) -> _Check | None:
    if item is None:
        return None
    record = getattr(item, "__self__", None)
    keeps_all = record.keeps_all if isinstance(record, _RecordCheck) else None

    def check(values: Any) -> None:
        if not isinstance(values, _CONTAINERS) or (keeps_all is not None and keeps_all(values)):
            return
        at = 0
        try:
            for value in values:
                item(value)
                at += 1
        except Mismatch as mismatch:
            raise mismatch.under("{}" if isinstance(values, _SETS) else f"[{at}]") from None

    return check


def _positions_check(items: list[_Check | None]) -> _Check | None:
    if not any(items):
        return None

    def check(values: Any) -> None:
        if isinstance(values, _CONTAINERS):
            _check_each(
                (f"[{at}]", item, value)
                for at, (item, value) in enumerate(zip(items, values, strict=False))
                if item is not None
            )

    return check


def _mapping_check(key: _Check | None, item: _Check | None) -> _Check | None:
    if key is None and item is None:
        return None

    def check(values: Any) -> None:
        if isinstance(values, dict):
            for name, value in values.items():
                checks = ((key, name), (item, value))
                _check_each((key_step(name), one, part) for one, part in checks if one is not None)

    return check


def _check_each(steps: Iterable[tuple[str, _Check, Any]]) -> None:
    for step, check, value in steps:
        try:
            check(value)
        except Mismatch as mismatch:
            raise mismatch.under(step) from None


def _union_check(members: list[Any], classes: bool) -> _Check | None:
    shapes = [member.shape for member in members if isinstance(member, _Inner)]
    if any(not shape.takes and shape.record is None for shape in shapes):
        return None  # it takes plain maps as they are
    if len(shapes) < len(members):
        # A NamedTuple describes itself once for each length; the last one has all items.
        return _described_check(members[-1], classes)
    records = {
        _class_of(shape.record): _check_of(shape, classes) for shape in shapes if shape.record is not None
    }
    others = [
        (shape.takes | shape.also, _check_of(shape, classes)) for shape in shapes if shape.record is None
    ]
    if not records and not any(check for _, check in others):
        return None

    def check(value: Any) -> None:
        kind = type(value)
        own = records.get(_class_of(kind))
        if own is not None:
            own(value)
        elif records and _is_instance_of_record(value):
            if not any(_is_loaded_twice(kind, known) for known in records):
                raise Mismatch(_would_become(kind, " or ".join(known.__qualname__ for known in records)))
        else:
            _check_first(value, [check for kinds, check in others if kind in kinds])

    return check


def _check_first(value: Any, checks: list[_Check | None]) -> None:
    """Pass when one member of a union keeps the value."""
    fault: Mismatch | None = None
    for check in checks:
        if check is None:
            return
        try:
            check(value)
        except Mismatch as mismatch:
            fault = fault or mismatch
        else:
            return
    if fault is not None:
        raise fault


def _record_check(shape: Shape, cls: type, classes: bool) -> _Check | None:
    return None if is_pydantic(cls) and _decides_itself(cls) else _RecordCheck(shape, cls, classes).check


class _RecordCheck:
    """The check of one record class; the checks of its fields are made on first use, as they may need it."""

    __slots__ = ("_classes", "_cls", "_fields", "_own", "_rebuilding", "_shape")

    def __init__(self, shape: Shape, cls: type, classes: bool) -> None:
        self._shape = shape
        self._classes = classes
        self._cls = cls
        self._own = _class_of(cls)
        self._rebuilding: _Check | None = None
        self._fields: list[tuple[str, _Check]] | None = None

    def keeps_all(self, values: Iterable[Any]) -> bool:
        """Whether the class alone shows, at the speed of C, that every value comes back whole."""
        return self._fields == [] and self._rebuilding is None and {self._cls}.issuperset(map(type, values))

    def check(self, value: Any) -> None:
        """Refuse a record of another class, here or in a field."""
        kind = type(value)
        if kind is not self._cls and kind is not dict and _class_of(kind) is not self._own:
            if _is_instance_of_record(value) and not _is_loaded_twice(kind, self._own):
                raise Mismatch(_would_become(kind, self._own.__qualname__))
            return
        fields = self._fields
        if fields is None:
            self._rebuilding = rebuilding_check(self._shape, self._cls)
            fields = self._fields = [
                (name, inner)
                for name, inner in _field_checks(self._shape, self._cls, self._classes)
                if inner is not None
            ]
        for name, inner in fields:
            try:
                inner(value.get(name) if kind is dict else getattr(value, name))
            except Mismatch as mismatch:
                raise mismatch.under(f".{name}") from None
        if self._rebuilding is not None and kind is self._cls:
            self._rebuilding(value)


def _field_checks(shape: Shape, cls: Any, classes: bool) -> Iterable[tuple[str, _Check | None]]:
    if is_pydantic(cls):
        for name, field in cls.model_fields.items():
            try:
                yield name, _check_of(shape_of(field.annotation), classes)
            except Undecodable:  # a type that only pydantic knows
                continue
    else:
        try:
            described_fields = shape.describes(_Inner)["fields"]
        except NameError:  # an annotation that cannot be resolved says nothing about its values
            return
        for name, described in described_fields.items():
            yield name, _described_check(described, classes)


def _decides_itself(model: Any) -> bool:
    decorators = model.__pydantic_decorators__
    return may_reshape(model) or bool(decorators.field_serializers or decorators.model_serializers)


def _class_of(cls: Any) -> Any:
    """Return the class of a record; all parametrisations of a generic pydantic model are one class."""
    generic = cls.__dict__.get("__pydantic_generic_metadata__") if "pydantic" in sys.modules else None
    return (generic and generic["origin"]) or cls


def _is_instance_of_record(value: object) -> bool:
    return is_record(type(value)) and not isinstance(value, Enum)


def _is_loaded_twice(kind: type, cls: type) -> bool:
    # A module that runs as a program and is imported too has each of its classes twice.
    return kind.__qualname__ == cls.__qualname__ and not issubclass(kind, cls)


def _would_become(kind: type, known: str) -> str:
    return (
        f"a {kind.__qualname__} would come back as {known}, which the annotation names; "
        f"annotate {kind.__name__}, or a union with it"
    )
