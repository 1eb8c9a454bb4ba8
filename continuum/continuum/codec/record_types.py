"""Records: dataclasses, attrs classes, pydantic models, TypedDicts and their fields.

Both directions know a record only by its class: `record_fields` returns what is
stored of an instance, `build_record` makes the function that turns such a map
into an instance again. cattrs generates that function for dataclasses and attrs
classes; the fields inside go through the shapes of `shape_of_type`.
pydantic is used only when the program has imported it. `describe_record` describes the
fields to processes that do not have the class.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import attrgetter
from typing import Any, TypeGuard, TypeVar

from continuum.codec.shapes import Fit, Mismatch, key_step, kind_of
from continuum.failures.exception_text import message_of
from continuum.quoting import shortened

Plain = Callable[[Any], Any]

_KEY_QUALIFIERS: dict[Any, bool | None] = {
    typing.Required: True,
    typing.NotRequired: False,
    typing.Annotated: None,
    getattr(typing, "ReadOnly", typing.Annotated): None,
}
_NOT_AN_INSTANCE = frozenset(("is_instance_of", "dataclass_exact_type", "dataclass_type", "model_type"))


class RecordError(Exception):
    """This class cannot be stored. The error has no path: the code that catches it adds one."""


def is_pydantic(cls: object) -> bool:
    """Whether this is a pydantic model class."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


def is_record(cls: object) -> TypeGuard[type]:
    """Whether instances of this class are stored as a map of fields."""
    return isinstance(cls, type) and (
        dataclasses.is_dataclass(cls)
        or hasattr(cls, "__attrs_attrs__")
        or is_pydantic(cls)
        or typing.is_typeddict(cls)
    )


def record_fields(cls: type) -> Plain | None:
    """Return the function that reads the stored fields of an instance; None for other classes."""
    if is_pydantic(cls):
        return _dump_model
    if dataclasses.is_dataclass(cls):
        _refuse_init_only(cls)
        return _take([field.name for field in dataclasses.fields(cls) if field.init])
    attributes = getattr(cls, "__attrs_attrs__", None)
    if attributes is not None:
        return _take([attribute.name for attribute in attributes if attribute.init])
    return None


def _dump_model(model: Any) -> Any:
    return model.model_dump(mode="python", round_trip=True, by_alias=False, warnings="error")


def _refuse_init_only(cls: type) -> None:
    for field in cls.__dataclass_fields__.values():  # type: ignore[attr-defined]
        init_only = field._field_type is dataclasses._FIELD_INITVAR  # type: ignore[attr-defined]
        if init_only and field.default is dataclasses.MISSING:
            raise RecordError(
                f"{cls.__qualname__} needs {field.name}, an InitVar, which is not kept anywhere"
            )


def _take(names: list[str]) -> Plain:
    if len(names) < 2:
        return lambda record: {name: getattr(record, name) for name in names}
    values = attrgetter(*names)
    return lambda record: dict(zip(names, values(record), strict=True))


