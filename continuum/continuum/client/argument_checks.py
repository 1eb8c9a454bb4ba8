"""Checks of a caller's arguments, before anything is written.

Text goes into index rows of a database that has no NUL character, so every
name and key is limited in bytes and has no control characters.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from continuum.client.limits import ATTRIBUTES_BYTES, INTEGER_DIGITS, KEY_BYTES
from continuum.definitions.name_rules import NAME_BYTES
from continuum.engine.ids import RunId, parse_run_id
from continuum.errors import InvalidOption, RunNotFound


def run_id_of(text: str) -> RunId:
    """Return an id to look up in canonical form; `RunNotFound` if it is not a UUID."""
    try:
        return parse_run_id(text)
    except (ValueError, AttributeError, TypeError):
        raise RunNotFound(str(text)) from None


def new_id(text: str) -> RunId:
    """Return an id for a new run in canonical form; `InvalidOption` if it is not a UUID."""
    try:
        return parse_run_id(text)
    except (ValueError, AttributeError, TypeError):
        raise InvalidOption(
            f"id must be a UUID, not {text!r}; leave it out, or use idempotency_key= for names of your own"
        ) from None


def short_text(value: object, what: str, *, most: int = KEY_BYTES) -> str:
    """Return `value` if it is text that can be a key or a name."""
    if not isinstance(value, str):
        raise InvalidOption(f"{what} must be text, not {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise InvalidOption(f"{what} has a character that cannot be stored: {value!r}") from None
    if not 1 <= size <= most:
        raise InvalidOption(f"{what} must have 1 to {most} bytes, not {size}")
    if any(character < " " or character == "\x7f" for character in value):
        raise InvalidOption(f"{what} must not have control characters: {value!r}")
    return value


def signal_name(value: object) -> str:
    """Return `value` if it can be the name of a signal."""
    return short_text(value, "a signal's name", most=NAME_BYTES)


def published_name(value: object) -> str:
    """Return `value` if it can be the name of a published value."""
    return short_text(value, "the name of a published value", most=NAME_BYTES)


def checked_attributes(attributes: object) -> Mapping[str, Any]:
    """Return attributes as a JSON column holds them."""
    if not isinstance(attributes, Mapping):
        raise InvalidOption(f"attributes must be a map, not {type(attributes).__name__}")
    stored = {}
    for name, value in attributes.items():
        short_text(name, "an attribute's name")
        stored[name] = json_value(value, f"attribute {name!r}")
    size = len(json.dumps(stored))
    if size > ATTRIBUTES_BYTES:
        raise InvalidOption(
            f"attributes may take {ATTRIBUTES_BYTES} bytes, not {size}; put what is large into the input"
        )
    return stored


def json_value(value: object, what: str) -> Any:
    """Return a value as a JSON column holds it.

    An Enum becomes its value, a Decimal a number, a datetime text in UTC, a date and a UUID text. As
    text, times have the order of time.
    """
    try:
        text = json.dumps(value, allow_nan=False, default=_json_form)
        # JSON can escape a lone surrogate, but the database cannot store it as a character.
        json.dumps(value, ensure_ascii=False, default=_json_form).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidOption(f"{what} has no form in JSON: {error}") from None
    if "\\u0000" in text:
        raise InvalidOption(f"{what} has a NUL character, which the database cannot hold")
    return json.loads(text)


def _json_form(value: object) -> Any:
    match value:
        case Enum():
            return value.value
        case datetime():
            if value.utcoffset() is None:
                raise ValueError("a datetime needs a zone, e.g. datetime.now(UTC)")
            return value.astimezone(UTC).isoformat(timespec="microseconds")
        case date() | UUID():
            return str(value)
        case Decimal():
            return _number(value)
        case _:
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _number(value: Decimal) -> int | float:
    if value.is_finite():
        number = float(value)
        if math.isfinite(number) and Decimal(repr(number)) == value:
            return number
        if value.adjusted() < INTEGER_DIGITS and value == value.to_integral_value():
            return int(value)
    raise ValueError(f"a number in JSON does not keep {str(value)[:50]} exactly; write it as text")
