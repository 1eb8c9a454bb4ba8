"""Values on the command line: JSON in, JSON or plain text out."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import click


def json_value(text: str) -> Any:
    """Read an argument that is JSON; text that is not quoted is the usual mistake."""
    try:
        return json.loads(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not JSON; text is quoted twice, like '\"text\"'") from None


def pair(text: str) -> tuple[str, str]:
    """Read an argument like NAME=VALUE, cut at the first equals sign."""
    name, found, rest = text.partition("=")
    if not found or not name:
        raise click.BadParameter(f"{text!r} is not of the form NAME=VALUE")
    return name, rest


def named_json(text: str) -> tuple[str, Any]:
    """Read an argument like NAME=JSON."""
    name, rest = pair(text)
    return name, json_value(rest)


def named_number(text: str) -> tuple[str, int]:
    """Read an argument like NAME=LIMIT."""
    name, rest = pair(text)
    if not rest.isdecimal():
        raise click.BadParameter(f"the limit of {name} is a whole number, not {rest!r}")
    return name, int(rest)


def address(text: str) -> tuple[str, int]:
    """Read an argument like HOST:PORT; an IPv6 host may stand in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{text!r} is not of the form HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON: times in ISO 8601, bytes in base64, what has no number type in JSON as text."""
    return json.dumps(_jsonable(value), indent=indent, ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    match value:
        case None | bool() | int() | float() | str() if not isinstance(value, Enum):
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal() | UUID():
            return str(value)
        case Enum():
            return _jsonable(value.value)
        case Mapping():
            return {_key(name): _jsonable(item) for name, item in value.items()}
        case list() | tuple():
            return [_jsonable(item) for item in value]
        case set() | frozenset():
            # Sets have no order of their own; the output should.
            return sorted(
                (_jsonable(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True)
            )
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: _jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return str(value)


def _key(name: Any) -> str:
    return name if isinstance(name, str) else json.dumps(_jsonable(name))
