"""Values on the command line: JSON in, JSON or plain text out.

A value that JSON cannot express is a map with one key, a dollar sign and the name of its type:
`{"$datetime": "2026-01-31T09:00:00Z"}`. The command line does not know which types a workflow
takes, so the user states them; they are never guessed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import click

from continuum.quoting import quoted

_TYPED: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    # In seconds, as `to_json` writes it.
    "$timedelta": lambda seconds: timedelta(seconds=seconds),
    "$Decimal": Decimal,
    "$UUID": UUID,
    "$bytes": partial(base64.b64decode, validate=True),
}


def json_value(text: str, *, read_map: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Read an argument that is JSON. The usual mistake is text without quotes."""
    try:
        return json.loads(text, object_hook=read_map)
    except ValueError:
        raise click.BadParameter(
            f"{quoted(text)} is not JSON; text is quoted twice, like '\"text\"'"
        ) from None
    except RecursionError:
        raise click.BadParameter("the JSON is nested too deeply; use a flatter value") from None


def typed_json(text: str) -> Any:
    """Read an argument that is JSON, with typed values as maps like `{"$date": "2026-01-31"}`."""
    return json_value(text, read_map=_typed)


def _typed(read: dict[str, Any]) -> Any:
    name = next(iter(read)) if len(read) == 1 else ""
    if name not in _TYPED:
        return read
    try:
        return _TYPED[name](read[name])
    except (ValueError, TypeError, AttributeError, ArithmeticError):
        raise click.BadParameter(f"{json.dumps(read)} is not a valid {name[1:]}") from None


def pair(text: str) -> tuple[str, str]:
    """Read an argument like NAME=VALUE, cut at the first equals sign."""
    name, found, rest = text.partition("=")
    if not found or not name:
        raise click.BadParameter(f"{quoted(text)} is not of the form NAME=VALUE")
    return name, rest


def named_json(text: str) -> tuple[str, Any]:
    """Read an argument like NAME=JSON."""
    name, rest = pair(text)
    return name, json_value(rest)


def named_number(text: str) -> tuple[str, int]:
    """Read an argument like NAME=LIMIT."""
    name, rest = pair(text)
    if not rest.isdecimal():
        raise click.BadParameter(f"the limit of {name} is a whole number, not {quoted(rest)}")
    return name, int(rest)


def address(text: str) -> tuple[str, int]:
    """Read an argument like HOST:PORT; an IPv6 host may stand in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{quoted(text)} is not of the form HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
