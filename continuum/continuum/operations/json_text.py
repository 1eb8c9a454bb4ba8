"""Records and payloads as JSON for people and programs: times in ISO 8601, bytes in base64, no types."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from enum import Enum
from typing import Any

from continuum.contracts.typed_json import type_and_json


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON: times in ISO 8601, bytes in base64, decimals and UUIDs as text."""
    return json.dumps(_jsonable(value), indent=indent, ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            return value
        case _ if (known := type_and_json(value)) is not None:
            return known[1]
        case Enum():
            return _jsonable(value.value)
        case Mapping():
            return {_key(name): _jsonable(item) for name, item in value.items()}
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case set() | frozenset():
            # Sets have no order; sort them so that the output is stable.
            return sorted(
                (_jsonable(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True)
            )
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: _jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return str(value)


def _key(name: Any) -> str:
    return name if isinstance(name, str) else json.dumps(_jsonable(name))
