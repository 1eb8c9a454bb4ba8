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
from collections.abc import Callable, Iterator
from functools import cache
from operator import attrgetter
from typing import Any, TypeGuard

from continuum.journal.shapes import Fit, Misfit, kind_of

Plain = Callable[[Any], Any]


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
        return cls.__required_keys__, cls.__required_keys__ | cls.__optional_keys__
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
    structure = _structure_function(_with_parameters(annotation), cls, fit_of)

    def fit(value: Any) -> Any:
        if type(value) is not dict:
            raise Misfit(f"expected {cls.__name__}, got {kind_of(value)}")
        try:
            return structure(value, annotation)
        except Misfit:
            raise
        except Exception as error:
            raise _first_misfit(error, value) from error

    return fit


def _with_parameters(annotation: Any) -> Any:
    parameters = getattr(annotation, "__parameters__", ()) if isinstance(annotation, type) else ()
    return annotation[(Any,) * len(parameters)] if parameters else annotation


def _structure_function(
    annotation: Any, cls: type, fit_of: Callable[[Any], Fit]
) -> Callable[[Any, Any], Any]:
    # Imported late: a program that stores no records starts 60 ms sooner.
    from cattrs import BaseConverter, gen
    from cattrs.gen import typeddicts

    def hook(field_type: Any) -> Callable[[Any, Any], Any]:
        fit = fit_of(field_type)
        return lambda value, _: fit(value)

    converter = BaseConverter(detailed_validation=True)
    converter.register_structure_hook_factory(lambda _: True, hook)
    make = typeddicts.make_dict_structure_fn if typing.is_typeddict(cls) else gen.make_dict_structure_fn
    return typing.cast("Callable[[Any, Any], Any]", make(annotation, converter, _cattrs_use_linecache=False))


def _first_misfit(error: BaseException, value: dict[str, Any]) -> Misfit:
    from cattrs.errors import AttributeValidationNote

    if isinstance(error, ExceptionGroup):
        first = error.exceptions[0]
        names: Iterator[str] = (
            note.name for note in getattr(first, "__notes__", ()) if isinstance(note, AttributeValidationNote)
        )
        name = next(names, None)
        if name is not None and name not in value:
            return Misfit(f"the field {name} is missing")
        inner = first if isinstance(first, Misfit) else Misfit(f"{type(first).__name__}: {first}")
        return inner if name is None else inner.under(f".{name}")
    return Misfit(f"{type(error).__name__}: {error}")


def _model_fit(model: Any) -> Fit:
    def fit(value: Any) -> Any:
        validation_error = sys.modules["pydantic"].ValidationError
        try:
            return model.model_validate(value, **_by_name())
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
