"""Checks that a record comes back equal although its class takes part in reading it.

A `__post_init__` that assigns, an `__init__` of its own, an attrs converter or a pydantic validator runs
again when a record is read, and fields with `init=False` or `exclude=True` are not stored. A class that has
any of these is read back and compared before it is stored; other classes cost nothing.
"""

from __future__ import annotations

import dataclasses
import dis
import sys
from collections.abc import Callable, Iterator
from typing import Any

from continuum.codec.reading import unpack
from continuum.codec.record_types import is_pydantic
from continuum.codec.shapes import Mismatch, Shape, key_step
from continuum.codec.writing import pack

_ASSIGNING = frozenset(("setattr", "__setattr__", "__dict__", "evolve"))
# Methods of lists, dicts and sets that change them.
_CHANGING = (
    frozenset(name for kind in (list, dict, set) for name in vars(kind) if name[0] != "_")
    - vars(frozenset).keys()
    - {"copy", "count", "fromkeys", "get", "index", "items", "keys", "values"}
)
_STORING = frozenset(("STORE_ATTR", "STORE_SUBSCR", "DELETE_ATTR", "DELETE_SUBSCR"))
_MISSING = object()


def rebuilding_check(shape: Shape, cls: Any) -> Callable[[Any], None] | None:
    """Return the check of records of this class; None when reading only puts the stored fields together."""
    unstored = list(_unstored(cls))
    if not unstored and not _changes_what_it_is_given(cls):
        return None

    def check(value: Any) -> None:
        stored = unpack(pack(value))
        read = shape.fit(unpack(pack(value)))
        again = unpack(pack(read))
        if pack(again) != pack(stored):
            step = key_step(next((name for name in stored if _differ(stored[name], again.get(name))), ""))
            raise Mismatch(
                f"reading a {cls.__qualname__} runs its own code, which would change this value; let "
                "that code return what it has made unchanged"
            ).under(step)
        for name in unstored:
            if _differ(getattr(value, name, _MISSING), getattr(read, name, _MISSING)):
                raise Mismatch(
                    f"a {cls.__qualname__} is stored without this field, and would come back with another "
                    "value of it; make it a field that is stored"
                ).under(key_step(name))

    return check


def _unstored(cls: Any) -> Iterator[str]:
    """The names of fields that belong to a record's value and are not stored."""
    if is_pydantic(cls):
        yield from (name for name, field in cls.model_fields.items() if field.exclude)
        yield from cls.__private_attributes__
    elif dataclasses.is_dataclass(cls):
        yield from (field.name for field in dataclasses.fields(cls) if field.compare and not field.init)
    else:
        yield from (each.name for each in getattr(cls, "__attrs_attrs__", ()) if each.eq and not each.init)


def _changes_what_it_is_given(cls: Any) -> bool:
    """Whether building an object of the class may give it other fields than it was given."""
    if is_pydantic(cls):
        return _model_changes(cls)
    if any(each.converter is not None for each in getattr(cls, "__attrs_attrs__", ())):
        return True
    made_by = getattr(cls.__init__, "__code__", None)
    # Those that dataclasses and attrs make have no file.
    if made_by is not None and not made_by.co_filename.startswith("<"):
        return True
    hooks = ("__post_init__", "__attrs_post_init__")
    own = (vars(base).get(hook) for base in cls.__mro__ for hook in hooks)
    return any(_assigns(cls, function, set()) for function in own if function is not None)


def _model_changes(model: Any) -> bool:
    decorators, base = model.__pydantic_decorators__, sys.modules["pydantic"].BaseModel
    return bool(
        decorators.model_validators
        or decorators.field_validators
        or model.__init__ is not base.__init__
        or model.model_post_init is not base.model_post_init
        or any(hasattr(each, "func") for field in model.model_fields.values() for each in field.metadata)
    )


def _assigns(cls: type, function: Any, seen: set[str]) -> bool:
    """Whether a function may change the object that it gets, itself or through a method of its class."""
    code = getattr(function, "__code__", None)
    if code is None or not (_ASSIGNING | _CHANGING).isdisjoint(code.co_names):
        return True
    if any(instruction.opname in _STORING for instruction in dis.get_instructions(code)):
        return True
    called = {name for name in code.co_names if callable(getattr(cls, name, None))} - seen
    called.difference_update(("__post_init__", "__attrs_post_init__"))
    seen |= called
    return any(_assigns(cls, getattr(cls, name), seen) for name in called)


def _differ(one: Any, other: Any) -> bool:
    """Whether two values are written differently; one that cannot be written is no part of a record."""
    if one is _MISSING:
        return False
    try:
        written = pack(one)
        return other is _MISSING or pack(other) != written
    except Exception:  # noqa: BLE001 - a lock, a cache, a connection: each process makes its own
        return False
