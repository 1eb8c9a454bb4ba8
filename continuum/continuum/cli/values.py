"""Values on the command line. They are printed by `continuum.operations.json_text`.

How JSON states what it cannot express is in `continuum.contracts.typed_json`.
"""

from __future__ import annotations

from typing import Any

import click

from continuum.contracts.typed_json import NotAValue, read_json
from continuum.quoting import quoted


def json_value(text: str) -> Any:
    """Read an argument that is JSON. The usual mistake is text without quotes."""
    return _read(text, typed=False)


def typed_json(text: str) -> Any:
    """Read an argument that is JSON, with typed values as maps like `{"$date": "2026-01-31"}`."""
    return _read(text, typed=True)


def _read(text: str, *, typed: bool) -> Any:
    try:
        return read_json(text, typed=typed)
    except NotAValue as error:
        raise click.BadParameter(str(error)) from None


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


def http_address(text: str) -> tuple[str, int]:
    """Read an argument like HOST:PORT, or PORT, which listens on loopback alone."""
    return address(text if ":" in text else f"127.0.0.1:{text}")


def address(text: str) -> tuple[str, int]:
    """Read an argument like HOST:PORT; an IPv6 host may stand in brackets."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.BadParameter(f"{quoted(text)} is not of the form HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)
