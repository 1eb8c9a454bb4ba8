"""The form of a change of many runs: what each action asks for, and the change that a filled form means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from continuum.contracts.typed_json import NotAValue, read_json
from continuum.errors import InvalidOption
from continuum.operations.bulk import BulkChange, bulk_change
from continuum.quoting import quoted

# What an action takes beside the search, by the names of the fields.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "signal": ("signal", "value"),
    "attributes": ("attributes",),
    "restart": ("signals",),
    "reset": ("at", "signals"),
    "fork": ("at", "signals"),
}
_NEEDED = ("signal", "attributes", "at")
OPTIONS = ("signal", "value", "attributes", "at", "signals")


def missing(action: str, given: Mapping[str, str]) -> list[str]:
    """Return the fields that an action needs and that are empty."""
    return [name for name in FIELDS.get(action, ()) if name in _NEEDED and not given.get(name, "").strip()]


def change_of(action: str, search: str, given: Mapping[str, str]) -> BulkChange:
    """Return the change of a filled form; `InvalidOption` and `InvalidQuery` say what is wrong with it."""
    options: dict[str, Any] = {}
    for name in FIELDS.get(action, ()):
        text = given.get(name, "").strip()
        match name:
            case "value":
                options[name] = _json(text, typed=True) if text else None
            case "attributes":
                options[name] = _attributes(text)
            case "at":
                options["event"] = _number(text)
            case "signals":
                options[name] = text or "again"
            case _:
                options[name] = text
    return bulk_change(action, search, **options)


def rate_of(text: str) -> float | None:
    """Return a rate in runs a second; None for an empty field."""
    try:
        return float(text) if text.strip() else None
    except ValueError:
        raise InvalidOption(f"a rate is a number of runs a second, not {quoted(text)}") from None


def _attributes(text: str) -> dict[str, Any]:
    found = _json(text, typed=False)
    if not isinstance(found, dict):
        raise InvalidOption('attributes are a JSON map, like {"vip": true}')
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise InvalidOption(f"the seq of an event is a whole number from 0 on, not {quoted(text)}")
    return int(text)


def _json(text: str, *, typed: bool) -> Any:
    try:
        return read_json(text, typed=typed)
    except NotAValue as error:
        raise InvalidOption(str(error)) from None
