"""Checks of a caller's arguments, before anything is written.

Text goes into index rows of a database that has no NUL character, so every
name and key is limited in bytes and has no control characters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from continuum.client.limits import ATTRIBUTES_BYTES, KEY_BYTES
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
    """Return attributes if they can be written as JSON."""
    if not isinstance(attributes, Mapping):
        raise InvalidOption(f"attributes must be a map, not {type(attributes).__name__}")
    for name, value in attributes.items():
        short_text(name, "an attribute's name")
        json_text(value, f"attribute {name!r}")
    size = len(json.dumps(dict(attributes)))
    if size > ATTRIBUTES_BYTES:
        raise InvalidOption(
            f"attributes may take {ATTRIBUTES_BYTES} bytes, not {size}; put what is large into the input"
        )
    return attributes


def json_text(value: object, what: str) -> str:
    """Return the JSON of a value that a JSON column can hold."""
    try:
        text = json.dumps(value, allow_nan=False)
        # JSON can escape a lone surrogate, but the database cannot store it as a character.
        json.dumps(value, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidOption(f"{what} has no form in JSON: {error}") from None
    if "\\u0000" in text:
        raise InvalidOption(f"{what} has a NUL character, which the database cannot hold")
    return text
