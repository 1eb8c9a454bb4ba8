"""Values in the JSON that people give: on the command line, in a form, in the body of a request.

A value that JSON cannot express is a map with one key, a dollar sign and the name of its type:
`{"$datetime": "2026-01-31T09:00:00Z"}`. What reads the JSON does not know which types a workflow
takes, so the sender states them; they are never guessed.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

from continuum.codec.record_types import record_fields
from continuum.quoting import quoted

_READERS: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    # In seconds, as results are printed.
    "$timedelta": lambda seconds: timedelta(seconds=seconds),
    "$Decimal": Decimal,
    "$UUID": UUID,
    "$bytes": partial(base64.b64decode, validate=True),
}

# A datetime is a date, so it comes first.
_WRITERS: dict[type, Callable[[Any], Any]] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: timedelta.total_seconds,
    Decimal: str,
    UUID: str,
    bytes: lambda value: base64.b64encode(value).decode(),
}
TYPE_KEYS = tuple(_READERS)
"""The keys that name a type."""


class NotAValue(ValueError):
    """Text is no JSON, or a map in it names a type and has no value of it; the message is for the sender."""


class NotExpressible(ValueError):
    """No JSON that is given would be read as this value."""


def read_typed_map(read: dict[str, Any]) -> Any:
    """Return the value that a map names by its type, and any other map unchanged."""
    name = next(iter(read)) if len(read) == 1 else ""
    if name not in _READERS:
        return read
    try:
        return _READERS[name](read[name])
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        raise NotAValue(f"{json.dumps(read)} is not a valid {name[1:]}") from None


def read_json(text: str, *, typed: bool = True) -> Any:
    """Read JSON that a person gives, with typed values as maps like `{"$date": "2026-01-31"}`."""
    try:
        return json.loads(text, object_hook=read_typed_map if typed else None)
    except NotAValue:
        raise
    except ValueError:
        raise NotAValue(f"{quoted(text)} is not JSON; text is quoted twice, like '\"text\"'") from None
    except RecursionError:
        raise NotAValue("the JSON is nested too deeply; use a flatter value") from None


def type_and_json(value: Any) -> tuple[str, Any] | None:
    """Return the name of a type that JSON lacks and the value in JSON without it, as results are printed.

    None for a value of any other type.
    """
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return kind.__name__, write(value)
    return None


def as_given(value: Any) -> Any:
    """Return a value as the JSON that is read as it; `NotExpressible` if there is none."""
    if isinstance(value, Enum):
        if isinstance(value.value, tuple):
            raise NotExpressible("a tuple is given as a list, which is no member")
        return as_given(value.value)
    match value:
        case None | bool() | str() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [as_given(item) for item in value]
        case Mapping() if all(isinstance(key, str) for key in value):
            return _given_map({str(key): as_given(item) for key, item in value.items()})
    if (known := type_and_json(value)) is not None:
        name, plain = known
        return {f"${name}": plain}
    fields = record_fields(type(value))
    if fields is None:
        raise NotExpressible(f"{type(value).__qualname__} has no JSON form")
    return as_given(fields(value))


def _given_map(given: dict[str, Any]) -> dict[str, Any]:
    if len(given) == 1 and next(iter(given)) in _READERS:
        raise NotExpressible("this map would be read as a typed value")
    return given
