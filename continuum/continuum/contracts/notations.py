"""How values look in JSON, as schemas: given (inputs and signals), or printed (results).

What is given states types that JSON lacks, as `typed_json` reads them. What is printed has lost them: a
date is text, as `continuum result` prints it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from continuum.contracts.typed_json import TYPE_KEYS, NotExpressible, as_given, type_and_json

Schema: TypeAlias = dict[str, Any]

NOTHING: Schema = {"not": {}}
"""What takes no value at all: no JSON is read as one."""

_DATE: Schema = {"type": "string", "format": "date"}
_DATETIME: Schema = {"type": "string", "format": "date-time"}
_TIME: Schema = {"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?$"}
# What a timedelta can hold, rounded down.
_SECONDS: Schema = {"type": "number", "minimum": -86_399_999_900_000, "maximum": 86_399_999_900_000}
DECIMAL: Schema = {"type": "string", "pattern": r"^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,6})?$"}
_UUID: Schema = {
    "type": "string",
    "format": "uuid",
    "pattern": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
}
_BYTES: Schema = {
    "type": "string",
    "contentEncoding": "base64",
    "pattern": r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
}
_ANY_ARRAY: Schema = {"type": "array"}
_PLAIN: dict[str, Schema] = {
    "any": {},
    "None": {"type": "null"},
    "bool": {"type": "boolean"},
    # A bool fits an int, too; nobody wants that in a form. JSON Schema cannot refuse 1.0, which is no int.
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "list": _ANY_ARRAY,
    "dict": {"type": "object"},
}


@dataclass(frozen=True, slots=True)
class Notation:
    """One way to write values as JSON: the schemas of scalars, and the JSON of single values.

    `records_by_field` if the schema of a union is to choose between records as the decoder does.
    """

    scalars: Mapping[str, Schema]
    value: Callable[[Any], Any]
    records_by_field: bool
    pydantic_mode: str
    keys: Schema  # of a map with any text as its keys
    abstract_sets: bool  # what is a set, and no list, can be written


def _typed(name: str, schema: Schema) -> Schema:
    key = f"${name}"
    return {
        "type": "object",
        "properties": {key: schema},
        "required": [key],
        "additionalProperties": False,
    }


def _printed(value: Any) -> Any:
    match value:
        case None | bool() | str() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [_printed(item) for item in value]
    known = type_and_json(value)
    if known is None:
        raise NotExpressible(f"{type(value).__qualname__} is not printed as one value")
    return known[1]


# A map with such a key alone is no map.
_NOT_TYPED: Schema = {"not": {"enum": list(TYPE_KEYS)}}
_GIVEN_DATETIME = _typed("datetime", _DATETIME)

GIVEN = Notation(
    {
        **_PLAIN,
        "dict": {"type": "object", "propertyNames": _NOT_TYPED},
        "datetime": _GIVEN_DATETIME,
        # A datetime is a date, too.
        "date": {"anyOf": [_typed("date", _DATE), _GIVEN_DATETIME]},
        "time": _typed("time", _TIME),
        "timedelta": _typed("timedelta", _SECONDS),
        "Decimal": _typed("Decimal", DECIMAL),
        "UUID": _typed("UUID", _UUID),
        "bytes": _typed("bytes", _BYTES),
        # JSON has lists alone, and a class of its own takes its base and no list.
        "set": NOTHING,
        "frozenset": NOTHING,
    },
    as_given,
    records_by_field=True,
    pydantic_mode="validation",
    keys=_NOT_TYPED,
    abstract_sets=False,
)

PRINTED = Notation(
    {
        **_PLAIN,
        "datetime": _DATETIME,
        "date": {"anyOf": [_DATE, _DATETIME]},
        "time": {"type": "string", "format": "time"},
        "timedelta": {**_SECONDS, "description": "in seconds"},
        "Decimal": {"type": "string"},
        "UUID": _UUID,
        "bytes": _BYTES,
        "set": _ANY_ARRAY,
        "frozenset": _ANY_ARRAY,
    },
    _printed,
    records_by_field=False,
    pydantic_mode="serialization",
    keys={},
    abstract_sets=True,
)
