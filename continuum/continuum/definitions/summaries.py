"""Summaries of calls: a line for people, made from the arguments when a call is scheduled.

A summary is for display alone: it is written beside the call, no replay compares it, and whatever goes wrong
with it leaves the run alone. So nothing of the user's runs here: attributes are read as they are stored, past
properties and `__getattr__`, items of the built-in containers, and only values of built-in types are written.
"""

from __future__ import annotations

import datetime
import decimal
import inspect
import re
import string
import types
import uuid
from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, cast

from continuum.errors import InvalidDefinition
from continuum.quoting import one_line, quoted

# One bar of a timeline, or one line of a terminal with the name of the activity.
SUMMARY_CHARACTERS = 80
# A longer template says more than its summary can.
TEMPLATE_CHARACTERS = 200
# A number with more digits is not written out: with some formats that takes minutes.
_MOST_DIGITS = 300
# In place of a value that cannot be shown.
UNKNOWN = "?"

_FIELD = re.compile(r"(?P<root>[^\W\d]\w*)(?P<path>(?:\.[^\W\d]\w*|\[[^\[\]]+\])*)")
_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<key>[^\[\]]+)\]")
# A width of a thousand characters is no summary; a field in a format could be anything.
_SPEC = re.compile(r"(?!.*\d{3})[^{}]{0,20}")
# Their formatting runs no code of a user; subclasses may run some.
_SHOWN = (
    float,
    bool,
    type(None),
    decimal.Decimal,
    uuid.UUID,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
)
# How slots, fields of named tuples and attributes of built-in types are stored.
_TUPLE_FIELD = type(vars(namedtuple("_TUPLE", "field"))["field"])
_STORED = (types.MemberDescriptorType, types.GetSetDescriptorType, _TUPLE_FIELD)


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a template: a parameter, the attributes (True) and items behind it, and the format."""

    root: str
    path: tuple[tuple[bool, str], ...]
    conversion: str | None
    spec: str


def check_summary(template: str | None, signature: inspect.Signature, name: str) -> None:
    """Refuse a template that is not one, or that names anything but a parameter and what is in it."""
    if template is None:
        return
    try:
        parts = parsed(template)
    except ValueError as error:
        raise InvalidDefinition(f"summary of {name} is not a template: {error}") from error
    for place in parts:
        if isinstance(place, Place) and place.root not in signature.parameters:
            raise InvalidDefinition(
                f"summary of {name} names {{{place.root}}}, which is not one of its parameters "
                f"({', '.join(signature.parameters) or 'it has none'})"
            )


def summary_of(
    template: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    """Return the summary of a call, at most `SUMMARY_CHARACTERS` long; None if there is nothing to say."""
    try:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
    except TypeError:
        return None
    parts = [
        part if isinstance(part, str) else _shown(part, bound.arguments.get(part.root))
        for part in parsed(template)
    ]
    return one_line("".join(parts), SUMMARY_CHARACTERS) or None


@lru_cache(maxsize=1024)
def parsed(template: str) -> tuple[str | Place, ...]:
    """Return the parts of a template; raises `ValueError`."""
    if not isinstance(template, str) or not 0 < len(template) <= TEMPLATE_CHARACTERS:
        raise ValueError(f"it has 1 to {TEMPLATE_CHARACTERS} characters, not {quoted(template)}")
    parts: list[str | Place] = []
    for text, field, spec, conversion in string.Formatter().parse(template):
        if text:
            parts.append(text)
        if field is not None:
            parts.append(_place(field, spec or "", conversion))
    return tuple(parts)


def _place(field: str, spec: str, conversion: str | None) -> Place:
    match = _FIELD.fullmatch(field)
    if match is None:
        raise ValueError(
            f"{{{field}}} is not a parameter with attributes and items, such as {{order.lines[0]}}"
        )
    if _SPEC.fullmatch(spec) is None:
        raise ValueError(f"the format {quoted(spec)} of {{{field}}} is too much for a line")
    path = tuple(
        (step["name"] is not None, step["name"] or step["key"]) for step in _STEP.finditer(match["path"])
    )
    if hidden := next((name for attribute, name in path if attribute and name.startswith("_")), None):
        raise ValueError(f"{{{field}}} names {hidden}, which is not public")
    return Place(match["root"], path, conversion, spec)


def _shown(place: Place, value: object) -> str:
    """Return a value as the template wants it, or as it is if that format does not fit it."""
    plain: Any = UNKNOWN
    try:
        for attribute, name in place.path:
            value = _attribute(value, name) if attribute else _item(value, name)
        plain = _plain(value)
        if place.conversion in ("r", "a"):
            plain = repr(plain)
        return format(plain, place.spec)
    except Exception:  # noqa: BLE001 - a line for people must not fail a run, whatever its arguments are
        return plain if isinstance(plain, str) else UNKNOWN


def _plain(value: object) -> Any:
    """Return a value of a built-in type that stands for this one, or the name of its type."""
    # Not isinstance, which asks the value itself for its class.
    if issubclass(type(value), Enum):
        value = _attribute(value, "value")
    kind = type(value)
    if issubclass(kind, str):
        # What follows is cut off anyway, and it may be megabytes.
        return str.__getitem__(cast(str, value), slice(0, 2 * SUMMARY_CHARACTERS))
    if issubclass(kind, int) and kind is not bool:
        number = cast(int, value)
        return int.__add__(number, 0) if int.bit_length(number) < _MOST_DIGITS else UNKNOWN
    if kind is decimal.Decimal and abs(cast(decimal.Decimal, value).adjusted()) > _MOST_DIGITS:
        return str(value)
    return value if kind in _SHOWN else kind.__name__


def _attribute(value: object, name: str) -> object:
    """Return an attribute as it is stored; what code computes is none."""
    if issubclass(type(value), Enum) and name in ("name", "value"):
        return vars(value)[f"_{name}_"]
    found = inspect.getattr_static(value, name)
    if type(found) in _STORED:
        return found.__get__(value, type(value))
    if hasattr(type(found), "__get__"):
        raise AttributeError(name)
    return found


def _item(value: object, key: str) -> object:
    """Return an item of a built-in container, by its key as text, or by its number."""
    kind = type(value)
    number = int(key) if key.isdecimal() and len(key) < 10 else None
    if issubclass(kind, dict):
        items = cast("dict[object, object]", value)
        for found in (key, number):
            if found is not None and dict.__contains__(items, found):
                return dict.get(items, found)
    elif number is not None and issubclass(kind, list):
        return list.__getitem__(cast("list[object]", value), number)
    elif number is not None and issubclass(kind, tuple):
        return tuple.__getitem__(cast("tuple[object, ...]", value), number)
    raise LookupError(key)