def field_names(cls: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the fields that a stored record must have, and of all it may have."""
    if is_pydantic(cls):
        fields = cls.model_fields
        return frozenset(name for name in fields if fields[name].is_required()), frozenset(fields)
    if typing.is_typeddict(cls):
        keys = _typed_dict_keys(cls)
        return frozenset(name for name, (required, _) in keys.items() if required), frozenset(keys)
    if dataclasses.is_dataclass(cls):
        stored = [field for field in dataclasses.fields(cls) if field.init]
        missing = dataclasses.MISSING
        required = (f.name for f in stored if f.default is missing and f.default_factory is missing)
        return frozenset(required), frozenset(field.name for field in stored)
    attributes = [attribute for attribute in cls.__attrs_attrs__ if attribute.init]
    nothing = sys.modules["attr"].NOTHING
    return frozenset(a.name for a in attributes if a.default is nothing), frozenset(
        a.name for a in attributes
    )


def build_record(annotation: Any, cls: type, fit_of: Callable[[Any], Fit]) -> Fit:
    """Make the function that turns a stored map into the record; `fit_of` serves its fields."""
    if is_pydantic(cls):
        return _model_fit(annotation)
    if typing.is_typeddict(cls):
        return _typed_dict_fit(annotation, cls, fit_of)
    from continuum.codec.cattrs_bridge import first_mismatch, structure_function

    structure = structure_function(annotation, fit_of)

    def fit(value: Any) -> Any:
        if type(value) is not dict:
            raise Mismatch(f"expected {cls.__name__}, got {kind_of(value)}")
        try:
            return structure(value, annotation)
        except Exception as error:
            raise first_mismatch(error, value) from error

    return fit


def _typed_dict_keys(cls: Any) -> dict[str, tuple[bool, Any]]:
    # `__required_keys__` is wrong where annotations are strings: it misses NotRequired.
    keys = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        required = name in cls.__required_keys__
        while (origin := typing.get_origin(hint)) in _KEY_QUALIFIERS:
            qualified = _KEY_QUALIFIERS[origin]
            required = required if qualified is None else qualified
            hint = typing.get_args(hint)[0]
        keys[name] = (required, hint)
    return keys


def _bind(annotation: Any, cls: Any, hints: dict[str, Any]) -> dict[str, Any]:
    """Replace the parameters of a generic class by its arguments in the annotations of its fields."""
    given: dict[Any, Any] = dict(
        zip(getattr(cls, "__parameters__", ()), typing.get_args(annotation), strict=False)
    )
    if any(getattr(base, "__parameters__", ()) for base in cls.__mro__[1:]):
        # A base has parameters of its own, which may have the same names: treat all of them as Any.
        given = {}
    bound = {}
    for name, hint in hints.items():
        inner = getattr(hint, "__parameters__", ())
        if isinstance(hint, TypeVar):
            bound[name] = given.get(hint, Any)
        else:
            bound[name] = hint[tuple(given.get(parameter, Any) for parameter in inner)] if inner else hint
    return bound


def describe_record(annotation: Any, cls: type, describe: Callable[[Any], Any]) -> Any:
    """Describe the fields of a stored record; `describe` describes their annotations."""
    hints = typing.get_type_hints(cls)
    literal = {name for name, hint in hints.items() if typing.get_origin(hint) is typing.Literal}
    if is_pydantic(cls):
        if may_reshape(cls):
            return "any"
        # Only the model knows which values a field takes, but which fields it needs is certain.
        described = {
            name: describe(hints[name]) if name in literal else "any" for name in field_names(cls)[1]
        }
    else:
        known = _bind(annotation, cls, hints)
        described = {name: describe(known.get(name, Any)) for name in field_names(cls)[1]}
    for name, takes in described.items():
        if name not in literal and isinstance(takes, dict) and "literal" in takes:
            # Hide the literal: unions tell records apart only by fields annotated as Literal themselves.
            described[name] = {"union": [takes]}
    required, _ = field_names(cls)
    return {"record": cls.__name__, "fields": dict(sorted(described.items())), "required": sorted(required)}


def may_reshape(model: Any) -> bool:
    """Whether a model may accept values that do not have its fields."""
    decorators = model.__pydantic_decorators__
    validators = (*decorators.model_validators.values(), *decorators.field_validators.values())
    return (
        any(validator.info.mode != "after" for validator in validators)
        or issubclass(model, sys.modules["pydantic"].RootModel)
        or any(field.validation_alias is not None for field in model.model_fields.values())
    )


def _typed_dict_fit(annotation: Any, cls: Any, fit_of: Callable[[Any], Fit]) -> Fit:
    hints = {name: hint for name, (_, hint) in _typed_dict_keys(cls).items()}
    fits = {name: fit_of(hint) for name, hint in _bind(annotation, cls, hints).items()}
    required, _ = field_names(cls)
    return lambda value: fit_fields(cls.__name__, fits, required, value)


def fit_fields(name: str, fits: Mapping[str, Fit], required: Iterable[str], value: Any) -> dict[Any, Any]:
    """Fit the known fields of a record that are present; leave other fields unchanged."""
    if type(value) is not dict:
        raise Mismatch(f"expected {name}, got {kind_of(value)}")
    for missing in (field for field in required if field not in value):
        raise Mismatch(f"the field {missing} is missing")
    fitted = {}
    for field, item in value.items():
        try:
            fitted[field] = fits[field](item) if field in fits else item
        except Mismatch as mismatch:
            raise mismatch.under(key_step(field)) from mismatch.__cause__
    return fitted


def record_like(name: str, fields: Iterable[str], required: Iterable[str]) -> type:
    """Make a class with the fields of a record that only another process has."""
    needed = frozenset(required)
    keys: dict[str, Any] = {field: Any if field in needed else typing.NotRequired[Any] for field in fields}
    made: type = typing.TypedDict(name, keys)  # type: ignore[misc]  # its fields are known only at run time
    return made


def _model_fit(model: Any) -> Fit:
    def fit(value: Any) -> Any:
        validation_error = sys.modules["pydantic"].ValidationError
        options = _by_name()
        try:
            try:
                return model.model_validate(value, **options)
            except validation_error as error:
                if not all(detail["type"] in _NOT_AN_INSTANCE for detail in error.errors(include_url=False)):
                    raise
            # A strict model refuses plain values for Enum members and records, which are stored as such.
            return model.model_validate(value, strict=False, **options)
        except validation_error as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            mismatch = Mismatch(first["msg"])
            for step in reversed(first["loc"]):
                mismatch.under(f"[{step}]" if isinstance(step, int) else f".{step}")
            raise mismatch from error
        except Exception as error:
            raise Mismatch(f"{type(error).__name__}: {shortened(message_of(error))}") from error

    return fit


@cache
def _by_name() -> dict[str, bool]:
    # Models are stored under field names, so that an alias may change. Before
    # pydantic 2.11 only the model's own `populate_by_name` could allow that.
    version = tuple(int(part) for part in sys.modules["pydantic"].VERSION.split(".")[:2])
    return {"by_name": True} if version >= (2, 11) else {}
