"""Attributes, the values that runs are found by: how they are stored, and how a workflow sets its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from continuum.definitions.effects import require
from continuum.definitions.name_rules import short_text
from continuum.engine import recorded_values
from continuum.engine.call_site import Site
from continuum.errors import InvalidOption
from continuum.quoting import quoted, shortened

# Attributes are for finding runs, not for storing documents.
ATTRIBUTES_BYTES = 65_536
# A Decimal like 1E+999999 is short, but as a whole number it takes a megabyte.
INTEGER_DIGITS = 1_000


def set_own_attributes(attributes: Mapping[str, Any], site: Site) -> None:
    """Merge attributes into those of the run whose workflow is running; see `continuum.set_attributes`."""
    execution = require("continuum.set_attributes({...})")
    recorded_values.set_attributes(execution, checked_attributes(attributes), site)


def checked_attributes(attributes: object) -> Mapping[str, Any]:
    """Return attributes as a JSON column holds them."""
    if not isinstance(attributes, Mapping):
        raise InvalidOption(f"attributes must be a map, not {type(attributes).__name__}")
    stored = {}
    for name, value in attributes.items():
        short_text(name, "an attribute's name")
        stored[name] = json_value(value, f"attribute {quoted(name)}")
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
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidOption(f"{what} has no form in JSON: {shortened(error)}") from None
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
