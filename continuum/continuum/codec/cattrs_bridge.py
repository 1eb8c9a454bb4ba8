"""The only importer of cattrs, which generates the functions that build dataclasses and attrs classes.

Imported when the first such class is read: a program that stores none starts 60 ms sooner.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from cattrs import BaseConverter, gen
from cattrs.errors import AttributeValidationNote

from continuum.codec.shapes import Fit, Mismatch
from continuum.failures.exception_text import message_of
from continuum.quoting import shortened

Structure = Callable[[Any, Any], Any]


class _FieldConverter(BaseConverter):
    # cattrs' own hooks coerce (int("5")), so every field goes through our shapes.
    def __init__(self, fit_of: Callable[[Any], Fit], resolved: Mapping[Any, Any]) -> None:
        super().__init__(detailed_validation=True)
        self._fit_of = fit_of
        self._resolved = resolved

    def get_structure_hook(self, type: Any, cache_result: bool = True) -> Structure:
        fit = self._fit_of(self._resolved.get(type, type) if isinstance(type, Hashable) else type)
        return lambda value, _: fit(value)

    def structure(self, obj: Any, cl: Any) -> Any:
        return obj  # called only for an attrs field without an annotation


def structure_function(annotation: Any, fit_of: Callable[[Any], Fit]) -> Structure:
    """Generate the function that builds `annotation` from a map; `fit_of` serves its fields."""
    converter = _FieldConverter(fit_of, _names_resolved(annotation))
    return typing.cast(
        "Structure", gen.make_dict_structure_fn(annotation, converter, _cattrs_use_linecache=False)
    )


def _names_resolved(annotation: Any) -> dict[Any, Any]:
    """Return the annotations of a record's fields with the names resolved that are text inside them.

    cattrs resolves only annotations that are text as a whole, and not `list["Tree"]`.
    """
    cls = typing.get_origin(annotation) or annotation
    written: dict[str, Any] = {}
    try:
        hints = typing.get_type_hints(cls, include_extras=True)
        for base in reversed(cls.__mro__):
            written |= inspect.get_annotations(base)
    except Exception:  # noqa: BLE001 - left as they are: `shape_of_type` reports a name when it is needed
        return {}
    return {
        hint: hints[name]
        for name, hint in written.items()
        if name in hints and not isinstance(hint, str) and isinstance(hint, Hashable)
    }


def first_mismatch(error: Exception, value: dict[str, Any]) -> Mismatch:
    """Return the first mismatch among the fields in `value`."""
    if not isinstance(error, ExceptionGroup):
        return Mismatch(f"{type(error).__name__}: {shortened(message_of(error))}")
    first = error.exceptions[0]
    if isinstance(first, RecursionError):
        raise first  # `fit_deep` starts over with more room on the stack
    # A mismatch collects a note at every level it passes; the last note is from this level.
    notes = [note for note in getattr(first, "__notes__", ()) if isinstance(note, AttributeValidationNote)]
    name = notes[-1].name if notes else None
    if name is not None and name not in value:
        return Mismatch(f"the field {name} is missing")
    mismatch = (
        first if isinstance(first, Mismatch) else Mismatch(f"{type(first).__name__}: {message_of(first)}")
    )
    return mismatch if name is None else mismatch.under(f".{name}")
