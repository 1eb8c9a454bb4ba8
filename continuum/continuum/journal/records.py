"""Records: dataclasses, attrs classes, pydantic models, TypedDicts and their fields.

Both directions know a record only by its class: `record_fields` gives what is
stored of an instance, `build_record` makes the function that turns such a map
into an instance again. cattrs generates that function for dataclasses, attrs
classes and TypedDicts; the fields inside go through the shapes of `typed`.
pydantic is used only when the program has imported it.
"""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any, TypeGuard, TypeVar

from continuum.journal.shapes import Fit, Misfit, key_step, kind_of

Plain = Callable[[Any], Any]

_KEY_QUALIFIERS: dict[Any, bool | None] = {
    typing.Required: True,
    typing.NotRequired: False,
    typing.Annotated: None,
    getattr(typing, "ReadOnly", typing.Annotated): None,
}
_NOT_AN_INSTANCE = frozenset(("is_instance_of", "dataclass_exact_type", "dataclass_type", "model_type"))


class RecordError(Exception):
    """This class cannot be stored; whoever catches it knows the path."""


def is_pydantic(cls: object) -> bool:
    """Tell whether this is a pydantic model class."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(cls, type) and issubclass(cls, pydantic.BaseModel)


def is_record(cls: object) -> TypeGuard[type]:
    """Tell whether instances of this class are stored as a map of fields."""
    return isinstance(cls, type) and (
        dataclasses.is_dataclass(cls)
        or hasattr(cls, "__attrs_attrs__")
        or is_pydantic(cls)
        or typing.is_typeddict(cls)
    )


def record_fields(cls: type) -> Plain | None:
    """Give the function that takes the stored fields of an instance; None for other classes."""
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
    """Give the names of the fields that a stored record must have, and of all it may have."""
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
    from continuum.journal.structuring import first_misfit, structure_function

    structure = structure_function(annotation, fit_of)

    def fit(value: Any) -> Any:
        if type(value) is not dict:
            raise Misfit(f"expected {cls.__name__}, got {kind_of(value)}")
        try:
            return structure(value, annotation)
        except Exception as error:
            raise first_misfit(error, value) from error

    return fit


def _typed_dict_keys(cls: Any) -> dict[str, tuple[bool, Any]]:
    # `__required_keys__` alone is wrong where annotations are text: NotRequired is not seen in it.
    keys = {}
    for name, hint in typing.get_type_hints(cls, include_extras=True).items():
        required = name in cls.__required_keys__
        while (origin := typing.get_origin(hint)) in _KEY_QUALIFIERS:
            said = _KEY_QUALIFIERS[origin]
            required = required if said is None else said
            hint = typing.get_args(hint)[0]
        keys[name] = (required, hint)
    return keys


def _typed_dict_fit(annotation: Any, cls: Any, fit_of: Callable[[Any], Fit]) -> Fit:
    given: dict[Any, Any] = dict(
        zip(getattr(cls, "__parameters__", ()), typing.get_args(annotation), strict=False)
    )
    fits: dict[str, Fit] = {}
    for name, (_, hint) in _typed_dict_keys(cls).items():
        inner = getattr(hint, "__parameters__", ())
        bound = hint[tuple(given.get(parameter, Any) for parameter in inner)] if inner else hint
        fits[name] = fit_of(given.get(bound, bound) if isinstance(bound, TypeVar) else bound)
    required, _ = field_names(cls)

    def fit(value: Any) -> Any:
        if type(value) is not dict:
            raise Misfit(f"expected {cls.__name__}, got {kind_of(value)}")
        for name in required - value.keys():
            raise Misfit(f"the field {name} is missing")
        fitted = {}
        for name, item in value.items():
            try:
                fitted[name] = fits[name](item) if name in fits else item
            except Misfit as misfit:
                raise misfit.under(key_step(name)) from misfit.__cause__
        return fitted

    return fit


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
            # A strict model wants the Enum members and records that are stored as plain values.
            return model.model_validate(value, strict=False, **options)
        except validation_error as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            misfit = Misfit(first["msg"])
            for step in reversed(first["loc"]):
                misfit.under(f"[{step}]" if isinstance(step, int) else f".{step}")
            raise misfit from error
        except Exception as error:
            raise Misfit(f"{type(error).__name__}: {error}") from error

    return fit


@cache
def _by_name() -> dict[str, bool]:
    # Models are stored under field names, so that an alias may change; before
    # pydantic 2.11 only the model's own `populate_by_name` could say so.
    version = tuple(int(part) for part in sys.modules["pydantic"].VERSION.split(".")[:2])
    return {"by_name": True} if version >= (2, 11) else {}
