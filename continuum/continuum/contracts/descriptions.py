"""Titles, descriptions and defaults: what people wrote beside the types."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import typing
from collections.abc import Mapping
from typing import Any

from continuum.quoting import shortened

# A form shows it beside a field; the code has the rest.
DESCRIPTION_CHARACTERS = 1_000

MISSING: Any = object()
"""What has no default."""


def description_of_class(cls: type) -> str | None:
    """Return what a class says of itself, None if its docstring was made for it."""
    text = vars(cls).get("__doc__")
    if not isinstance(text, str) or text.startswith(f"{cls.__name__}(") or text == "An enumeration.":
        return None
    return cleaned(text)


def description_of_annotation(annotation: Any) -> str | None:
    """Return the text in `Annotated[int, "how many"]`, or that of an object with a `documentation` in it."""
    if typing.get_origin(annotation) is not typing.Annotated:
        return None
    for each in typing.get_args(annotation)[1:]:
        text = each if isinstance(each, str) else getattr(each, "documentation", None)
        if isinstance(text, str):
            return cleaned(text)
    return None


def cleaned(text: str | None) -> str | None:
    """Return a docstring without its indentation, shortened; None without text."""
    if not text or not text.strip():
        return None
    return shortened(inspect.cleandoc(text), DESCRIPTION_CHARACTERS)


def defaults_of(cls: Any) -> Mapping[str, Any]:
    """Return the default of each field of a record that has one that does not have to be made."""
    if dataclasses.is_dataclass(cls):
        return {
            field.name: field.default
            for field in dataclasses.fields(cls)
            if field.default is not dataclasses.MISSING
        }
    attributes = getattr(cls, "__attrs_attrs__", ())
    if attributes:
        attr = sys.modules["attr"]
        return {
            each.name: each.default
            for each in attributes
            if each.default is not attr.NOTHING and not isinstance(each.default, attr.Factory)
        }
    return getattr(cls, "_field_defaults", {})
